//! The observatory: what each route says, what clients would get in the next mode, and the last errors.
//!
//! 1. An [observer](Store) counts each error at once, in bounded memory; bodies, where the policy lets them be seen, go to a
//!    thread that takes out what looks like a credential before they are kept.
//! 2. Pages are made of what is kept when they are asked for, by templates that escape whatever they are given.
//! 3. A script of this address adds rows as errors happen; without it the page is the same, to be loaded again.
//!
//! What is counted begins with the process, and ends with it.

mod clock;
mod draft;
mod kept;
mod listeners;
mod live;
mod page;
mod query;
mod readiness;
mod redact;
mod search;
mod seen;
mod store;
mod tally;
mod week;

use http::StatusCode;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

pub(crate) use self::listeners::LIVE;
pub(crate) use self::store::Store;

use self::live::Events;
use self::query::Filter;
use crate::answer::{self, Answer};
use crate::asked::Asked;
use crate::row::{Row, get};

/// Its pages.
pub(crate) static ROWS: &[Row] = &[
    get("/", page::home),
    get("/errors", page::find),
    get("/errors/{id}", page::one),
    get(LIVE, events),
    get("/observatory.css", |_| answer::file("text/css; charset=utf-8", include_str!("files/observatory.css"))),
    get("/observatory.js", |_| answer::file("text/javascript; charset=utf-8", include_str!("files/observatory.js"))),
    get("/observatory.svg", |_| answer::file("image/svg+xml", include_str!("files/observatory.svg"))),
];

fn events(asked: &Asked<'_>) -> Answer {
    let store = &asked.shared().store;
    let Some(place) = store.listeners.join(Instant::now()) else {
        let mut full = answer::text(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open already; close one");
        full.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
        return full;
    };
    // What the page shows already, or what a connection before this one brought.
    let after = last_event(asked.headers).or_else(|| query::value(asked.query, "after"));
    let after = after.and_then(|number| number.parse().ok());
    let events = Events::new(store.clone(), Filter::of(asked.query), place, after);
    answer::stream("text/event-stream", events)
}

fn last_event(headers: &HeaderMap) -> Option<String> {
    headers.get("last-event-id")?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests;
