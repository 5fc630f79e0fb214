//! A body that passes, and the calls of its follower.

use std::io;
use std::time::Instant;

use error_envelope_core::session::{Delivery, End, Failure, FinalFrame, Follow, Needs};

use super::ledger::{Ledger, is_secret_in_any};
use super::response::{self as service, CAUSE, is_secret_in};
use crate::choices::Choices;

pub(super) struct Passing {
    follow: Follow,
    is_copy: bool,
    has_failed: bool,
}

impl Passing {
    pub(super) fn new(follow: Follow) -> Self {
        Self { is_copy: follow.is_copy(), has_failed: false, follow }
    }

    pub(super) fn call(&mut self, choices: &mut Choices<'_>, now: Instant) {
        let follow = &mut self.follow;
        let now = || now;
        match choices.below(12) {
            0 => {
                let length = choices.one_of(&[None, Some(6), Some(12)]);
                follow.begin(|| length, now);
            }
            1..=4 => {
                let (piece, last) = (service::piece(choices), choices.below(4) == 3);
                let mut data = piece.clone();
                follow.data(&mut data, last, now);
                assert!(data == piece || !is_secret_in(&data), "claim 3, an end that was replaced: {data:?}");
            }
            5 => {
                let trailers = service::trailers(choices);
                let mut sent = trailers.clone();
                follow.trailers(&mut sent, now);
                assert!(sent == trailers || !is_secret_in_any(&sent), "claim 3, trailers that were replaced: {sent:?}");
            }
            6 => follow.end(now),
            7 | 8 => {
                self.has_failed = true;
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, CAUSE);
                let failure = match choices.below(3) {
                    0 => follow.classify(&error),
                    1 => Some(Failure::panicked()),
                    _ => None,
                };
                expect_no_secret(&follow.failed(failure, error.into(), now));
                assert!(follow.needs() == Needs::Nothing, "claim 5: {follow:?}");
            }
            9 => {
                let failure = if choices.yes() { follow.timed_out() } else { follow.overran() };
                if let Some(last) = failure {
                    expect_no_secret(&last);
                    assert!(follow.needs() == Needs::Nothing, "claim 5: {follow:?}");
                }
            }
            10 => follow.note_panic(Some(CAUSE.into())),
            _ if choices.yes() => follow.whole(&service::piece(choices)),
            _ => follow.unreadable(),
        }
    }

    /// Drops the body, at any point.
    pub(super) fn drop(mut self, end: End, ledger: &mut Ledger, now: Instant) {
        let delivery = Delivery { head_sent: true, request_bytes: None, response_bytes: None, end };
        let record = self.follow.close(delivery, || now).expect("claim 5, an open record");
        ledger.record(&record);
        assert!(!self.is_copy || ledger.has_an_error(), "claim 5, a copied error is logged");
        let ends = [End::ClientLeft, End::Stalled, End::Malformed, End::Stopped];
        let is_cut_elsewhere = ends.contains(&delivery.end);
        let is_of_service = !self.is_copy || self.has_failed || !is_cut_elsewhere;
        let broke_off = record.unread().is_some_and(|why| why.as_str() == "broke_off");
        assert!(is_of_service || !broke_off, "claim 5, a service that did not break off its body: {delivery:?}");
        assert!(self.follow.close(delivery, || now).is_none(), "claim 2, a second record");
    }
}

fn expect_no_secret(last: &FinalFrame) {
    let has_secret = match last {
        FinalFrame::Trailers(trailers) => is_secret_in_any(trailers),
        FinalFrame::Data(data) => is_secret_in(data),
        FinalFrame::BrokenOff => false,
    };
    assert!(!has_secret, "claim 3, the last frame: {last:?}");
}
