//! The lock for a protected resource: who may come in, and what the others are told.
//!
//! [`Guard::admit`] takes a token and the scope that the request needs, and gives a [`Caller`] or the exact refusal. The token is
//! checked here (RFC 9068 §4) with the issuer's published keys; that its grant, client, person or sign-in ended early is followed from
//! the issuer every second. A guard that cannot know answers 503: it never opens in doubt. Beside the lock stand its documents:
//! protected resource metadata (RFC 9728) and challenges (RFC 6750 §3).
//!
//! Only `actix.rs` knows a web framework; everything else serves any.

mod caller;
mod config;
mod ended;
mod fetch;
mod jwks;
mod keys;
mod local;
mod metadata;
mod verified;

pub mod actix;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use oauth_types::{Bug, Challenge, Error, Outage, Scope, Timestamp, TokenFault};
use tokio::task::AbortHandle;

pub use bytes::Bytes;
pub use caller::Caller;
pub use config::{EndedFeed, GuardConfig, SharedClock, system_clock};
pub use metadata::Documents;

/// Longest token that is looked at: ours have about 700 characters.
const TOKEN_CHARACTERS_MAX: usize = 8192;

/// The lock of one protected resource. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

pub(crate) struct Inner {
    config: GuardConfig,
    clock: SharedClock,
    documents: Documents,
    keys: jwks::PublishedKeys,
    ended: Option<ended::Follower>,
    verified: verified::Verified,
    following: AtomicBool,
    /// What [`Guard::follow`] started; ends with the last clone.
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Guard {
    /// A guard that has read nothing yet: [`Guard::follow`] begins.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(config: GuardConfig, clock: SharedClock) -> Result<Self, Error> {
        let client = fetch::client().map_err(|cause| Bug::caused("could not build the guard's HTTP client", cause))?;
        let documents = Documents::of(&config).map_err(|cause| Bug::caused("could not write the resource metadata", cause))?;
        let ended = config.ended.clone().map(|feed| ended::Follower::new(feed, client.clone(), config.ended_staleness_max));
        let keys = jwks::PublishedKeys::new(config.jwks_url.clone(), client, config.refetch_interval);
        let verified = verified::Verified::new(config.verified_max);
        let (following, tasks) = (AtomicBool::new(false), Mutex::new(Vec::new()));
        Ok(Self(Arc::new(Inner { config, clock, documents, keys, ended, verified, following, tasks })))
    }

    /// Begins to follow the issuer: its keys, and what ended. Call it once, on the runtime that outlives the server's workers; it
    /// stops when the last clone of the guard is dropped. Calling it again changes nothing.
    pub fn follow(&self) {
        if self.0.following.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.push(tokio::spawn(jwks::follow(Arc::downgrade(&self.0), self.0.keys.wishes())).abort_handle());
        if self.0.ended.is_some() {
            tasks.push(tokio::spawn(ended::follow(Arc::downgrade(&self.0))).abort_handle());
        }
    }

    /// Can the guard judge? What is missing, when it cannot.
    ///
    /// # Errors
    /// The issuer's keys were never read, or its endings not for too long.
    pub fn ready(&self) -> Result<(), Outage> {
        if !self.0.keys.are_known() {
            return Err(Outage::new("the issuer's keys were not read yet"));
        }
        self.0.ended.as_ref().map_or(Ok(()), |ended| ended.fresh(self.0.now()))
    }

    /// Who this token stands for, when it is good here and allows what is needed.
    ///
    /// # Errors
    /// [`Error::InvalidToken`] with its reason; [`Error::InsufficientScope`]; [`Error::TemporarilyUnavailable`] when the guard cannot
    /// know, which is never an opinion about the token.
    pub async fn admit(&self, presented: &str, needed: &Scope) -> Result<Caller, Error> {
        let caller = self.identify(presented).await?;
        caller.require(needed)?;
        Ok(caller)
    }

    async fn identify(&self, presented: &str) -> Result<Caller, Error> {
        if presented.is_empty() {
            return Err(TokenFault::Missing.into());
        }
        if presented.len() > TOKEN_CHARACTERS_MAX {
            return Err(TokenFault::TooLong.into());
        }
        let now = self.0.now();
        let name = verified::Name::of(presented);
        let caller = match self.0.verified.find(&name, now, |key| self.0.keys.hold(key)) {
            Some(caller) => caller,
            None => self.verify(presented, name, now).await?,
        };
        if let Some(ended) = &self.0.ended {
            ended.begun().await;
            ended.judge(&caller, now)?;
        }
        Ok(caller)
    }

    /// The long way: once a token, then it is remembered.
    async fn verify(&self, presented: &str, name: verified::Name, now: Timestamp) -> Result<Caller, Error> {
        let token = local::Parts::split(presented)?;
        let header = token.header()?;
        let key = self.0.key(header.kid(), now).await?;
        let claims = token.claims(&header, &key)?;
        let caller = local::judge(claims, &self.0.config, now)?;
        self.0.verified.remember(name, caller.clone(), key);
        Ok(caller)
    }

    /// What a refused request is told in `WWW-Authenticate`: where the metadata is, what to ask for, and what was wrong. A request
    /// without a token is not told that anything was wrong (RFC 6750 §3.1).
    pub fn challenge(&self, error: Option<&Error>) -> String {
        let challenge = Challenge::bearer(self.resource_metadata_url());
        let offered = &self.0.config.challenge_scope;
        match error {
            None | Some(Error::InvalidToken(TokenFault::Missing)) => challenge.scope(offered),
            // Step-up: everything that the operation needs, in one challenge.
            Some(error @ Error::InsufficientScope { needed }) => challenge.scope(needed).error(error),
            Some(error) => challenge.scope(offered).error(error),
        }
        .to_header_value()
    }

    /// The RFC 9728 document, the same bytes at each of its paths.
    pub fn protected_resource_metadata(&self) -> Bytes {
        self.0.documents.body()
    }

    /// Where the document is, as challenges say it.
    pub fn resource_metadata_url(&self) -> &str {
        self.0.documents.url()
    }

    /// The document and its paths.
    pub fn documents(&self) -> &Documents {
        &self.0.documents
    }

    /// What the guard was told.
    pub fn config(&self) -> &GuardConfig {
        &self.0.config
    }
}

impl Inner {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The key of this name; asks the issuer once more when it is new.
    async fn key(&self, kid: &str, now: Timestamp) -> Result<Arc<keys::Key>, Error> {
        if let Some(key) = self.keys.find(kid) {
            return Ok(key);
        }
        if !self.following.load(Ordering::Acquire) {
            return Err(Outage::new("the guard follows nobody: call follow() first").into());
        }
        self.keys.find_new(kid, now).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for task in self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guard({})", self.0.config.resource)
    }
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
