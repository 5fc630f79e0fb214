//! The details of one route, once its row is opened.

use error_envelope_core::exchange::Origin;
use maud::{Markup, html};

use super::routes::{RouteErrors, verdict_word};
use super::text::{counted, foreign, time};
use super::{bodies, errors};
use crate::error_store::draft;
use crate::error_store::error_record::Kind;
use crate::error_store::query::Filter;
use crate::error_store::readiness::Span;
use crate::error_store::tally::OfKind;

/// The most drafts on a page: one for each of the commonest kinds of errors without a code.
const MOST_DRAFTS: usize = 3;

impl RouteErrors {
    pub(super) fn explained(&self, span: Span) -> Markup {
        html! {
            div.explained {
                (self.kinds(span))
                (self.forms(span))
                (self.next())
                (self.example())
                (self.drafts(span))
            }
        }
    }

    /// Every kind of error of the service.
    fn kinds(&self, span: Span) -> Markup {
        let kinds = self.tally.commonest(span.today());
        let others = self.tally.others.sum(span.today());
        html! {
            div.scroll role="group" tabindex="0" aria-label="Kinds of errors" {
                table.kinds {
                    caption { "What it returns" }
                    thead {
                        tr {
                            th.number scope="col" { "Times" }
                            @for name in ["Status", "Dialect", "Code", "Decided by", "Last"] { th scope="col" { (name) } }
                        }
                    }
                    tbody {
                        @for (count, it) in &kinds { (kind_row(*count, it)) }
                        @if others > 0 {
                            tr { td.number { (others) } td colspan="5" { "of rarer kinds, counted together" } }
                        }
                    }
                }
            }
        }
    }

    /// The paths that no route matched, by their form.
    fn forms(&self, span: Span) -> Markup {
        let (forms, others) = self.tally.forms.commonest(span.today());
        html! {
            @if !forms.is_empty() {
                div.forms {
                    h3 { "Paths without a route" }
                    ul {
                        @for (count, form) in &forms { li { code { (foreign(form)) } " " span.quiet { (counted(*count, "time")) } } }
                        @if others > 0 { li { (counted(others, "time")) " of other forms" } }
                    }
                }
            }
        }
    }

    /// What the next mode changes for clients, and whether the route is ready for it.
    fn next(&self) -> Markup {
        html! {
            div.next {
                h3 {
                    @match self.readiness.next {
                        Some(next) => { "Next: " (next.as_str()) " · " (verdict_word(self.readiness.verdict)) },
                        None => "In force",
                    }
                }
                p { (self.readiness.change) }
                ul { @for reason in &self.readiness.reasons { li { (reason) } } }
                p { a href={ (Filter::by_route(self.route.as_deref()).link("/")) "#errors" } { "Last errors of this route" } }
            }
        }
    }

    fn example(&self) -> Markup {
        html! {
            @if let Some(example) = &self.tally.example {
                div.example {
                    h3 { "For example " (time(example.at)) }
                    (bodies::sides(example))
                    p { a href={ "/errors/" (example.id) } { (example.id) } }
                }
            }
        }
    }

    /// Policy drafts for errors without a code.
    fn drafts(&self, span: Span) -> Markup {
        let kinds = self.tally.commonest(span.today());
        let wants = |kind: &Kind| kind.is_without_code() && !draft::status_suffices(kind);
        let without: Vec<_> = kinds.iter().filter(|(_, it)| wants(&it.kind)).take(MOST_DRAFTS).collect();
        let draft = |kind: &Kind| draft::new(kind, self.route.as_deref(), is_alone(kind, &kinds));
        html! {
            @if !without.is_empty() {
                div.drafts {
                    h3 { "Rules to add to the policy" }
                    @for (count, it) in without { (draft_of(*count, &it.kind, draft(&it.kind))) }
                    p.quiet {
                        "Choose better names where needed. " code { "error-envelope learn" }
                        " drafts rules from the log or a recording, and also distinguishes errors by their texts."
                    }
                }
            }
        }
    }
}

/// Whether no other kind of the service's errors has this status, so that the status alone distinguishes it.
fn is_alone(kind: &Kind, kinds: &[(u64, &OfKind)]) -> bool {
    let mut same = kinds.iter().filter(|(_, it)| it.kind.sent == kind.sent && it.kind.origin == Origin::Inner);
    same.all(|(_, it)| it.kind.unknown.is_none() && it.kind.is_without_code())
}

fn kind_row(count: u64, it: &OfKind) -> Markup {
    let kind = &it.kind;
    html! {
        tr {
            td.number { (count) }
            td { @match kind.sent { Some(sent) => (sent), None => span.none { "none" } }
                @if let Some(would) = kind.would_be.filter(|would| Some(*would) != kind.sent) { " → " (would) } }
            td { (shape(kind)) }
            td {
                @if kind.is_error() { (errors::bare_code(kind)) } @else { span.none { "the client closed the connection" } }
                @if let Some(unknown) = &kind.unknown { " " span.quiet { "sent " code { (foreign(unknown)) } } }
            }
            td { (decided(kind)) }
            td { (time(it.last)) }
        }
    }
}

fn draft_of(count: u64, kind: &Kind, draft: Result<draft::Draft, &'static str>) -> Markup {
    html! {
        p.for-kind {
            (counted(count, "time")) ": " @if let Some(sent) = kind.sent { (sent) }
            @match &kind.unknown {
                Some(code) => { " with the code " code { (foreign(code)) } ", which the policy does not define" },
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
