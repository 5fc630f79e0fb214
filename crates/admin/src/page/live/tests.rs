//! A listener gets the new errors, and takes no room from others.

use error_envelope_core::exchange::{DecidedBy, Origin};
use error_envelope_core::policy::Mode;
use error_envelope_core::request_id::RequestId;
use http_body_util::BodyExt;

use super::*;
use crate::error_store::error_record::{Bodies, Code, ErrorRecord, Kind, RequestLine};
use crate::error_store::listeners::{MOST_LISTENERS, SLOW_AFTER};

fn error(store: &Store, number: u64, route: &str, has_bodies: bool) -> Arc<Entry> {
    let (origin, code) = (Origin::Inner, Code::default());
    let by = Some(DecidedBy::Status);
    let kind = Kind { origin, code, sent: Some(409), would_be: None, grpc: None, dialect: None, by, unknown: None };
    let (id, at) = (RequestId::from_parts(1, u128::from(number)), store::now());
    let seen = ErrorRecord {
        request: RequestLine::default(),
        id,
        at,
        route: Some(route),
        scope: None,
        mode: Mode::Enforce,
        kind,
        dropped: None,
        has_bodies,
        cause: None,
        form: None,
    };
    store.recent().insert(seen).expect("an error")
}

fn listen(store: &Arc<Store>, query: Option<&str>, after: Option<u64>) -> Events {
    let place = store.listeners.join(Instant::now()).expect("a place");
    Events::new(store.clone(), Filter::parse(query), place, after)
}

async fn next(events: &mut Events) -> Option<String> {
    let frame = events.frame().await?.expect("no error");
    Some(String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text"))
}

fn rows(event: &str) -> usize {
    event.matches("event: row\n").count()
}

#[tokio::test(start_paused = true)]
async fn rows_come_in_their_order_as_far_as_they_fit() {
    let store = Arc::new(Store::default());
    error(&store, 0, "/a", false);
    let mut events = listen(&store, Some("route=/a"), None);
    assert_eq!(next(&mut events).await.as_deref(), Some("retry: 1000\n\n"));
    for (number, route) in [(1, "/a"), (2, "/b"), (3, "/a")] {
        error(&store, number, route, false);
    }
    let event = next(&mut events).await.expect("rows");
    assert_eq!(rows(&event), 2, "{event}");
    let (first, second) = (event.find("id: 2\n"), event.find("id: 4\n"));
    assert!(first.is_some() && first < second, "{event}");
    assert!(event.lines().all(|line| line.is_empty() || line.contains(": ")), "{event}");
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_gets_what_it_missed() {
    let store = Arc::new(Store::default());
    (1..=5).for_each(|number| drop(error(&store, number, "/a", false)));
    let mut events = listen(&store, None, Some(3));
    next(&mut events).await;
    assert_eq!(rows(&next(&mut events).await.expect("rows")), 2);
    let mut beyond = listen(&store, None, Some(u64::MAX));
    next(&mut beyond).await;
    error(&store, 6, "/a", false);
    assert_eq!(rows(&next(&mut beyond).await.expect("rows")), 1, "a number of another process");
}

#[tokio::test(start_paused = true)]
async fn a_storm_is_told_in_part() {
    let store = Arc::new(Store::default());
    let mut events = listen(&store, None, None);
    next(&mut events).await;
    (0..100_000).for_each(|number| drop(error(&store, number, "/a", false)));
    let event = next(&mut events).await.expect("rows");
    assert_eq!(rows(&event), MOST_ROWS);
    assert!(event.starts_with("event: left-out\ndata: 99980\n\n"), "{}", &event[..60]);
    assert!(event.contains("id: 100000\n"), "the last ones");
}

#[tokio::test(start_paused = true)]
async fn silence_has_a_heartbeat() {
    let store = Arc::new(Store::default());
    let mut events = listen(&store, None, None);
    next(&mut events).await;
    let began = Instant::now();
    assert_eq!(next(&mut events).await.as_deref(), Some(":\n\n"));
    assert!(began.elapsed() >= BEAT_EVERY && began.elapsed() < 2 * BEAT_EVERY, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_row_waits_for_its_bodies_and_not_for_ever() {
    let store = Arc::new(Store::default());
    let mut events = listen(&store, None, None);
    next(&mut events).await;
    let entry = error(&store, 1, "/a", true);
    assert_eq!(next(&mut events).await.as_deref(), Some(":\n\n"), "nothing but a heartbeat yet");
    entry.bodies.set(Bodies::default()).expect("the first");
    assert_eq!(rows(&next(&mut events).await.expect("rows")), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_one_is_let_go_and_places_are_few() {
    let store = Arc::new(Store::default());
    let mut all: Vec<Events> = (0..MOST_LISTENERS).map(|_| listen(&store, None, None)).collect();
    assert!(store.listeners.join(Instant::now()).is_none(), "full");
    all.pop();
    let mut last = listen(&store, None, None);
    next(&mut last).await;
    // All but the last take nothing for a while.
    let woken = Instant::now() + SLOW_AFTER;
    while Instant::now() < woken {
        next(&mut last).await;
    }
    let place = store.listeners.join(Instant::now());
    assert!(place.is_some(), "slow ones give way");
    assert!(next(&mut last).await.is_some());
    for slow in &mut all {
        next(slow).await;
        assert_eq!(next(slow).await, None, "it is over for them");
    }
}
