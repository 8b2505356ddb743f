//! Many times of one thing: their median, and how far they lie apart.

use std::{fmt, time::Duration};

/// Median, and the times that a tenth is below and above of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: Duration,
    low: Duration,
    high: Duration,
}

impl Spread {
    /// Of no times it is nothing.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |tenths: usize| {
            let place = times.len().saturating_sub(1) * tenths / 10;
            times.get(place).copied().unwrap_or_default()
        };
        Self {
            median: at(5),
            low: at(1),
            high: at(9),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, low, high] = [self.median, self.low, self.high].map(|time| time.as_secs_f64() * 1e6);
        if self.median < Duration::from_micros(10) {
            write!(f, "{median:.3} µs ({low:.3} to {high:.3})")
        } else {
            write!(f, "{median:.0} µs ({low:.0} to {high:.0})")
        }
    }
}
