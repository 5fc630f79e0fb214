//! Measures the cost of the readings of a path (rule G0): of letter case, of one sign and many, and of the longest
//! paths with many routes.

use std::fmt::Write as _;

use http::header::{HOST, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy, RouteRule};
use tower_layer::Layer;

use crate::Named;
use crate::answer::Answers;
use crate::cases::{Case, Handler};
use crate::counter;
use crate::scale::{self, Size};

const PATTERN: &str = "/own/v1/things7/{id}";

/// The spelling of a path, and the number of instructions that it may take more than a plain path of that length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Capitals,
    OneCode,
    TrailingSlash,
    DotSegment,
    ManySigns,
}

impl Named for Written {
    const ALL: &'static [Self] =
        &[Self::Capitals, Self::OneCode, Self::TrailingSlash, Self::DotSegment, Self::ManySigns];

    fn name(self) -> &'static str {
        match self {
            Self::Capitals => "capitals",
            Self::OneCode => "one code",
            Self::TrailingSlash => "last slash",
            Self::DotSegment => "dot segment",
            Self::ManySigns => "many signs",
        }
    }
}

impl Written {
    /// Returns the path, which has at most 128 bytes.
    fn path(self) -> &'static str {
        match self {
            Self::Capitals => "/own/v1/things7/01JD2V5W8Z3Q4R6T8Y0A1B2C3D",
            Self::OneCode => "/own/v1/things7/01jd2v5w8z%20q4r6t8y0a1b2c3d",
            Self::TrailingSlash => "/own/v1/things7/01jd2v5w8z3q4r6t8y0a1b2c3d/",
            Self::DotSegment => "/own/v1/things7/a-folder/and/another/../../../01jd2v5w8z3q4r6t8y0a1b2c3d",
            Self::ManySigns => {
                "/own/v1/things7/a-folder/%2e%2e/and/another//..//../01jd2v5w8z;version=1/3q4r6t8y0a1b2c3d/../and%20more;of=it/01jd2v5w8z3q4r6/"
            }
        }
    }

    const fn most(self) -> f64 {
        match self {
            Self::Capitals => 150.0,
            // It has many readings, and no honest client sends it.
            Self::ManySigns => 730_000.0,
            // A service may drop the space, which is a third reading.
            Self::OneCode => 13_500.0,
            _ => 9_900.0,
        }
    }
}

/// Paths of 8 KiB whose cost could grow with a policy's size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Long {
    /// As many segments as fit.
    Slashes,
    Dots,
    Codes,
    /// All of these signs. Such a path is refused.
    Mixed,
}

impl Named for Long {
    const ALL: &'static [Self] = &[Self::Slashes, Self::Dots, Self::Codes, Self::Mixed];

    fn name(self) -> &'static str {
        match self {
            Self::Slashes => "8 KiB of a/",
            Self::Dots => "8 KiB of ;/",
            Self::Codes => "8 KiB of %2e",
            Self::Mixed => "8 KiB mixed",
        }
    }
}

impl Long {
    fn path(self) -> String {
        let part = match self {
            Self::Slashes => "a/",
            Self::Dots => "a;/",
            Self::Codes => "%2e",
            Self::Mixed => "%2e;/%2e%2e//;%252e/",
        };
        let start = "/own/v1/things7/";
        format!("{start}{}", part.repeat((8192 - start.len()) / part.len()))
    }
}

fn request(path: &str) -> Request<Full<bytes::Bytes>> {
    let mut request = Case::Happy.request();
    *request.uri_mut() = path.parse::<Uri>().expect("a path");
    request.headers_mut().insert(HOST, HeaderValue::from_static("other.example"));
    request
}

/// Sends this many requests. `plain` means a path of the same length without any sign.
pub(crate) fn run(written: Written, plain: bool, requests: u64) {
    let start = "/own/v1/things7/";
    let path = written.path();
    let path = if plain { format!("{start}{}", "a".repeat(path.len() - start.len())) } else { path.to_owned() };
    send(Policy::builder().route(RouteRule::new(PATTERN).body_limit(1000)).build(), &path, requests);
}

pub(crate) fn run_long(size: Size, long: Long, requests: u64) {
    send(scale::policy(size, PATTERN), &long.path(), requests.div_ceil(50));
}

fn send(policy: Result<Policy, tower_error_envelope::PolicyError>, path: &str, requests: u64) {
    let policy = policy.unwrap_or_else(|refused| panic!("{refused}"));
    counter::with_runtime(|| {
        let mut stack = ErrorEnvelopeLayer::new().policy(policy).layer(Handler(Case::Happy));
        let answer = stack.answer(request(path)).map(|answer| answer.status());
        assert!(matches!(answer, Some(StatusCode::OK | StatusCode::BAD_REQUEST)), "{answer:?}");
        counter::twice(|| (0..requests).for_each(|_| drop(std::hint::black_box(stack.answer(request(path))))));
    });
}

/// Returns the tables, and a line for each figure that is too high.
pub(crate) fn table() -> (String, Vec<String>) {
    let mut text = format!("{:<12} {:>9} {:>8} {:>8}\n", "path", "instr", "more", "at most");
    let mut risen = Vec::new();
    for written in Written::ALL {
        let count = |kind: &str| counter::instructions(&[kind, written.name()], 1);
        let (plain, count) = (count("--plain"), count("--reading"));
        let more = count - plain;
        let (name, most) = (written.name(), written.most());
        let _ = writeln!(text, "{name:<12} {count:>9.0} {more:>8.0} {most:>8.0}");
        if more > most {
            risen.push(format!("{name}: {more:.0} instructions more than a plain path, and {most:.0} at most"));
        }
    }
    let _ = writeln!(text, "\n{:<12} {:>9} {:>13} {:>6}", "path", "one route", "10,000 routes", "ratio");
    for long in Long::ALL {
        let count = |size: Size| counter::instructions(&["--long", size.name(), long.name()], 1) * 50.0;
        risen.extend(scale::ratio(&mut text, long.name(), count(Size::One), count(Size::Large)));
    }
    (text, risen)
}
