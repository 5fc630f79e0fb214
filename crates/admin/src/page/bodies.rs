//! Before and after, side by side.

use error_envelope_core::exchange::Origin;
use maud::{Markup, html};

use super::text::foreign;
use crate::error_store::error_record::{Bodies, Entry, Side};
use crate::visible;

/// The service's response next to the one that the client got, or would get.
pub(super) fn sides(entry: &Entry) -> Markup {
    let sent = if entry.kind.would_be.is_some() { "In enforce clients would get" } else { "The client got" };
    let none = Bodies::default();
    let bodies = entry.bodies.get().unwrap_or(&none);
    html! {
        @if let Some(cause) = &entry.cause { p.cause { span.label { "Cause" } " " (foreign(cause)) } }
        div.sides {
            div.side { p.label { "The service sent" } (shown(bodies.before.as_ref(), no_inner_body(entry))) }
            div.side.after { p.label { (sent) } (shown(bodies.after.as_ref(), no_sent_body(entry))) }
        }
    }
}

fn shown(side: Option<&Side>, why_none: &str) -> Markup {
    let Some(side) = side else { return html! { p.none { (why_none) } } };
    html! {
        p.head {
            span.status { (side.status) } " "
            @match &side.content_type {
                Some(kind) => (foreign(kind)),
                None => span.none { "without a content type" },
            }
        }
        @match side.text.as_deref() {
            Some("") => p.none { "No body." },
            Some(text) => {
                pre.body tabindex="0" { code dir="ltr" { (visible::lines(text)) } }
                @if !side.whole { p.none { "The rest was not kept." } }
            }
            None => p.none { (side.length) " bytes that are not text." },
        }
    }
}

fn no_inner_body(entry: &Entry) -> &'static str {
    match entry.kind.origin {
        Origin::Guard => match (entry.kind.would_be, entry.kind.sent) {
            (None, _) => "The service was not called: a guard refused the request.",
            (Some(_), Some(_)) => {
                "The service answered the request, which a guard would refuse in enforce. Its body was not kept."
            }
            (Some(_), None) => {
                "The request was forwarded: auth_observe lets it pass, and a guard would refuse it in enforce."
            }
        },
        Origin::Fault => "A fault from this process.",
        Origin::Error => "No response arrived: `cause` in the log has the reason.",
        Origin::Panic => "A panic: the log has its text.",
        Origin::Proxy => "The proxy answered by itself.",
        _ if entry.has_bodies => "Not kept: too many came at once.",
        _ => "Its body was not kept.",
    }
}

fn no_sent_body(entry: &Entry) -> &'static str {
    match entry.kind.sent {
        None => "No status left for the client.",
        Some(_) if entry.kind.would_be.is_some() => "Not made: its body was not read.",
        Some(_) => "Its body was not kept.",
    }
}
