//! The bodies of an error before and after the layer, side by side.

use error_envelope_core::exchange::Origin;
use maud::{Markup, html};

use super::text::foreign;
use crate::error_store::error_record::{Bodies, Entry, Side};
use crate::visible;

/// The service's response next to the one that the client got, or would get.
pub(super) fn sides(entry: &Entry) -> Markup {
    let sent = if entry.kind.would_be.is_some() { "In mode enforce the client would get" } else { "The client got" };
    let none = Bodies::default();
    let bodies = entry.bodies.get().unwrap_or(&none);
    html! {
        @if let Some(cause) = &entry.cause { p.cause { span.label { "Cause" } " " (foreign(cause)) } }
        div.sides {
            div.side { p.label { "The service sent" } (side_markup(bodies.before.as_ref(), no_inner_body(entry))) }
            div.side.after { p.label { (sent) } (side_markup(bodies.after.as_ref(), no_sent_body(entry))) }
        }
    }
}

fn side_markup(side: Option<&Side>, why_none: &str) -> Markup {
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
                @if !side.whole { p.none { "The rest was not stored." } }
            }
            None => p.none { (side.length) " bytes that are not text" },
        }
    }
}

fn no_inner_body(entry: &Entry) -> &'static str {
    match entry.kind.origin {
        Origin::Guard => match (entry.kind.would_be, entry.kind.sent) {
            (None, _) => "The service was not called: a guard refused the request.",
            (Some(_), Some(_)) => {
                "The service answered the request, which a guard would refuse in mode enforce. The body was not stored."
            }
            (Some(_), None) => {
                "The request was forwarded because of auth_observe. In mode enforce without it, a guard would refuse \
                 the request."
            }
        },
        Origin::Fault => "A fault in this process.",
        Origin::Error => "No response arrived. `cause` in the log has the reason.",
        Origin::Panic => "A panic in this process. The log has its text.",
        Origin::Proxy => "The proxy itself returned the response.",
        _ if entry.has_bodies => "Not stored: too many errors came at once.",
        _ => "The body was not stored.",
    }
}

fn no_sent_body(entry: &Entry) -> &'static str {
    match entry.kind.sent {
        None => "No status was sent to the client.",
        Some(_) if entry.kind.would_be.is_some() => "No response was made, because the service's body was not read.",
        Some(_) => "The body was not stored.",
    }
}
