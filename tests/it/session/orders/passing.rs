//! A body that passes, and the calls of what follows it.

use std::io;
use std::time::Instant;

use error_envelope_core::session::{BodyFailure, Failure, FinalFrame, Follow, Needs};

use super::ledger::{Ledger, is_secret_in_any};
use super::response::{self as service, CAUSE, is_secret_in};
use crate::choices::Choices;

pub(super) struct Passing {
    follow: Follow,
    is_copy: bool,
}

impl Passing {
    pub(super) fn new(follow: Follow) -> Self {
        Self { is_copy: follow.is_copy(), follow }
    }

    pub(super) fn call(&mut self, choices: &mut Choices<'_>, ledger: &mut Ledger, now: Instant) {
        let follow = &mut self.follow;
        let now = || now;
        let event = match choices.below(12) {
            0 => {
                let length = choices.one_of(&[None, Some(6), Some(12)]);
                follow.begin(|| length, now);
                None
            }
            1..=4 => {
                let (piece, last) = (service::piece(choices), choices.below(4) == 3);
                let mut data = piece.clone();
                let event = follow.data(&mut data, last, now);
                assert!(data == piece || !is_secret_in(&data), "claim 3, an end that was replaced: {data:?}");
                event
            }
            5 => {
                let trailers = service::trailers(choices);
                let mut sent = trailers.clone();
                let event = follow.trailers(&mut sent, now);
                assert!(sent == trailers || !is_secret_in_any(&sent), "claim 3, trailers that were replaced: {sent:?}");
                event
            }
            6 => follow.end(now),
            7 | 8 => {
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, CAUSE);
                let failure = match choices.below(3) {
                    0 => follow.classify(&error),
                    1 => Some(Failure::panicked()),
                    _ => None,
                };
                let (last, event) = follow.failed(failure, error.into(), now);
                expect_no_secret(&last);
                assert!(follow.needs() == Needs::Nothing && follow.request_id().is_none(), "claim 5: {follow:?}");
                event
            }
            9 => {
                let failure = if choices.yes() { follow.timed_out() } else { follow.overran() };
                failure.map(|BodyFailure { last, event }| {
                    expect_no_secret(&last);
                    assert!(follow.request_id().is_none(), "claim 5: {follow:?}");
                    event
                })
            }
            10 => follow.dropped(choices.yes(), now),
            _ if choices.yes() => follow.whole(&service::piece(choices)),
            _ => follow.unreadable(),
        };
        event.iter().for_each(|event| ledger.event(event));
    }

    /// The body is dropped, wherever it is.
    pub(super) fn drop(mut self, ledger: &mut Ledger, now: Instant) {
        let event = self.follow.dropped(false, || now);
        event.iter().for_each(|event| ledger.event(event));
        assert!(!self.is_copy || ledger.has_an_error(), "claim 5, a copied error is logged");
        self.follow.drop_panicked(CAUSE.into()).iter().for_each(|event| ledger.event(event));
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
