use std::time::SystemTime;

use crate::loader::{PlacedValue, PolicyFile, PolicyLoader};

const KEYS: &str = "[auth.k]\nscheme = \"bearer\"\nkeys = [{ id = \"a\", sha256 = \
                    \"627c8a152519f9f3da4d61fa329dc9fb559e10d8e336ca7797c953773fe47836\" }]\n";

fn read(text: &str) -> PolicyFile {
    PolicyLoader::new().parse("p.toml", &format!("version = 1\n{text}{KEYS}")).unwrap()
}

/// Returns lines such as `Opens defaults.auth: ["k"] -> []`.
fn changes(old: &str, new: &str) -> Vec<String> {
    let changed = read(old).changes_to(&read(new), SystemTime::UNIX_EPOCH);
    let text = |value: Option<&PlacedValue>| value.map_or("-", |it| &it.value).to_owned();
    let line = |it: &super::PolicyChange| {
        format!("{:?} {}: {} -> {}", it.kind, it.key, text(it.old.as_ref()), text(it.new.as_ref()))
    };
    changed.iter().map(line).collect()
}

#[test]
fn m2_a_setting_is_compared_with_the_same_key_of_the_same_table() {
    let route = |pattern: &str, rest: &str| format!("[[route]]\nmatch = {pattern:?}\n{rest}\n");
    let (closed, open) = ("[defaults]\nauth = [\"k\"]\n", "[defaults]\nauth = []\n");
    for (old, new, expected) in [
        (closed.to_owned(), closed.to_owned(), &[][..]),
        (closed.to_owned(), open.to_owned(), &["Opens defaults.auth: [\"k\"] -> []"]),
        (open.to_owned(), closed.to_owned(), &["Closes defaults.auth: [] -> [\"k\"]"]),
        (
            "[defaults]\nmode = \"enforce\"\n".to_owned(),
            "[defaults]\nmode = \"observe\"\ndialect = \"google\"\n".to_owned(),
            &["Opens defaults.mode: \"enforce\" -> \"observe\"", "Answers defaults.dialect: - -> \"google\""],
        ),
        (
            "[defaults]\nmode = \"observe\"\ndialect = \"google\"\nbody_limit = 9\n".to_owned(),
            "[defaults]\nmode = \"enforce\"\ndialect = \"openai\"\nbody_limit = 5\n".to_owned(),
            &[
                "Closes defaults.mode: \"observe\" -> \"enforce\"",
                "Closes defaults.body_limit: 9 -> 5",
                "Answers defaults.dialect: \"google\" -> \"openai\"",
            ],
        ),
        (
            "[defaults]\nmode = \"off\"\n".to_owned(),
            "[defaults]\nmode = \"observe\"\nbody_limit = 5\n".to_owned(),
            &["Neither defaults.mode: \"off\" -> \"observe\"", "Neither defaults.body_limit: - -> 5"],
        ),
        // A guard that one of the policies only observes lets the same requests in before or after the change.
        (
            "[defaults]\nmode = \"enforce\"\nbody_limit = 9\n".to_owned(),
            "[defaults]\nmode = \"observe\"\nbody_limit = 5\njson = true\n".to_owned(),
            &[
                "Opens defaults.mode: \"enforce\" -> \"observe\"",
                "Neither defaults.body_limit: 9 -> 5",
                "Neither defaults.json: - -> true",
            ],
        ),
        (
            "[defaults]\nmode = \"observe\"\nbody_limit = 5\n".to_owned(),
            "[defaults]\nmode = \"enforce\"\nbody_limit = 9\n".to_owned(),
            &["Closes defaults.mode: \"observe\" -> \"enforce\"", "Neither defaults.body_limit: 5 -> 9"],
        ),
        ("locked = [\"auth\"]\n".to_owned(), String::new(), &["Opens locked: \"auth\" -> -"]),
        // A key that only one policy sets is compared with the next wider table of the other one.
        (route("GET /a/{x}", "auth = [\"k\"]"), String::new(), &["Opens route[GET /a/{x}].auth: [\"k\"] -> -"]),
        (
            closed.to_owned() + &route("GET /a/{x}", "auth = [\"k\"]"),
            closed.to_owned(),
            &["Neither route[GET /a/{x}].auth: [\"k\"] -> -"],
        ),
        (
            route("/a/{*rest}", "auth = [\"k\"]"),
            route("/a/{*rest}", "auth = [\"k\"]") + &route("/a/open", "auth = []"),
            &["Opens route[/a/open].auth: - -> []"],
        ),
        (
            closed.to_owned() + &route("/a/{*rest}", "auth = []"),
            closed.to_owned() + &route("/a/{*rest}", "auth = []") + &route("/a/open", "auth = []"),
            &["Neither route[/a/open].auth: - -> []"],
        ),
    ] {
        assert_eq!(changes(&old, &new), expected, "{old}\n{new}");
    }
}

#[test]
fn m2_other_tables_are_compared_by_their_keys() {
    let code = |status: u16| format!("[[code]]\ncode = \"seat\"\nstatus = {status}\ngrpc = 6\n");
    let scheme = |more: &str| format!("[auth.s]\nscheme = \"bearer\"\n{more}\n");
    let keys = |id: &str| {
        format!(
            "keys = [{{ id = {id:?}, sha256 = {:?} }}]",
            "0a2b100945586dce5a8b1cae7b7f864c9fd922d168cc0a196d8008f17ce675bd"
        )
    };
    let rule = |status: u16| format!("[[map]]\nstatus = {status}\nto = \"conflict\"\n");
    for (old, new, expected) in [
        (
            "[header.h]\nname = \"x-h\"\npattern = \"a+\"\n".to_owned(),
            "[header.h]\nname = \"x-h\"\n".to_owned(),
            &["Opens header.h.pattern: \"a+\" -> -"][..],
        ),
        ("[request_id]\ntrust = \"valid\"\n".to_owned(), String::new(), &["Answers request_id.trust: \"valid\" -> -"]),
        (String::new(), code(409), &["Answers code[seat]: - -> { code = \"seat\", grpc = 6, status = 409 }"]),
        ("[drain]\ntimeout = \"1s\"\n".to_owned(), String::new(), &["Neither drain.timeout: \"1s\" -> -"]),
        (String::new(), "[defaults]\njson = false\n".to_owned(), &["Neither defaults.json: - -> false"]),
        (
            scheme(&keys("a")),
            scheme(&keys("b")) + "[auth.s.messages]\nmissing = \"M\"\n",
            &[
                "Closes auth.s.keys[a].sha256: … -> -",
                "Opens auth.s.keys[b].sha256: - -> …",
                "Answers auth.s.messages.missing: - -> …",
            ],
        ),
        (rule(418), rule(418) + &rule(419), &["Answers map { status = 419, to = \"conflict\" }: - -> set"]),
        (
            rule(418) + &rule(419),
            rule(419) + &rule(418),
            &[
                "Answers order of the rules: map { status = 418, to = \"conflict\" }, map { status = 419, to = \"conflict\" } \
               -> map { status = 419, to = \"conflict\" }, map { status = 418, to = \"conflict\" }",
            ],
        ),
    ] {
        assert_eq!(changes(&old, &new), expected, "{old}\n{new}");
    }
}

#[test]
fn a_policy_s_hash_does_not_depend_on_its_folder() {
    let hash = |name: &str, text: &str| {
        let file = PolicyLoader::new().parse(name, text).unwrap();
        file.policy().summary().hash().unwrap().to_owned()
    };
    assert_eq!(hash("/a/policy.toml", "version = 1"), hash("/b/c/other.toml", "version = 1"));
    assert_ne!(hash("a.toml", "version = 1"), hash("a.toml", "version = 1 "));
    assert_eq!(hash("a.toml", "version = 1\n"), hash("a.toml", "\u{feff}version = 1\r\n"));
    assert_eq!(hash("a.toml", "version = 1").len(), 16);
}

/// The defaults that the schema states are those of the tables' rows.
#[test]
fn m2_a_default_that_is_written_out_changes_nothing() {
    let schema = include_str!("../../../../cli/src/policy.schema.json");
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let mut compared = 0;
    for (place, key) in [
        ("/properties/request_id", "request_id"),
        ("/properties/rpc", "rpc"),
        ("/properties/advice", "advice"),
        ("/properties/cors", "cors"),
        ("/$defs/jwt_scheme", "auth.my.app"),
        ("/$defs/custom_scheme", "auth.app"),
        ("/$defs/key", "auth.app.keys[demo]"),
    ] {
        let properties = schema.pointer(place).unwrap()["properties"].as_object().unwrap();
        // The default of a challenge depends on the scheme.
        for (name, property) in properties.iter().filter(|(name, _)| *name != "challenge") {
            let key = format!("{key}.{name}");
            let default = property.get("default").map(serde_json::Value::to_string);
            assert_eq!(super::default_of(&key), default, "{key}");
            compared += usize::from(default.is_some());
        }
    }
    assert_eq!(compared, 13);
    assert_eq!(super::default_of("auth.app.keys[demo].timeout"), None);
    let written_out = "[request_id]\ntrust = \"never\"\n";
    assert_eq!(changes("", written_out), ["Neither request_id.trust: - -> \"never\""]);
    assert_eq!(changes(written_out, ""), ["Neither request_id.trust: \"never\" -> -"]);
}
