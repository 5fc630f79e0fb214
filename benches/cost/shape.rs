//! Measures the cost of an error on a route with a policy's own shape, compared with a built-in dialect of the same
//! form.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::ready;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use tower::service_fn;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};
use tower_layer::Layer;

use crate::Named;
use crate::answer::Answers;
use crate::cases::Case;
use crate::counter;

/// The highest ratio that is allowed. Above it, describing a shape would have a cost.
const MOST: f64 = 1.2;

/// The shape that writes the error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `status_in_error`.
    BuiltIn,
    /// The same form, described in the policy.
    Described,
}

/// The body of the service's 404.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inner {
    Empty,
    /// JSON of another shape.
    Json,
    /// A body in the form of the route.
    SameForm,
}

impl Named for Form {
    const ALL: &'static [Self] = &[Self::BuiltIn, Self::Described];

    fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Described => "described",
        }
    }
}

impl Named for Inner {
    const ALL: &'static [Self] = &[Self::Empty, Self::Json, Self::SameForm];

    fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty 404",
            Self::Json => "JSON 404",
            Self::SameForm => "same form",
        }
    }
}

impl Form {
    fn policy(self) -> Policy {
        let text = match self {
            Self::BuiltIn => "version = 1\n[defaults]\ndialect = \"status_in_error\"\n",
            Self::Described => {
                r#"
                version = 1
                [defaults]
                dialect = "acme"
                [shape.acme]
                when = { "/error/code" = "string", "/error/status" = "number" }
                write = '{"error":{"code":{{name}},"message":{{message}},"status":{{status}},"details":{{details?}}}}'
                "#
            }
        };
        Policy::from_toml("policy.toml", text).unwrap_or_else(|refused| panic!("{refused}"))
    }
}

impl Inner {
    fn response(self) -> Response<Full<Bytes>> {
        let body = match self {
            Self::Empty => "",
            Self::Json => r#"{"success":false,"error":"Room not found"}"#,
            Self::SameForm => r#"{"error":{"code":"not_found","message":"Room not found","status":404}}"#,
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = StatusCode::NOT_FOUND;
        if self != Self::Empty {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        response
    }
}

/// Checks one response, and then sends this many requests, twice.
pub(crate) fn run(form: Form, inner: Inner, requests: u64) {
    let service = service_fn(move |_: Request<_>| ready(Ok::<_, Infallible>(inner.response())));
    counter::with_runtime(|| {
        let mut stack = ErrorEnvelopeLayer::new().policy(form.policy()).layer(service);
        let body = stack.answer(Case::Happy.request()).map(Response::into_body).unwrap_or_default();
        assert!(body.starts_with(br#"{"error":{"code":""#) && body.ends_with(br#","status":404}}"#), "{body:?}");
        counter::twice(|| (0..requests).for_each(|_| drop(std::hint::black_box(stack.answer(Case::Happy.request())))));
    });
}

/// Returns the table, and a line for each ratio that is too high.
pub(crate) fn table() -> (String, Vec<String>) {
    let mut text = format!("{:<12} {:>9} {:>13} {:>6}\n", "error", "built-in", "described", "ratio");
    let mut risen = Vec::new();
    for inner in Inner::ALL {
        let count = |form: Form| counter::instructions(&["--shape", form.name(), inner.name()], 1);
        let (built_in, described) = (count(Form::BuiltIn), count(Form::Described));
        let ratio = described / built_in;
        let _ = writeln!(text, "{:<12} {built_in:>9.0} {described:>13.0} {ratio:>6.2}", inner.name());
        if ratio > MOST {
            risen.push(format!("{}: described {ratio:.2} times what is built in, and {MOST} at most", inner.name()));
        }
    }
    (text, risen)
}
