//! Facts that we can afford to lose: if one is gone, the person starts again.
//!
//! Journeys of browsers and counters of attempts. They live outside the process, so that a restart or another replica finds them, and
//! outside the durable transaction, so that they cost nobody a sync. `sql.rs` keeps them in SQL; a [`Slot`] ties a key space to the
//! type of its values and their lifetime, once.

pub mod sql;

use std::marker::PhantomData;

use async_trait::async_trait;
use oauth_types::{BoxError, Error, Outage, Ttl};
use serde::{Serialize, de::DeserializeOwned};

pub use self::sql::SqlEphemeral;

/// Longest value: a flow with a state of 4 KiB, a nonce and an answer for a second click stays far below.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Where a fact is kept: its space and its name in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// Names a fact. A space holds no colon.
    pub fn new(space: &str, id: &str) -> Self {
        Self(format!("{space}:{id}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a fact could not be kept or found. Never "it is not there": that is an answer.
#[derive(Debug, thiserror::Error)]
pub enum EphemeralError {
    /// What keeps them does not answer.
    #[error("could not {operation}")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// What it said.
        #[source]
        source: BoxError,
    },
    /// The value is larger than any that we make.
    #[error("the value is longer than {VALUE_BYTES_MAX} bytes")]
    TooLong,
}

impl From<EphemeralError> for Error {
    fn from(error: EphemeralError) -> Self {
        Self::TemporarilyUnavailable(Outage::caused("could not keep or find a short-lived fact", error))
    }
}

/// Facts we can afford to lose. `take` reads and deletes in one step; that is its whole reason to exist.
#[async_trait]
pub trait Ephemeral: Send + Sync {
    /// Keeps a value for this long, in place of what was there.
    async fn put(&self, key: &Key, value: Vec<u8>, ttl: Ttl) -> Result<(), EphemeralError>;
    /// Looks; changes nothing.
    async fn peek(&self, key: &Key) -> Result<Option<Vec<u8>>, EphemeralError>;
    /// Takes it out: of any number of takers one gets it.
    async fn take(&self, key: &Key) -> Result<Option<Vec<u8>>, EphemeralError>;
    /// Counts one more, in a window that begins with the first; how many there are now.
    async fn count(&self, key: &Key, window: Ttl) -> Result<u64, EphemeralError>;
    /// Drops what is past, a slice at a time; how much. What expires by itself need not do anything.
    async fn purge(&self) -> Result<u64, EphemeralError> {
        Ok(0)
    }
}

/// A key space, the type of its values and their lifetime.
#[derive(Debug)]
pub struct Slot<T> {
    space: &'static str,
    ttl: Ttl,
    value: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Slot<T> {
    /// Declares one.
    pub const fn new(space: &'static str, ttl: Ttl) -> Self {
        Self { space, ttl, value: PhantomData }
    }

    fn key(&self, id: &str) -> Key {
        Key::new(self.space, id)
    }

    /// Keeps a value under this name.
    ///
    /// # Errors
    /// What keeps them does not answer, or the value is too long.
    pub async fn put(&self, ephemeral: &dyn Ephemeral, id: &str, value: &T) -> Result<(), EphemeralError> {
        let bytes = serde_json::to_vec(value)
            .map_err(|source| EphemeralError::Unavailable { operation: "write a short-lived fact", source: Box::new(source) })?;
        if bytes.len() > VALUE_BYTES_MAX {
            return Err(EphemeralError::TooLong);
        }
        ephemeral.put(&self.key(id), bytes, self.ttl).await
    }

    /// Looks. A value that an older or newer program wrote is as good as lost.
    ///
    /// # Errors
    /// What keeps them does not answer.
    pub async fn peek(&self, ephemeral: &dyn Ephemeral, id: &str) -> Result<Option<T>, EphemeralError> {
        Ok(ephemeral.peek(&self.key(id)).await?.and_then(|bytes| self.read(&bytes)))
    }

    /// Takes it out.
    ///
    /// # Errors
    /// What keeps them does not answer.
    pub async fn take(&self, ephemeral: &dyn Ephemeral, id: &str) -> Result<Option<T>, EphemeralError> {
        Ok(ephemeral.take(&self.key(id)).await?.and_then(|bytes| self.read(&bytes)))
    }

    fn read(&self, bytes: &[u8]) -> Option<T> {
        serde_json::from_slice(bytes)
            .inspect_err(|_| {
                tracing::warn!(event = "ephemeral.unreadable", space = self.space, "a fact in `{}` is of another version", self.space)
            })
            .ok()
    }
}
