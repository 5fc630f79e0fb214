//! Texts, times and counts on a page.

use maud::{Markup, html};

use crate::error_store::clock;
use crate::visible;

/// A text that somebody else chose, on one line, without a say in the direction of what is around it.
pub(super) fn foreign(text: &str) -> Markup {
    html! { bdi { (visible::line(text)) } }
}

pub(super) fn time(at: u64, now: u64) -> Markup {
    html! { time datetime=(clock::rfc3339(at)) title=(clock::rfc3339(at)) { (clock::short(at, now)) } }
}

pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
