//! Explains what the kill switch changes, before it is thrown.

use maud::{Markup, html};

use super::text::counted;
use crate::admin::Shared;
use crate::error_store::query::{link, value};
use crate::visible::line;

/// The question, with its subject; if the switch is thrown, how to take it back.
pub(super) fn question(shared: &Shared, query: Option<&str>) -> Markup {
    let parameter = |name| value(query, name).unwrap_or_default();
    let (by, reason) = (parameter("by"), parameter("reason"));
    let pairs = [("by", &*by), ("reason", &*reason)].into_iter().filter(|(_, text)| !text.is_empty());
    let off = link("/mode/off", pairs);
    html! {
        h1 { "Kill switch" }
        @if shared.switch.is_off() {
            p.lead { "It is thrown: every route is in off." }
            (back())
        } @else {
            (changes(shared))
            (who_and_why(&by, &reason))
            (confirmation(&off))
        }
    }
}

fn confirmation(off: &str) -> Markup {
    html! {
        form.sure method="post" action=(off) {
            label { input type="checkbox" name="sure" required; " Clients are to get what the services send, on every route" }
            p.choice { button.grave type="submit" { "Put every route to off" } " " a href="/" { "Leave it as it is" } }
        }
    }
}

/// The link back.
pub(super) fn back() -> Markup {
    html! { form method="post" action="/mode/policy" { button type="submit" { "Let the policy hold again" } } }
}

/// Name and reason for the log and the page. A form of its own: its fields go into the address, since bodies are
/// never read.
fn who_and_why(by: &str, reason: &str) -> Markup {
    let is_noted = !by.is_empty() || !reason.is_empty();
    html! {
        form.filters action="/switch" method="get" aria-label="Who and why" {
            label { "Your name" input name="by" value=(line(by)) maxlength="200" autocomplete="name"; }
            label { "Reason" input name="reason" value=(line(reason)) maxlength="200"; }
            button type="submit" { "Note" }
            @if is_noted { span.quiet { "Noted: it goes to the log and to the page." } }
        }
    }
}

fn changes(shared: &Shared) -> Markup {
    html! {
        p.lead { "Put every route to off?" }
        ul.changes {
            @if let Some(status) = shared.policy_status() {
                @let figures = status.policy().summary();
                li { (counted(figures.routes() as u64, "route")) " of the policy, and what no route matches, go to off: now the policy's mode is " (figures.mode().as_str()) "." }
            }
            li { "Errors of the services pass as they are, with their own texts and details. Guards refuse nothing more." }
            li { "Credentials are required as before, and every response keeps its request id." }
            li { "It holds at once, for new requests of this process, until it is taken back here or the process ends." }
            li { "It is logged and counted." }
        }
    }
}
