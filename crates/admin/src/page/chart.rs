//! Counts per minute as bars, drawn here: an SVG without a script, a style or a font of its own.

use std::fmt::Write;
use std::ops::Range;

use maud::{Markup, html};

use super::text::grouped;
use crate::error_store::clock;
use crate::error_store::minutes::begin_ms;

/// The height of the drawing in its own units; a minute is one unit wide.
const HEIGHT: f64 = 40.0;
/// The lowest height of a bar: a single error next to a million stays visible.
const LOWEST: f64 = 1.0;

/// Counts, one for each minute.
pub(super) struct Bars<'a> {
    pub(super) counts: &'a [u32],
    pub(super) minutes: Range<u32>,
}

impl Bars<'_> {
    /// The chart with a title, numbers and times.
    pub(super) fn figure(&self, title: &str) -> Markup {
        html! {
            figure.chart {
                figcaption { b { (title) } " " span.quiet { (self.in_words()) } }
                (self.svg(Some(&format!("{title}: {}", self.in_words()))))
                div.axis aria-hidden="true" { @for time in self.times() { span { (time) } } }
            }
        }
    }

    /// The chart without text, for a table that has the numbers.
    pub(super) fn spark(&self) -> Markup {
        self.svg(None)
    }

    pub(super) fn sum(&self) -> u64 {
        self.counts.iter().copied().map(u64::from).sum()
    }

    pub(super) fn most(&self) -> u32 {
        self.counts.iter().copied().max().unwrap_or(0)
    }

    /// `1,204 in all, at most 98 in a minute (14:02 UTC)`.
    fn in_words(&self) -> String {
        let most = self.most();
        let at = self.minutes.clone().zip(self.counts).find(|(_, count)| **count == most).map(|(minute, _)| minute);
        match at.filter(|_| most > 0) {
            None => "none".to_owned(),
            Some(at) => {
                let (sum, most, at) = (grouped(self.sum()), grouped(most.into()), clock::hour_minute(begin_ms(at)));
                format!("{sum} in all, at most {most} in a minute ({at} UTC)")
            }
        }
    }

    fn times(&self) -> [String; 3] {
        let Range { start, end } = self.minutes;
        [start, start + (end - start) / 2, end].map(|minute| clock::hour_minute(begin_ms(minute)))
    }

    fn svg(&self, words: Option<&str>) -> Markup {
        let role = if words.is_some() { "img" } else { "presentation" };
        let hidden = words.is_none().then_some("true");
        html! {
            svg.bars viewBox={ "0 0 " (self.counts.len()) " " (HEIGHT) } preserveAspectRatio="none" role=(role)
                aria-label=[words] aria-hidden=[hidden] focusable="false" { path d=(self.path()) {} }
        }
    }

    /// A rectangle for each minute with a count.
    fn path(&self) -> String {
        let most = f64::from(self.most().max(1));
        let mut path = String::new();
        for (at, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let height = (f64::from(*count) / most * HEIGHT).max(LOWEST);
            let _ = write!(path, "M{at} {HEIGHT}v-{height:.1}h1v{height:.1}z");
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::Bars;

    #[test]
    fn a_million_and_one_are_both_seen() {
        let counts = [0, 1, 1_000_000];
        let minutes = 29_921_040..29_921_043;
        let drawn = Bars { counts: &counts, minutes }.figure("Errors").into_string();
        for part in [
            "1,000,001 in all, at most 1,000,000 in a minute (12:02 UTC)",
            "M1 40v-1.0h1v1.0zM2 40v-40.0h1v40.0z",
            "viewBox=\"0 0 3 40\"",
            "role=\"img\"",
        ] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
        let none = Bars { counts: &[0], minutes: 0..1 }.figure("Errors").into_string();
        assert!(none.contains("none") && none.contains("d=\"\""), "{none}");
    }
}
