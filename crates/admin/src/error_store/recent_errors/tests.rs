//! The stored data is bounded, whatever is observed.

use std::collections::HashSet;

use error_envelope_core::policy::Mode;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{DecidedBy, Origin};

use super::super::error_record::{Bodies, RequestLine, Side};
use super::super::redact;
use super::*;

const NOON: u64 = 1_795_262_400_000;

fn seen(number: u64, route: Option<&str>, unknown: Option<&str>) -> ErrorRecord {
    ErrorRecord {
        request: RequestLine::default(),
        id: RequestId::from_parts(NOON + number, u128::from(number)),
        at: NOON + number,
        route: route.map(Into::into),
        scope: None,
        mode: Mode::Observe,
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

#[test]
fn l1_a_response_that_broke_off_after_its_event_is_found_and_counts_once() {
    let of = |number, kind| ErrorRecord { kind: Arc::new(kind), ..seen(number, Some("/a"), None) };
    let refused = || Kind { would_be: Some(401), ..Kind::of(Origin::Guard, 200) };
    let late = || Kind { is_cut_off: true, ..Kind::of(Origin::Error, 200) };
    for (first, errors, cut) in
        [(refused(), 1, 1), (Kind::of(Origin::Inner, 404), 1, 1), (Kind::of(Origin::Inner, 502), 1, 0)]
    {
        let mut kept = RecentErrors::default();
        kept.insert(of(1, first));
        kept.break_off(of(1, late()));
        let of_severity = |severity| kept.timeline.totals_of(severity, &(minute(NOON)..minute(NOON) + 1)).len();
        assert!(kept.entries[0].is_cut_off() && kept.find(kept.ids[0].id).0[0].kind.is_cut_off);
        assert_eq!((kept.places.values().next().unwrap().errors, of_severity(Severity::CutOff)), (errors, cut));
    }
}

/// In bytes, without what an allocator adds.
fn room_of(kept: &RecentErrors) -> usize {
    let all = kept.tallies().count();
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
    kept.places.capacity() * size_of::<(Place, Tally)>()
        + kept.places.keys().map(|place| place.route.as_ref().map_or(0, |route| route.len() + 16)).sum::<usize>()
        + all * size_of::<Tally>()
        + kinds
            .iter()
            .map(|kind| size_of::<Kind>() + 16 + kind.unknown.as_ref().map_or(0, |it| it.len()))
            .sum::<usize>()
        + kept.entries.capacity() * size_of::<Arc<Entry>>()
        + kept.entries.iter().map(|it| size_of::<Entry>() + 16 + bodies(it)).sum::<usize>()
        + kept.ids.capacity() * size_of::<Id>()
}

/// The worst of each event: the longest possible body, codes that were never seen before, routes that come and go.
fn feed(kept: &mut RecentErrors, events: std::ops::Range<u64>) {
    let body = "x".repeat(redact::MOST);
    let routes: Vec<String> = (0..2 * MOST_PLACES).map(|number| format!("/{number}/{}", "r".repeat(200))).collect();
    for number in events {
        let route = &routes[number as usize / 100 % routes.len()];
        let unknown = format!("E_{:062}", number / 4);
        let entry = kept.insert(seen(number, Some(route), Some(&unknown))).expect("an error");
        // Few enough to be fast, and more than are kept.
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
    assert_eq!(kept.places.len(), MOST_PLACES);
}

#[test]
fn an_id_is_found_for_longer_than_its_error_is_shown() {
    let mut kept = RecentErrors::default();
    (0..20_000).for_each(|number| drop(kept.insert(seen(number, Some("/a"), None))));
    let id = |number: u64| RequestId::from_parts(NOON + number, u128::from(number));
    let found = |number| (kept.entries().filter(|entry| entry.seen.id == id(number)).count(), kept.find(id(number)).1);
    assert_eq!([19_999, 19_900, 19_899, 10_000, 9_999].map(found), [(1, 1), (1, 1), (0, 1), (0, 1), (0, 0)]);
}

#[test]
fn an_abandoned_request_is_counted_and_found_and_no_error() {
    let mut kept = RecentErrors::default();
    let mut abandoned = seen(1, Some("/a"), None);
    let kind = Arc::make_mut(&mut abandoned.kind);
    (kind.origin, kind.sent, kind.by) = (Origin::Abandoned, None, None);
    let id = abandoned.id;
    assert!(kept.insert(abandoned).is_none());
    let (_, tally) = kept.tallies().next().expect("its route");
    assert_eq!((tally.abandoned, tally.errors), (1, 0));
    assert_eq!((kept.find(id).1, kept.entries().count()), (1, 0));
}
