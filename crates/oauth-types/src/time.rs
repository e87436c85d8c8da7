//! Moments and spans, in seconds. Who asks what time it is asks a clock; this crate has none.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A moment: seconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A span: seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ttl(pub i64);

impl Ttl {
    /// That many minutes.
    pub const fn minutes(count: i64) -> Self {
        Self(count * 60)
    }
    /// That many hours.
    pub const fn hours(count: i64) -> Self {
        Self(count * 3_600)
    }
    /// That many days.
    pub const fn days(count: i64) -> Self {
        Self(count * 86_400)
    }
}

impl Add for Ttl {
    type Output = Self;
    fn add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl Sub for Ttl {
    type Output = Self;
    fn sub(self, less: Self) -> Self {
        Self(self.0.saturating_sub(less.0))
    }
}

impl Add<Ttl> for Timestamp {
    type Output = Self;
    fn add(self, span: Ttl) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Ttl> for Timestamp {
    type Output = Self;
    fn sub(self, span: Ttl) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for Timestamp {
    type Output = Ttl;
    fn sub(self, earlier: Self) -> Ttl {
        Ttl(self.0.saturating_sub(earlier.0))
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
        assert_eq!((Ttl::hours(1), Ttl::days(1)), (Ttl(3_600), Ttl(86_400)));
    }
}
