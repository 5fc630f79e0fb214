//! The response on its way to the client, as an adapter moves it.

use std::io;
use std::time::Instant;

use bytes::Bytes;
use error_envelope_core::session::{
    Delivery, End as SeenEnd, Failure, FinalFrame, Follow, Needs, Outcome, Reading, ResponseStep, Session, UnreadReason,
};
use http::{HeaderMap, response};
use tower_error_envelope::Mode;

use crate::call::{ID, Protocol, RpcCall};
use crate::inner::{End, Inner};
use crate::metered::{Cut, Metered};
use crate::reading;
use crate::sent::Sent;

pub(crate) fn check(call: &RpcCall, inner: &Inner, mut session: Session, mut metered: Metered<'_>, late: &[Bytes]) {
    let mut head = inner.head();
    let cut = metered.cut;
    match session.respond(&mut head, || inner.facts()) {
        ResponseStep::Send(reply) => replaced(call, inner, cut, Sent::from_reply(*reply)),
        _ if cut.is_some() => panic!("a body that was cut is answered: {call:?}"),
        ResponseStep::Write(written) => rewritten(call, inner, head, &written.body),
        ResponseStep::Read(reading) => collected(call, inner, session, reading, head, metered, late),
        ResponseStep::Pass(mut follow) if follow.is_copy() => {
            follow.whole(&inner.whole().into());
            assert!(follow.record().is_some() && call.mode == Mode::Observe);
        }
        ResponseStep::Pass(follow) if follow.needs() != Needs::Nothing => {
            metered.take(late);
            metered.end(late.is_empty());
            Followed { call, inner, cut: metered.cut, sent: Vec::new(), ended: false }.all(follow);
        }
        ResponseStep::Pass(..) | ResponseStep::Strip(..) => passed(call, inner, &head),
        step @ (ResponseStep::Resume(..) | ResponseStep::Broken) => panic!("{step:?}"),
    }
}

fn replaced(call: &RpcCall, inner: &Inner, cut: Option<Cut>, sent: Sent) {
    assert!(cut.is_some(), "{:?}", inner.status);
    sent.check(call);
    let code = match cut {
        Some(Cut::TooLong) => "payload_too_large",
        Some(Cut::NoMessages) => "bad_request",
        _ => return,
    };
    assert_eq!(sent.code(), code);
}

fn rewritten(call: &RpcCall, inner: &Inner, head: response::Parts, body: &[u8]) {
    if call.protocol.is_grpc()
        && head.headers.get("x-error-code") == inner.headers.get("x-error-code")
        && body.is_empty()
    {
        // This is the service's own status, or the code of an inner layer.
        assert!(head.headers.contains_key("grpc-status") && head.status.is_success());
        return;
    }
    Sent::new(head.status, head.headers, body).check(call);
}

fn collected(
    call: &RpcCall,
    inner: &Inner,
    mut session: Session,
    mut reading: Reading,
    mut head: response::Parts,
    mut metered: Metered<'_>,
    late: &[Bytes],
) {
    metered.take(late);
    let read = if matches!(inner.end, End::Whole) {
        reading.whole(inner.whole().into())
    } else {
        let _ = reading.data(inner.whole().into(), Instant::now);
        reading.stop(UnreadReason::BrokeOff)
    };
    match session.decide(&mut head, read) {
        ResponseStep::Write(written) => rewritten(call, inner, head, &written.body),
        ResponseStep::Send(reply) => replaced(call, inner, metered.cut, Sent::from_reply(*reply)),
        ResponseStep::Resume(..) => passed(call, inner, &head),
        step => panic!("{step:?}"),
    }
}

fn passed(call: &RpcCall, inner: &Inner, head: &response::Parts) {
    assert_eq!((head.status, &head.headers["x-request-id"]), (inner.status, &ID.parse().expect("a value")));
    let is_error = (400..=599).contains(&inner.status.as_u16());
    assert!(!(call.rewrites() && call.protocol.is_grpc() && is_error), "a gRPC client reads an error of HTTP's");
}

/// A call whose response has begun.
struct Followed<'a> {
    call: &'a RpcCall,
    inner: &'a Inner,
    cut: Option<Cut>,
    sent: Vec<u8>,
    /// True if the service's own end has passed.
    ended: bool,
}

impl Followed<'_> {
    fn all(mut self, mut follow: Follow) {
        for chunk in &self.inner.body {
            let (mut data, needs) = (chunk.clone(), follow.needs());
            follow.data(&mut data, false, Instant::now);
            self.ended |= follow.needs() != needs;
            self.sent.extend_from_slice(&data);
            if data != *chunk {
                assert!(self.cut.is_some() && self.call.guards());
                return self.expect_end();
            }
        }
        if let (Some(trailers), End::Whole) = (&self.inner.trailers, self.inner.end) {
            let mut shown = trailers.clone();
            follow.trailers(&mut shown, Instant::now);
            if shown != *trailers {
                assert!(self.cut.is_some() && self.call.guards());
                reading::grpc(&shown);
            }
        }
        self.end(follow);
    }

    fn end(self, mut follow: Follow) {
        let error = io::Error::other("a secret");
        let failed = |follow: &mut Follow, failure, cause| {
            follow.failed(failure, cause, Instant::now)
        };
        let last = match self.inner.end {
            End::Whole => return,
            End::Abandoned => {
                let (head_sent, end) = (true, SeenEnd::ClientLeft);
                let delivery = Delivery { head_sent, request_bytes: None, response_bytes: None, end };
                let record = follow.close(delivery, Instant::now).expect("one record");
                return assert_eq!(record.outcome(), Outcome::ClientLeft);
            }
            End::Failed => {
                let failure = follow.classify(&error);
                failed(&mut follow, failure, error.into())
            }
            End::Panicked => failed(&mut follow, Some(Failure::panicked()), "a secret".into()),
            End::TimedOut => match follow.timed_out() {
                Some(last) => last,
                None => return assert!(self.ended),
            },
        };
        let record = follow.record().expect("a failure has a record");
        assert!(record.grpc_status().is_some() || matches!(last, FinalFrame::BrokenOff));
        match last {
            FinalFrame::BrokenOff => {}
            _ if self.ended || self.call.mode == Mode::Observe => panic!("{:?}: {last:?}", self.call),
            FinalFrame::Trailers(trailers) => self.expect_trailers(&trailers),
            FinalFrame::Data(data) => Self { sent: [&*self.sent, &data].concat(), ..self }.expect_end(),
        }
    }

    fn expect_trailers(&self, trailers: &HeaderMap) {
        assert!(matches!(self.call.protocol, Protocol::Grpc | Protocol::Unsaid) && self.call.http2);
        assert!(trailers.values().all(|value| !value.as_bytes().windows(8).any(|text| text == b"a secret")));
        reading::grpc(trailers);
    }

    /// Checks that the body consists of messages, and that the last one reports the error.
    fn expect_end(&self) {
        assert!(!self.inner.has_length, "the body is longer than its head says: {:?}", self.call);
        if self.call.protocol == Protocol::Unsaid {
            return;
        }
        let messages = reading::messages(&self.sent, self.inner.is_text());
        let (flags, payload) = messages.expect("messages").pop().expect("an end");
        match self.call.protocol {
            Protocol::ConnectStream => {
                assert_eq!(flags, 2);
                reading::end_stream(&payload);
            }
            _ => {
                assert_eq!(flags, 0x80);
                reading::trailers(&payload);
            }
        }
    }
}
