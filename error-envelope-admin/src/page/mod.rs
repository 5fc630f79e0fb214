//! The pages of the errors page.
//!
//! 1. Whatever a stranger may have chosen is written by [`foreign`](text::foreign), and escaped by the template.
//! 2. A script of this address adds rows as errors happen; without it the page is the same, to be loaded again.

mod bodies;
mod chart;
mod charts;
mod errors;
mod found;
mod frame;
mod hour;
mod live;
mod metrics_table;
mod one_route;
mod paging;
mod part;
mod policy_tables;
mod routes;
mod summary;
mod switch;
mod text;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use maud::{Markup, html};
use tokio::time::Instant;

use self::frame::Frame;
use self::live::Events;
use crate::answer::{self, Answer};
use crate::asked::AdminRequest;
use crate::error_store::query::{Filter, value};
use crate::error_store::readiness::Span;
use crate::error_store::{LIVE, search, store};
use crate::row::{Endpoint, get};

pub(crate) static ROWS: &[Endpoint] = &[
    get("/", home),
    get("/errors", find),
    get("/errors/{id}", one),
    get(LIVE, events),
    get("/charts", charts),
    get("/policy/view", policy),
    get("/metrics/view", metrics),
    get("/switch", switch),
    get("/page.css", |_| answer::file("text/css; charset=utf-8", include_str!("files/page.css"))),
    get("/page.js", |_| answer::file("text/javascript; charset=utf-8", include_str!("files/page.js"))),
    get("/page.svg", |_| answer::file("image/svg+xml", include_str!("files/page.svg"))),
];

/// `/`: all of it.
pub(super) fn home(asked: &AdminRequest<'_>) -> Answer {
    let span = span(asked);
    asked.admin.look_at_counters();
    let routes = routes::Routes::new(asked.shared(), span);
    let (count, entries) = {
        let kept = asked.shared().store.recent();
        (kept.count, kept.entries().cloned().collect::<Vec<_>>())
    };
    let errors = errors::LastErrors::new(entries, asked.query, span);
    let live = errors.live();
    let frame =
        Frame { title: "Errors", live: live.as_deref().map(|live| (live, count)), is_home: true, ..Frame::default() };
    let content = html! {
        (routes.summary())
        (charts::overview(&asked.shared().store, span))
        (routes.section(asked.query))
        (errors.section(routes.shows_bodies()))
        (routes.switch())
    };
    page(StatusCode::OK, &frame.around(&content))
}

/// `/errors?id=…`: by an id, from a client's report.
pub(super) fn find(asked: &AdminRequest<'_>) -> Answer {
    let wanted = value(asked.query, "id").unwrap_or_default();
    answer_of(asked, &wanted)
}

/// `/errors/req_…`, to be shared.
pub(super) fn one(asked: &AdminRequest<'_>) -> Answer {
    answer_of(asked, asked.name)
}

/// `/charts`: what happened when.
fn charts(asked: &AdminRequest<'_>) -> Answer {
    asked.admin.look_at_counters();
    let (status, content) = charts::answer(&asked.shared().store, asked.query, span(asked));
    page(status, &Frame { title: "Charts", ..Frame::default() }.around(&content))
}

/// `/policy/view`: what `/policy` tells to programs.
fn policy(asked: &AdminRequest<'_>) -> Answer {
    let (status, content) = policy_tables::answer(asked.shared(), asked.query, span(asked));
    page(status, &Frame { title: "Policy", ..Frame::default() }.around(&content))
}

/// `/metrics/view`: what `/metrics` tells to programs.
fn metrics(asked: &AdminRequest<'_>) -> Answer {
    let (status, content) = metrics_table::answer(asked);
    page(status, &Frame { title: "Metrics", ..Frame::default() }.around(&content))
}

/// `/switch`: what throwing the kill switch changes, before it does.
fn switch(asked: &AdminRequest<'_>) -> Answer {
    let content = switch::question(asked.shared(), asked.query);
    page(StatusCode::OK, &Frame { title: "Kill switch", ..Frame::default() }.around(&content))
}

fn answer_of(asked: &AdminRequest<'_>, wanted: &str) -> Answer {
    let (status, content) = found::answer(asked.shared(), wanted, search::id_in(wanted), span(asked));
    let frame = Frame { title: "One error", searched: wanted, ..Frame::default() };
    page(status, &frame.around(&content))
}

fn span(asked: &AdminRequest<'_>) -> Span {
    Span { since: asked.shared().store.since, now: store::now() }
}

fn page(status: StatusCode, page: &Markup) -> Answer {
    let mut answer = answer::html(status, page.0.clone());
    // By `no-referrer`, which says nothing of a page to any other, a form of this one would come from nowhere.
    answer.headers_mut().insert(http::header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}

fn events(asked: &AdminRequest<'_>) -> Answer {
    let store = &asked.shared().store;
    let Some(place) = store.listeners.join(Instant::now()) else {
        let mut full = answer::text(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open already; close one");
        full.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
        return full;
    };
    // What the page shows already, or what a connection before this one brought.
    let after = last_event(asked.headers).or_else(|| value(asked.query, "after"));
    let after = after.and_then(|number| number.parse().ok());
    let events = Events::new(store.clone(), Filter::parse(asked.query), place, after);
    answer::stream("text/event-stream", events)
}

fn last_event(headers: &HeaderMap) -> Option<String> {
    headers.get("last-event-id")?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests;
