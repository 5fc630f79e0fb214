//! Chooses the request of a line: the first candidate that, by the policy, provokes the wanted response.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tower_error_envelope::Mode;

use super::oracle::{Oracle, Predicted};
use super::request::{ProbeRequest, SentRequest};
use super::table::{Body, Credentials, Probe, RequestPart, Required, Verb, Want, Wire};
use crate::openapi::DocumentFile;

/// The path segment that takes the place of a parameter. No service has anything under this name.
pub(super) const STAND_IN: &str = "error-envelope-probe";

/// The number of candidate requests to try before a line is skipped.
const MOST_TRIES: usize = 3;

/// The facts about the service.
pub(super) struct ServiceInfo {
    pub(super) oracle: Oracle,
    /// The Host header.
    pub(super) authority: HeaderValue,
    pub(super) routes: Vec<Route>,
    /// Headers to add to each request; the values that the user gave are never printed.
    pub(super) given: HeaderMap,
    pub(super) max_upload: u64,
    /// The document whose operations are probed.
    pub(super) document: Option<DocumentFile>,
    /// Send malformed JSON to operations that take JSON.
    pub(super) malformed_bodies: bool,
}

/// A route that may be probed.
pub(super) struct Route {
    pub(super) method: Option<Method>,
    pub(super) path: String,
    /// Whether the user named this route with `--protected`.
    pub(super) named: bool,
}

/// The request of a line, and the layer's predicted response.
pub(super) struct Planned {
    pub(super) request: ProbeRequest,
    pub(super) predicted: Predicted,
}

impl Probe {
    fn method(&self, of_route: Option<Method>) -> Method {
        match self.method {
            Verb::Get => Method::GET,
            Verb::Head => Method::HEAD,
            Verb::Options => Method::OPTIONS,
            Verb::Post => Method::POST,
            Verb::Propfind => Method::from_bytes(b"PROPFIND").unwrap_or(Method::OPTIONS),
            Verb::Route => match of_route {
                Some(method) if self.body == Body::None || takes_body(&method) => method,
                _ if self.body == Body::None => Method::GET,
                _ => Method::POST,
            },
        }
    }
}

impl ServiceInfo {
    /// The candidate requests for the probe, the most promising first, or the reason why there is none.
    pub(super) fn plan(&self, probe: &Probe) -> Result<Vec<Planned>, String> {
        let (mut planned, mut why) = (Vec::new(), None);
        for (method, path) in self.places(probe) {
            let fits = |request: ProbeRequest| match self.fits(probe, &request) {
                Ok(predicted) => Some(Planned { request, predicted }),
                Err(reason) => {
                    why = why.take().or(reason.map(|reason| format!("{} {reason}", request.line())));
                    None
                }
            };
            planned.extend(self.requests(probe, &method, &path).into_iter().find_map(fits));
        }
        // A route with a small limit comes first, because less must be sent.
        if matches!(probe.body, Body::Unsent | Body::Sent | Body::Chunked) {
            planned.sort_by_key(|planned| planned.request.body.length());
        }
        planned.truncate(MOST_TRIES);
        if planned.is_empty() {
            return Err(why.unwrap_or_else(|| format!("there is no route for it; {}", probe.otherwise)));
        }
        Ok(planned)
    }

    fn places(&self, probe: &Probe) -> Vec<(Method, String)> {
        let nowhere = || (None, format!("/{STAND_IN}/nothing"));
        // Without the guard, the service would act on such a request.
        let is_acted_on = probe.method == Verb::Route && probe.body == Body::None;
        let may_be = |route: &&Route| !is_acted_on || route.named || route.method != Some(Method::DELETE);
        let routes = || self.routes.iter().filter(may_be).map(|route| (route.method.clone(), route.path.clone()));
        let below = || routes().map(|(_, path)| (None, format!("{}/{STAND_IN}", path.trim_end_matches('/'))));
        let mut places: Vec<_> = match probe.path {
            RequestPart::Nowhere => [nowhere()].into_iter().chain(below()).collect(),
            RequestPart::Anywhere => routes().chain([nowhere()]).collect(),
            RequestPart::Json => routes().collect(),
            RequestPart::Closed => routes().filter(|(method, path)| self.is_closed(method.as_ref(), path)).collect(),
            RequestPart::Respelt => {
                routes().filter_map(|(method, path)| Some((method, other_spelling(&path)?))).collect()
            }
            RequestPart::Call => vec![(None, format!("/{STAND_IN}.v1.Nothing/Nothing"))],
        };
        if is_acted_on {
            places.sort_by_key(|(method, _)| !method.as_ref().is_none_or(Method::is_safe));
        }
        places.into_iter().map(|(method, path)| (probe.method(method), path)).collect()
    }

    /// Whether the route requires credentials for its own method.
    fn is_closed(&self, method: Option<&Method>, path: &str) -> bool {
        let method = method.unwrap_or(&Method::GET);
        path.parse::<PathAndQuery>().is_ok_and(|path| {
            let request = self.bare(method, path);
            !self.oracle.guards(&request).credentials.is_empty()
        })
    }

    /// The requests for this path: one for each credential that it reads, with sample values for required headers.
    fn requests(&self, probe: &Probe, method: &Method, path: &str) -> Vec<ProbeRequest> {
        let Ok(path) = path.parse::<PathAndQuery>() else { return Vec::new() };
        let request = self.without_samples(probe, method, path);
        let guards = self.oracle.guards(&request);
        let request = ProbeRequest { body: self.body_of(probe.body, guards.body_limit), ..request };
        let anonymous = [header::AUTHORIZATION];
        let credentials = if guards.credentials.is_empty() { &anonymous[..] } else { &guards.credentials };
        let samples = if guards.required.is_empty() { &SAMPLES[..1] } else { &SAMPLES };
        let mut filled = Vec::new();
        for (sample, name) in samples.iter().flat_map(|sample| credentials.iter().map(move |name| (sample, name))) {
            let mut request = request.clone();
            for name in &guards.required {
                require(&mut request.headers, name, sample, probe.required);
            }
            credential(&mut request.headers, name, &guards.credentials, probe.credentials);
            filled.push(request);
        }
        filled
    }

    /// The request with the headers of the probe and of the user, but without sample values.
    pub(super) fn without_samples(&self, probe: &Probe, method: &Method, path: PathAndQuery) -> ProbeRequest {
        let mut request = ProbeRequest { wire: probe.wire, ..self.bare(method, path) };
        let agent = HeaderValue::from_static(concat!("error-envelope/", env!("CARGO_PKG_VERSION")));
        request.headers.insert(header::USER_AGENT, agent);
        for (name, value) in probe.headers {
            request.headers.append(*name, HeaderValue::from_static(value));
        }
        if probe.want == Want::Below {
            fill_with_headers(&mut request.headers, probe.name);
        }
        request.headers.extend(self.given.clone());
        request
    }

    fn bare(&self, method: &Method, path: PathAndQuery) -> ProbeRequest {
        ProbeRequest {
            method: method.clone(),
            path,
            headers: HeaderMap::from_iter([(header::HOST, self.authority.clone())]),
            body: SentRequest::Nothing,
            wire: Wire::Http1,
            secret: self.given.keys().cloned().collect(),
        }
    }

    fn body_of(&self, body: Body, limit: Option<u64>) -> SentRequest {
        let over = limit.unwrap_or(u64::MAX).saturating_add(1);
        match body {
            Body::None => SentRequest::Nothing,
            Body::Text(text) => SentRequest::Text(Bytes::from_static(text.as_bytes())),
            Body::Unsent => SentRequest::Unsent(over),
            Body::Sent => SentRequest::Filled(over),
            Body::Chunked => SentRequest::Chunked(over),
        }
    }

    /// Predicts the layer's response, and returns it if the probe wants it. Otherwise the error is the reason, if it is
    /// worth reporting.
    fn fits(&self, probe: &Probe, request: &ProbeRequest) -> Result<Predicted, Option<String>> {
        self.meets(probe, request)?;
        let blocked = |reply: &http::Response<Bytes>| {
            let code = code_of(reply.headers()).unwrap_or_default();
            let advice = if code.starts_with("auth_") { CREDENTIALS } else { probe.otherwise };
            Err(Some(format!("the service would first answer {} {code}; {advice}", reply.status().as_u16())))
        };
        let predicted = self.oracle.predict(request);
        match (&predicted, probe.want) {
            (Predicted::Answer(reply), Want::Guard(codes)) => match code_of(reply.headers()) {
                Some(code) if codes.contains(&code.as_str()) => Ok(predicted),
                _ => blocked(reply),
            },
            // The body exceeds the limit without a declared length: the layer cuts it off while the service reads.
            (Predicted::Forward, Want::Guard(_)) if probe.body == Body::Chunked => Ok(predicted),
            (Predicted::Depends, Want::Guard(_)) if probe.credentials != Credentials::Given => Ok(predicted),
            (Predicted::Forward, Want::Guard(_)) => Err(None),
            (Predicted::Depends, _) => Err(Some(format!("first needs the service's own verifier; {DEPENDS}"))),
            (Predicted::Answer(_) | Predicted::Forward, Want::Rpc(_)) | (Predicted::Forward, _) => Ok(predicted),
            (Predicted::Answer(reply), Want::Service(_) | Want::Declared | Want::NoGuard | Want::Below) => {
                blocked(reply)
            }
        }
    }

    /// Checks that the request's path and method suit the probe.
    fn meets(&self, probe: &Probe, request: &ProbeRequest) -> Result<(), Option<String>> {
        let guards = self.oracle.guards(request);
        if guards.mode != Mode::Enforce {
            let mode = guards.mode.as_str();
            return Err(Some(format!(
                "is in mode {mode:?}, which keeps the shape of errors; probe again in mode \"enforce\""
            )));
        }
        if matches!(probe.body, Body::Sent | Body::Chunked) && request.body.length() > self.max_upload {
            return Err(Some(format!("needs a body of more than {} bytes; raise --max-upload", self.max_upload)));
        }
        let lacks_json = probe.path == RequestPart::Json && !guards.decodes;
        let lacks_limit = probe.body == Body::Unsent && guards.body_limit.is_none();
        let lacks_header = probe.required != Required::Given && guards.required.is_empty();
        if lacks_json || lacks_limit || lacks_header { Err(None) } else { Ok(()) }
    }
}

const CREDENTIALS: &str = "give credentials that the service accepts: --header-env NAME=VARIABLE";
const DEPENDS: &str = "give a route that needs no credentials: --json-path METHOD:PATH";

pub(super) fn code_of(headers: &HeaderMap) -> Option<String> {
    headers.get("x-error-code")?.to_str().ok().map(str::to_owned)
}

fn takes_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// Sample values for a required header: a word, a number, an id, a date.
const SAMPLES: [&str; 7] = [
    "probe-probe-probe-1",
    "probe",
    "1",
    "01JD2V5W8Z3Q4R6T8Y0A1B2C3D",
    "00000000-0000-4000-8000-000000000000",
    "2026-01-01",
    "en",
];

fn require(headers: &mut HeaderMap, name: &HeaderName, value: &'static str, required: Required) {
    let value = headers.get(name).cloned().unwrap_or_else(|| HeaderValue::from_static(value));
    match required {
        Required::Given => drop(headers.insert(name, value)),
        Required::None => drop(headers.remove(name)),
        Required::Twice => {
            headers.insert(name, value.clone());
            headers.append(name, value);
        }
    }
}

/// A key that was never issued, of characters that RFC 6750 and keys allow.
const UNKNOWN_KEY: &str = "error-envelope-probe-nobodys-key";

fn credential(headers: &mut HeaderMap, name: &HeaderName, all: &[HeaderName], credentials: Credentials) {
    let is_bearer = *name == header::AUTHORIZATION;
    let wrong = if is_bearer { "Bearer error-envelope-probe-nobodys-key" } else { UNKNOWN_KEY };
    let malformed = if is_bearer { "probe" } else { "not a key, with spaces" };
    let values = match credentials {
        Credentials::Given => return,
        Credentials::None => &[][..],
        Credentials::Malformed => &[malformed],
        Credentials::Wrong => &[wrong],
        Credentials::Twice => &[wrong; 2],
    };
    all.iter().chain([&header::AUTHORIZATION, &header::COOKIE]).for_each(|name| drop(headers.remove(name)));
    headers.extend(values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))));
}

/// The path in another spelling: `//%6frders` for `/orders`.
fn other_spelling(path: &str) -> Option<String> {
    let at = path.find(|character: char| character.is_ascii_alphanumeric())?;
    let byte = *path.as_bytes().get(at)?;
    Some(format!("/{}%{byte:02x}{}", &path[..at], &path[at + 1..]))
}

fn fill_with_headers(headers: &mut HeaderMap, name: &str) {
    const LINES: usize = 128;
    const BYTES: usize = 72 * 1024;
    match name {
        "large-head" => drop(HeaderValue::try_from("a".repeat(BYTES)).map(|value| headers.insert("x-probe", value))),
        _ => {
            for line in 0..LINES {
                if let Ok(name) = HeaderName::try_from(format!("x-probe-{line}")) {
                    headers.insert(name, HeaderValue::from_static("1"));
                }
            }
        }
    }
}
