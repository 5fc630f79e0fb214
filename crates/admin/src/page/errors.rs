//! The last errors.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use maud::{Markup, html};

use super::bodies;
use super::paging::Paging;
use super::text::{foreign, grouped, head_row, more_row, time};
use crate::error_store::error_record::{Entry, Kind, RequestLine, Severity};
use crate::error_store::query::{Filter, route_word};
use crate::error_store::readiness::Span;
use crate::error_store::recent_errors::MOST_ENTRIES;
use crate::visible;

/// The number of rows on one page: as many as a person scrolls through. The script shows the same number.
const ROWS: usize = 15;

/// The last errors that match a filter, and the values to filter by.
pub(super) struct LastErrors<'q> {
    query: Option<&'q str>,
    shown: Vec<Arc<Entry>>,
    routes: BTreeSet<String>,
    codes: BTreeSet<String>,
    filter: Filter,
    span: Span,
}

impl<'q> LastErrors<'q> {
    pub(super) fn new(entries: &[Arc<Entry>], query: Option<&'q str>, span: Span) -> Self {
        let filter = Filter::parse(query);
        let routes = entries.iter().map(|entry| route_word(entry.route.as_deref()).to_owned());
        let codes = entries.iter().map(|entry| entry.kind.code.as_str().to_owned()).filter(|code| !code.is_empty());
        let routes = routes.chain(filter.route.clone()).collect();
        let codes = codes.chain(filter.code.clone()).collect();
        let shown = entries
            .iter()
            .filter(|entry| filter.fits(entry.route.as_deref(), entry.kind.code.as_str()))
            .cloned()
            .collect();
        Self { query, shown, routes, codes, filter, span }
    }

    /// The live stream's address. Only the first page has one: there each new error becomes the first row.
    pub(super) fn live(&self) -> Option<String> {
        self.paged().0.is_first().then(|| self.filter.link("/events"))
    }

    fn paged(&self) -> (Paging, &[Arc<Entry>]) {
        let mut paging = Paging::new(self.query, "page", "error");
        let part = paging.part(&self.shown, ROWS);
        (paging, part)
    }

    pub(super) fn section(&self, shows_bodies: bool) -> Markup {
        let (paging, entries) = self.paged();
        html! {
            section id="errors" aria-labelledby="errors-title" {
                (title_with_live())
                (self.filters())
                @if !shows_bodies { (how_to_show_bodies()) }
                p.visually-hidden id="announce" aria-live="polite" {}
                (self.table(entries))
                (paging.links(|page| format!("{}#errors", self.filter.link_with("/", page))))
                p.empty id="empty" hidden[!self.shown.is_empty()] {
                    @if self.filter.matches_all() { "No errors yet " (self.span.in_words()) "." }
                    @else { "None of the last errors matches the filter. " a href="/#errors" { "Show all" } }
                }
            }
        }
    }

    fn filters(&self) -> Markup {
        let routes = self.routes.iter().map(|route| (&**route, route_text(route))).collect();
        let codes = self.codes.iter().map(|code| (&**code, visible::line(code))).collect();
        html! {
            form.filters action="/#errors" method="get" aria-label="Filter the errors" {
                (select("Route", "route", self.filter.route.as_deref(), &routes))
                (select("Code", "code", self.filter.code.as_deref(), &codes))
                button type="submit" { "Filter" }
                @if !self.filter.matches_all() { a href="/#errors" { "Show all" } }
            }
        }
    }

    fn table(&self, entries: &[Arc<Entry>]) -> Markup {
        html! {
            table.errors role="table" {
                caption {
                    @if self.filter.matches_all() { "At most the last " (MOST_ENTRIES) " errors, the newest first" }
                    @else { "The errors of the last " (MOST_ENTRIES) " that match the filter, the newest first" }
                }
                (head_row(&["Time", "Status", "Code", "Route", "Origin", "Request id"], &[]))
                @for entry in entries { (row(entry)) }
            }
        }
    }
}

fn title_with_live() -> Markup {
    html! {
        div.title {
            h2 id="errors-title" { "Last errors" }
            p.live hidden id="live" {
                span.dot aria-hidden="true" {}
                span id="live-state" role="status" { "Live" }
                button type="button" id="pause" aria-pressed="false" { "Pause" }
            }
        }
    }
}

/// The code, and whether the status alone decided it.
pub(super) fn code(kind: &Kind) -> Markup {
    html! {
        (bare_code(kind))
        @if kind.is_without_code() { " " span.tag title="The service sent no known code" { "by status" } }
    }
}

pub(super) fn bare_code(kind: &Kind) -> Markup {
    html! {
        @match kind.code.as_str() {
            "" => span.none { "none" },
            code => code { (foreign(code)) },
        }
    }
}

/// One error, in a pair of rows.
pub(super) fn row(entry: &Entry) -> Markup {
    let (kind, id) = (&entry.kind, entry.id.to_string());
    html! {
        @let class = (kind.severity() == Severity::Fault).then_some("fault");
        tbody class=[class] role="rowgroup" data-number=(entry.number) {
            tr role="row" {
                td.time role="cell" { (time(entry.at)) }
                td.statuses role="cell" { (statuses(entry)) }
                td.code role="cell" { (code(kind)) }
                th.route role="rowheader" scope="row" {
                    (route(entry.route.as_deref()))
                    p.request { (request_line(&entry.request)) }
                }
                td.origin role="cell" data-name="Origin" { (kind.origin.as_str()) }
                td.id role="cell" { a href={ "/errors/" (id) } { (id) } }
            }
            (more_row(6, ("Before and after", &format!(" of {id}")), &bodies::sides(entry)))
        }
    }
}

/// `GET → http://orders:8080, 12 ms`. Path and client are only on the page of the single error: they may identify
/// people.
fn request_line(request: &RequestLine) -> Markup {
    html! {
        @if let Some(method) = request.method { (method.as_str()) }
        @if let Some(service) = &request.service { " → " (service) }
        @if let Some(ms) = request.duration_ms { ", " (grouped(ms)) " ms" }
    }
}

/// `409`; `200 → 400 observed` if the client got the service's own response.
pub(super) fn statuses(entry: &Entry) -> Markup {
    let (inner, sent) = (entry.inner_status(), entry.kind.sent);
    html! {
        @match entry.kind.would_be {
            Some(would_be) => {
                (status(sent)) " "
                @if Some(would_be) != sent { (arrow("in enforce")) (status(Some(would_be))) " " }
                span.tag title="The client got the service's own response" { "observed" }
            }
            None if inner.is_some() && inner != sent => { (status(inner)) " " (arrow("became")) (status(sent)) }
            None => (status(sent)),
        }
        @if let Some(grpc) = entry.kind.grpc { " " span.quiet { "gRPC " (grpc) } }
    }
}

fn arrow(word: &str) -> Markup {
    html! { span.arrow { span aria-hidden="true" { "→" } span.visually-hidden { (word) } } " " }
}

fn status(status: Option<u16>) -> Markup {
    let class = match status {
        Some(500..) => "status fault",
        Some(400..) => "status refused",
        _ => "status",
    };
    html! { @match status { Some(status) => span class=(class) { @if status >= 500 { span.mark aria-hidden="true" { "✕ " } } (status) }, None => span.none { "none" } } }
}

pub(super) fn route(route: Option<&str>) -> Markup {
    html! { @match route { Some(route) => code { (foreign(route)) }, None => span.none { "no route" } } }
}

fn route_text(route: &str) -> Cow<'_, str> {
    if route == route_word(None) { "No route".into() } else { visible::line(route) }
}

/// A form field to select one of the values, or all.
fn select(label: &str, name: &str, chosen: Option<&str>, values: &BTreeMap<&str, Cow<'_, str>>) -> Markup {
    html! {
        label { (label)
            select name=(name) {
                option value="" { "All" }
                @for (value, text) in values {
                    option value=(visible::line(value)) selected[chosen == Some(*value)] { (text) }
                }
            }
        }
    }
}

/// Explains how to make the policy show bodies: without them, no error can be shown before and after the layer.
fn how_to_show_bodies() -> Markup {
    html! {
        details.note {
            summary { "Bodies are not shown, because the policy does not allow it" }
            p { "To show the service's body and the client's, add this to the policy:" }
            pre.copy tabindex="0" { code { "[observe]\nbodies = true\n" } }
            p {
                "This process then stores the bodies of the last " (MOST_ENTRIES) " errors, and one of each route, in memory: "
                "their first 8 KiB, without anything that looks like a credential. Bodies are never written to the log \
                 or to a file. "
                "Anyone who can reach this address can read them, and they may contain personal data."
            }
        }
    }
}
