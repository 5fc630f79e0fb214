//! Tests `check`: each finding word by word, and the exit codes.

mod mistakes;
mod parts;

use std::fs;
use std::path::Path;

use error_envelope_core::loader::PlacedValue;
use serde::Deserialize;
use tower_error_envelope::policy::PolicyLoader;

use crate::kit::{advice_to_known_keys, command, run};

const POLICIES: &str = "crates/cli/tests/policies";

#[track_caller]
fn assert_check(args: &[&str], code: i32, out: &str) {
    let run = run(args);
    assert_eq!((run.err.as_str(), run.out.as_str(), run.code), ("", out, Some(code)), "{args:?}\n{}", run.out);
}

/// Returns the table of `--effective`: the settings of files below [`POLICIES`], and the defaults.
fn settings(set: &[(&str, &str, &str)]) -> String {
    let file = PolicyLoader::new().parse("policy.toml", "version = 1").unwrap();
    let effective = file.effective("GET", "/").unwrap();
    let line = |(key, default): &(&str, PlacedValue)| {
        let default = (&*default.value, "default".to_owned());
        let set = set.iter().find(|(name, ..)| name == key);
        let (value, from) = set.map_or(default, |(_, value, file)| (value, format!("{POLICIES}/{file}")));
        format!("{key:<17}{value:<24}{from}\n")
    };
    effective.reading.settings.iter().map(line).collect()
}

#[test]
fn the_given_policies_are_in_order() {
    let messaging = "examples/policies/messaging.toml";
    assert_check(&["check", "--deny-warnings", messaging], 0, "1 file: no errors, no warnings, no notes\n");
    let all = run(&["check", "--deny-warnings", messaging, "examples/policies/voice-gateway.toml"]);
    assert_eq!((all.code, all.err.as_str()), (Some(0), ""));
    assert!(all.out.ends_with("\n\n2 files: no errors, no warnings, 1 note\n"), "{}", all.out);
    assert!(all.out.starts_with(
        "\
examples/policies/voice-gateway.toml:68: route[4].auth: note: the route requires no credentials, but a wider setting is auth = [\"app\"] (line 10) [open-under-closed]
   |
68 | auth = []
   |        ^^
   |
   = help: this is fine for a health check or a login; otherwise remove auth
           here

"
    ));
}

#[test]
fn m2_a_misspelt_key_is_told_with_its_line_and_the_near_one() {
    assert_check(
        &["check", &format!("{POLICIES}/misspelt.toml")],
        1,
        &format!(
            "\
crates/cli/tests/policies/misspelt.toml:4: defaults.body_limt: error: unknown key \"body_limt\"
  |
4 | body_limt = \"64 KiB\"
  | ^^^^^^^^^
  |
{}

1 error in 1 file; files with errors are not checked for warnings
",
            advice_to_known_keys("did you mean \"body_limit\"? The choices are")
        ),
    );
}

#[test]
fn warnings_exit_0_unless_they_are_denied() {
    let file = format!("{POLICIES}/watched.toml");
    let out = "\
crates/cli/tests/policies/watched.toml:17: route[1].mode: warning: mode = \"observe\" does not switch off auth: requests without credentials are still refused (auth: line 4) [mode-opens-no-door]
   |
17 | mode = \"observe\"
   |        ^^^^^^^^^
   |
   = help: set auth_observe = true to accept all requests and log the failures,
           or auth = [] to require no credentials

1 file: no errors, 1 warning, no notes
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
crates/cli/tests/policies/broken/orders.toml:7: route[0].match: error: the path is outside the scope's prefix
  |
7 | match = \"/payments/{id}\"
  |         ^^^^^^^^^^^^^^^^
  |
  = help: write the full path, including the prefix

1 error in 1 file; files with errors are not checked for warnings
",
    );
}

#[test]
fn a_file_that_cannot_be_read_exits_2_after_the_others() {
    let run = run(&["check", "no-such.toml", &format!("{POLICIES}/organisation.toml")]);
    assert_eq!(
        (run.code, run.out.as_str()),
        (Some(2), "3 files: no errors, no warnings, no notes, 1 unreadable\n"),
        "{}",
        run.err
    );
    assert!(run.err.starts_with("no-such.toml: error: cannot be read: "), "{}", run.err);
}

#[test]
fn a_secret_that_is_not_there_is_noted_and_a_verifier_taken_to_be() {
    let file = format!("{POLICIES}/tokens.toml");
    assert_check(
        &["check", "--deny-warnings", &file],
        0,
        "\
crates/cli/tests/policies/tokens.toml:8: secret_env: note: the environment variable \"ERROR_ENVELOPE_TEST_SECRET\" is not set, so the secret was not checked
  |
8 | secret_env = \"ERROR_ENVELOPE_TEST_SECRET\"
  |               ^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: set it where the layer runs; without it, the layer rejects the policy

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
fn a_teams_own_file_is_a_part_of_the_policy_around_it() {
    let (part, policy) = (format!("{POLICIES}/services/orders.toml"), format!("{POLICIES}/organisation.toml"));
    let out = format!("{part}: checked as a part of {policy}\n2 files: no errors, no warnings, no notes\n");
    assert_check(&["check", &part], 0, &out);
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
        &format!(
            "\
GET orders.example.com/orders/7
  in scope orders.example.com/orders (crates/cli/tests/policies/services/orders.toml:3)
  matches GET /orders/{{id}} (crates/cli/tests/policies/services/orders.toml:11)
  1 map rule of the policy itself

{}",
            settings(&[
                ("mode", "\"own\"", "services/orders.toml:8"),
                ("negotiate", "false", "services/orders.toml:13"),
                ("body_limit", "\"256 KiB\"", "organisation.toml:5"),
                ("json", "false", "services/orders.toml:12"),
            ])
        ),
    );
    let wrong = run(&["check", "--effective", "GET", "orders", &format!("{POLICIES}/organisation.toml")]);
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(2), ""));
    assert_eq!(
        wrong.err,
        "error: \"orders\" is not a valid URL; write a path, or one such as https://api.example.com/a\n"
    );
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
    at: String,
    file: String,
}

/// For each wrong file, the first line names the mistake, and no shown text is cut in the middle.
#[test]
fn m2_every_wrong_file_is_shown() {
    let refused: Refused = toml::from_str(include_str!("../../../../../tests/policy_errors.toml")).unwrap();
    assert!(refused.case.len() > 60);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for Case { at, file } in &refused.case {
        fs::write(folder.join("policy.toml"), file).unwrap();
        let output = command(&["check", "policy.toml"]).current_dir(folder).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let first = out.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("{at}: ")), "{at}\n{out}");
        assert!(
            out.contains("= help: ")
                && out.ends_with("\n1 error in 1 file; files with errors are not checked for warnings\n"),
            "{out}"
        );
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), &b""[..]), "{at}");
        let wide = out.lines().skip(1).find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{out}");
    }
}

#[test]
fn what_a_sidecar_weakens_of_its_base_is_warned_of() {
    let run = run(&["check", "--deny-warnings", &format!("{POLICIES}/sidecar.toml")]);
    let titles: Vec<_> = run.out.lines().filter_map(|line| line.strip_prefix("crates/cli/tests/policies/")).collect();
    let base = "of the base (crates/cli/tests/policies/base/organisation.toml";
    let expected = [
        format!(
            "sidecar.toml:5: defaults.body_limit: warning: this requires less of requests than body_limit = \"1 MiB\" {base}:4) [weakens-base]"
        ),
        format!(
            "sidecar.toml:6: defaults.mode: warning: this requires less of requests than mode = \"enforce\" {base}:5) [weakens-base]"
        ),
        format!(
            "sidecar.toml:7: defaults.auth: warning: this requires less of requests than auth = [\"app\"] {base}:6) [weakens-base]"
        ),
        format!(
            "sidecar.toml:15: route[0].require_headers: warning: this requires less of requests than require_headers = [\"tenant\"] {base}:22) [weakens-base]"
        ),
    ];
    for line in &expected {
        assert!(titles.contains(&line.as_str()), "{line}\n{}", run.out);
    }
    assert_eq!((run.code, &*run.err), (Some(1), ""));
}

/// Returns the titles of the findings that `check` prints about a policy with these files, and the lines that name a
/// file.
#[track_caller]
fn titles(files: &[(&str, &str)]) -> (Vec<String>, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("version = 1\n{text}")).unwrap();
    }
    let at = format!("{}/", folder.path().display());
    let run = run(&["check", &format!("{at}policy.toml")]);
    let is_shown = |line: &&str| line.starts_with(&at) || line.contains(".toml\",");
    let titles = run.out.lines().filter(is_shown).map(|line| line.replace(&at, ""));
    (titles.collect(), run.code)
}

#[test]
fn what_the_last_of_two_bases_weakens_is_warned_of() {
    let files = [
        ("policy.toml", "base = [\"one.toml\", \"two.toml\"]\n[defaults]\ndialect = \"problem\"\n"),
        ("one.toml", "[defaults]\nbody_limit = 3000\ndialect = \"openai\"\nnegotiate = false\n"),
        (
            "two.toml",
            "[defaults]\nbody_limit = 7000\ndialect = \"google\"\nnegotiate = true\n[[route]]\nmatch = \"/x\"\nbody_limit = 9000\n",
        ),
    ];
    let (titles, code) = titles(&files);
    let expected = [
        "two.toml:3: defaults.body_limit: warning: this requires less of requests than body_limit = 3000 of the base (one.toml:3) [weakens-base]",
    ];
    assert_eq!((titles, code), (expected.map(str::to_owned).to_vec(), Some(0)));
}

#[test]
fn an_old_policy_is_told_each_line_to_change() {
    let files = [
        (
            "policy.toml",
            "include = [\n  \"organisation.toml\",\n  \"teams/*.toml\",\n]\n[defaults]\nkeep_members = [\"hint\"]\n",
        ),
        ("organisation.toml", "[defaults]\nkeep_members = [\"field\"]\nauth = [\"team\"]\n"),
    ];
    let (titles, code) = titles(&files);
    let expected = [
        "policy.toml:4: include[1]: error: \"teams/*.toml\" matches no file",
        "4 |   \"teams/*.toml\",",
        "policy.toml:7: defaults.keep_members: error: unknown key \"keep_members\"",
        "organisation.toml:1: scope: error: an included file needs a [scope]",
        "organisation.toml:3: defaults.keep_members: error: unknown key \"keep_members\"",
    ];
    assert_eq!((titles, code), (expected.map(str::to_owned).to_vec(), Some(1)));
}
