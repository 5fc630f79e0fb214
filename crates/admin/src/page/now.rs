//! The current problems: the first section of the first page.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use error_envelope_runtime::{PolicyRejection, PolicyStatus};
use maud::{Markup, html};

use super::errors;
use super::moment::{Moment, NOW_MINUTES, OfCode};
use super::text::{counted, foreign, grouped, head_row, share, time};
use crate::error_store::clock;
use crate::error_store::place::Place;
use crate::error_store::query::Filter;
use crate::error_store::requests::RouteTotals;
use crate::visible;

/// The most rows of a table; it shows the worst ones.
const MOST_ROWS: usize = 8;
/// A certificate that ends within this many days is urgent, as in the alert on certificates.
const URGENT_DAYS: u64 = 7;
const SOON_DAYS: u64 = 21;

/// A place whose requests fail or are refused.
struct Affected {
    place: Place,
    count: u64,
    codes: Vec<(String, u64)>,
}

/// One line of the section, and how bad the problem is.
struct Problem {
    is_danger: bool,
    text: Markup,
}

impl Moment {
    pub(super) fn section(&self, policy: Option<&PolicyStatus>) -> Markup {
        let (failing, refusing) = (self.failing_places(), affected(&self.refusals));
        let problems = self.problems(policy);
        let is_well = failing.is_empty() && refusing.is_empty() && problems.is_empty();
        html! {
            section id="now" aria-labelledby="now-title" {
                h1 id="now-title" { "What is wrong now?" }
                @if is_well {
                    p.well { span.sign.yes aria-hidden="true" { "✓" } " No problems: no 5xx and no refused request in the last " (NOW_MINUTES) " minutes." }
                }
                @if !problems.is_empty() { ul.problems { @for problem in &problems { (problem.item()) } } }
                (self.table("fault", "5xx", &failing))
                (self.table("refusal", "Refused", &refusing))
            }
        }
    }

    /// The places that fail, by the counters of requests; without counters, by the errors that were stored.
    fn failing_places(&self) -> Vec<Affected> {
        let mut seen = affected(&self.faults);
        let Some(totals) = &self.totals else { return seen };
        let with_codes = |(place, totals): (&Place, &RouteTotals)| {
            let codes = seen.iter_mut().find(|it| it.place == *place).map(|it| mem::take(&mut it.codes));
            Affected { place: place.clone(), count: totals.faults, codes: codes.unwrap_or_default() }
        };
        sorted(totals.iter().filter(|(_, totals)| totals.faults > 0).map(with_codes).collect())
    }

    fn table(&self, class: &str, what: &str, rows: &[Affected]) -> Markup {
        let more = rows.len().saturating_sub(MOST_ROWS);
        html! {
            @if !rows.is_empty() {
                table.affected.(class) role="table" {
                    caption { (what) " by route and service in the last " (NOW_MINUTES) " minutes" }
                    (head_row(&["Route", "Service", what, "Share of requests", "Codes"], &[what, "Share of requests"]))
                    tbody role="rowgroup" { @for row in rows.iter().take(MOST_ROWS) { (self.row(what, row)) } }
                }
                @if more > 0 { p.quiet { "And " (counted(more as u64, "row")) " more, with lower counts." } }
            }
        }
    }

    fn row(&self, what: &str, it: &Affected) -> Markup {
        let Place { route, scope } = &it.place;
        let last = Filter::by_route(route.as_deref()).link("/") + "#errors";
        let mark = if what == "5xx" { "✕" } else { "!" };
        html! {
            tr role="row" {
                th.route role="rowheader" scope="row" { span.mark aria-hidden="true" { (mark) } " " a href=(last) { (errors::route(route.as_deref())) }
                    @if let Some(scope) = scope { " " span.quiet { "in " (foreign(scope)) } }
                }
                td role="cell" data-name="Service" { @match self.services.get(&it.place) { Some(service) => (service), None => span.none { "not known" } } }
                td.number role="cell" data-name=(what) { (grouped(it.count)) }
                td.number role="cell" data-name="Share" {
                    @match self.totals.as_ref().map(|totals| totals.get(&it.place).map_or(0, |totals| totals.all)) {
                        Some(all) => { (share(it.count, all)) " of " (grouped(all)) },
                        None => span.none { "not counted" },
                    }
                }
                td role="cell" data-name="Codes" {
                    @for (at, (code, count)) in it.codes.iter().enumerate() { @if at > 0 { ", " } code { (foreign(code)) } " " (grouped(*count)) }
                    @if it.codes.is_empty() { span.none { "not examined" } }
                }
            }
        }
    }

    fn problems(&self, policy: Option<&PolicyStatus>) -> Vec<Problem> {
        let refused = policy.and_then(PolicyStatus::rejection).filter(|it| it.is_current()).map(policy_refused);
        let key_sets = policy.map(key_sets).unwrap_or_default();
        let off = self.is_off.then(switched_off);
        off.into_iter().chain(refused).chain(key_sets).chain(self.certificates()).collect()
    }

    fn certificates(&self) -> Vec<Problem> {
        let value = |name: &str| {
            let lines = self.metrics.iter().flat_map(|text| text.lines()).filter_map(|line| line.strip_prefix(name));
            lines.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).reduce(f64::min)
        };
        let refused = value("error_envelope_certificate_refused").filter(|value| *value > 0.0).map(|_| Problem {
            is_danger: true,
            text: html! { strong { "The new certificate was rejected." } " The old one stays active; the log has the reason." },
        });
        let ends =
            value("error_envelope_certificate_not_after_timestamp_seconds").and_then(|at| self.certificate_ends(at));
        refused.into_iter().chain(ends).collect()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time in seconds is a whole number")]
    fn certificate_ends(&self, at_seconds: f64) -> Option<Problem> {
        let at = at_seconds as u64 * 1000;
        let hours = at.saturating_sub(self.span.now) / 3_600_000;
        let left = if hours < 72 { counted(hours, "hour") } else { counted(hours / 24, "day") };
        (hours / 24 < SOON_DAYS).then(|| Problem {
            is_danger: hours / 24 < URGENT_DAYS,
            text: html! {
                strong { @if at <= self.span.now { "The certificate has expired" } @else { "The certificate expires in " (left) } }
                ": " (clock::short(at)) " UTC. Renew it, and replace the certificate and key files."
            },
        })
    }
}

impl Problem {
    fn item(&self) -> Markup {
        let (class, mark, word) =
            if self.is_danger { ("danger", "✕", "Danger: ") } else { ("warning", "!", "Warning: ") };
        html! { li class=(class) { span.mark aria-hidden="true" { (mark) } " " span.visually-hidden { (word) } (self.text) } }
    }
}

fn switched_off() -> Problem {
    let text = html! {
        strong { "The kill switch is on" } ": errors pass as the services send them. They are neither logged nor counted, so the "
        "lists and charts of errors stay empty. " a href="/switch" { "Who turned it on, and why" } "."
    };
    Problem { is_danger: true, text }
}

fn policy_refused(rejection: &PolicyRejection) -> Problem {
    let why = rejection.why().lines().next().unwrap_or_default();
    let text = html! {
        strong { "The new policy was rejected" } " " (time(clock::milliseconds(rejection.since()))) ": " code { (foreign(why)) }
        ". The old policy stays active. " a href="/policy/view" { "Show all problems" } "."
    };
    Problem { is_danger: true, text }
}

fn key_sets(policy: &PolicyStatus) -> Vec<Problem> {
    let missing = policy.missing_key_sets();
    let problem = |(url, why): (&str, Arc<str>)| {
        let is_missing = missing.contains(&url);
        let text = html! {
            strong { "The key set at " (foreign(url)) " cannot be fetched" } ": " (foreign(&why)) ". "
            @if is_missing { "Requests that need it get 503." } @else { "The keys of the last fetch stay active." }
        };
        Problem { is_danger: is_missing, text }
    };
    policy.failing_key_sets().into_iter().map(problem).collect()
}

/// The counts of each place, with its codes.
fn affected(of_codes: &[OfCode]) -> Vec<Affected> {
    let mut places: BTreeMap<&Place, Affected> = BTreeMap::new();
    for (place, code, count) in of_codes {
        let empty = || Affected { place: place.clone(), count: 0, codes: Vec::new() };
        let it = places.entry(place).or_insert_with(empty);
        it.count += count;
        it.codes.push((visible::line(code.as_str()).into_owned(), *count));
    }
    sorted(places.into_values().collect())
}

/// Sorts the worst places first.
fn sorted(mut all: Vec<Affected>) -> Vec<Affected> {
    all.sort_by_key(|it| (Reverse(it.count), it.place.clone()));
    all.iter_mut().for_each(|it| it.codes.sort_by_key(|(code, count)| (Reverse(*count), code.clone())));
    all
}
