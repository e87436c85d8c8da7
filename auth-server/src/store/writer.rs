//! The one writer: hot writes are queued, committed in groups, and answered after the sync (architecture.md 11a.4).
//!
//! ```text
//! queue ─► gather what waits, one change a grant ─► read their rows ─► judges ─► one set of statements, COMMIT ─► answers
//! ```
//! One task owns one connection; while a group commits, the next gathers, so no timer is needed. The task is spawned once and never
//! cancelled: only its queue is closed. Rare writes ([`Tx`]) come through the same queue, each in a transaction of its own, so that
//! nobody waits for a lock. Memory that mirrors the database (caches, Ended) changes after the COMMIT and before the answer.

use std::{
    collections::{HashSet, VecDeque},
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{FutureExt, future::BoxFuture};
use oauth_types::{EndedEntry, EndedKind, Error, GrantId, Timestamp, Ttl, ended_hash};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    AuditEvent, Store, StoreError,
    audit::{self, bounded},
    cache::{Caches, Noun},
    change::Change,
    db::{Conn, Durability, Row, Value},
    ended::{self, EndedView},
    group::{self, Plan},
};
use crate::{clock::Clock, config::Database, secret};

/// Changes in one group: the JSON of a full one is about 50 kB, and the rows it touches fit the page cache.
const GROUP_MAX: usize = 128;
/// Writes that may wait. At 10,000 a second this is under a second of work; beyond it a quick 503 is kinder.
const QUEUE_MAX: usize = 4096;
/// How far apart the clocks of two replicas may be. An ending reaches this far ahead, so that nothing made by a replica whose clock is
/// ahead survives it; what ends this way ends for good, so nothing good can be made within.
const CLOCK_SKEW_MAX: Ttl = Ttl(5);
/// How long the change feed keeps an entry: replicas read it every second.
const STALE_KEPT: Ttl = Ttl::minutes(10);

/// What waits in the queue.
enum Job {
    Change(Change),
    Errand(Box<dyn Errand>),
    Close,
}

/// The door to the writer.
pub(super) struct Queue {
    sender: mpsc::Sender<Job>,
    closed: AtomicBool,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer needs besides its connection.
pub(super) struct Surroundings {
    pub(super) database: Database,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) caches: Arc<Caches>,
    pub(super) ended: EndedView,
    /// How long an ending is remembered: longer than any access token lives.
    pub(super) ended_kept: Ttl,
}

impl Queue {
    /// Opens the writer's door and puts the writer behind it.
    pub(super) fn open(conn: Conn, around: Surroundings) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let writer = Writer { conn: Some(conn), around, waiting: VecDeque::new() };
        let task = tokio::spawn(writer.run(receiver));
        Self { sender, closed: AtomicBool::new(false), task: Mutex::new(Some(task)) }
    }

    /// Queues a hot write, or says at once that too many wait.
    pub(super) fn push(&self, change: Change) -> Result<(), StoreError> {
        self.send(Job::Change(change))
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        if self.is_closed() {
            return Err(StoreError::Closed);
        }
        self.sender.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::QueueFull,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Takes no more; returns when everything that was queued is written and answered.
    pub(super) async fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let _already_gone = self.sender.send(Job::Close).await;
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _panicked = task.await;
        }
    }
}

impl Store {
    /// A rare write in a transaction of its own. What it answered is on disk.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, StoreError>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.0.writer.send(Job::Errand(Box::new(Work { work: Some(work), done: None, reply })))?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// A rare write: one transaction, of any shape.
trait Errand: Send {
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
    stale: Vec<(Noun, String)>,
    ended: Vec<EndedEntry>,
    undo: bool,
}

const RAISE_STALE: &str = "UPDATE counters SET value = value + 1 WHERE name = 'stale'";
const INSERT_STALE: &str = "INSERT INTO stale (number, noun, id, forget_after)
  SELECT value, $1, $2, CAST($3 AS BIGINT) FROM counters WHERE name = 'stale'";
const RAISE_ENDED: &str = "UPDATE counters SET value = value + 1 WHERE name = 'ended'";
const INSERT_ENDED: &str = "INSERT INTO ended (number, kind, hash, born_before, forget_after)
  SELECT value, $1, $2, CAST($3 AS BIGINT), CAST($4 AS BIGINT) FROM counters WHERE name = 'ended'
  RETURNING number, kind, hash, born_before, forget_after";

impl Tx {
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
            self.ended.push(ended::read(&row)?);
        }
        Ok(())
    }

    /// Tells every process that its copy of this row is stale.
    pub(super) async fn stale(&mut self, noun: Noun, id: &str) -> Result<(), StoreError> {
        let until = self.clock.now() + STALE_KEPT;
        self.run(RAISE_STALE, &[]).await?;
        self.run(INSERT_STALE, &[Value::Text(noun.as_str()), Value::Text(id), Value::Int(until.0)]).await?;
        self.stale.push((noun, id.to_owned()));
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
        self.undo = true;
    }
}

struct Writer {
    /// `None` after a failure that left its state in doubt.
    conn: Option<Conn>,
    around: Surroundings,
    /// Changes about something that the group before was already about.
    waiting: VecDeque<Change>,
}

impl Writer {
    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(GROUP_MAX);
        loop {
            if self.waiting.is_empty() && jobs.is_empty() && queue.recv_many(&mut jobs, GROUP_MAX).await == 0 {
                break;
            }
            while let Ok(job) = queue.try_recv() {
                jobs.push(job);
                if jobs.len() >= GROUP_MAX {
                    break;
                }
            }
            let mut changes = std::mem::take(&mut self.waiting);
            let mut errands = Vec::new();
            for job in jobs.drain(..) {
                match job {
                    Job::Change(change) => changes.push_back(change),
                    Job::Errand(errand) => errands.push(errand),
                    // Nothing is queued behind it but what raced with the closing; the channel is drained to its end.
                    Job::Close => queue.close(),
                }
            }
            let group = self.gather(changes);
            // A panic is a bug of ours; it may cost its group an answer, never the others their writer.
            if AssertUnwindSafe(self.group(group)).catch_unwind().await.is_err() {
                self.conn = None;
            }
            for errand in errands {
                if AssertUnwindSafe(self.errand(errand)).catch_unwind().await.is_err() {
                    self.conn = None;
                }
            }
        }
        if let Some(conn) = self.conn.take() {
            conn.close().await;
        }
    }

    /// At most one change about a thing; a second would be judged by a row that the first has changed.
    fn gather(&mut self, mut changes: VecDeque<Change>) -> Vec<Change> {
        let mut taken = HashSet::with_capacity(changes.len());
        let mut group = Vec::with_capacity(changes.len().min(GROUP_MAX));
        while let Some(change) = changes.pop_front() {
            if group.len() < GROUP_MAX && taken.insert(change.about()) {
                group.push(change);
            } else {
                self.waiting.push_back(change);
            }
        }
        group
    }

    async fn group(&mut self, members: Vec<Change>) {
        if members.is_empty() {
            return;
        }
        let mut plan = Plan::default();
        match self.attempt(&members, &mut plan).await {
            Ok(ended) => {
                self.around.ended.apply(&ended);
                for (member, verdict) in members.into_iter().zip(plan.verdicts) {
                    member.settle(verdict.outcome);
                }
            }
            Err(error) => {
                tracing::warn!(
                    event = "store.group_failed",
                    error = &error as &dyn std::error::Error,
                    "a group of {} writes failed",
                    members.len()
                );
                self.recover(members, plan, error).await;
            }
        }
    }

    /// One group, begin to commit. Its plan outlives a failure: who knows what was won?
    async fn attempt(&mut self, members: &[Change], plan: &mut Plan) -> Result<Vec<EndedEntry>, StoreError> {
        let conn = connected(&mut self.conn, &self.around.database).await?;
        let now = self.around.clock.now();
        let (rows, begun) = group::look(conn, members).await?;
        plan.judge(members, rows, now, self.around.clock.now_ms(), now + self.around.ended_kept);
        group::set(conn, plan, begun, now).await
    }

    /// After a failure: what was won is read back before anything is tried again. Who was won is answered; the others are tried alone,
    /// so that one bad member fails only itself.
    async fn recover(&mut self, members: Vec<Change>, plan: Plan, error: StoreError) {
        let won = match &error {
            // On SQLite the counts come with the COMMIT: the receipts are there, and what they say is not to be believed.
            StoreError::Disagreement if matches!(self.around.database, Database::Sqlite(_)) => Err(error.echo()),
            _ => self.read_back(&plan).await,
        };
        let alone = members.len() == 1;
        let mut verdicts = plan.verdicts.into_iter();
        for member in members {
            let verdict = verdicts.next();
            match (&won, verdict) {
                (Err(_), _) => member.fail(Error::from(error.echo())),
                (Ok(won), Some(verdict)) if verdict.receipt.as_ref().is_some_and(|receipt| won.contains(receipt)) => {
                    member.settle(verdict.outcome);
                }
                _ if alone => member.fail(Error::from(error.echo())),
                _ => Box::pin(self.group(vec![member])).await,
            }
        }
    }

    /// The receipts of a plan that are in the database. The old connection is given up: its state is in doubt.
    async fn read_back(&mut self, plan: &Plan) -> Result<HashSet<String>, StoreError> {
        if let Some(mut conn) = self.conn.take() {
            conn.rollback().await;
            conn.close().await;
        }
        let conn = connected(&mut self.conn, &self.around.database).await?;
        group::receipts(conn, plan).await
    }

    async fn errand(&mut self, mut errand: Box<dyn Errand>) {
        match self.transact(&mut *errand).await {
            Ok((stale, ended)) => {
                for (noun, id) in stale {
                    self.around.caches.forget(noun, &id);
                }
                self.around.ended.apply(&ended);
                errand.answer(Ok(()));
            }
            Err(error) => errand.answer(Err(error)),
        }
    }

    async fn transact(&mut self, errand: &mut dyn Errand) -> Result<(Vec<(Noun, String)>, Vec<EndedEntry>), StoreError> {
        connected(&mut self.conn, &self.around.database).await?.begin().await.inspect_err(|_| self.conn = None)?;
        // The connection comes back only when the transaction has certainly ended.
        let Some(conn) = self.conn.take() else { return Err(StoreError::Closed) };
        let mut tx = Tx {
            conn,
            clock: Arc::clone(&self.around.clock),
            ended_kept: self.around.ended_kept,
            stale: Vec::new(),
            ended: Vec::new(),
            undo: false,
        };
        let worked = errand.run(&mut tx).await;
        if worked.is_err() || tx.undo {
            tx.conn.rollback().await;
            self.conn = Some(tx.conn);
            return worked.map(|()| Default::default());
        }
        tx.conn.commit().await?;
        self.conn = Some(tx.conn);
        Ok((tx.stale, tx.ended))
    }
}

async fn connected<'c>(conn: &'c mut Option<Conn>, database: &Database) -> Result<&'c mut Conn, StoreError> {
    match conn {
        Some(conn) => Ok(conn),
        empty => Ok(empty.insert(Conn::open(database, Durability::Full).await?)),
    }
}
