//! Ended: what ended while access tokens of it may still live, in the memory of every process.
//!
//! Access tokens are not stored, so an ending must be known wherever one is looked at. Its row says it for good; this list says it
//! quickly. Every entry has a number from a one-row counter that is raised in the transaction of the ending, so none becomes visible
//! late. A follower reads on every second, and before the first answer; our own endings are here before they are answered. When the
//! last good reading is too old, nobody is told "good" any more: an outage, never open.
//!
//! The follower also reads which cached rows other replicas changed (table `stale`, `cache.rs`).

use std::{
    sync::{
        Arc, PoisonError, RwLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use oauth_types::{AccessFacts, EndedEntry, EndedHash, EndedKind, EndedList, Outage, Timestamp};

use super::{
    Inner, Store, StoreError,
    cache::Noun,
    db::{Pool, Row, Value},
};

/// How often the feed is read.
const FOLLOW_EVERY: Duration = Duration::from_secs(1);
/// How old the last good reading may be.
const STALENESS_MAX: Duration = Duration::from_secs(5);
/// One reading of the feed; more are read in further pages at once.
const PAGE: i64 = 1_000;
/// How often the list drops what concerns only expired tokens.
const FORGET_EVERY: Duration = Duration::from_secs(30);

const AFTER: &str = "SELECT number, kind, hash, born_before, forget_after FROM ended WHERE number > $1 ORDER BY number LIMIT $2";
const HEAD: &str = "SELECT value FROM counters WHERE name = 'ended'";
const STALE_AFTER: &str = "SELECT number, noun, id FROM stale WHERE number > $1 ORDER BY number LIMIT $2";
const STALE_HEAD: &str = "SELECT value FROM counters WHERE name = 'stale'";

/// What ended, as this process knows it.
#[derive(Clone)]
pub struct EndedView(Arc<Shared>);

struct Shared {
    /// Held for an instant by whoever adds an entry; readers come past it without waiting while nothing ended.
    list: RwLock<EndedList>,
    entries: AtomicUsize,
    read_at: RwLock<Instant>,
}

impl EndedView {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            list: RwLock::new(EndedList::default()),
            entries: AtomicUsize::new(0),
            read_at: RwLock::new(Instant::now()),
        }))
    }

    /// Did this token, or what it hangs on, end early?
    ///
    /// # Errors
    /// The list is older than five seconds: an ending may be missing, so nobody can say.
    pub fn is_ended(&self, facts: &AccessFacts<'_>) -> Result<bool, Outage> {
        self.fresh(Instant::now())?;
        if self.0.entries.load(Ordering::Acquire) == 0 {
            return Ok(false);
        }
        Ok(self.0.list.read().unwrap_or_else(PoisonError::into_inner).covers(facts))
    }

    /// Is the list fresh enough to be asked?
    ///
    /// # Errors
    /// As [`Self::is_ended`].
    pub fn ready(&self) -> Result<(), Outage> {
        self.fresh(Instant::now())
    }

    fn fresh(&self, now: Instant) -> Result<(), Outage> {
        let read_at = *self.0.read_at.read().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(read_at) > STALENESS_MAX {
            return Err(Outage::new("what ended has not been read for more than five seconds"));
        }
        Ok(())
    }

    pub(super) fn apply(&self, entries: &[EndedEntry]) {
        if entries.is_empty() {
            return;
        }
        let mut list = self.0.list.write().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            list.apply(*entry);
        }
        self.0.entries.store(list.len(), Ordering::Release);
    }

    /// Makes the last reading too old, for tests of who asks.
    #[cfg(test)]
    pub(crate) fn grow_stale(&self) {
        self.was_read(Instant::now().checked_sub(STALENESS_MAX * 2).expect("this machine has been up for ten seconds"));
    }

    fn was_read(&self, at: Instant) {
        *self.0.read_at.write().unwrap_or_else(PoisonError::into_inner) = at;
    }

    fn forget(&self, now: Timestamp) {
        if self.0.entries.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut list = self.0.list.write().unwrap_or_else(PoisonError::into_inner);
        list.forget(now);
        self.0.entries.store(list.len(), Ordering::Release);
    }
}

/// Where the follower stands in the two feeds. Our own entries are applied early and read again here: they never move it, or an
/// entry of another replica just before ours would be skipped.
#[derive(Default)]
pub(super) struct Place {
    ended: i64,
    stale: i64,
}

impl Store {
    /// What ended early.
    pub fn ended(&self) -> &EndedView {
        &self.0.ended
    }

    /// A page of endings after this number, for the guards of other resources.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn ended_after(&self, number: i64, limit: i64) -> Result<Vec<EndedEntry>, StoreError> {
        ended_after(&self.0.readers, number, limit).await
    }

    /// The newest number there is.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn ended_head(&self) -> Result<i64, StoreError> {
        head(&self.0.readers, HEAD).await
    }

    /// Reads both feeds now. The follower does it every second; a test with a clock of its own may not want to wait.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn follow_once(&self) -> Result<(), StoreError> {
        let mut place = self.0.place.lock().await;
        follow(&self.0, &mut place).await
    }
}

/// Where to begin: everything that may still matter has ended, and no copy of a row is older than now.
pub(super) async fn begin(inner: &Inner) -> Result<(), StoreError> {
    let mut place = inner.place.lock().await;
    place.stale = head(&inner.readers, STALE_HEAD).await?;
    follow(inner, &mut place).await
}

/// Reads on every second, until the store is dropped or closed.
pub(super) async fn keep_following(inner: Weak<Inner>) {
    let mut forgot = Instant::now();
    loop {
        tokio::time::sleep(FOLLOW_EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        if inner.writer.is_closed() {
            return;
        }
        let mut place = inner.place.lock().await;
        if let Err(error) = follow(&inner, &mut place).await {
            tracing::warn!(event = "ended.unreadable", error = &error as &dyn std::error::Error, "could not read what ended elsewhere");
        }
        drop(place);
        if forgot.elapsed() > FORGET_EVERY {
            forgot = Instant::now();
            inner.ended.forget(inner.clock.now());
        }
    }
}

async fn follow(inner: &Inner, place: &mut Place) -> Result<(), StoreError> {
    loop {
        // Taken before the reading: what ends while the database answers belongs to the next one.
        let began = Instant::now();
        let entries = ended_after(&inner.readers, place.ended, PAGE).await?;
        inner.ended.apply(&entries);
        place.ended = entries.last().map_or(place.ended, |entry| entry.number);
        if entries.len() < PAGE as usize {
            inner.ended.was_read(began);
            break;
        }
    }
    let rows = inner.readers.rows(STALE_AFTER, &[Value::Int(place.stale), Value::Int(PAGE)]).await?;
    let Some(newest) = rows.last() else { return Ok(()) };
    if rows.len() as i64 == PAGE {
        // So much changed that asking again is cheaper than telling what.
        inner.caches.forget_all();
        place.stale = head(&inner.readers, STALE_HEAD).await?;
        return Ok(());
    }
    place.stale = newest.int("number")?;
    for row in &rows {
        if let Some(noun) = Noun::parse(row.text("noun")?) {
            inner.caches.forget(noun, row.text("id")?);
        }
    }
    Ok(())
}

async fn head(readers: &Pool, sql: &'static str) -> Result<i64, StoreError> {
    readers.row(sql, &[]).await?.map_or(Ok(0), |row| row.int("value"))
}

async fn ended_after(readers: &Pool, number: i64, limit: i64) -> Result<Vec<EndedEntry>, StoreError> {
    readers.rows(AFTER, &[Value::Int(number), Value::Int(limit)]).await?.iter().map(read).collect()
}

/// Reads number, kind, hash, born_before and forget_after, in this order.
pub(super) fn read(row: &Row) -> Result<EndedEntry, StoreError> {
    Ok(EndedEntry {
        number: row.int(0)?,
        kind: EndedKind::parse(row.text(1)?).ok_or(StoreError::Corrupt { column: "kind" })?,
        hash: EndedHash::from_text(row.text(2)?).ok_or(StoreError::Corrupt { column: "hash" })?,
        before: row.maybe_int(3)?,
        until: row.int(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: AccessFacts<'static> = AccessFacts { grant_id: "g", jti: "j", client_id: "c", sub: "s", sid: None, iat: 100 };

    fn entry(kind: EndedKind, id: &str, before: Option<i64>) -> EndedEntry {
        EndedEntry { number: 1, kind, hash: EndedHash::of(kind, id), before, until: 1_000 }
    }

    #[test]
    fn an_old_reading_is_an_outage_and_a_fresh_one_an_answer() {
        let view = EndedView::new();
        let then = Instant::now();
        view.was_read(then);
        assert!(view.fresh(then + STALENESS_MAX).is_ok());
        assert!(view.fresh(then + STALENESS_MAX + Duration::from_millis(1)).is_err());
    }

    #[test]
    fn it_forgets_only_what_is_past() {
        let view = EndedView::new();
        view.apply(&[entry(EndedKind::Grant, "g", None)]);
        view.forget(Timestamp(999));
        assert!(view.is_ended(&FACTS).unwrap());
        view.forget(Timestamp(1_001));
        assert!(!view.is_ended(&FACTS).unwrap());
    }

    #[test]
    fn what_was_born_after_an_ending_is_good() {
        let view = EndedView::new();
        view.apply(&[entry(EndedKind::Client, "c", Some(99))]);
        assert!(!view.is_ended(&FACTS).unwrap());
        view.apply(&[entry(EndedKind::Client, "c", Some(100))]);
        assert!(view.is_ended(&FACTS).unwrap());
    }
}
