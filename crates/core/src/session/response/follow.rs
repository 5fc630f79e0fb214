//! Follows a body that passes to the client (M1, F4, F6, section P), and then closes the record of its request (L5).

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::event_stream::EventStream;
use super::reading::Pieces;
use super::rpc_response::RpcResponse;
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::guard::body_limit::BodyFlags;
use crate::policy::ExtProcBodies;
use crate::request_id::RequestId;
use crate::session::answer::observe::ObservedError;
use crate::session::answer::outcome::{Failure, FinalFrame, ReadBytes};
use crate::session::answer::reply::{failure_by_kind, failure_of};
use crate::session::record::delivery::{Delivery, End};
use crate::session::record::notes::{Origin, UnreadReason};
use crate::session::record::request_record::{BoxError, ClosedRecord, RecordLabel, RequestRecord, SessionConfig};
use crate::session::request::body_context::BodyContext;

/// Follows a response until it is delivered, and keeps the record of its request until then. The default value has no
/// record, like a value whose record was closed.
#[derive(Debug, Default)]
pub struct Follow {
    kind: Kind,
    /// The record, if something has already been decided about the request. Nearly all requests have no record yet.
    record: Option<Box<RequestRecord>>,
}

#[derive(Debug, Default)]
enum Kind {
    Tail(BodyContext),
    Copy(Box<Copy>),
    Call(Box<RpcResponse>),
    Events(Box<EventStream>),
    #[default]
    Ended,
}

/// The copy of an error that passes (M1).
#[derive(Debug)]
struct Copy {
    observed: Box<ObservedError>,
    pieces: Pieces,
    passed: u64,
    max_bytes: u64,
    time: Duration,
    length: Option<u64>,
    until: Option<Instant>,
}

/// The parts of the body that an adapter must pass to [`Follow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The adapter passes only a failure of the body.
    Nothing,
    /// The adapter passes the data and the trailers of the body.
    Data,
    /// The adapter passes the trailers of the body.
    Trailers,
}

impl Follow {
    #[inline(always)]
    pub(in crate::session) fn tail(tail: BodyContext) -> Self {
        Self::new(Kind::Tail(tail))
    }

    /// Creates a value for a response that needs no further decision. The session wrote the response, or it is an error
    /// that passes.
    #[must_use]
    pub fn decided(record: impl Into<Box<RequestRecord>>) -> Self {
        Self { kind: Kind::Ended, record: Some(record.into()) }
    }

    #[inline(always)]
    fn new(kind: Kind) -> Self {
        Self { kind, record: None }
    }

    pub(in crate::session) fn copy(observed: Box<ObservedError>, max_bytes: u64, time: Duration) -> Self {
        let pieces = Pieces::default();
        Self::new(Kind::Copy(Box::new(Copy {
            observed,
            pieces,
            passed: 0,
            max_bytes,
            time,
            length: None,
            until: None,
        })))
    }

    /// `record` is the record of a status in the head, which holds unless the trailers have a status.
    pub(in crate::session) fn call(call: Box<RpcResponse>, record: Option<RequestRecord>) -> Self {
        Self { kind: Kind::Call(call), record: record.map(Box::new) }
    }

    pub(in crate::session) fn events(events: Box<EventStream>, record: Option<RequestRecord>) -> Self {
        Self { kind: Kind::Events(events), record: record.map(Box::new) }
    }

    /// Returns the request's id, or `None` once the record is closed.
    #[must_use]
    pub fn request_id(&self) -> Option<RequestId> {
        if let Some(record) = &self.record {
            return Some(record.request_id());
        }
        match &self.kind {
            Kind::Tail(tail) => Some(tail.id),
            Kind::Copy(copy) => Some(copy.observed.state.id),
            Kind::Call(call) => Some(call.state.id),
            Kind::Events(events) => Some(events.state.id),
            Kind::Ended => None,
        }
    }

    /// Returns the record as decided so far, or `None` if nothing has failed.
    #[must_use]
    #[inline]
    pub fn record(&self) -> Option<&RequestRecord> {
        self.record.as_deref()
    }

    /// Takes the record as decided so far. Programs that try recorded responses and deliver no responses use this
    /// method.
    #[must_use]
    pub fn into_decided(self) -> Option<RequestRecord> {
        self.record.map(|record| *record)
    }

    /// Returns the record of [`record`](Self::record), so that the caller can change it.
    #[must_use]
    pub fn record_mut(&mut self) -> Option<&mut RequestRecord> {
        self.record.as_deref_mut()
    }

    /// Returns the status of a request in which nothing has failed, and whose record has no notes. The adapter already
    /// has all other facts of such a record.
    #[must_use]
    pub fn plain_status(&self) -> Option<StatusCode> {
        let (None, Kind::Tail(tail)) = (&self.record, &self.kind) else { return None };
        tail.plain_status()
    }

    /// Returns true if the response has no body for this request, even if its head declares one.
    #[must_use]
    pub fn is_bodiless(&self) -> bool {
        let bits = match (&self.record, &self.kind) {
            (Some(record), _) => record.label.bits,
            (None, Kind::Tail(tail)) => tail.label.bits,
            (None, _) => 0,
        };
        bits & RecordLabel::BODILESS != 0
    }

    /// Returns true if the session has an observer.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        self.config().is_some_and(|config| config.observer().is_some())
    }

    /// Returns the config of the request's session.
    #[must_use]
    pub fn config(&self) -> Option<&SessionConfig> {
        match (&self.record, &self.kind) {
            (Some(record), _) => Some(&record.config),
            (None, Kind::Tail(tail)) => Some(&tail.config),
            (None, Kind::Copy(copy)) => Some(&copy.observed.state.config),
            (None, Kind::Call(call)) => Some(&call.state.config),
            (None, Kind::Events(events)) => Some(&events.state.config),
            (None, Kind::Ended) => None,
        }
    }

    /// Returns true if the client left before it had sent its whole request, and the body did not fail before that.
    /// Such a client ends the request to the service, and so the response (F1a).
    fn has_client_left(&self) -> bool {
        let has_failed = self.record().is_some_and(|record| record.label.bits & RecordLabel::BROKEN != 0);
        !has_failed && self.flags().is_some_and(|flags| flags.has(BodyFlags::LEFT))
    }

    fn flags(&self) -> Option<&BodyFlags> {
        match (&self.record, &self.kind) {
            (Some(record), _) => record.label.flags.as_ref(),
            (None, Kind::Tail(tail)) => tail.label.flags.as_ref(),
            (None, Kind::Copy(copy)) => copy.observed.state.flags.as_ref(),
            (None, Kind::Call(call)) => call.state.flags.as_ref(),
            (None, Kind::Events(events)) => events.state.flags.as_ref(),
            (None, Kind::Ended) => None,
        }
    }

    /// Returns the parts of the body that the adapter must pass to this value.
    #[must_use]
    pub fn needs(&self) -> Needs {
        match &self.kind {
            Kind::Tail(_) | Kind::Ended => Needs::Nothing,
            Kind::Call(call) if !call.reads_data() => Needs::Trailers,
            Kind::Copy(_) | Kind::Call(_) | Kind::Events(_) => Needs::Data,
        }
    }

    /// The adapter calls this method when the head is sent. The time limit of a body that is copied begins with this
    /// call. `length` returns the exact length that the body reports.
    pub fn begin(&mut self, length: impl FnOnce() -> Option<u64>, now: impl FnOnce() -> Instant) {
        if let Kind::Copy(copy) = &mut self.kind {
            (copy.until, copy.length) = (Some(now() + copy.time), length());
        }
    }

    /// Returns true if the response is an RPC call that can still end with an error when the client's time limit
    /// passes.
    #[must_use]
    pub fn can_time_out(&self) -> bool {
        if let Kind::Call(call) = &self.kind { call.can_end() } else { false }
    }

    /// The adapter calls this method when the client's time limit for the call has passed. Returns the last frame if
    /// the call can still end properly.
    pub fn timed_out(&mut self) -> Option<FinalFrame> {
        let call = self.take_call(|call| !call.ended)?;
        Some(self.ended_with(call.timed_out()))
    }

    /// The adapter calls this method when the meter has reported that the request's body is over its limit. If the
    /// response is an RPC call, the call ends with that error (G4), and this method returns its last frame.
    pub fn overran(&mut self) -> Option<FinalFrame> {
        let has_status = self.record.is_some();
        let call = self.take_call(|_| !has_status)?;
        Some(self.ended_with(call.overran()))
    }

    fn take_call(&mut self, is_due: impl FnOnce(&RpcResponse) -> bool) -> Option<Box<RpcResponse>> {
        match std::mem::replace(&mut self.kind, Kind::Ended) {
            Kind::Call(call) if is_due(&call) => Some(call),
            kind => {
                self.kind = kind;
                None
            }
        }
    }

    fn ended_with(&mut self, (last, record): (FinalFrame, RequestRecord)) -> FinalFrame {
        self.note(Some(record));
        if let (FinalFrame::BrokenOff, Some(record)) = (&last, &mut self.record) {
            record.label.bits |= RecordLabel::BROKEN;
        }
        last
    }

    /// The adapter calls this method for each chunk, which the method may change. `last` is true if the body reports
    /// that it ends with this chunk, because the server then does not poll it again.
    #[inline]
    pub fn data(&mut self, data: &mut Bytes, last: bool, now: impl FnOnce() -> Instant) {
        let record = match &mut self.kind {
            Kind::Tail(_) | Kind::Ended => None,
            Kind::Copy(copy) => {
                copy.passed = copy.passed.saturating_add(data.len() as u64);
                if copy.passed <= copy.max_bytes {
                    copy.pieces.push(data.clone());
                }
                if last || copy.length == Some(copy.passed) { self.end_copy(true, now) } else { None }
            }
            Kind::Call(call) => call.response_data(data),
            Kind::Events(events) => {
                if let Some(changed) = events.response_data(data) {
                    *data = changed;
                }
                None
            }
        };
        self.note(record);
    }

    /// The adapter calls this method for the trailers, which the method may change.
    pub fn trailers(&mut self, trailers: &mut HeaderMap, now: impl FnOnce() -> Instant) {
        let record = match &mut self.kind {
            Kind::Tail(_) | Kind::Ended => None,
            Kind::Copy(_) => self.end_copy(true, now),
            Kind::Call(call) => {
                let record = call.response_trailers(trailers);
                if call.reads_status_of(trailers) {
                    self.record = None;
                }
                record
            }
            Kind::Events(events) => {
                events.ended = true;
                None
            }
        };
        self.note(record);
    }

    /// The adapter calls this method when the body has ended.
    pub fn end(&mut self, now: impl FnOnce() -> Instant) {
        let record = match &mut self.kind {
            Kind::Copy(_) => self.end_copy(true, now),
            Kind::Call(call) if self.record.is_none() => call.end(),
            Kind::Tail(_) | Kind::Call(_) | Kind::Events(_) | Kind::Ended => None,
        };
        self.note(record);
    }

    /// The adapter calls this method when the whole body of an error that is copied is in memory.
    pub fn whole(&mut self, body: &Bytes) {
        let Kind::Copy(copy) = &mut self.kind else { return };
        let is_long = body.len() as u64 > copy.max_bytes;
        let record = copy.observed.finish(if is_long { ReadBytes::Part(body) } else { ReadBytes::Whole(body) });
        self.kind = Kind::Ended;
        self.note(Some(record));
    }

    /// Returns true if the body is an error that is copied.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        matches!(self.kind, Kind::Copy(_))
    }

    /// Returns true if the body is an error that is copied, and that an external processor reads in `enforce` only if
    /// its length is declared.
    #[must_use]
    pub fn needs_length(&self) -> bool {
        let Kind::Copy(copy) = &self.kind else { return false };
        copy.observed.state.settings.ext_proc_bodies == ExtProcBodies::Head
    }

    /// The adapter calls this method if it does not get the body of an error that should be copied.
    pub fn unreadable(&mut self) {
        let Kind::Copy(copy) = &mut self.kind else { return };
        let mut record = copy.observed.finish(ReadBytes::Part(&[]));
        record.note_unread(Some(UnreadReason::NotShown));
        self.kind = Kind::Ended;
        self.note(Some(record));
    }

    /// The adapter calls this method if the body may have broken off, and if its proxy would replace such an error while
    /// `enforce` waits for the rest.
    pub fn broke_off_at_proxy(&mut self, now: impl FnOnce() -> Instant) {
        let Kind::Copy(copy) = &mut self.kind else { return };
        let record = copy.broke_off_at_proxy(now());
        self.kind = Kind::Ended;
        self.note(Some(record));
    }

    /// Classifies the body's error (F1). This runs user code. The error is borrowed because its drop may panic. The
    /// classifier is called only if the client may get its fault.
    ///
    /// # Panics
    ///
    /// Panics if the classifier or the error's `source` panics.
    #[must_use]
    pub fn classify(&self, error: &(dyn Error + 'static)) -> Option<Failure> {
        match &self.kind {
            Kind::Call(call) => Some(failure_of(&call.state, error)),
            Kind::Events(events) => Some(failure_of(&events.state, error)),
            Kind::Tail(_) | Kind::Copy(_) | Kind::Ended => {
                let broken = self.flags().and_then(BodyFlags::cause).map(|_| Fault::new(ErrorCode::BAD_REQUEST));
                self.config().map(|config| failure_by_kind(config, error, broken))
            }
        }
    }

    /// The adapter calls this method when the body failed or panicked ([`Failure::panicked`]). Returns the last frame.
    /// If `failure` is `None`, the upstream broke off.
    pub fn failed(&mut self, failure: Option<Failure>, cause: BoxError, now: impl FnOnce() -> Instant) -> FinalFrame {
        if self.has_client_left() && failure.as_ref().is_none_or(|failure| failure.origin != Origin::Panic) {
            let left = self.take_record(true, || None);
            self.note(left);
            return FinalFrame::BrokenOff;
        }
        let upstream = || Failure::new(Fault::new(ErrorCode::OTHER), Origin::Error);
        let begun = failure.clone().unwrap_or_else(upstream).of_begun_body();
        let of_request = if begun.origin == Origin::Error { self.flags().and_then(BodyFlags::cause) } else { None };
        let cause = of_request.map_or(cause, Into::into);
        if let Kind::Copy(_) = &self.kind {
            let record = self.end_copy(false, now);
            self.note(record);
        }
        let last = match (std::mem::replace(&mut self.kind, Kind::Ended), failure) {
            (Kind::Call(call), Some(failure)) if self.record.is_none() && !call.ended => {
                let (last, record) = call.failed(failure, cause);
                self.note(Some(record));
                self.note_broken(None);
                return last;
            }
            (Kind::Call(mut call), _) => {
                self.record.get_or_insert_with(|| Box::new(call.state.take_body_context().into_record()));
                FinalFrame::BrokenOff
            }
            (Kind::Events(mut events), _) => {
                let last = events.failed(&begun);
                self.record.get_or_insert_with(|| Box::new(events.state.take_body_context().into_record()));
                last
            }
            (Kind::Tail(context), _) => {
                self.record = Some(Box::new(context.into_record()));
                FinalFrame::BrokenOff
            }
            (Kind::Copy(_) | Kind::Ended, _) => FinalFrame::BrokenOff,
        };
        self.note_broken(Some((begun, cause)));
        last
    }

    fn note_broken(&mut self, why: Option<(Failure, BoxError)>) {
        if let Some(record) = &mut self.record {
            record.note_broken(why.map(|(failure, cause)| (failure.origin, failure.fault.code().clone(), cause)));
        }
    }

    /// The adapter calls this method when the drop of the body panicked with this text.
    pub fn note_panic(&mut self, text: Option<Box<str>>) {
        if text.is_none() {
            return;
        }
        if self.record.is_none() {
            self.record = self.take_record(true, || None).map(Box::new);
        }
        if let Some(record) = &mut self.record {
            record.note_panic(text);
        }
    }

    /// Notes that the proxy has handed the request to no connection to the service.
    pub fn note_not_called(&mut self) {
        if let Some(record) = &mut self.record {
            record.note_not_called();
        }
    }

    /// Closes the record, once.
    pub fn close(&mut self, mut delivery: Delivery, now: impl FnOnce() -> Instant) -> Option<ClosedRecord> {
        if delivery.end == End::ServiceBrokeOff && self.has_client_left() {
            delivery.end = End::ClientLeft;
        }
        let record = match self.record.take() {
            Some(record) => *record,
            None => self.take_record(delivery.end.is_early(), || Some(now()))?,
        };
        self.kind = Kind::Ended;
        Some(record.close(delivery))
    }

    /// Takes the record of a body that is not followed further.
    fn take_record(&mut self, left: bool, now: impl FnOnce() -> Option<Instant>) -> Option<RequestRecord> {
        match std::mem::take(&mut self.kind) {
            Kind::Tail(context) => Some(context.into_record()),
            Kind::Copy(copy) if left => Some(copy.left()),
            Kind::Copy(copy) => Some(copy.end(false, now())),
            Kind::Call(call) if left && !call.ended => Some(call.abandoned()),
            Kind::Call(mut call) => Some(call.end().unwrap_or_else(|| call.state.take_body_context().into_record())),
            Kind::Events(mut events) => Some(events.state.take_body_context().into_record()),
            Kind::Ended => None,
        }
    }

    fn end_copy(&mut self, whole: bool, now: impl FnOnce() -> Instant) -> Option<RequestRecord> {
        match std::mem::take(&mut self.kind) {
            Kind::Copy(copy) => Some(copy.end(whole, Some(now()))),
            kind => {
                self.kind = kind;
                None
            }
        }
    }

    /// Keeps only the first record, because a request has one record (L5).
    #[inline]
    fn note(&mut self, record: Option<RequestRecord>) {
        if let (Some(record), None) = (record, &self.record) {
            self.record = Some(Box::new(record));
        }
    }

    /// Returns true if the call ends with trailers. The adapter must then not report the end of the body before the
    /// trailers.
    #[must_use]
    pub fn awaits_trailers(&self) -> bool {
        if let Kind::Call(call) = &self.kind { call.awaits_trailers() } else { false }
    }

    /// Notes that the adapter cannot add a last frame to the body, so a call that fails breaks off.
    pub fn forbid_last_frame(&mut self) {
        if let Kind::Call(call) = &mut self.kind {
            call.may_grow = false;
        }
    }

    /// Returns true if the length that the body reports may be wrong, because a last frame may be appended.
    #[must_use]
    pub fn has_no_length(&self) -> bool {
        match &self.kind {
            Kind::Call(call) => call.may_grow,
            Kind::Events(_) => true,
            Kind::Tail(_) | Kind::Copy(_) | Kind::Ended => false,
        }
    }
}

impl Copy {
    /// Returns the record of an error whose client left before the end of the body. The record follows from the part of
    /// the body that has passed.
    fn left(mut self) -> RequestRecord {
        self.observed.finish(ReadBytes::Part(&self.pieces.into_bytes()))
    }

    fn broke_off_at_proxy(&mut self, now: Instant) -> RequestRecord {
        let is_late = self.until.is_some_and(|until| now >= until);
        let mut record =
            if is_late { self.observed.finish(ReadBytes::Part(&[])) } else { self.observed.replaced_by_proxy() };
        record.note_unread(Some(if is_late { UnreadReason::TooLate } else { UnreadReason::BrokeOff }));
        record
    }

    fn end(mut self, whole: bool, now: Option<Instant>) -> RequestRecord {
        let bytes = self.pieces.into_bytes();
        let is_late = || self.until.zip(now).is_some_and(|(until, now)| now >= until);
        let unread = match () {
            () if self.passed > self.max_bytes => Some(UnreadReason::TooLong),
            () if !whole => Some(UnreadReason::BrokeOff),
            () if is_late() => Some(UnreadReason::TooLate),
            () => None,
        };
        let read = if unread.is_none() { ReadBytes::Whole(&bytes) } else { ReadBytes::Part(&bytes) };
        let mut record = self.observed.finish(read);
        record.note_unread(unread);
        record
    }
}
