//! Checks that requests are counted by place, minute and outcome, in limited memory.

use error_envelope_core::code::ErrorCode;
use error_envelope_core::session::Origin;

use super::super::error_record::Kind;
use super::super::recent_errors::tests::seen;
use super::*;

const TURN: u64 = 29_921_041 * 60_000;
const MINUTE: u32 = 29_921_041;
const OBSERVE: Option<Mode> = Some(Mode::Observe);

fn at_route(route: &str) -> Place {
    Place { route: Some(route.into()), scope: None }
}

#[test]
fn each_minute_has_its_requests_by_outcome() {
    let mut requests = Requests::default();
    for (at, route, outcome) in [
        (1, Some("/a"), Outcome::Ok),
        (2, Some("/a"), Outcome::Broken),
        (60_000, None, Outcome::ClientLeft),
        (60_001, Some("/a"), Outcome::ServerError),
    ] {
        requests.count(TURN + at, (route, None), (outcome, OBSERVE), None);
    }
    let [ok, client, server, broken, left, _] = requests.by_outcome(&(MINUTE..MINUTE + 2));
    assert_eq!([ok, client, server, broken, left], [vec![1, 0], vec![0, 0], vec![0, 1], vec![1, 0], vec![0, 1]]);
    let row = requests.of_place(&at_route("/a")).unwrap();
    let tally = row.tally(OBSERVE).unwrap();
    assert_eq!((row.sum_of(&(MINUTE..MINUTE + 2)), row.sum_of(&(MINUTE + 1..MINUTE + 2))), (3, 1));
    assert_eq!((tally.requests(), tally.count_of(&[Outcome::Broken, Outcome::ServerError])), (3, 2));
}

#[test]
fn a_place_is_its_texts() {
    let mut requests = Requests::default();
    let place = Place { route: Some("/a".into()), scope: Some("/shop".into()) };
    requests.count(TURN, (Some("/a"), Some("/shop")), (Outcome::Ok, OBSERVE), None);
    requests.count(TURN, (Some("/a"), Some("/shop")), (Outcome::Ok, OBSERVE), None);
    requests.count(TURN, (Some("/a"), None), (Outcome::Ok, OBSERVE), None);
    let tally = requests.of_place(&place).unwrap().tally(None).unwrap();
    assert_eq!((requests.places.len(), tally.requests(), tally.mode), (2, 2, Mode::Observe));
}

#[test]
fn m1_more_places_than_rows_are_only_in_the_sum() {
    let mut requests = Requests::default();
    let known = (0..MOST_PLACES + 10).filter(|at| {
        let name = format!("/{at}");
        requests.count(TURN, (Some(&name), None), (Outcome::Ok, OBSERVE), None);
        requests.places.contains_key(&at_route(&name))
    });
    assert_eq!(known.count(), MOST_PLACES);
    assert!(requests.are_incomplete);
    assert_eq!(requests.by_outcome(&(MINUTE..MINUTE + 1))[0], [u32::try_from(MOST_PLACES).unwrap() + 10]);
}

#[test]
fn m1_routes_of_earlier_policies_leave_room_for_those_of_the_active_one() {
    let mut requests = Requests::default();
    for policy in 0..3 {
        for at in 0..MOST_PLACES / 2 {
            requests.count(TURN, (Some(&format!("/{policy}/{at}")), None), (Outcome::Ok, OBSERVE), None);
        }
        let of_policy = |place: &Place| place.route.as_ref().is_some_and(|it| it.starts_with(&format!("/{policy}/")));
        assert_eq!(requests.places().filter(|(place, _)| of_policy(place)).count(), MOST_PLACES / 2);
        assert!(!requests.are_incomplete);
        requests.replace_counts(Counts::default());
    }
}

#[test]
fn the_last_policy_begins_anew_and_one_that_is_back_goes_on() {
    let mut requests = Requests::default();
    let count = |requests: &mut Requests| requests.count(TURN, (Some("/a"), None), (Outcome::Ok, OBSERVE), None);
    let of =
        |requests: &Requests| requests.of_place(&at_route("/a")).unwrap().tally(OBSERVE).map_or(0, Tally::requests);
    (0..3).for_each(|_| count(&mut requests));
    let first = requests.replace_counts(Counts::default());
    assert_eq!(of(&requests), 0);
    count(&mut requests);
    let second = requests.replace_counts(first);
    assert_eq!((of(&requests), second.tallies[&at_route("/a")][0].requests()), (3, 1));
}

#[test]
fn m1_only_requests_that_passed_hold_a_route_back_by_the_guards_that_would_refuse_them() {
    let passed = |own_would_refuse| Kind {
        would_refuse: vec![ErrorCode::AUTH_MISSING],
        own_would_refuse,
        would_be: Kind::of(Origin::Guard, 401).sent,
        ..Kind::of(Origin::Guard, 200)
    };
    let refused = Kind { would_refuse: vec![ErrorCode::AUTH_MISSING], ..Kind::of(Origin::Guard, 415) };
    for (mode, kind, expected) in [
        (Mode::Observe, passed(true), (1, 0)),
        (Mode::Observe, passed(false), (0, 1)),
        (Mode::Enforce, passed(true), (0, 1)),
        (Mode::Enforce, refused, (0, 0)),
    ] {
        let mut requests = Requests::default();
        let mut seen = super::ErrorRecord { mode, kind: Arc::new(kind), ..seen(1, Some("/a"), None) };
        requests.count(TURN, (Some("/a"), None), (Outcome::Ok, Some(mode)), Some(&mut seen));
        let tally = requests.of_place(&at_route("/a")).unwrap().tally(Some(mode)).unwrap();
        assert_eq!((tally.own_would_refuse, tally.auth_would_refuse), expected, "{mode:?}");
    }
}

#[test]
fn m3_a_request_that_began_in_another_mode_does_not_count_for_the_active_mode() {
    let passed = Kind {
        would_refuse: vec![ErrorCode::BAD_REQUEST],
        own_would_refuse: true,
        would_be: Kind::of(Origin::Guard, 400).sent,
        ..Kind::of(Origin::Guard, 200)
    };
    let mut requests = Requests::default();
    let mut late = super::ErrorRecord { mode: Mode::Observe, kind: Arc::new(passed), ..seen(1, Some("/a"), None) };
    requests.count(TURN, (Some("/a"), None), (Outcome::Ok, OBSERVE), Some(&mut late));
    (0..2).for_each(|_| requests.count(TURN, (Some("/a"), None), (Outcome::Ok, Some(Mode::Own)), None));
    let row = requests.of_place(&at_route("/a")).unwrap();
    for (mode, expected) in [(Some(Mode::Own), (2, 0)), (OBSERVE, (1, 1)), (None, (2, 0))] {
        let tally = row.tally(mode).unwrap();
        assert_eq!((tally.requests(), tally.own_would_refuse), expected, "{mode:?}");
    }
    assert!(row.tally(Some(Mode::Enforce)).is_none());
}
