//! Facts that we can afford to lose: losing them means "please start again".
//!
//! Flows in progress and short counters live here, never in one process's memory: a restart and another replica find them. What has
//! security meaning when lost or replayed belongs in the store. The default keeps them in a database file of their own, committed
//! without waiting for the disk (on PostgreSQL: in a table).

mod sql;

#[cfg(test)]
mod conformance;

use std::{marker::PhantomData, path::Path, sync::Arc};

use async_trait::async_trait;
use oauth_types::{BoxError, Error, Outage, Ttl};
use serde::{Serialize, de::DeserializeOwned};

use crate::{clock::Clock, config::Database, store::StoreError};

/// Longest value: a flow with the longest request that we accept, twice.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Why there was no answer, or no room.
#[derive(Debug, thiserror::Error)]
pub enum EphemeralError {
    /// The database behind it gave no answer.
    #[error("the ephemeral store gave no answer")]
    Unavailable(#[from] StoreError),
    /// A value is larger than any flow.
    #[error("the value has {0} bytes, more than {VALUE_BYTES_MAX}")]
    TooLarge(usize),
    /// A value of another version of this program, or not ours.
    #[error("the value of `{0}` does not read")]
    Unreadable(&'static str, #[source] BoxError),
}

impl From<EphemeralError> for Error {
    fn from(error: EphemeralError) -> Self {
        Self::TemporarilyUnavailable(Outage::caused("the ephemeral store gave no answer", error))
    }
}

/// A name in a key space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// `id` in `space`.
    pub fn new(space: &'static str, id: &str) -> Self {
        Self(format!("{space}:{id}"))
    }

    /// The text under which it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A store of texts that end by themselves. `take` reads and deletes in one step; that is its whole reason to exist.
#[async_trait]
pub trait Ephemeral: Send + Sync {
    /// Keeps a value for that long, in place of another.
    async fn put(&self, key: &Key, value: String, ttl: Ttl) -> Result<(), EphemeralError>;
    /// Looks without touching.
    async fn peek(&self, key: &Key) -> Result<Option<String>, EphemeralError>;
    /// Takes it away: of many who try, one gets it.
    async fn take(&self, key: &Key) -> Result<Option<String>, EphemeralError>;
    /// Counts one more within a window that begins with the first; how many that makes.
    async fn count(&self, key: &Key, window: Ttl) -> Result<u64, EphemeralError>;
    /// Removes what is past.
    async fn purge(&self) -> Result<(), EphemeralError>;
    /// Lets go of connections.
    async fn close(&self);
}

/// Opens what the configuration names.
///
/// # Errors
/// The database gives no answer.
pub async fn open(database: &Database, clock: Arc<dyn Clock>) -> Result<Arc<dyn Ephemeral>, EphemeralError> {
    let place = match database {
        Database::Sqlite(path) => Database::Sqlite(path.parent().unwrap_or(Path::new("")).join("ephemeral.db")),
        Database::Postgres(url) => Database::Postgres(url.clone()),
    };
    Ok(Arc::new(sql::SqlEphemeral::open(&place, clock).await?))
}

/// A key space with the type of its values and their lifetime, written down once.
#[derive(Debug)]
pub struct Slot<T> {
    space: &'static str,
    ttl: Ttl,
    value: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Slot<T> {
    /// Names it.
    pub const fn new(space: &'static str, ttl: Ttl) -> Self {
        Self { space, ttl, value: PhantomData }
    }

    /// Keeps a value.
    ///
    /// # Errors
    /// No answer, or too large.
    pub async fn put(&self, store: &dyn Ephemeral, id: &str, value: &T) -> Result<(), EphemeralError> {
        let text = serde_json::to_string(value).map_err(|cause| EphemeralError::Unreadable(self.space, cause.into()))?;
        if text.len() > VALUE_BYTES_MAX {
            return Err(EphemeralError::TooLarge(text.len()));
        }
        store.put(&Key::new(self.space, id), text, self.ttl).await
    }

    /// Looks at it.
    ///
    /// # Errors
    /// No answer, or a value of another version.
    pub async fn peek(&self, store: &dyn Ephemeral, id: &str) -> Result<Option<T>, EphemeralError> {
        self.read(store.peek(&Key::new(self.space, id)).await?)
    }

    /// Takes it away.
    ///
    /// # Errors
    /// No answer, or a value of another version.
    pub async fn take(&self, store: &dyn Ephemeral, id: &str) -> Result<Option<T>, EphemeralError> {
        self.read(store.take(&Key::new(self.space, id)).await?)
    }

    fn read(&self, text: Option<String>) -> Result<Option<T>, EphemeralError> {
        text.map(|text| serde_json::from_str(&text).map_err(|cause| EphemeralError::Unreadable(self.space, cause.into()))).transpose()
    }
}
