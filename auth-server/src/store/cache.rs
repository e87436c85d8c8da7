//! Small bounded copies of rows that hot requests read: clients, browser sessions, remembered consent.
//!
//! Our own writes drop their rows at once; those of other replicas arrive with the change feed within a second (`ended.rs`). What is
//! not there is not remembered: a client that registers elsewhere is known here at once.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{BrowserSessionRow, ClientRow, ConsentRow};

/// Rows in one generation of one shard. Two generations of 8 shards: 16,384 rows of a noun, about 16 MB of clients at the very most.
const GENERATION_ROWS: usize = 1024;
/// Shards, so that threads seldom meet.
const SHARDS: usize = 8;
/// However quiet the feed is, a copy is read again after this: a lost notice must not last.
const AGE_MAX: Duration = Duration::from_secs(60);

/// What the change feed may call stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noun {
    /// One client, by id.
    Client,
    /// One browser session, by hash.
    BrowserSession,
    /// Every browser session of a person.
    BrowserSessionsOf,
    /// One remembered consent, by its key.
    Consent,
    /// Every remembered consent of a person.
    ConsentsOf,
}

super::clients::named!(pub(crate) Noun {
    Client = "client",
    BrowserSession = "browser_session",
    BrowserSessionsOf = "browser_sessions_of",
    Consent = "consent",
    ConsentsOf = "consents_of",
});

/// A copy, and when it was made.
type Copied<T> = (T, Instant);

/// Two generations: what is used moves to the young one, what is not falls out with the old one.
struct Shard<T> {
    young: HashMap<Box<str>, Copied<T>>,
    old: HashMap<Box<str>, Copied<T>>,
}

/// A bounded map that forgets what nobody asks for.
pub(crate) struct Cache<T> {
    shards: [Mutex<Shard<T>>; SHARDS],
    hasher: RandomState,
    /// Raised by each forgetting. What was read before must not be remembered after.
    forgettings: AtomicU64,
}

/// When a read began, in forgettings.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

impl<T: Clone> Cache<T> {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Shard { young: HashMap::new(), old: HashMap::new() })),
            hasher: RandomState::new(),
            forgettings: AtomicU64::new(0),
        }
    }

    fn shard(&self, key: &str) -> MutexGuard<'_, Shard<T>> {
        let place = self.hasher.hash_one(key) as usize % SHARDS;
        // A poisoned shard holds whole entries still: nothing in here can panic half-way.
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The copy of this row, if there is a fresh one.
    pub(crate) fn look(&self, key: &str) -> Option<T> {
        let mut shard = self.shard(key);
        if let Some((value, since)) = shard.young.get(key) {
            return (since.elapsed() < AGE_MAX).then(|| value.clone());
        }
        let (key, copied) = shard.old.remove_entry(key)?;
        if copied.1.elapsed() >= AGE_MAX {
            return None;
        }
        let value = copied.0.clone();
        shard.insert(key, copied);
        Some(value)
    }

    /// Taken before a read, shown when its result is remembered.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.forgettings.load(Ordering::SeqCst))
    }

    /// Keeps a copy, unless something was forgotten since the ticket: it may have been this.
    pub(crate) fn remember(&self, ticket: Ticket, key: &str, value: T) {
        let mut shard = self.shard(key);
        if self.forgettings.load(Ordering::SeqCst) == ticket.0 {
            shard.insert(key.into(), (value, Instant::now()));
        }
    }

    /// Drops the copy of this row.
    pub(crate) fn forget(&self, key: &str) {
        self.forgettings.fetch_add(1, Ordering::SeqCst);
        let mut shard = self.shard(key);
        shard.young.remove(key);
        shard.old.remove(key);
    }

    /// Drops every copy that this is true of.
    pub(crate) fn forget_where(&self, stale: impl Fn(&str, &T) -> bool) {
        self.forgettings.fetch_add(1, Ordering::SeqCst);
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.young.retain(|key, copied| !stale(key, &copied.0));
            shard.old.retain(|key, copied| !stale(key, &copied.0));
        }
    }
}

impl<T> Shard<T> {
    fn insert(&mut self, key: Box<str>, copied: Copied<T>) {
        if self.young.len() >= GENERATION_ROWS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, copied);
    }
}

/// The copies that this process holds.
pub(crate) struct Caches {
    pub(crate) clients: Cache<Arc<ClientRow>>,
    pub(crate) browser_sessions: Cache<Arc<BrowserSessionRow>>,
    pub(crate) consents: Cache<ConsentRow>,
}

impl Caches {
    pub(crate) fn new() -> Self {
        Self { clients: Cache::new(), browser_sessions: Cache::new(), consents: Cache::new() }
    }

    /// Something changed: here, or on another replica.
    pub(crate) fn forget(&self, noun: Noun, key: &str) {
        match noun {
            Noun::Client => self.clients.forget(key),
            Noun::BrowserSession => self.browser_sessions.forget(key),
            Noun::BrowserSessionsOf => self.browser_sessions.forget_where(|_, row| row.subject.as_str() == key),
            Noun::Consent => self.consents.forget(key),
            // The key of a consent begins with its person and a newline, which no name contains.
            Noun::ConsentsOf => self.consents.forget_where(|own, _| own.strip_prefix(key).is_some_and(|rest| rest.starts_with('\n'))),
        }
    }

    /// Everything may have changed: the feed had a gap.
    pub(crate) fn forget_all(&self) {
        self.clients.forget_where(|_, _| true);
        self.browser_sessions.forget_where(|_, _| true);
        self.consents.forget_where(|_, _| true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_forgetting_is_not_remembered_after() {
        let cache = Cache::new();
        let ticket = cache.ticket();
        cache.forget("a");
        cache.remember(ticket, "a", 1);
        assert_eq!(cache.look("a"), None, "the value was read before the row changed");
        cache.remember(cache.ticket(), "a", 2);
        assert_eq!(cache.look("a"), Some(2));
    }

    #[test]
    fn it_stays_bounded_and_keeps_what_is_used() {
        let cache = Cache::new();
        cache.remember(cache.ticket(), "used", 0);
        for number in 0..100_000 {
            cache.remember(cache.ticket(), &number.to_string(), number);
            assert_eq!(cache.look("used"), Some(0), "after {number}");
        }
        let held: usize = cache.shards.iter().map(|shard| shard.lock().unwrap()).map(|shard| shard.young.len() + shard.old.len()).sum();
        assert!(held <= 2 * SHARDS * GENERATION_ROWS, "{held}");
    }

    #[test]
    fn forgetting_by_a_rule_leaves_the_rest() {
        let cache = Cache::new();
        for key in ["a\n1", "a\n2", "ab\n1"] {
            cache.remember(cache.ticket(), key, ());
        }
        cache.forget_where(|key, ()| key.strip_prefix('a').is_some_and(|rest| rest.starts_with('\n')));
        assert_eq!([cache.look("a\n1"), cache.look("a\n2"), cache.look("ab\n1")], [None, None, Some(())]);
    }
}
