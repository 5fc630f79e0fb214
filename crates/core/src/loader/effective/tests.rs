use proptest::prelude::*;

use super::*;
use crate::loader::PolicyLoader;
use crate::loader::keys::tests::{NAMES, singles};
use crate::loader::sources::Sources;
use crate::policy::scope::PolicyPart;
use crate::policy::{Policy, PolicyBuilder, RouteRule, RouteSettings, Scope};

/// Returns the lines of all keys, or only those of the guards. Keys that are not set have the line of their default.
fn lines(set: &[(&str, &str, &str)], are_guards: bool) -> String {
    let keys = RouteTable::settings().filter(|key| !are_guards || RouteTable::GUARDS.contains(key));
    keys.map(|key| {
        let default = (key, &*RouteTable::defaults().written(key).unwrap(), "default");
        let (key, value, from) =
            set.iter().find(|it| RouteTable::names_of(key).contains(&it.0)).copied().unwrap_or(default);
        format!("{key:<17}{value:<24}{from}\n")
    })
    .collect()
}

const POLICY: &str = r#"
version = 1
defaults.body_limit = 1000
defaults.auth = ["a/b"]
[[route]]
match = "/a/{*rest}"
mode = "own"
auth = []
[[route]]
match = "POST /a/b"
content_types = ["a/b"]
[[map]]
status = 404
to = "gone"
"#;

fn loaded(text: &str) -> crate::loader::PolicyFile {
    PolicyLoader::new().parse("policy.toml", text).unwrap()
}

#[test]
fn g0_each_key_is_told_with_its_line() {
    let file = loaded(&[POLICY, NAMES].concat());
    let effective = file.effective("POST", "http://Api.example.com:8080/a/b?x").unwrap();
    let set = [
        ("mode", "\"own\"", "policy.toml:7"),
        ("body_limit", "1000", "policy.toml:3"),
        ("content_types", "[\"a/b\"]", "policy.toml:11"),
        ("auth", "[]", "policy.toml:8"),
    ];
    let keys = lines(&set, false);
    assert_eq!(
        effective.to_string(),
        format!(
            "\
POST api.example.com/a/b
  matches POST /a/b (policy.toml:10)
  matches /a/{{*rest}} (policy.toml:6)
  1 map rule of the policy itself

{keys}"
        )
    );
    assert!(effective.others.is_empty() && effective.refused.is_none());
    assert_eq!(effective.reading.routes[0], ("POST /a/b".to_owned(), "policy.toml:10".to_owned()));
}

#[test]
fn g0_the_guards_of_another_spelling_are_told_beside() {
    let effective = loaded(&[POLICY, NAMES].concat()).effective("GET", "/a/%2e./x").unwrap();
    let limit = ("body_limit", "1000", "policy.toml:3");
    let keys = lines(&[limit, ("auth", "[\"a/b\"]", "policy.toml:4")], false);
    let guards = lines(&[("mode", "\"own\"", "policy.toml:7"), limit, ("auth", "[]", "policy.toml:8")], true);
    assert_eq!(
        effective.to_string(),
        format!(
            "\
GET /x
  matches no route
  1 map rule of the policy itself

{keys}
the guards of this reading apply, too: GET /a/%2e./x
  matches /a/{{*rest}} (policy.toml:6)

{guards}"
        )
    );
}

#[test]
fn what_is_no_request_is_refused() {
    let file = loaded("version = 1");
    for (method, url, wrong) in [
        ("G ET", "/", "\"G ET\" is not a valid method; write one such as GET"),
        ("GET", "a b", "\"a b\" is not a valid URL; write a path, or one such as https://api.example.com/a"),
        ("GET", "*", "\"*\" is not a valid URL; write a path, or one such as https://api.example.com/a"),
        ("GET", "", "\"\" is not a valid URL; write a path, or one such as https://api.example.com/a"),
        (
            "GET",
            "http://a.example:x/",
            "\"http://a.example:x/\" is not a valid URL; write a host, and a port in digits",
        ),
    ] {
        assert_eq!(file.effective(method, url).unwrap_err().to_string(), wrong);
    }
    assert!(file.effective("GET", "https://a.example").is_ok());
}

/// The other letter case of the route needs no content type, like a request with an unknown method.
#[test]
fn g0_a_reading_that_needs_no_content_type_is_told_as_its_route_has_it() {
    let file = loaded("version = 1\ndefaults.json = true\n[[route]]\nmatch = \"/a\"\njson = false\n");
    let effective = file.effective("GET", "/A").unwrap();
    let [other] = &effective.others[..] else { panic!("{effective}") };
    let json = other.settings.iter().find(|(key, _)| *key == "json").unwrap();
    assert_eq!((&*json.1.value, json.1.from.as_deref()), ("false", Some("policy.toml:5")), "{effective}");
}

fn any_keys() -> impl Strategy<Value = RouteTable> {
    let keys = proptest::collection::vec(proptest::sample::select(singles()), 0..5);
    keys.prop_map(|keys| keys.into_iter().fold(RouteTable::default(), |set, key| key.overriding(set)))
}

fn any_routes() -> impl Strategy<Value = Vec<RouteRule>> {
    let patterns =
        vec!["/{*rest}", "/a", "GET /a", "/a/{x}", "/a/{*rest}", "POST /a/b", "/{x}/b", "/b/{*rest}", "/a/b/{x}"];
    proptest::collection::vec((proptest::sample::select(patterns), any_keys()), 0..5).prop_map(|routes| {
        routes.into_iter().map(|(pattern, keys)| RouteRule { keys, ..RouteRule::new(pattern) }).collect()
    })
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let hosts = proptest::sample::select(vec![vec!["h.example"], vec!["*.example"], vec![]]);
    let prefix = proptest::sample::select(vec![None, Some("/a"), Some("/a/b")]);
    (hosts, prefix, any_keys(), any_routes()).prop_map(|(hosts, prefix, keys, routes)| {
        let scope = hosts.iter().fold(Scope::new(), |scope, host| scope.host(*host));
        let scope = prefix.into_iter().fold(scope, |scope, prefix| scope.prefix(prefix));
        let part = PolicyPart { keys, routes, ..PolicyPart::default() };
        Scope { part, ..scope }
    })
}

fn any_policy() -> impl Strategy<Value = PolicyBuilder> {
    let scopes = proptest::collection::vec(any_scope(), 0..3);
    (any_keys(), any_routes(), scopes).prop_map(|(keys, routes, scopes)| {
        let text = ["version = 1", NAMES].concat();
        let named = PolicyLoader::new().parse("names.toml", &text).unwrap().builder;
        let part = PolicyPart { keys, routes, ..PolicyPart::default() };
        scopes.into_iter().fold(PolicyBuilder { part, ..named }, PolicyBuilder::scope)
    })
}

/// Returns the decision, in a form in which two policies can be compared.
fn decision(settings: &RouteSettings) -> String {
    format!("{:?}", RouteSettings { part: 0, route: None, ..settings.clone() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Checks that a policy with only the settings of the view decides every request like the policy itself.
    #[test]
    fn g0_the_view_says_what_the_policy_decides(
        builder in any_policy(),
        method in proptest::sample::select(&["GET", "HEAD", "POST"][..]),
        host in proptest::sample::select(&["", "h.example", "x.h.example", "other"][..]),
        path in proptest::sample::select(&["/", "/a", "/A", "/A/b/%2e", "/a/b", "/a/c", "/c/b", "/a/b/c", "/b/x", "/c//", "/a/%62", "/c/../a"][..]),
    ) {
        let Ok(policy) = builder.clone().compile() else { return Ok(()) };
        let sources = Sources::default();
        let loaded = PolicyFile { policy, builder, sources, locked_settings: Vec::new(), named_files: std::collections::HashMap::new(), files: Vec::new(), folders: Vec::new() };
        let url = if host.is_empty() { path.to_owned() } else { format!("http://{host}{path}") };
        let effective = loaded.effective(method, &url).unwrap();
        let head = http::Request::builder().method(method).uri(&url).body(()).unwrap().into_parts().0;
        let decided = loaded.policy.matched(&head).unwrap();
        prop_assert_eq!(effective.others.len(), decided.others.len());
        let others = effective.others.iter().zip(decided.others.iter().map(|reading| &reading.settings));
        for (reading, settings) in others.chain([(&effective.reading, &decided.normal)]) {
            let keys: String = reading.settings.iter().map(|(key, it)| format!("{key} = {}\n", it.value)).collect();
            let text = format!("version = 1\n[defaults]\n{keys}{NAMES}");
            let reparsed = Policy::from_toml("written.toml", &text).unwrap();
            let label = settings.label();
            let route = loaded.policy.route_label(label);
            prop_assert_eq!(
                decision(&reparsed.settings_without_host().normal),
                decision(settings)
            );
            prop_assert_eq!(reading.routes.first().map(|(pattern, _)| pattern.as_str()), route);
        }
    }
}
