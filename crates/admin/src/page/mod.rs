//! The pages of the errors page.
//!
//! 1. Any text that a client may have chosen is written by [`foreign`](text::foreign), and escaped by the template.
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
mod moment;
mod now;
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
use self::moment::Moment;
use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
use crate::change::Denied;
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
    get("/policy/view", |request| page(request, "Policy", policy_tables::answer(request.shared(), request.query))),
    get("/metrics/view", |request| page(request, "Metrics", metrics_table::answer(request))),
    get("/switch", |request| page(request, "Kill switch", switch::answer(request, None))),
    get("/page.css", |_| answer::file("text/css; charset=utf-8", include_str!("files/page.css"))),
    get("/page.js", |_| answer::file("text/javascript; charset=utf-8", include_str!("files/page.js"))),
    get("/page.svg", |_| answer::file("image/svg+xml", include_str!("files/page.svg"))),
];

/// `/`: the whole errors page.
pub(super) fn home(request: &AdminRequest<'_>) -> Answer {
    let moment = Moment::take(request);
    let span = moment.span;
    let routes = routes::Routes::new(request.shared(), &moment.tallies, span);
    let errors = errors::LastErrors::new(&moment.entries, request.query, span);
    let live = errors.live();
    let live = live.as_deref().map(|live| (live, moment.count));
    let frame = Frame { title: "Errors", live, is_home: true, now: span.now, ..Frame::default() };
    let content = html! {
        (moment.section(routes.policy.as_ref()))
        (charts::overview(&moment, request.query))
        (errors.section(routes.shows_bodies()))
        (routes.section(request.query, &routes.figures()))
    };
    framed(request, StatusCode::OK, &frame, &content)
}

/// `/errors?id=…`: the page of the id in a client's report.
pub(super) fn find(request: &AdminRequest<'_>) -> Answer {
    answer_of(request, &value(request.query, "id").unwrap_or_default())
}

/// `/errors/req_…`: the page of one error, with an address that can be shared.
pub(super) fn one(request: &AdminRequest<'_>) -> Answer {
    answer_of(request, request.name)
}

/// `/charts`: the counts over time.
fn charts(request: &AdminRequest<'_>) -> Answer {
    request.admin.look_at_counters();
    page(request, "Charts", charts::answer(&request.shared().store, request.query, span(request)))
}

fn answer_of(request: &AdminRequest<'_>, wanted: &str) -> Answer {
    let (status, content) = found::answer(request.shared(), wanted, search::id_in(wanted), span(request));
    let frame = Frame { title: "One error", searched: wanted, now: store::now(), ..Frame::default() };
    framed(request, status, &frame, &content)
}

/// The page with the kill switch's form again, after a change was refused.
pub(crate) fn denied(request: &AdminRequest<'_>, denied: &Denied) -> Answer {
    page(request, "Kill switch", switch::answer(request, Some(denied)))
}

/// The page of a path that is not served.
pub(crate) fn not_found(request: &AdminRequest<'_>) -> Answer {
    let content = html! { h1 { "No such page" } p.lead { "Use the links above to find a page." } };
    page(request, "No such page", (StatusCode::NOT_FOUND, content))
}

fn span(request: &AdminRequest<'_>) -> Span {
    Span { since: request.shared().store.since, now: store::now() }
}

fn page(request: &AdminRequest<'_>, title: &str, (status, content): (StatusCode, Markup)) -> Answer {
    framed(request, status, &Frame { title, now: store::now(), ..Frame::default() }, &content)
}

fn framed(request: &AdminRequest<'_>, status: StatusCode, frame: &Frame<'_>, content: &Markup) -> Answer {
    let mut answer = answer::html(status, frame.wrap(request, content).into_string());
    // `no-referrer` would hide the page from other sites, too. But then the browser would not send the origin with this
    // page's forms.
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
    // The number of the last error that the page shows, or that an earlier connection sent.
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
