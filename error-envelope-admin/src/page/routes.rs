//! What each route says, and what its clients would get in the next mode.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use error_envelope_core::policy::Mode;
use error_envelope_runtime::PolicyRejection;
use maud::{Markup, html};

use super::errors;
use super::text::{counted, foreign};
use crate::admin::Shared;
use crate::error_store::query::route_word;
use crate::error_store::readiness::{self, Readiness, Span, Verdict};
use crate::error_store::tally::Tally;
use crate::visible;

/// Routes that are explained at once, without a click: those that need something.
const MOST_OPEN: usize = 1;
/// Routes without errors that are named: a policy may have thousands.
const MOST_QUIET: usize = 200;

/// All routes, as of now.
pub(super) struct Routes {
    /// Those with errors, those that have most without a code first.
    pub(super) loud: Vec<RouteErrors>,
    /// The others, by mode.
    quiet: BTreeMap<&'static str, Vec<String>>,
    pub(super) in_force: Option<RouteSettings>,
    pub(super) is_off: bool,
    pub(super) span: Span,
}

pub(super) struct RouteSettings {
    pub(super) origin: String,
    pub(super) since: u64,
    mode: Mode,
    pub(super) refused: bool,
    shows_bodies: bool,
}

/// One with errors.
pub(super) struct RouteErrors {
    pub(super) route: Option<Arc<str>>,
    mode: Mode,
    /// Whether the active policy has it.
    is_known: bool,
    pub(super) tally: Tally,
    pub(super) readiness: Readiness,
}

impl Routes {
    pub(super) fn new(shared: &Shared, span: Span) -> Self {
        let status = shared.policy_status();
        let mut modes: HashMap<&str, Mode> = HashMap::new();
        let mut quiet: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        let in_force = status.as_ref().map(|status| {
            let figures = status.policy().summary();
            let since = status.since().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            for route in status.policy().routes() {
                modes.entry(route.pattern()).or_insert(route.mode());
            }
            RouteSettings {
                origin: figures.origin().to_owned(),
                since: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
                mode: figures.mode(),
                refused: status.rejection().is_some_and(PolicyRejection::is_current),
                shows_bodies: figures.observes_bodies(),
            }
        });
        let tallies: Vec<_> = {
            let kept = shared.store.recent();
            kept.tallies().map(|(route, tally)| (route.cloned(), tally.clone())).collect()
        };
        let mut loud = Vec::new();
        for (route, tally) in tallies {
            let known = match &route {
                Some(route) => modes.remove(&**route),
                None => in_force.as_ref().map(|it| it.mode),
            };
            let mode = known.unwrap_or(tally.mode);
            if tally.errors.sum(span.today()) == 0 {
                if let Some(route) = route.filter(|_| known.is_some()) {
                    quiet.entry(mode.as_str()).or_default().push(route.to_string());
                }
                continue;
            }
            let readiness = readiness::assess(mode, Some(&tally), span);
            loud.push(RouteErrors { route, mode, is_known: known.is_some(), tally, readiness });
        }
        for (route, mode) in modes {
            quiet.entry(mode.as_str()).or_default().push(route.to_owned());
        }
        quiet.values_mut().for_each(|routes| routes.sort_unstable());
        let today = span.today();
        loud.sort_by_key(|it| {
            let waits = it.readiness.verdict == Verdict::NotReady;
            let (without, errors) = (it.tally.without_code.sum(today), it.tally.errors.sum(today));
            (!waits, std::cmp::Reverse(without), std::cmp::Reverse(errors), it.route.clone())
        });
        Self { loud, quiet, in_force, is_off: shared.switch.is_off(), span }
    }

    pub(super) fn shows_bodies(&self) -> bool {
        // Where nothing is wired, nobody knows.
        self.in_force.as_ref().is_none_or(|it| it.shows_bodies)
    }

    pub(super) fn section(&self) -> Markup {
        html! {
            section id="routes" aria-labelledby="routes-title" {
                div.title { h2 id="routes-title" { "Routes" } }
                @if self.loud.is_empty() {
                    p.empty { "No errors " (self.span.in_words()) "." }
                } @else {
                    table.routes role="table" {
                        caption { "What each route says " (self.span.in_words()) ", those that need something first" }
                        thead role="rowgroup" {
                            tr role="row" {
                                th role="columnheader" scope="col" { "Route" }
                                th role="columnheader" scope="col" { "Mode" }
                                th.number role="columnheader" scope="col" { "Errors" }
                                th.number role="columnheader" scope="col" { "Without a code" }
                                th role="columnheader" scope="col" { "Next mode" }
                            }
                        }
                        @for (at, it) in self.loud.iter().enumerate() { (self.route(at, it)) }
                    }
                }
                @for (mode, routes) in &self.quiet { (quiet(mode, routes)) }
            }
        }
    }

    fn route(&self, at: usize, it: &RouteErrors) -> Markup {
        let today = self.span.today();
        let (errors, inner) = (it.tally.errors.sum(today), it.tally.inner.sum(today));
        let without = it.tally.without_code.sum(today);
        let is_open = at < MOST_OPEN && it.readiness.verdict == Verdict::NotReady;
        html! {
            tbody role="rowgroup" {
                tr role="row" {
                    th.route role="rowheader" scope="row" {
                        (errors::route(it.route.as_deref()))
                        @if !it.is_known { " " span.tag { "not in the policy" } }
                    }
                    td.mode role="cell" data-name="Mode" { (it.mode.as_str()) }
                    td.number role="cell" data-name="Errors" { (errors) }
                    td.number role="cell" data-name="Without a code" { (without) (share(without, inner)) }
                    td.verdict role="cell" data-name="Next mode" { (verdict(&it.readiness)) }
                }
                tr.more role="row" {
                    td role="cell" colspan="5" {
                        details open[is_open] {
                            summary {
                                "What it says, and what comes next"
                                span.visually-hidden { " on " (visible::line(route_word(it.route.as_deref()))) }
                            }
                            (it.explained(self.span))
                        }
                    }
                }
            }
        }
    }
}

fn quiet(mode: &str, routes: &[String]) -> Markup {
    let more = routes.len().saturating_sub(MOST_QUIET);
    html! {
        details.quiet-routes {
            summary { (counted(routes.len() as u64, "route")) " in " (mode) " without errors" }
            ul {
                @for route in routes.iter().take(MOST_QUIET) { li { code { (foreign(route)) } } }
                @if more > 0 { li { "and " (more) " more" } }
            }
        }
    }
}

fn verdict(readiness: &Readiness) -> Markup {
    let class = match readiness.verdict {
        Verdict::Ready | Verdict::Done => "sign yes",
        Verdict::NotReady => "sign no",
        Verdict::Unseen => "sign unknown",
    };
    let mark = match readiness.verdict {
        Verdict::Ready | Verdict::Done => "✓",
        Verdict::NotReady => "!",
        Verdict::Unseen => "?",
    };
    html! {
        span class=(class) aria-hidden="true" { (mark) } " "
        @match readiness.next {
            Some(next) => { b { (next.as_str()) } ": " (verdict_word(readiness.verdict)) },
            None if readiness.verdict == Verdict::Done => "enforced",
            None => "enforced: codes are missing",
        }
    }
}

pub(super) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "ready",
        Verdict::NotReady => "not ready",
        Verdict::Unseen => "not known yet",
        Verdict::Done => "done",
    }
}

fn share(part: u64, whole: u64) -> Markup {
    html! { @if part > 0 && whole > 0 { " " span.quiet { "(" ((part * 100).div_ceil(whole)) " %)" } } }
}
