//! The composition root: configuration in, a server out.
//!
//! [`App`] is the one context that endpoints see: its adapters, all cheap to clone. Steps and adapters take exactly what they need
//! and never see it.

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{HttpServer, dev::Server, web};

use crate::{
    accounts::Accounts,
    background::Background,
    clock::Clock,
    config::Config,
    discovery::Documents,
    ephemeral::{self, Ephemeral},
    http::limits::Limits,
    i18n::{I18n, Language},
    keys::{KeySettings, KeyStore, SealingKeys},
    policy::Policy,
    routes::{self, Mount},
    store::{Store, StoreConfig},
    upstream::Upstreams,
    upstream_session::UpstreamSessions,
    verify::Gates,
};

/// Clients keep a connection open between calls; longer than that it only takes room.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// From the first byte to the last of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long requests in flight may take to finish once the server is asked to stop, in seconds.
const SHUTDOWN_SECONDS: u64 = 20;

/// Everything that an endpoint may ask.
#[derive(Clone)]
pub struct App {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Store,
    pub(crate) ephemeral: Arc<dyn Ephemeral>,
    pub(crate) keys: KeyStore,
    pub(crate) upstreams: Upstreams,
    pub(crate) upstream_sessions: UpstreamSessions,
    pub(crate) policy: Policy,
    pub(crate) accounts: Accounts,
    pub(crate) limits: Arc<Limits>,
    pub(crate) documents: Documents,
    pub(crate) gates: Arc<Gates>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) i18n: Arc<I18n>,
}

/// Why the server could not start: operation and object, with the cause beneath.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing}: {cause}")]
pub struct OpenError {
    doing: &'static str,
    cause: Box<dyn std::error::Error + Send + Sync>,
}

impl OpenError {
    pub(crate) fn when<E: Into<Box<dyn std::error::Error + Send + Sync>>>(doing: &'static str) -> impl FnOnce(E) -> Self {
        move |cause| Self { doing, cause: cause.into() }
    }
}

impl App {
    /// Opens everything on a database of this version's schema. A new data directory is made with mode 0700.
    ///
    /// # Errors
    /// The first thing that does not open.
    pub async fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        make_private_folder(&config.data_dir).map_err(OpenError::when("make the data directory"))?;
        Store::migrate(&config.database).await.map_err(OpenError::when("bring the database to this version's schema"))?;
        let store = Store::open(&StoreConfig::from(&config), clock.clone()).await.map_err(OpenError::when("open the database"))?;
        let ephemeral = ephemeral::open(&config.database, clock.clone()).await.map_err(OpenError::when("open the ephemeral store"))?;
        let sealing = SealingKeys::of(&config.keys).map_err(OpenError::when("open the sealing key"))?;
        let keys = KeyStore::open(store.clone(), sealing, KeySettings::from(&config), clock.clone())
            .await
            .map_err(OpenError::when("open the signing keys"))?;
        let language = Language::of_tag(&config.pages.default_language).unwrap_or_default();
        let upstreams = Upstreams::open(&config, &clock).map_err(OpenError::when("prepare the identity providers"))?;
        Ok(Self {
            upstream_sessions: UpstreamSessions::new(store.clone(), upstreams.clone(), keys.clone(), clock.clone()),
            upstreams,
            policy: Policy::new(&config),
            accounts: Accounts::new(store.clone(), &config.accounts, clock.clone()).map_err(OpenError::when("prepare accounts"))?,
            limits: Arc::new(Limits::new(&config)),
            documents: Documents::new(&config),
            gates: Arc::new(Gates::new(&config)),
            i18n: Arc::new(I18n::new(language).map_err(OpenError::when("read the languages"))?),
            config: Arc::new(config),
            store,
            ephemeral,
            keys,
            clock,
        })
    }

    /// What is in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Starts the work that nobody asked for: purge, key rotation, the following of endings.
    pub fn start(&self) -> Background {
        Background::start(self.clone())
    }

    /// One round of that work, now: for tests that own the clock.
    pub async fn tick(&self) {
        Background::round(self).await;
    }

    /// Serves on this listener, alone.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub fn serve(&self, listener: TcpListener) -> std::io::Result<Server> {
        self.serve_with(listener, |_| {})
    }

    /// Serves on this listener, after what `first` mounts.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub fn serve_with<F>(&self, listener: TcpListener, first: F) -> std::io::Result<Server>
    where
        F: Fn(&mut web::ServiceConfig) + Send + Sync + 'static,
    {
        self.serve_behind(listener, Arc::new(first))
    }

    fn serve_behind(&self, listener: TcpListener, first: Mount) -> std::io::Result<Server> {
        let routes = routes::configure(self.clone());
        let server =
            HttpServer::new(move || actix_web::App::new().configure(|services| first(services)).configure(|services| routes(services)))
                .keep_alive(KEEP_ALIVE)
                .client_request_timeout(HEAD_TIMEOUT)
                // Without it a streamed answer waits 40 ms for the client's acknowledgement of its first write.
                .tcp_nodelay(true)
                .max_connections(self.config.connections_max)
                .shutdown_timeout(SHUTDOWN_SECONDS);
        let server = match self.config.workers {
            Some(count) => server.workers(count),
            None => server,
        };
        Ok(server.listen(listener)?.run())
    }

    /// Writes what waits and closes the database. What was acknowledged is there already.
    pub async fn close(&self) {
        self.store.close().await;
        self.ephemeral.close().await;
    }
}

/// Only we read what is in it: the sealing key, the database, sessions.
pub(crate) fn make_private_folder(path: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
pub(crate) mod tests {
    //! A server for a test: the real one on a folder of its own, with these settings and a clock that stands still.

    use oauth_types::Timestamp;

    use super::*;
    use crate::{
        clock::FixedClock,
        config::{Layers, Override, resolve},
    };

    pub(crate) async fn open(settings: &str, now: Timestamp) -> (tempfile::TempDir, Arc<FixedClock>, App) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portico.toml");
        std::fs::write(&file, settings).unwrap();
        let data_dir = Override { key: "server.data_dir", value: folder.path().display().to_string().into(), flag: "--test" };
        let config = resolve(Layers::gather(Some(&file), std::iter::empty(), [data_dir]).unwrap()).unwrap();
        let clock = Arc::new(FixedClock::at(now));
        let app = App::open(config, clock.clone()).await.unwrap();
        (folder, clock, app)
    }
}
