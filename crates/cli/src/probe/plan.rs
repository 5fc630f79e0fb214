//! Chooses for each row of the plan requests that provoke the wanted response under the policy. The layer's own code
//! predicts the response, because its decisions need no I/O.

use std::sync::Arc;

use bytes::Bytes;
use error_envelope_core::policy::Guards;
use error_envelope_core::session::{BodyFacts, Ending, RequestStep, Session, SessionConfig};
use error_envelope_runtime as runtime;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use tower_error_envelope::{ErrorCode, Fault, Mode, Policy, RequestId};

/// The path segment that replaces a parameter. No service is expected to have a resource with this name.
const STAND_IN: &str = "error-envelope-probe";

/// The largest body to send.
const MAX_UPLOAD: u64 = 16 << 20;

/// Sample values for a required header: a word, a number, two ids, a date and a language. Most patterns match at least
/// one of these samples.
const SAMPLES: [&str; 6] =
    ["probe", "1", "01JD2V5W8Z3Q4R6T8Y0A1B2C3D", "00000000-0000-4000-8000-000000000000", "2026-01-01", "en"];
const MALFORMED: [&str; 2] = ["", "~"];

/// The policy of the service, its routes, and the user's settings for the probe.
pub(super) struct ServiceInfo {
    config: Arc<SessionConfig>,
    routes: Vec<(Option<Method>, String)>,
    panic_path: Option<String>,
    /// The headers to send with every request.
    headers: HeaderMap,
}

/// A request, and the response that the layer should give.
pub(super) struct Planned {
    pub(super) request: Request<Bytes>,
    /// The layer's own response, or `None` if the response depends on the service or its verifier.
    pub(super) predicted: Option<Response<Bytes>>,
    /// The client's request id, if the policy keeps it (I2).
    pub(super) kept_id: Option<String>,
}

impl ServiceInfo {
    pub(super) fn new(policy: Policy, panic_path: Option<String>, headers: HeaderMap) -> Self {
        let routes = policy.samples(STAND_IN).collect();
        Self { config: Arc::new(SessionConfig::new(policy, runtime::now)), routes, panic_path, headers }
    }

    /// Returns at most three requests for the row, or the reason why no request can be sent.
    pub(super) fn plan(&self, row: &Row) -> Result<Vec<Planned>, String> {
        let (mut planned, mut why) = (Vec::new(), None);
        for (method, path) in self.places(row) {
            for request in self.requests(row, &method, &path) {
                match self.fits(row, request) {
                    Ok(fitting) => {
                        planned.push(fitting);
                        break;
                    }
                    Err(reason) => why = why.or(reason.map(|reason| format!("{method} {path} {reason}"))),
                }
            }
        }
        // Routes with a small body limit come first, because they need fewer bytes.
        planned.sort_by_key(|planned| planned.request.body().len());
        planned.truncate(3);
        let nothing = match row.place {
            Place::Panic => "give a path whose handler panics: --panic-path PATH",
            _ => "give a policy with a route that has this guard: --policy FILE",
        };
        if planned.is_empty() { Err(why.unwrap_or_else(|| nothing.to_owned())) } else { Ok(planned) }
    }

    fn places(&self, row: &Row) -> Vec<(Method, String)> {
        let nowhere = || (None, format!("/{STAND_IN}/nothing"));
        let routes = || self.routes.iter().cloned();
        let below = || routes().map(|(_, path)| (None, format!("{}/{STAND_IN}", path.trim_end_matches('/'))));
        let places: Vec<_> = match row.place {
            Place::Nowhere => [nowhere()].into_iter().chain(below()).collect(),
            Place::Route => routes().chain([nowhere()]).collect(),
            Place::Json => routes().collect(),
            Place::Respelt => routes().filter_map(|(method, path)| Some((method, other_spelling(&path)?))).collect(),
            Place::Panic => self.panic_path.iter().map(|path| (None, path.clone())).collect(),
        };
        let own = |method: Option<Method>| match row.body {
            Body::Empty => method.unwrap_or(Method::GET),
            _ => method.filter(|method| matches!(*method, Method::PUT | Method::PATCH)).unwrap_or(Method::POST),
        };
        let method = |of_route| row.method.and_then(|name| name.parse().ok()).unwrap_or_else(|| own(of_route));
        let mut places: Vec<_> = places.into_iter().map(|(of_route, path)| (method(of_route), path)).collect();
        // If the service lacked the guard, it would carry out a DELETE.
        places.retain(|(method, _)| *method != Method::DELETE);
        places.sort_by_key(|(method, _)| !method.is_safe());
        places
    }

    /// Returns the requests for this path. Each request combines one of the headers for credentials with one sample for
    /// the required headers.
    fn requests(&self, row: &Row, method: &Method, path: &str) -> Vec<Request<Bytes>> {
        let Ok(mut request) = Request::builder().method(method).uri(path).body(Bytes::new()) else { return Vec::new() };
        *request.headers_mut() = self.headers.clone();
        for (name, value) in row.headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        let guards = self.guards(&request);
        *request.body_mut() = match (row.body, guards.body_limit) {
            (Body::Empty, _) => Bytes::new(),
            (Body::Text(text), _) => Bytes::from_static(text.as_bytes()),
            // The body is a JSON string without its closing quote, so a decoder must read the whole body.
            (_, Some(limit)) if limit < MAX_UPLOAD => format!("\"{}", "a".repeat(limit as usize)).into(),
            _ => return Vec::new(),
        };
        let (name, value) = match row.body {
            Body::TooLargeChunked => (header::TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
            _ => (header::CONTENT_LENGTH, request.body().len().into()),
        };
        if row.body != Body::Empty {
            request.headers_mut().insert(name, value);
        }
        let anonymous = [header::AUTHORIZATION];
        let credentials = if guards.credentials.is_empty() { &anonymous[..] } else { &guards.credentials };
        let samples = if row.required == Sent::Malformed { &MALFORMED[..] } else { &SAMPLES };
        let mut filled = Vec::new();
        for (sample, name) in samples.iter().flat_map(|sample| credentials.iter().map(move |name| (sample, name))) {
            let mut request = request.clone();
            let headers = request.headers_mut();
            guards.required.iter().for_each(|name| require(headers, name, sample, row.required));
            add_credentials(headers, name, &guards.credentials, row.credentials);
            filled.push(request);
        }
        filled
    }

    /// Predicts the response. Returns the request and the prediction if the row wants this response. Otherwise returns
    /// an error, with the reason if the user can do something about it.
    fn fits(&self, row: &Row, request: Request<Bytes>) -> Result<Planned, Option<String>> {
        let guards = self.guards(&request);
        if guards.mode != Mode::Enforce {
            let effect = match guards.mode {
                Mode::Observe => "in which guards other than credentials only observe, and errors keep their shape",
                _ => "which keeps the shape of errors",
            };
            return Err(Some(format!("is in mode {:?}, {effect}", guards.mode.as_str())));
        }
        if row.place == Place::Json && !guards.decodes {
            return Err(None);
        }
        let fresh = runtime::new_request_id();
        let (session, step) = self.begin(&request, fresh);
        let (id, is_verified) = (session.id().unwrap_or(fresh), matches!(step, RequestStep::Verify(_)));
        let predicted = if let RequestStep::Send(reply) = step { Some(reply.reply) } else { None };
        let reaches_service = row.body == Body::TooLargeChunked || row.place == Place::Panic;
        let code = predicted.as_ref().map(|reply| code_of(reply).to_owned());
        match (code, row.want) {
            (Some(code), Want::Layer(codes)) if codes.contains(&&*code) => {}
            (None, Want::Layer(_)) if reaches_service || is_verified && row.credentials != Sent::Well => {}
            (None, Want::Layer(_)) => return Err(None),
            (None, Want::Service(_)) => {}
            (Some(code), _) => {
                return Err(Some(format!("would get {code} first; add the needed header: --header 'NAME: $VARIABLE'")));
            }
        }
        Ok(Planned { request, predicted, kept_id: (id != fresh).then(|| id.to_string()) })
    }

    /// Returns the error response with this code that the client of this request would get.
    pub(super) fn model(&self, request: &Request<Bytes>, code: &str, status: StatusCode) -> Option<Response<Bytes>> {
        let known = self.config.policy().codes().iter().find(|known| known.as_str() == code);
        let fault = Fault::new(known.cloned().unwrap_or_else(|| ErrorCode::of_status(status)));
        let (mut session, RequestStep::Forward(..)) = self.begin(request, runtime::new_request_id()) else {
            return None;
        };
        let failure = session.classify(&fault)?;
        Some(session.end(Ending::Failed(failure, Box::new(fault)))?.reply)
    }

    fn guards(&self, request: &Request<Bytes>) -> Guards {
        self.config.policy().guards_of(&request.clone().into_parts().0)
    }

    fn begin(&self, request: &Request<Bytes>, id: RequestId) -> (Session, RequestStep) {
        let upper = (!request.headers().contains_key(header::TRANSFER_ENCODING)).then_some(request.body().len() as u64);
        let facts = BodyFacts { ended: request.body().is_empty(), lower: upper.unwrap_or(0), upper };
        Session::begin(Arc::clone(&self.config), &mut request.clone().into_parts().0, facts, || id)
    }
}

/// Returns the code in the head of a response, or an empty text if the head has no code.
pub(super) fn code_of<B>(answer: &Response<B>) -> &str {
    answer.headers().get("x-error-code").and_then(|code| code.to_str().ok()).unwrap_or_default()
}

fn require(headers: &mut HeaderMap, name: &HeaderName, sample: &'static str, sent: Sent) {
    let value = headers.remove(name).filter(|_| sent != Sent::Malformed);
    let value = value.unwrap_or(HeaderValue::from_static(sample));
    let count = match sent {
        Sent::Missing => 0,
        Sent::Twice => 2,
        Sent::Well | Sent::Malformed | Sent::Unknown => 1,
    };
    headers.extend(std::iter::repeat_n((name.clone(), value), count));
}

fn add_credentials(headers: &mut HeaderMap, name: &HeaderName, all: &[HeaderName], sent: Sent) {
    let (unknown, malformed) = match *name == header::AUTHORIZATION {
        true => ("Bearer error-envelope-probe-nobodys-key", "probe"),
        false => ("error-envelope-probe-nobodys-key", "not a key, with spaces"),
    };
    let values = match sent {
        Sent::Well => return,
        Sent::Missing => &[][..],
        Sent::Malformed => &[malformed],
        Sent::Unknown => &[unknown],
        Sent::Twice => &[unknown; 2],
    };
    all.iter().chain([&header::AUTHORIZATION, &header::COOKIE]).for_each(|name| drop(headers.remove(name)));
    headers.extend(values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))));
}

/// Spells the path in a different way, such as `//%6frders` for `/orders`.
fn other_spelling(path: &str) -> Option<String> {
    let at = path.find(|character: char| character.is_ascii_alphanumeric())?;
    let byte = *path.as_bytes().get(at)?;
    Some(format!("/{}%{byte:02x}{}", &path[..at], &path[at + 1..]))
}

pub(super) struct Row {
    pub(super) name: &'static str,
    /// The rule of the contract that the row tests.
    pub(super) rule: &'static str,
    pub(super) want: Want,
    /// The method, or `None` for the route's own method.
    pub(super) method: Option<&'static str>,
    pub(super) place: Place,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) credentials: Sent,
    pub(super) required: Sent,
    pub(super) body: Body,
}

/// The right response to a row's request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// An error that the layer itself writes, with one of these codes.
    Layer(&'static [&'static str]),
    /// The service's own response, with one of these statuses. Any other status shows nothing about the row's rule.
    Service(&'static [u16]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A path that does not exist.
    Nowhere,
    /// A route of the policy. If the policy has no suitable route, `probe` uses a path that does not exist.
    Route,
    /// A route that decodes JSON.
    Json,
    /// A route of the policy, with its path in a different spelling.
    Respelt,
    /// The path of `--panic-path`.
    Panic,
}

/// How a request sends a header that a guard checks, such as credentials or a required header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// As the guard requires: the user's credentials, or a sample for a required header.
    Well,
    Missing,
    Malformed,
    /// Well-formed credentials that were never issued.
    Unknown,
    Twice,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Empty,
    Text(&'static str),
    /// A body that exceeds the limit by one byte, with a `content-length`.
    TooLarge,
    /// A body that exceeds the limit by one byte, without a `content-length`.
    TooLargeChunked,
}

const JSON: (&str, &str) = ("content-type", "application/json");
const TEXT: (&str, &str) = ("content-type", "text/plain");
const NOT_FOUND: Want = Want::Service(&[404]);
const MISSING: Want = Want::Layer(&["auth_missing"]);
/// The right response to wrong credentials. Both codes are right, because a service's own verifier may treat the
/// credentials as malformed or as unknown.
const WRONG: Want = Want::Layer(&["auth_invalid", "auth_malformed"]);
const BAD_REQUEST: Want = Want::Layer(&["bad_request"]);
const WRONG_TYPE: Want = Want::Layer(&["unsupported_media_type"]);
const TOO_LARGE: Want = Want::Layer(&["payload_too_large"]);
const ULID: (&str, &str) = ("x-request-id", "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D");
const BAD_ID: (&str, &str) = ("x-request-id", "not an id");
const PROBLEM: (&str, &str) = ("accept", "application/problem+json, application/json;q=0.5");

/// The rows, in the order in which their requests are sent.
pub(super) static ROWS: &[Row] = &[
    row("not-found", "E1", NOT_FOUND),
    Row { method: Some("PROPFIND"), place: Place::Route, ..row("other-method", "R1", Want::Service(&[405, 501])) },
    Row { method: Some("HEAD"), ..row("head", "E5", NOT_FOUND) },
    Row { headers: &[PROBLEM], ..row("problem-json", "R11", NOT_FOUND) },
    Row { headers: &[BAD_ID], ..row("malformed-id", "I2", NOT_FOUND) },
    Row { headers: &[ULID], ..row("own-id", "I2", NOT_FOUND) },
    Row { headers: &[ULID, ULID], ..row("two-ids", "I2", NOT_FOUND) },
    Row { credentials: Sent::Missing, ..guard("no-credentials", "G2", MISSING) },
    Row { credentials: Sent::Malformed, ..guard("malformed-credentials", "G2", WRONG) },
    Row { credentials: Sent::Unknown, ..guard("wrong-credentials", "G2", WRONG) },
    Row { credentials: Sent::Twice, ..guard("credentials-twice", "G2", WRONG) },
    Row { credentials: Sent::Missing, place: Place::Respelt, ..guard("other-spelling", "G0", MISSING) },
    Row { required: Sent::Missing, ..guard("required-header-missing", "G1", BAD_REQUEST) },
    Row { required: Sent::Malformed, ..guard("required-header-malformed", "G1", BAD_REQUEST) },
    Row { required: Sent::Twice, ..guard("required-header-twice", "G1", BAD_REQUEST) },
    json("not-json", "G3", WRONG_TYPE, &[TEXT], Body::Text("not JSON")),
    json("two-types", "G3", WRONG_TYPE, &[JSON, TEXT], Body::Text("{}")),
    json("malformed-json", "E8", Want::Service(&[400, 422]), &[JSON], Body::Text("{\"probe\":")),
    Row { headers: &[JSON], body: Body::TooLarge, ..guard("too-large", "G4", TOO_LARGE) },
    json("too-large-chunked", "G4", TOO_LARGE, &[JSON], Body::TooLargeChunked),
    Row { place: Place::Panic, ..guard("panic", "F2", Want::Layer(&["internal_error"])) },
];

/// Creates a row that sends GET to a path that does not exist.
const fn row(name: &'static str, rule: &'static str, want: Want) -> Row {
    let (method, place, headers, body) = (Some("GET"), Place::Nowhere, &[], Body::Empty);
    Row { name, rule, want, method, place, headers, credentials: Sent::Well, required: Sent::Well, body }
}

/// Creates a row that sends a request to a route of the policy, with the route's own method.
const fn guard(name: &'static str, rule: &'static str, want: Want) -> Row {
    Row { method: None, place: Place::Route, ..row(name, rule, want) }
}

const fn json(
    name: &'static str,
    rule: &'static str,
    want: Want,
    headers: &'static [(&'static str, &'static str)],
    body: Body,
) -> Row {
    Row { place: Place::Json, headers, body, ..guard(name, rule, want) }
}
