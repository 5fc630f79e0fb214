//! The pages. Whatever a stranger may have chosen is written by [`foreign`](text::foreign), and escaped by the template.

mod errors;
mod found;
mod frame;
mod one_route;
mod routes;
mod said;
mod summary;
mod text;

use http::{HeaderValue, StatusCode};
use maud::{Markup, html};

use self::frame::Frame;
use super::query::{Filter, value};
use super::readiness::Span;
use super::search;
use super::seen::Entry;
use super::store;
use crate::answer::{self, Answer};
use crate::asked::Asked;

/// `/`: all of it.
pub(super) fn home(asked: &Asked<'_>) -> Answer {
    let (filter, span) = (Filter::of(asked.query), span(asked));
    let routes = routes::Routes::of(asked.shared(), span);
    let (count, entries) = {
        let kept = asked.shared().store.kept();
        (kept.count, kept.entries().cloned().collect::<Vec<_>>())
    };
    let choices = errors::Choices::of(&entries);
    let shown: Vec<_> = entries.into_iter().filter(|entry| filter.fits(entry)).collect();
    let live = filter.link("/events");
    let frame = Frame { title: "Errors", searched: "", live: Some((&live, count)), is_home: true };
    let content = html! {
        (routes.summary())
        (routes.section())
        (errors::section(&shown, &choices, &filter, span, routes.shows_bodies()))
        (routes.switch())
    };
    page(StatusCode::OK, &frame.around(&content))
}

/// `/errors?id=…`: by an id, from a client's report.
pub(super) fn find(asked: &Asked<'_>) -> Answer {
    let wanted = value(asked.query, "id").unwrap_or_default();
    answer_of(asked, &wanted)
}

/// `/errors/req_…`, to be shared.
pub(super) fn one(asked: &Asked<'_>) -> Answer {
    answer_of(asked, asked.name)
}

/// What is added to a page that is open.
pub(super) fn live_row(entry: &Entry, now: u64) -> String {
    errors::row(entry, now).into_string()
}

fn answer_of(asked: &Asked<'_>, wanted: &str) -> Answer {
    let (status, content) = found::answer(asked.shared(), wanted, search::id_in(wanted), span(asked));
    let frame = Frame { title: "One error", searched: wanted, live: None, is_home: false };
    page(status, &frame.around(&content))
}

fn span(asked: &Asked<'_>) -> Span {
    Span { since: asked.shared().store.since, now: store::now() }
}

fn page(status: StatusCode, page: &Markup) -> Answer {
    let mut answer = answer::html(status, page.0.clone());
    // By `no-referrer`, which says nothing of a page to any other, a form of this one would come from nowhere.
    answer.headers_mut().insert(http::header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}
