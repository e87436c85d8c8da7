//! MCP sessions of the 2025 revisions: who owns them, how many there may be, and how they outlive the process.
//!
//! A session belongs to a person *and* a client (attack 48), not to a token: it must survive a refresh. It is never a
//! credential: every request still carries a token, and a session of somebody else looks exactly like none (404).
//! The SDK's worker of a session lives in memory while it is used; its `initialize` and its events lie in `sessions.db`,
//! so that a restart (or the idle limit) costs the client nothing.
//!
//! The SDK's traits have no room for the caller, so the mount runs each request inside [`Sessions::on_behalf_of`].

mod events;
mod store;

use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use bearer_guard::Caller;
use futures_util::Stream;
use oauth_types::Timestamp;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::WorkerTransport;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, LocalSessionManagerError, LocalSessionWorker};
use rmcp::transport::streamable_http_server::session::{RestoreOutcome, ServerSseMessage, SessionId, SessionManager};

pub(crate) use self::store::Remembered;

use self::events::SessionEvents;
use self::store::{Row, SessionRows};
use crate::Clock;
use crate::error::OpenError;
use crate::secret;

/// Sessions one person may hold with one client; the least recently used makes room. Clients leak sessions.
pub(crate) const SESSIONS_PER_OWNER_MAX: usize = 32;
/// Sessions held in memory at once; the least recently used goes to sleep in the file.
pub(crate) const SESSIONS_LIVE_MAX: usize = 1_024;
/// A session nobody used for this long is gone.
pub(crate) const SESSION_IDLE_SECS: i64 = 7 * 24 * 60 * 60;
/// No session lives longer, used or not.
pub(crate) const SESSION_AGE_SECS: i64 = 30 * 24 * 60 * 60;
/// How long the worker of an idle session stays in memory.
const WORKER_IDLE: Duration = Duration::from_secs(5 * 60);
/// How often uses are written down and old rows are purged.
pub(crate) const TEND_INTERVAL: Duration = Duration::from_secs(30);

tokio::task_local! {
    static ACTING: Arc<str>;
}

/// Why the SDK got no session. It answers 500 with the text, so the text says nothing about other callers.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionFault {
    #[error("there is no such session")]
    Unknown,
    #[error("a session was asked for outside a request")]
    NobodyActing,
    #[error(transparent)]
    Worker(#[from] LocalSessionManagerError),
}

/// What a client set for its session.
#[derive(Debug, Clone)]
pub(crate) struct Settings(Arc<AtomicU8>);

/// What a session holds while it is in memory.
struct Live {
    owner: Arc<str>,
    used_at: AtomicI64,
    /// Orders uses within one second.
    last_use: AtomicU64,
    created_at: i64,
    /// The revision that `initialize` asked for.
    version: OnceLock<String>,
    worker: LocalSessionManager,
}

/// All sessions of this server.
pub(crate) struct Sessions {
    live: RwLock<HashMap<SessionId, Arc<Live>>>,
    rows: SessionRows,
    clock: Clock,
    uses: AtomicU64,
}

impl Sessions {
    pub(crate) async fn open(database: &Path, clock: Clock) -> Result<Arc<Self>, OpenError> {
        let rows = SessionRows::open(database).await.map_err(|source| OpenError::database(database, source))?;
        Ok(Arc::new(Self { live: RwLock::default(), rows, clock, uses: AtomicU64::new(0) }))
    }

    /// Whom sessions of this caller belong to: the person and the application, whatever token they hold.
    pub(crate) fn owner(caller: &Caller) -> Arc<str> {
        // Neither part can contain a line break: both are opaque ids or URLs.
        Arc::from(format!("{}\n{}", caller.subject(), caller.client_id()))
    }

    /// Runs a request so that the sessions it opens or wakes belong to `owner`.
    pub(crate) async fn on_behalf_of<F: Future>(owner: Arc<str>, request: F) -> F::Output {
        ACTING.scope(owner, request).await
    }

    /// The revision of a session, if it exists and is this owner's. Asks the file only when the session sleeps.
    pub(crate) async fn version(&self, id: &str, owner: &str) -> Option<String> {
        if let Some(live) = self.find(id) {
            if *live.owner != *owner {
                return None;
            }
            live.used_at.store(self.now(), Ordering::Relaxed);
            live.last_use.store(self.next_use(), Ordering::Relaxed);
            return Some(live.version.get().cloned().unwrap_or_default());
        }
        let row = self.rows.load(id).await.ok().flatten()?;
        (row.owner == owner && self.is_alive(&row)).then_some(row.version)
    }

    /// Writes uses down and forgets what is too old, until dropped.
    pub(crate) async fn tend(self: Arc<Self>) {
        let mut tick = tokio::time::interval(TEND_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.write_down().await;
        }
    }

    /// Everything that is only in memory goes to the file: on each tick and at shutdown.
    pub(crate) async fn write_down(&self) {
        let used: Vec<(String, i64)> =
            self.read().iter().map(|(id, live)| (id.to_string(), live.used_at.load(Ordering::Relaxed))).collect();
        let now = self.now();
        if let Err(error) = self.rows.tend(used, now - SESSION_IDLE_SECS, now - SESSION_AGE_SECS, now).await {
            tracing::error!(event = "session.unstored", reason = "sessions_file", error = %error, "could not write the sessions file");
        }
    }

    fn now(&self) -> i64 {
        let Timestamp(now) = (self.clock)();
        now
    }

    fn next_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }

    fn is_alive(&self, row: &Row) -> bool {
        let now = self.now();
        row.used_at > now - SESSION_IDLE_SECS && row.created_at > now - SESSION_AGE_SECS
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<SessionId, Arc<Live>>> {
        // A panic elsewhere leaves a whole map: insert and remove are single steps.
        self.live.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<SessionId, Arc<Live>>> {
        self.live.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &str) -> Option<Arc<Live>> {
        self.read().get(id).cloned()
    }

    fn require(&self, id: &SessionId) -> Result<Arc<Live>, SessionFault> {
        self.find(id).ok_or(SessionFault::Unknown)
    }

    /// A worker of the SDK for exactly one session, with an event log that knows whose it is: the SDK's own log cannot
    /// tell sessions apart, and would replay anybody's events to anybody who guesses an id.
    async fn start(&self, id: SessionId, owner: Arc<str>, created_at: i64) -> Result<WorkerTransport<LocalSessionWorker>, SessionFault> {
        let events = SessionEvents::new(id.clone(), self.rows.clone());
        let mut worker = LocalSessionManager::default().with_event_store(Arc::new(events));
        worker.session_config.keep_alive = Some(WORKER_IDLE);
        let RestoreOutcome::Restored(transport) = worker.restore_session(id.clone()).await? else {
            return Err(SessionFault::Unknown);
        };
        let (used_at, last_use) = (AtomicI64::new(self.now()), AtomicU64::new(self.next_use()));
        let live = Live { owner, used_at, last_use, created_at, version: OnceLock::new(), worker };
        self.write().insert(id, Arc::new(live));
        Ok(transport)
    }

    /// Makes room before a new session: for this owner (the oldest is ended), and in memory (the oldest goes to sleep).
    async fn make_room(&self, owner: &str) {
        let (ended, asleep) = {
            let live = self.read();
            let mine = live.iter().filter(|(_, session)| *session.owner == *owner);
            let ended = oldest(mine, SESSIONS_PER_OWNER_MAX);
            let asleep = if ended.is_none() { oldest(live.iter(), SESSIONS_LIVE_MAX) } else { None };
            (ended, asleep)
        };
        if let Some(id) = ended {
            tracing::info!(event = "session.ended", reason = "too_many_sessions", "ended the least recently used session of a caller");
            // A worker that is gone already is as good as closed.
            let _ = self.close_session(&id).await;
            self.rows.delete(&id).await;
        }
        if let Some(id) = asleep {
            let _ = self.close_session(&id).await;
        }
    }
}

/// The least recently used of `sessions` when there are `max` or more.
fn oldest<'s>(sessions: impl Iterator<Item = (&'s SessionId, &'s Arc<Live>)>, max: usize) -> Option<SessionId> {
    let mut sessions: Vec<_> = sessions.collect();
    if sessions.len() < max {
        return None;
    }
    sessions.sort_by_key(|(_, live)| live.last_use.load(Ordering::Relaxed));
    sessions.first().map(|(id, _)| SessionId::clone(id))
}

type Events = Pin<Box<dyn Stream<Item = ServerSseMessage> + Send + Sync>>;

/// The SDK's stream borrows nothing, but its type says that it might.
fn boxed(events: impl Stream<Item = ServerSseMessage> + Send + Sync + 'static) -> Events {
    Box::pin(events)
}

impl SessionManager for Sessions {
    type Error = SessionFault;
    type Transport = WorkerTransport<LocalSessionWorker>;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let owner = ACTING.try_with(Arc::clone).map_err(|_| SessionFault::NobodyActing)?;
        self.make_room(&owner).await;
        let id: SessionId = secret::fresh_name().into();
        let transport = self.start(id.clone(), owner, self.now()).await?;
        Ok((id, transport))
    }

    async fn initialize_session(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<ServerJsonRpcMessage, Self::Error> {
        Ok(self.require(id)?.worker.initialize_session(id, message).await?)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        Ok(self.find(id).is_some())
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        let live = self.write().remove(id);
        match live {
            Some(live) => Ok(live.worker.close_session(id).await?),
            None => Ok(()),
        }
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let live = self.require(id)?;
        Ok(boxed(live.worker.create_stream(id, message).await?))
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        Ok(self.require(id)?.worker.accept_message(id, message).await?)
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let live = self.require(id)?;
        Ok(boxed(live.worker.create_standalone_stream(id).await?))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let live = self.require(id)?;
        Ok(boxed(live.worker.resume(id, last_event_id).await?))
    }

    async fn restore_session(&self, id: SessionId) -> Result<RestoreOutcome<Self::Transport>, Self::Error> {
        if self.find(&id).is_some() {
            return Ok(RestoreOutcome::AlreadyPresent);
        }
        let owner = ACTING.try_with(Arc::clone).map_err(|_| SessionFault::NobodyActing)?;
        let row = self.rows.load(&id).await.ok().flatten().ok_or(SessionFault::Unknown)?;
        if row.owner != *owner {
            return Err(SessionFault::Unknown);
        }
        let transport = self.start(id.clone(), owner, row.created_at).await?;
        if let Some(live) = self.find(&id) {
            // First set wins, and nobody set it before us.
            let _ = live.version.set(row.version);
        }
        tracing::info!(event = "session.restored", "woke a session from the sessions file");
        Ok(RestoreOutcome::Restored(transport))
    }
}

impl Settings {
    #[expect(deprecated, reason = "SEP-2577 deprecates logging; the 2025 revisions have it")]
    pub(crate) fn log_level(&self) -> rmcp::model::LoggingLevel {
        use rmcp::model::LoggingLevel as Level;
        match self.0.load(Ordering::Relaxed) {
            0 => Level::Debug,
            1 => Level::Info,
            2 => Level::Notice,
            3 => Level::Warning,
            4 => Level::Error,
            5 => Level::Critical,
            6 => Level::Alert,
            _ => Level::Emergency,
        }
    }

    #[expect(deprecated, reason = "SEP-2577 deprecates logging; the 2025 revisions have it")]
    pub(crate) fn set_log_level(&self, level: rmcp::model::LoggingLevel) {
        self.0.store(level as u8, Ordering::Relaxed);
    }
}

impl Default for Settings {
    /// The revisions let a server choose until a client asks: warnings and worse.
    fn default() -> Self {
        Self(Arc::new(AtomicU8::new(3)))
    }
}

#[cfg(test)]
mod tests;
