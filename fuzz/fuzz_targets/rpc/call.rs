//! The request, with its protocol, its policy and its body.

use std::sync::Arc;
use std::time::SystemTime;

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use error_envelope_core::session::{BodyFacts, RequestStep, Session, SessionConfig};
use http::{HeaderValue, Request, Version};
use tower_error_envelope::{Mode, Policy, RequestId, RouteRule};

use crate::choices::Choices;

pub(crate) const ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Protocol {
    Grpc,
    Web,
    WebText,
    ConnectUnary,
    ConnectStream,
    Http,
    /// No protocol is stated, so the layer decides.
    Unsaid,
}

#[derive(Debug)]
pub(crate) struct RpcCall {
    pub(crate) protocol: Protocol,
    pub(crate) http2: bool,
    pub(crate) mode: Mode,
    pub(crate) limit: Option<u64>,
    media_type: Option<HeaderValue>,
    timeout: Option<HeaderValue>,
}

const TYPES: [(&str, Protocol); 14] = [
    ("application/grpc", Protocol::Grpc),
    ("Application/GRPC+Proto; x=y", Protocol::Grpc),
    ("application/grpc+thrift", Protocol::Grpc),
    ("application/grpc-web", Protocol::Web),
    ("application/grpc-web+json", Protocol::Web),
    ("application/grpc-web-text", Protocol::WebText),
    ("application/grpc-web-text+proto", Protocol::WebText),
    ("application/json", Protocol::ConnectUnary),
    ("application/proto", Protocol::ConnectUnary),
    ("application/connect+json", Protocol::ConnectStream),
    ("application/connect+proto", Protocol::ConnectStream),
    ("application/json", Protocol::Http),
    ("application/grpcx", Protocol::Http),
    ("", Protocol::Unsaid),
];
const MODES: [Mode; 5] = [Mode::Enforce, Mode::Fill, Mode::Own, Mode::Observe, Mode::Off];

impl RpcCall {
    pub(crate) fn chosen(choices: &mut Choices<'_>) -> Self {
        let (media_type, protocol) = choices.one_of(&TYPES);
        let media_type = if protocol == Protocol::Unsaid { choices.bytes() } else { media_type.as_bytes() };
        Self {
            protocol,
            http2: choices.yes(),
            mode: choices.one_of(&MODES),
            limit: choices.one_of(&[Some(8), Some(64), Some(0), None]),
            media_type: HeaderValue::from_bytes(media_type).ok(),
            timeout: choices.yes().then(|| HeaderValue::from_bytes(choices.bytes()).ok()).flatten(),
        }
    }

    /// Returns the session of such a request.
    pub(crate) fn begin(&self, is_empty: bool) -> (Session, RequestStep) {
        let route = RouteRule::new("/{*all}").mode(self.mode);
        let route = match self.limit {
            Some(limit) => route.body_limit(limit).body_limit_per(tower_error_envelope::policy::BodyLimitPer::Message),
            None => route.no_body_limit(),
        };
        let policy = Policy::builder().route(route).build().expect("a policy");
        let request = Request::post("/a.B/C").version(if self.http2 { Version::HTTP_2 } else { Version::HTTP_11 });
        let (mut head, ()) = request.body(()).expect("a request").into_parts();
        if let Some(media_type) = &self.media_type {
            head.headers.insert("content-type", media_type.clone());
        }
        if let Some(timeout) = &self.timeout {
            head.headers.insert("grpc-timeout", timeout.clone());
            head.headers.insert("connect-timeout-ms", timeout.clone());
        }
        if self.protocol == Protocol::ConnectUnary {
            head.headers.insert("connect-protocol-version", HeaderValue::from_static("1"));
        }
        let facts = BodyFacts { ended: is_empty, ..BodyFacts::default() };
        let id = || ID.parse::<RequestId>().expect("an id");
        Session::begin(Arc::new(SessionConfig::new(policy, || SystemTime::UNIX_EPOCH)), &mut head, facts, id)
    }

    pub(crate) fn rewrites(&self) -> bool {
        self.mode == Mode::Enforce
    }

    /// Returns true if guards may refuse the request.
    pub(crate) fn guards(&self) -> bool {
        !matches!(self.mode, Mode::Off | Mode::Observe)
    }
}

impl Protocol {
    pub(crate) fn is_grpc(self) -> bool {
        matches!(self, Self::Grpc | Self::Web | Self::WebText)
    }
}

/// Returns chunks of a body, which are whole messages or any other bytes.
pub(crate) fn body(choices: &mut Choices<'_>, protocol: Protocol) -> Vec<Bytes> {
    let chunk = |choices: &mut Choices<'_>| {
        if choices.yes() {
            return Bytes::copy_from_slice(choices.bytes());
        }
        let flags = choices.one_of(&[0, 1, 0x80, 2, 0x7b]);
        let payload = choices.bytes();
        let message = [&[flags, 0, 0, 0, payload.len() as u8][..], payload].concat();
        if protocol == Protocol::WebText { BASE64_STANDARD.encode(message).into() } else { message.into() }
    };
    (0..choices.below(8)).map(|_| chunk(choices)).collect()
}
