//! Checks the verdict on whether a route is ready for its next mode.

use error_envelope_core::policy::Mode;

use crate::error_store::place::Place;
use crate::error_store::requests::Tally;
use crate::readiness::{Known, describe, next, verdict};

/// Returns the counts of a place with this many successes.
fn tally(requests: u64) -> Tally {
    Tally { outcomes: [requests, 0, 0, 0, 0, 0], ..Tally::default() }
}

#[test]
fn a_route_is_ready_as_far_as_it_was_seen() {
    for (mode, after, without_requests, with_requests) in [
        (Mode::Off, Some(Mode::Observe), "unseen", "unseen"),
        (Mode::Observe, Some(Mode::Own), "unseen", "ready"),
        (Mode::Own, Some(Mode::Fill), "unseen", "ready"),
        (Mode::Fill, Some(Mode::Enforce), "unseen", "ready"),
        (Mode::Enforce, None, "done", "done"),
    ] {
        let verdicts = [0, 7].map(|requests| verdict(mode, &tally(requests)));
        assert_eq!((next(mode), verdicts), (after, [without_requests, with_requests]), "{mode:?}");
    }
}

#[test]
fn m1_a_code_that_is_missing_holds_no_route_back() {
    let tally = Tally { without_code: 7, would_fill: 7, would_rewrite: 7, ..tally(7) };
    for mode in [Mode::Observe, Mode::Own, Mode::Fill] {
        assert_eq!(verdict(mode, &tally), "ready", "{mode:?}");
    }
}

#[test]
fn m1_a_request_that_would_be_refused_holds_a_route_back() {
    let own = Tally { own_would_refuse: 1, ..tally(7) };
    let auth = Tally { auth_would_refuse: 1, ..tally(7) };
    for (mode, by_own, by_auth) in [
        (Mode::Observe, "not_ready", "ready"),
        (Mode::Fill, "not_ready", "ready"),
        (Mode::Enforce, "done", "not_ready"),
    ] {
        assert_eq!([&own, &auth].map(|tally| verdict(mode, tally)), [by_own, by_auth], "{mode:?}");
    }
}

#[test]
fn m1_a_place_without_counts_is_unknown_if_counts_are_incomplete() {
    for (requests, are_incomplete, expected) in [(0, true, "unknown"), (7, true, "ready"), (0, false, "unseen")] {
        let known = Known { mode: Some(Mode::Observe), tally: tally(requests), service: None };
        let shown = describe(&Place::default(), &known, are_incomplete);
        assert_eq!((&shown["verdict"], shown["requests"].is_null()), (&expected.into(), expected == "unknown"));
    }
}
