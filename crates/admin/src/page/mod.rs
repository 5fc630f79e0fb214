//! The pages of the errors page.
//!
//! 1. Any text that a stranger may have chosen is written by [`foreign`](text::foreign), and escaped by the template.
//! 2. A script of this address adds rows as errors happen; without it the page is the same, to be reloaded.

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
use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
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

/// `/`: the whole errors page.
pub(super) fn home(request: &AdminRequest<'_>) -> Answer {
    let span = span(request);
    request.admin.look_at_counters();
    let routes = routes::Routes::new(request.shared(), span);
    let (count, entries) = {
        let kept = request.shared().store.recent();
        (kept.count, kept.entries().cloned().collect::<Vec<_>>())
    };
    let errors = errors::LastErrors::new(entries, request.query, span);
    let live = errors.live();
    let frame =
        Frame { title: "Errors", live: live.as_deref().map(|live| (live, count)), is_home: true, ..Frame::default() };
    let content = html! {
        (routes.summary())
        (charts::overview(&request.shared().store, span))
        (routes.section(request.query))
        (errors.section(routes.shows_bodies()))
        (routes.switch())
    };
    page(StatusCode::OK, &frame.around(&content))
}

/// `/errors?id=…`: by an id, from a client's report.
pub(super) fn find(request: &AdminRequest<'_>) -> Answer {
    let wanted = value(request.query, "id").unwrap_or_default();
    answer_of(request, &wanted)
}

/// `/errors/req_…`, to be shared.
pub(super) fn one(request: &AdminRequest<'_>) -> Answer {
    answer_of(request, request.name)
}

/// `/charts`: the counts by time.
fn charts(request: &AdminRequest<'_>) -> Answer {
    request.admin.look_at_counters();
    let (status, content) = charts::answer(&request.shared().store, request.query, span(request));
    page(status, &Frame { title: "Charts", ..Frame::default() }.around(&content))
}

/// `/policy/view`: `/policy` for people.
fn policy(request: &AdminRequest<'_>) -> Answer {
    let (status, content) = policy_tables::answer(request.shared(), request.query, span(request));
    page(status, &Frame { title: "Policy", ..Frame::default() }.around(&content))
}

/// `/metrics/view`: `/metrics` for people.
fn metrics(request: &AdminRequest<'_>) -> Answer {
    let (status, content) = metrics_table::answer(request);
    page(status, &Frame { title: "Metrics", ..Frame::default() }.around(&content))
}

/// `/switch`: what the kill switch changes, before it is thrown.
fn switch(request: &AdminRequest<'_>) -> Answer {
    let content = switch::question(request.shared(), request.query);
    page(StatusCode::OK, &Frame { title: "Kill switch", ..Frame::default() }.around(&content))
}

fn answer_of(request: &AdminRequest<'_>, wanted: &str) -> Answer {
    let (status, content) = found::answer(request.shared(), wanted, search::id_in(wanted), span(request));
    let frame = Frame { title: "One error", searched: wanted, ..Frame::default() };
    page(status, &frame.around(&content))
}

fn span(request: &AdminRequest<'_>) -> Span {
    Span { since: request.shared().store.since, now: store::now() }
}

fn page(status: StatusCode, page: &Markup) -> Answer {
    let mut answer = answer::html(status, page.0.clone());
    // With `no-referrer`, which hides the page from all others, a form of this page would have no origin.
    answer.headers_mut().insert(http::header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}

fn events(request: &AdminRequest<'_>) -> Answer {
    let store = &request.shared().store;
    let Some(place) = store.listeners.join(Instant::now()) else {
        let mut full = answer::text(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open already; close one");
        full.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
        return full;
    };
    // Errors that the page shows already, or that an earlier connection brought.
    let after = last_event(request.headers).or_else(|| value(request.query, "after"));
    let after = after.and_then(|number| number.parse().ok());
    let events = Events::new(store.clone(), Filter::parse(request.query), place, after);
    answer::stream("text/event-stream", events)
}

fn last_event(headers: &HeaderMap) -> Option<String> {
    headers.get("last-event-id")?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests;
