//! The composition root: from a [`Config`] to a [`Server`] that can be mounted, asked whether it is ready, and stopped.

use std::sync::Arc;

use bearer_guard::{Guard, GuardConfig};
use oauth_types::{Scope, Timestamp};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::documents::{Documents, Links};
use crate::error::OpenError;
use crate::fixtures::Fixtures;
use crate::listening::Listening;
use crate::mount::{Endpoint, Gate};
use crate::rest::OpenApi;
use crate::secret::Seals;
use crate::sessions::Sessions;
use crate::tools;

/// Where the server reads the time; tests bring their own.
pub type Clock = bearer_guard::SharedClock;

/// What every request may need. Cheap to share, never changed.
pub(crate) struct App {
    pub(crate) clock: Clock,
    pub(crate) guard: Guard,
    pub(crate) documents: Documents,
    pub(crate) links: Links,
    pub(crate) seals: Seals,
    pub(crate) fixtures: Option<Fixtures>,
    pub(crate) listening: Listening,
}

impl App {
    pub(crate) fn now(&self) -> i64 {
        let Timestamp(now) = (self.clock)();
        now
    }
}

/// The protected MCP server, open and following its documents, sessions, keys and endings.
pub struct Server {
    pub(crate) app: Arc<App>,
    pub(crate) endpoint: Endpoint,
    pub(crate) gate: Arc<Gate>,
    pub(crate) openapi: OpenApi,
    sessions: Arc<Sessions>,
    tasks: Vec<JoinHandle<()>>,
}

/// Opens the files, builds the index and starts what runs beside requests. Needs a tokio runtime.
///
/// # Errors
/// When the state directory, one of the databases or the documents folder cannot be used.
pub async fn open(config: Config) -> Result<Server, OpenError> {
    open_at(config, bearer_guard::system_clock()).await
}

/// [`open`] with a clock of the caller's choice.
///
/// # Errors
/// As [`open`].
pub async fn open_at(config: Config, clock: Clock) -> Result<Server, OpenError> {
    std::fs::create_dir_all(&config.state_dir).map_err(|source| OpenError::state(&config.state_dir, source))?;
    let seals = Seals::open(&config.state_dir)?;
    let notes = config.notes.clone().unwrap_or_else(|| config.state_dir.join("notes"));
    let documents = Documents::open(config.documents.clone(), notes, config.state_dir.join("documents.db")).await?;
    let sessions = Sessions::open(&config.state_dir.join("sessions.db"), clock.clone()).await?;
    let guard = guard(&config, clock.clone())?;
    let links = Links::new(seals.links.clone(), config.resource.origin().to_owned(), config.documents_base_url.clone());
    if config.conformance_fixtures {
        tracing::warn!(
            event = "fixtures.enabled",
            "THE FIXTURE TOOLS OF THE CONFORMANCE SUITE ARE ON: they answer nonsense on purpose and must never be on in production"
        );
    }
    let fixtures = config.conformance_fixtures.then(Fixtures::new);
    let app = Arc::new(App { clock, guard, documents, links, seals, fixtures, listening: Listening::default() });
    let gate = Arc::new(Gate::new(&config));
    let endpoint = Endpoint::new(app.clone(), sessions.clone(), gate.clone(), config.sessions);
    app.guard.follow();
    let tasks = vec![tokio::spawn(app.documents.clone().follow()), tokio::spawn(sessions.clone().tend())];
    let openapi = OpenApi::new(config.resource.origin());
    Ok(Server { app, endpoint, gate, openapi, sessions, tasks })
}

impl Server {
    /// Whether calls can be answered: the issuer's keys are here and the feed of endings is fresh.
    ///
    /// # Errors
    /// What is missing.
    pub fn ready(&self) -> Result<(), oauth_types::Outage> {
        self.app.guard.ready()
    }

    /// Ends every open event stream, so that a server which waits for its requests can stop. Clients resume where they were.
    pub fn end_streams(&self) {
        self.endpoint.stop();
    }

    /// Ends the open streams and writes down what is only in memory. Sessions are found again by the next start.
    pub async fn shutdown(&self) {
        self.endpoint.stop();
        for task in &self.tasks {
            task.abort();
        }
        self.sessions.write_down().await;
    }
}

fn guard(config: &Config, clock: Clock) -> Result<Guard, OpenError> {
    let first = Scope::parse(tools::READ).expect("our own scope is well-formed");
    let mut guard = GuardConfig::new(config.issuer.clone(), config.resource.clone()).scopes(tools::scopes_supported(), first);
    guard.jwks_url.clone_from(&config.jwks_url);
    guard.ended.clone_from(&config.ended);
    Guard::new(guard, clock).map_err(|refused| OpenError::Guard(refused.into()))
}
