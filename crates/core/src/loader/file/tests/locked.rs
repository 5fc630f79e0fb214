//! `locked`: keys that no file below may set.

use std::fs;
use std::path::Path;

use crate::loader::PolicyLoader;
use crate::policy::keys::RouteTable;

const KEYS: &str = "[auth.k]\nscheme = \"bearer\"\nkeys = [{ id = \"a\", sha256 = \
                    \"627c8a152519f9f3da4d61fa329dc9fb559e10d8e336ca7797c953773fe47836\" }]\n";

/// Reads a policy of these files, beginning with `policy.toml`, and returns its mistakes.
fn mistakes(name: &str, files: &[(&str, &str)]) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp").join(name);
    // Tests run at the same time, so each needs another folder.
    let folder = folder.join(std::thread::current().name().unwrap_or_default().replace("::", "-"));
    fs::create_dir_all(&folder).unwrap();
    files.iter().for_each(|(file, text)| fs::write(folder.join(file), format!("version = 1\n{text}")).unwrap());
    let (loader, path) = (PolicyLoader::new(), folder.join("policy.toml"));
    let all = loader.check(&path).err().unwrap_or_default();
    assert_eq!(
        loader.load(&path).map(drop).map_err(|first| first.to_string()).err(),
        all.first().map(ToString::to_string)
    );
    let shown = all.iter().map(|error| error.to_string().replace(&format!("{}/", folder.display()), ""));
    shown.collect()
}

/// Returns the mistakes of an organisation's base, the file that uses it, and a scope.
fn of_three(base: &str, user: &str, scope: &str) -> Vec<String> {
    let user = format!("base = [\"org.toml\"]\ninclude = [\"a.toml\"]\n{user}");
    let scope = format!("[scope]\nprefix = \"/a\"\n{scope}");
    mistakes("locked", &[("policy.toml", &user), ("org.toml", &format!("{base}\n{KEYS}")), ("a.toml", &scope)])
}

#[test]
fn m2_a_file_below_sets_no_locked_key_whatever_its_value() {
    let auth = "locked = [\"auth\"]\n[defaults]\nauth = [\"k\"]";
    for (user, scope, refused) in [
        ("", "", &[][..]),
        ("", "[defaults]\nauth = []", &["a.toml:5: defaults.auth"]),
        ("", "[defaults]\nauth = [\"k\"]", &["a.toml:5: defaults.auth"]),
        (
            "",
            "[defaults]\nauth_observe = true\nauth_optional = false",
            &["a.toml:5: defaults.auth_observe", "a.toml:6: defaults.auth_optional"],
        ),
        (
            "[defaults]\nauth = []",
            "[[route]]\nmatch = \"GET /a/{x}\"\nauth = []",
            &["policy.toml:5: defaults.auth", "a.toml:6: route[0].auth"],
        ),
        ("[defaults]\nmode = \"off\"", "[defaults]\nbody_limit = 5", &[]),
    ] {
        let found = of_three(auth, user, scope);
        let places: Vec<_> = refused.iter().map(|at| format!("{at}: auth is locked (org.toml:2), ")).collect();
        assert!(
            found.len() == places.len() && found.iter().zip(&places).all(|(error, at)| error.starts_with(at)),
            "{user}\n{scope}\n{found:#?}"
        );
    }
}

#[test]
fn m2_a_lock_a_name_and_a_key_are_reported_together() {
    let auth = "locked = [\"auth\", \"mode\"]\n[defaults]\nauth = [\"k\"]";
    let user = "[defaults]\nbodylimit = 5\nauth = [\"stranger\"]";
    let scope = "[[route]]\nmode = \"off\"\n[[route]]\nmatch = \"GET /a/{x}\"\nrequire_headers = [\"tenant\"]";
    let found = of_three(auth, user, scope);
    for (error, at) in found.iter().zip([
        "policy.toml:5: defaults.bodylimit: unknown key",
        "policy.toml:6: defaults.auth: auth is locked (org.toml:2)",
        "policy.toml:6: defaults.auth[0]: there is no auth scheme",
        "a.toml:4: route[0].match: ",
        "a.toml:5: route[0].mode: mode is locked (org.toml:2)",
        "a.toml:8: route[1].require_headers",
    ]) {
        assert!(error.starts_with(at), "{at}: {found:#?}");
    }
    assert_eq!(found.len(), 6, "{found:#?}");
}

#[test]
fn m2_a_file_may_set_what_it_locks_and_what_a_file_below_locks() {
    assert_eq!(of_three("[defaults]\nauth = [\"k\"]", "locked = [\"auth\"]\n[defaults]\nauth = []", ""), [""; 0]);
    let bases = |last: &str| {
        let user = "base = [\"org.toml\", \"team.toml\"]\n";
        let org = format!("locked = [\"auth\"]\n[defaults]\nauth = [\"k\"]\n{KEYS}");
        mistakes("locked-bases", &[("policy.toml", user), ("org.toml", &org), ("team.toml", last)])
    };
    assert_eq!(bases("locked = [\"mode\"]\n"), [""; 0]);
    assert_eq!(bases("[defaults]\nauth = []\n").len(), 1, "the last base is below the first one");
}

#[test]
fn m2_each_key_can_be_locked_and_nothing_else() {
    for key in RouteTable::KEYS {
        let value = RouteTable::defaults().written(key).unwrap();
        let found = of_three(&format!("locked = [{key:?}]"), "", &format!("[defaults]\n{key} = {value}"));
        assert!(matches!(&found[..], [one] if one.starts_with(&format!("a.toml:5: defaults.{key}: "))), "{found:?}");
    }
    let found = of_three("locked = [\"json\"]", "", "[defaults]\ncontent_types = [\"a/b\"]");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(of_three("locked = [\"map\"]", "", "")[0].contains("can be locked"));
    let text = "version = 1\nlocked = [\"auth\"]\n[scope]\nprefix = \"/a\"\n";
    let error = PolicyLoader::new().parse("a.toml", text).unwrap_err();
    assert!(error.to_string().contains("cannot lock settings"), "{error}");
}
