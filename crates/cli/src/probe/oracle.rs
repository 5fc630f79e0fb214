//! Predicts the layer's response with the layer itself: its decisions need no I/O.

use std::sync::Arc;

use bytes::Bytes;
use error_envelope_core::exchange::{Admission, BodyFacts, Exchange, ExchangeConfig, LocalReply};
use error_envelope_core::policy::Guards;
use error_envelope_runtime as runtime;
use http::request::Parts;
use http::{Request, Response, Version};
use tower_error_envelope::{ErrorCode, Fault, Policy};

use super::request::{ProbeRequest, SentRequest};
use super::table::Wire;

/// The layer under the policy that the service is assumed to have.
pub(super) struct Oracle(Arc<ExchangeConfig>);

/// The predicted outcome of a request.
pub(super) enum Predicted {
    /// The layer answers it.
    Answer(Box<Response<Bytes>>),
    /// The service gets the request.
    Forward,
    /// The service's own verifier decides.
    Depends,
}

impl Predicted {
    /// The layer's own response, if the layer answers.
    pub(super) fn reply(&self) -> Option<&Response<Bytes>> {
        match self {
            Self::Answer(reply) => Some(reply),
            Self::Forward | Self::Depends => None,
        }
    }
}

impl Oracle {
    pub(super) fn new(policy: Policy) -> Self {
        Self(Arc::new(ExchangeConfig::new(policy, runtime::now)))
    }

    pub(super) fn policy(&self) -> &Policy {
        self.0.policy()
    }

    pub(super) fn guards(&self, request: &ProbeRequest) -> Guards {
        self.policy().guards_of(&head_of(request))
    }

    pub(super) fn predict(&self, request: &ProbeRequest) -> Predicted {
        match self.begin(request) {
            Admission::Answer(answered) => Predicted::Answer(Box::new(answered.reply)),
            Admission::Forward(..) | Admission::Peek(..) => Predicted::Forward,
            Admission::Verify(..) => Predicted::Depends,
        }
    }

    /// An error with this code, as the client of this request would get it.
    pub(super) fn model(&self, request: &ProbeRequest, code: ErrorCode) -> Option<Response<Bytes>> {
        match self.begin(request) {
            Admission::Answer(answered) => Some(answered.reply),
            Admission::Forward(exchange, ..) => {
                let fault = Fault::new(code);
                let failure = exchange.failure_of(&fault);
                let LocalReply { reply, .. } = exchange.failed(failure, Box::new(fault));
                Some(reply)
            }
            Admission::Peek(..) | Admission::Verify(..) => None,
        }
    }

    /// The client's request id, if the policy keeps it (I2).
    pub(super) fn kept_id(&self, request: &ProbeRequest) -> Option<String> {
        let fresh = runtime::new_request_id();
        let Admission::Forward(exchange, ..) = self.begin_with(request, fresh) else { return None };
        let id = exchange.request_id();
        (id != fresh).then(|| id.to_string())
    }

    fn begin(&self, request: &ProbeRequest) -> Admission {
        self.begin_with(request, runtime::new_request_id())
    }

    fn begin_with(&self, request: &ProbeRequest, id: tower_error_envelope::RequestId) -> Admission {
        let length = request.body.length();
        let upper = (!matches!(request.body, SentRequest::Chunked(_))).then_some(length);
        let ended = matches!(request.body, SentRequest::Nothing);
        let facts = BodyFacts { ended, lower: upper.unwrap_or(0), upper };
        Exchange::begin(Arc::clone(&self.0), &mut head_of(request), facts, || id)
    }
}

/// The head as a server would pass it to the layer.
fn head_of(request: &ProbeRequest) -> Parts {
    let mut head = Request::new(()).into_parts().0;
    head.method = request.method.clone();
    head.uri = request.path.clone().into();
    head.version = match request.wire {
        Wire::Http1 => Version::HTTP_11,
        Wire::Http2 => Version::HTTP_2,
    };
    head.headers = request.headers.clone();
    if let Some((name, value)) = request.body.framing() {
        head.headers.insert(name, value);
    }
    head
}
