//! Moments and lengths of time, in whole seconds. No clock is read here: who needs the time is told it.

use std::{
    fmt,
    ops::{Add, Sub},
};

/// Seconds since 1970-01-01T00:00:00Z (RFC 7519 §2 NumericDate, without fractions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Ttl(pub i64);

impl Ttl {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many seconds.
    pub const fn seconds(n: i64) -> Self {
        Self(n)
    }

    /// So many minutes.
    pub const fn minutes(n: i64) -> Self {
        Self(n.saturating_mul(60))
    }

    /// So many hours.
    pub const fn hours(n: i64) -> Self {
        Self(n.saturating_mul(3_600))
    }

    /// So many days.
    pub const fn days(n: i64) -> Self {
        Self(n.saturating_mul(86_400))
    }

    /// For timers; a negative length is none.
    pub const fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_secs(if self.0 < 0 { 0 } else { self.0.unsigned_abs() })
    }
}

// A claim or a setting near the end of time must not become the past.
impl Add<Ttl> for Timestamp {
    type Output = Timestamp;
    fn add(self, ttl: Ttl) -> Timestamp {
        Timestamp(self.0.saturating_add(ttl.0))
    }
}

impl Sub<Ttl> for Timestamp {
    type Output = Timestamp;
    fn sub(self, ttl: Ttl) -> Timestamp {
        Timestamp(self.0.saturating_sub(ttl.0))
    }
}

impl Sub for Timestamp {
    type Output = Ttl;
    fn sub(self, earlier: Timestamp) -> Ttl {
        Ttl(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Ttl {
    type Output = Ttl;
    fn add(self, other: Ttl) -> Ttl {
        Ttl(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_at_its_ends_stays_in_order() {
        assert_eq!(Timestamp(i64::MAX) + Ttl::days(1), Timestamp(i64::MAX));
        assert_eq!(Timestamp(i64::MIN) - Ttl::days(1), Timestamp(i64::MIN));
        assert_eq!(Timestamp(100) - Timestamp(40), Ttl::minutes(1));
        assert_eq!((Ttl::hours(1), Ttl::days(1), Ttl::days(i64::MAX)), (Ttl(3_600), Ttl(86_400), Ttl(i64::MAX)));
        assert_eq!(Ttl(-5).as_duration(), std::time::Duration::ZERO);
    }
}
