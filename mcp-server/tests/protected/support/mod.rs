//! A stand: an issuer that signs real tokens and publishes real keys and endings, and the real server on a random port.

mod issuer;
mod log;

use std::path::Path;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer};
use mcp_server::{Config, Server};
use oauth_types::{IssuerUrl, ResourceUri};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

pub(crate) use self::issuer::{Issuer, Token};

pub(crate) const OLD: &str = "2025-03-26";
pub(crate) const LEGACY: &str = "2025-11-25";
pub(crate) const MODERN: &str = "2026-07-28";

/// Everything a test needs; ends with the test.
pub(crate) struct Stand {
    pub(crate) issuer: Issuer,
    pub(crate) origin: String,
    pub(crate) folder: tempfile::TempDir,
    http: reqwest::Client,
    running: Running,
}

struct Running {
    server: std::sync::Arc<Server>,
    handle: ServerHandle,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Stand {
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| ()).await
    }

    pub(crate) async fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        log::capture();
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("docs")).unwrap();
        std::fs::write(folder.path().join("docs/keys.md"), "# Rotation of keys\n\nA key is published before it signs.\n").unwrap();
        std::fs::write(folder.path().join("docs/tea.html"), "<title>Tea &amp; more</title><p>Darjeeling <b>first flush</b></p>").unwrap();
        let issuer = Issuer::start().await;
        // The port is found first: the resource is named by it.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let mut config = config(&issuer, &origin, folder.path());
        change(&mut config);
        let running = Running::start(config, listener).await;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { issuer, origin, folder, http, running }
    }

    /// Stops the process' part and starts it again over the same state directory.
    pub(crate) async fn restart(&mut self) {
        self.running.handle.stop(false).await;
        self.running.server.shutdown().await;
        let address = self.origin.strip_prefix("http://").unwrap().to_owned();
        let listener = std::net::TcpListener::bind(address).unwrap();
        let config = config(&self.issuer, &self.origin, self.folder.path());
        self.running = Running::start(config, listener).await;
    }

    /// A token of this person through this client.
    pub(crate) fn token(&self, person: &str, client: &str, scope: &str) -> Token {
        self.issuer.token(&format!("{}/mcp", self.origin)).person(person).client(client).scope(scope)
    }

    /// A token for everything.
    pub(crate) fn alice(&self) -> String {
        self.token("alice", "agent", "mcp:read mcp:write mcp:infer").mint()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.origin))
    }

    /// A POST to `/mcp` as every client sends it.
    pub(crate) fn post(&self, token: &str, body: &Value) -> reqwest::RequestBuilder {
        self.request(Method::POST, "/mcp").bearer_auth(token).header("accept", "application/json, text/event-stream").json(body)
    }

    /// A 2026-07-28 request with everything that belongs to it.
    pub(crate) fn modern(&self, token: &str, method: &str, params: Value) -> reqwest::RequestBuilder {
        let mut params = params;
        params["_meta"] = meta();
        let name = params["name"].as_str().or(params["uri"].as_str()).map(str::to_owned);
        let request = self.post(token, &call(1, method, params)).header("mcp-protocol-version", MODERN).header("mcp-method", method);
        match name {
            Some(name) => request.header("mcp-name", name),
            None => request,
        }
    }

    /// Calls a tool without a session and gives the result.
    pub(crate) async fn tool(&self, token: &str, name: &str, arguments: Value) -> Value {
        let reply = sent(self.modern(token, "tools/call", json!({ "name": name, "arguments": arguments }))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.message()["result"].clone()
    }

    /// Opens a session; gives its id.
    pub(crate) async fn session(&self, token: &str, version: &str) -> String {
        let reply = sent(self.post(token, &initialize(version, json!({})))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.message()["result"]["protocolVersion"], version);
        let session = reply.header("mcp-session-id").unwrap().to_owned();
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let reply = sent(self.post(token, &initialized).header("mcp-session-id", &session)).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        session
    }

    /// The private reason of a refusal, as the log has it.
    pub(crate) fn reason(&self, reply: &Reply) -> String {
        log::reason(reply.header("x-request-id").expect("every answer of this server has a request id"))
    }

    pub(crate) fn log(&self) -> String {
        log::everything()
    }
}

impl Running {
    async fn start(config: Config, listener: std::net::TcpListener) -> Self {
        let server = std::sync::Arc::new(mcp_server::open(config).await.unwrap());
        let routes = server.configure();
        let http = HttpServer::new(move || App::new().configure(routes.clone()))
            .workers(1)
            .tcp_nodelay(true)
            .h1_allow_half_closed(false)
            .shutdown_timeout(1)
            .listen(listener)
            .unwrap()
            .run();
        let handle = http.handle();
        actix_web::rt::spawn(http);
        for _ in 0..100 {
            if server.ready().is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { server, handle }
    }
}

fn config(issuer: &Issuer, origin: &str, folder: &Path) -> Config {
    let resource = ResourceUri::parse(&format!("{origin}/mcp")).unwrap();
    let mut config = Config::new(IssuerUrl::parse(&issuer.url).unwrap(), resource, folder.join("state"), folder.join("docs"));
    config.ended = Some(issuer.feed());
    config
}

pub(crate) fn call(id: u32, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

pub(crate) fn initialize(version: &str, capabilities: Value) -> Value {
    call(
        0,
        "initialize",
        json!({ "protocolVersion": version, "capabilities": capabilities, "clientInfo": { "name": "test", "version": "1" } }),
    )
}

pub(crate) fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    })
}

pub(crate) async fn sent(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Reply { status, headers, text: response.text().await.unwrap() }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The JSON-RPC answer, as JSON or as the last event with one.
    pub(crate) fn message(&self) -> Value {
        if let Ok(message) = serde_json::from_str(&self.text) {
            return message;
        }
        self.events().into_iter().rfind(|message| message.get("result").is_some() || message.get("error").is_some()).unwrap_or_default()
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        self.text.lines().filter_map(|line| line.strip_prefix("data:")).filter_map(|data| serde_json::from_str(data.trim()).ok()).collect()
    }

    /// The ids of events that carry something.
    pub(crate) fn event_ids(&self) -> Vec<String> {
        self.text.lines().filter_map(|line| line.strip_prefix("id:")).map(|id| id.trim().to_owned()).collect()
    }
}
