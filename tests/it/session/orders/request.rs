//! The request, its policy, and the decision whether the service may get the request.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use error_envelope_core::session::{BodyFacts, RequestStep, Session, SessionConfig};
use http::request::Parts;
use http::{HeaderValue, Request, Version};
use tower_error_envelope::auth::{AuthScheme, Key};
use tower_error_envelope::policy::{EventStreams, RequiredHeader};
use tower_error_envelope::{Mode, Policy, RequestId};

use crate::choices::Choices;

const MODES: [Mode; 5] = [Mode::Enforce, Mode::Observe, Mode::Fill, Mode::Own, Mode::Off];

// The settings that a policy may have.
const LIMIT: usize = 1;
const HEADER: usize = 2;
const JSON: usize = 4;
const KEY: usize = 8;
const VERIFIER: usize = 16;
const OBSERVES_AUTH: usize = 32;
const STREAMS: usize = 64;
const ALL: usize = 128;

const MOST: u64 = 8;

type Lines = &'static [(&'static str, &'static str)];

const KINDS: [(&str, Lines); 11] = [
    ("GET", &[]),
    ("HEAD", &[]),
    ("GET", &[("accept", "text/event-stream")]),
    ("POST", &[]),
    ("POST", &[("content-type", "application/json")]),
    ("POST", &[("content-type", "text/plain")]),
    ("POST", &[("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "1S")]),
    ("POST", &[("content-type", "application/grpc-web+proto")]),
    ("POST", &[("content-type", "application/grpc-web-text")]),
    ("POST", &[("content-type", "application/connect+json"), ("connect-timeout-ms", "1000")]),
    ("POST", &[("content-type", "application/json"), ("connect-protocol-version", "1")]),
];

/// A request as the guards see it.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) mode: Mode,
    has: usize,
    pub(super) head: Parts,
    body: BodyFacts,
    /// True if a verifier has let it in.
    pub(super) is_granted: bool,
    /// True if its body has turned out to be empty.
    pub(super) is_empty: bool,
}

impl Guarded {
    pub(super) fn begin(choices: &mut Choices<'_>) -> (Self, Session, RequestStep) {
        let (mode, has) = (choices.below(MODES.len()), usize::from(choices.byte() & choices.byte()) % ALL);
        let (method, lines) = choices.one_of(&KINDS);
        let mut head = Request::builder().method(method).uri("/a.B/C").body(()).expect("a request").into_parts().0;
        for (name, value) in lines {
            head.headers.insert(*name, HeaderValue::from_static(value));
        }
        match choices.below(4) {
            0 | 1 => drop(head.headers.insert("authorization", HeaderValue::from_static("Bearer key"))),
            2 => drop(head.headers.insert("authorization", HeaderValue::from_static("Bearer another"))),
            _ => {}
        }
        let bits = choices.byte();
        if bits & 1 == 0 {
            head.headers.insert("x-tenant", HeaderValue::from_static("a"));
        }
        if bits & 2 != 0 {
            head.version = Version::HTTP_2;
        }
        let length = match bits >> 2 & 3 {
            0 => None,
            1 => Some(0),
            2 => Some(MOST),
            _ => Some(MOST + 1),
        };
        if let Some(length @ 1..) = length {
            head.headers.insert("content-length", length.into());
        }
        let body = BodyFacts { ended: length == Some(0), lower: length.unwrap_or(0), upper: length };
        let config = Arc::new(SessionConfig::new(policy(mode, has), || SystemTime::UNIX_EPOCH));
        let id = || RequestId::from_parts(1, 2);
        let (session, step) = if bits & 16 == 0 {
            Session::begin(config, &mut head, body, id)
        } else {
            Session::begin_copy(config, &mut head, body, id)
        };
        let guarded = Self { mode: MODES[mode], has, head, body, is_granted: false, is_empty: body.ended };
        (guarded, session, step)
    }

    /// Returns true if the mode runs the guards. Credentials are required in any mode.
    fn refuses(&self) -> bool {
        !matches!(self.mode, Mode::Observe | Mode::Off)
    }

    pub(super) fn refuses_long_bodies(&self) -> bool {
        self.refuses() && self.has(LIMIT)
    }

    /// Decides by a naive reading of G1–G4.
    pub(super) fn is_let_in(&self) -> bool {
        let is = |name: &str, value: &str| self.head.headers.get(name).is_some_and(|it| it == value);
        let has_header = !self.has(HEADER) || self.head.headers.contains_key("x-tenant");
        let has_type = !self.has(JSON)
            || self.is_empty && (self.body.ended || !self.head.headers.contains_key("content-type"))
            || is("content-type", "application/json");
        let is_in_messages = self.head.headers.get("content-type").is_some_and(|it| it != "application/json");
        let has_length = !self.has(LIMIT) || is_in_messages || self.body.lower <= MOST;
        (self.has_credentials() || self.has(OBSERVES_AUTH)) && (!self.refuses() || has_header && has_type && has_length)
    }

    /// Returns true if the request passes only because the policy observes credentials (M1).
    pub(super) fn is_let_through(&self) -> bool {
        self.has(OBSERVES_AUTH) && !self.has_credentials()
    }

    fn has_credentials(&self) -> bool {
        let has_key = self.head.headers.get("authorization").is_some_and(|it| it == "Bearer key");
        !self.has(KEY) && !self.has(VERIFIER) || self.has(KEY) && has_key || self.is_granted
    }

    fn has(&self, what: usize) -> bool {
        self.has & what != 0
    }
}

fn policy(mode: usize, has: usize) -> Arc<Policy> {
    static BUILT: [OnceLock<Arc<Policy>>; MODES.len() * ALL] = [const { OnceLock::new() }; MODES.len() * ALL];
    BUILT[mode * ALL + has].get_or_init(|| Arc::new(built(MODES[mode], |what| has & what != 0))).clone()
}

fn built(mode: Mode, has: impl Fn(usize) -> bool) -> Policy {
    let mut policy = Policy::builder().mode(mode).auth_observe(has(OBSERVES_AUTH)).json(has(JSON));
    policy = if has(LIMIT) { policy.body_limit(MOST) } else { policy.no_body_limit() };
    if has(HEADER) {
        policy = policy.header("tenant", RequiredHeader::new("x-tenant")).require_headers(["tenant"]);
    }
    let mut schemes = Vec::new();
    if has(KEY) {
        policy = policy.scheme("key", AuthScheme::bearer().key(Key::of_secret("a", "key")));
        schemes.push("key");
    }
    if has(VERIFIER) {
        policy = policy.scheme("session", AuthScheme::custom());
        schemes.push("session");
    }
    if has(STREAMS) {
        policy = policy.event_streams(EventStreams::AppendError);
    }
    policy.auth(schemes).build().expect("a policy")
}
