//! A whole authorization server for one test: real routes and middleware, a random port, a clock that waits for us.
//!
//! The server believes to be `https://portico.test`, as behind a proxy that ends TLS; the wire connects to its loopback
//! port and says that name in `Host`. So every test also shows that public URLs come from configuration.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use auth_server::App;
use auth_server::clock::{Clock as _, FixedClock};
use auth_server::config::{Config, Layers, resolve};
use oauth_types::{Timestamp, Ttl};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::idp::{CLIENT_SECRET, Idp};
use crate::people::{Browser, ConfidentialApp, Operator, PublicApp, Resource, Stranger};
use crate::secrets::Secrets;
use crate::wire::{Answer, Wire};
use crate::{expect, log};

/// The issuer of a stage, unless it is told another.
pub const ISSUER: &str = "https://portico.test";
/// The resource that clients mean when they name none.
pub const DOCUMENTS: &str = "https://portico.test/mcp";
/// A second resource, with scopes of its own.
pub const NOTES: &str = "https://portico.test/notes/mcp";
/// The one person who has an account.
pub const ALICE: &str = "alice";
/// Her password.
pub const PASSWORD: &str = "correct horse battery staple";
/// When every stage begins: a moment in 2027, so that no test depends on the day it runs.
pub const BEGINNING: Timestamp = Timestamp(1_800_000_000);

/// The callback of the apps of a stage.
pub const CALLBACK: &str = "http://127.0.0.1:33418/callback";

/// A server to be: settings first, then [`StageBuilder::rise`].
#[derive(Debug, Clone)]
pub struct StageBuilder {
    issuer: String,
    settings: Vec<(String, String)>,
    tables: String,
    workers: usize,
    clock: Option<Arc<FixedClock>>,
}

impl Default for StageBuilder {
    fn default() -> Self {
        let cheap_passwords = [("accounts.memory_kib", "8"), ("accounts.passes", "1")];
        let settings = cheap_passwords.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        Self { issuer: ISSUER.into(), settings, tables: String::new(), workers: 1, clock: None }
    }
}

impl StageBuilder {
    /// One setting as in `default.toml`; the value is TOML text.
    #[must_use]
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.into(), value.into()));
        self
    }

    /// A repeated table as in a configuration file: `[[service]]` and its lines.
    #[must_use]
    pub fn table(mut self, text: &str) -> Self {
        self.tables += &format!("{text}\n");
        self
    }

    /// Another public origin. `http://127.0.0.1` is completed with the real port.
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// More threads that answer, for races.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// People sign in at this provider too, known as `keycloak`; it lives by the clock of the stage. `more` is further lines of its
    /// table.
    #[must_use]
    pub fn with_idp(self, idp: &Idp, more: &str) -> Self {
        let table = idp.table("keycloak", "keycloak", more);
        self.with_upstream(idp, table)
    }

    /// The same with a table of one's own (see [`Idp::table`]).
    #[must_use]
    pub fn with_upstream(mut self, idp: &Idp, table: String) -> Self {
        let clock = self.clock.get_or_insert_with(|| Arc::new(FixedClock::at(BEGINNING))).clone();
        idp.lives_by(move || clock.now().0);
        self.table(&table)
    }

    /// Starts the server.
    pub async fn rise(self) -> Stage {
        log::capture();
        let folder = tempfile::tempdir().expect("a folder for one test");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let issuer = if self.issuer == "http://127.0.0.1" { format!("http://{address}") } else { self.issuer.clone() };
        let secrets = Secrets::default();
        let resources = [Resource::new("documents", "/mcp", &issuer), Resource::new("notes", "/notes/mcp", &issuer)];
        let config = config(&self, &issuer, &folder, &resources);
        let clock = self.clock.clone().unwrap_or_else(|| Arc::new(FixedClock::at(BEGINNING)));
        let app = App::open(config.clone(), clock.clone()).await.expect("an empty folder is enough to start");
        app.add_account(ALICE, PASSWORD).await.expect("a first account");
        secrets.learn("password", PASSWORD);
        if self.clock.is_some() {
            secrets.learn("upstream client secret", CLIENT_SECRET);
        }
        resources.iter().for_each(|resource| secrets.learn("resource server secret", &resource.secret));
        let handle = serve(&app, listener);
        let host = issuer.split_once("://").map_or(issuer.as_str(), |(_, host)| host).to_owned();
        let wire = Wire::new(address, host, secrets.clone());
        let [documents, notes] = resources.map(|resource| resource.on(&wire));
        Stage { app, config, clock, wire, issuer, secrets, documents, notes, handle, folder }
    }
}

fn serve(app: &App, listener: TcpListener) -> ServerHandle {
    let server = app.serve(listener).expect("a bound listener is served");
    let handle = server.handle();
    tokio::spawn(server);
    handle
}

/// The configuration of a stage, read as an operator's file is read.
fn config(builder: &StageBuilder, issuer: &str, folder: &TempDir, resources: &[Resource]) -> Config {
    let mut tables: std::collections::BTreeMap<&str, Vec<String>> = std::collections::BTreeMap::new();
    let server = [("public_url", issuer.to_owned()), ("data_dir", folder.path().display().to_string())];
    tables.entry("server").or_default().extend(server.map(|(name, value)| format!("{name} = {value:?}")));
    tables.entry("server").or_default().push(format!("workers = {}", builder.workers));
    for (key, value) in &builder.settings {
        let (section, name) = key.split_once('.').expect("a setting is section.name");
        let lines = tables.entry(section).or_default();
        lines.retain(|line| !line.starts_with(&format!("{name} =")));
        lines.push(format!("{name} = {value}"));
    }
    let mut text = String::new();
    for (section, lines) in tables {
        writeln!(text, "[{section}]\n{}", lines.join("\n")).expect("writing to memory");
    }
    text += r#"
        [[resource]]
        path = "/mcp"
        name = "Documents"
        scopes = ["mcp:read", "mcp:write", "mcp:infer"]
        default_scope = "mcp:read"
        [[resource]]
        path = "/notes/mcp"
        name = "Notes"
        scopes = ["notes:read", "notes:write"]
        default_scope = "notes:read"
    "#;
    for Resource { id, path, secret, .. } in resources {
        writeln!(text, "[[resource_server]]\nid = {id:?}\npath = {path:?}\nsecret = {secret:?}").expect("writing to memory");
    }
    text += &builder.tables;
    let file = folder.path().join("stage.toml");
    std::fs::write(&file, text).expect("a file in our own folder");
    let layers = Layers::gather(Some(&file), std::iter::empty(), []).expect("the stage writes TOML");
    std::fs::remove_file(&file).expect("the file we just wrote");
    resolve(layers).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A second process over the same database, behind the same public name.
pub struct Replica {
    app: App,
    wire: Wire,
    handle: ServerHandle,
}

impl Replica {
    /// One round of its own background work.
    pub async fn ticks(&self) {
        self.app.tick().await;
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

/// A running server and the people around it.
pub struct Stage {
    app: App,
    config: Config,
    clock: Arc<FixedClock>,
    wire: Wire,
    issuer: String,
    secrets: Secrets,
    documents: Resource,
    notes: Resource,
    handle: ServerHandle,
    folder: TempDir,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Sent, not awaited: the threads end by themselves, and no test waits for another's end.
        drop(self.handle.stop(false));
    }
}

impl Stage {
    /// A server with the usual settings.
    pub async fn rise() -> Self {
        StageBuilder::default().rise().await
    }

    /// A server with settings of its own.
    pub fn with(key: &str, value: &str) -> StageBuilder {
        StageBuilder::default().setting(key, value)
    }

    /// A server that must be described further.
    pub fn builder() -> StageBuilder {
        StageBuilder::default()
    }

    /// Stops the server and starts it again over the same files, at the same address.
    pub async fn restarts(&mut self) {
        self.restarts_after(|_| ()).await;
    }

    /// The same, with something done to the data folder while nobody uses it.
    pub async fn restarts_after(&mut self, act: impl FnOnce(&std::path::Path)) {
        self.handle.stop(true).await;
        self.app.close().await;
        act(self.folder.path());
        let listener = TcpListener::bind(self.address()).expect("the port we just left");
        self.app = App::open(self.config.clone(), self.clock.clone()).await.expect("what was written can be read");
        self.handle = serve(&self.app, listener);
    }

    /// Starts a second server over the same database.
    pub async fn replica(&self) -> Replica {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let app = App::open(self.config.clone(), self.clock.clone()).await.expect("a database may have two servers");
        let handle = serve(&app, listener);
        Replica { app, wire: self.wire.to(address), handle }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Ttl) {
        self.clock.advance(by);
    }

    /// The time on this stage.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The public origin.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A public URL of this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The wire itself, for what no person would send.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// The socket of this server.
    pub fn address(&self) -> SocketAddr {
        self.wire.address()
    }

    /// What is in force here.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The server from the inside: only for what has no HTTP door.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Every secret that crossed the wire.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The files of this server.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Somebody we know nothing about.
    pub fn stranger(&self) -> Stranger {
        Stranger::new(self.wire.clone())
    }

    /// A browser without a past.
    pub fn browser(&self) -> Browser {
        Browser::new(self.wire.clone(), &self.issuer)
    }

    /// A browser in which Alice signed in during an earlier journey of a client that she allowed.
    pub async fn signed_in_browser(&self) -> Browser {
        let app = self.public_app().await;
        let mut journey = app.journey();
        journey.until_code().await;
        journey.into_browser()
    }

    /// Whoever runs this server.
    pub fn operator(&self) -> Operator<'_> {
        Operator::new(self)
    }

    /// The first resource, with its credentials.
    pub fn documents(&self) -> &Resource {
        &self.documents
    }

    /// The second resource, with its credentials.
    pub fn notes(&self) -> &Resource {
        &self.notes
    }

    /// The registration that most clients send: public, loopback, both grants.
    pub fn usual_registration() -> Value {
        json!({
            "client_name": "Reading Assistant",
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        })
    }

    /// Registers this metadata and returns the answer as it came.
    pub async fn register(&self, metadata: &Value) -> Answer {
        self.wire.request("POST", "/register").json(metadata).await
    }

    /// A public client that registered itself a moment ago.
    pub async fn public_app(&self) -> PublicApp {
        self.public_app_from(&Self::usual_registration()).await
    }

    /// A public client with metadata of its own.
    pub async fn public_app_from(&self, metadata: &Value) -> PublicApp {
        let answer = self.register(metadata).await;
        PublicApp::new(self.wire.clone(), &self.issuer, &expect::success(&answer, 201))
    }

    /// A confidential client that authenticates by this method.
    pub async fn confidential_app(&self, auth_method: &str) -> ConfidentialApp {
        let mut metadata = Self::usual_registration();
        metadata["token_endpoint_auth_method"] = auth_method.into();
        let answer = self.register(&metadata).await;
        ConfidentialApp::new(self.wire.clone(), &self.issuer, &expect::success(&answer, 201))
    }

    /// The published keys.
    pub async fn key_set(&self) -> Value {
        expect::ok(&self.wire.request("GET", "/jwks.json").await)
    }
}
