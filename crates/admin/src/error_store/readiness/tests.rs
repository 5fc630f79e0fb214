//! Checks the advice on a route before it changes for clients.

use error_envelope_core::exchange::{DecidedBy, Origin};
use error_envelope_core::policy::Mode;
use error_envelope_core::request_id::RequestId;

use super::super::error_record::{Code, ErrorRecord, Kind, RequestLine};
use super::super::recent_errors::RecentErrors;
use super::super::tally::Tally;
use super::{Span, Verdict, assess};

const NOON: u64 = 1_795_262_400_000;
const HOUR: u64 = 3_600_000;
const SPAN: Span = Span { since: NOON - HOUR, now: NOON };

/// An error of the service's, decided by this, of that status.
fn inner_error(by: DecidedBy, status: u16) -> Kind {
    let (origin, code) = (Origin::Inner, Code::default());
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
            route: Some("/a"),
            scope: None,
            mode: Mode::Observe,
            kind,
            dropped: None,
            has_bodies: false,
            cause: None,
            form: None,
        });
    }
    kept.tallies().next().expect("a tally").1.clone()
}

#[test]
fn a_route_without_errors_is_ready_as_far_as_it_was_seen() {
    for (mode, next, verdict) in [
        (Mode::Off, Some(Mode::Observe), Verdict::Unseen),
        (Mode::Observe, Some(Mode::Own), Verdict::Ready),
        (Mode::Own, Some(Mode::Fill), Verdict::Unseen),
        (Mode::Fill, Some(Mode::Enforce), Verdict::Unseen),
        (Mode::Enforce, None, Verdict::Done),
    ] {
        let readiness = assess(mode, &Tally::new(mode), SPAN);
        assert_eq!((readiness.next, readiness.verdict), (next, verdict), "{mode:?}");
        assert!(
            readiness.reasons.iter().any(|it| it == "0 errors without a code since 21 Nov 11:00 UTC."),
            "{:?}",
            readiness.reasons
        );
    }
    let week = Span { since: NOON - 7 * 24 * HOUR, now: NOON };
    let readiness = assess(Mode::Observe, &Tally::new(Mode::Observe), week);
    let all = ["0 requests that own would have refused in 7 days.", "0 errors without a code in 7 days."];
    assert_eq!(readiness.reasons, all);
}

#[test]
fn a_code_that_is_missing_holds_a_route_back() {
    let with = std::iter::repeat_n(inner_error(DecidedBy::Dialect, 409), 468);
    let tally = tally(with.chain(std::iter::repeat_n(inner_error(DecidedBy::Status, 409), 12)));
    for mode in [Mode::Observe, Mode::Own, Mode::Fill, Mode::Enforce] {
        let readiness = assess(mode, &tally, SPAN);
        assert_eq!(readiness.verdict, Verdict::NotReady, "{mode:?}");
        let words = "12 of 480 errors without a code since 21 Nov 11:00 UTC, last at 21 Nov 11:59:00.";
        assert!(readiness.reasons.iter().any(|it| it == words), "{:?}", readiness.reasons);
    }
}

#[test]
fn a_status_that_says_it_all_holds_nothing_back() {
    let tally = tally([inner_error(DecidedBy::Status, 502), inner_error(DecidedBy::Status, 405)]);
    let readiness = assess(Mode::Fill, &tally, SPAN);
    assert_eq!(readiness.verdict, Verdict::Ready);
    assert_eq!(readiness.reasons, ["0 errors without a code since 21 Nov 11:00 UTC; 2 more whose status is enough."]);
}

#[test]
fn a_request_that_would_be_refused_holds_back_own_alone() {
    let tally = tally([refused(), inner_error(DecidedBy::Rule, 404)]);
    let readiness = assess(Mode::Observe, &tally, SPAN);
    assert_eq!(readiness.verdict, Verdict::NotReady);
    assert_eq!(
        readiness.reasons[0],
        "1 request that own would have refused since 21 Nov 11:00 UTC, last at 21 Nov 11:59:00."
    );
    assert_eq!(assess(Mode::Fill, &tally, SPAN).verdict, Verdict::Ready);
}

#[test]
fn what_was_seen_eight_days_ago_is_forgotten() {
    let tally = tally([inner_error(DecidedBy::Status, 409)]);
    let later = Span { since: NOON - HOUR, now: NOON + 8 * 24 * HOUR };
    assert_eq!(assess(Mode::Observe, &tally, later).verdict, Verdict::Ready);
}
