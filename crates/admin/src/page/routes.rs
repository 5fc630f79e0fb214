//! Each route's errors, and what its clients would get in the next mode.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use error_envelope_core::policy::Mode;
use error_envelope_runtime::PolicyStatus;
use maud::{Markup, html};

use super::errors;
use super::paging::Paging;
use super::text::{counted, effective_mode, foreign, grouped, head_row, more_row, share};
use crate::admin::Shared;
use crate::error_store::query::{link, route_word};
use crate::error_store::readiness::{self, Readiness, Span, Verdict};
use crate::error_store::tally::Tally;
use crate::visible;

/// The number of rows on one page.
const ROWS: usize = 10;
/// The most routes without errors that the page lists by name: a policy may have thousands.
const MOST_QUIET: usize = 200;

/// All routes, as of now.
pub(super) struct Routes {
    /// Routes with errors. Those with the most errors without a code come first.
    pub(super) loud: Vec<RouteErrors>,
    /// The other routes, by mode.
    quiet: BTreeMap<&'static str, Vec<String>>,
    /// The active policy; `None` if no layer is connected.
    pub(super) policy: Option<PolicyStatus>,
    pub(super) is_off: bool,
    pub(super) span: Span,
}

/// A route with errors.
pub(super) struct RouteErrors {
    pub(super) route: Option<Arc<str>>,
    mode: Mode,
    /// Whether the active policy has it.
    is_known: bool,
    pub(super) tally: Tally,
    pub(super) readiness: Readiness,
}

impl RouteErrors {
    /// `known` is the route's mode in the active policy; `None` if that policy has no such route.
    fn new(route: Option<Arc<str>>, known: Option<Mode>, tally: Tally, span: Span) -> Self {
        let mode = known.unwrap_or(tally.mode);
        let readiness = readiness::assess(mode, &tally, span);
        Self { route, mode, is_known: known.is_some(), tally, readiness }
    }

    /// The sort key of the page: the route with the lowest key is shown first.
    fn urgency(&self, today: u32) -> impl Ord + use<> {
        let is_ready = self.readiness.verdict != Verdict::NotReady;
        let (without, errors) = (self.tally.without_code.sum(today), self.tally.errors.sum(today));
        (is_ready, Reverse(without), Reverse(errors), self.route.clone())
    }
}

impl Routes {
    pub(super) fn new(shared: &Shared, tallies: &[(Option<Arc<str>>, Tally)], span: Span) -> Self {
        let status = shared.policy_status();
        let mut modes = status.as_ref().map(modes).unwrap_or_default();
        let with_errors = |(route, tally): (Option<Arc<str>>, Tally)| {
            let known = match &route {
                Some(route) => modes.remove(&**route),
                None => status.as_ref().map(|it| it.policy().summary().mode()),
            };
            RouteErrors::new(route, known, tally, span)
        };
        let mut loud: Vec<_> = tallies.iter().cloned().map(with_errors).collect();
        loud.sort_by_cached_key(|it| it.urgency(span.today()));
        Self { loud, quiet: by_mode(modes), policy: status, is_off: shared.switch.is_off(), span }
    }

    pub(super) fn shows_bodies(&self) -> bool {
        // If no layer is connected, it is unknown whether bodies are shown, and the page gives no advice.
        self.policy.as_ref().is_none_or(|it| it.policy().summary().observes_bodies())
    }

    pub(super) fn section(&self, query: Option<&str>, figures: &Markup) -> Markup {
        let mut paging = Paging::new(query, "routes", "route");
        let shown = paging.part(&self.loud, ROWS);
        html! {
            section id="routes" aria-labelledby="routes-title" {
                div.title { h2 id="routes-title" { "Routes, and their next mode" } }
                (figures)
                @if self.loud.is_empty() { p.empty { "No errors " (self.span.in_words()) "." } } @else { (self.table(shown)) }
                (paging.links(|page| format!("{}#routes", link("/", page.into_iter()))))
                @for (mode, routes) in &self.quiet { (quiet(&effective_mode(mode, self.is_off), routes)) }
            }
        }
    }

    fn table(&self, shown: &[RouteErrors]) -> Markup {
        html! {
            table.routes role="table" {
                caption { "What each route returns " (self.span.in_words()) "; routes that need work come first" }
                (head_row(&["Route", "Mode", "Errors", "Without a code", "Next mode"], &["Errors", "Without a code"]))
                @for it in shown { (self.route(it)) }
            }
        }
    }

    fn route(&self, it: &RouteErrors) -> Markup {
        let today = self.span.today();
        let (inner, without) = (it.tally.inner.sum(today), it.tally.without_code.sum(today));
        let where_ = format!(" on {}", visible::line(route_word(it.route.as_deref())));
        html! {
            tbody role="rowgroup" {
                tr role="row" {
                    th.route role="rowheader" scope="row" {
                        (errors::route(it.route.as_deref()))
                        @if !it.is_known { " " span.tag { "not in the policy" } }
                    }
                    td.mode role="cell" data-name="Mode" { (effective_mode(it.mode.as_str(), self.is_off)) }
                    td.number role="cell" data-name="Errors" { (grouped(it.tally.errors.sum(today))) }
                    td.number role="cell" data-name="Without a code" { (grouped(without)) @if without > 0 && inner > 0 { " " span.quiet { "(" (share(without, inner)) ")" } } }
                    td.verdict role="cell" data-name="Next mode" { (verdict(&it.readiness)) }
                }
                (more_row(5, ("Details and next mode", &where_), &it.explained(self.span)))
            }
        }
    }
}

/// Of two routes with the same pattern, the first matches.
fn modes(status: &PolicyStatus) -> HashMap<&str, Mode> {
    let mut modes = HashMap::new();
    for route in status.policy().routes() {
        modes.entry(route.pattern()).or_insert(route.mode());
    }
    modes
}

fn by_mode(modes: HashMap<&str, Mode>) -> BTreeMap<&'static str, Vec<String>> {
    let mut routes: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (route, mode) in modes {
        routes.entry(mode.as_str()).or_default().push(route.to_owned());
    }
    routes.values_mut().for_each(|routes| routes.sort_unstable());
    routes
}

fn quiet(mode: &Markup, routes: &[String]) -> Markup {
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
    let (class, mark) = match readiness.verdict {
        Verdict::Ready | Verdict::Done => ("sign yes", "✓"),
        Verdict::NotReady => ("sign no", "!"),
        Verdict::Unseen => ("sign unknown", "?"),
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
        Verdict::Unseen => "not seen yet",
        Verdict::Done => "done",
    }
}
