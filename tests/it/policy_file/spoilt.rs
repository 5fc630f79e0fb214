//! Tests a policy of three files with one damaged file: it is read, or refused by name with a line inside the file.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tower_error_envelope::PolicyError;
use tower_error_envelope::policy::{PolicyFile, PolicyLoader};

const FILES: [(&str, &str); 3] = [
    (
        "policy.toml",
        r#"version = 1
include = ["services/*.toml"]
[defaults]
mode = "observe"
dialect = "problem"
auth = ["app", "session"]
[auth.app]
scheme = "header"
header = "x-api-key"
pattern = "[A-Za-z0-9_-]{16,64}"
challenge = 'ApiKey header="x-api-key"'
forward_id = "x-consumer-id"
keys_file = "keys.toml"
[auth.app.messages]
missing = "Missing API key"
[auth.session]
scheme = "jwt"
secret_env = "JWT_SECRET"
algorithms = ["HS256"]
issuer = "https://id.example.com"
leeway = "30s"
[[outward]]
codes = ["auth_missing", "order_gone"]
name = "unauthorized"
message = "Unauthorized"
status = 401
"#,
    ),
    (
        "services/orders.toml",
        r#"version = 1
[scope]
hosts = ["orders.example.com", "*.orders.example.com"]
prefix = "/orders"
[defaults]
body_limit = "64 KiB"
auth_observe = false
[[route]]
match = "POST /orders/{id}/{*rest}"
auth = []
mode = "enforce"
[[code]]
code = "order_gone"
status = 410
[[map]]
route = "/orders/{*rest}"
code = "GONE"
to = "order_gone"
"#,
    ),
    (
        "keys.toml",
        r#"keys = [
  { id = "demo", sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" },
  { id = "old", sha256 = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752", revoked = true },
]
"#,
    ),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("spoilt-policy")
}

fn write(file: &str, text: &str) {
    let path = folder().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn loader() -> PolicyLoader {
    PolicyLoader::new().environment(|name| (name == "JWT_SECRET").then(|| "s".repeat(32)))
}

fn load() -> Result<PolicyFile, PolicyError> {
    loader().load(folder().join("policy.toml"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn m2_a_policy_with_a_spoilt_file_is_read_or_refused_by_the_name_of_one(
        file in 0..FILES.len(), from: prop::sample::Index, length in 0..40usize,
        put in "[ -~\n]{0,6}|\\PC{0,2}|[{}\\[\\]\"'=.#*-]{1,3}|/|\\*\\.|:80"
    ) {
        FILES.iter().for_each(|(name, text)| write(name, text));
        prop_assert!(load().is_ok(), "{}", load().unwrap_err());
        let (name, good) = FILES[file];
        let from = from.index(good.len());
        let to = (from + length).min(good.len());
        let spoilt = format!("{}{put}{}", &good[..from], &good[to..]);
        write(name, &spoilt);
        let all = loader().check(folder().join("policy.toml")).map(|_| ()).map_err(|all| {
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        });
        match load() {
            Ok(_) => prop_assert_eq!(all, Ok(())),
            Err(error) => {
                let (all, first) = (all.unwrap_err(), error.to_string());
                prop_assert!(all.contains(&first), "{first} is not in {all:#?}");
                let once = all.iter().collect::<std::collections::HashSet<_>>();
                prop_assert_eq!(once.len(), all.len(), "{:#?}", all);
            }
        }
        if let Err(error) = load() {
            let message = error.to_string();
            let named = error.file().and_then(|path| Path::new(path).strip_prefix(folder()).ok()).expect("a file of these");
            let other = FILES.iter().find(|(other, _)| Path::new(other) == named).map(|(_, text)| *text);
            let text = if named == Path::new(name) { Some(spoilt.as_str()) } else { other };
            let lines = text.map(|text| text.lines().count() + 1).expect("a file of these");
            let line = error.line().expect("a line");
            prop_assert!((1..=lines).contains(&line), "{} in {} lines", message, lines);
            prop_assert!(!message.contains('\n') && !error.advice().is_empty(), "{}", message);
        }
    }
}
