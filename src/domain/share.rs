//! A part of a worker's time.

use std::time::Duration;

/// How much of its time a worker spends on what can wait, in percent, 1 to 100; the rest it rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u8);

impl Share {
    /// `None` outside of 1 to 100.
    #[must_use]
    pub const fn new(percent: u8) -> Option<Self> {
        if matches!(percent, 1..=100) {
            Some(Self(percent))
        } else {
            None
        }
    }

    /// How long to rest after having `worked` so long.
    #[must_use]
    pub fn rest_after(self, worked: Duration) -> Duration {
        worked * u32::from(100 - self.0) / u32::from(self.0)
    }
}

impl Default for Share {
    fn default() -> Self {
        Self(50)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_for_others() {
        let worked = Duration::from_millis(30);
        let rest = |percent| Share::new(percent).map(|share| share.rest_after(worked));
        assert_eq!(rest(50), Some(worked));
        assert_eq!(rest(100), Some(Duration::ZERO));
        assert_eq!(rest(25), Some(worked * 3));
        assert_eq!((rest(0), rest(101)), (None, None));
    }
}
