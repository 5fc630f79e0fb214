//! What each route says, and what its clients would get in the next mode.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use maud::{Markup, html};
use tower_error_envelope::Mode;
use tower_error_envelope::exchange::Origin;

use super::{counted, errors, foreign, said, time};
use crate::admin::Shared;
use crate::observatory::clock;
use crate::observatory::draft;
use crate::observatory::query::{Filter, route_word};
use crate::observatory::readiness::{self, Readiness, Span, Verdict};
use crate::observatory::seen::Kind;
use crate::observatory::tally::{OfKind, Tally};
use crate::observatory::visible;
use crate::observatory::week::Week;

/// Kinds without a code for which it is said what to write: the commonest.
const MOST_DRAFTS: usize = 3;
/// Routes that are explained at once, without a click: those that need something.
const MOST_OPEN: usize = 1;
/// Routes without errors that are named: a policy may have thousands.
const MOST_QUIET: usize = 200;

/// All routes, as of now.
pub(super) struct Routes {
    /// Those with errors, those that have most without a code first.
    loud: Vec<OfRoute>,
    /// The others, by mode.
    quiet: BTreeMap<&'static str, Vec<String>>,
    in_force: Option<InForce>,
    is_off: bool,
    span: Span,
}

struct InForce {
    origin: String,
    since: u64,
    mode: Mode,
    refused: bool,
    shows_bodies: bool,
}

struct OfRoute {
    route: Option<Arc<str>>,
    mode: Mode,
    /// Whether the policy in force has it.
    is_known: bool,
    tally: Tally,
    readiness: Readiness,
}

impl Routes {
    pub(super) fn of(shared: &Shared, span: Span) -> Self {
        let standing = shared.in_force();
        let mut modes: HashMap<&str, Mode> = HashMap::new();
        let mut quiet: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        let in_force = standing.as_ref().map(|standing| {
            let figures = standing.policy().figures();
            let since = standing.since().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            for route in standing.policy().routes() {
                modes.entry(route.pattern()).or_insert(route.mode());
            }
            InForce {
                origin: figures.origin().to_owned(),
                since: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
                mode: figures.mode(),
                refused: standing.refusal().is_some_and(|refusal| refusal.stands()),
                shows_bodies: figures.observes_bodies(),
            }
        });
        let tallies: Vec<_> = {
            let kept = shared.store.kept();
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
            let readiness = readiness::of(mode, Some(&tally), span);
            loud.push(OfRoute { route, mode, is_known: known.is_some(), tally, readiness });
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

    /// In one glance: is anything wrong?
    pub(super) fn summary(&self) -> Markup {
        let today = self.span.today();
        let sum = |of: fn(&Tally) -> &Week| -> u64 { self.loud.iter().map(|it| of(&it.tally).sum(today)).sum() };
        let last = self.loud.iter().map(|it| it.tally.last).max();
        let waits = self.loud.iter().filter(|it| it.readiness.verdict == Verdict::NotReady).count();
        html! {
            h1.visually-hidden { "What the services say, and what their clients get" }
            @if self.is_off {
                div.banner role="note" {
                    p { strong { "Every route is in off." } " The kill switch is thrown: clients get what the services say." }
                    form method="post" action="/mode/policy" { button type="submit" { "Let the policy hold again" } }
                }
            }
            @if self.in_force.as_ref().is_some_and(|it| it.refused) {
                div.banner role="note" {
                    p {
                        strong { "The policy file was refused." } " The one before it is in force: "
                        a href="/policy" { "why" } "."
                    }
                }
            }
            dl.figures aria-label="In short" {
                div { dt { "Errors " (self.span.in_words()) } dd { (sum(|it| &it.errors)) } }
                div { dt { "Without a code" } dd { (sum(|it| &it.without_code)) } }
                div { dt { "Routes that need something" } dd { (waits) } }
                div { dt { "Last error" } dd {
                    @match last { Some(last) => (time(last, self.span.now)), None => span.none { "none" } }
                } }
                @if let Some(it) = &self.in_force {
                    div.wide { dt { "Policy" } dd {
                        (foreign(&it.origin)) " " span.quiet { "since " (clock::short(it.since, self.span.now)) }
                    } }
                }
            }
        }
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

    fn route(&self, at: usize, it: &OfRoute) -> Markup {
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
                            div.explained {
                                (self.kinds(it))
                                (self.next(it))
                                (self.drafts(it))
                            }
                        }
                    }
                }
            }
        }
    }

    /// What the service says: every kind of error.
    fn kinds(&self, it: &OfRoute) -> Markup {
        let kinds = it.tally.commonest(self.span.today());
        let others = it.tally.others.sum(self.span.today());
        html! {
            div.scroll role="group" tabindex="0" aria-label="Kinds of errors" {
                table.kinds {
                    caption { "What it says" }
                    thead {
                        tr {
                            th.number scope="col" { "Times" }
                            th scope="col" { "Status" }
                            th scope="col" { "Dialect" }
                            th scope="col" { "Code" }
                            th scope="col" { "Decided by" }
                            th scope="col" { "Last" }
                        }
                    }
                    tbody {
                        @for (count, of) in &kinds { (self.kind(*count, of)) }
                        @if others > 0 {
                            tr { td.number { (others) } td colspan="5" { "of rarer kinds, counted together" } }
                        }
                    }
                }
            }
        }
    }

    fn kind(&self, count: u64, of: &OfKind) -> Markup {
        let kind = &of.kind;
        html! {
            tr {
                td.number { (count) }
                td { @match kind.sent { Some(sent) => (sent), None => span.none { "none" } }
                    @if let Some(would) = kind.would_be.filter(|would| Some(*would) != kind.sent) { " → " (would) } }
                td { (shape(kind)) }
                td {
                    @if kind.is_error() { (errors::bare_code(kind)) } @else { span.none { "the client went away" } }
                    @if let Some(unknown) = &kind.unknown { " " span.quiet { "said " code { (foreign(unknown)) } } }
                }
                td { (decided(kind)) }
                td { (time(of.last, self.span.now)) }
            }
        }
    }

    /// What changes for clients, whether the route is ready for it, and an example.
    fn next(&self, it: &OfRoute) -> Markup {
        html! {
            div.next {
                h3 {
                    @match it.readiness.next {
                        Some(next) => { "Next: " (next.as_str()) " · " (verdict_word(it.readiness.verdict)) },
                        None => "In force",
                    }
                }
                p { (it.readiness.change) }
                ul { @for reason in &it.readiness.reasons { li { (reason) } } }
                p {
                    a href={ (Filter { route: Some(route_word(it.route.as_deref()).to_owned()), code: None }.link("/")) "#errors" } {
                        "Its last errors"
                    }
                }
            }
            @if let Some(example) = &it.tally.example {
                div.example {
                    h3 { "For example " (time(example.at, self.span.now)) }
                    (said::sides(example))
                    p { a href={ "/errors/" (example.id) } { (example.id) } }
                }
            }
        }
    }

    /// What to write into the policy for what has no code.
    fn drafts(&self, it: &OfRoute) -> Markup {
        let kinds = it.tally.commonest(self.span.today());
        let wants = |kind: &Kind| kind.is_without_code() && !draft::status_says_all(kind);
        let without: Vec<_> = kinds.iter().filter(|(_, of)| wants(&of.kind)).take(MOST_DRAFTS).collect();
        let alone = |kind: &Kind| {
            let same = kinds.iter().filter(|(_, of)| of.kind.sent == kind.sent && of.kind.origin == Origin::Inner);
            same.clone().all(|(_, of)| of.kind.unknown.is_none() && of.kind.is_without_code())
        };
        html! {
            @if !without.is_empty() {
                div.drafts {
                    h3 { "What to write into the policy" }
                    @for (count, of) in without {
                        (draft_of(*count, &of.kind, draft::of(&of.kind, it.route.as_deref(), alone(&of.kind))))
                    }
                    p.quiet {
                        "Names are a first guess. " code { "error-envelope learn" }
                        " drafts rules from the log or a recording, by what errors say as well."
                    }
                }
            }
        }
    }

    /// For whoever is on call.
    pub(super) fn switch(&self) -> Markup {
        html! {
            section id="switch" aria-labelledby="switch-title" {
                div.title { h2 id="switch-title" { "Kill switch" } }
                @if self.is_off {
                    p { "It is thrown: every route is in off." }
                } @else {
                    details.note {
                        summary { "Put every route to off" }
                        p {
                            "Clients then get what the services say, at once and until it is taken back here. Credentials are "
                            "asked for as before. It is logged and counted, and ends with the process."
                        }
                        form method="post" action="/mode/off" { button.grave type="submit" { "Put every route to off" } }
                    }
                }
            }
        }
    }
}

fn draft_of(count: u64, kind: &Kind, draft: Result<draft::Draft, &'static str>) -> Markup {
    html! {
        p.for-kind {
            (counted(count, "time")) ": " @if let Some(sent) = kind.sent { (sent) }
            @match &kind.unknown {
                Some(code) => { " with the code " code { (foreign(code)) } ", which nobody knows" },
                None => { " " (shape(kind)) ", without a code" },
            }
        }
        @match draft {
            Ok(draft) => {
                pre.copy tabindex="0" { code { (draft.toml) } }
                @if let Some(note) = draft.note { p.none { (note) } }
            }
            Err(why) => p.none { (why) },
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

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "ready",
        Verdict::NotReady => "not ready",
        Verdict::Unseen => "not known yet",
        Verdict::Done => "done",
    }
}

fn shape(kind: &Kind) -> &'static str {
    match (kind.dialect, kind.origin) {
        (Some(dialect), _) => dialect.as_str(),
        (None, Origin::Inner) => "no shape",
        (None, origin) => origin.as_str(),
    }
}

fn decided(kind: &Kind) -> &'static str {
    kind.by.map_or("", |by| by.as_str())
}

fn share(part: u64, whole: u64) -> Markup {
    html! { @if part > 0 && whole > 0 { " " span.quiet { "(" ((part * 100).div_ceil(whole)) " %)" } } }
}
