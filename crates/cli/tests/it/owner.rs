//! `manual/owner.md`, run command by command: what it shows is what one sees. And what it does not show: hostile input.

mod explain;
mod replay;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::repository;

const PAGE: &str = include_str!("../../../../manual/owner.md");

/// A folder of its own with the files of the page, which goes with it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn with_files() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for entry in fs::read_dir(files()).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, folder.path(path.file_name().unwrap().to_str().unwrap())).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs a line of a shell: what it wrote, and its exit code.
    pub(crate) fn sh(&self, line: &str) -> (String, String, i32) {
        let binary = Path::new(env!("CARGO_BIN_EXE_error-envelope")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let output =
            Command::new("sh").args(["-c", line]).current_dir(self.0.path()).env("PATH", path).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr), output.status.code().unwrap())
    }
}

pub(crate) fn files() -> PathBuf {
    repository().join("crates/cli/tests/owner")
}

#[test]
fn each_command_of_the_manual_writes_what_it_shows() {
    let folder = Folder::with_files();
    let (mut ran, mut code) = (0, 0);
    for block in PAGE.split("```console\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        for command in block.split("$ ").skip(1) {
            let (line, shown) = command.split_once('\n').unwrap();
            let (out, err, ended) = folder.sh(&format!("(exit {code}); {line}"));
            assert_eq!(err, "", "{line}");
            assert!(fits(shown, &out), "$ {line}\n--- the page\n{shown}\n--- it wrote\n{out}");
            (ran, code) = (ran + usize::from(line.starts_with("error-envelope ")), ended);
        }
    }
    assert_eq!(ran, 12, "a command of the page was not seen");
}

/// `…` on a line of its own stands for any lines.
fn fits(shown: &str, out: &str) -> bool {
    let mut rest = out;
    let parts: Vec<&str> = shown.split("…\n").collect();
    for (at, part) in parts.iter().enumerate() {
        let is_last = at + 1 == parts.len();
        let found = match at {
            0 => rest.starts_with(part).then_some(0),
            _ if is_last => rest.ends_with(part).then(|| rest.len() - part.len()),
            _ => rest.find(part),
        };
        let Some(found) = found else { return false };
        rest = &rest[found + part.len()..];
    }
    parts.len() > 1 || rest.is_empty()
}

#[test]
fn init_of_a_document_that_was_merged_with_the_exported_one_passes_check() {
    let folder = Folder::with_files();
    let exported = fs::read_to_string(repository().join("contract/openapi.json")).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&exported).unwrap();
    let operation = |status: &str, response: &str| {
        let declared = serde_json::json!({ "$ref": format!("#/components/responses/{response}") });
        let body = serde_json::json!({ "content": { "application/json": { "schema": { "type": "object" } } } });
        serde_json::json!({ "requestBody": body, "responses": { status: declared } })
    };
    let responses: Vec<String> = document["components"]["responses"].as_object().unwrap().keys().cloned().collect();
    assert!(responses.len() > 10, "{responses:?}");
    for (at, response) in responses.iter().enumerate() {
        let text = document["components"]["responses"][response]["description"].as_str().unwrap().to_owned();
        assert!(!text.is_empty());
        document["paths"][format!("/{at}/{{id}}")] = serde_json::json!({ "put": operation("404", response) });
    }
    folder.put("api.json", document.to_string());
    let (out, err, code) =
        folder.sh("error-envelope init --openapi api.json > policy.toml && error-envelope check policy.toml");
    assert_eq!((out.as_str(), err.as_str(), code), ("1 file: no errors, no warnings, no notes\n", "", 0));
    let policy = folder.read("policy.toml");
    assert_eq!(policy.matches("\njson = true\n# declares 404: ").count(), responses.len(), "{policy}");
}

#[test]
fn init_from_nothing_passes_check() {
    let folder = Folder::with_files();
    let (out, err, code) = folder.sh("error-envelope init --output policy.toml && error-envelope check policy.toml");
    let said = "wrote policy.toml: a policy in mode observe\n1 file: no errors, no warnings, no notes\n";
    assert_eq!((out.as_str(), err.as_str(), code), (said, "", 0));
    let (out, err, code) = folder.sh("error-envelope init --output policy.toml");
    assert_eq!((out.as_str(), code), ("", 2));
    assert_eq!(err, "policy.toml: the file already exists; name another file, or remove it\n");
}

#[test]
fn after_learn_no_error_is_left_without_a_code() {
    let folder = Folder::with_files();
    let unknown = r#"{"error":{"code":"ROOM-IsFull2","message":"Room 4711 is full of hunter2","details":{"a":1}}}"#;
    let entry = |status: u16, body: &str, path: &str| {
        serde_json::json!({
            "request": { "method": "GET", "url": format!("https://a.example{path}"), "headers": [] },
            "response": { "status": status, "headers": [], "content":
                { "size": body.len(), "mimeType": "application/json", "text": body } },
        })
    };
    let texts = |text: &str| format!(r#"{{"message":"{text}"}}"#);
    let entries = [
        entry(409, unknown, "/a"),
        entry(423, unknown, "/a"),
        entry(500, unknown, "/a"),
        entry(409, unknown, "/named"),
        entry(409, &texts("zzz hunter2"), "/named"),
        entry(409, &texts("zzz hunter2"), "/named"),
        entry(409, &texts("zzz hunter2"), "/named"),
        entry(500, &unknown.replace("ROOM-IsFull2", "DB_DOWN"), "/a"),
        entry(409, &texts("Room 4711 is locked"), "/a"),
        entry(409, &texts("Room hunter2 is locked"), "/b"),
        entry(409, &texts("Room 'x y' is locked"), "/b"),
        entry(404, &texts("zzz hunter2"), "/named"),
        entry(400, r#"{"error":{"code":"4eC39HqLyjWDarjtT1zdp7dc","message":"zzz hunter2"}}"#, "/named"),
    ];
    folder.put("a.har", serde_json::json!({ "log": { "entries": entries } }).to_string());
    folder.put("policy.toml", "version = 1\n[[route]]\nmatch = \"/named\"\n");
    let (drafts, err, code) = folder.sh("error-envelope learn --policy policy.toml a.har | tee -a policy.toml");
    assert_eq!((err.as_str(), code), ("", 0));
    assert_eq!(
        drafts,
        "\
# 13 inner errors, 13 without a code: 8 drafts.

# 3 x a message without a code, status 409; clients get conflict
[[map]]
status = 409
message_pattern = \"^Room .+ is locked$\"
to = \"room_is_locked\"

[[code]]
code = \"room_is_locked\"
status = 409
message = \"The request conflicts with the resource's current state.\"

# 2 x a code that is not in the catalogue, status 409, on /named; clients get conflict
[[map]]
status = 409
code = \"ROOM-IsFull2\"
to = \"room_is_full2\"

[[code]]
code = \"room_is_full2\"
status = 409
message = \"Room is full2.\"

# 1 x a code that is not in the catalogue, status 423; clients get locked
[[map]]
status = 423
code = \"ROOM-IsFull2\"
to = \"room_is_full2\"

# 3 x an error without a code, status 409, on /named; clients get conflict
[[map]]
status = 409
route = \"/named\"
to = \"named_conflict\"

[[code]]
code = \"named_conflict\"
status = 409
message = \"The request conflicts with the resource's current state.\"

# 1 x an error without a code, status 400, on /named; clients get bad_request
[[map]]
status = 400
route = \"/named\"
to = \"named_bad_request\"

[[code]]
code = \"named_bad_request\"
status = 400
message = \"The request is malformed.\"

# 1 x an error without a code, status 404, on /named; clients get not_found
[[map]]
status = 404
route = \"/named\"
to = \"named_not_found\"

[[code]]
code = \"named_not_found\"
status = 404
message = \"Not found.\"

# 1 x a code that is not in the catalogue, status 500; clients get internal_error
# With this rule, clients get the details of a 5xx error. Check that they contain no secrets, then remove each #.
# [[map]]
# status = 500
# code = \"DB_DOWN\"
# to = \"db_down\"
# say = \"An unexpected error occurred.\"
#
# [[code]]
# code = \"db_down\"
# status = 500
# message = \"An unexpected error occurred.\"

# 1 x a code that is not in the catalogue, status 500; clients get internal_error
# With this rule, clients get the details of a 5xx error. Check that they contain no secrets, then remove each #.
# [[map]]
# status = 500
# code = \"ROOM-IsFull2\"
# to = \"room_is_full2\"
# say = \"An unexpected error occurred.\"
"
    );
    let (checked, _, code) = folder.sh("error-envelope check policy.toml");
    assert_eq!((checked.as_str(), code), ("1 file: no errors, no warnings, no notes\n", 0));
    let (again, ..) = folder.sh("error-envelope learn --policy policy.toml a.har");
    assert_eq!(again, "# 13 inner errors, each with a code.\n");
    // A 5xx has its rule once its # are gone.
    let text = folder.read("policy.toml");
    let (above, below) = text.split_once("Check that they contain no secrets, then remove each #.\n").unwrap();
    let rules = below.lines().filter(|line| !line.starts_with("# 1 x") && !line.starts_with("# With this rule"));
    let rules: String = rules.map(|line| format!("{}\n", line.trim_start_matches(['#', ' ']))).collect();
    folder.put("policy.toml", format!("{above}\n{rules}"));
    let (again, err, _) = folder.sh("error-envelope learn --policy policy.toml a.har");
    assert_eq!((again.as_str(), err.as_str()), ("# 13 inner errors, each with a code.\n", ""));
}

#[test]
fn learn_drafts_nothing_twice_from_one_log() {
    let folder = Folder::with_files();
    let line = |status: u16, rest: &str| {
        format!(
            "{{\"fields\":{{\"code\":\"x\",\"status\":{status},\"origin\":\"inner\",\"dialect\":\"message\",\"mode\":\"observe\",\"decided_by\":\"status\",{rest}}},\"target\":\"tower_error_envelope\"}}\n"
        )
    };
    let lines = [
        line(409, r#""route":"GET /a","unknown_code":"TAKEN""#),
        line(400, r#""route":"GET /a""#),
        line(500, r#""route":"GET /a","unknown_code":"DB_DOWN""#),
        line(409, r#""route":"GET /b","unknown_code":"GONE","scope":"b.example""#),
    ];
    folder.put("log", lines.concat());
    folder.put("policy.toml", "version = 1\ninclude = [\"b.toml\"]\n[[route]]\nmatch = \"GET /a\"\n");
    folder.put(
        "b.toml",
        "version = 1\n[scope]\nhosts = [\"b.example\"]\n[[map]]\nstatus = 409\ncode = \"GONE\"\nto = \"conflict\"\n",
    );
    let (drafts, err, code) = folder.sh("error-envelope learn --policy policy.toml log | tee -a policy.toml");
    assert_eq!((err.as_str(), code), ("", 0));
    assert_eq!(drafts.matches("[[map]]").count(), 3, "{drafts}");
    // The owner renames a code.
    folder.put("policy.toml", folder.read("policy.toml").replace("\"taken\"", "\"room_taken\""));
    let (again, err, _) = folder.sh("error-envelope learn --policy policy.toml log");
    assert_eq!((again.as_str(), err.as_str()), ("# 4 inner errors, each with a code.\n", ""));
    // A rule of one scope is none for the requests outside.
    folder.put("log", line(409, r#""route":"GET /b","unknown_code":"GONE""#));
    let (other, ..) = folder.sh("error-envelope learn --policy policy.toml log");
    assert!(other.contains("code = \"GONE\""), "{other}");
}

#[test]
fn a_rule_that_would_go_before_what_tells_errors_apart_is_not_drafted() {
    let folder = Folder::with_files();
    let line = |by: &str, status: u16| {
        format!(
            r#"{{"fields":{{"code":"x","status":{status},"origin":"inner","dialect":"message","route":"/a","mode":"observe","decided_by":"{by}"}},"target":"tower_error_envelope"}}"#
        )
    };
    folder.put("log", [line("status", 422), "noise".to_owned(), line("issues", 422), line("status", 405)].join("\n"));
    let (out, _, code) = folder.sh("error-envelope learn log");
    assert_eq!(code, 0);
    let told = "# 3 inner errors, 1 without a code, 1 determined by its status alone: 0 drafts.\n\n# Not drafted:\n";
    assert!(out.starts_with(told), "{out}");
    assert!(!out.contains("[[map]]"), "{out}");
}

#[test]
fn what_cannot_be_read_exits_2_and_writes_nothing() {
    let folder = Folder::with_files();
    let har = folder.read("tour.har");
    folder.put("cut.har", &har[..har.len() / 2]);
    folder.put("empty", "");
    folder.put("noise.log", "hello\n\u{1b}[31mtower_error_envelope: x\n");
    folder.put("binary", [0xff, 0xfe, 0x00, 0x0a]);
    folder.put("policy.toml", "version = 1\n");
    folder.put("broken.toml", "version = 1\nmode = 1\n");
    for (line, code, told) in [
        ("explain none.http", 2, "none.http: cannot be read: "),
        ("explain empty", 2, "empty:1: the file is empty"),
        ("explain binary", 2, "binary:1: not an HTTP message"),
        ("explain tour.har", 2, "tour.har:1: not an HTTP message"),
        ("explain express.http --request empty", 2, "empty:1: the file is empty"),
        ("explain express.http --policy broken.toml", 1, "broken.toml:2: mode: "),
        ("explain express.http --policy none.toml", 2, "none.toml: cannot be read"),
        ("replay cut.har --old policy.toml --new policy.toml", 2, "cut.har:"),
        ("replay tour.har cut.har --old policy.toml --new policy.toml", 2, "cut.har:"),
        ("replay observe.log --old policy.toml --new policy.toml", 2, "observe.log:1: not an HTTP message"),
        ("replay tour.har --old broken.toml --new policy.toml", 1, "broken.toml:2: mode: "),
        ("learn cut.har", 2, "cut.har:"),
        ("learn empty", 2, "empty: neither a HAR file nor a log"),
        ("learn noise.log", 2, "noise.log: neither a HAR file nor a log"),
        ("learn binary", 2, "binary: neither a HAR file nor a log"),
        ("learn .", 2, ".: cannot be read: "),
        ("init --openapi none.yaml", 2, "none.yaml: cannot be read: "),
        ("init --openapi cut.har", 2, "cut.har:"),
        ("init --openapi binary", 2, "binary: the file is not UTF-8"),
        ("init --openapi observe.log", 2, "observe.log:2:"),
        ("init --output none/policy.toml", 2, "none/policy.toml: cannot be written: "),
    ] {
        let (out, err, ended) = folder.sh(&format!("error-envelope {line}"));
        assert_eq!((out.as_str(), ended), ("", code), "{line}: {err}");
        assert!(err.starts_with(told), "{line}: {err}");
    }
}

#[test]
fn l3_nothing_that_may_be_secret_is_shown() {
    let folder = Folder::with_files();
    folder.put("a.http", "HTTP/1.1 404 Not Found\r\nset-cookie: s=hunter2\r\nx-token: hunter2\r\n\r\n");
    folder.put(
        "a.request.http",
        "GET /a?key=hunter2 HTTP/1.1\r\nhost: a.example\r\nauthorization: Bearer hunter2\r\ncookie: hunter2\r\n\r\n",
    );
    folder.put("old.toml", "version = 1\n");
    folder.put("new.toml", "version = 1\n[defaults]\ndialect = \"success_flag\"\n");
    for line in [
        "explain a.http",
        "replay a.http --old old.toml --new new.toml",
        "replay a.http --old old.toml --new new.toml --format json",
    ] {
        let (out, err, _) = folder.sh(&format!("error-envelope {line}"));
        assert!(!out.contains("hunter2") && !err.contains("hunter2"), "{line}: {out}{err}");
        assert!(out.contains("/a"), "{line}: {out}");
    }
}

#[test]
fn a_response_cannot_command_the_terminal() {
    let folder = Folder::with_files();
    folder.put("a.http", "HTTP/1.1 404 No\r\ncontent-type: text/plain\r\n\r\n\u{1b}]0;owned\u{7}\u{1b}[2J");
    let (out, _, code) = folder.sh("error-envelope --color always explain a.http");
    assert_eq!(code, 0);
    assert!(!out.contains(['\u{1b}', '\u{7}']), "{out}");
}

#[test]
fn a_recording_may_come_from_a_pipe_and_a_policy_may_not() {
    let folder = Folder::with_files();
    folder.put("new.toml", "version = 1\n");
    let (out, err, code) =
        folder.sh("echo version = 1 | error-envelope replay tour.har --old /dev/stdin --new new.toml");
    assert_eq!((out.as_str(), code), ("", 2));
    assert!(err.contains("/dev/stdin") && err.contains("it is a pipe, not a regular file"), "{err}");
    let log = folder.read("observe.log");
    folder.put("long.log", log.repeat(40));
    assert!(log.len() * 40 > 3 * 64 * 1024, "longer than what is read at once");
    for file in ["long.log", "tour.har", "express.http"] {
        let verb = if file == "express.http" { "explain" } else { "learn" };
        let (from_file, _, _) = folder.sh(&format!("error-envelope {verb} {file}"));
        let (from_pipe, err, code) = folder.sh(&format!("cat {file} | error-envelope {verb} /dev/stdin"));
        let from_pipe = from_pipe.replace("/dev/stdin", file).replace(" GET / with ", " GET /express with ");
        assert_eq!((from_pipe, err.as_str(), code), (from_file, "", 0));
    }
}
