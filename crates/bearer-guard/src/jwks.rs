//! The issuer's key set: read by one task, shared by all requests.
//!
//! One task fetches, so there is never more than one request under way, and a client that hangs up cancels nothing. It fetches at the
//! start, again when the set may have changed, and when somebody shows a key name that is not known: that at most once an interval, or
//! a storm of invented names would become a storm on the issuer. When a fetch fails the last good set stays; when it succeeds, keys
//! that are no longer published are gone.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use oauth_types::{Error, Outage, Timestamp, TokenFault, Ttl};
use reqwest::{
    Client,
    header::{CACHE_CONTROL, HeaderMap},
};
use tokio::sync::{Notify, watch};

use crate::{
    Inner, fetch,
    keys::{KID_CHARACTERS_MAX, Key, KeySet},
};

/// A set of 32 RSA keys is below.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// A retired key is gone this soon, if the issuer does not ask for sooner.
const REFRESH_AFTER_MAX: Duration = Duration::from_secs(300);
/// However soon the issuer asks for.
const REFRESH_AFTER_MIN: Duration = Duration::from_secs(10);
/// While there is no set at all nothing can be answered: the issuer may be starting beside us.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The same for requests that come meanwhile: all of them together ask no more often than that.
const FIRST_INTERVAL: Ttl = Ttl(1);
/// How long a request waits for a fetch; longer than the fetch may take.
const WAIT_MAX: Duration = Duration::from_secs(4);
const NEVER: i64 = i64::MIN;

pub(crate) struct PublishedKeys {
    url: String,
    client: Client,
    interval: Ttl,
    current: ArcSwapOption<KeySet>,
    /// Wakes the task.
    wished: Arc<Notify>,
    is_fetching: AtomicBool,
    last_attempt: AtomicI64,
    /// Counts fetches that ended, well or not.
    fetched: watch::Sender<u64>,
}

impl PublishedKeys {
    pub(crate) fn new(url: String, client: Client, interval: Ttl) -> Self {
        Self {
            url,
            client,
            interval,
            current: ArcSwapOption::empty(),
            wished: Arc::new(Notify::new()),
            is_fetching: AtomicBool::new(false),
            last_attempt: AtomicI64::new(NEVER),
            fetched: watch::Sender::new(0),
        }
    }

    pub(crate) fn are_known(&self) -> bool {
        self.current.load().is_some()
    }

    pub(crate) fn find(&self, kid: &str) -> Option<Arc<Key>> {
        self.current.load().as_ref()?.find(kid)
    }

    /// Is this key still published?
    pub(crate) fn hold(&self, key: &Arc<Key>) -> bool {
        self.current.load().as_ref().is_some_and(|set| set.holds(key))
    }

    pub(crate) fn wishes(&self) -> Arc<Notify> {
        Arc::clone(&self.wished)
    }

    /// A key that was not there a moment ago: after a fetch, if one may be made.
    pub(crate) async fn find_new(&self, kid: &str, now: Timestamp) -> Result<Arc<Key>, Error> {
        if kid.len() > KID_CHARACTERS_MAX {
            return Err(TokenFault::KeyUnknown.into());
        }
        // Subscribe first, look again then: a fetch that ends in between is seen by one or the other.
        let mut fetched = self.fetched.subscribe();
        if let Some(key) = self.find(kid) {
            return Ok(key);
        }
        if self.is_fetching.load(Ordering::Acquire) || self.may_fetch(now) {
            self.wished.notify_one();
            // Whether it ended or the wait did, what counts is what is there now.
            let _ = tokio::time::timeout(WAIT_MAX, fetched.changed()).await;
        }
        match self.find(kid) {
            Some(key) => Ok(key),
            None if self.are_known() => Err(TokenFault::KeyUnknown.into()),
            None => Err(Outage::new("the issuer's keys could not be read").into()),
        }
    }

    fn may_fetch(&self, now: Timestamp) -> bool {
        let last = self.last_attempt.load(Ordering::Acquire);
        let interval = if self.are_known() { self.interval } else { FIRST_INTERVAL };
        // A clock that was set back must not close the door for long.
        last == NEVER || now >= Timestamp(last) + interval || now < Timestamp(last)
    }

    /// Fetches once; says when to fetch again.
    async fn fetch(&self, now: Timestamp) -> Duration {
        self.is_fetching.store(true, Ordering::Release);
        self.last_attempt.store(now.0, Ordering::Release);
        let read = fetch::read(self.client.get(&self.url), DOCUMENT_BYTES_MAX).await;
        let before = self.current.load_full();
        let next = match read.and_then(|(headers, body)| Ok((refresh_after(&headers), KeySet::read(&body, before.as_deref())?))) {
            Ok((next, set)) => {
                self.current.store(Some(Arc::new(set)));
                next
            }
            Err(cause) => {
                tracing::warn!(
                    event = "keys.unreadable",
                    error = &cause as &dyn std::error::Error,
                    "could not read the issuer's keys at {}",
                    self.url
                );
                if before.is_some() { Duration::from_secs(self.interval.0.clamp(1, 60).unsigned_abs()) } else { FIRST_RETRY }
            }
        };
        self.is_fetching.store(false, Ordering::Release);
        self.fetched.send_modify(|count| *count += 1);
        next
    }
}

/// The task: ends with the guard.
pub(crate) async fn follow(guard: Weak<Inner>, wished: Arc<Notify>) {
    let mut next = Duration::ZERO;
    loop {
        let on_schedule = tokio::time::timeout(next, wished.notified()).await.is_err();
        let Some(guard) = guard.upgrade() else { return };
        let now = guard.now();
        if !on_schedule && !guard.keys.may_fetch(now) {
            // Somebody else's wish was granted since; the schedule begins anew, which only makes it later by less than itself.
            continue;
        }
        next = guard.keys.fetch(now).await;
        guard.verified.forget(now, |key| guard.keys.hold(key));
    }
}

/// RFC 9111 §5.2.2.1, within our own limits.
fn refresh_after(headers: &HeaderMap) -> Duration {
    let max_age = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|directive| directive.trim().strip_prefix("max-age=")?.parse().ok());
    max_age.map_or(REFRESH_AFTER_MAX, Duration::from_secs).clamp(REFRESH_AFTER_MIN, REFRESH_AFTER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_says_when_to_read_again_within_our_limits() {
        let after = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, value.parse().unwrap());
            refresh_after(&headers).as_secs()
        };
        assert_eq!(after("public, max-age=120"), 120);
        assert_eq!(after("max-age=0"), 10);
        assert_eq!(after("max-age=86400"), 300);
        assert_eq!(after("no-store"), 300);
        assert_eq!(after("max-age=soon"), 300);
    }
}
