//! Errors and requests minute by minute: of all, by route and by code.

use std::cmp::Reverse;
use std::ops::Range;

use http::StatusCode;
use maud::{Markup, html};

use super::chart::{Bars, Counts};
use super::errors;
use super::hour::{HourError, Period, hours, minutes_of};
use super::moment::Moment;
use super::text::{counted, foreign, grouped, head_row};
use crate::error_store::clock;
use crate::error_store::minutes::{HOURS, begin_ms};
use crate::error_store::place::NO_ROUTE;
use crate::error_store::query::{Filter, route_word, value};
use crate::error_store::readiness::Span;
use crate::error_store::store::Store;
use crate::error_store::timeline::Rows;

/// The most rows in a table of charts. A longer table is too long to read.
const MOST_ROWS: usize = 20;

/// The data of a page of charts.
pub(super) struct Charts<'a> {
    store: &'a Store,
    filter: Filter,
    minutes: Range<u32>,
    span: Span,
    hour: Option<String>,
    /// The period to show if the query names no hour.
    period: Period,
}

/// The page, or the reason why there is nothing to show.
pub(super) fn answer(store: &Store, query: Option<&str>, span: Span) -> (StatusCode, Markup) {
    let hour = value(query, "hour");
    let period = Period::parse(query).unwrap_or(Period::SixHours);
    let (status, why) = match minutes_of(hour.as_deref(), period, span) {
        Ok(minutes) => {
            let charts = Charts { store, filter: Filter::parse(query), minutes, span, hour, period };
            return (StatusCode::OK, charts.page());
        }
        Err(HourError::Gone) => (StatusCode::GONE, "That hour is no longer stored"),
        Err(HourError::Future) => (StatusCode::NOT_FOUND, "That hour is in the future"),
        Err(HourError::Malformed) => (StatusCode::BAD_REQUEST, "The hour is not valid"),
    };
    (status, nothing(why, span))
}

/// The two charts of the first page, for the period that the query names.
pub(super) fn overview(moment: &Moment, query: Option<&str>) -> Markup {
    let period = Period::parse(query).unwrap_or(Period::Hour);
    let minutes = period.minutes(moment.span.now);
    let filter = Filter::parse(query);
    html! {
        section id="time" aria-labelledby="time-title" {
            div.title {
                h2 id="time-title" { "Errors and requests" }
                nav.hours aria-label="Period" {
                    ul {
                        @for it in Period::ALL {
                            (item(&(filter.link_with("/", Some(("last", it.word()))) + "#time"), it == period, it.text()))
                        }
                        (item("/charts", false, "By hour, route and code"))
                    }
                }
            }
            div.charts {
                (moment.errors.last(minutes.clone()).figure("Errors"))
                @match &moment.requests {
                    Some(counts) => (counts.last(minutes).figure("Requests")),
                    None => p.empty { "Requests are not counted in this process." },
                }
            }
        }
    }
}

fn item(address: &str, is_shown: bool, text: &str) -> Markup {
    html! { li { a href=(address) aria-current=[is_shown.then_some("page")] { (text) } } }
}

fn nothing(why: &str, span: Span) -> Markup {
    html! {
        h1 { (why) }
        p.lead {
            "The last " (HOURS) " hours are stored, but none before this process started, at "
            (clock::rfc3339(span.since)) ". For earlier errors, see the log and your metrics."
        }
        (hour_links(&Filter::default(), Err(""), span))
    }
}

fn hour_links(filter: &Filter, shown: Result<Period, &str>, span: Span) -> Markup {
    html! {
        nav.hours aria-label="Hours" {
            ul {
                @for it in Period::ALL {
                    @let address = filter.link_with("/charts", Some(("last", it.word())));
                    (item(&address, shown == Ok(it), it.text()))
                }
                @for hour in hours(span) {
                    @let address = filter.link_with("/charts", Some(("hour", &hour)));
                    (item(&address, shown == Err(&hour), &format!("{}:00", &hour[11..])))
                }
            }
        }
    }
}

impl Charts<'_> {
    fn page(&self) -> Markup {
        html! {
            h1 { "Errors and requests per minute" }
            (hour_links(&self.filter, self.hour.as_deref().map_or(Ok(self.period), Err), self.span))
            (self.active_filter())
            (self.totals())
            (self.minutes_as_table())
            (self.by_route())
            (self.by_code())
            (self.others())
        }
    }

    /// The active filter, and a link that removes it.
    fn active_filter(&self) -> Markup {
        let Filter { route, code } = &self.filter;
        html! {
            @if !self.filter.matches_all() {
                p.lead {
                    "Of errors"
                    @if let Some(route) = route { " on " (errors::route(Some(route).filter(|it| *it != route_word(None)).map(|it| &**it))) }
                    @if let Some(code) = code { " with the code " code { (foreign(code)) } }
                    " alone. " a href="/charts" { "Show all" }
                }
            }
        }
    }

    fn totals(&self) -> Markup {
        let minutes = || self.minutes.clone();
        let route = self.filter.route.as_deref().map(|route| if route == route_word(None) { NO_ROUTE } else { route });
        let store = self.store.requests();
        let requests = store.counts(route, minutes()).filter(|_| self.filter.code.is_none());
        let requests = requests.map(|all| Counts { all, faults: store.fault_counts(route, minutes()) });
        let all = self.store.recent().timeline.counts(&self.filter, minutes());
        html! {
            div.charts {
                (Counts { all, faults: Vec::new() }.last(minutes()).figure("Errors"))
                @match requests {
                    Some(counts) => (counts.last(minutes()).figure("Requests")),
                    None if self.filter.code.is_some() => {},
                    None => p.empty { "Requests are not counted in this process." },
                }
            }
        }
    }

    fn bars<'c>(&self, counts: &'c [u32]) -> Bars<'c> {
        Bars { counts, faults: &[], minutes: self.minutes.clone() }
    }

    /// The numbers as a table: one row per minute if an hour is selected, else one row per hour.
    fn minutes_as_table(&self) -> Markup {
        let step = if self.minutes.len() > 60 { 60 } else { 1 };
        let counts = self.store.recent().timeline.counts(&self.filter, self.minutes.clone());
        let starts = self.minutes.clone().step_by(step);
        let rows = starts.zip(counts.chunks(step)).map(|(start, counts)| (start, self.bars(counts)));
        html! {
            details.note {
                summary { "The same as numbers" }
                table.numbers {
                    (head_row(&["From", "Errors", "Most in a minute"], &["Errors", "Most in a minute"]))
                    tbody {
                        @for (start, bars) in rows {
                            tr {
                                th scope="row" { (clock::day_minute(begin_ms(start))) }
                                td.number { (grouped(bars.sum())) }
                                td.number { (grouped(bars.most().into())) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn by_route(&self) -> Markup {
        let rows = self.store.recent().timeline.by_route(&self.filter, &self.minutes);
        let name = |route: &str| errors::route(Some(route).filter(|route| *route != route_word(None)));
        let link = |route: &str| Filter { route: Some(route.to_owned()), code: self.filter.code.clone() };
        self.table("Route", rows, &name, &link)
    }

    fn by_code(&self) -> Markup {
        let rows = self.store.recent().timeline.by_code(&self.filter, &self.minutes);
        let name =
            |code: &str| html! { @if code.is_empty() { span.none { "none" } } @else { code { (foreign(code)) } } };
        let link = |code: &str| Filter { route: self.filter.route.clone(), code: Some(code.to_owned()) };
        self.table("Code", rows, &name, &link)
    }

    fn table(&self, what: &str, rows: Rows, name: &dyn Fn(&str) -> Markup, link: &dyn Fn(&str) -> Filter) -> Markup {
        let mut rows: Vec<_> = rows.into_iter().map(|(key, counts)| (self.bars(&counts).sum(), key, counts)).collect();
        rows.sort_by_cached_key(|(sum, key, _)| (Reverse(*sum), key.clone()));
        let more = rows.len().saturating_sub(MOST_ROWS);
        let id = what.to_ascii_lowercase();
        html! {
            section id=(id) aria-labelledby={ (id) "-title" } {
                div.title { h2 id={ (id) "-title" } { "By " (id) } }
                @if rows.is_empty() { p.empty { "No errors in this time." } } @else {
                    table.series role="table" {
                        (head_row(&[what, "Errors", "Most in a minute", "Per minute"], &["Errors", "Most in a minute"]))
                        tbody role="rowgroup" {
                            @for (_, key, counts) in rows.iter().take(MOST_ROWS) {
                                (self.row(&name(key), &self.bars(counts), &link(key)))
                            }
                        }
                    }
                    @if more > 0 { p.quiet { (more) " more, with fewer errors." } }
                }
            }
        }
    }

    fn row(&self, name: &Markup, bars: &Bars<'_>, filter: &Filter) -> Markup {
        let hour = self.hour.as_deref().map_or(("last", self.period.word()), |hour| ("hour", hour));
        let is_wanted = *filter == self.filter || filter.code.as_deref() == Some("");
        html! {
            tr role="row" {
                th.route role="rowheader" scope="row" {
                    @if is_wanted { (name) } @else { a href=(filter.link_with("/charts", Some(hour))) { (name) } }
                }
                td.number role="cell" data-name="Errors" { (grouped(bars.sum())) }
                td.number role="cell" data-name="Most in a minute" { (grouped(bars.most().into())) }
                td.spark role="cell" { (bars.spark()) }
            }
        }
    }

    fn others(&self) -> Markup {
        let others = self.store.recent().timeline.others(self.minutes.clone());
        html! {
            @if others > 0 {
                p.quiet { (counted(others, "error")) " are counted above, but not by route and code: too many pairs of route and code had errors." }
            }
        }
    }
}
