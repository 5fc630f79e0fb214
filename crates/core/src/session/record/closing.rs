//! Closes the record of a request: what the delivery decides about the response that was sent, and about the origin of
//! the failure (L1, L5, F1a, F2).

use std::ops::Deref;

use super::body_capture::BodyCapture;
use super::delivery::{Delivery, End, Outcome, ServiceAnswer, ServiceBody};
use super::notes::Origin;
use super::request_record::{BoxError, Cause, ClosedRecord, RecordLabel, RequestRecord};
use crate::code::ErrorCode;

impl RequestRecord {
    /// Closes the record. `delivery` is the part of the delivery that the adapter observed. The delivery decides what
    /// was sent, and who ended the request.
    #[must_use]
    pub fn close(mut self, mut delivery: Delivery) -> ClosedRecord {
        // A client that left before it had sent its request reads no answer, even if the server accepted the whole
        // answer (F1a).
        if self.origin == Some(Origin::Abandoned) && delivery.end == End::Complete {
            delivery = Delivery { head_sent: false, end: End::ClientLeft, ..delivery };
        }
        if !delivery.head_sent {
            self.sent = None;
            delivery.response_bytes = delivery.response_bytes.map(|_| 0);
        }
        if self.sent.is_none()
            && let Some(notes) = &mut self.notes
        {
            notes.captured = notes.captured.take().and_then(BodyCapture::unsent);
        }
        if delivery.end.is_early() {
            // An outer layer logs the end, so the refusal stays the only event of this layer.
            if !self.is_nested() {
                self.set_aside_refusal();
            }
            // In mode `off`, the error of a service has no origin until its delivery ends early. Only the outermost
            // layer logs such an end, because no layer has decided about the error (L1).
            let is_inner = delivery.head_sent && self.is_inner_error() && !self.is_nested();
            self.origin.get_or_insert(match delivery.end {
                _ if is_inner => Origin::Inner,
                End::Malformed => Origin::Error,
                _ => Origin::Abandoned,
            });
        }
        if delivery.end == End::Malformed {
            self.cause.get_or_insert_with(|| Cause::Error("the request's stream broke the rules of HTTP/2".into()));
        }
        ClosedRecord { record: self, delivery }
    }

    /// Notes that the body broke off after the head was made, and why. An error keeps its own origin, code and cause,
    /// but a panic replaces the origin.
    pub(in crate::session) fn note_broken(&mut self, why: Option<(Origin, ErrorCode, BoxError)>) {
        self.label.bits |= RecordLabel::BROKEN;
        if let Some(service) = &mut self.label.service
            && service.body == ServiceBody::Whole
        {
            service.body = ServiceBody::BrokeOff;
        }
        let Some((origin, code, cause)) = why else { return };
        // In mode `off`, the error of a service has no origin until it breaks off.
        let is_error = self.is_inner_error();
        self.set_aside_refusal();
        if self.origin.is_none() || origin == Origin::Panic {
            self.origin = Some(if is_error && origin != Origin::Panic { Origin::Inner } else { origin });
        }
        if let Some(sent) = &mut self.sent
            && sent.outcome() == Outcome::Ok
        {
            sent.code.get_or_insert(code);
            // A unary call of Connect succeeds only if its body is complete, so a status of OK is removed.
            sent.grpc = sent.grpc.filter(|grpc| *grpc != 0);
        }
        self.cause.get_or_insert(Cause::Error(cause));
    }

    /// Notes a panic of the body, if there was one (F2). The panic replaces the origin of an error or a fault that the
    /// service sent. Any other earlier failure keeps its origin.
    #[inline]
    pub fn note_panic(&mut self, panic: Option<Box<str>>) {
        if let Some(panic) = panic
            && matches!(self.origin, None | Some(Origin::Inner | Origin::Fault))
        {
            self.origin = Some(Origin::Panic);
            self.cause.get_or_insert_with(|| Cause::Error(String::from(panic).into()));
        }
    }

    /// Removes the origin of a refusal that was only observed, because this refusal is not the failure of the request.
    /// The code of the refusal becomes one of the other codes.
    fn set_aside_refusal(&mut self) {
        if self.origin == Some(Origin::Guard)
            && let Some(refusal) = &self.would_be
        {
            self.notes.get_or_insert_default().also.extend(refusal.code.clone());
            (self.origin, self.cause) = (None, None);
        }
    }

    fn is_inner_error(&self) -> bool {
        let is_failed_call = |service: &ServiceAnswer| service.grpc.is_some_and(|status| status != 0);
        self.service().is_some_and(|service| service.status.as_u16() >= 400 || is_failed_call(service))
    }
}

impl ClosedRecord {
    /// Returns the delivery of the response.
    #[must_use]
    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Returns how the request ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let broke = self.label.bits & RecordLabel::BROKEN != 0;
        match (self.delivery.end, &self.sent) {
            (End::ClientLeft, _) => Outcome::ClientLeft,
            (End::Malformed, _) => Outcome::ClientError,
            (End::ServiceBrokeOff | End::Stalled | End::Stopped, _) => Outcome::Broken,
            (_, Some(_)) if broke => Outcome::Broken,
            (_, Some(sent)) => sent.outcome(),
            (End::Unknown, None) => Outcome::Unknown,
            (_, None) => Outcome::ClientLeft,
        }
    }

    /// Takes the cause out of the record after every view of it is written, because dropping the cause may run user code.
    pub fn take_cause(&mut self) -> Option<Cause> {
        self.record.take_cause()
    }
}

impl Deref for ClosedRecord {
    type Target = RequestRecord;

    fn deref(&self) -> &RequestRecord {
        &self.record
    }
}
