//! The summary of the start page: whether anything is wrong, and what can be done at once.

use error_envelope_runtime::{PolicyRejection, PolicyStatus};
use maud::{Markup, html};

use super::routes::Routes;
use super::text::{foreign, time};
use crate::error_store::clock;
use crate::error_store::readiness::Verdict;
use crate::error_store::tally::Tally;
use crate::error_store::week::Week;

impl Routes {
    /// The summary that shows whether anything is wrong.
    pub(super) fn summary(&self) -> Markup {
        html! {
            h1.visually-hidden { "What the services send, and what their clients get" }
            @if self.policy.as_ref().and_then(PolicyStatus::rejection).is_some_and(PolicyRejection::is_current) {
                div.banner role="note" {
                    p {
                        strong { "The policy file was refused." } " The one before it stays active: "
                        a href="/policy/view" { "why" } "."
                    }
                }
            }
            (self.figures())
        }
    }

    fn figures(&self) -> Markup {
        let today = self.span.today();
        let sum = |of: fn(&Tally) -> &Week| -> u64 { self.loud.iter().map(|it| of(&it.tally).sum(today)).sum() };
        let last = self.loud.iter().map(|it| it.tally.last).max();
        let waits = self.loud.iter().filter(|it| it.readiness.verdict == Verdict::NotReady).count();
        html! {
            dl.figures aria-label="In short" {
                div { dt { "Errors " (self.span.in_words()) } dd { (sum(|it| &it.errors)) } }
                div { dt { "Without a code" } dd { (sum(|it| &it.without_code)) } }
                div { dt { "Routes that need something" } dd { (waits) } }
                div { dt { "Last error" } dd {
                    @match last { Some(last) => (time(last, self.span.now)), None => span.none { "none" } }
                } }
                @if let Some(it) = &self.policy {
                    div.wide { dt { "Policy" } dd {
                        (foreign(it.policy().summary().origin())) " " span.quiet { "since " (clock::short(clock::milliseconds(it.since()), self.span.now)) }
                    } }
                }
            }
        }
    }
}
