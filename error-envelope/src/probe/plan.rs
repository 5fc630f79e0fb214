//! Which request a line sends: the first candidate that, by the policy, provokes what the line asks.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tower_error_envelope::Mode;

use super::oracle::{Oracle, Predicted};
use super::request::{ProbeRequest, SentRequest};
use super::table::{Body, Credentials, Probe, RequestPart, Required, Verb, Want, Wire};

/// The segment that stands for whatever a route takes, and is no path of any service's.
pub(super) const STAND_IN: &str = "error-envelope-probe";

/// So many candidates are asked before a line is given up.
const MOST_TRIES: usize = 3;

/// What is known of the service.
pub(super) struct ServiceInfo {
    pub(super) oracle: Oracle,
    /// The Host header.
    pub(super) authority: HeaderValue,
    pub(super) routes: Vec<Route>,
    /// Header lines that each request has; those that are the user's own are not told.
    pub(super) given: HeaderMap,
    pub(super) max_upload: u64,
}

/// A route that may be asked.
pub(super) struct Route {
    pub(super) method: Option<Method>,
    pub(super) path: String,
    /// The user asks for it by --protected.
    pub(super) named: bool,
}

/// What a line sends, and what the layer would answer.
pub(super) struct Planned {
    pub(super) asked: ProbeRequest,
    pub(super) predicted: Predicted,
}

impl ServiceInfo {
    /// The requests that may ask what the probe asks, the likeliest first; or why there is none.
    pub(super) fn plan(&self, probe: &Probe) -> Result<Vec<Planned>, String> {
        let (mut planned, mut why) = (Vec::new(), None);
        for (method, path) in self.places(probe) {
            for asked in self.requests(probe, &method, &path) {
                match self.fits(probe, &asked) {
                    Ok(predicted) => {
                        planned.push(Planned { asked, predicted });
                        break;
                    }
                    Err(reason) => why = why.or(reason.map(|reason| format!("{} {reason}", asked.line()))),
                }
            }
        }
        // The smaller the limit, the less has to be sent.
        if matches!(probe.body, Body::Unsent | Body::Sent | Body::Chunked) {
            planned.sort_by_key(|planned| planned.asked.body.length());
        }
        planned.truncate(MOST_TRIES);
        match (planned.is_empty(), why) {
            (false, _) => Ok(planned),
            (true, Some(why)) => Err(why),
            (true, None) => Err(format!("no route is known for it; {}", probe.otherwise)),
        }
    }

    fn places(&self, probe: &Probe) -> Vec<(Method, String)> {
        let nowhere = || (None, format!("/{STAND_IN}/nothing"));
        // A service whose guard is not there does as it is asked.
        let is_acted_on = probe.method == Verb::Route && probe.body == Body::None;
        let may_be = |route: &&Route| !is_acted_on || route.named || route.method != Some(Method::DELETE);
        let routes = || self.routes.iter().filter(may_be).map(|route| (route.method.clone(), route.path.clone()));
        let below = || routes().map(|(_, path)| (None, format!("{}/{STAND_IN}", path.trim_end_matches('/'))));
        let mut places: Vec<_> = match probe.path {
            RequestPart::Nowhere => [nowhere()].into_iter().chain(below()).collect(),
            RequestPart::Anywhere => routes().chain([nowhere()]).collect(),
            RequestPart::Json => routes().collect(),
            RequestPart::Closed => routes().filter(|(method, path)| self.is_closed(method.as_ref(), path)).collect(),
            RequestPart::Respelt => routes().filter_map(|(method, path)| Some((method, respelt(&path)?))).collect(),
            RequestPart::Call => vec![(None, format!("/{STAND_IN}.v1.Nothing/Nothing"))],
        };
        if is_acted_on {
            places.sort_by_key(|(method, _)| !method.as_ref().is_none_or(Method::is_safe));
        }
        let method_of = |of_route: Option<Method>| match probe.method {
            Verb::Get => Method::GET,
            Verb::Head => Method::HEAD,
            Verb::Options => Method::OPTIONS,
            Verb::Post => Method::POST,
            Verb::Propfind => Method::from_bytes(b"PROPFIND").unwrap_or(Method::OPTIONS),
            Verb::Route => match of_route {
                Some(method) if probe.body == Body::None || takes_body(&method) => method,
                _ if probe.body == Body::None => Method::GET,
                _ => Method::POST,
            },
        };
        places.into_iter().map(|(method, path)| (method_of(method), path)).collect()
    }

    /// Whether the route asks for credentials by its own method.
    fn is_closed(&self, method: Option<&Method>, path: &str) -> bool {
        let method = method.unwrap_or(&Method::GET);
        path.parse::<PathAndQuery>().is_ok_and(|path| {
            let asked = self.bare(method, path);
            !self.oracle.guards(&asked).credentials.is_empty()
        })
    }

    /// One for each credential that the place reads, with values that required headers may take.
    fn requests(&self, probe: &Probe, method: &Method, path: &str) -> Vec<ProbeRequest> {
        let Ok(path) = path.parse::<PathAndQuery>() else { return Vec::new() };
        let mut asked = ProbeRequest { wire: probe.wire, ..self.bare(method, path) };
        asked.headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("error-envelope/", env!("CARGO_PKG_VERSION"))),
        );
        for (name, value) in probe.headers {
            asked.headers.append(*name, HeaderValue::from_static(value));
        }
        if probe.want == Want::Below {
            crowd(&mut asked.headers, probe.name);
        }
        asked.headers.extend(self.given.clone());
        let guards = self.oracle.guards(&asked);
        asked.body = self.body(probe.body, guards.body_limit);
        let mut filled = Vec::new();
        for value in SAMPLES {
            let mut asked = asked.clone();
            for name in &guards.required {
                require(&mut asked.headers, name, value, probe.required);
            }
            let credentials = match guards.credentials.is_empty() {
                true => vec![header::AUTHORIZATION],
                false => guards.credentials.clone(),
            };
            filled.extend(credentials.iter().map(|name| {
                let mut asked = asked.clone();
                credential(&mut asked.headers, name, &guards.credentials, probe.credentials);
                asked
            }));
            if guards.required.is_empty() {
                break;
            }
        }
        filled
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

    fn body(&self, body: Body, limit: Option<u64>) -> SentRequest {
        let over = limit.unwrap_or(u64::MAX).saturating_add(1);
        match body {
            Body::None => SentRequest::Nothing,
            Body::Text(text) => SentRequest::Text(Bytes::from_static(text.as_bytes())),
            Body::Unsent => SentRequest::Unsent(over),
            Body::Sent => SentRequest::Filled(over),
            Body::Chunked => SentRequest::Chunked(over),
        }
    }

    /// What the layer would answer, where that is what the probe asks; else what stands in the way, if that is worth a word.
    fn fits(&self, probe: &Probe, asked: &ProbeRequest) -> Result<Predicted, Option<String>> {
        let guards = self.oracle.guards(asked);
        if guards.mode != Mode::Enforce {
            let mode = guards.mode.as_str();
            return Err(Some(format!("is in mode {mode:?}, where answers keep their shape; ask again in \"enforce\"")));
        }
        if matches!(probe.body, Body::Sent | Body::Chunked) && asked.body.length() > self.max_upload {
            return Err(Some(format!("needs a body of more than {} bytes; raise --max-upload", self.max_upload)));
        }
        if probe.path == RequestPart::Json && !guards.decodes
            || probe.body == Body::Unsent && guards.body_limit.is_none()
        {
            return Err(None);
        }
        if probe.required != Required::Given && guards.required.is_empty() {
            return Err(None);
        }
        let blocked = |reply: &http::Response<Bytes>| {
            let code = code_of(reply.headers()).unwrap_or_default();
            let advice = if code.starts_with("auth_") { CREDENTIALS } else { probe.otherwise };
            Err(Some(format!("would be answered with {} {code} first; {advice}", reply.status().as_u16())))
        };
        let predicted = self.oracle.predict(asked);
        match (&predicted, probe.want) {
            (Predicted::Answer(reply), Want::Guard(codes)) => {
                let code = code_of(&reply.headers().clone());
                if code.is_some_and(|code| codes.contains(&code.as_str())) {
                    return Ok(predicted);
                }
                blocked(reply)
            }
            // Over the limit without a length: the layer cuts it while the service reads.
            (Predicted::Forward, Want::Guard(_)) if probe.body == Body::Chunked => Ok(predicted),
            (Predicted::Depends, Want::Guard(_)) if probe.credentials != Credentials::Given => Ok(predicted),
            (Predicted::Forward, Want::Guard(_)) => Err(None),
            (Predicted::Depends, _) => Err(Some(format!("asks a verifier of the service's own first; {DEPENDS}"))),
            (Predicted::Answer(reply), Want::Service(_) | Want::NoGuard | Want::Below) => blocked(reply),
            (Predicted::Forward, Want::Service(_) | Want::NoGuard | Want::Below | Want::Rpc(_))
            | (Predicted::Answer(_), Want::Rpc(_)) => Ok(predicted),
        }
    }
}

const CREDENTIALS: &str = "give credentials that the service takes: --header-env NAME=VARIABLE";
const DEPENDS: &str = "name a route that asks none: --json-path METHOD:PATH";

pub(super) fn code_of(headers: &HeaderMap) -> Option<String> {
    headers.get("x-error-code")?.to_str().ok().map(str::to_owned)
}

fn takes_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// What a required header may take: a word, a number, an id, a date.
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

/// Of no key that was ever given out, in the alphabets of RFC 6750 and of keys.
const NOBODYS: &str = "error-envelope-probe-nobodys-key";

fn credential(headers: &mut HeaderMap, name: &HeaderName, all: &[HeaderName], credentials: Credentials) {
    if credentials == Credentials::Given {
        return;
    }
    for name in all.iter().chain([&header::AUTHORIZATION, &header::COOKIE]) {
        headers.remove(name);
    }
    let is_bearer = *name == header::AUTHORIZATION;
    let wrong = if is_bearer { "Bearer error-envelope-probe-nobodys-key" } else { NOBODYS };
    let malformed = if is_bearer { "probe" } else { "not a key, with spaces" };
    match credentials {
        Credentials::Given | Credentials::None => {}
        Credentials::Malformed => drop(headers.insert(name, HeaderValue::from_static(malformed))),
        Credentials::Wrong => drop(headers.insert(name, HeaderValue::from_static(wrong))),
        Credentials::Twice => {
            headers.insert(name, HeaderValue::from_static(wrong));
            headers.append(name, HeaderValue::from_static(wrong));
        }
    }
}

/// `/orders` as `//%6frders`.
fn respelt(path: &str) -> Option<String> {
    let at = path.find(|character: char| character.is_ascii_alphanumeric())?;
    let byte = *path.as_bytes().get(at)?;
    Some(format!("/{}%{byte:02x}{}", &path[..at], &path[at + 1..]))
}

fn crowd(headers: &mut HeaderMap, name: &str) {
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
