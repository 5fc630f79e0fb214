use proptest::prelude::*;

use super::*;
use crate::dialect::Dialect;
use crate::loader::PolicyLoader;
use crate::policy::file::Sources;
use crate::policy::{
    BodyLimitPer, EventStreams, Mode, Policy, PolicyBuilder, Preflight, ResponseSettings, Route, Scope, Settings,
};

/// The tables that lists in the policies below name.
const NAMES: &str = r#"
[header.h]
name = "x-h"
[header.i]
name = "x-i"
[auth.a]
scheme = "bearer"
keys = [{ id = "k", sha256 = "fa93378f7d690467a255d8e41ef2cf3a009121a8df7e07df956b401ba231bd66" }]
[auth.b]
scheme = "header"
header = "x-b"
keys = [{ id = "k", sha256 = "0a2b100945586dce5a8b1cae7b7f864c9fd922d168cc0a196d8008f17ce675bd" }]
"#;

const POLICY: &str = r#"
version = 1
defaults.body_limit = 1000
defaults.auth = ["a"]
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
    assert_eq!(
        effective.to_string(),
        "\
POST api.example.com/a/b
  matches POST /a/b (policy.toml:10)
  matches /a/{*rest} (policy.toml:6)
  1 map rule of the policy itself

mode             \"own\"                   policy.toml:7
dialect          \"standard\"              default
negotiate        true                    default
unknown_codes    \"keep\"                  default
body_limit       1000                    policy.toml:3
body_limit_per   \"auto\"                  default
content_types    [\"a/b\"]                 policy.toml:11
auth             []                      policy.toml:8
auth_observe     false                   default
require_headers  []                      default
no_transform     \"rewrite\"               default
protocols        \"pass\"                  default
keep_fields      []                      default
preflight        \"pass\"                  default
paths            \"guard\"                 default
case             \"fold\"                  default
event_streams    \"break\"                 default
html             false                   default
expose_headers   true                    default
"
    );
    assert!(effective.others().is_empty() && !effective.is_refused());
    assert_eq!(effective.reading().routes().next(), Some(("POST /a/b", "policy.toml:10")));
}

#[test]
fn g0_the_guards_of_another_spelling_are_told_beside() {
    let effective = loaded(&[POLICY, NAMES].concat()).effective("GET", "/a/%2e./x").unwrap();
    assert_eq!(
        effective.to_string(),
        "\
GET /x
  matches no route
  1 map rule of the policy itself

mode             \"enforce\"               default
dialect          \"standard\"              default
negotiate        true                    default
unknown_codes    \"keep\"                  default
body_limit       1000                    policy.toml:3
body_limit_per   \"auto\"                  default
json             false                   default
auth             [\"a\"]                   policy.toml:4
auth_observe     false                   default
require_headers  []                      default
no_transform     \"rewrite\"               default
protocols        \"pass\"                  default
keep_fields      []                      default
preflight        \"pass\"                  default
paths            \"guard\"                 default
case             \"fold\"                  default
event_streams    \"break\"                 default
html             false                   default
expose_headers   true                    default

its guards hold, too: GET /a/%2e./x
  matches /a/{*rest} (policy.toml:6)

mode             \"own\"                   policy.toml:7
body_limit       1000                    policy.toml:3
body_limit_per   \"auto\"                  default
json             false                   default
auth             []                      policy.toml:8
auth_observe     false                   default
require_headers  []                      default
preflight        \"pass\"                  default
paths            \"guard\"                 default
case             \"fold\"                  default
"
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

/// One key of a route, a scope or the policy.
#[derive(Clone, Debug)]
enum Key {
    Mode(Mode),
    Dialect(Dialect),
    Limit(Option<u64>),
    Per(BodyLimitPer),
    Json(bool),
    Types(Vec<String>),
    Auth(Vec<&'static str>),
    Observe(bool),
    Headers(Vec<&'static str>),
    Keep(Vec<&'static str>),
    Preflight(Preflight),
    Streams(EventStreams),
    Html(bool),
    Expose(bool),
    Negotiate(bool),
}

macro_rules! set {
    ($keys:expr, $on:expr) => {
        $keys.into_iter().fold($on, |on, key| match key {
            Key::Mode(mode) => on.mode(mode),
            Key::Dialect(dialect) => on.dialect(dialect),
            Key::Limit(Some(limit)) => on.body_limit(limit),
            Key::Limit(None) => on.no_body_limit(),
            Key::Per(per) => on.body_limit_per(per),
            Key::Json(json) => on.json(json),
            Key::Types(types) => on.content_types(types),
            Key::Auth(names) => on.auth(names),
            Key::Observe(observe) => on.auth_observe(observe),
            Key::Headers(names) => on.require_headers(names),
            Key::Keep(names) => on.keep_fields(names),
            Key::Preflight(preflight) => on.preflight(preflight),
            Key::Streams(streams) => on.event_streams(streams),
            Key::Html(html) => on.html(html),
            Key::Expose(expose) => on.expose_headers(expose),
            Key::Negotiate(negotiate) => on.negotiate(negotiate),
        })
    };
}

fn any_keys() -> impl Strategy<Value = Vec<Key>> {
    let key = prop_oneof![
        prop_oneof![Just(Mode::Off), Just(Mode::Observe), Just(Mode::Own), Just(Mode::Fill)].prop_map(Key::Mode),
        prop_oneof![Just(Dialect::OpenAi), Just(Dialect::Problem), Just(Dialect::Standard)].prop_map(Key::Dialect),
        prop_oneof![Just(None), Just(Some(0)), Just(Some(65_536)), Just(Some(1_000))].prop_map(Key::Limit),
        prop_oneof![Just(BodyLimitPer::Message), Just(BodyLimitPer::Body)].prop_map(Key::Per),
        any::<bool>().prop_map(Key::Json),
        prop_oneof![Just(vec![]), Just(vec!["a/b".to_owned()])].prop_map(Key::Types),
        prop_oneof![Just(vec![]), Just(vec!["a"]), Just(vec!["b", "a"])].prop_map(Key::Auth),
        any::<bool>().prop_map(Key::Observe),
        prop_oneof![Just(vec![]), Just(vec!["h"]), Just(vec!["i", "h"])].prop_map(Key::Headers),
        prop_oneof![Just(vec![]), Just(vec!["hint"]), Just(vec!["b\"", "hint"])].prop_map(Key::Keep),
        prop_oneof![Just(Preflight::Guard), Just(Preflight::Pass)].prop_map(Key::Preflight),
        prop_oneof![Just(EventStreams::AppendError), Just(EventStreams::Break)].prop_map(Key::Streams),
        any::<bool>().prop_map(Key::Html),
        any::<bool>().prop_map(Key::Expose),
        any::<bool>().prop_map(Key::Negotiate),
    ];
    proptest::collection::vec(key, 0..5)
}

fn any_routes() -> impl Strategy<Value = Vec<Route>> {
    let patterns =
        vec!["/{*rest}", "/a", "GET /a", "/a/{x}", "/a/{*rest}", "POST /a/b", "/{x}/b", "/b/{*rest}", "/a/b/{x}"];
    proptest::collection::vec((proptest::sample::select(patterns), any_keys()), 0..5)
        .prop_map(|routes| routes.into_iter().map(|(pattern, keys)| set!(keys, Route::new(pattern))).collect())
}

fn any_scope() -> impl Strategy<Value = Scope> {
    let hosts = proptest::sample::select(vec![vec!["h.example"], vec!["*.example"], vec![]]);
    let prefix = proptest::sample::select(vec![None, Some("/a"), Some("/a/b")]);
    (hosts, prefix, any_keys(), any_routes()).prop_map(|(hosts, prefix, keys, routes)| {
        let scope = hosts.iter().fold(Scope::new(), |scope, host| scope.host(*host));
        let scope = prefix.into_iter().fold(scope, |scope, prefix| scope.prefix(prefix));
        routes.into_iter().fold(set!(keys, scope), Scope::route)
    })
}

fn any_policy() -> impl Strategy<Value = PolicyBuilder> {
    let scopes = proptest::collection::vec(any_scope(), 0..3);
    (any_keys(), any_routes(), scopes).prop_map(|(keys, routes, scopes)| {
        let text = ["version = 1", NAMES].concat();
        let named = Loaded::from_text("names.toml", &text, &PolicyLoader::new()).unwrap().builder;
        let built = routes.into_iter().fold(set!(keys, named), PolicyBuilder::route);
        scopes.into_iter().fold(built, PolicyBuilder::scope)
    })
}

/// The policy's decision, in a form that two policies can be compared by: lists have other places in another one.
fn decision(policy: &Policy, settings: &Settings) -> String {
    let response_settings =
        ResponseSettings { keep_fields: None, html: None, part: 0, route: None, ..settings.response_settings() };
    let keys = Settings { response_settings, content_types: None, auth: None, require_headers: None, ..*settings };
    format!(
        "{keys:?} {:?} {:?} {:?} {:?} {:?}",
        policy.content_types(settings),
        policy.schemes(settings),
        policy.required_headers(settings),
        policy.kept_fields(&settings.response_settings()),
        policy.page(&settings.response_settings()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// A policy that has nothing but the settings of the view decides every request as the policy does.
    #[test]
    fn g0_the_view_says_what_the_policy_decides(
        builder in any_policy(),
        method in proptest::sample::select(&["GET", "HEAD", "POST"][..]),
        host in proptest::sample::select(&["", "h.example", "x.h.example", "other"][..]),
        path in proptest::sample::select(&["/", "/a", "/A", "/A/b/%2e", "/a/b", "/a/c", "/c/b", "/a/b/c", "/b/x", "/c//", "/a/%62", "/c/../a"][..]),
    ) {
        let Ok(policy) = builder.clone().compile() else { return Ok(()) };
        let sources = Sources::default();
        let loaded = Loaded { policy, builder, sources, files: Vec::new(), folders: Vec::new(), fingerprint: 0 };
        let url = if host.is_empty() { path.to_owned() } else { format!("http://{host}{path}") };
        let effective = loaded.effective(method, &url).unwrap();
        let head = http::Request::builder().method(method).uri(&url).body(()).unwrap().into_parts().0;
        let decided = loaded.policy.matched(&head).unwrap();
        prop_assert_eq!(effective.others.len(), decided.others.len());
        let others = effective.others.iter().zip(decided.others.iter().map(|reading| &reading.settings));
        for (reading, settings) in others.chain([(&effective.normal, &decided.normal)]) {
            let keys: String = reading.settings.iter().map(|it| format!("{} = {}\n", it.key, it.value)).collect();
            let text = format!("version = 1\n[defaults]\n{keys}{NAMES}");
            let retold = Policy::from_toml("told.toml", &text).unwrap();
            let label = settings.response_settings().label();
            let route = label.route.and(loaded.policy.route_label(label));
            prop_assert_eq!(decision(&retold, &retold.of_no_host().normal), decision(&loaded.policy, settings));
            prop_assert_eq!(reading.routes.first().map(|(pattern, _)| pattern.as_str()), route);
        }
    }
}
