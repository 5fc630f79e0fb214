//! Checks the advice on a route before it changes for clients.

use error_envelope_core::code::ErrorCode;
use error_envelope_core::policy::Mode;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{DecidedBy, Origin};

use crate::error_store::error_record::{ErrorRecord, Kind, RequestLine};
use crate::error_store::recent_errors::{RecentErrors, Tally};
use crate::readiness::{Verdict, next};

const NOON: u64 = 1_795_262_400_000;

/// An error of the service's, decided by this, of that status.
fn inner_error(by: DecidedBy, status: u16) -> Kind {
    Kind { by: Some(by), would_be: Some(status), ..Kind::of(Origin::Inner, status) }
}

/// A request that passed, but that a guard would have refused.
fn passed() -> Kind {
    Kind {
        would_refuse: vec![ErrorCode::UNSUPPORTED_MEDIA_TYPE],
        own_would_refuse: true,
        would_be: Some(415),
        ..Kind::of(Origin::Guard, 200)
    }
}

fn tally(kinds: impl IntoIterator<Item = Kind>) -> Tally {
    let mut kept = RecentErrors::default();
    for (at, kind) in kinds.into_iter().enumerate() {
        kept.insert(ErrorRecord {
            request: RequestLine::default(),
            id: RequestId::from_parts(NOON, at as u128),
            at: NOON,
            route: Some("/a".into()),
            scope: None,
            mode: Mode::Observe,
            kind: kind.into(),
            dropped: None,
            has_bodies: false,
            cause: None,
            trace_id: None,
        });
    }
    kept.tallies().next().expect("a tally").1.clone()
}

#[test]
fn a_route_is_ready_as_far_as_it_was_seen() {
    for (mode, after, without_requests, with_requests) in [
        (Mode::Off, Some(Mode::Observe), Verdict::Unseen, Verdict::Unseen),
        (Mode::Observe, Some(Mode::Own), Verdict::Unseen, Verdict::Ready),
        (Mode::Own, Some(Mode::Fill), Verdict::Unseen, Verdict::Ready),
        (Mode::Fill, Some(Mode::Enforce), Verdict::Unseen, Verdict::Ready),
        (Mode::Enforce, None, Verdict::Done, Verdict::Done),
    ] {
        let verdicts = [0, 7].map(|requests| Verdict::new(mode, &Tally::default(), Some(requests)));
        assert_eq!((next(mode), verdicts), (after, [without_requests, with_requests]), "{mode:?}");
    }
}

#[test]
fn m1_a_code_that_is_missing_holds_no_route_back() {
    let with = std::iter::repeat_n(inner_error(DecidedBy::Dialect, 409), 468);
    let tally = tally(with.chain(std::iter::repeat_n(inner_error(DecidedBy::Status, 409), 12)));
    for mode in [Mode::Observe, Mode::Own, Mode::Fill] {
        assert_eq!(Verdict::new(mode, &tally, None), Verdict::Ready, "{mode:?}");
    }
    assert_eq!((tally.errors, tally.without_code, tally.would_rewrite), (480, 12, 480));
}

#[test]
fn a_request_that_would_be_refused_holds_a_route_back_and_is_no_error() {
    let also = Kind { own_would_refuse: true, ..inner_error(DecidedBy::Rule, 404) };
    let tally = tally([passed(), also]);
    assert_eq!((tally.errors, tally.would_refuse), (1, 2));
    assert_eq!(Verdict::new(Mode::Observe, &tally, Some(2)), Verdict::NotReady);
}
