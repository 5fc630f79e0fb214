//! Measures the cost of a policy that has a thousand times more than what matches: 10,000 routes, 200 rules and 100
//! scopes. It is compared with one route alone, for the same requests and the same outcome.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy, PolicyError, RouteRule};
use tower_layer::Layer;

use crate::Named;
use crate::answer::Answers;
use crate::cases::{Case, Handler};
use crate::counter;

/// The highest ratio that is allowed. Above it, parts of a policy that do not match would have a cost.
const MOST: f64 = 1.3;

const POLICY: &str = "policy.toml";
const SCOPES: usize = 100;
const ROUTES_OF_EACH: usize = 99;
const RULES: usize = 200;

/// The request, and the pattern that it matches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// A host of a single scope, and a route in that scope.
    InScope,
    /// A host of no scope, and a route of the policy itself.
    NoScope,
    /// One host of many scopes, distinguished by their prefixes, and a path of many segments.
    LongPath,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    One,
    Large,
}

impl Named for Lookup {
    const ALL: &'static [Self] = &[Self::InScope, Self::NoScope, Self::LongPath];

    fn name(self) -> &'static str {
        match self {
            Self::InScope => "in a scope",
            Self::NoScope => "no scope",
            Self::LongPath => "long path",
        }
    }
}

impl Named for Size {
    const ALL: &'static [Self] = &[Self::One, Self::Large];

    fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Large => "large",
        }
    }
}

impl Lookup {
    fn target(self) -> (&'static str, &'static str) {
        match self {
            Self::InScope => ("svc42.example.com", "/v1/things7/17"),
            Self::NoScope => ("other.example", "/own/v1/things7/17"),
            Self::LongPath => ("api.example.com", "/svc77/v1/things98/a/b/c/d/e/f/g/h/i/j/k/l/m/n"),
        }
    }

    fn pattern(self) -> &'static str {
        match self {
            Self::InScope => "/v1/things7/{id}",
            Self::NoScope => "/own/v1/things7/{id}",
            Self::LongPath => "/svc77/v1/things98/{*rest}",
        }
    }

    fn request(self) -> Request<Full<Bytes>> {
        let (host, path) = self.target();
        let mut request = Case::Happy.request();
        *request.uri_mut() = Uri::from_static(path);
        request.headers_mut().insert(HOST, HeaderValue::from_static(host));
        request
    }
}

/// Checks one response, and then sends this many requests, twice. The large policy must be written before.
pub(crate) fn run(size: Size, lookup: Lookup, requests: u64) {
    let policy = policy(size, lookup.pattern()).unwrap_or_else(|refused| panic!("{refused}"));
    counter::with_runtime(|| {
        let mut stack = ErrorEnvelopeLayer::new().policy(policy).layer(Handler(Case::Happy));
        assert_eq!(stack.answer(lookup.request()).map(|answer| answer.status()), Some(StatusCode::OK));
        counter::twice(|| (0..requests).for_each(|_| drop(std::hint::black_box(stack.answer(lookup.request())))));
    });
}

/// Returns the large policy, or a policy with only this route.
pub(crate) fn policy(size: Size, pattern: &str) -> Result<Policy, PolicyError> {
    match size {
        Size::One => Policy::builder().route(RouteRule::new(pattern).body_limit(1000)).build(),
        Size::Large => Policy::from_file(folder().join(POLICY)),
    }
}

/// Returns the table, and a line for each ratio that is too high.
pub(crate) fn table() -> (String, Vec<String>) {
    let mut text = format!("{:<12} {:>9} {:>13} {:>6}\n", "request", "one route", "10,000 routes", "ratio");
    let mut risen = Vec::new();
    write();
    for lookup in Lookup::ALL {
        let count = |size: Size| counter::instructions(&["--scale", size.name(), lookup.name()], 1);
        risen.extend(ratio(&mut text, lookup.name(), count(Size::One), count(Size::Large)));
    }
    let (bytes, time) = load();
    let _ = writeln!(text, "its {} files ({} KiB) are read in {} ms", SCOPES + 1, bytes / 1024, time.as_millis());
    (text, risen)
}

/// Writes a row, and returns a line if its ratio is too high.
pub(crate) fn ratio(text: &mut String, name: &str, one: f64, large: f64) -> Option<String> {
    let ratio = large / one;
    let _ = writeln!(text, "{name:<12} {one:>9.0} {large:>13.0} {ratio:>6.2}");
    (ratio > MOST).then(|| format!("{name}: {ratio:.2} times what one route costs, and {MOST} at most"))
}

/// Returns the size of the large policy's files in bytes, and the time to load them, the fastest of five.
fn load() -> (u64, Duration) {
    let path = folder().join(POLICY);
    let times = (0..5).map(|_| {
        let start = Instant::now();
        Policy::from_file(&path).unwrap_or_else(|refused| panic!("{refused}"));
        start.elapsed()
    });
    let fastest = times.min().unwrap_or_default();
    let services = fs::read_dir(path.with_file_name("services")).expect("the folder");
    let sizes = services.map(|file| file.and_then(|file| file.metadata()).expect("a file").len());
    (sizes.sum::<u64>() + fs::metadata(path).expect("the file").len(), fastest)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("large-policy")
}

/// Writes the large policy. Half of the scopes have their own hosts, and half share one. Each request matches one route
/// of the policy, as it does in the policy with one route. All processes that count read the files that this one
/// writes.
pub(crate) fn write() {
    let folder = folder();
    fs::create_dir_all(folder.join("services")).expect("a folder");
    let put = |name: &str, text: String| fs::write(folder.join(name), text).expect("a file");
    put(POLICY, format!("version = 1\ninclude = [\"services/*.toml\"]\n{}{}", rules(), routes("/own", 100)));
    for at in 0..SCOPES {
        let (scope, prefix) = match at % 2 {
            0 => (format!("hosts = [\"svc{at}.example.com\", \"*.svc{at}.example.com\"]"), String::new()),
            _ => (format!("hosts = [\"api.example.com\"]\nprefix = \"/svc{at}\""), format!("/svc{at}")),
        };
        let text = format!("version = 1\n[scope]\n{scope}\n{}", routes(&prefix, ROUTES_OF_EACH));
        put(&format!("services/svc{at}.toml"), text);
    }
}

fn routes(prefix: &str, number: usize) -> String {
    let route = |at: usize| {
        let tail = if at.is_multiple_of(2) { "{*rest}" } else { "{id}" };
        format!("[[route]]\nmatch = \"{prefix}/v1/things{at}/{tail}\"\nbody_limit = {}\n", 1000 + at)
    };
    (0..number).map(route).collect()
}

/// Returns the rules. One in ten is bound to a route, so that a request's path is kept for it.
fn rules() -> String {
    let rule = |at: usize| {
        let route =
            if at.is_multiple_of(10) { format!("route = \"/v1/things{at}/{{*rest}}\"\n") } else { String::new() };
        format!("[[map]]\nstatus = 404\ncode = \"OLD_{at}\"\n{route}to = \"not_found\"\n")
    };
    (0..RULES).map(rule).collect()
}
