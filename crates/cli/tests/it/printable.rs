//! Tests that the output for hostile policies and file names contains no character that controls a terminal or reorders
//! a line (M2).

use std::fs;

use serde_json::Value;

use crate::kit::run;

/// ESC, a C1 form of it, DEL, line separators, marks of direction, overrides and isolates.
const HOSTILE: [char; 14] = [
    '\u{1b}', '\u{9b}', '\u{85}', '\u{7f}', '\u{7}', '\u{2028}', '\u{2029}', '\u{200e}', '\u{200f}', '\u{202a}',
    '\u{202e}', '\u{2066}', '\u{2069}', '\u{feff}',
];

/// A policy that is valid if any text replaces `$`. It causes each warning and note that shows a text of the policy.
const VALID: &str = r#"version = 1
[[route]]
match = "/a/{*rest}" # $
require_headers = ["a$"]
[[route]]
match = "/A/{*rest}" # $
body_limit = 1024
[[map]]
message = " $ "
to = "seat_taken"
[header."a$"]
name = "x-forwarded-for"
[header."b$"]
name = "x-b"
[shape.s]
when = { "/a$" = "string" }
message = "/text$"
[[code]]
code = "seat_taken"
status = 409
details = { type = "object", title = "t$", description = "d$", properties = { "p$" = { type = "string", description = "*/ $", enum = ["e$"] } } }
"#;

/// Policies with one mistake each. A hostile text replaces `$`.
const WRONG: [&str; 8] = [
    "version = 1\n[defaults]\n\"mode$\" = \"of\"\n",
    "version = 1\n[defaults]\nmode = \"of$\"\n",
    "version = 1\ninclude = [\"$.toml\"]\n",
    "version = 1\ninclude = [\"$/*.toml\"]\n",
    "version = 1\n[[map]]\nmessage_pattern = \"($\"\nto = \"gone\"\n",
    "version = 1\n[[route]]\nmatch = \"/{$}\" # $\nmode = \"own\"\nmode = \"own\"\n",
    "version = 1\n[auth.\"a$\"]\nscheme = \"$\"\n",
    "version = 1\nhost = $\n",
];

const FORMATS: [&str; 8] = ["markdown", "json", "json-schema", "openapi", "typescript", "zod", "python", "go"];

/// Returns three texts: all hostile characters unchanged, only those that TOML allows, and all of them as escapes.
fn texts() -> [String; 3] {
    let raw = HOSTILE.iter().filter(|it| !it.is_ascii());
    let escapes = HOSTILE.map(|it| format!("\\u{:04x}", u32::from(it)));
    [String::from_iter(HOSTILE), raw.collect(), escapes.concat()]
}

#[test]
fn m2_what_is_printed_of_a_hostile_policy_controls_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (policy, bare) = (path(&format!("p{}.toml", String::from_iter(HOSTILE))), path("bare.toml"));
    fs::write(&bare, "version = 1\n").unwrap();
    let mut seen = 0;
    for text in texts() {
        for policy_text in [VALID].into_iter().chain(WRONG) {
            fs::write(&policy, policy_text.replace('$', &text)).unwrap();
            let export = run(&["catalogue", "--policy", &policy, "--format", "json"]).out;
            fs::write(path("export.json"), export.replace("409", "418")).unwrap();
            let mut lines = vec![
                vec!["check", &policy],
                vec!["check", "--format", "json", &policy],
                vec!["check", "--format", "github", &policy],
                vec!["check", "--effective", "GET", "/a", &policy],
                vec!["check", "--effective", "GET", "/a", "--format", "json", &policy],
                vec!["check", "--policy", &policy, &bare],
                vec!["diff", &bare, &policy],
                vec!["diff", &policy, &bare],
                vec!["diff", "--format", "json", &bare, &policy],
                vec!["explain", "--policy", &policy, "crates/cli/tests/owner/express.http"],
                vec!["explain", "--format", "json", "--policy", &policy, "crates/cli/tests/owner/express.http"],
            ];
            let export = path("export.json");
            lines.push(vec!["catalogue", "--diff", &export]);
            lines.push(vec!["catalogue", "--diff", &policy]);
            lines.extend(FORMATS.map(|format| vec!["catalogue", "--policy", &policy, "--format", format]));
            for args in lines {
                let run = run(&args);
                let is_tab = |it: char| it == '\t' && args.contains(&"go");
                for printed in [&run.out, &run.err] {
                    let found = printed
                        .lines()
                        .find(|line| line.contains(|it: char| it.is_control() && !is_tab(it) || HOSTILE.contains(&it)));
                    assert!(found.is_none(), "{args:?}: {found:?}");
                }
                if !run.out.is_empty() && args.contains(&"json") {
                    serde_json::from_str::<Value>(&run.out).unwrap_or_else(|error| panic!("{args:?}: {error}"));
                }
                seen += usize::from(run.code != Some(2) || !run.err.is_empty());
            }
        }
    }
    assert!(seen > 300, "{seen}");
}

#[test]
fn m2_a_hostile_policy_is_valid_with_texts_that_toml_allows() {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    for text in &texts()[1..] {
        fs::write(file.path(), VALID.replace('$', text)).unwrap();
        let run = run(&["check", file.path().to_str().unwrap()]);
        assert!(run.code == Some(0) && run.out.contains("\\u{202e}"), "{}", run.out);
    }
}
