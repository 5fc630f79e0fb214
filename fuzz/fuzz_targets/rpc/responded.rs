//! The response on its way out, as an adapter moves it.

use std::io;

use bytes::Bytes;
use error_envelope_core::session::{
    BodyFailure, Collected, CollectedAction, Exchange, FinalFrame, ResponsePlan, RpcResponse,
};
use http::{HeaderMap, response};
use tower_error_envelope::Mode;

use crate::call::{RpcCall, ID, Protocol};
use crate::inner::{End, Inner};
use crate::metered::{Cut, Metered};
use crate::reading;
use crate::sent::Sent;

pub(crate) fn check(call: &RpcCall, inner: &Inner, exchange: Exchange, mut metered: Metered<'_>, late: &[Bytes]) {
    let mut head = inner.head();
    let cut = metered.cut;
    match exchange.response_head(&mut head, || inner.facts()) {
        ResponsePlan::Replace(answered) => replaced(call, inner, cut, Sent::from_reply(*answered)),
        _ if cut.is_some() => panic!("a body that was cut is answered: {call:?}"),
        ResponsePlan::Rewrite(written) => rewritten(call, inner, head, &written.body),
        ResponsePlan::Collect(exchange, ..) => collected(call, inner, exchange, head, metered, late),
        ResponsePlan::Pass(..) | ResponsePlan::Keep(..) | ResponsePlan::Strip(..) => passed(call, inner, &head),
        ResponsePlan::Tee(_, observed, ..) => {
            drop(observed.finish(Collected::Whole(&inner.whole())));
            assert!(call.mode == Mode::Observe);
        }
        ResponsePlan::Stream(..) => panic!("a call has an end of its own: {call:?}"),
        ResponsePlan::Watch(watch) => {
            metered.take(late);
            metered.end(late.is_empty());
            Watched { call, inner, cut: metered.cut, sent: Vec::new() }.all(*watch);
        }
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
        // The service's own status, or the code of a layer inside.
        assert!(head.headers.contains_key("grpc-status") && head.status.is_success());
        return;
    }
    Sent::new(head.status, head.headers, body).check(call);
}

fn collected(
    call: &RpcCall,
    inner: &Inner,
    exchange: Exchange,
    mut head: response::Parts,
    mut metered: Metered<'_>,
    late: &[Bytes],
) {
    metered.take(late);
    let whole = inner.whole();
    let body = if matches!(inner.end, End::Whole) { Collected::Whole(&whole) } else { Collected::Unreadable(&whole) };
    match exchange.response_body(&mut head, body) {
        CollectedAction::Rewrite(written) => rewritten(call, inner, head, &written.body),
        CollectedAction::Replace(answered) => replaced(call, inner, metered.cut, Sent::from_reply(*answered)),
        CollectedAction::Restore(..) => passed(call, inner, &head),
    }
}

fn passed(call: &RpcCall, inner: &Inner, head: &response::Parts) {
    assert_eq!((head.status, &head.headers["x-request-id"]), (inner.status, &ID.parse().expect("a value")));
    let is_error = (400..=599).contains(&inner.status.as_u16());
    assert!(!(call.rewrites() && call.protocol.is_grpc() && is_error), "a gRPC client reads an error of HTTP's");
}

/// A call whose response has begun.
struct Watched<'a> {
    call: &'a RpcCall,
    inner: &'a Inner,
    cut: Option<Cut>,
    sent: Vec<u8>,
}

impl Watched<'_> {
    fn all(mut self, mut watch: RpcResponse) {
        for chunk in &self.inner.body {
            let mut data = chunk.clone();
            drop(watch.response_data(&mut data));
            self.sent.extend_from_slice(&data);
            if data != *chunk {
                assert!(self.cut.is_some() && self.call.guards());
                return self.expect_end();
            }
        }
        if let (Some(trailers), End::Whole) = (&self.inner.trailers, self.inner.end) {
            let mut shown = trailers.clone();
            drop(watch.response_trailers(&mut shown));
            if shown != *trailers {
                assert!(self.cut.is_some() && self.call.guards());
                reading::grpc(&shown);
            }
        }
        self.ended(watch);
    }

    fn ended(self, watch: RpcResponse) {
        let error = io::Error::other("a secret");
        let has_ended = watch.has_ended();
        let BodyFailure { last, event } = match self.inner.end {
            End::Whole => return,
            End::Abandoned => return drop(watch.abandoned()),
            End::Failed => {
                let failure = watch.failure_of(&error);
                watch.failed(failure, error.into())
            }
            End::Panicked => watch.panicked("a secret".into()),
            End::TimedOut => watch.timed_out(),
        };
        assert_eq!(event.grpc_status().is_none(), matches!(last, FinalFrame::BrokenOff));
        match last {
            FinalFrame::BrokenOff => {}
            _ if has_ended || self.call.mode == Mode::Observe => panic!("{:?}: {last:?}", self.call),
            FinalFrame::Trailers(trailers) => self.expect_trailers(&trailers),
            FinalFrame::Data(data) => Self { sent: [&*self.sent, &data].concat(), ..self }.expect_end(),
        }
    }

    fn expect_trailers(&self, trailers: &HeaderMap) {
        assert!(matches!(self.call.protocol, Protocol::Grpc | Protocol::Unsaid) && self.call.http2);
        assert!(trailers.values().all(|value| !value.as_bytes().windows(8).any(|text| text == b"a secret")));
        reading::grpc(trailers);
    }

    /// The body is messages from end to end, and the last one states what went wrong.
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
