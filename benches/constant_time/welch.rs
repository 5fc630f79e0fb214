//! Welch's t-test.

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Class {
    Near,
    Far,
}

pub(crate) struct Sample {
    pub(crate) class: Class,
    pub(crate) nanoseconds: u128,
}

/// Shares of all runs, the fastest first, that are examined separately. Interruptions hit runs of either class, and
/// hide small differences. The limit is for both classes together.
const CROPS: [f64; 6] = [0.5, 0.75, 0.9, 0.95, 0.99, 1.0];

/// Returns the greatest |t| of all crops.
pub(crate) fn greatest_t(samples: &[Sample]) -> f64 {
    let mut sorted: Vec<u128> = samples.iter().map(|sample| sample.nanoseconds).collect();
    sorted.sort_unstable();
    let limits = CROPS.map(|share| sorted[(share * (sorted.len() - 1) as f64) as usize]);
    limits
        .map(|limit| t(samples.iter().filter(|sample| sample.nanoseconds <= limit)).abs())
        .into_iter()
        .fold(0.0, f64::max)
}

fn t<'s>(samples: impl Iterator<Item = &'s Sample>) -> f64 {
    let (mut near, mut far) = (Moments::default(), Moments::default());
    for sample in samples {
        let moments = if sample.class == Class::Near { &mut near } else { &mut far };
        moments.add(sample.nanoseconds as f64);
    }
    let error = near.error() + far.error();
    if error > 0.0 { (near.mean - far.mean) / error.sqrt() } else { 0.0 }
}

/// The mean and the variance, computed by Welford's method.
#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let off = value - self.mean;
        self.mean += off / self.count;
        self.squares += off * (value - self.mean);
    }

    /// Returns the variance of the mean.
    fn error(&self) -> f64 {
        if self.count > 1.0 { self.squares / (self.count - 1.0) / self.count } else { 0.0 }
    }
}
