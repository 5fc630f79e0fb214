//! Tests that the output of `check` contains no key and no secret of a policy, because CI systems store the output
//! (L3).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::kit::{Run, command};

/// A text that every key and every clear secret in these tests contains.
const SECRET: &str = "sk_live_";

const BEARER: &str = "version = 1\n[auth.a]\nscheme = \"bearer\"\n";

/// The policies in `tests/policy_errors.toml` that contain a secret have it in many wrong places.
#[test]
fn l3_no_finding_shows_a_key_or_a_secret_of_a_wrong_file() {
    let refused: Refused = toml::from_str(include_str!("../../../../tests/policy_errors.toml")).unwrap();
    let mut looked = 0;
    for Folder { name, files } in refused.folder.iter().filter(|it| it.files.values().any(|text| text.contains(SECRET)))
    {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("secrets").join(name);
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let told = check(&folder);
        assert_eq!(told.code, Some(1), "{}", told.out);
        assert_hidden(&told);
        looked += 1;
    }
    assert!(looked >= 12, "{looked}");
}

#[derive(Deserialize)]
struct Refused {
    folder: Vec<Folder>,
}

#[derive(Deserialize)]
struct Folder {
    name: String,
    files: BTreeMap<String, String>,
}

#[test]
fn l3_no_finding_shows_a_key_that_stands_beside_what_is_wrong() {
    let one = r#"[{ id = "demo", sha256 = "sk_live_1" }]"#;
    for text in [
        format!("version = 1\n[auth]\na = {{ scheme = \"barer\", keys = {one} }}\n"),
        format!("version = 1\nauth.a = {{ scheme = \"barer\", keys = {one} }}\n"),
        format!("version = 1\nauth = {{ a = {{ scheme = \"barer\", keys = {one} }} }}\n"),
        format!("{BEARER}keys = [{{ id = 1, sha256 = \"sk_live_1\" }}]\n"),
        format!("{BEARER}keys = [\n  {{ idd = \"demo\", sha256 = \"sk_live_1\" }},\n]\n"),
        format!("{BEARER}keys = [\n  {{ id = \"demo\", sha256 = sk_live_1 }},\n]\n"),
        format!("{BEARER}keys = [\n  {{ id = \"demo\" \"sk_live_1\" }},\n]\n"),
        "version = 1\n[auth.a]\nscheme = \"bearer\", keys = [\"sk_live_1\"]\n".to_owned(),
        "version = 1\n[auth.a]\nscheme = \"jwt\"\nsecret_env = sk_live_1\n".to_owned(),
        "version = 1\nath.a.token = \"sk_live_1\"\n".to_owned(),
        "version = 1\ntoken = \"sk_live_1\"\n".to_owned(),
    ] {
        let told = check(&written("beside", &text, ""));
        assert_eq!(told.code, Some(1), "{text}{}", told.out);
        assert_hidden(&told);
    }
}

#[test]
fn l3_no_finding_shows_a_line_of_a_file_of_keys() {
    for keys in [
        "keys = [{ id = \"demo\", sha256 = \"sk_live_1\" }]\n",
        "[[keys]]\nid = \"demo\"\nsha256 = \"sk_live_1\"\n",
        "[[keys]]\nid = \"demo\"\ntoken = \"sk_live_1\"\n",
        "demo = \"sk_live_1\"\n",
        "header = \"demo\"\n\"sk_live_1\"\n",
    ] {
        let told = check(&written("file-of-keys", &format!("{BEARER}keys_file = \"keys.toml\"\n"), keys));
        assert_eq!(told.code, Some(1), "{keys}{}", told.out);
        assert_hidden(&told);
    }
}

#[test]
fn l3_a_secret_is_not_taken_for_the_name_of_its_variable() {
    for secret in ["sk_live_1", "SK_LIVE-sk_live_", "sk_live_ 4eC39/Hq+LyjWD==", ""] {
        let token = format!("scheme = \"jwt\"\nsecret_env = \"{secret}\"\nalgorithms = [\"HS256\"]\n");
        let told = check(&written("pasted", &format!("version = 1\n[auth.a]\n{token}"), ""));
        assert_eq!(told.code, Some(1), "{secret}: {}", told.out);
        assert!(told.out.starts_with("policy.toml:4: auth.a.secret_env: error: there is no"), "{}", told.out);
        assert_hidden(&told);
    }
}

/// Only lines that may contain a key are hidden. For example, the line of a misspelt scheme is shown.
#[test]
fn m2_a_line_that_holds_no_key_is_shown() {
    for (text, line) in [
        ("[auth.a]\nscheme = \"barer\"\n", "scheme = \"barer\""),
        ("auth.a.scheme = \"barer\"\n", "auth.a.scheme = \"barer\""),
        ("[auth.a] # keys\n", "[auth.a] # keys"),
        ("[auth.a]\nscheme = \"header\"\nheader = \"a b\"\nkeys = []\n", "header = \"a b\""),
        ("[defaults]\nmode = \"of\"\n", "mode = \"of\""),
        ("[defaults]\nmode = off\n", "mode = off"),
        ("[[route]]\nmatch = \"/a\"\nauth = \"a\"\n", "auth = \"a\""),
    ] {
        let told = check(&written("shown", &format!("version = 1\n{text}"), ""));
        assert!(told.out.contains(&format!(" | {line}\n")), "{line}: {}", told.out);
    }
}

/// Checks the masked line, and the part of it that is underlined.
#[test]
fn m2_the_place_in_a_line_that_may_hold_a_key_is_shown() {
    for (text, excerpt) in [
        (
            "[auth.a]\nscheme = \"bearer\"\nkeys = [{ id = \"a\", sha256 = \"sk_live_1\", expires = \"2027\" }]\n",
            "4 | keys = [{ id = \"…\", sha256 = \"…\", expires = \"…\" }]\n  |                              ^^^\n",
        ),
        (
            "[auth.a]\nscheme = \"bearer\"\nkeys = [{ id = \"a\", expires = 2026-02-30 }]\n",
            "4 | keys = [{ id = \"…\", expires = … }]\n",
        ),
        ("[auth.a]\nscheme = \"jwt\"\naudiance = \"sk_live_1\"\n", "4 | audiance = \"…\"\n  | ^^^^^^^^\n"),
        (
            "[auth.a]\nscheme = \"jwt\"\njwks_url = \"http://sk_live_1@a\"\n",
            "4 | jwks_url = \"…\"\n  |            ^^^\n",
        ),
        ("[auth.a]\nscheme = \"jwt\"\njwks_url = \"http://a/k?t=sk_live_1\"\n", "4 | jwks_url = \"…\"\n"),
        ("[auth.a]\nscheme = \"jwt\"\njwks_url = \"http://a\"\n", "4 | jwks_url = \"http://a\"\n"),
        ("[advice]\nretry = \"yes\"\n", "3 | retry = \"yes\"\n  |         ^^^^^\n"),
        ("[cors]\norigins = [\"a\"]\n", "3 | origins = [\"a\"]\n  |            ^^^\n"),
        ("[shape.a]\nwhen = 1\n", "3 | when = 1\n  |        ^\n"),
        ("[proxy]\nname = 1\n", "3 | name = 1\n  |        ^\n"),
    ] {
        let told = check(&written("masked", &format!("version = 1\n{text}"), ""));
        assert!(told.out.contains(excerpt), "{text}{}", told.out);
        assert_hidden(&told);
    }
    let told = check(&written("masked", "version = 1\nlocked = [\"auths\"]\n", ""));
    assert!(told.out.contains("2 | locked = [\"auths\"]\n  |           ^^^^^^^\n"), "{}", told.out);
}

#[track_caller]
fn assert_hidden(told: &Run) {
    assert!(!told.out.contains(SECRET) && !told.err.contains(SECRET), "{}{}", told.out, told.err);
    assert!(told.out.contains("= help: "), "{}", told.out);
}

fn check(folder: &Path) -> Run {
    let output = command(&["check", "policy.toml"]).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
}

fn written(name: &str, policy: &str, keys: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("policy.toml"), policy).unwrap();
    fs::write(folder.join("keys.toml"), keys).unwrap();
    folder
}
