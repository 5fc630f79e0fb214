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

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
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

/// A row below another one that opens on a click. Who cannot see where it is gets `behind` the words, too.
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
