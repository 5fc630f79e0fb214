//! Routing is a security boundary, so these tests compare the trie with a simple matcher that compares the text of each
//! pattern (G0).

use std::cmp::Ordering;
use std::time::Duration;

use http::Method;
use proptest::prelude::*;

use super::*;
use crate::code::ErrorCode;
use crate::guard::header::RequiredHeader;
use crate::guard::reading::{normalised, readings};
use crate::policy::rule::MapRule;

const METHODS: [Method; 4] = [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];

/// The body limit of the policy in the tests. No route sets the same limit.
const DEFAULT_LIMIT: u64 = 77;

/// A route in the form of the tests: its pattern, and the two keys that the tests check.
#[derive(Clone, Debug)]
struct Written {
    methods: Vec<&'static str>,
    path: Vec<&'static str>,
    limit: Option<u64>,
    closed: Option<bool>,
}

impl Written {
    fn pattern(&self) -> String {
        let path = format!("/{}", self.path.join("/"));
        if self.methods.is_empty() { path } else { format!("{} {path}", self.methods.join("|")) }
    }

    fn route(&self) -> RouteRule {
        let mut route = RouteRule::new(self.pattern());
        if let Some(limit) = self.limit {
            route = route.body_limit(limit);
        }
        match self.closed {
            Some(true) => route.require_headers(["tenant"]),
            Some(false) => route.require_headers([""; 0]),
            None => route,
        }
    }

    fn matches(&self, method: &Method, path: &[u8]) -> bool {
        self.rank(method).is_some() && path.first() == Some(&b'/') && {
            let segments: Vec<&[u8]> = path[1..].split(|byte| *byte == b'/').collect();
            fits(&self.path, if path == b"/" { &[] } else { &segments })
        }
    }

    /// Returns how closely the methods name the request's method: by its name, as `GET` for `HEAD`, or by having no
    /// methods.
    fn rank(&self, method: &Method) -> Option<u8> {
        match method.as_str() {
            name if self.methods.contains(&name) => Some(0),
            "HEAD" if self.methods.contains(&"GET") => Some(1),
            _ => self.methods.is_empty().then_some(2),
        }
    }

    /// Returns the kinds of the segments (literal, one, the pattern's end, rest) as numbers. A lower number is more
    /// specific.
    fn shape(&self) -> Vec<u8> {
        let kind = |segment: &&str| match *segment {
            "{*r}" => 3,
            segment if segment.starts_with('{') => 1,
            _ => 0,
        };
        self.path.iter().map(kind).chain([2]).collect()
    }

    fn clashes_with(&self, other: &Self) -> bool {
        let unnamed = |path: &[&'static str]| -> Vec<&str> {
            path.iter().map(|segment| if segment.starts_with('{') { &segment[..2] } else { segment }).collect()
        };
        let no_method = self.methods.is_empty() && other.methods.is_empty();
        let shared = no_method || self.methods.iter().any(|method| other.methods.contains(method));
        shared
            && unnamed(&self.path).join("/").replace("{x", "{y") == unnamed(&other.path).join("/").replace("{x", "{y")
    }
}

fn fits(pattern: &[&str], path: &[&[u8]]) -> bool {
    match (pattern, path) {
        (["{*r}"], _) => true,
        ([], []) => true,
        ([one, pattern @ ..], [segment, path @ ..]) => {
            (one.as_bytes() == *segment || one.starts_with('{') && !segment.is_empty()) && fits(pattern, path)
        }
        _ => false,
    }
}

/// Returns the settings for one reading: the limit, and true if the header is required.
fn by_each_alone(routes: &[Written], closed: bool, method: &Method, path: &[u8]) -> (Option<u64>, bool) {
    let mut matching: Vec<&Written> = routes.iter().filter(|route| route.matches(method, path)).collect();
    matching.sort_by(|a, b| match a.shape().cmp(&b.shape()) {
        Ordering::Equal => a.rank(method).cmp(&b.rank(method)),
        decided => decided,
    });
    let limit = matching.iter().find_map(|route| route.limit).unwrap_or(DEFAULT_LIMIT);
    (Some(limit), matching.iter().find_map(|route| route.closed).unwrap_or(closed))
}

/// Returns the normal form by rewriting the path until nothing changes.
fn rewritten(path: &str) -> Vec<u8> {
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    let mut text: String = decoded.iter().map(|byte| char::from(*byte)).collect::<String>().replace('\\', "/");
    text.push('/');
    while text.contains("//") || text.contains("/./") {
        text = text.replace("//", "/").replace("/./", "/");
    }
    while let Some(at) = text.find("/../") {
        let parent = text[..at].rfind('/').unwrap_or(0);
        text.replace_range(parent..at + 3, "");
    }
    let trimmed = text.trim_end_matches('/');
    if trimmed.is_empty() { b"/".to_vec() } else { trimmed.chars().map(|character| character as u8).collect() }
}

fn a_route() -> impl Strategy<Value = Written> {
    let methods =
        prop::sample::select(vec![vec![], vec!["GET"], vec!["HEAD"], vec!["POST", "GET"], vec!["HEAD", "GET"]]);
    let segment = prop::sample::select(vec!["a", "b", "%"]);
    (methods, prop::collection::vec(segment, 0..4), any::<bool>(), prop::option::of(1..9u64), any::<Option<bool>>())
        .prop_map(|(methods, mut path, rest, limit, closed)| {
            // `%` marks a parameter. Its name must differ from others in the pattern, and must not matter outside of
            // it.
            for (at, segment) in path.iter_mut().enumerate().filter(|(_, segment)| **segment == "%") {
                *segment = if limit.is_some() { ["{x0}", "{x1}", "{x2}"][at] } else { ["{y0}", "{y1}", "{y2}"][at] };
            }
            path.extend(rest.then_some("{*r}"));
            Written { methods, path, limit, closed }
        })
}

fn routes_without_clash() -> impl Strategy<Value = Vec<Written>> {
    prop::collection::vec(a_route(), 0..10).prop_map(|routes| {
        let mut kept: Vec<Written> = Vec::new();
        for route in routes {
            if !kept.iter().any(|other| other.clashes_with(&route)) {
                kept.push(route);
            }
        }
        kept
    })
}

fn a_path() -> impl Strategy<Value = String> {
    let pieces = [
        "a", "b", "c", "/", "/", "/", "/a", "/b", ".", "..", "\\", "%61", "%2f", "%2F", "%5c", "%2e", "%", "%zz",
        "%ff", "%252f", "", "A", ";", "a;b",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..9)
        .prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// Returns a policy with these routes, under defaults that are closed or not.
fn policy(routes: &[Written], closed: bool) -> Result<Policy, PolicyError> {
    let required = closed.then_some("tenant");
    let builder = Policy::builder().body_limit(DEFAULT_LIMIT).require_headers(required);
    let builder = builder.header("tenant", RequiredHeader::new("x-tenant"));
    routes.iter().fold(builder, |builder, route| builder.route(route.route())).build()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn g0_the_trie_says_what_each_pattern_alone_says(
        routes in routes_without_clash(), closed: bool, path in a_path(),
        method in prop::sample::select(METHODS.to_vec())
    ) {
        let policy = policy(&routes, closed).unwrap();
        let required = |settings: &RouteSettings| (settings.body_limit, !settings.require_headers.is_empty());
        let sent = policy.settings(&method, "", path.as_bytes());
        prop_assert_eq!(required(&policy.normalised(&method, "", &path)), by_each_alone(&routes, closed, &method, &rewritten(&path)));
        prop_assert_eq!(required(&sent), by_each_alone(&routes, closed, &method, path.as_bytes()));
    }

    #[test]
    fn g0_no_reading_slips_past_a_closed_route(
        mut closed in a_route(), others in routes_without_clash(), path in a_path(),
        method in prop::sample::select(METHODS.to_vec())
    ) {
        closed.closed = Some(true);
        let mut routes: Vec<Written> = others.into_iter().filter(|other| !other.clashes_with(&closed)).collect();
        routes.iter_mut().for_each(|other| other.closed = None);
        routes.push(closed.clone());
        let policy = policy(&routes, false).unwrap();
        let all = readings(path.as_bytes());
        let Ok(matched) = policy.of_path(&method, &path) else {
            prop_assert!(all.is_err());
            return Ok(());
        };
        let asks = matched.guards().any(|settings| !settings.require_headers.is_empty());
        // The routes are in small letters.
        let reached = |path: &Vec<u8>| closed.matches(&method, &path.to_ascii_lowercase());
        prop_assert_eq!(asks, all.unwrap().iter().any(reached));
    }

    #[test]
    fn m2_two_routes_clash_whatever_their_parameters_are_called(one in a_route(), other in a_route()) {
        prop_assert_eq!(policy(&[one.clone(), other.clone()], false).is_err(), one.clashes_with(&other));
    }

    #[test]
    fn g0_a_path_has_one_normal_form(path in a_path()) {
        let normal = normalised(&path).unwrap_or_else(|| path.clone().into_bytes());
        prop_assert_eq!(&normal, &rewritten(&path));
        if !path.contains(['%', '\\']) {
            prop_assert_eq!(normalised(str::from_utf8(&normal).unwrap()), None);
        }
    }
}

#[test]
fn g0_what_is_no_path_is_guarded_as_the_root_is() {
    let policy = Policy::builder().route(RouteRule::new("/{*rest}").body_limit(1)).build().unwrap();
    for (path, limit) in [("*", 1), ("", 1), ("example.com:443", 1), ("/", 1), ("//", 1)] {
        assert_eq!(policy.normalised(&Method::OPTIONS, "", path).body_limit, Some(limit), "{path:?}");
    }
}

#[test]
fn m3_a_kill_switch_also_turns_off_settings_that_are_made_for_one_request() {
    let policy = Policy::builder()
        .header("tenant", RequiredHeader::new("x-tenant"))
        .route(RouteRule::new("/t/{*rest}").require_headers(["tenant"]))
        .route(RouteRule::new("/t/{id}/x").mode(Mode::Observe))
        .build()
        .unwrap()
        .switched_off();
    for (path, own) in [("/T/1/X", Mode::Observe), ("/T/1", Mode::Enforce), ("/none", Mode::Enforce)] {
        let Matched { others, normal, .. } = policy.of_path(&Method::GET, path).unwrap();
        let all: Vec<_> = others.iter().map(|reading| &reading.settings).chain([&normal]).collect();
        assert!(all.iter().all(|settings| settings.mode == Mode::Off && settings.switched_from.is_some()), "{path}");
        assert!(all.iter().any(|settings| settings.switched_from == Some(own)), "{path}");
    }
}

#[test]
fn g0_the_two_spellings_are_told_apart_only_where_their_guards_differ() {
    let policy = Policy::builder()
        .header("tenant", RequiredHeader::new("x-tenant"))
        .route(RouteRule::new("/t/{*rest}").require_headers(["tenant"]))
        .route(RouteRule::new("/off/{*rest}").mode(Mode::Off))
        .route(RouteRule::new("/alike/{*rest}").negotiate(false))
        .build()
        .unwrap();
    let modes = |path| {
        let Matched { others, normal, .. } = policy.of_path(&Method::GET, path).unwrap();
        let others: Vec<Mode> = others.iter().map(|reading| reading.settings.mode).collect();
        (others, normal.mode, policy.route_label(normal.label()).map(str::to_owned))
    };
    let label = |pattern: &str| Some(pattern.to_owned());
    assert_eq!(modes("/off/../t/x"), (vec![Mode::Off], Mode::Enforce, label("/t/{*rest}")));
    assert_eq!(modes("/t/../off/x"), (vec![Mode::Enforce], Mode::Off, label("/off/{*rest}")));
    assert_eq!(modes("/off/./x"), (vec![], Mode::Off, label("/off/{*rest}")));
    assert_eq!(modes("/x/../alike/x"), (vec![], Mode::Enforce, label("/alike/{*rest}")));
    assert_eq!(modes("/T/x"), (vec![Mode::Enforce], Mode::Enforce, None));
    assert_eq!(modes("/OFF/x"), (vec![Mode::Off], Mode::Enforce, None));
}

#[test]
fn g0_routes_that_differ_in_letter_case_alone_are_both_met() {
    let limits = |path: &str| {
        let policy = Policy::builder()
            .no_body_limit()
            .route(RouteRule::new("/A/{*rest}").body_limit(1))
            .route(RouteRule::new("/a/x").body_limit(2))
            .route(RouteRule::new("/a/X").body_limit(3))
            .route(RouteRule::new("/exact").body_limit(4).case(LetterCase::Exact))
            .build()
            .unwrap();
        let matched = policy.of_path(&Method::GET, path).unwrap();
        matched.guards().map(|settings| settings.body_limit).collect::<Vec<_>>()
    };
    // These are the path as it is, and the two foldings: /a/x is more specific than /A/{*rest} in any letter case.
    assert_eq!(limits("/a/x"), [Some(3), Some(2)]);
    assert_eq!(limits("/A/x"), [Some(2), Some(3), Some(1)]);
    assert_eq!(limits("/A/y"), [Some(1)]);
    assert_eq!(limits("/a/y"), [Some(1), None]);
    assert_eq!(limits("/exact"), [Some(4)]);
    assert_eq!(limits("/EXACT"), [None]);
}

#[test]
fn g0_scopes_are_found_in_any_letter_case() {
    let scope = |prefix: &str, limit| Scope::new().prefix(prefix).body_limit(limit);
    let policy =
        Policy::builder().no_body_limit().scope(scope("/Orders", 1)).scope(scope("/Orders/old", 2)).build().unwrap();
    let limits = |path: &str| {
        let matched = policy.of_path(&Method::GET, path).unwrap();
        matched.guards().map(|settings| settings.body_limit).collect::<Vec<_>>()
    };
    assert_eq!(limits("/Orders/x"), [Some(1)]);
    assert_eq!(limits("/orders/x"), [Some(1), None]);
    assert_eq!(limits("/Orders/OLD"), [Some(2), Some(1)]);
    assert_eq!(limits("/elsewhere"), [None]);
}

#[test]
fn g3_a_narrower_word_on_content_types_replaces_a_wider_one() {
    let policy = Policy::builder()
        .json(true)
        .route(RouteRule::new("/free/{*rest}").json(false))
        .route(RouteRule::new("/none/{*rest}").content_types([""; 0]))
        .route(RouteRule::new("/form/{*rest}").content_types(["a/b"]))
        .route(RouteRule::new("/form/json").json(true))
        .route(RouteRule::new("/form/limit").body_limit(1))
        .build()
        .unwrap();
    let types = |path| {
        let settings = policy.normalised(&Method::POST, "", path);
        settings.content_types.get().map(|types| types.refusal.clone().to_string().split(' ').nth(4).map(str::to_owned))
    };
    let of = |one: &str| Some(Some(one.to_owned()));
    for (path, expected) in [
        ("/", of("application/json.")),
        ("/free/x", None),
        ("/none/x", None),
        ("/form/x", of("a/b.")),
        ("/form/json", of("application/json.")),
        ("/form/limit", of("a/b.")),
    ] {
        assert_eq!(types(path), expected, "{path}");
    }
}

#[test]
fn g1_a_route_asks_for_the_headers_that_it_names_in_their_order() {
    let policy = Policy::builder()
        .header("a", RequiredHeader::new("x-a").missing("a"))
        .header("b", RequiredHeader::new("x-b").missing("b"))
        .require_headers(["a"])
        .route(RouteRule::new("/b").require_headers(["b"]))
        .route(RouteRule::new("/ab").require_headers(["a", "b"]))
        .route(RouteRule::new("/ba").require_headers(["b", "a"]))
        .route(RouteRule::new("/again").require_headers(["b"]))
        .build()
        .unwrap();
    let none = http::HeaderMap::new();
    for (path, names) in [("/", "a"), ("/b", "b"), ("/ab", "ab"), ("/ba", "ba"), ("/again", "b")] {
        let settings = policy.normalised(&Method::GET, "", path);
        let missing = settings.require_headers.iter().map(|header| header.check(&none).unwrap_err());
        let required: String = missing.map(|fault| fault.to_string().replace("bad_request: ", "")).collect();
        assert_eq!(required, names, "{path}");
    }
}

#[test]
fn a_builder_that_was_told_nothing_makes_the_default_policy() {
    let built = Policy::builder().build().unwrap().with_origin(Origin::DEFAULTS);
    assert_eq!(format!("{built:?}"), format!("{:?}", Policy::default()));
    let settings = built.normalised(&Method::GET, "", "/");
    let (expose_headers, negotiate) = (settings.expose_headers, settings.negotiate);
    assert_eq!(
        (settings.mode, settings.body_limit, expose_headers, negotiate),
        (Mode::Enforce, Some(1024 * 1024), true, true)
    );
    assert_eq!((built.process.inspect.max_bytes, built.process.inspect.timeout), (64 * 1024, Duration::from_secs(1)));
    assert_eq!(
        (built.process.drain.max_bytes, built.process.drain.timeout),
        (16 * 1024 * 1024, Duration::from_secs(2))
    );
    assert!(
        !built.process.ids.trust_valid
            && !built.process.ids.traceparent
            && !built.rules_use_path(&built.settings_without_host().normal)
    );
    assert!(
        built.rules(&built.settings_without_host().normal).is_empty()
            && built.codes().find("NOT_FOUND") == Some(ErrorCode::NOT_FOUND)
    );
}

#[test]
fn m2_a_builder_names_the_table_and_the_key() {
    const OWN: ErrorCode = ErrorCode::custom("seat_taken", 409);
    let minute = Duration::from_secs(60);
    let wrong = [
        (Policy::builder().route(RouteRule::new("POST x")), "route \"POST x\": match: "),
        (
            Policy::builder().route(RouteRule::new("/x").json(true).content_types(["a/b"])),
            "route \"/x\": content_types: ",
        ),
        (Policy::builder().content_types(["json"]), "defaults: content_types: "),
        (
            Policy::builder().require_headers(["nobody"]),
            "defaults: require_headers[0]: there is no header named \"nobody\"",
        ),
        (Policy::builder().header("h", RequiredHeader::new("x y")), "header \"h\": name: "),
        (Policy::builder().header("h", RequiredHeader::new("x-request-id")), "header \"h\": name: "),
        (
            Policy::builder().header("h", RequiredHeader::new("a")).header("h", RequiredHeader::new("b")),
            "header \"h\": the name is used twice; ",
        ),
        (Policy::builder().code(ErrorCode::GONE), "code \"gone\": code: "),
        (Policy::builder().code(OWN).code(OWN), "code \"seat_taken\": code: "),
        (Policy::builder().code(OWN.with_grpc(17)), "code \"seat_taken\": grpc: "),
        (Policy::builder().code(OWN.with_message("")), "code \"seat_taken\": message: "),
        (Policy::builder().map(MapRule::to(ErrorCode::GONE)), "map[0] to \"gone\": the map rule has no condition"),
        (Policy::builder().inspect((1 << 30) + 1, minute), "inspect: max_bytes: "),
        (Policy::builder().inspect(1, Duration::ZERO), "inspect: timeout: "),
        (Policy::builder().drain(1, minute * 6), "drain: timeout: "),
    ];
    for (builder, begins) in wrong {
        let error = builder.build().unwrap_err();
        assert!(error.to_string().starts_with(begins), "{error}");
        assert!(error.key().is_some_and(|key| begins.starts_with(key)), "{error}");
        assert_eq!((error.file(), error.line()), (None, None));
    }
}

#[test]
fn static_properties() {
    const fn shared<T: Send + Sync>() {}
    shared::<Policy>();
    shared::<PolicyError>();
    assert!(size_of::<PolicyError>() == size_of::<usize>(), "a result that carries it stays small");
}
