//! Tests that no mistake in a file hides another mistake in the same file.

use super::*;

const FIVE: &str = "\
version = 1
[defaults]
body_limt = \"64 KiB\"
mode = \"of\"
[[code]]
code = \"seat_taken\"
status = 99
[[map]]
code = \"X\"
to = \"seat_taken\"
[[route]]
match = 5
[[route]]
match = \"/é\"
body_limit = \"many\"
";

fn check_in(folder: &str, text: &str, args: &[&str]) -> (String, Option<i32>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("policy.toml"), text).unwrap();
    let output = command(&[&["check", "policy.toml"], args].concat()).current_dir(folder).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

/// Consequences of a mistake are not reported. For example, if the table of a code is wrong, the code would also be
/// unknown elsewhere.
#[test]
fn five_mistakes_are_told_in_one_run() {
    let (out, code) = check_in("five", FIVE, &[]);
    let titles: Vec<&str> = out.lines().filter(|line| line.starts_with("policy.toml:")).collect();
    let told = [
        "policy.toml:3: defaults.body_limt: error: unknown key \"body_limt\"",
        "policy.toml:4: defaults.mode: error: unknown mode \"of\"",
        "policy.toml:7: code[0].status: error: 99 is not an error status",
        "policy.toml:12: route[0].match: error: a whole number has the wrong type here",
        "policy.toml:15: route[1].body_limit: error: \"many\" is not a size",
    ];
    assert_eq!(titles, told, "{out}");
    assert!(out.ends_with("\n5 errors in 1 file; files with errors are not checked for warnings\n"), "{out}");
    assert_eq!(code, Some(1));
}

#[test]
fn what_is_no_toml_hides_nothing_else() {
    let text = "[defaults]\nmode = off\nbody_limit = \"64 KiB\n[[route]]\nmatch = \"/a\"\nmatch = \"/b\"\njsn = true\n";
    let (out, _) = check_in("syntax", text, &[]);
    let lines: Vec<&str> =
        out.lines().filter_map(|line| line.strip_prefix("policy.toml:")?.split_once(": ")).map(|(at, _)| at).collect();
    assert_eq!(lines, ["1", "2", "3", "6", "7"], "{out}");
}

/// A misspelt name is found despite other mistakes in its table, and each key is checked separately.
#[test]
fn mistakes_of_one_table_hide_none_of_another() {
    let text = "\
version = 1
[defaults]
auth = [\"appp\"]
require_headers = [\"tenant\", \"tennant\"]
[header.tenant]
name = \"x tenant\"
[auth.app]
scheme = \"bearer\"
timeout = 5
keys = [{ id = 1, sha256 = \"f\" }, { id = \"b\" }]
[[code]]
code = \"seat_taken\"
status = 99
grpc = 20
[[map]]
status = 4
to = \"seat_takn\"
[[map]]
to = \"seat_taken\"
route = \"x\"
[[outward]]
codes = [\"gon\", \"seat_taken\", \"lots\"]
";
    let (out, _) = check_in("tables", text, &[]);
    let keys = out.lines().filter_map(|line| line.strip_prefix("policy.toml:")?.split(": ").nth(1));
    let found: Vec<&str> = keys.collect();
    let expected = [
        "defaults.auth[0]",
        "defaults.require_headers[1]",
        "header.tenant.name",
        "auth.app.timeout",
        "auth.app.keys[0].id",
        "auth.app.keys[0].sha256",
        "auth.app.keys[1].sha256",
        "code[0].status",
        "code[0].grpc",
        "map[0].status",
        "map[0].to",
        "map[1].route",
        "outward[0].codes[0]",
        "outward[0].codes[2]",
    ];
    assert_eq!(found, expected, "{out}");
    assert!(out.contains("did you mean \"app\"?") && out.contains("did you mean \"seat_taken\"?"), "{out}");
}

/// Asserts the keys that the errors of a policy with this text name, in one run of `check`.
#[track_caller]
fn assert_keys(text: &str, expected: &[&str]) {
    let (out, _) = check_in("hidden", text, &[]);
    let lines = out.lines().filter_map(|line| line.strip_prefix("policy.toml:"));
    let errors = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
    let keys = errors.filter_map(|line| line.split(": ").nth(1));
    assert_eq!(keys.collect::<Vec<_>>(), expected, "{out}");
}

#[test]
fn a_mistake_hides_none_behind_it() {
    assert_keys("version = \"1\"\n[default]\nmode = \"own\"\n", &["version", "default"]);
    assert_keys("version = 2\n[default]\nmode = \"own\"\n", &["version"]);
    assert_keys(
        "version = 1\n[cors]\norigins = [\"*\", \"a.example\", \"https://a.example/\"]\ncredentials = true\n",
        &["cors.origins", "cors.origins[1]", "cors.origins[2]"],
    );
    assert_keys("version = 1\n[cors]\norigins = [\"a.example\", 1]\n", &["cors.origins[0]", "cors.origins[1]"]);
    assert_keys(
        "version = 1\n[shape.a]\nwhen = { \"/c\" = \"str\" }\nwrite = '{\"c\":{{cod}}}'\n",
        &["shape.a.when.\"/c\"", "shape.a.write"],
    );
    assert_keys(
        "version = 1\n[scope]\nprefix = \"orders\"\nhosts = [\"a/b\", \"c:1\"]\nupstream = \"orders:8080\"\nupstream_timeout = 5\n",
        &["scope.prefix", "scope.hosts[0]", "scope.hosts[1]", "scope.upstream", "scope.upstream_timeout"],
    );
    assert_keys(
        "version = 1\n[auth.a]\nscheme = \"JWT\"\nsecret_env = 5\nalgorithms = [\"HS265\", \"RS265\"]\naudiance = \"a\"\n",
        &["auth.a.scheme", "auth.a.secret_env", "auth.a.algorithms[0]", "auth.a.algorithms[1]", "auth.a.audiance"],
    );
    assert_keys(
        "version = 1\n[defaults]\nauth = [1, \"nope\"]\n[[outward]]\ncodes = [1, \"gone\", 2, \"unheard_of\"]\nname = \"X\"\n",
        &["defaults.auth[0]", "defaults.auth[1]", "outward[0].codes[0]", "outward[0].codes[2]", "outward[0].codes[3]"],
    );
    let details = "type = \"objekt\", required = \"x\", pattern = \"x\"";
    assert_keys(
        &format!("version = 1\n[[code]]\ncode = \"a\"\nstatus = 409\ndetails = {{ {details} }}\n"),
        &["code[0].details.type", "code[0].details.required", "code[0].details.pattern"],
    );
    let codes = "[[code]]\ncode = \"a\"\nstatus = \"409\"\n[[code]]\ncode = \"a\"\nstatus = 409\n";
    let wrong_names = "[[code]]\ncode = \"A\"\nstatus = 409\n[[code]]\ncode = \"B\"\nstatus = 409\n";
    assert_keys(
        &format!("version = 1\n{codes}{wrong_names}"),
        &["code[0].status", "code[1].code", "code[2].code", "code[3].code"],
    );
}

/// The caret points to a wrong value, and to the name of an unknown keyword.
#[test]
fn a_schema_s_mistake_is_pointed_at() {
    let details = "details = { type = \"objekt\", pattern = \"x\" }";
    let (out, _) = check_in("caret", &format!("version = 1\n[[code]]\ncode = \"a\"\nstatus = 409\n{details}\n"), &[]);
    for (word, caret) in [("\"objekt\"", "^^^^^^^^"), ("pattern", "^^^^^^^")] {
        let under = format!("{}{caret}\n", " ".repeat(details.find(word).unwrap()));
        assert!(out.contains(&format!("5 | {details}\n  | {under}")), "{out}");
    }
}

#[test]
fn programs_read_the_same_findings() {
    let (out, code) = check_in("json", FIVE, &["--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((report["errors"].as_u64(), report["files"].as_u64(), code), (Some(5), Some(1), Some(1)));
    let mode = serde_json::json!({
        "level": "error", "file": "policy.toml", "line": 4, "column": 8, "end_column": 12, "key": "defaults.mode",
        "message": "unknown mode \"of\"", "lint": null,
        "help": "did you mean \"off\"? The choices are \"off\", \"observe\", \"own\", \"fill\" and \"enforce\"",
    });
    assert_eq!(report["findings"][1], mode);
    let (out, _) = check_in("github", FIVE, &["--format", "github"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 5, "{out}");
    assert_eq!(
        lines[1],
        "::error file=policy.toml,line=4,col=8,endColumn=12,title=defaults.mode::unknown mode \"of\"; did you mean \
         \"off\"? The choices are \"off\", \"observe\", \"own\", \"fill\" and \"enforce\""
    );
    let fine = check_in("fine", "version = 1\n", &["--format", "json"]);
    let empty = "{\n  \"errors\": 0,\n  \"files\": 1,\n  \"findings\": [],\n  \"notes\": 0,\n  \"part_of\": [],\n  \"unreadable\": 0,\n  \"warnings\": 0\n}\n";
    assert_eq!(fine, (empty.to_owned(), Some(0)));
    let watched = format!("{POLICIES}/watched.toml");
    let out = run(&["check", "--format", "github", &watched]).out;
    assert!(out.starts_with("::warning file=crates/cli/tests/policies/watched.toml,line=17,"), "{out}");
}

#[test]
fn eight_mistakes_of_which_two_stand_behind_others_are_told_at_once() {
    let file = format!("{POLICIES}/eight.toml");
    let checked = command(&["check", &file]).env("ERROR_ENVELOPE_SHORT_SECRET", "abc").output().unwrap();
    let out = String::from_utf8(checked.stdout).unwrap();
    let expected = [
        (4, "defaults.mode: error: unknown mode", "mode = \"enforced\"", "       ^^^^^^^^^^"),
        (5, "defaults.body_limit: error: \"64 KB\" is not a size", "body_limit = \"64 KB\"", "             ^^^^^^^"),
        (9, "header.tenant.name: error: ", "name = \"x tenant\"", "       ^^^^^^^^^^"),
        (10, "header.tenant.pattern: error: ", "pattern = \"[\"", "          ^^^"),
        (
            14,
            "auth.session.secret_env: error: the secret has 3 bytes",
            "secret_env = \"ERROR_ENVELOPE_SHORT_SECRET\"",
            "             ^^^^",
        ),
        (18, "route[0].match: error: ", "match = \"/seats/{id\"", "        ^^^^^^^^^^^"),
        (19, "route[0].bdy_limit: error: unknown key", "bdy_limit = 3", "^^^^^^^^^"),
        (24, "route[1].json: error: a whole number has the wrong type", "json = 1", "       ^"),
    ];
    for (line, wrong, shown, caret) in expected {
        let told = out.split("\n\n").find(|it| it.starts_with(&format!("{file}:{line}: {wrong}")));
        let told = told.unwrap_or_else(|| panic!("{line}: {wrong}\n{out}"));
        assert!(
            told.contains(&format!("{shown}\n")) && told.contains(&format!("| {caret}")) && told.contains("= help: "),
            "{told}"
        );
    }
    assert!(out.ends_with("8 errors in 1 file; files with errors are not checked for warnings\n"), "{out}");
    let gateway =
        command(&["gateway", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--policy", &file])
            .env("ERROR_ENVELOPE_SHORT_SECRET", "abc")
            .output()
            .unwrap();
    let err = String::from_utf8(gateway.stderr).unwrap();
    assert_eq!(gateway.status.code(), Some(1));
    assert_eq!(err.matches(&format!("{file}:")).count(), 8, "{err}");
}

/// A scheme with a refused key set is still checked as a scheme with public keys, so no further mistake is reported.
#[test]
fn a_refused_key_set_is_one_mistake() {
    for keys in ["jwks_url = \"http://id.example/keys\"", "jwks_url = 5", "jwks_file = \"missing.json\""] {
        let text = format!("version = 1\n[auth.a]\nscheme = \"jwt\"\n{keys}\nalgorithms = [\"RS256\"]\n");
        let (out, code) = check_in("key-set", &text, &[]);
        let titles = out.lines().filter(|line| line.starts_with("policy.toml:")).count();
        assert!(out.starts_with("policy.toml:4: auth.a.jwks_"), "{out}");
        assert_eq!((titles, code), (1, Some(1)), "{out}");
    }
}

#[test]
fn what_is_beside_a_mistake_of_syntax_is_told_with_it() {
    let text = "version = 1\n[defaults]\nmode = enforce\nauth = [\"unknown\"]\n[[route]]\nmatch = \"/a/{b\"\n\
                [[route]]\nmatch = \"/c\"\n[[route]]\nmatch = \"/c\"\n";
    let (out, code) = check_in("beside-syntax", text, &[]);
    let titles: Vec<_> = out.lines().filter(|line| line.starts_with("policy.toml:")).collect();
    let begins = [
        "policy.toml:3: error: this is not TOML",
        "policy.toml:6: route[0].match: ",
        "policy.toml:10: route[2].match: ",
    ];
    assert_eq!((titles.len(), code), (3, Some(1)), "{out}");
    assert!(titles.iter().zip(begins).all(|(title, begin)| title.starts_with(begin)), "{out}");
}
