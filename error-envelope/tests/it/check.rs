//! `check`: each finding word by word, and the exit codes.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::kit::{command, run};

const POLICIES: &str = "error-envelope/tests/policies";

#[track_caller]
fn assert_check(args: &[&str], code: i32, out: &str) {
    let run = run(args);
    assert_eq!((run.err.as_str(), run.out.as_str(), run.code), ("", out, Some(code)), "{args:?}\n{}", run.out);
}

#[test]
fn the_given_policies_are_in_order() {
    let files = ["tests/policies/messaging.toml", "tests/policies/voice-ai.toml"];
    assert_check(&["check", "--deny-warnings", files[0], files[1]], 0, "2 files: no errors, no warnings, no notes\n");
    let all = run(&["check", "--deny-warnings", files[0], files[1], "tests/policies/voice-gateway.toml"]);
    assert_eq!((all.code, all.err.as_str()), (Some(0), ""));
    assert!(all.out.ends_with("\n\n3 files: no errors, no warnings, 4 notes\n"), "{}", all.out);
    assert!(all.out.starts_with(
        "\
tests/policies/voice-gateway.toml:71: route[7].auth: note: the route requires no credentials, but a wider setting is auth = [\"app\"] (line 7) [open-under-closed]
   |
71 | auth = []
   |        ^^
   |
   = help: fine for a health check or a login; otherwise remove auth here

"
    ));
}

#[test]
fn m2_a_misspelt_key_is_told_with_its_line_and_the_near_one() {
    assert_check(
        &["check", &format!("{POLICIES}/misspelt.toml")],
        1,
        "\
error-envelope/tests/policies/misspelt.toml:4: defaults.body_limt: unknown key \"body_limt\"
  |
4 | body_limt = \"64 KiB\"
  | ^^^^^^^^^
  |
  = help: did you mean \"body_limit\"? Known are \"mode\", \"dialect\", \"negotiate\",
          \"unknown_codes\", \"body_limit\", \"body_limit_per\", \"json\",
          \"content_types\", \"auth\", \"auth_observe\", \"require_headers\",
          \"no_transform\", \"protocols\", \"keep_members\", \"preflight\", \"paths\",
          \"case\", \"event_streams\", \"html\" and \"expose_headers\"

1 file: 1 error, no warnings, no notes
",
    );
}

#[test]
fn warnings_exit_0_unless_they_are_denied() {
    let file = format!("{POLICIES}/watched.toml");
    let out = "\
error-envelope/tests/policies/watched.toml:13: route[0].body_limit: warning: bodies of any length are accepted where JSON is decoded [json-without-limit]
   |
13 | body_limit = \"none\"
   |              ^^^^^^
   |
   = help: JSON is held in memory whole: set a body_limit of at most \"16 MiB\"

error-envelope/tests/policies/watched.toml:17: route[1].mode: warning: mode = \"observe\" does not switch off auth: requests without credentials are still refused (auth: line 4) [mode-opens-no-door]
   |
17 | mode = \"observe\"
   |        ^^^^^^^^^
   |
   = help: set auth_observe = true to accept all requests and log the failures,
           or auth = [] to require no credentials

1 file: no errors, 2 warnings, no notes
";
    assert_check(&["check", &file], 0, out);
    assert_check(&["check", &file, "--deny-warnings"], 1, out);
}

#[test]
fn an_error_in_an_included_file_is_shown_there() {
    assert_check(
        &["check", &format!("{POLICIES}/outside.toml"), &format!("{POLICIES}/organisation.toml")],
        1,
        "\
error-envelope/tests/policies/broken/orders.toml:7: route[0].match: the path is outside the scope's prefix
  |
7 | match = \"/payments/{id}\"
  |         ^^^^^^^^^^^^^^^^
  |
  = help: write the full path, including the prefix

2 files: 1 error, no warnings, no notes
",
    );
}

#[test]
fn a_file_that_cannot_be_read_exits_2_after_the_others() {
    let run = run(&["check", "no-such.toml", &format!("{POLICIES}/organisation.toml")]);
    assert_eq!(
        (run.code, run.out.as_str()),
        (Some(2), "2 files: no errors, no warnings, no notes, 1 unreadable\n"),
        "{}",
        run.err
    );
    assert!(run.err.starts_with("no-such.toml: cannot be read: "), "{}", run.err);
}

#[test]
fn a_secret_that_is_not_there_is_noted_and_a_verifier_taken_to_be() {
    let file = format!("{POLICIES}/tokens.toml");
    assert_check(
        &["check", "--deny-warnings", &file],
        0,
        "\
error-envelope/tests/policies/tokens.toml:8: secret_env: note: there is no environment variable \"ERROR_ENVELOPE_TEST_SECRET\", so the secret was not checked
  |
8 | secret_env = \"ERROR_ENVELOPE_TEST_SECRET\"
  |               ^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: set it where the layer runs: without it, the layer rejects the policy

1 file: no errors, no warnings, 1 note
",
    );
    let set = |secret: &str| command(&["check", &file]).env("ERROR_ENVELOPE_TEST_SECRET", secret).output().unwrap();
    assert_eq!(set(&"s".repeat(32)).stdout, b"1 file: no errors, no warnings, no notes\n");
    let short = set("short");
    assert_eq!(short.status.code(), Some(1));
    assert!(!String::from_utf8_lossy(&short.stdout).contains("\"short\""), "a secret is not shown");
}

#[test]
fn a_teams_own_file_is_a_policy_by_itself() {
    assert_check(
        &["check", &format!("{POLICIES}/services/orders.toml")],
        0,
        "1 file: no errors, no warnings, no notes\n",
    );
}

#[test]
fn g0_what_holds_for_a_request_is_told_with_its_lines() {
    assert_check(
        &[
            "check",
            "--effective",
            "GET",
            "https://orders.example.com/orders/7",
            &format!("{POLICIES}/organisation.toml"),
        ],
        0,
        "\
GET orders.example.com/orders/7
  in scope orders.example.com/orders (error-envelope/tests/policies/services/orders.toml:3)
  matches GET /orders/{id} (error-envelope/tests/policies/services/orders.toml:11)
  1 map rule of the policy itself

mode             \"own\"                   error-envelope/tests/policies/services/orders.toml:8
dialect          \"standard\"              default
negotiate        false                   error-envelope/tests/policies/services/orders.toml:13
unknown_codes    \"keep\"                  default
body_limit       \"256 KiB\"               error-envelope/tests/policies/organisation.toml:5
body_limit_per   \"auto\"                  default
json             false                   error-envelope/tests/policies/services/orders.toml:12
auth             []                      default
auth_observe     false                   default
require_headers  []                      default
no_transform     \"rewrite\"               default
protocols        \"pass\"                  default
keep_members     []                      default
preflight        \"pass\"                  default
paths            \"guard\"                 default
case             \"fold\"                  default
event_streams    \"break\"                 default
html             false                   default
expose_headers   true                    default
",
    );
    let wrong = run(&["check", "--effective", "GET", "orders", &format!("{POLICIES}/organisation.toml")]);
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(2), ""));
    assert_eq!(wrong.err, "\"orders\" is not a valid URL; write a path, or one such as https://api.example.com/a\n");
}

#[test]
fn colours_are_for_terminals_and_for_who_asks() {
    let file = format!("{POLICIES}/misspelt.toml");
    assert!(!run(&["check", &file]).out.contains('\u{1b}'));
    assert!(run(&["check", "--color", "always", &file]).out.contains("\u{1b}["));
    assert!(run(&["--color", "always", "check", &file]).out.contains("\u{1b}["));
}

#[derive(Deserialize)]
struct Refused {
    case: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    file: String,
    error: String,
}

/// Whatever is wrong, the first line says it, and nothing that is shown is cut in the middle of it.
#[test]
fn m2_every_wrong_file_is_shown() {
    let refused: Refused = toml::from_str(include_str!("../../../tests/policy_errors.toml")).unwrap();
    assert!(refused.case.len() > 60);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for Case { file, error } in &refused.case {
        fs::write(folder.join("policy.toml"), file).unwrap();
        let output = command(&["check", "policy.toml"]).current_dir(folder).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let first = out.lines().next().unwrap_or_default();
        assert!(error.starts_with(&format!("{first}; ")), "{error}\n{out}");
        assert!(out.contains("= help: ") && out.ends_with("\n1 file: 1 error, no warnings, no notes\n"), "{out}");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), &b""[..]), "{error}");
        let wide = out.lines().skip(1).find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{out}");
    }
}

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

/// A code whose table went is known no more, and a route without its pattern lacks one: neither is told.
#[test]
fn five_mistakes_are_told_in_one_run() {
    let (out, code) = check_in("five", FIVE, &[]);
    let titles: Vec<&str> = out.lines().filter(|line| line.starts_with("policy.toml:")).collect();
    let told = [
        "policy.toml:3: defaults.body_limt: unknown key \"body_limt\"",
        "policy.toml:4: defaults.mode: unknown mode \"of\"",
        "policy.toml:7: code[0].status: 99 is not an error's status",
        "policy.toml:12: route[0].match: a whole number has the wrong type here",
        "policy.toml:15: route[1].body_limit: \"many\" is not a size",
    ];
    assert_eq!(titles, told, "{out}");
    assert!(out.ends_with("\n1 file: 5 errors, no warnings, no notes\n"), "{out}");
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

/// A name that was nearly written is found, whatever else is wrong with its table, and each key is judged by itself.
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
        "defaults.auth",
        "defaults.require_headers",
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

#[test]
fn programs_read_the_same_findings() {
    let (out, code) = check_in("json", FIVE, &["--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((report["errors"].as_u64(), report["files"].as_u64(), code), (Some(5), Some(1), Some(1)));
    let mode = serde_json::json!({
        "level": "error", "file": "policy.toml", "line": 4, "column": 8, "end_column": 12, "key": "defaults.mode",
        "message": "unknown mode \"of\"", "lint": null,
        "help": "did you mean \"off\"? Known are \"off\", \"observe\", \"own\", \"fill\" and \"enforce\"",
    });
    assert_eq!(report["findings"][1], mode);
    let (out, _) = check_in("github", FIVE, &["--format", "github"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 5, "{out}");
    assert_eq!(
        lines[1],
        "::error file=policy.toml,line=4,col=8,endColumn=12,title=defaults.mode::unknown mode \"of\"; did you mean \
         \"off\"? Known are \"off\", \"observe\", \"own\", \"fill\" and \"enforce\""
    );
    let fine = check_in("fine", "version = 1\n", &["--format", "json"]);
    let empty = "{\n  \"errors\": 0,\n  \"files\": 1,\n  \"findings\": [],\n  \"notes\": 0,\n  \"unreadable\": 0,\n  \"warnings\": 0\n}\n";
    assert_eq!(fine, (empty.to_owned(), Some(0)));
    let watched = format!("{POLICIES}/watched.toml");
    let out = run(&["check", "--format", "github", &watched]).out;
    assert!(out.starts_with("::warning file=error-envelope/tests/policies/watched.toml,line=13,"), "{out}");
}

#[test]
fn what_a_sidecar_overrides_of_its_base_is_told_and_warned_of_where_it_weakens_a_guard() {
    let run = run(&["check", "--deny-warnings", &format!("{POLICIES}/sidecar.toml")]);
    let titles: Vec<_> =
        run.out.lines().filter_map(|line| line.strip_prefix("error-envelope/tests/policies/")).collect();
    let base = "of the base (error-envelope/tests/policies/base/organisation.toml";
    let expected = [
        format!(
            "sidecar.toml:5: defaults.body_limit: warning: this asks less of requests than body_limit = \"1 MiB\" {base}:4) [weakens-base]"
        ),
        format!(
            "sidecar.toml:6: defaults.mode: warning: this asks less of requests than mode = \"enforce\" {base}:5) [weakens-base]"
        ),
        format!(
            "sidecar.toml:7: defaults.auth: warning: this asks less of requests than auth = [\"app\"] {base}:6) [weakens-base]"
        ),
        format!(
            "sidecar.toml:8: defaults.dialect: note: this overrides dialect = \"standard\" {base}:7) [overrides-base]"
        ),
        format!("sidecar.toml:11: inspect.timeout: note: this overrides timeout = \"1s\" {base}:10) [overrides-base]"),
        format!(
            "sidecar.toml:15: route[0].require_headers: warning: this asks less of requests than require_headers = [\"tenant\"] {base}:22) [weakens-base]"
        ),
    ];
    for line in &expected {
        assert!(titles.contains(&line.as_str()), "{line}\n{}", run.out);
    }
    assert_eq!((run.code, &*run.err), (Some(1), ""));
}

#[test]
fn eight_mistakes_of_which_two_stand_behind_others_are_told_at_once() {
    let file = format!("{POLICIES}/eight.toml");
    let checked = command(&["check", &file]).env("ERROR_ENVELOPE_SHORT_SECRET", "abc").output().unwrap();
    let out = String::from_utf8(checked.stdout).unwrap();
    let expected = [
        (4, "defaults.mode: unknown mode", "mode = \"enforced\"", "       ^^^^^^^^^^"),
        (5, "defaults.body_limit: \"64 KB\" is not a size", "body_limit = \"64 KB\"", "             ^^^^^^^"),
        (9, "header.tenant.name: ", "name = \"x tenant\"", "       ^^^^^^^^^^"),
        (10, "header.tenant.pattern: ", "pattern = \"[\"", "          ^^^"),
        (
            14,
            "auth.session.secret_env: the secret has 3 bytes",
            "secret_env = \"ERROR_ENVELOPE_SHORT_SECRET\"",
            "             ^^^^",
        ),
        (18, "route[0].match: ", "match = \"/seats/{id\"", "        ^^^^^^^^^^^"),
        (19, "route[0].bdy_limit: unknown key", "bdy_limit = 3", "^^^^^^^^^"),
        (24, "route[1].json: a whole number has the wrong type", "json = 1", "       ^"),
    ];
    for (line, wrong, shown, caret) in expected {
        let told = out.split("\n\n").find(|it| it.starts_with(&format!("{file}:{line}: {wrong}")));
        let told = told.unwrap_or_else(|| panic!("{line}: {wrong}\n{out}"));
        assert!(
            told.contains(&format!("{shown}\n")) && told.contains(&format!("| {caret}")) && told.contains("= help: "),
            "{told}"
        );
    }
    assert!(out.ends_with("1 file: 8 errors, no warnings, no notes\n"), "{out}");
    let gateway =
        command(&["gateway", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--policy", &file])
            .env("ERROR_ENVELOPE_SHORT_SECRET", "abc")
            .output()
            .unwrap();
    let err = String::from_utf8(gateway.stderr).unwrap();
    assert_eq!(gateway.status.code(), Some(1));
    assert_eq!(err.matches(&format!("{file}:")).count(), 8, "{err}");
}

#[test]
fn what_is_beside_a_mistake_of_syntax_is_told_with_it() {
    let text = "version = 1\n[defaults]\nmode = enforce\nauth = [\"unknown\"]\n[[route]]\nmatch = \"/a/{b\"\n\
                [[route]]\nmatch = \"/c\"\n[[route]]\nmatch = \"/c\"\n";
    let (out, code) = check_in("beside-syntax", text, &[]);
    let titles: Vec<_> = out.lines().filter(|line| line.starts_with("policy.toml:")).collect();
    let begins =
        ["policy.toml:3: this is not TOML", "policy.toml:6: route[0].match: ", "policy.toml:10: route[2].match: "];
    assert_eq!((titles.len(), code), (3, Some(1)), "{out}");
    assert!(titles.iter().zip(begins).all(|(title, begin)| title.starts_with(begin)), "{out}");
}
