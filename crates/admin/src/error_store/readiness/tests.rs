//! Checks the advice on a route before it changes for clients.

use error_envelope_core::policy::Mode;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{DecidedBy, Origin};

use super::super::error_record::{ErrorRecord, Kind, RequestLine};
use super::super::recent_errors::RecentErrors;
use super::super::ring::day;
use super::super::tally::Tally;
use super::{Verdict, next};

const NOON: u64 = 1_795_262_400_000;
const DAY: u64 = 24 * 3_600_000;

/// An error of the service's, decided by this, of that status.
fn inner_error(by: DecidedBy, status: u16) -> Kind {
    let (origin, code) = (Origin::Inner, None);
    Kind { origin, code, sent: Some(status), would_be: None, grpc: None, dialect: None, by: Some(by), unknown: None }
}

fn refused() -> Kind {
    Kind {
        origin: Origin::Guard,
        by: None,
        would_be: Some(401),
        sent: Some(200),
        ..inner_error(DecidedBy::Status, 200)
    }
}

fn tally(kinds: impl IntoIterator<Item = Kind>) -> Tally {
    let mut kept = RecentErrors::default();
    for (at, kind) in kinds.into_iter().enumerate() {
        let id = RequestId::from_parts(NOON, at as u128);
        let at = NOON - 60_000;
        kept.insert(ErrorRecord {
            request: RequestLine::default(),
            id,
            at,
            route: Some("/a".into()),
            scope: None,
            mode: Mode::Observe,
            kind: kind.into(),
            dropped: None,
            has_bodies: false,
            cause: None,
        });
    }
    kept.tallies().next().expect("a tally").1.clone()
}

fn verdict(mode: Mode, tally: &Tally) -> Verdict {
    Verdict::new(mode, tally, day(NOON))
}

#[test]
fn a_route_without_errors_is_ready_as_far_as_it_was_seen() {
    for (mode, after, expected) in [
        (Mode::Off, Some(Mode::Observe), Verdict::Unseen),
        (Mode::Observe, Some(Mode::Own), Verdict::Ready),
        (Mode::Own, Some(Mode::Fill), Verdict::Unseen),
        (Mode::Fill, Some(Mode::Enforce), Verdict::Unseen),
        (Mode::Enforce, None, Verdict::Done),
    ] {
        assert_eq!((next(mode), verdict(mode, &Tally::new(mode))), (after, expected), "{mode:?}");
    }
}

#[test]
fn a_code_that_is_missing_holds_a_route_back() {
    let with = std::iter::repeat_n(inner_error(DecidedBy::Dialect, 409), 468);
    let tally = tally(with.chain(std::iter::repeat_n(inner_error(DecidedBy::Status, 409), 12)));
    for mode in [Mode::Observe, Mode::Own, Mode::Fill, Mode::Enforce] {
        assert_eq!(verdict(mode, &tally), Verdict::NotReady, "{mode:?}");
    }
    let counts = [tally.without_code, tally.inner].map(|week| week.sum(day(NOON)));
    assert_eq!((counts, tally.last_without_code), ([12, 480], NOON - 60_000));
}

#[test]
fn a_status_that_says_it_all_holds_nothing_back() {
    let tally = tally([inner_error(DecidedBy::Status, 502), inner_error(DecidedBy::Status, 405)]);
    assert_eq!(verdict(Mode::Fill, &tally), Verdict::Ready);
    assert_eq!([tally.without_code, tally.by_status].map(|week| week.sum(day(NOON))), [0, 2]);
}

#[test]
fn a_request_that_would_be_refused_holds_back_own_alone() {
    let tally = tally([refused(), inner_error(DecidedBy::Rule, 404)]);
    assert_eq!(verdict(Mode::Observe, &tally), Verdict::NotReady);
    assert_eq!((tally.would_refuse.sum(day(NOON)), tally.last_would_refuse), (1, NOON - 60_000));
    assert_eq!(verdict(Mode::Fill, &tally), Verdict::Ready);
}

#[test]
fn what_was_seen_eight_days_ago_is_forgotten() {
    let tally = tally([inner_error(DecidedBy::Status, 409)]);
    assert_eq!(Verdict::new(Mode::Observe, &tally, day(NOON + 8 * DAY)), Verdict::Ready);
}
