//! `portico up`: the authorization server, the MCP server and their pages on one origin.
//!
//! It owns the wiring and the first screen. The two servers meet only over HTTP, here as elsewhere: the MCP server's guard fetches the
//! keys and follows the endings through the listener, with a credential made for this run.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Instant,
};

use auth_server::{
    App,
    clock::SystemClock,
    command,
    config::{Config, Override, ResourceServer},
    telemetry::Telemetry,
};
use bearer_guard::EndedFeed;
use oauth_types::ClientSecret;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    environment::{self, Place, text},
    keycloak, screen, users, welcome,
};

/// The options of `portico up`.
#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Arguments {
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", env = "PORTICO_LISTEN")]
    listen: Option<String>,
    /// The origin that clients and people see, as in https://mcp.example.com; derived from --listen when that is loopback.
    #[arg(long, value_name = "URL", env = "PORTICO_PUBLIC_URL")]
    public_url: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    keycloak: keycloak::Realm,
    /// The account made on first start; its password is PORTICO_PASSWORD, or generated and shown once.
    #[arg(long, value_name = "NAME", default_value = "admin", env = "PORTICO_USER")]
    user: String,
    /// The folder that `search` and `fetch` read: Markdown, HTML and text.
    #[arg(long, value_name = "DIR", default_value = "docs", env = "PORTICO_DOCUMENTS")]
    documents: PathBuf,
    /// Where people can open a document: a result's url is this and its path. Without it, a signed link to a plain page here.
    #[arg(long, value_name = "URL", env = "PORTICO_DOCUMENTS_BASE_URL")]
    documents_base_url: Option<String>,
    /// A web origin whose scripts may call the MCP endpoint, as in http://localhost:6274 for the MCP Inspector; repeatable.
    /// On loopback every loopback origin may.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Offer the fixture tools of the public MCP conformance suite. Never in production.
    #[arg(long)]
    conformance_fixtures: bool,
    /// Log as JSON lines instead of lines for people.
    #[arg(long)]
    log_json: bool,
}

impl Arguments {
    fn overrides(&self) -> Vec<Override> {
        let listen = self.listen.clone().map(|value| text("server.listen", value, "--listen"));
        let public_url = self.public_url.clone().map(|value| text("server.public_url", value, "--public-url"));
        let format = self.log_json.then(|| text("log.format", "json".to_owned(), "--log-json"));
        listen.into_iter().chain(public_url).chain(format).chain(self.keycloak.overrides()).collect()
    }
}

/// The client id under which the MCP server of this process asks for keys and endings.
const GUARD_ID: &str = "portico-mcp-server";
/// Where the MCP server keeps its files, in the data directory.
const MCP_STATE: &str = "mcp";

/// Runs until Ctrl-C.
pub(crate) async fn run(arguments: Arguments) -> Result<(), String> {
    let started = Instant::now();
    if arguments.keycloak.lacks_secret() {
        return Err(format!("the secret of our client at Keycloak is missing: give it in {}", keycloak::SECRET));
    }
    let mut config = arguments.place.resolve(arguments.overrides())?;
    let _telemetry = Telemetry::start(&config.log).map_err(|problem| problem.to_string())?;
    let listener = TcpListener::bind(config.listen)
        .map_err(|cause| format!("cannot listen on {}: {cause}; choose another with --listen", config.listen))?;
    let secret = command::fresh_secret();
    config.resource_servers.push(ResourceServer {
        id: GUARD_ID.to_owned(),
        resource: config.default_resource().uri.clone(),
        secret_hash: secret.hash(),
    });
    let app = open(config).await?;
    let account = first_account(&app, &arguments.user).await?;
    let mcp = mcp_server::open(mcp_config(&arguments, app.config(), secret)?).await.map_err(|problem| chain(&problem))?;
    let server = app.serve_with(listener, mcp.configure()).map_err(|cause| format!("cannot serve: {cause}"))?;
    let background = app.start();
    screen::say(&welcome::text(app.config(), &arguments.documents, &account, arguments.conformance_fixtures, started.elapsed()));
    let mut server = std::pin::pin!(server);
    // The server waits for every request in flight, and an event stream is one that never ends by itself: streams must go first.
    let ended = tokio::select! {
        ended = &mut server => ended,
        () = asked_to_stop() => {
            mcp.end_streams();
            server.await
        }
    };
    let ended = ended.map_err(|cause| format!("the server stopped: {cause}"));
    mcp.shutdown().await;
    background.stop().await;
    app.close().await;
    ended
}

/// The signals on which the server itself stops as well. Where they cannot be heard, the server still hears them.
async fn asked_to_stop() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Opens the authorization server on its database, brought to this version's schema.
pub(crate) async fn open(config: Config) -> Result<App, String> {
    App::open(config, Arc::new(SystemClock)).await.map_err(|problem| chain(&problem))
}

/// A problem with what lies beneath it.
pub(crate) fn chain(problem: &dyn std::error::Error) -> String {
    let mut text = problem.to_string();
    let mut next = problem.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}

/// The MCP server's share of the settings. It reaches the authorization server through the listener, under whatever name clients see it.
fn mcp_config(arguments: &Arguments, config: &Config, secret: ClientSecret) -> Result<mcp_server::Config, String> {
    let resource = config.default_resource().uri.clone();
    let mut mcp = mcp_server::Config::new(config.issuer.clone(), resource, config.data_dir.join(MCP_STATE), arguments.documents.clone());
    let inside = format!("http://{}", reachable(config.listen));
    mcp.jwks_url = format!("{inside}/jwks.json");
    mcp.ended = Some(EndedFeed { url: format!("{inside}/ended"), client_id: GUARD_ID.to_owned(), client_secret: secret });
    mcp.documents_base_url = match &arguments.documents_base_url {
        Some(text) => Some(text.parse().map_err(|cause| format!("--documents-base-url is not a URL: {cause}"))?),
        None => None,
    };
    mcp.allowed_origins.clone_from(&arguments.allow_origin);
    mcp.conformance_fixtures = arguments.conformance_fixtures;
    Ok(mcp)
}

/// From this process: an address that means "every interface" is reached by loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => (Ipv4Addr::LOCALHOST, listen.port()).into(),
        IpAddr::V6(address) if address.is_unspecified() => (Ipv6Addr::LOCALHOST, listen.port()).into(),
        _ => listen,
    }
}

/// What the first screen says about signing in.
#[derive(Debug)]
pub(crate) enum FirstAccount {
    /// Made now; the password is given, or generated and shown this once.
    Made { username: String, generated: Option<String> },
    /// There are accounts already.
    Existing { username: String },
    /// None: people sign in elsewhere, and a password that opens nothing would only mislead.
    Elsewhere { providers: Vec<String> },
}

/// Makes the account of `--user` where it is missing: on the first start, or when its password is given.
async fn first_account(app: &App, username: &str) -> Result<FirstAccount, String> {
    if !app.config().accounts.offered {
        return Ok(FirstAccount::Elsewhere { providers: app.config().upstreams.iter().map(|upstream| upstream.name.clone()).collect() });
    }
    let accounts = app.account_lines().await.map_err(|problem| chain(&problem))?;
    if let Some(known) = accounts.iter().find(|account| account.username == username) {
        return Ok(FirstAccount::Existing { username: known.username.clone() });
    }
    if let (Some(known), None) = (accounts.first(), environment::password()) {
        return Ok(FirstAccount::Existing { username: known.username.clone() });
    }
    let (password, generated) = users::password_or_fresh();
    app.add_account(username, &password).await.map_err(|problem| chain(&problem))?;
    Ok(FirstAccount::Made { username: username.to_owned(), generated: generated.then_some(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_everybody_is_reached_by_loopback() {
        assert_eq!(reachable("0.0.0.0:8080".parse().unwrap()), "127.0.0.1:8080".parse().unwrap());
        assert_eq!(reachable("[::]:8080".parse().unwrap()), "[::1]:8080".parse().unwrap());
        assert_eq!(reachable("127.0.0.5:81".parse().unwrap()), "127.0.0.5:81".parse().unwrap());
    }
}
