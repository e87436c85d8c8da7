//! Ephemeral facts in SQL: on SQLite in a file of their own with normal synchronisation, on PostgreSQL in a table beside the others.
//!
//! Losing the last second of them to a power cut is allowed, so a commit waits for no disk. Each operation is one statement.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use oauth_types::Ttl;

use super::{Ephemeral, EphemeralError, Key};
use crate::{
    clock::Clock,
    config::Database,
    store::{
        StoreError,
        db::{Conn, Durability, Pool, Value},
    },
};

/// The file of ephemeral facts, beside the database. It may be deleted while the server is down.
pub const FILE: &str = "ephemeral.db";
/// Rows that one round of the purge drops.
const PURGE_SLICE: i64 = 1_000;

/// As in migrations/: on SQLite this file has no other table and no history.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS ephemeral (
    key        TEXT NOT NULL PRIMARY KEY,
    value      TEXT NOT NULL,
    counted    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) WITHOUT ROWID";
const INDEX: &str = "CREATE INDEX IF NOT EXISTS ephemeral_expiry ON ephemeral (expires_at)";

const PUT: &str = "INSERT INTO ephemeral (key, value, counted, expires_at) VALUES ($1, $2, 0, $3)
  ON CONFLICT (key) DO UPDATE SET value = excluded.value, counted = 0, expires_at = excluded.expires_at";
const PEEK: &str = "SELECT value FROM ephemeral WHERE key = $1 AND expires_at > $2";
const TAKE: &str = "DELETE FROM ephemeral WHERE key = $1 AND expires_at > $2 RETURNING value";
const COUNT: &str = "INSERT INTO ephemeral (key, value, counted, expires_at) VALUES ($1, '', 1, $2)
  ON CONFLICT (key) DO UPDATE SET
    counted = CASE WHEN ephemeral.expires_at <= $3 THEN 1 ELSE ephemeral.counted + 1 END,
    expires_at = CASE WHEN ephemeral.expires_at <= $3 THEN excluded.expires_at ELSE ephemeral.expires_at END
  RETURNING counted";
const PURGE: &str = "DELETE FROM ephemeral WHERE key IN (SELECT key FROM ephemeral WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

/// Keeps them in SQL.
pub struct SqlEphemeral {
    pool: Pool,
    clock: Arc<dyn Clock>,
}

impl SqlEphemeral {
    /// Opens them beside this database.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn open(database: &Database, clock: Arc<dyn Clock>) -> Result<Self, EphemeralError> {
        let beside = match database {
            Database::Sqlite(path) => Database::Sqlite(path.with_file_name(FILE)),
            Database::Postgres(url) => Database::Postgres(url.clone()),
        };
        if matches!(beside, Database::Sqlite(_)) {
            let mut conn = Conn::open(&beside, Durability::Normal).await.map_err(failed)?;
            for sql in [TABLE, INDEX] {
                conn.run(sql, &[]).await.map_err(failed)?;
            }
            conn.close().await;
        }
        Ok(Self { pool: Pool::casual(&beside).map_err(failed)?, clock })
    }

    /// Closes the connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn value(&self, sql: &'static str, key: &Key) -> Result<Option<Vec<u8>>, EphemeralError> {
        let row = self.pool.row(sql, &[Value::Text(key.as_str()), Value::Int(self.clock.now().0)]).await.map_err(failed)?;
        // What cannot be read is as good as lost.
        Ok(match row {
            Some(row) => STANDARD_NO_PAD.decode(row.text("value").map_err(failed)?).ok(),
            None => None,
        })
    }
}

fn failed(error: StoreError) -> EphemeralError {
    EphemeralError::Unavailable { operation: "use the table of short-lived facts", source: Box::new(error) }
}

#[async_trait]
impl Ephemeral for SqlEphemeral {
    async fn put(&self, key: &Key, value: Vec<u8>, ttl: Ttl) -> Result<(), EphemeralError> {
        let text = STANDARD_NO_PAD.encode(value);
        let values = [Value::Text(key.as_str()), Value::Text(&text), Value::Int((self.clock.now() + ttl).0)];
        self.pool.rows(PUT, &values).await.map(drop).map_err(failed)
    }

    async fn peek(&self, key: &Key) -> Result<Option<Vec<u8>>, EphemeralError> {
        self.value(PEEK, key).await
    }

    async fn take(&self, key: &Key) -> Result<Option<Vec<u8>>, EphemeralError> {
        self.value(TAKE, key).await
    }

    async fn count(&self, key: &Key, window: Ttl) -> Result<u64, EphemeralError> {
        let now = self.clock.now();
        let values = [Value::Text(key.as_str()), Value::Int((now + window).0), Value::Int(now.0)];
        let row = self.pool.row(COUNT, &values).await.map_err(failed)?;
        let counted = row.map_or(Ok(0), |row| row.int("counted")).map_err(failed)?;
        Ok(counted.unsigned_abs())
    }

    async fn purge(&self) -> Result<u64, EphemeralError> {
        self.pool.run(PURGE, &[Value::Int(self.clock.now().0), Value::Int(PURGE_SLICE)]).await.map_err(failed)
    }
}
