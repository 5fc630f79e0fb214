//! Checks that the size of the stored data is limited for any input.

use std::collections::HashSet;

use error_envelope_core::policy::Mode;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{DecidedBy, Origin};

use super::super::error_record::{Bodies, RequestLine, Severity, Side};
use super::super::redact;
use super::*;

const NOON: u64 = 1_795_262_400_000;

pub(in crate::error_store) fn seen(number: u64, route: Option<&str>, unknown: Option<&str>) -> ErrorRecord {
    ErrorRecord {
        request: RequestLine::default(),
        id: RequestId::from_parts(NOON + number, u128::from(number)),
        at: NOON + number,
        place: Place { route: route.map(Into::into), scope: None },
        mode: Mode::Observe,
        kill_switch: false,
        kind: Arc::new(Kind {
            by: Some(DecidedBy::Status),
            unknown: unknown.map(Into::into),
            ..Kind::of(Origin::Inner, 409)
        }),
        dropped: None,
        has_bodies: true,
        cause: None,
        trace_id: None,
    }
}

fn with_kind(number: u64, kind: Kind) -> ErrorRecord {
    ErrorRecord { kind: Arc::new(kind), ..seen(number, Some("/a"), None) }
}

#[test]
fn l5_a_body_that_broke_off_is_one_failure_whatever_its_status() {
    for status in [200, 404, 502] {
        let mut kept = RecentErrors::default();
        kept.insert(with_kind(1, Kind { outcome: Outcome::Broken, ..Kind::of(Origin::Error, status) })).unwrap();
        let minutes = minute(NOON)..minute(NOON) + 1;
        let counts = [Severity::Broken, Severity::ServerError].map(|it| kept.timeline.totals_of(it, &minutes).len());
        assert_eq!(counts, [1, 0], "{status}");
    }
}

#[test]
fn m1_what_nothing_examines_counts_and_is_not_shown() {
    let mut kept = RecentErrors::default();
    assert!(kept.insert(with_kind(1, Kind { origin: None, ..Kind::of(Origin::Inner, 502) })).is_none());
    let totals = kept.timeline.totals_of(Severity::ServerError, &(minute(NOON)..minute(NOON) + 1));
    assert_eq!(totals, [(Place { route: Some("/a".into()), scope: None }, String::new(), 1)]);
    assert_eq!((kept.errors().count(), kept.ids.len()), (0, 0));
}

/// Returns the size of the stored data in bytes, without the overhead of the allocator.
fn room_of(kept: &RecentErrors) -> usize {
    let mut kinds: Vec<Arc<Kind>> = kept.ids.iter().map(|id| id.kind.clone()).collect();
    let mut distinct = HashSet::new();
    kinds.retain(|kind| distinct.insert(Arc::as_ptr(kind)));
    let side = |side: &Side| {
        side.text.as_ref().map_or(0, |text| text.len()) + side.content_type.as_ref().map_or(0, |kind| kind.len())
    };
    let bodies = |entry: &Entry| {
        let sides = entry.bodies.get().into_iter().flat_map(|it| [&it.before, &it.after]).flatten();
        sides.map(side).sum::<usize>()
    };
    kept.ids.iter().map(|id| id.place.route.as_ref().map_or(0, |route| route.len() + 16)).sum::<usize>()
        + kinds
            .iter()
            .map(|kind| size_of::<Kind>() + 16 + kind.unknown.as_ref().map_or(0, |it| it.len()))
            .sum::<usize>()
        + kept.entries.capacity() * size_of::<Arc<Entry>>()
        + kept.entries.iter().map(|it| size_of::<Entry>() + 16 + bodies(it)).sum::<usize>()
        + kept.ids.capacity() * size_of::<Id>()
}

/// Adds the worst events: the longest possible body, codes that were never seen before, and routes that appear and
/// disappear.
fn feed(kept: &mut RecentErrors, events: std::ops::Range<u64>) {
    let body = "x".repeat(redact::MOST);
    let routes: Vec<String> = (0..1_000).map(|number| format!("/{number}/{}", "r".repeat(200))).collect();
    for number in events {
        let route = &routes[number as usize / 100 % routes.len()];
        let unknown = format!("E_{:062}", number / 4);
        let entry = kept.insert(seen(number, Some(route), Some(&unknown))).expect("an error");
        // Only some events have bodies, so that the test is fast. They are still more than the store keeps.
        if number % 97 == 0 {
            let text = || Some(body.clone().into());
            let side = || Some(Side { status: 409, content_type: None, text: text(), length: body.len(), whole: true });
            let _ = entry.bodies.set(Bodies { before: side(), after: side() });
        }
    }
}

#[test]
fn a_million_errors_take_no_more_room_than_the_first_ones() {
    let mut kept = RecentErrors::default();
    feed(&mut kept, 0..200_000);
    let early = room_of(&kept);
    feed(&mut kept, 200_000..1_000_000);
    let late = room_of(&kept);
    assert!(late <= early + early / 10, "{early} bytes, then {late}");
    assert!(late < 24 * 1024 * 1024, "{late} bytes");
    assert_eq!((kept.entries.len(), kept.ids.len(), kept.count), (MOST_ENTRIES, MOST_IDS, 1_000_000));
}

#[test]
fn an_id_is_found_for_longer_than_its_error_is_shown() {
    let mut kept = RecentErrors::default();
    (0..20_000).for_each(|number| drop(kept.insert(seen(number, Some("/a"), None))));
    let id = |number: u64| RequestId::from_parts(NOON + number, u128::from(number));
    let found = |number| (kept.errors().filter(|entry| entry.seen.id == id(number)).count(), kept.find(id(number)).1);
    assert_eq!([19_999, 19_900, 19_899, 10_000, 9_999].map(found), [(1, 1), (1, 1), (0, 1), (0, 1), (0, 0)]);
}

#[test]
fn a_request_whose_client_left_is_found_and_takes_no_errors_place() {
    let mut kept = RecentErrors::default();
    kept.insert(seen(0, Some("/a"), None)).unwrap();
    let left = || Kind { outcome: Outcome::ClientLeft, sent: None, by: None, ..Kind::of(Origin::Abandoned, 499) };
    (1..=1_000).for_each(|number| drop(kept.insert(with_kind(number, left()))));
    assert_eq!((kept.errors().count(), kept.left().count(), kept.ids.len()), (1, MOST_ENTRIES, 1_001));
    assert_eq!(kept.find(RequestId::from_parts(NOON + 1, 1)).1, 1);
    let all = minute(NOON)..minute(NOON) + 1;
    for severity in [Severity::ServerError, Severity::Broken, Severity::Refusal, Severity::WouldRefuse] {
        assert_eq!(kept.timeline.totals_of(severity, &all), []);
    }
}
