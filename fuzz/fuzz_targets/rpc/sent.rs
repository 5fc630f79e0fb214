//! Checks an error that the layer wrote. Its client can read it, and a second pass changes nothing.

use std::time::Instant;

use error_envelope_core::session::{Follow, LocalReply, RequestStep, ResponseStep};
use http::{HeaderMap, StatusCode};

use crate::call::{ID, Protocol, RpcCall};
use crate::reading;

pub(crate) struct Sent {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Sent {
    pub(crate) fn from_reply(answered: LocalReply) -> Self {
        let (head, body) = answered.reply.into_parts();
        Self::new(head.status, head.headers, &body)
    }

    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: &[u8]) -> Self {
        Self { status, headers, body: body.to_vec() }
    }

    pub(crate) fn code(&self) -> &str {
        self.headers["x-error-code"].to_str().expect("a code")
    }

    pub(crate) fn check(&self, call: &RpcCall) {
        let Self { status, headers, body } = self;
        assert_eq!(headers["x-request-id"], ID);
        match call.protocol {
            Protocol::Grpc | Protocol::Web | Protocol::WebText => {
                assert_eq!((*status, &**body), (StatusCode::OK, &b""[..]), "{call:?}");
                assert!(!headers.contains_key("content-length"));
                reading::grpc(headers);
            }
            Protocol::ConnectUnary => {
                assert!(status.is_client_error() || status.is_server_error());
                reading::connect(body);
            }
            Protocol::ConnectStream => {
                assert_eq!(*status, StatusCode::OK);
                let messages = reading::messages(body, false).expect("messages");
                let [(2, payload)] = &messages[..] else { panic!("{messages:?}") };
                reading::end_stream(payload);
            }
            Protocol::Http => assert!(body.starts_with(b"{\"error\":{\"code\":\"")),
            Protocol::Unsaid => return,
        }
        if call.rewrites() && call.protocol != Protocol::Http {
            self.check_again(call);
        }
    }

    /// Checks that a layer around this one does not change the error (E7).
    fn check_again(&self, call: &RpcCall) {
        let (mut session, RequestStep::Forward(..)) = call.begin(true) else { panic!("a call without a body") };
        let (mut head, ()) = http::Response::new(()).into_parts();
        (head.status, head.headers) = (self.status, self.headers.clone());
        let body = self.body.clone().into();
        match session.respond_whole(&mut head, &body) {
            ResponseStep::Pass(follow) if follow.record().is_some() => {
                assert!(call.protocol.is_grpc() && status_of(&follow).is_some());
            }
            ResponseStep::Resume(_, _, follow) => assert!(status_of(&follow).is_some()),
            ResponseStep::Pass(mut follow) => {
                let mut data = body.clone();
                follow.data(&mut data, false, Instant::now);
                assert!(data == body && status_of(&follow).is_some(), "an end");
            }
            step => panic!("{step:?}"),
        }
        assert_eq!((head.status, head.headers), (self.status, self.headers.clone()));
    }
}

/// Returns the status of a call that has ended with an error.
fn status_of(follow: &Follow) -> Option<u8> {
    follow.record()?.grpc_status()
}
