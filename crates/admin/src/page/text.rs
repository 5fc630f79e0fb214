//! Texts, times and counts on a page.

use maud::{Markup, html};

use crate::error_store::clock;
pub(super) use crate::error_store::readiness::{counted, grouped};
use crate::visible;

/// A text that a client may have chosen, on one line. It cannot change the direction of the text around it.
pub(super) fn foreign(text: &str) -> Markup {
    html! { bdi { (visible::line(text)) } }
}

/// The mode that applies now: `off` while the kill switch is on, followed by the policy's own mode.
pub(super) fn effective_mode(mode: &str, is_off: bool) -> Markup {
    html! {
        @if is_off && mode != "off" { b { "off" } " " span.quiet { "(policy: " (mode) ")" } } @else { (mode) }
    }
}

pub(super) fn time(at: u64) -> Markup {
    html! { time datetime=(clock::rfc3339(at)) title=(clock::rfc3339(at)) { (clock::short(at)) } }
}

/// `5 %`; `under 1 %` for a part that is smaller, but not 0.
pub(super) fn share(part: u64, whole: u64) -> String {
    match part.saturating_mul(100).checked_div(whole) {
        None => "–".to_owned(),
        Some(0) if part > 0 => "under 1 %".to_owned(),
        Some(percent) => format!("{percent} %"),
    }
}

/// The head of a table; `numbers` are the columns of figures.
pub(super) fn head_row(columns: &[&str], numbers: &[&str]) -> Markup {
    html! {
        thead role="rowgroup" {
            tr role="row" {
                @for name in columns {
                    @let class = numbers.contains(name).then_some("number");
                    th class=[class] role="columnheader" scope="col" { (name) }
                }
            }
        }
    }
}

/// A row below another one, which opens on a click. `behind` adds words for screen readers, whose users cannot see
/// where the row is.
pub(super) fn more_row(columns: u8, (words, behind): (&str, &str), content: &Markup) -> Markup {
    html! {
        tr.more role="row" {
            td role="cell" colspan=(columns) {
                details {
                    summary { (words) span.visually-hidden { (behind) } }
                    (content)
                }
            }
        }
    }
}
