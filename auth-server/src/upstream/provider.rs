//! An OpenID provider as it was last seen: its metadata and its keys, fetched once, shared, and kept when a newer one is worse.
//!
//! Nothing is fetched at start, so a provider that is down keeps nobody from starting. The first who needs it fetches; those who come
//! meanwhile wait for the same answer, whichever it is. From then on the background brings it up to date, and what was believed last
//! stays in force when that fails or is not believed (attack 59). Keys are fetched again when a token names one that is not known, at
//! most once an interval: invented names must not become a storm on the provider.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use oauth_types::{Outage, Timestamp, Ttl, UpstreamFault};
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::{
    UpstreamError,
    discovery::{self, Metadata},
    http::Http,
    keys::Keys,
};
use crate::{clock::Clock, config::UpstreamConfig};

/// Both documents together; who signs in first waits for it.
const FETCH_WITHIN: Duration = Duration::from_secs(10);
/// A provider that moves an endpoint or retires a key is followed this soon.
const FRESH_FOR: Ttl = Ttl::hours(1);
/// Between two tries to bring documents up to date.
const RETRY_AFTER: Ttl = Ttl::minutes(1);
/// Between two fetches for a key name that is not known.
const KEYS_INTERVAL: Ttl = Ttl::minutes(1);

/// One OpenID provider.
pub(super) struct Provider {
    pub(super) settings: UpstreamConfig,
    pub(super) http: Http,
    clock: Arc<dyn Clock>,
    known: ArcSwapOption<Known>,
    /// Held while fetching.
    attempts: Mutex<Attempts>,
}

/// What was believed last.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Where it does what.
    pub(super) metadata: Metadata,
    /// What it signs with.
    pub(super) keys: Keys,
    fetched_at: Timestamp,
}

/// When it was tried, so that a failure is shared and not repeated.
#[derive(Default)]
struct Attempts {
    failed: Option<(Instant, Option<UpstreamFault>)>,
    tended_at: Option<Timestamp>,
    keys_at: Option<Timestamp>,
}

impl Provider {
    pub(super) fn new(settings: UpstreamConfig, http: Http, clock: Arc<dyn Clock>) -> Self {
        Self { settings, http, clock, known: ArcSwapOption::empty(), attempts: Mutex::default() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What is known, fetched if nothing is.
    pub(super) async fn known(&self) -> Result<Arc<Known>, UpstreamError> {
        if let Some(known) = self.known.load_full() {
            return Ok(known);
        }
        let arrived = Instant::now();
        let mut attempts = self.attempts.lock().await;
        if let Some(known) = self.known.load_full() {
            return Ok(known);
        }
        // A hundred people who wait while the provider is down must not try one after the other.
        match attempts.failed {
            Some((at, Some(fault))) if at >= arrived => return Err(fault.into()),
            Some((at, None)) if at >= arrived => {
                return Err(UpstreamError::unavailable("the identity provider gave no answer a moment ago"));
            }
            _ => {}
        }
        match self.fetch().await {
            Ok(known) => Ok(self.keep(known)),
            Err(error) => {
                let fault = if let UpstreamError::Distrusted(fault) = &error { Some(*fault) } else { None };
                attempts.failed = Some((Instant::now(), fault));
                Err(error)
            }
        }
    }

    /// What is known after another look at the keys, unless there was one a moment ago.
    pub(super) async fn look_at_keys_again(&self) -> Result<Arc<Known>, UpstreamError> {
        let mut attempts = self.attempts.lock().await;
        let known = self.known.load_full().ok_or(UpstreamFault::KeyUnknown)?;
        let now = self.now();
        let is_soon = |last: Timestamp| now < last + KEYS_INTERVAL;
        if attempts.keys_at.is_some_and(is_soon) {
            return Ok(known);
        }
        attempts.keys_at = Some(now);
        let keys = self.fetch_keys(&known.metadata).await?;
        Ok(self.keep(Known { keys, ..(*known).clone() }))
    }

    /// Brings what is known up to date; the last good documents stay when that fails.
    pub(super) async fn tend(&self) {
        let now = self.now();
        if self.known.load().as_ref().is_some_and(|known| now < known.fetched_at + FRESH_FOR) {
            return;
        }
        let mut attempts = self.attempts.lock().await;
        if attempts.tended_at.is_some_and(|last| now < last + RETRY_AFTER) {
            return;
        }
        attempts.tended_at = Some(now);
        match self.fetch().await {
            Ok(known) => {
                self.keep(known);
                info!(event = "upstream.read", idp.id = %self.settings.id, "read the documents of the identity provider `{}`", self.settings.id);
            }
            Err(error) => self.tell("documents", &error),
        }
    }

    /// A line for the operator about a call that failed. What a person waits for tells its own story: the refusal of their request.
    pub(super) fn tell(&self, part: &'static str, error: &UpstreamError) {
        tell(&self.settings, part, error);
    }

    fn keep(&self, known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        self.known.store(Some(known.clone()));
        known
    }

    async fn fetch(&self) -> Result<Known, UpstreamError> {
        let both = async {
            let address = discovery::address(&self.settings)?;
            let document = self.http.get(&address, None, "application/json").await?.json()?;
            let metadata = discovery::read(&document, &self.settings)?;
            let keys = self.fetch_keys(&metadata).await?;
            Ok(Known { metadata, keys, fetched_at: self.now() })
        };
        tokio::time::timeout(FETCH_WITHIN, both).await.unwrap_or_else(|cause| {
            let what = "the identity provider did not give its documents in time";
            Err(UpstreamError::Unavailable(Outage::caused(what, cause)))
        })
    }

    async fn fetch_keys(&self, metadata: &Metadata) -> Result<Keys, UpstreamError> {
        Ok(Keys::read(&self.http.get(&metadata.keys, None, "application/json").await?.json()?)?)
    }
}

/// A line for the operator about a call that failed.
pub(super) fn tell(settings: &UpstreamConfig, part: &'static str, error: &UpstreamError) {
    let id = &settings.id;
    let cause = chain(error);
    match error {
        UpstreamError::Unavailable(_) => {
            warn!(event = "upstream.unreachable", idp.id = %id, part, cause, "the identity provider `{id}` gave no answer");
        }
        UpstreamError::Distrusted(fault) => {
            warn!(event = "upstream.distrusted", idp.id = %id, part, cause = fault.reason(), "the identity provider `{id}` is not believed: {fault}");
        }
        UpstreamError::Refused => {}
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
