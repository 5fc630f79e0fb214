//! Tests the file of a team, which is included in another policy.

use super::*;

const TOP: &str = "version = 1\ninclude = [\"services/*.toml\"]\nlocked = [\"mode\"]\n[auth.app]\nscheme = \"bearer\"\nkeys = [{ id = \"a\", sha256 = \"627c8a152519f9f3da4d61fa329dc9fb559e10d8e336ca7797c953773fe47836\" }]\n";
const ORDERS: &str = "version = 1\n[scope]\nprefix = \"/orders\"\n[defaults]\nauth = [\"app\"]\n";

/// Writes files below a folder of this name, and runs `check` there.
fn check_files(name: &str, files: &[(&str, &str)], args: &[&str]) -> (String, String, Option<i32>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::remove_dir_all(&folder).ok();
    for (file, text) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let output = command(&[&["check"], args].concat()).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn a_part_is_checked_with_the_policy_that_includes_it() {
    let loud = "version = 1\n[scope]\nprefix = \"/loud\"\n[defaults]\nauth = [\"app\"]\nauth_observe = true\n";
    let files = [("policy.toml", TOP), ("services/orders.toml", ORDERS), ("services/loud.toml", loud)];
    let (out, err, code) = check_files("part", &files, &["--deny-warnings", "services/orders.toml"]);
    let expected =
        "services/orders.toml: checked as a part of policy.toml\n3 files: no errors, no warnings, no notes\n";
    assert_eq!((&*out, &*err, code), (expected, "", Some(0)));
    let (out, _, code) = check_files("part-loud", &files, &["--deny-warnings", "services/loud.toml"]);
    assert!(out.starts_with("services/loud.toml:6: defaults.auth_observe: warning"), "{out}");
    assert_eq!(code, Some(1));
    // A lock of the whole policy also applies to the part.
    let weak = ORDERS.to_owned() + "mode = \"off\"\n";
    let files = [("policy.toml", TOP), ("services/orders.toml", &weak)];
    let (out, _, code) = check_files("part-weak", &files, &["services/orders.toml"]);
    assert!(out.contains("services/orders.toml:6: defaults.mode: error: mode is locked ("), "{out}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_part_of_two_policies_or_of_none_names_its_policy() {
    let files =
        [("policy.toml", TOP), ("staging.toml", TOP), ("services/orders.toml", ORDERS), ("alone/a.toml", ORDERS)];
    let (out, err, code) = check_files("parts", &files, &["services/orders.toml"]);
    let expected = "error: services/orders.toml: policy.toml and staging.toml include this file\n = help: name one of them: --policy policy.toml\n";
    assert_eq!((&*out, &*err, code), ("", expected, Some(2)));
    let (_, err, code) = check_files("parts", &files, &["--policy", "staging.toml", "services/orders.toml"]);
    assert_eq!((&*err, code), ("", Some(0)));
    let (_, err, code) = check_files("parts", &files, &["--policy", "staging.toml", "alone/a.toml"]);
    assert!(err.starts_with("error: alone/a.toml: staging.toml does not include this file\n = help: "), "{err}");
    assert_eq!(code, Some(2));
    let (out, _, _) = check_files("parts", &files, &["alone/a.toml"]);
    assert!(out.contains("alone/a.toml: scope: note: no policy in this folder or above includes this file"), "{out}");
    assert!(out.contains("add --policy FILE"), "{out}");
}
