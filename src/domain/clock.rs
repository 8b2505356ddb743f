//! Time as an argument: milliseconds since 1970-01-01T00:00:00Z, and where "now" comes from.
//!
//! Nothing in the crate asks the operating system for the time but [`SystemClock`]; tests move a [`ManualClock`].

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// A moment, in whole milliseconds of Unix time (leap seconds ignored). Stored as a 64-bit integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 9999-12-31T00:00:00Z: "never", for fields that must always be there to be indexed.
    pub const NEVER: Self = Self(253_402_214_400_000);

    /// From milliseconds of Unix time.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds of Unix time.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds of Unix time, as JWT's `NumericDate` wants them (RFC 7519 section 2).
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment and `span` more; stops at the last representable one.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// This moment less `span`; stops at the first representable one.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// How long it is from `earlier` to this moment; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Not a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a moment as RFC 3339 does, for example 2026-01-02T03:04:05Z")]
pub struct InvalidMoment;

impl FromStr for Timestamp {
    type Err = InvalidMoment;

    /// RFC 3339, of any offset.
    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| InvalidMoment)?;
        Ok(Self(moment.as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            // Past what the calendar library prints; only `NEVER` gets here.
            Err(_) => f.write_str("9999-12-31T00:00:00.000Z"),
        }
    }
}

/// Where "now" comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present moment. It may step back when the machine's clock is set.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is moved. For tests.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Stands at `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Moves forward by `span`.
    pub fn advance(&self, span: Duration) {
        self.0
            .fetch_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339_in_utc() {
        assert_eq!(
            Timestamp::from_millis(1_764_000_000_123).to_string(),
            "2025-11-24T16:00:00.123Z"
        );
        assert_eq!(Timestamp::NEVER.to_string(), "9999-12-31T00:00:00.000Z");
    }

    #[test]
    fn reads_what_it_prints() {
        let moment = Timestamp::from_millis(1_764_000_000_123);
        assert_eq!(moment.to_string().parse(), Ok(moment));
        assert_eq!("2025-11-24T17:00:00.123+01:00".parse(), Ok(moment));
        for bad in ["", "2025-11-24", "now", "1764000000123", "2025-11-24T16:00:00"] {
            assert_eq!(bad.parse::<Timestamp>(), Err(InvalidMoment), "{bad}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp(i64::MAX).plus(Duration::from_secs(1)), Timestamp(i64::MAX));
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
    }
}
