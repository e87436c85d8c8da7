//! Rare writes: a transaction of any shape, through the same queue as the hot ones.
//!
//! Besides its rows a transaction may tell every process that something ended or that a copied row is stale; what it tells is applied
//! here after the COMMIT and before the answer.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use oauth_types::{EndedEntry, EndedKind, GrantId, Timestamp, Ttl, ended_hash};
use tokio::sync::oneshot;

use super::{
    AuditEvent, Store, StoreError,
    audit::{self, bounded},
    cache::Noun,
    db::{Conn, Row, Value},
    ended,
};
use crate::{clock::Clock, secret};

/// How far apart the clocks of two replicas may be. An ending reaches this far ahead, so that nothing made by a replica whose clock is
/// ahead survives it; what ends this way ends for good, so nothing good can be made within.
const CLOCK_SKEW_MAX: Ttl = Ttl(5);
/// How long the change feed keeps an entry: replicas read it every second.
const STALE_KEPT: Ttl = Ttl::minutes(10);

impl Store {
    /// A rare write in a transaction of its own. What it answered is on disk.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.0.writer.run(Box::new(Work { work: Some(work), done: None, reply }))?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// A rare write: one transaction, of any shape.
pub(super) trait Errand: Send {
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<(), StoreError>>;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Work<F, T> {
    work: Option<F>,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Errand for Work<F, T>
where
    T: Send,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<(), StoreError>> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.done = Some(work(tx).await?);
            }
            Ok(())
        })
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { done, reply, .. } = *self;
        let _asker_left = reply.send(committed.and_then(|()| done.ok_or(StoreError::Closed)));
    }
}

/// The transaction of a rare write.
pub(super) struct Tx {
    conn: Conn,
    clock: Arc<dyn Clock>,
    ended_kept: Ttl,
    told: Told,
    undone: bool,
}

/// What every process must hear of a transaction.
#[derive(Default)]
pub(super) struct Told {
    pub(super) stale: Vec<(Noun, String)>,
    pub(super) ended: Vec<EndedEntry>,
}

const RAISE_STALE: &str = "UPDATE counters SET value = value + 1 WHERE name = 'stale'";
const INSERT_STALE: &str = "INSERT INTO stale (number, noun, id, forget_after)
  SELECT value, $1, $2, CAST($3 AS BIGINT) FROM counters WHERE name = 'stale'";
const RAISE_ENDED: &str = "UPDATE counters SET value = value + 1 WHERE name = 'ended'";
const INSERT_ENDED: &str = "INSERT INTO ended (number, kind, hash, born_before, forget_after)
  SELECT value, $1, $2, CAST($3 AS BIGINT), CAST($4 AS BIGINT) FROM counters WHERE name = 'ended'
  RETURNING number, kind, hash, born_before, forget_after";

impl Tx {
    /// On a connection where a transaction has begun.
    pub(super) fn on(conn: Conn, clock: Arc<dyn Clock>, ended_kept: Ttl) -> Self {
        Self { conn, clock, ended_kept, told: Told::default(), undone: false }
    }

    /// The connection, whether to keep what was done, and what to tell.
    pub(super) fn into_parts(self) -> (Conn, bool, Told) {
        (self.conn, !self.undone, self.told)
    }

    pub(super) async fn run(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        self.conn.run(sql, values).await
    }

    pub(super) async fn rows(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        self.conn.rows(sql, values).await
    }

    /// Everything born at or before this moment ends: later than any clock of ours says now.
    pub(super) fn ended_before(&self, asked_at: Timestamp) -> Timestamp {
        asked_at.max(self.clock.now()) + CLOCK_SKEW_MAX
    }

    /// Tells every process that this ended.
    pub(super) async fn ended(&mut self, kind: EndedKind, id: &str, before: Option<Timestamp>) -> Result<(), StoreError> {
        let until = self.clock.now() + self.ended_kept;
        self.run(RAISE_ENDED, &[]).await?;
        let hash = ended_hash(kind, id).text();
        let values = [Value::Text(kind.as_str()), Value::Text(&hash), Value::MaybeInt(before.map(|before| before.0)), Value::Int(until.0)];
        for row in self.rows(INSERT_ENDED, &values).await? {
            self.told.ended.push(ended::read(&row)?);
        }
        Ok(())
    }

    /// Tells every process that its copy of this row is stale.
    pub(super) async fn stale(&mut self, noun: Noun, id: &str) -> Result<(), StoreError> {
        let until = self.clock.now() + STALE_KEPT;
        self.run(RAISE_STALE, &[]).await?;
        self.run(INSERT_STALE, &[Value::Text(noun.as_str()), Value::Text(id), Value::Int(until.0)]).await?;
        self.told.stale.push((noun, id.to_owned()));
        Ok(())
    }

    /// Writes an event down, in this transaction.
    pub(super) async fn audit(&mut self, event: &AuditEvent) -> Result<(), StoreError> {
        let id = GrantId::born(self.clock.now_ms(), secret::fresh_bytes());
        let grant_id = event.grant_id.map(GrantId::text);
        let values = [
            Value::Text(&id.text()),
            Value::Int(event.at.0),
            Value::Text(event.event),
            Value::MaybeText(event.client_id.as_ref().map(|id| id.as_str())),
            Value::MaybeText(event.subject.as_ref().map(|id| id.as_str())),
            Value::MaybeText(grant_id.as_deref()),
            Value::MaybeText(event.reason),
            Value::MaybeText(event.reference.as_deref()),
            Value::MaybeText(event.source_ip.as_deref()),
            Value::MaybeText(bounded(&event.detail)),
        ];
        self.run(audit::INSERT, &values).await.map(drop)
    }

    /// Nothing of this transaction shall be kept, and that is no failure.
    pub(super) fn undo(&mut self) {
        self.undone = true;
    }
}
