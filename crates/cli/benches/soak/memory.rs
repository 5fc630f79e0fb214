//! Measures the growth of memory.

use std::time::Duration;

/// The memory of the process, in KiB, with the time of each sample.
#[derive(Default)]
pub(crate) struct Memory(pub(crate) Vec<(Duration, u64)>);

/// Until this time, caches, pools and the allocator's arenas grow.
const WARM: Duration = Duration::from_secs(60);
/// The number of samples in the median of a figure.
pub(crate) const AROUND: usize = 30;
/// The allowed difference between the two figures. The load differs from time to time.
pub(crate) const MOST_KIB: i64 = 4 * 1024;

impl Memory {
    /// Returns the memory at the end of the first minute.
    pub(crate) fn warm_kib(&self) -> u64 {
        median(self.after_warm().take(AROUND))
    }

    pub(crate) fn end_kib(&self) -> u64 {
        median(self.0.iter().rev().take(AROUND))
    }

    /// Returns the memory at the end of each minute.
    pub(crate) fn minutes_kib(&self) -> Vec<u64> {
        let minute = |(when, _): &&(Duration, u64)| when.as_secs() / 60;
        let all = self.0.chunk_by(|one, next| minute(&one) == minute(&next));
        all.map(|samples| median(samples.iter().rev().take(AROUND))).collect()
    }

    pub(crate) fn is_flat(&self) -> bool {
        self.end_kib() as i64 - self.warm_kib() as i64 <= MOST_KIB
    }

    /// Returns the slope by least squares after the first minute, in KiB per minute.
    pub(crate) fn slope(&self) -> f64 {
        let points: Vec<_> = self.after_warm().map(|(when, kib)| (when.as_secs_f64() / 60.0, *kib as f64)).collect();
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
        let (minute, kib) = (mean(|point| point.0), mean(|point| point.1));
        let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), point| {
            let off = point.0 - minute;
            (above + off * (point.1 - kib), below + off * off)
        });
        if below == 0.0 { 0.0 } else { above / below }
    }

    fn after_warm(&self) -> impl Iterator<Item = &(Duration, u64)> {
        self.0.iter().filter(|(when, _)| *when >= WARM)
    }
}

fn median<'a>(samples: impl Iterator<Item = &'a (Duration, u64)>) -> u64 {
    let mut kib: Vec<_> = samples.map(|(_, kib)| *kib).collect();
    kib.sort_unstable();
    kib.get(kib.len() / 2).copied().unwrap_or(0)
}
