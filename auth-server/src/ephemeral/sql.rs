//! Ephemeral facts in SQL: the default, on either database.
//!
//! The table has no migrations. Its name carries the version of its shape; a new shape is a new, empty table, and people start again.

use std::sync::Arc;

use async_trait::async_trait;
use oauth_types::{Timestamp, Ttl};

use super::{Ephemeral, EphemeralError, Key};
use crate::{
    clock::Clock,
    config::Database,
    store::db::{Pool, Value},
};

const CREATE: &str =
    "CREATE TABLE IF NOT EXISTS ephemeral_1 (key TEXT PRIMARY KEY, value TEXT NOT NULL, hits BIGINT NOT NULL, expires_at BIGINT NOT NULL)";
const CREATE_INDEX: &str = "CREATE INDEX IF NOT EXISTS ephemeral_1_expires_at ON ephemeral_1 (expires_at)";
const PUT: &str = "INSERT INTO ephemeral_1 (key, value, hits, expires_at) VALUES ($1, $2, 0, $3)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at";
const PEEK: &str = "SELECT value FROM ephemeral_1 WHERE key = $1 AND expires_at > $2";
const TAKE: &str = "DELETE FROM ephemeral_1 WHERE key = $1 RETURNING value, expires_at";
// A window begins with its first count and is not moved by later ones.
const COUNT: &str = "INSERT INTO ephemeral_1 (key, value, hits, expires_at) VALUES ($1, '', 1, $3)
    ON CONFLICT (key) DO UPDATE SET
        hits = CASE WHEN ephemeral_1.expires_at <= $2 THEN 1 ELSE ephemeral_1.hits + 1 END,
        expires_at = CASE WHEN ephemeral_1.expires_at <= $2 THEN excluded.expires_at ELSE ephemeral_1.expires_at END
    RETURNING hits";
/// A slice: nobody waits for a long delete.
const PURGE: &str = "DELETE FROM ephemeral_1 WHERE key IN (SELECT key FROM ephemeral_1 WHERE expires_at <= $1 LIMIT 2000)";

/// Facts in a database.
pub(super) struct SqlEphemeral {
    pool: Pool,
    clock: Arc<dyn Clock>,
}

impl SqlEphemeral {
    /// Opens the database and makes the table.
    pub(super) async fn open(database: &Database, clock: Arc<dyn Clock>) -> Result<Self, EphemeralError> {
        let pool = Pool::casual(database)?;
        // Two replicas that start together may both find no table, and PostgreSQL then refuses the slower one. It is there the next time.
        if pool.rows(CREATE, &[]).await.is_err() {
            pool.rows(CREATE, &[]).await?;
        }
        if pool.rows(CREATE_INDEX, &[]).await.is_err() {
            pool.rows(CREATE_INDEX, &[]).await?;
        }
        Ok(Self { pool, clock })
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

#[async_trait]
impl Ephemeral for SqlEphemeral {
    async fn put(&self, key: &Key, value: String, ttl: Ttl) -> Result<(), EphemeralError> {
        let until = self.now() + ttl;
        self.pool.rows(PUT, &[Value::Text(key.as_str()), Value::Text(&value), Value::Int(until.0)]).await?;
        Ok(())
    }

    async fn peek(&self, key: &Key) -> Result<Option<String>, EphemeralError> {
        let row = self.pool.row(PEEK, &[Value::Text(key.as_str()), Value::Int(self.now().0)]).await?;
        Ok(row.map(|row| row.text(0).map(str::to_owned)).transpose()?)
    }

    async fn take(&self, key: &Key) -> Result<Option<String>, EphemeralError> {
        let Some(row) = self.pool.row(TAKE, &[Value::Text(key.as_str())]).await? else { return Ok(None) };
        let is_past = row.int(1)? <= self.now().0;
        Ok(if is_past { None } else { Some(row.text(0)?.to_owned()) })
    }

    async fn count(&self, key: &Key, window: Ttl) -> Result<u64, EphemeralError> {
        let now = self.now();
        let values = [Value::Text(key.as_str()), Value::Int(now.0), Value::Int((now + window).0)];
        let row = self.pool.row(COUNT, &values).await?;
        let hits = row.map(|row| row.int(0)).transpose()?.unwrap_or(1);
        Ok(u64::try_from(hits).unwrap_or(u64::MAX))
    }

    async fn purge(&self) -> Result<(), EphemeralError> {
        self.pool.rows(PURGE, &[Value::Int(self.now().0)]).await?;
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
