//! Counts by equal spans of time, in a ring that never grows.

use std::ops::Range;

/// The classes of statuses on the chart. A request without a response has none.
pub(crate) const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];
pub(crate) const MINUTE_MS: u64 = 60_000;
/// How many minutes are kept, including the current one.
pub(crate) const MINUTES: u32 = 60;

/// How often something happened in each of the last minutes.
pub(crate) type Minutes = Ring<{ MINUTES as usize }>;
/// How often something happened in each of the last minutes, by class of status.
pub(crate) type ByClass = [Minutes; CLASSES.len()];

/// The minute of a time in milliseconds since the Unix epoch, by its number since then.
pub(crate) fn minute(at_ms: u64) -> u32 {
    u32::try_from(at_ms / MINUTE_MS).unwrap_or(u32::MAX)
}

/// The last `count` minutes; the last one is the current minute.
pub(crate) fn last_minutes(now_ms: u64, count: u32) -> Range<u32> {
    let end = minute(now_ms).saturating_add(1);
    end.saturating_sub(count)..end
}

/// How often something happened in each of the last `N` spans; spans are numbered from the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<const N: usize> {
    last: u32,
    counts: [u32; N],
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self { last: 0, counts: [0; N] }
    }
}

impl<const N: usize> Ring<N> {
    /// How many spans are kept.
    const LENGTH: u32 = N as u32;

    /// Adds `more` to the count of a span. If the clock was set back, the last span gets them. A count stays at the
    /// largest number that it can hold.
    pub(crate) fn add(&mut self, span: u32, more: u32) {
        self.advance_to(span);
        let count = &mut self.counts[bucket::<N>(self.last)];
        *count = count.saturating_add(more);
    }

    /// The count of one span; 0 for a span that is no longer kept, or is in the future.
    fn count_in(&self, span: u32) -> u32 {
        if self.has(span) { self.counts[bucket::<N>(span)] } else { 0 }
    }

    /// One count for each of these spans.
    pub(crate) fn counts(&self, spans: Range<u32>) -> Vec<u32> {
        spans.map(|span| self.count_in(span)).collect()
    }

    /// The sum over these spans.
    pub(crate) fn sum_of(&self, spans: &Range<u32>) -> u64 {
        spans.clone().map(|span| u64::from(self.count_in(span))).sum()
    }

    /// The last span with a count.
    pub(crate) fn last(&self) -> u32 {
        self.last
    }

    fn has(&self, span: u32) -> bool {
        span <= self.last && self.last - span < Self::LENGTH
    }

    fn advance_to(&mut self, span: u32) {
        for before in self.last..span.min(self.last.saturating_add(Self::LENGTH)) {
            self.counts[bucket::<N>(before + 1)] = 0;
        }
        self.last = self.last.max(span);
    }
}

const fn bucket<const N: usize>(span: u32) -> usize {
    span as usize % N
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Ring;

    proptest! {
        /// Whatever the clock does, a ring has what was added to its last spans.
        #[test]
        fn a_ring_has_what_was_added_to_its_last_spans(added in prop::collection::vec((0_u32..40, 0_u32..5), 0..60)) {
            let (mut ring, mut all, mut last) = (Ring::<8>::default(), vec![0_u32; 40], 0_u32);
            for (span, more) in added {
                last = last.max(span);
                all[last as usize] += more;
                ring.add(span, more);
            }
            for span in 0..40_u32 {
                let kept = span <= last && span + 8 > last;
                prop_assert_eq!(ring.count_in(span), if kept { all[span as usize] } else { 0 });
            }
            let kept = (0..=last).filter(|span| span + 8 > last).map(|span| u64::from(all[span as usize])).sum::<u64>();
            prop_assert_eq!(ring.sum_of(&(0..40)), kept);
        }
    }

    #[test]
    fn a_count_stops_at_its_largest_number() {
        let mut ring = Ring::<8>::default();
        ring.add(u32::MAX, u32::MAX);
        ring.add(u32::MAX, 1);
        assert_eq!((ring.count_in(u32::MAX), ring.count_in(0)), (u32::MAX, 0));
    }
}
