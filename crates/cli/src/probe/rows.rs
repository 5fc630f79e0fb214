//! The table of probes: a row is a request, and the answer that the contract gives it.

pub(super) struct Row {
    pub(super) name: &'static str,
    /// The rule of the contract that the row is about.
    pub(super) rule: &'static str,
    pub(super) want: Want,
    /// `None` for the route's own method.
    pub(super) method: Option<&'static str>,
    pub(super) place: Place,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) credentials: Sent,
    pub(super) required: Sent,
    pub(super) body: Body,
}

/// The right answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// An error that the layer itself writes, with one of these codes.
    Layer(&'static [&'static str]),
    /// The service's own answer, with one of these statuses. Another status shows nothing about the row.
    Service(&'static [u16]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A path that does not exist.
    Nowhere,
    /// A route of the policy, else the path that does not exist.
    Route,
    /// A route that decodes JSON.
    Json,
    /// A route, with its path in another spelling.
    Respelt,
    /// The path of `--panic-path`.
    Panic,
}

/// How a header is sent that a guard checks: credentials, or a required header.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// The user's credentials; a sample for a required header.
    Well,
    Missing,
    Malformed,
    /// Well formed, but never issued.
    Unknown,
    Twice,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Empty,
    Text(&'static str),
    /// One byte over the limit, with a declared length.
    TooLarge,
    /// One byte over the limit, without one.
    TooLargeChunked,
}

const JSON: (&str, &str) = ("content-type", "application/json");
const TEXT: (&str, &str) = ("content-type", "text/plain");
const NOT_FOUND: Want = Want::Service(&[404]);
const MISSING: Want = Want::Layer(&["auth_missing"]);
/// A service's own verifier tells malformed from unknown by its own rules.
const WRONG: Want = Want::Layer(&["auth_invalid", "auth_malformed"]);
const BAD_REQUEST: Want = Want::Layer(&["bad_request"]);
const WRONG_TYPE: Want = Want::Layer(&["unsupported_media_type"]);
const TOO_LARGE: Want = Want::Layer(&["payload_too_large"]);
const ULID: (&str, &str) = ("x-request-id", "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D");
const BAD_ID: (&str, &str) = ("x-request-id", "not an id");
const PROBLEM: (&str, &str) = ("accept", "application/problem+json, application/json;q=0.5");

/// The rows, in the order in which they are sent.
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

/// A GET of a path that does not exist.
const fn row(name: &'static str, rule: &'static str, want: Want) -> Row {
    let (method, place, headers, body) = (Some("GET"), Place::Nowhere, &[], Body::Empty);
    Row { name, rule, want, method, place, headers, credentials: Sent::Well, required: Sent::Well, body }
}

/// A request to a route, with its own method.
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
