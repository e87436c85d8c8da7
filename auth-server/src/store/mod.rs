//! Durable facts: what may not be lost or replayed.
//!
//! One noun a file, each with its row, its SQL and its methods; the SQL is one text for SQLite and PostgreSQL (`db.rs` holds what
//! differs). Reads go to a pool, frequent ones through small caches; every write goes through one writer (`writer.rs`), the frequent
//! ones as values judged and committed in groups (`change.rs`, `group.rs`). What is not committed did not happen; a database that does
//! not answer is an outage, never a refusal. Nothing here knows an endpoint, a token's text or a clock of its own.

mod audit;
mod browser_sessions;
mod cache;
mod change;
mod clients;
mod consents;
pub(crate) mod db;
mod elements;
mod ended;
mod error;
mod grants;
mod group;
mod identities;
mod keys;
mod plan;
mod purge;
mod salts;
mod schema;
pub mod seed;
mod seen;
mod sqlite;
mod statements;
mod subjects;
mod tx;
mod upstream_sessions;
mod wake;
mod writer;

#[cfg(test)]
mod conformance;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use oauth_types::Ttl;

pub use self::{
    audit::{AuditEvent, AuditFilter, AuditRow, DETAIL_BYTES_MAX},
    browser_sessions::{BrowserSessionRow, NewBrowserSession},
    change::{
        Answer, Approval, Ended, Ending, NewRefresh, Redeem, Redemption, RedemptionFacts, Rotate, Rotated, Rotation, Successor, Trail,
    },
    clients::{AuthMethod, ClientKind, ClientRow, NewClient},
    consents::{ConsentKey, ConsentRow},
    ended::EndedView,
    error::StoreError,
    grants::{EndReason, GrantRow},
    identities::NewIdentity,
    keys::KeyRow,
    purge::PurgeReport,
    subjects::{AccountRow, NewAccount, SubjectRow},
    upstream_sessions::{NewUpstreamSession, Settlement, SignIns, UpstreamEnding, UpstreamSessionRow},
};
use self::{
    cache::Caches,
    db::{Conn, Durability, Pool},
    writer::{Queue, Surroundings},
};
use crate::{
    clock::Clock,
    config::{Config, Database},
};

/// How long an ending is remembered at least: an operator who shortens the life of access tokens must not shorten the memory of
/// endings under tokens that were made before.
const ENDED_KEPT_MIN: Ttl = Ttl::hours(1);
/// Beyond the last second of a token: clocks of resources differ, and guards allow for that.
const ENDED_KEPT_BEYOND: Ttl = Ttl::minutes(2);

/// What the store needs to know.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Which database.
    pub database: Database,
    /// How long an access token lives: endings are remembered a little longer.
    pub access_token: Ttl,
    /// How long a rotated token is answered again: its sealed successor is kept no longer.
    pub refresh_overlap: Ttl,
    /// How long a client may be registered without ever getting a grant.
    pub registration_unused: Ttl,
}

impl From<&Config> for StoreConfig {
    fn from(config: &Config) -> Self {
        Self {
            database: config.database.clone(),
            access_token: config.lifetimes.access_token,
            refresh_overlap: config.refresh.overlap,
            registration_unused: config.lifetimes.registration_unused,
        }
    }
}

/// The store. Clones share everything.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    readers: Pool,
    writer: Queue,
    caches: Arc<Caches>,
    ended: EndedView,
    place: tokio::sync::Mutex<ended::Place>,
    pending_clients: Pending,
    purge: tokio::sync::Mutex<purge::Walk>,
    config: StoreConfig,
    clock: Arc<dyn Clock>,
}

impl Store {
    /// Brings a database to this program's schema, making it where there is none.
    ///
    /// # Errors
    /// The database does not answer, or is newer than this program.
    pub async fn migrate(database: &Database) -> Result<(), StoreError> {
        schema::migrate(database).await
    }

    /// Opens a database whose schema is this program's. Nothing in it is scanned: a large one opens as quickly as a small one.
    ///
    /// # Errors
    /// The database does not answer, or has another schema.
    pub async fn open(config: &StoreConfig, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let mut conn = Conn::open(&config.database, Durability::Full).await?;
        schema::check(&mut conn).await?;
        let (caches, ended) = (Arc::new(Caches::new()), EndedView::new());
        let around = Surroundings {
            database: config.database.clone(),
            clock: Arc::clone(&clock),
            caches: Arc::clone(&caches),
            ended: ended.clone(),
            ended_kept: Ttl(config.access_token.0.max(ENDED_KEPT_MIN.0) + ENDED_KEPT_BEYOND.0),
        };
        let inner = Arc::new(Inner {
            readers: Pool::readers(&config.database)?,
            writer: Queue::open(conn, around)?,
            caches,
            ended,
            place: tokio::sync::Mutex::default(),
            pending_clients: Pending::default(),
            purge: tokio::sync::Mutex::default(),
            config: config.clone(),
            clock,
        });
        // Before the first answer: a process that knows no endings would believe every token.
        ended::begin(&inner).await?;
        tokio::spawn(ended::keep_following(Arc::downgrade(&inner)));
        Ok(Self(inner))
    }

    /// Can it be read now, and is what ended known?
    ///
    /// # Errors
    /// What is wrong.
    pub async fn health(&self) -> Result<(), StoreError> {
        self.ended_head().await?;
        self.0.ended.ready().map_err(|outage| StoreError::Unavailable { operation: "read what ended", source: Box::new(outage) })
    }

    /// Takes no more writes, finishes those that wait, and closes the database. Clones are closed too.
    pub async fn close(&self) {
        self.0.writer.close().await;
        self.0.readers.close().await;
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("database", &self.0.config.database).finish_non_exhaustive()
    }
}

/// A count that is read seldom and kept up to date in between.
#[derive(Default)]
struct Pending {
    count: AtomicU64,
    read_at: Mutex<Option<Instant>>,
}

impl Pending {
    /// The count, if it was read lately.
    fn known(&self, age_max: Duration) -> Option<u64> {
        let read_at = *self.read_at.lock().unwrap_or_else(PoisonError::into_inner);
        (read_at?.elapsed() < age_max).then(|| self.count.load(Ordering::Relaxed))
    }

    fn set(&self, count: u64) -> u64 {
        self.count.store(count, Ordering::Relaxed);
        *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        count
    }

    /// The count changed by more than registrations: the next question reads it.
    fn forget(&self) {
        *self.read_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn one_more(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}
