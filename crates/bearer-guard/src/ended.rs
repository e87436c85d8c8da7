//! What ended early, followed from the issuer.
//!
//! `GET {url}?after=N` with the resource's own credentials answers JSON lines, one [`EndedEntry`] each; the header `x-ended-head`
//! carries the newest number there is. The guard asks every second and before its first answer. A reading is good when it reached the
//! head; when the last good one is too old the guard answers 503, for a token whose ending we cannot see may have ended. A head below
//! ours means that the issuer was restored from a backup: everything is read again, and what we know stays.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use oauth_types::{EndedEntry, EndedList, Error, Outage, Timestamp, TokenFault, Ttl};
use reqwest::Client;
use tokio::{sync::Notify, time::MissedTickBehavior};

use crate::{
    Inner,
    caller::Caller,
    config::EndedFeed,
    fetch::{self, FetchError},
};

/// An ending is known within about this.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long a request waits for the first reading of a guard that has just started; after that it is refused.
const FIRST_READING_WAIT: Duration = Duration::from_secs(1);
/// Some thousands of entries of 130 bytes.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Pages in one reading: a guard that starts while very much ended still gets there, and an issuer that never ends does not hold us.
const PAGES_MAX: usize = 1_000;
const HEAD: &str = "x-ended-head";
const NEVER: i64 = i64::MIN;

pub(crate) struct Follower {
    feed: EndedFeed,
    client: Client,
    staleness_max: Ttl,
    list: ArcSwap<Versioned>,
    /// The number after which the next reading begins. Not the list's own: a restored issuer counts again from below.
    cursor: AtomicI64,
    read_at: AtomicI64,
    first_reading: Notify,
}

/// The endings, and how often they changed: a caller who was not in this version needs not be looked for in it again.
struct Versioned {
    version: u64,
    list: EndedList,
}

impl Follower {
    pub(crate) fn new(feed: EndedFeed, client: Client, staleness_max: Ttl) -> Self {
        Self {
            feed,
            client,
            staleness_max,
            list: ArcSwap::from_pointee(Versioned { version: 1, list: EndedList::default() }),
            cursor: AtomicI64::new(0),
            read_at: AtomicI64::new(NEVER),
            first_reading: Notify::new(),
        }
    }

    /// Returns when there was a first reading, or when it takes too long. A client that calls in the first milliseconds of a guard's
    /// life waits for them instead of being told to come again.
    pub(crate) async fn begun(&self) {
        let never = || self.read_at.load(Ordering::Acquire) == NEVER;
        if !never() {
            return;
        }
        let mut told = std::pin::pin!(self.first_reading.notified());
        told.as_mut().enable();
        if never() {
            let _in_time = tokio::time::timeout(FIRST_READING_WAIT, told).await;
        }
    }

    /// Do we know what ended, well enough to answer?
    pub(crate) fn fresh(&self, now: Timestamp) -> Result<(), Outage> {
        match self.read_at.load(Ordering::Acquire) {
            NEVER => Err(Outage::new("what ended at the issuer was not read yet")),
            read_at if now - Timestamp(read_at) > self.staleness_max => {
                Err(Outage::new("what ended at the issuer was not read for too long"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn judge(&self, caller: &Caller, now: Timestamp) -> Result<(), Error> {
        // What is known to have ended has ended, however old the knowledge.
        let ended = self.list.load();
        if !caller.is_unended_at(ended.version) {
            if ended.list.covers(&caller.facts()) {
                return Err(TokenFault::Ended.into());
            }
            caller.remember_unended_at(ended.version);
        }
        Ok(self.fresh(now)?)
    }

    /// Reads until the head.
    async fn read(&self, clock: impl Fn() -> Timestamp) -> Result<(), FetchError> {
        // The reading is as old as its first question.
        let asked_at = clock();
        for _ in 0..PAGES_MAX {
            let after = self.cursor.load(Ordering::Acquire);
            let (head, entries) = self.page(after).await?;
            if head < after {
                tracing::warn!(event = "ended.restarted", "the issuer's endings begin anew, at {head} after {after}; reading all of them");
                self.cursor.store(0, Ordering::Release);
                continue;
            }
            let newest = entries.iter().map(|entry| entry.number).max().unwrap_or(after).max(after);
            self.apply(&entries, asked_at);
            self.cursor.store(newest, Ordering::Release);
            // An empty page below the head is the end, too: old endings are forgotten. The cursor stays where it is, so that one which
            // becomes visible late is not passed by.
            if newest >= head || entries.is_empty() {
                self.read_at.store(asked_at.0, Ordering::Release);
                self.first_reading.notify_waiters();
                return Ok(());
            }
        }
        Err(FetchError::Malformed("the endings do not end"))
    }

    async fn page(&self, after: i64) -> Result<(i64, Vec<EndedEntry>), FetchError> {
        let request = self
            .client
            .get(format!("{}?after={after}", self.feed.url))
            .basic_auth(&self.feed.client_id, Some(self.feed.client_secret.expose()));
        let (headers, body) = fetch::read(request, PAGE_BYTES_MAX).await?;
        let head = headers.get(HEAD).and_then(|head| head.to_str().ok()?.parse().ok()).filter(|head| *head >= 0);
        let head = head.ok_or(FetchError::Malformed("no x-ended-head"))?;
        let entries = body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(serde_json::from_slice)
            .collect::<Result<Vec<EndedEntry>, _>>()
            .map_err(|_| FetchError::Malformed("a line is no ending"))?;
        // A page that does not move forward would be read for ever.
        if entries.iter().any(|entry| entry.number <= after) {
            return Err(FetchError::Malformed("an ending from before the question"));
        }
        Ok((head, entries))
    }

    fn apply(&self, entries: &[EndedEntry], now: Timestamp) {
        let before = self.list.load();
        if entries.is_empty() && before.list.is_empty() {
            return;
        }
        let mut list = before.list.clone();
        // Some seconds more than the leeway that a token may have.
        list.forget(now - Ttl::minutes(1));
        if entries.is_empty() && list.len() == before.list.len() {
            return;
        }
        entries.iter().for_each(|entry| list.apply(*entry));
        self.list.store(Arc::new(Versioned { version: before.version + 1, list }));
    }
}

/// The task: ends with the guard.
pub(crate) async fn follow(guard: Weak<Inner>) {
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_well = true;
    loop {
        tick.tick().await;
        let Some(guard) = guard.upgrade() else { return };
        let Some(follower) = &guard.ended else { return };
        match follower.read(|| guard.now()).await {
            Ok(()) => is_well = true,
            // Said once an outage, not once a second.
            Err(cause) if is_well => {
                is_well = false;
                tracing::warn!(
                    event = "ended.unreadable",
                    error = &cause as &dyn std::error::Error,
                    "could not read what ended at {}; in {} s this resource answers 503",
                    follower.feed.url,
                    follower.staleness_max.0
                );
            }
            Err(_) => {}
        }
    }
}
