//! The last errors.

use std::collections::BTreeSet;
use std::sync::Arc;

use maud::{Markup, html};

use super::bodies;
use super::text::{foreign, time};
use crate::error_store::error_record::{Entry, Kind};
use crate::error_store::query::{Filter, route_word};
use crate::error_store::readiness::Span;
use crate::error_store::recent_errors::MOST_ENTRIES;
use crate::visible;

/// What the last errors can be filtered by.
pub(super) struct Choices {
    routes: BTreeSet<Option<Arc<str>>>,
    codes: BTreeSet<String>,
}

impl Choices {
    pub(super) fn from_entries(entries: &[Arc<Entry>]) -> Self {
        let codes = entries.iter().map(|entry| entry.kind.code.as_str().to_owned()).filter(|code| !code.is_empty());
        Self { routes: entries.iter().map(|entry| entry.route.clone()).collect(), codes: codes.collect() }
    }
}

pub(super) fn section(
    shown: &[Arc<Entry>],
    choices: &Choices,
    filter: &Filter,
    span: Span,
    shows_bodies: bool,
) -> Markup {
    html! {
        section id="errors" aria-labelledby="errors-title" {
            div.title {
                h2 id="errors-title" { "Last errors" }
                p.live hidden id="live" {
                    span.dot aria-hidden="true" {}
                    span id="live-state" role="status" { "Live" }
                    button type="button" id="pause" aria-pressed="false" { "Pause" }
                }
            }
            (filters(choices, filter))
            @if !shows_bodies { (how_to_show_bodies()) }
            p.visually-hidden id="announce" aria-live="polite" {}
            table.errors role="table" {
                caption {
                    @if filter.is_any() { "The last " (MOST_ENTRIES) " errors at most, the newest first" }
                    @else { "Those of the last " (MOST_ENTRIES) " errors that fit the filter, the newest first" }
                }
                thead role="rowgroup" {
                    tr role="row" {
                        @for name in ["Time", "Status", "Code", "Route", "Origin", "Request id"] {
                            th role="columnheader" scope="col" { (name) }
                        }
                    }
                }
                @for entry in shown { (row(entry, span.now)) }
            }
            p.empty id="empty" hidden[!shown.is_empty()] {
                @if filter.is_any() { "No errors yet " (span.in_words()) "." }
                @else { "None of the last errors fits. " a href="/#errors" { "Show all" } }
            }
        }
    }
}

/// The code, and whether the status alone decided it.
pub(super) fn code(kind: &Kind) -> Markup {
    html! {
        (bare_code(kind))
        @if kind.is_without_code() { " " span.tag title="The service said no code that is known" { "by status" } }
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

/// One error, in two rows that belong together.
pub(super) fn row(entry: &Entry, now: u64) -> Markup {
    let (kind, id) = (&entry.kind, entry.id.to_string());
    html! {
        tbody role="rowgroup" data-number=(entry.number) {
            tr role="row" {
                td.time role="cell" { (time(entry.at, now)) }
                td.statuses role="cell" { (statuses(entry)) }
                td.code role="cell" { (code(kind)) }
                th.route role="rowheader" scope="row" { (route(entry.route.as_deref())) }
                td.origin role="cell" { (kind.origin.as_str()) }
                td.id role="cell" { a href={ "/errors/" (id) } { (id) } }
            }
            tr.more role="row" {
                td role="cell" colspan="6" {
                    details {
                        summary { "Before and after" span.visually-hidden { " of " (id) } }
                        (bodies::sides(entry))
                    }
                }
            }
        }
    }
}

/// `409`; `200 → 400 observed` where the client got what the service said.
pub(super) fn statuses(entry: &Entry) -> Markup {
    let said = entry.bodies.get().and_then(|bodies| bodies.before.as_ref()).map(|side| side.status);
    let said = said.or(entry.kind.inner_status());
    let sent = entry.kind.sent;
    html! {
        @match entry.kind.would_be {
            Some(would_be) => {
                (status(sent)) " "
                @if Some(would_be) != sent { (arrow("in enforce")) (status(Some(would_be))) " " }
                span.tag title="The client got what the service said" { "observed" }
            }
            None if said.is_some() && said != sent => { (status(said)) " " (arrow("became")) (status(sent)) }
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
    html! { @match status { Some(status) => span class=(class) { (status) }, None => span.none { "none" } } }
}

pub(super) fn route(route: Option<&str>) -> Markup {
    html! { @match route { Some(route) => code { (foreign(route)) }, None => span.none { "no route" } } }
}

fn filters(choices: &Choices, filter: &Filter) -> Markup {
    let mut codes = choices.codes.clone();
    codes.extend(filter.code.clone());
    let mut routes: BTreeSet<&str> = choices.routes.iter().map(|route| route_word(route.as_deref())).collect();
    routes.extend(filter.route.as_deref());
    let is_chosen = |chosen: &Option<String>, it: &str| chosen.as_deref() == Some(it);
    html! {
        form.filters action="/#errors" method="get" aria-label="Filter the errors" {
            label { "Route"
                select name="route" {
                    option value="" { "All" }
                    @for route in routes {
                        option value=(visible::line(route)) selected[is_chosen(&filter.route, route)] {
                            @if route == route_word(None) { "No route" } @else { (visible::line(route)) }
                        }
                    }
                }
            }
            label { "Code"
                select name="code" {
                    option value="" { "All" }
                    @for code in &codes {
                        option value=(visible::line(code)) selected[is_chosen(&filter.code, code)] { (visible::line(code)) }
                    }
                }
            }
            button type="submit" { "Filter" }
            @if !filter.is_any() { a href="/#errors" { "Show all" } }
        }
    }
}

/// Without bodies there is no before and no after to see.
fn how_to_show_bodies() -> Markup {
    html! {
        details.note {
            summary { "Bodies are not shown: the policy does not let them be seen" }
            p { "To see what was said before and after, write into the policy:" }
            pre.copy tabindex="0" { code { "[observe]\nbodies = true\n" } }
            p {
                "The bodies of the last " (MOST_ENTRIES) " errors, and one of each route, are then kept in this process's memory: "
                "their first 8 KiB, without what looks like a credential. Nothing of them goes to the log or to a file. "
                "Whoever reaches this address can read them, and they may name people."
            }
        }
    }
}
