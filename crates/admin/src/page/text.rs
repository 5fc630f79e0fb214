//! Texts, times and counts on a page.

use maud::{Markup, html};

use crate::error_store::clock;
pub(super) use crate::error_store::readiness::counted;
use crate::visible;

/// A text that a stranger chose, on one line, without effect on the direction of the text around it.
pub(super) fn foreign(text: &str) -> Markup {
    html! { bdi { (visible::line(text)) } }
}

/// The mode that applies now: `off` while the kill switch is thrown, with the policy's own behind it.
pub(super) fn effective_mode(mode: &str, is_off: bool) -> Markup {
    html! {
        @if is_off && mode != "off" { b { "off" } " " span.quiet { "(policy: " (mode) ")" } } @else { (mode) }
    }
}

pub(super) fn time(at: u64, now: u64) -> Markup {
    html! { time datetime=(clock::rfc3339(at)) title=(clock::rfc3339(at)) { (clock::short(at, now)) } }
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
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

/// A row below another one that opens on a click. `behind` adds words for readers who cannot see its place.
pub(super) fn more_row(columns: u8, is_open: bool, (words, behind): (&str, &str), content: &Markup) -> Markup {
    html! {
        tr.more role="row" {
            td role="cell" colspan=(columns) {
                details open[is_open] {
                    summary { (words) span.visually-hidden { (behind) } }
                    (content)
                }
            }
        }
    }
}
