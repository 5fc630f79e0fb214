//! The responses of RPC calls. A status that the service sends passes unchanged, and is logged. If a call fails after
//! its head, it ends in the way that its protocol defines (P1–P3, F4).

use std::borrow::Cow;
use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::code::ErrorCode;
use crate::dialect::coding::Coding;
use crate::dialect::grpc::GRPC_STATUS_DETAILS_BIN;
use crate::dialect::rich::RpcError;
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::dialect::{coding, connect, grpc};
use crate::fault::Fault;
use crate::fields::X_ERROR_CODE;
use crate::grpc_messages::{self, COMPRESSED, DecodedItem, END_STREAM, MessageDecoder, MessagePrefix, TRAILERS};
use crate::policy::Mode;
use crate::session::answer::body;
use crate::session::answer::body::ErrorForm;
use crate::session::answer::head::code_value;
use crate::session::answer::observe::observed_refusal;
use crate::session::answer::outcome::{Failure, FinalFrame};
use crate::session::answer::refusals::{note_refusals, refusal_before_failure};
use crate::session::answer::reply::client_timeout;
use crate::session::record::delivery::SentStatus;
use crate::session::record::notes::Origin;
use crate::session::record::request_record::{BoxError, Cause, RequestRecord};
use crate::session::request::facts::RequestFlags;
use crate::session::request::state::RequestState;

/// A call whose response has begun.
///
/// An adapter passes all data of the response through this value.
#[derive(Debug)]
pub(in crate::session) struct RpcResponse {
    pub(in crate::session) state: RequestState,
    rpc: Rpc,
    /// The decoder of messages, if the call ends with a message in the body.
    frames: Option<MessageDecoder>,
    /// The received part of the message that ends the call, and true if the message is compressed.
    last: Option<(Vec<u8>, bool)>,
    coding: Option<Coding>,
    /// True if the layer may append one more message, because no length is declared.
    pub(in crate::session) may_grow: bool,
    /// True if the call has ended. Later bytes do not belong to the call.
    pub(in crate::session) ended: bool,
}

/// The maximum length, in bytes, of a last message that is read for the log. No server accepts a head that is longer
/// than this.
const MAX_LAST: usize = 16 * 1024;

impl RpcResponse {
    pub(in crate::session) fn boxed(state: RequestState, rpc: Rpc) -> Box<Self> {
        Box::new(Self { state, rpc, frames: None, last: None, coding: None, may_grow: false, ended: false })
    }

    /// Sets up the decoder for the body that follows the head.
    pub(in crate::session) fn begin_body(&mut self, headers: &HeaderMap, may_grow: bool) {
        self.may_grow = may_grow;
        if !matches!(self.rpc, Rpc::Grpc(_)) {
            self.frames = Some(MessageDecoder::new(self.rpc.is_text()));
            self.coding = coding::of_messages(headers, &self.rpc.encoding_header());
        }
    }

    /// Returns true if the call may end within the body, so that [`RpcResponse::response_data`] must receive the body.
    /// Otherwise the call ends in trailers.
    #[must_use]
    pub(in crate::session) fn reads_data(&self) -> bool {
        self.frames.is_some() && !self.ended
    }

    /// Inspects a chunk of the body. If the chunk ends the call although the request's body was cut off, an error
    /// replaces the end of the call.
    pub(in crate::session) fn response_data(&mut self, data: &mut Bytes) -> Option<RequestRecord> {
        if self.ended || self.frames.is_none() || data.is_empty() {
            return None;
        }
        let failure = self.cut_failure_for_client().filter(|_| self.may_grow);
        // Few calls get another end, so base64 text is decoded only for those calls.
        if (failure.is_some() || self.state.ids_of_layers().is_some())
            && let Some((chunk, at)) = self.last_frame_in(data)
        {
            let (before, end) = chunk.split_at(at);
            if let Some(Failure { fault, origin, .. }) = failure {
                let (last, record) = self.end_with(&fault, origin, None);
                *data = self.joined_with_end(before, last);
                return Some(record);
            }
            if let Some(replaced) = self.with_own_id(end) {
                let replaced = self.joined_with_end(before, self.as_sent(replaced));
                // Base64 with padding in its middle may have another length. This is allowed only if no length was
                // declared.
                if self.may_grow || replaced.len() == data.len() {
                    *data = replaced;
                }
            }
        }
        self.read(data)
    }

    /// Inspects the trailers of the body. If the request's body was cut off, the error of this cut replaces the
    /// trailers.
    pub(in crate::session) fn response_trailers(&mut self, trailers: &mut HeaderMap) -> Option<RequestRecord> {
        if self.ended || !matches!(self.rpc, Rpc::Grpc(_)) {
            return None;
        }
        self.ended = true;
        if let Some(Failure { fault, origin, .. }) = self.cut_failure_for_client() {
            *trailers = self.trailers(&fault);
            return Some(self.failure(&fault, origin, None));
        }
        // Over HTTP/1, a server sends no trailers to a client that does not take them.
        let arrives = self.state.request.has(RequestFlags::TRAILERS);
        self.state.note_grpc(grpc::number(trailers).filter(|_| arrives));
        // Parsing the whole status would be costly, and a status of OK has nothing to report.
        let mut failed = if grpc::is_success(trailers) { None } else { self.failed_call(trailers) };
        if let (false, Some(sent)) = (arrives, failed.as_mut().and_then(|record| record.sent.as_mut())) {
            sent.grpc = None;
        }
        if failed.is_none() && self.is_observed() {
            return self.refusal();
        }
        failed
    }

    /// Returns true if the client reads the status of these trailers, which it prefers to a status in the head.
    pub(in crate::session) fn reads_status_of(&self, trailers: &HeaderMap) -> bool {
        let is_grpc = matches!(self.rpc, Rpc::Grpc(_)) && self.state.request.has(RequestFlags::TRAILERS);
        is_grpc && grpc::number(trailers).is_some()
    }

    fn failed_call(&mut self, trailers: &mut HeaderMap) -> Option<RequestRecord> {
        let record = {
            let reported = grpc::read(trailers)?;
            note_refusals(&mut self.state);
            self.state.rpc_failure(&reported, self.status())?
        };
        replace_layer_id(&self.state, trailers);
        Some(record)
    }

    /// Called when the body has ended. The call ends as well, so that the client can no longer cancel the call.
    pub(in crate::session) fn end(&mut self) -> Option<RequestRecord> {
        self.ended = true;
        self.refusal()
    }

    /// Returns the record of a refusal that a guard only observed, for a call without an error (M1).
    fn refusal(&mut self) -> Option<RequestRecord> {
        let status = self.status();
        observed_refusal(&mut self.state, status)
    }

    /// Returns the status that the service sent in the head.
    fn status(&self) -> StatusCode {
        self.state.service.map_or(StatusCode::OK, |service| service.status)
    }

    /// Called when the body failed because of `cause`. Returns the last frame, and the record.
    pub(in crate::session) fn failed(mut self, failure: Failure, cause: BoxError) -> (FinalFrame, RequestRecord) {
        let cut = self.state.why_body_was_cut();
        let would_be = refusal_before_failure(&mut self.state).filter(|_| cut.is_none());
        let cause = if cut.is_some() { None } else { Some(cause) };
        let Failure { fault, origin, .. } = cut.unwrap_or(failure);
        let fault = &self.state.with_policy_settings(fault, origin);
        let would_end = self.is_observed() && self.could_end();
        let last = match self.rpc {
            _ if !self.can_end() => FinalFrame::BrokenOff,
            Rpc::Grpc(_) => FinalFrame::Trailers(self.trailers(fault)),
            _ => {
                let (last, record) = self.end_with(fault, origin, cause);
                return (FinalFrame::Data(last), RequestRecord { would_be, ..record });
            }
        };
        let mut record = RequestRecord { would_be, ..self.failure(fault, origin, cause) };
        if let (FinalFrame::BrokenOff, Some(sent)) = (&last, &mut record.sent) {
            if would_end {
                record.would_be.get_or_insert_with(|| sent.clone());
            }
            sent.grpc = None;
        }
        (last, record)
    }

    /// Called when the call took longer than its client waits.
    pub(in crate::session) fn timed_out(self) -> (FinalFrame, RequestRecord) {
        let (failure, cause) = client_timeout();
        self.failed(failure, cause)
    }

    /// Ends a call because its meter reported that the request's body was cut off. Adapters that need not wait for the
    /// service's response call this method (G4, P1).
    pub(in crate::session) fn overran(self) -> (FinalFrame, RequestRecord) {
        self.failed(Failure::new(Fault::new(ErrorCode::BAD_REQUEST), Origin::Guard), "the request was cut".into())
    }

    /// Called when the client cancelled a call that has not ended (F2).
    pub(in crate::session) fn abandoned(mut self) -> RequestRecord {
        let would_be = refusal_before_failure(&mut self.state);
        let sent = Some(SentStatus::new(self.status()));
        RequestRecord { would_be, ..self.state.take_record(Origin::Abandoned, None, sent) }
    }

    /// Returns true if the call can be ended properly now.
    #[must_use]
    pub(in crate::session) fn can_end(&self) -> bool {
        self.could_end() && !self.is_observed()
    }

    /// Returns true if an enforcing mode could end the call properly now. The body must be between two messages, and its
    /// length must not be declared.
    fn could_end(&self) -> bool {
        let between = match self.rpc {
            Rpc::Grpc(_) => self.state.request.has(RequestFlags::TRAILERS),
            _ => self.frames.as_ref().is_some_and(MessageDecoder::is_between_messages),
        };
        // After a body that is shorter than its declared length, no trailers can follow (RFC 9113 §8.1.1).
        between && self.may_grow && !self.ended
    }

    /// Returns true if the status of the call will come in trailers. The sender then polls for the next frame, instead
    /// of checking whether the body has ended. Over HTTP/1, a body with a declared length has no trailers. In the modes
    /// `observe` and `off`, the body is polled as it would be without the layer.
    #[must_use]
    pub(in crate::session) fn awaits_trailers(&self) -> bool {
        let is_grpc = matches!(self.rpc, Rpc::Grpc(_));
        is_grpc && self.may_grow && !self.ended && self.state.changes_responses()
    }

    fn is_observed(&self) -> bool {
        self.state.settings.mode == Mode::Observe
    }

    /// Returns the last message of the call, and the record.
    fn end_with(&mut self, fault: &Fault, origin: Origin, cause: Option<BoxError>) -> (Bytes, RequestRecord) {
        self.ended = true;
        let frame = match self.rpc {
            // The head was sent before the error existed, so the last message must contain the code.
            Rpc::ConnectStream(_) => self.with_error(fault, |error| connect::end_stream(error, true)),
            _ => grpc::trailer_frame(&self.trailers(fault)),
        };
        (self.as_sent(frame), self.failure(fault, origin, cause))
    }

    fn as_sent(&self, frame: Vec<u8>) -> Bytes {
        if self.rpc.is_text() { STANDARD.encode(frame).into() } else { frame.into() }
    }

    fn trailers(&self, fault: &Fault) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        self.with_error(fault, |error| grpc::write(error, &mut trailers));
        trailers.insert(X_ERROR_CODE, code_value(fault.code()));
        trailers
    }

    fn with_error<T>(&self, fault: &Fault, write: impl FnOnce(&RpcError<'_>) -> T) -> T {
        let status = Status::of_error(fault.code(), fault.status());
        body::with_error(&ErrorForm::new(&self.state), fault, status, fault.headers(), write)
    }

    fn failure(&self, fault: &Fault, origin: Origin, cause: Option<BoxError>) -> RequestRecord {
        let grpc = Some(Status::of_error(fault.code(), fault.status()).number());
        RequestRecord {
            cause: cause.map(Cause::Error).or_else(|| Cause::of_fault(fault)),
            sent: Some(SentStatus { status: self.status(), grpc, code: Some(fault.code().clone()) }),
            ..self.state.record(origin)
        }
    }

    /// Returns the decoded chunk, and the position of the call's last frame in it. Returns `None` if the chunk does not
    /// end with that frame.
    fn last_frame_in<'d>(&self, data: &'d [u8]) -> Option<(Cow<'d, [u8]>, usize)> {
        let begun = self.frames.as_ref()?.payload_left()?;
        let chunk = if self.rpc.is_text() { Cow::Owned(grpc_messages::decode(data)?) } else { Cow::Borrowed(data) };
        let at = grpc_messages::last_message(&chunk, begun)?;
        self.is_last(chunk[at]).then_some((chunk, at))
    }

    /// Returns the end of the call, joined to the messages that came before it in the same chunk.
    fn joined_with_end(&self, before: &[u8], last: Bytes) -> Bytes {
        if before.is_empty() { last } else { [self.as_sent(before.to_vec()), last].concat().into() }
    }

    /// Returns the reason why the request's body was cut off. Returns `None` in mode `observe`, where the client does
    /// not get the reason.
    fn cut_failure_for_client(&self) -> Option<Failure> {
        if self.is_observed() { None } else { self.state.why_body_was_cut() }
    }

    /// Returns the last message with the id of the outermost layer, if an inner layer has put its own id into it (E7).
    fn with_own_id(&self, last: &[u8]) -> Option<Vec<u8>> {
        let (theirs, ours) = self.state.ids_of_layers()?;
        match self.rpc {
            Rpc::ConnectStream(_) => connect::with_other_id(last, theirs, ours),
            _ => grpc::frame_with_other_id(last, theirs, ours),
        }
    }

    fn is_last(&self, flags: u8) -> bool {
        let flag = if matches!(self.rpc, Rpc::ConnectStream(_)) { END_STREAM } else { TRAILERS };
        flags & flag != 0
    }

    fn read(&mut self, data: &[u8]) -> Option<RequestRecord> {
        let mut frames = self.frames.take()?;
        let read = frames.read(data, &mut |piece| {
            match piece {
                DecodedItem::Prefix(prefix) if self.is_last(prefix.flags) => self.begin_last(prefix),
                DecodedItem::Payload(payload) => self.keep_last(payload),
                DecodedItem::Prefix(_) => {}
            }
            ControlFlow::Continue(())
        });
        // A body that is not a sequence of messages has no end that could be read.
        self.frames = read.is_ok().then_some(frames);
        let is_whole = self.frames.as_ref().is_some_and(MessageDecoder::is_between_messages);
        let (last, compressed) = self.last.take_if(|_| is_whole)?;
        self.ended = true;
        let last =
            if compressed { coding::decoded(self.coding.as_slice(), &last, MAX_LAST as u64) } else { Some(last) };
        note_refusals(&mut self.state);
        last.and_then(|last| self.last_record(&last)).or_else(|| self.refusal())
    }

    fn begin_last(&mut self, prefix: MessagePrefix) {
        let last = Vec::with_capacity(MAX_LAST.min(prefix.length as usize));
        self.last = Some((last, prefix.flags & COMPRESSED != 0));
    }

    fn keep_last(&mut self, payload: &[u8]) {
        if let Some((last, _)) = &mut self.last {
            let room = MAX_LAST - last.len();
            last.extend_from_slice(&payload[..payload.len().min(room)]);
        }
    }

    fn last_record(&mut self, last: &[u8]) -> Option<RequestRecord> {
        let reported = match self.rpc {
            Rpc::ConnectStream(_) => connect::read_end_stream(last)?.unwrap_or_else(grpc::ReportedStatus::ok),
            _ => grpc::read_trailer_frame(last)?,
        };
        let is_web = matches!(self.rpc, Rpc::Web(_) | Rpc::WebText(_));
        let sent = if is_web { grpc::number_in_trailer_frame(last) } else { None };
        self.state.note_grpc(sent.or(Some(reported.status.number())));
        self.state.rpc_failure(&reported, self.status())
    }
}

/// Puts the id of the outermost layer into the details of a status, if an inner layer has put its own id there (E7).
pub(in crate::session) fn replace_layer_id(state: &RequestState, headers: &mut HeaderMap) {
    let Some((theirs, ours)) = state.ids_of_layers() else { return };
    if let Some(details) = headers.get_mut(GRPC_STATUS_DETAILS_BIN)
        && let Some(replaced) = grpc::with_other_id(details.as_bytes(), theirs, ours)
    {
        *details = replaced;
    }
}
