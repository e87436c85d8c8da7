//! How often somebody may try: counters per source, in this process, with bounded memory.
//!
//! Many people come from one address (hosted clients share a few, offices and carriers too), so limits are generous, named, and
//! answered 429 with `Retry-After`; they stop floods, not crowds. A counter is a fixed window: exact enough for that, and one
//! comparison. They are local by default; replicas then each allow the number.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Mutex, PoisonError},
};

use oauth_types::{Error, Timestamp, Ttl};

use crate::config::Config;

/// Shards keep threads from waiting for one another; more than cores is enough.
const SHARDS: usize = 16;
/// Windows kept in one shard (16 bytes each and the table's overhead: about 2 MiB a counter at the worst).
const WINDOWS_MAX: usize = 4096;
/// Journeys that one source may begin in a minute. A person needs one, an office a dozen, a flood thousands.
const FLOWS_PER_MINUTE: u32 = 600;

/// Every counter of this server.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Registrations by source (RFC 7591 §5 warns of floods).
    pub(crate) registrations: Counter,
    /// Wrong passwords by account and source.
    pub(crate) passwords: Counter,
    /// Journeys begun by source.
    pub(crate) flows: Counter,
}

impl Limits {
    /// The limits that the operator chose.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            registrations: Counter::new(config.registration.per_source_hourly, Ttl::hours(1)),
            passwords: Counter::new(config.accounts.attempts, config.accounts.attempts_window),
            flows: Counter::new(FLOWS_PER_MINUTE, Ttl::minutes(1)),
        }
    }
}

/// Counts events by key within a window of time.
#[derive(Debug)]
pub(crate) struct Counter {
    allowed: u32,
    window: Ttl,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug)]
struct Shard {
    windows: HashMap<u64, Window>,
    /// When ended windows were last thrown out: sweeping for every newcomer would be the flood's best weapon.
    swept: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    used: u32,
    ends: Timestamp,
}

impl Counter {
    /// Allows so many events a key within a window.
    pub(crate) fn new(allowed: u32, window: Ttl) -> Self {
        Self {
            allowed,
            window,
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::new(Shard { windows: HashMap::new(), swept: Timestamp(0) })),
        }
    }

    /// Counts one event, or refuses it.
    ///
    /// # Errors
    /// 429 with the time until the window ends.
    pub(crate) fn spend(&self, key: impl Hash, now: Timestamp) -> Result<(), Error> {
        self.with(key, now, |window| {
            if window.used >= self.allowed {
                return Err(Self::full(window, now));
            }
            window.used += 1;
            Ok(())
        })
    }

    /// Is there room for one more? Counts nothing: for events that are counted only when they fail.
    ///
    /// # Errors
    /// 429 with the time until the window ends.
    pub(crate) fn check(&self, key: impl Hash, now: Timestamp) -> Result<(), Error> {
        self.with(key, now, |window| if window.used >= self.allowed { Err(Self::full(window, now)) } else { Ok(()) })
    }

    /// Forgets a key, as after a right password.
    pub(crate) fn forgive(&self, key: impl Hash) {
        let key = self.hasher.hash_one(key);
        self.shard(key).lock().unwrap_or_else(PoisonError::into_inner).windows.remove(&key);
    }

    fn full(window: &Window, now: Timestamp) -> Error {
        Error::TooManyRequests { retry_after: Ttl((window.ends.0 - now.0).max(1)) }
    }

    /// Looks at the window of a key. When a shard is full of running windows (somebody spends addresses by the thousand), newcomers
    /// share one window a shard: memory stays bounded and the limit still holds.
    fn with<T>(&self, key: impl Hash, now: Timestamp, look: impl FnOnce(&mut Window) -> T) -> T {
        const SHARED: u64 = 0;
        let mut key = self.hasher.hash_one(key);
        let mut shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        if shard.windows.len() >= WINDOWS_MAX && !shard.windows.contains_key(&key) {
            if shard.swept < now {
                shard.swept = now;
                shard.windows.retain(|_, window| window.ends > now);
            }
            if shard.windows.len() >= WINDOWS_MAX {
                key = SHARED;
            }
        }
        let fresh = Window { used: 0, ends: Timestamp(now.0 + self.window.0) };
        let window = shard.windows.entry(key).or_insert(fresh);
        if window.ends <= now {
            *window = fresh;
        }
        look(window)
    }

    fn shard(&self, key: u64) -> &Mutex<Shard> {
        // The modulus is below SHARDS.
        &self.shards[(key >> 32) as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn later(seconds: i64) -> Timestamp {
        Timestamp(NOW.0 + seconds)
    }

    #[test]
    fn a_window_allows_its_number_and_then_says_when_to_come_back() {
        let counter = Counter::new(2, Ttl(60));
        assert!(counter.spend("a", NOW).is_ok() && counter.spend("a", later(10)).is_ok());
        let refusal = counter.spend("a", later(20)).unwrap_err();
        assert_eq!(refusal.status(), 429);
        assert!(matches!(refusal, Error::TooManyRequests { retry_after: Ttl(40) }));
        assert!(counter.spend("b", later(20)).is_ok(), "another source is not concerned");
        assert!(counter.spend("a", later(60)).is_ok(), "the next window is fresh");
    }

    #[test]
    fn looking_costs_nothing_and_forgiving_starts_anew() {
        let counter = Counter::new(1, Ttl(60));
        assert!(counter.check("a", NOW).is_ok() && counter.check("a", NOW).is_ok());
        counter.spend("a", NOW).unwrap();
        assert!(counter.check("a", NOW).is_err());
        counter.forgive("a");
        assert!(counter.check("a", NOW).is_ok());
    }

    /// Attack 19: a flood from ever new addresses neither fills memory nor passes the limit by itself.
    #[test]
    fn memory_is_bounded_and_newcomers_share_what_is_left() {
        let counter = Counter::new(1, Ttl(60));
        let admitted = (0..4 * SHARDS * WINDOWS_MAX).filter(|source| counter.spend(source, NOW).is_ok()).count();
        let kept: usize = counter.shards.iter().map(|shard| shard.lock().unwrap().windows.len()).sum();
        assert!(kept <= SHARDS * (WINDOWS_MAX + 1), "{kept}");
        assert!(admitted <= SHARDS * (WINDOWS_MAX + 1), "{admitted}");
        assert!(counter.spend("somebody", later(60)).is_ok(), "ended windows make room");
    }
}
