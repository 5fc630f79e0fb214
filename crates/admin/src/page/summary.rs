//! A summary of the errors since the process started.

use maud::{Markup, html};

use super::routes::Routes;
use super::text::{grouped, time};
use crate::error_store::readiness::Verdict;
use crate::error_store::tally::Tally;
use crate::error_store::week::Week;

impl Routes {
    /// A summary of the errors since the process started.
    pub(super) fn figures(&self) -> Markup {
        let today = self.span.today();
        let sum = |week: fn(&Tally) -> &Week| -> u64 { self.loud.iter().map(|it| week(&it.tally).sum(today)).sum() };
        let last = self.loud.iter().map(|it| it.tally.last).max();
        let waits = self.loud.iter().filter(|it| it.readiness.verdict == Verdict::NotReady).count();
        html! {
            dl.figures aria-label="In short" {
                div { dt { "Errors " (self.span.in_words()) } dd { (grouped(sum(|it| &it.errors))) } }
                div { dt { "Without a code" } dd { (grouped(sum(|it| &it.without_code))) } }
                div { dt { "Routes that need work" } dd { (waits) } }
                div { dt { "Last error" } dd {
                    @match last { Some(last) => (time(last)), None => span.none { "none" } }
                } }
            }
        }
    }
}
