//! The gRPC service, which handles a stream of messages for each request.

use std::pin::Pin;

use error_envelope_core::loader::PolicyLoader;
use error_envelope_runtime::{FilterPolicy, KeyFetcher, PolicyHandle, RequestMetrics};
use futures_util::{Stream, stream};
use tonic::{Request, Response, Status, Streaming};

use crate::proto::external_processor_server::ExternalProcessor;
use crate::proto::{ProcessingRequest, ProcessingResponse};
use crate::stream::ProcessingStream;

/// Returns a loader for the policies of a processor. The loader has no verifier in Rust, and fetches key sets.
pub fn policy_loader() -> PolicyLoader {
    FilterPolicy::loader().key_sets(|url| Ok(KeyFetcher::shared().keys(url)))
}

/// The gRPC service with the policy, which every stream shares.
#[derive(Clone)]
pub(crate) struct PolicyService {
    handle: PolicyHandle,
    metrics: RequestMetrics,
}

type Messages = Pin<Box<dyn Stream<Item = Result<ProcessingResponse, Status>> + Send>>;

impl PolicyService {
    pub(crate) fn new(handle: PolicyHandle) -> Self {
        Self { handle, metrics: RequestMetrics::default() }
    }
}

#[tonic::async_trait]
impl ExternalProcessor for PolicyService {
    type ProcessStream = Messages;

    async fn process(&self, request: Request<Streaming<ProcessingRequest>>) -> Result<Response<Messages>, Status> {
        let stream = ProcessingStream::new(self.handle.clone(), self.metrics.clone());
        Ok(Response::new(Box::pin(replies(stream, request.into_inner()))))
    }
}

/// Returns the replies to these messages. The last reply is an error. If the stream ended without an error before a
/// verdict, Envoy would let the request pass (V4).
pub(crate) fn replies(
    stream: ProcessingStream,
    messages: impl Stream<Item = Result<ProcessingRequest, Status>> + Unpin + Send,
) -> impl Stream<Item = Result<ProcessingResponse, Status>> + Send {
    // The state is boxed, since each reply moves it.
    stream::unfold(Some(Box::new((stream, messages))), |state| async {
        let mut state = state?;
        let (stream, messages) = &mut *state;
        let ended = || Err(Status::aborted("the stream has ended"));
        let reply = stream.next(messages).await.unwrap_or_else(ended);
        let next = reply.is_ok().then_some(state);
        Some((reply, next))
    })
}
