//! The page of one error, by its id.

use error_envelope_core::exchange::KnownMethod;
use error_envelope_core::request_id::RequestId;
use http::StatusCode;
use maud::{Markup, html};

use super::text::{foreign, grouped, time};
use super::{bodies, errors};
use crate::admin::Shared;
use crate::error_store::clock;
use crate::error_store::error_record::{Entry, Kind};
use crate::error_store::query::Filter;
use crate::error_store::readiness::Span;
use crate::error_store::recent_errors::{Id, MOST_IDS};

pub(super) fn answer(shared: &Shared, wanted: &str, id: Option<RequestId>, span: Span) -> (StatusCode, Markup) {
    let Some(id) = id else { return (StatusCode::BAD_REQUEST, no_id(wanted)) };
    let (entries, (ids, count)) = {
        let kept = shared.store.recent();
        (kept.entries_of(id), kept.find(id))
    };
    let some = if entries.is_empty() { ids.len() } else { entries.len() };
    if some == 0 {
        return (StatusCode::NOT_FOUND, nothing(id, span));
    }
    let all = html! {
        (title(id))
        @if some < count { p.lead { "The last " (some) " of " (count) " errors with this id." } }
        @for entry in &entries { (entry_markup(entry)) }
        @if entries.is_empty() { @for known in &ids { (remembered(known)) } }
        (in_the_log(id))
    };
    (StatusCode::OK, all)
}

fn title(id: RequestId) -> Markup {
    html! { h1.id { (id) } }
}

fn entry_markup(entry: &Entry) -> Markup {
    let request = &entry.request;
    let unknown = || html! { span.none { "not known" } };
    let more = html! {
        div { dt { "Method" } dd { (request.method.map_or("other", KnownMethod::as_str)) } }
        div { dt { "Path" } dd { @match &request.path { Some(path) => code { (foreign(path)) }, None => (unknown()) } } }
        div { dt { "Service" } dd { @match &request.service { Some(service) => (service), None => (unknown()) } } }
        div { dt { "Client" } dd { @match &request.client { Some(client) => (foreign(client)), None => (unknown()) } } }
        div { dt { "Duration" } dd { @match request.duration_ms { Some(ms) => { (grouped(ms)) " ms" }, None => (unknown()) } } }
        div { dt { "Mode" } dd { (entry.mode.as_str()) } }
        @if let Some(dropped) = &entry.dropped {
            div { dt { "Fields dropped" } dd { (foreign(dropped)) } }
        }
    };
    let statuses = errors::statuses(entry);
    html! {
        article.one {
            (facts(&entry.kind, entry.at, entry.route.as_deref(), &statuses, &more))
            (bodies::sides(entry))
        }
    }
}

fn remembered(known: &Id) -> Markup {
    let status = known.kind.status();
    let statuses = html! { @match status { Some(status) => (status), None => span.none { "none" } } };
    html! {
        article.one {
            (facts(&known.kind, known.at, known.route.as_deref(), &statuses, &html! {}))
            @if known.kind.is_error() {
                p { "This error is no longer among the last ones, so its bodies are not stored any more." }
            } @else {
                p { "No error: the client closed the connection before it got a response." }
            }
        }
    }
}

fn facts(kind: &Kind, at: u64, route: Option<&str>, statuses: &Markup, more: &Markup) -> Markup {
    let here = Filter::by_route(route).link("/");
    html! {
        dl.facts {
            div { dt { "Time" } dd { (time(at)) } }
            div { dt { "Status" } dd { (statuses) } }
            div { dt { "Code" } dd { (errors::code(kind)) } }
            div { dt { "Route" } dd {
                @if route.is_some() { a href={ (here) "#errors" } { (errors::route(route)) } } @else { (errors::route(route)) }
            } }
            div { dt { "Origin" } dd { (kind.origin.as_str()) } }
            @if let Some(dialect) = kind.dialect { div { dt { "Dialect" } dd { (dialect.as_str()) } } }
            @if let Some(by) = kind.by { div { dt { "Decided by" } dd { (by.as_str()) } } }
            @if let Some(unknown) = &kind.unknown { div { dt { "Unknown code" } dd { code { (foreign(unknown)) } } } }
            (more)
        }
    }
}

fn no_id(wanted: &str) -> Markup {
    html! {
        h1 { @if wanted.is_empty() { "Find an error by its id" } @else { "This is not a request id" } }
        @if !wanted.is_empty() { p { q { (foreign(&wanted.chars().take(80).collect::<String>())) } " contains no request id." } }
        p {
            "A request id is " code { "req_" } " and 26 letters and digits. Clients find it in the body of an error as "
            code { "request_id" } ", and in every response as the header " code { "x-request-id" } "."
        }
    }
}

fn nothing(id: RequestId, span: Span) -> Markup {
    let made = id.timestamp_ms();
    html! {
        (title(id))
        p.lead { "This id is not among the last " (grouped(MOST_IDS as u64)) " errors " (span.in_words()) "." }
        ul {
            li { "The request began at " (clock::rfc3339(made)) ", if this layer generated the id." }
            @if made < span.since {
                li { "That is before this process started, at " (clock::rfc3339(span.since)) ": search the log." }
            } @else if made > span.now {
                li { "That time is in the future: this layer did not generate the id, unless the clock was changed." }
            } @else {
                li { "Requests that succeeded are not stored here. Each process stores only its own errors." }
            }
        }
        (in_the_log(id))
    }
}

fn in_the_log(id: RequestId) -> Markup {
    html! {
        section.log aria-labelledby="log-title" {
            h2 id="log-title" { "In the log" }
            p { "Each error is one line in the log. Lines that the service logs during the request have the id, too:" }
            pre.copy tabindex="0" { code { "grep -F '" (id) "' gateway.log\n" } }
            @let trace = id.trace_id().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            p { "The same id as a trace id: " code.wrap { (trace) } "." }
        }
    }
}
