//! An error that the layer wrote: its client reads it, and a second pass changes nothing.

use std::time::Instant;

use error_envelope_core::session::{LocalReply, Note, RequestStep, ResponseStep};
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

    /// E7: a layer around this one leaves it as it is.
    fn check_again(&self, call: &RpcCall) {
        let (mut session, RequestStep::Forward(..)) = call.begin(true) else { panic!("a call without a body") };
        let (mut head, ()) = http::Response::new(()).into_parts();
        (head.status, head.headers) = (self.status, self.headers.clone());
        let body = self.body.clone().into();
        match session.respond_whole(&mut head, &body) {
            ResponseStep::Pass(_, Note::Event(event)) => {
                assert!(call.protocol.is_grpc() && event.grpc_status().is_some())
            }
            ResponseStep::Resume(_, _, event) => assert!(event.grpc_status().is_some()),
            ResponseStep::Pass(mut follow, _) => {
                let mut data = body.clone();
                let event = follow.data(&mut data, false, Instant::now).expect("an end");
                assert!(data == body && event.grpc_status().is_some());
                assert!(follow.dropped(false, Instant::now).is_none(), "the call has ended");
            }
            step => panic!("{step:?}"),
        }
        assert_eq!((head.status, head.headers), (self.status, self.headers.clone()));
    }
}
