//! The one writer: hot writes are queued, committed in groups, and answered after the sync (architecture.md 11a.4).
//!
//! ```text
//! queue ─► gather what waits, one change a grant ─► read their rows ─► judges ─► one set of statements, COMMIT ─► answers
//! ```
//! One task owns one connection; while a group commits, the next gathers, so no timer is needed. The task is begun once and never
//! cancelled: only its queue is closed. For SQLite it has a thread of its own, where every statement is a plain call: from the request
//! to its answer there are two crossings between threads, and none in between. Rare writes ([`Tx`]) come through the same queue, each
//! in a transaction of its own, so that nobody waits for a lock. Memory that mirrors the database (caches, Ended) changes after the
//! COMMIT and before the answer.

use std::{
    collections::{HashSet, VecDeque},
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use oauth_types::{EndedEntry, Error, Ttl};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::{
    StoreError,
    cache::Caches,
    change::Change,
    db::{Conn, Durability},
    ended::EndedView,
    group,
    plan::Plan,
    tx::{Errand, Told, Tx},
    wake,
};
use crate::{clock::Clock, config::Database};

/// Changes in one group: the JSON of a full one is about 50 kB, and the rows it touches fit the page cache.
const GROUP_MAX: usize = 128;
/// Writes that may wait. At 10,000 a second this is under a second of work; beyond it a quick 503 is kinder.
const QUEUE_MAX: usize = 4096;
/// How long a database over the network may be silent in the middle of a write. SQLite is waited for: its file cannot go away.
const SILENCE_MAX: Duration = Duration::from_secs(15);

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
    /// Says nothing and goes when the writer has gone.
    gone: Mutex<Option<oneshot::Receiver<()>>>,
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
    pub(super) fn open(conn: Conn, around: Surroundings) -> Result<Self, StoreError> {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let (here, gone) = oneshot::channel::<()>();
        let works_in_place = conn.is_sqlite();
        let writer = Writer { conn: Some(conn), around, waiting: VecDeque::new() };
        let work = async move {
            writer.run(receiver).await;
            drop(here);
        };
        if works_in_place {
            let runtime = Handle::current();
            let thread = std::thread::Builder::new().name("store-writer".into());
            thread.spawn(move || runtime.block_on(work)).map_err(StoreError::when("start the writer"))?;
        } else {
            tokio::spawn(work);
        }
        Ok(Self { sender, closed: AtomicBool::new(false), gone: Mutex::new(Some(gone)) })
    }

    /// Queues a rare write, likewise.
    pub(super) fn run(&self, errand: Box<dyn Errand>) -> Result<(), StoreError> {
        self.send(Job::Errand(errand))
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
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(gone) = gone {
            let _gone = gone.await;
        }
    }
}

/// Whether a member that is overtaken by another process may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chance {
    First,
    Last,
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
            // Whoever woke us has more requests in hand on the same core: let them come along, for a group costs nearly what one costs.
            std::thread::yield_now();
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
            if AssertUnwindSafe(self.group(group, Chance::First)).catch_unwind().await.is_err() {
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

    async fn group(&mut self, members: Vec<Change>, chance: Chance) {
        if members.is_empty() {
            return;
        }
        let mut plan = Plan::default();
        let database = self.around.database.clone();
        match in_time(&database, self.attempt(&members, &mut plan)).await {
            Ok(ended) => {
                self.around.ended.apply(&ended);
                wake::together(|| {
                    for (member, verdict) in members.into_iter().zip(plan.verdicts) {
                        member.settle(verdict.outcome);
                    }
                });
            }
            Err(error) => {
                tracing::warn!(
                    event = "store.group_failed",
                    error = &error as &dyn std::error::Error,
                    "a group of {} writes failed",
                    members.len()
                );
                self.recover(members, plan, error, chance).await;
            }
        }
    }

    /// One group, begin to commit. Its plan outlives a failure: who knows what was won?
    async fn attempt(&mut self, members: &[Change], plan: &mut Plan) -> Result<Vec<EndedEntry>, StoreError> {
        let conn = connected(&mut self.conn, &self.around.database).await?;
        let now = self.around.clock.now();
        let looked = group::look(conn, members, now).await?;
        let begun = looked.begun;
        plan.judge(members, looked, now, self.around.clock.now_ms(), now + self.around.ended_kept);
        group::set(conn, plan, begun, now).await
    }

    /// After a failure: what was won is read back before anything is tried again. Who was won is answered; the others are tried alone,
    /// so that one bad member fails only itself. Who was alone and found that another process was quicker is judged once more, by the
    /// row that is there now: of one code at two replicas at once the second is a replay, not an outage.
    async fn recover(&mut self, members: Vec<Change>, plan: Plan, error: StoreError, chance: Chance) {
        let won = match &error {
            // It may still be working on it: to try again now could meet our own success and take it for a replay.
            StoreError::Silent => {
                self.conn = None;
                Err(StoreError::Silent)
            }
            _ => self.read_back(&plan).await,
        };
        let alone = members.len() == 1;
        let overtaken = matches!(error, StoreError::Disagreement) && chance == Chance::First;
        let next = if alone { Chance::Last } else { Chance::First };
        let mut verdicts = plan.verdicts.into_iter();
        for member in members {
            let verdict = verdicts.next();
            match (&won, verdict) {
                (Err(_), _) => member.fail(Error::from(error.echo())),
                (Ok(won), Some(verdict)) if verdict.receipt.as_ref().is_some_and(|receipt| won.contains(receipt)) => {
                    member.settle(verdict.outcome);
                }
                _ if alone && !overtaken => member.fail(Error::from(error.echo())),
                _ => Box::pin(self.group(vec![member], next)).await,
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
        let database = self.around.database.clone();
        // Cut short, the transaction takes its connection with it, and the next one opens its own.
        match in_time(&database, self.transact(&mut *errand)).await {
            Ok(told) => {
                for (noun, id) in told.stale {
                    self.around.caches.forget(noun, &id);
                }
                self.around.ended.apply(&told.ended);
                errand.answer(Ok(()));
            }
            Err(error) => errand.answer(Err(error)),
        }
    }

    async fn transact(&mut self, errand: &mut dyn Errand) -> Result<Told, StoreError> {
        connected(&mut self.conn, &self.around.database).await?.begin().await.inspect_err(|_| self.conn = None)?;
        // The connection comes back only when the transaction has certainly ended.
        let Some(conn) = self.conn.take() else { return Err(StoreError::Closed) };
        let mut tx = Tx::on(conn, Arc::clone(&self.around.clock), self.around.ended_kept);
        let worked = errand.run(&mut tx).await;
        let (mut conn, keep, told) = tx.into_parts();
        if worked.is_err() || !keep {
            conn.rollback().await;
            self.conn = Some(conn);
            return worked.map(|()| Told::default());
        }
        conn.commit().await?;
        self.conn = Some(conn);
        Ok(told)
    }
}

async fn in_time<T>(database: &Database, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match database {
        Database::Sqlite(_) => work.await,
        Database::Postgres(_) => tokio::time::timeout(SILENCE_MAX, work).await.unwrap_or(Err(StoreError::Silent)),
    }
}

async fn connected<'c>(conn: &'c mut Option<Conn>, database: &Database) -> Result<&'c mut Conn, StoreError> {
    match conn {
        Some(conn) => Ok(conn),
        empty => Ok(empty.insert(Conn::open(database, Durability::Full).await?)),
    }
}

#[cfg(test)]
mod tests {
    use oauth_types::GrantFault;
    use tokio::sync::oneshot;

    use super::*;
    use crate::store::{Answer, conformance::*};

    /// A COMMIT whose answer was lost: what was won is read back before anything is tried again. Tried again, the first rotation would
    /// look like the replay of an old token and end the grant.
    #[tokio::test(flavor = "multi_thread")]
    async fn who_was_won_before_the_answer_was_lost_is_answered_and_not_tried_again() {
        for bench in benches().await {
            let (won, refused) = (redeemed(&bench).await, redeemed(&bench).await);
            let around = Surroundings {
                database: bench.config.database.clone(),
                clock: Arc::clone(&bench.store.0.clock),
                caches: Arc::new(Caches::new()),
                ended: EndedView::new(),
                ended_kept: Ttl(60),
            };
            let mut writer = Writer { conn: None, around, waiting: VecDeque::new() };
            let (first_reply, first) = oneshot::channel();
            let (second_reply, second) = oneshot::channel();
            let stranger = crate::store::Rotation { client_id: client_id("stranger"), ..rotation(refused, 1, "b") };
            let members =
                vec![Change::Rotate(Box::new(rotation(won, 1, "a")), first_reply), Change::Rotate(Box::new(stranger), second_reply)];
            let mut plan = Plan::default();
            writer.attempt(&members, &mut plan).await.unwrap();
            writer.recover(members, plan, StoreError::Closed, Chance::First).await;
            assert_eq!(first.await.unwrap().unwrap().answer, Answer::New);
            assert!(matches!(second.await.unwrap(), Err(Error::InvalidGrant(GrantFault::ClientMismatch))));
            let row = bench.store.grant(&won).await.unwrap().unwrap();
            assert_eq!((row.generation, row.ended_at, row.answered_again), (2, None, 0), "rotated once");
        }
    }
}
