//! `sessions.db`: the rows behind sessions and their events. One task writes, in groups; reads go beside it.

use std::path::Path;
use std::time::Duration;

use rmcp::transport::streamable_http_server::session::{SessionState, SessionStore, SessionStoreError};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::{mpsc, oneshot};

use super::events::Position;
use super::{ACTING, SESSIONS_PER_OWNER_MAX};

/// How long an event may wait for others before it is written.
pub(super) const WRITE_BEHIND: Duration = Duration::from_millis(100);
/// Events kept of one session; a client that missed more starts again.
pub(crate) const EVENTS_PER_SESSION_MAX: i64 = 256;
/// Events of all sessions.
pub(crate) const EVENTS_MAX: i64 = 200_000;
/// How long an event can be replayed.
pub(crate) const EVENT_LIFE_SECS: i64 = 15 * 60;
/// What waits for the writer before callers wait for it.
const WAITING_MAX: usize = 4_096;
/// Events in one transaction.
const GROUP_MAX: usize = 1_024;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS sessions (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    version    TEXT NOT NULL,
    state      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_owner ON sessions (owner, used_at);
CREATE TABLE IF NOT EXISTS events (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    session   TEXT NOT NULL,
    epoch     TEXT NOT NULL,
    stream    INTEGER NOT NULL,
    event     INTEGER NOT NULL,
    is_last   INTEGER NOT NULL,
    message   TEXT NOT NULL,
    stored_at INTEGER NOT NULL DEFAULT (unixepoch())
);
CREATE INDEX IF NOT EXISTS events_by_place ON events (session, epoch, stream, event);
";

/// A session as it lies in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) owner: String,
    pub(crate) version: String,
    pub(crate) state: String,
    pub(crate) created_at: i64,
    pub(crate) used_at: i64,
}

/// An event as it lies in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventRow {
    pub(super) session: String,
    pub(super) position: Position,
    pub(super) is_last: bool,
    pub(super) message: String,
}

type Done = oneshot::Sender<sqlx::Result<()>>;

enum Write {
    Event(EventRow),
    /// Answered when everything sent before is committed.
    Flush(Done),
    Session {
        id: String,
        row: Row,
        done: Done,
    },
    Delete(String),
    Tend {
        used: Vec<(String, i64)>,
        used_before: i64,
        created_before: i64,
        now: i64,
        done: Done,
    },
}

/// The file, shared by everybody who needs it.
#[derive(Clone)]
pub(crate) struct SessionRows {
    pool: SqlitePool,
    writer: mpsc::Sender<Write>,
}

impl SessionRows {
    pub(super) async fn open(path: &Path) -> sqlx::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        let (writer, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write(pool.clone(), waiting));
        Ok(Self { pool, writer })
    }

    /// Waits only when the writer is far behind.
    pub(super) async fn append(&self, row: EventRow) {
        // The writer ends with the process; an event without it is a stream that cannot be resumed.
        let _ = self.writer.send(Write::Event(row)).await;
    }

    pub(super) async fn delete(&self, id: &str) {
        let _ = self.writer.send(Write::Delete(id.to_owned())).await;
    }

    pub(super) async fn save(&self, id: &str, row: Row) -> sqlx::Result<()> {
        self.written(|done| Write::Session { id: id.to_owned(), row, done }).await
    }

    pub(super) async fn tend(&self, used: Vec<(String, i64)>, used_before: i64, created_before: i64, now: i64) -> sqlx::Result<()> {
        self.written(|done| Write::Tend { used, used_before, created_before, now, done }).await
    }

    pub(super) async fn load(&self, id: &str) -> sqlx::Result<Option<Row>> {
        let row = sqlx::query("SELECT owner, version, state, created_at, used_at FROM sessions WHERE id = ?1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| Row { owner: row.get(0), version: row.get(1), state: row.get(2), created_at: row.get(3), used_at: row.get(4) }))
    }

    /// The events of one stream after a place, in order, including those that still waited to be written.
    pub(super) async fn events_after(&self, session: &str, from: &Position) -> sqlx::Result<Vec<EventRow>> {
        self.written(Write::Flush).await?;
        let rows = sqlx::query(
            "SELECT event, is_last, message FROM events WHERE session = ?1 AND epoch = ?2 AND stream = ?3 AND event > ?4 ORDER BY event",
        )
        .bind(session)
        .bind(&from.epoch)
        .bind(i64::from(from.stream))
        .bind(i64::from(from.event))
        .fetch_all(&self.pool)
        .await?;
        let place =
            |event: i64| Position { epoch: from.epoch.clone(), stream: from.stream, event: u32::try_from(event).unwrap_or(u32::MAX) };
        Ok(rows
            .iter()
            .map(|row| EventRow { session: session.to_owned(), position: place(row.get(0)), is_last: row.get(1), message: row.get(2) })
            .collect())
    }

    async fn written(&self, write: impl FnOnce(Done) -> Write) -> sqlx::Result<()> {
        let (done, answer) = oneshot::channel();
        self.writer.send(write(done)).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        answer.await.map_err(|_| sqlx::Error::WorkerCrashed)?
    }
}

/// The only writer. Gathers what waits, commits once, then answers.
async fn write(pool: SqlitePool, mut waiting: mpsc::Receiver<Write>) {
    let mut group = Vec::new();
    while waiting.recv_many(&mut group, GROUP_MAX).await > 0 {
        // Only events wait for company; whoever waits for an answer gets it now.
        if group.iter().all(|write| matches!(write, Write::Event(_))) && group.len() < GROUP_MAX {
            let _ = tokio::time::timeout(WRITE_BEHIND, async {
                while group.len() < GROUP_MAX && group.iter().all(|write| matches!(write, Write::Event(_))) {
                    let room = GROUP_MAX - group.len();
                    if waiting.recv_many(&mut group, room).await == 0 {
                        break;
                    }
                }
            })
            .await;
        }
        let written = commit(&pool, &group).await;
        if let Err(error) = &written {
            tracing::error!(event = "session.unstored", reason = "sessions_file", error = %error, "could not write the sessions file");
        }
        for write in group.drain(..) {
            if let Write::Flush(done) | Write::Session { done, .. } | Write::Tend { done, .. } = write {
                let answer = if written.is_ok() { Ok(()) } else { Err(sqlx::Error::WorkerCrashed) };
                // Whoever asked may have hung up.
                let _ = done.send(answer);
            }
        }
    }
}

async fn commit(pool: &SqlitePool, group: &[Write]) -> sqlx::Result<()> {
    let events: Vec<_> = group
        .iter()
        .filter_map(|write| match write {
            Write::Event(row) => {
                Some((&row.session, &row.position.epoch, row.position.stream, row.position.event, row.is_last, &row.message))
            }
            _ => None,
        })
        .collect();
    let mut tx = pool.begin().await?;
    if !events.is_empty() {
        let rows = serde_json::to_string(&events).map_err(|wrong| sqlx::Error::Encode(wrong.into()))?;
        sqlx::query(
            "INSERT INTO events (session, epoch, stream, event, is_last, message)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?1)",
        )
        .bind(&rows)
        .execute(&mut *tx)
        .await?;
        let sessions: std::collections::BTreeSet<&str> = events.iter().map(|event| event.0.as_str()).collect();
        for session in sessions {
            sqlx::query("DELETE FROM events WHERE session = ?1 AND number <= (SELECT number FROM events WHERE session = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)")
                .bind(session)
                .bind(EVENTS_PER_SESSION_MAX)
                .execute(&mut *tx)
                .await?;
        }
    }
    for write in group {
        match write {
            Write::Event(_) | Write::Flush(_) => {}
            Write::Session { id, row, .. } => save(&mut tx, id, row).await?,
            Write::Delete(id) => {
                sqlx::query("DELETE FROM sessions WHERE id = ?1").bind(id).execute(&mut *tx).await?;
                sqlx::query("DELETE FROM events WHERE session = ?1").bind(id).execute(&mut *tx).await?;
            }
            Write::Tend { used, used_before, created_before, now, .. } => tend(&mut tx, used, *used_before, *created_before, *now).await?,
        }
    }
    tx.commit().await
}

type Tx<'c> = sqlx::Transaction<'c, sqlx::Sqlite>;

async fn save(tx: &mut Tx<'_>, id: &str, row: &Row) -> sqlx::Result<()> {
    sqlx::query("INSERT OR REPLACE INTO sessions (id, owner, version, state, created_at, used_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .bind(id)
        .bind(&row.owner)
        .bind(&row.version)
        .bind(&row.state)
        .bind(row.created_at)
        .bind(row.used_at)
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM sessions WHERE owner = ?1 AND id NOT IN (SELECT id FROM sessions WHERE owner = ?1 ORDER BY used_at DESC, id = ?2 DESC LIMIT ?3)")
        .bind(&row.owner)
        .bind(id)
        .bind(i64::try_from(SESSIONS_PER_OWNER_MAX).unwrap_or(i64::MAX))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn tend(tx: &mut Tx<'_>, used: &[(String, i64)], used_before: i64, created_before: i64, now: i64) -> sqlx::Result<()> {
    let rows = serde_json::to_string(used).map_err(|wrong| sqlx::Error::Encode(wrong.into()))?;
    sqlx::query("UPDATE sessions SET used_at = seen.at FROM (SELECT value ->> 0 AS id, value ->> 1 AS at FROM json_each(?1)) AS seen WHERE sessions.id = seen.id AND sessions.used_at < seen.at")
        .bind(&rows)
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM sessions WHERE used_at <= ?1 OR created_at <= ?2")
        .bind(used_before)
        .bind(created_before)
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM events WHERE stored_at < ?1 OR number <= (SELECT max(number) FROM events) - ?2 OR session NOT IN (SELECT id FROM sessions)")
        .bind(now - EVENT_LIFE_SECS)
        .bind(EVENTS_MAX)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The SDK's door to the same rows.
pub(crate) struct Remembered {
    rows: SessionRows,
    sessions: std::sync::Weak<super::Sessions>,
}

impl Remembered {
    pub(crate) fn of(sessions: &std::sync::Arc<super::Sessions>) -> Self {
        Self { rows: sessions.rows.clone(), sessions: std::sync::Arc::downgrade(sessions) }
    }
}

#[async_trait::async_trait]
impl SessionStore for Remembered {
    async fn load(&self, session_id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        let owner = ACTING.try_with(std::sync::Arc::clone)?;
        let row = self.rows.load(session_id).await?.filter(|row| row.owner == *owner);
        row.map(|row| serde_json::from_str(&row.state).map_err(Into::into)).transpose()
    }

    async fn store(&self, session_id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        let owner = ACTING.try_with(std::sync::Arc::clone)?;
        let sessions = self.sessions.upgrade().ok_or("the server is shutting down")?;
        let version = state.initialize_params.protocol_version.as_str().to_owned();
        let now = sessions.now();
        let created_at = sessions.find(session_id).map_or(now, |live| {
            let _ = live.version.set(version.clone());
            live.created_at
        });
        let row = Row { owner: owner.to_string(), version, state: serde_json::to_string(state)?, created_at, used_at: now };
        Ok(self.rows.save(session_id, row).await?)
    }

    async fn delete(&self, session_id: &str) -> Result<(), SessionStoreError> {
        self.rows.delete(session_id).await;
        Ok(())
    }
}
