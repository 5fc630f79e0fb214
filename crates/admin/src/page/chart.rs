//! Draws counts per minute as bars: an SVG without scripts, styles or fonts.

use std::fmt::Write;
use std::ops::Range;

use maud::{Markup, html};

use super::text::grouped;
use crate::error_store::clock;
use crate::error_store::minutes::begin_ms;

/// The height of the drawing in its own units; a minute is one unit wide.
const HEIGHT: f64 = 40.0;
/// The smallest height of a bar, so that a single error next to a million stays visible.
const LOWEST: f64 = 1.0;

/// Counts, one for each minute.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) all: Vec<u32>,
    /// The counts of 5xx among them; empty if they are unknown.
    pub(super) faults: Vec<u32>,
}

/// The counts of some minutes, to be drawn as a chart.
pub(super) struct Bars<'a> {
    pub(super) counts: &'a [u32],
    pub(super) faults: &'a [u32],
    pub(super) minutes: Range<u32>,
}

impl Counts {
    /// The counts of these minutes.
    pub(super) fn last(&self, minutes: Range<u32>) -> Bars<'_> {
        fn last(counts: &[u32], length: usize) -> &[u32] {
            counts.get(counts.len().saturating_sub(length)..).unwrap_or_default()
        }
        Bars { counts: last(&self.all, minutes.len()), faults: last(&self.faults, minutes.len()), minutes }
    }
}

impl Bars<'_> {
    /// The chart with a title, axes and units, and a sentence with the same numbers.
    pub(super) fn figure(&self, title: &str) -> Markup {
        let unit = format!("{} per minute", title.to_ascii_lowercase());
        html! {
            figure.chart {
                figcaption { b { (title) } " " span.quiet { (self.in_words()) } }
                div.plot {
                    div.values aria-hidden="true" { span { (grouped(self.most().into())) } span { "0" } }
                    (self.svg(Some(&format!("{title}: {}", self.in_words()))))
                }
                div.axis aria-hidden="true" { @for time in self.times() { span { (time) } } }
                p.unit aria-hidden="true" {
                    span { (unit) ", times in UTC" }
                    @if !self.faults.is_empty() { span.key { span.swatch {} " 5xx of them" } }
                }
            }
        }
    }

    /// The chart without text, for a table that shows the numbers.
    pub(super) fn spark(&self) -> Markup {
        self.svg(None)
    }

    pub(super) fn sum(&self) -> u64 {
        self.counts.iter().copied().map(u64::from).sum()
    }

    pub(super) fn most(&self) -> u32 {
        self.counts.iter().copied().max().unwrap_or(0)
    }

    /// `1,204 in all, 3 of them 5xx, at most 98 in a minute (26 Nov 14:02 UTC)`.
    fn in_words(&self) -> String {
        let most = self.most();
        let at = self.minutes.clone().zip(self.counts).find(|(_, count)| **count == most).map(|(minute, _)| minute);
        let faults: u64 = self.faults.iter().copied().map(u64::from).sum();
        let of_them = if faults > 0 { format!(", {} of them 5xx", grouped(faults)) } else { String::new() };
        match at.filter(|_| most > 0) {
            None => "none".to_owned(),
            Some(at) => {
                let (sum, most, at) = (grouped(self.sum()), grouped(most.into()), clock::day_minute(begin_ms(at)));
                format!("{sum} in all{of_them}, at most {most} in a minute ({at} UTC)")
            }
        }
    }

    fn times(&self) -> [String; 3] {
        let Range { start, end } = self.minutes;
        [start, start + (end - start) / 2, end].map(|minute| clock::day_minute(begin_ms(minute)))
    }

    fn svg(&self, words: Option<&str>) -> Markup {
        let role = if words.is_some() { "img" } else { "presentation" };
        let hidden = words.is_none().then_some("true");
        let most = f64::from(self.most().max(1));
        html! {
            svg.bars viewBox={ "0 0 " (self.counts.len()) " " (HEIGHT) } preserveAspectRatio="none" role=(role)
                aria-label=[words] aria-hidden=[hidden] focusable="false" {
                path d=(path(self.counts, most)) {}
                @if !self.faults.is_empty() { path.faults d=(path(self.faults, most)) {} }
            }
        }
    }
}

/// The path of an SVG, with a rectangle for each minute whose count is not 0.
fn path(counts: &[u32], most: f64) -> String {
    let mut path = String::new();
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (f64::from(*count) / most * HEIGHT).clamp(LOWEST, HEIGHT);
        let _ = write!(path, "M{at} {HEIGHT}v-{height:.1}h1v{height:.1}z");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn a_million_and_one_are_both_seen() {
        let counts = Counts { all: vec![9, 0, 1, 1_000_000], faults: vec![9, 0, 1, 0] };
        let minutes = 29_921_040..29_921_043;
        let drawn = counts.last(minutes).figure("Errors").into_string();
        for part in [
            "1,000,001 in all, 1 of them 5xx, at most 1,000,000 in a minute (21 Nov 12:02 UTC)",
            "M1 40v-1.0h1v1.0zM2 40v-40.0h1v40.0z",
            "<path class=\"faults\" d=\"M1 40v-1.0h1v1.0z\">",
            "viewBox=\"0 0 3 40\"",
            "role=\"img\"",
            "errors per minute, times in UTC",
            "<span>1,000,000</span><span>0</span>",
        ] {
            assert!(drawn.contains(part), "{part} in {drawn}");
        }
        let none = Counts { all: vec![0], faults: vec![] }.last(0..1).figure("Errors").into_string();
        assert!(none.contains("none") && none.contains("d=\"\"") && !none.contains("faults"), "{none}");
    }
}
