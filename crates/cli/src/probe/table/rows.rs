//! The rows of the table of probes.

use super::{Body, Credentials, Probe, RequestPart, Required, Rpc, Verb, Want, Wire};

const JSON: (&str, &str) = ("content-type", "application/json");

const PLAIN: Probe = Probe {
    name: "",
    about: "",
    method: Verb::Get,
    path: RequestPart::Nowhere,
    headers: &[],
    credentials: Credentials::Given,
    required: Required::Given,
    body: Body::None,
    wire: Wire::Http1,
    want: Want::Service(&[404]),
    rules: &["R1"],
    otherwise: "give credentials that the service accepts: --header-env NAME=VARIABLE",
};

const PROTECTED: &str = "give a route that requires credentials: --policy FILE or --protected METHOD:PATH";
const REQUIRED: &str = "give a policy with `require_headers`: --policy FILE";
const DECODES: &str = "give a route that decodes JSON: `json = true` in the --policy FILE, or --json-path METHOD:PATH";
const LIMITED: &str = "give a route that reads a body of at most --max-upload: --json-path METHOD:PATH";
const METHODS: &str = "give a route that answers 405 to other methods: --json-path METHOD:PATH";

const WITH_ID: Probe = Probe { rules: &["I2", "R1"], ..PLAIN };

const GUARDED: Probe =
    Probe { method: Verb::Route, path: RequestPart::Anywhere, rules: &["G2"], otherwise: PROTECTED, ..PLAIN };

const WITH_HEADER: Probe = Probe {
    method: Verb::Route,
    path: RequestPart::Anywhere,
    want: Want::Guard(&["bad_request"]),
    rules: &["G1"],
    otherwise: REQUIRED,
    ..PLAIN
};

const DECODED: Probe =
    Probe { method: Verb::Route, path: RequestPart::Json, headers: &[JSON], otherwise: DECODES, ..PLAIN };

const LARGE: Probe = Probe {
    method: Verb::Route,
    path: RequestPart::Anywhere,
    headers: &[JSON],
    want: Want::Guard(&["payload_too_large"]),
    rules: &["G4", "G5"],
    otherwise: LIMITED,
    ..PLAIN
};

const CALL: Probe = Probe { method: Verb::Post, path: RequestPart::Call, ..PLAIN };

/// The probes, in the order in which they are sent.
pub(in crate::probe) static PROBES: &[Probe] = &[
    Probe { name: "not-found", about: "requests a path that does not exist", ..PLAIN },
    Probe {
        name: "other-method",
        about: "requests a route with another method",
        method: Verb::Propfind,
        path: RequestPart::Anywhere,
        want: Want::Service(&[405, 501]),
        otherwise: METHODS,
        ..PLAIN
    },
    Probe { name: "head", about: "sends HEAD", method: Verb::Head, rules: &["E5", "R1"], ..PLAIN },
    Probe {
        name: "problem-json",
        about: "requests RFC 9457",
        headers: &[("accept", "application/problem+json, application/json;q=0.5")],
        rules: &["R1", "R11"],
        ..PLAIN
    },
    Probe {
        name: "bad-id",
        about: "sends an invalid request id",
        headers: &[("x-request-id", "not an id")],
        ..WITH_ID
    },
    Probe {
        name: "own-id",
        about: "sends a well-formed request id",
        headers: &[("x-request-id", "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D")],
        ..WITH_ID
    },
    Probe {
        name: "two-ids",
        about: "sends two request ids",
        headers: &[("x-request-id", "01JD2V5W8Z3Q4R6T8Y0A1B2C3D"), ("x-request-id", "01JD2V5W8Z3Q4R6T8Y0A1B2C3E")],
        ..WITH_ID
    },
    Probe {
        name: "no-credentials",
        about: "sends no credentials",
        credentials: Credentials::None,
        want: Want::Guard(&["auth_missing"]),
        ..GUARDED
    },
    Probe {
        name: "malformed-credentials",
        about: "sends credentials without a known scheme",
        credentials: Credentials::Malformed,
        want: Want::Guard(&["auth_malformed", "auth_invalid"]),
        ..GUARDED
    },
    Probe {
        name: "wrong-credentials",
        about: "sends unknown credentials",
        credentials: Credentials::Wrong,
        want: Want::Guard(&["auth_invalid", "auth_malformed"]),
        ..GUARDED
    },
    Probe {
        name: "credentials-twice",
        about: "sends credentials twice",
        credentials: Credentials::Twice,
        want: Want::Guard(&["auth_malformed"]),
        ..GUARDED
    },
    Probe {
        name: "other-spelling",
        about: "spells a guarded path in another way",
        path: RequestPart::Respelt,
        credentials: Credentials::None,
        want: Want::Guard(&["auth_missing"]),
        rules: &["G0", "G2"],
        ..GUARDED
    },
    Probe {
        name: "preflight",
        about: "sends a browser's preflight",
        method: Verb::Options,
        path: RequestPart::Closed,
        headers: &[("origin", "https://probe.example"), ("access-control-request-method", "POST")],
        credentials: Credentials::None,
        want: Want::NoGuard,
        rules: &["G0"],
        otherwise: PROTECTED,
        ..PLAIN
    },
    Probe {
        name: "required-header-missing",
        about: "leaves a required header out",
        required: Required::None,
        ..WITH_HEADER
    },
    Probe {
        name: "required-header-twice",
        about: "sends a required header twice",
        required: Required::Twice,
        ..WITH_HEADER
    },
    Probe {
        name: "not-json",
        about: "sends text where JSON is decoded",
        headers: &[("content-type", "text/plain")],
        body: Body::Text("not JSON"),
        want: Want::Guard(&["unsupported_media_type"]),
        rules: &["G3"],
        ..DECODED
    },
    Probe {
        name: "two-types",
        about: "sends two content types",
        headers: &[JSON, ("content-type", "text/plain")],
        body: Body::Text("{}"),
        want: Want::Guard(&["unsupported_media_type"]),
        rules: &["G3"],
        ..DECODED
    },
    Probe {
        name: "malformed-json",
        about: "sends incomplete JSON",
        body: Body::Text("{\"probe\":"),
        want: Want::Service(&[400, 422]),
        rules: &["E8", "R13"],
        ..DECODED
    },
    Probe {
        name: "too-large-said",
        about: "declares a length over the limit, and waits for 100 Continue",
        body: Body::Unsent,
        rules: &["G4"],
        ..LARGE
    },
    Probe { name: "too-large-sent", about: "sends a body over the limit", body: Body::Sent, ..LARGE },
    Probe {
        name: "too-large-chunked",
        about: "sends a body over the limit without a length",
        path: RequestPart::Json,
        body: Body::Chunked,
        ..LARGE
    },
    Probe { name: "many-headers", about: "sends 128 header lines", want: Want::Below, rules: &["F5"], ..PLAIN },
    Probe { name: "large-head", about: "sends a head of 72 KiB", want: Want::Below, rules: &["F5"], ..PLAIN },
    Probe {
        name: "grpc",
        about: "calls a gRPC method that does not exist",
        headers: &[("content-type", "application/grpc"), ("te", "trailers")],
        body: Body::Text("\0\0\0\0\0"),
        wire: Wire::Http2,
        want: Want::Rpc(Rpc::Grpc),
        rules: &["P1"],
        otherwise: "serve HTTP/2: with prior knowledge if the URL begins with http, by ALPN if it begins with https",
        ..CALL
    },
    Probe {
        name: "grpc-web",
        about: "calls it with gRPC-Web",
        headers: &[("content-type", "application/grpc-web+proto"), ("x-grpc-web", "1")],
        body: Body::Text("\0\0\0\0\0"),
        want: Want::Rpc(Rpc::GrpcWeb),
        rules: &["P2"],
        ..CALL
    },
    Probe {
        name: "connect",
        about: "calls it with Connect",
        headers: &[JSON, ("connect-protocol-version", "1")],
        body: Body::Text("{}"),
        want: Want::Rpc(Rpc::Connect),
        rules: &["P3"],
        ..CALL
    },
];

/// The probe for an operation of an OpenAPI document.
pub(in crate::probe) static OPERATION: Probe =
    Probe { about: "requests an operation of the document", want: Want::Declared, rules: &[], ..PLAIN };

/// The rules of the contract that the probes check, and their text.
pub(in crate::probe) const RULES: &[(&str, &str)] = &[
    ("E1", "every error is the envelope"),
    ("E2", "codes and messages have the right form"),
    ("E3", "one id in body and header"),
    ("E4", "x-error-code and nosniff"),
    ("E5", "HEAD has no body"),
    ("E8", "invalid_request has issues"),
    ("I1", "each response has a different id"),
    ("I2", "a client's id is replaced"),
    ("G0", "guards apply to each spelling of a path; preflights pass"),
    ("G1", "required headers"),
    ("G2", "credentials"),
    ("G3", "content type"),
    ("G4", "body size"),
    ("G5", "the client can read the response"),
    ("F1", "a failure gets a response"),
    ("F4", "bodies are complete"),
    ("F5", "errors of the HTTP server itself"),
    ("R1", "status and code agree"),
    ("R6", "headers of the old body are removed"),
    ("R7", "errors are not cached"),
    ("R11", "RFC 9457 for clients that request it"),
    ("R12", "the shape that the route sets"),
    ("R13", "invalid input gets the right code"),
    ("P1", "gRPC"),
    ("P2", "gRPC-Web"),
    ("P3", "Connect"),
    ("OpenAPI", "the document declares statuses and codes"),
];
