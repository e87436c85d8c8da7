//! The time, as a thing that a test may own.
//!
//! Expiry is half of this protocol. Nothing else in the crate reads the wall clock (`clippy.toml` holds that).

use std::sync::atomic::{AtomicI64, Ordering};

use oauth_types::{Timestamp, Ttl};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Milliseconds since the epoch: grant ids begin with their birth in milliseconds.
    fn now_ms(&self) -> i64;

    /// Seconds since the epoch, the unit of every stored or signed time.
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms().div_euclid(1000))
    }
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        // A clock before 1970 is a broken machine; zero makes every token expired, which is the safe side.
        since.map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is advanced.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// Stands at this moment.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0 * 1000))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Ttl) {
        self.0.fetch_add(by.0 * 1000, Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = FixedClock::at(Timestamp(1_800_000_000));
        assert_eq!(clock.now(), Timestamp(1_800_000_000));
        clock.advance(Ttl(61));
        assert_eq!(clock.now(), Timestamp(1_800_000_061));
    }

    #[test]
    fn the_system_clock_is_past_the_day_this_was_written() {
        assert!(SystemClock.now() > Timestamp(1_790_000_000));
    }
}
