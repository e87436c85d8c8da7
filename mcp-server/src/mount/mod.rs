//! `/mcp`: from an actix request to the SDK and back. MCP streamable HTTP, revisions 2025-03-26 to 2026-07-28, interleaved.
//!
//! The order of questions is fixed, and each one is answered before anything behind it runs:
//! Host and Origin ([`gate`]) → preflight → token (the guard) → method → size, time and shape of the body ([`body`],
//! [`message`]) → scope of what the *body* asks for (attack 49) → session of this caller (attack 48) → the SDK.
//! The token itself ends here: the SDK and the tools get the verified [`Caller`].

mod batch;
mod body;
mod gate;
mod message;
mod reply;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use bearer_guard::{Caller, actix as guard};
use bytes::Bytes;
use http_body_util::Full;
use oauth_types::{Error, Scope};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::session::store::SessionStore;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

pub(crate) use self::body::{BodyFault, read as read_body};
pub(crate) use self::gate::Gate;
pub(crate) use self::reply::dress;

use self::message::{Content, Message, Shape};
use self::reply::{Refused, Wish};
use crate::app::App;
use crate::handler::Handler;
use crate::secret;
use crate::sessions::{Remembered, Sessions};

/// What a call that began before its token ran out may still take; tools wait at most 50 s for a person.
const STREAM_GRACE: Duration = Duration::from_secs(60);

/// How a call can talk back: told to the tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialogue {
    Session,
    None,
}

/// The reference of the request a message came with, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference(pub(crate) String);

/// The SDK, twice: with sessions for the 2025 revisions, without for everything else.
#[derive(Clone)]
pub(crate) struct Endpoint {
    app: Arc<App>,
    sessions: Arc<Sessions>,
    gate: Arc<Gate>,
    in_session: StreamableHttpService<Handler, Sessions>,
    alone: StreamableHttpService<Handler, NeverSessionManager>,
    sessions_on: bool,
}

impl Endpoint {
    pub(crate) fn new(app: Arc<App>, sessions: Arc<Sessions>, gate: Arc<Gate>, sessions_on: bool) -> Self {
        // Host, Origin and size were judged before the SDK sees a request.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_max_request_body_bytes(body::BODY_BYTES_MAX);
        let mut with_sessions = config.clone();
        let remembered: Arc<dyn SessionStore> = Arc::new(Remembered::of(&sessions));
        with_sessions.session_store = Some(remembered);
        let (for_sessions, for_requests) = (app.clone(), app.clone());
        let in_session = StreamableHttpService::new(move || Ok(Handler::new(for_sessions.clone())), sessions.clone(), with_sessions);
        let without = config.with_legacy_session_mode(false).with_json_response(true);
        let alone = StreamableHttpService::new(move || Ok(Handler::new(for_requests.clone())), Arc::default(), without);
        Self { app, sessions, gate, in_session, alone, sessions_on }
    }

    /// Ends every open stream and every session worker of this process.
    pub(crate) fn stop(&self) {
        self.in_session.config.cancellation_token.cancel();
        self.alone.config.cancellation_token.cancel();
    }
}

/// One request, with what is known of it so far.
struct Exchange<'a> {
    endpoint: &'a Endpoint,
    request: &'a HttpRequest,
    caller: Caller,
    owner: Arc<str>,
    id: &'a str,
}

/// The handler of the route, for every method.
pub(crate) async fn answer(request: HttpRequest, payload: web::Payload, endpoint: web::Data<Endpoint>) -> HttpResponse {
    let id = secret::fresh_reference();
    let mut response = match endpoint.gate.admit(&request) {
        Ok(()) if request.method() == Method::OPTIONS => endpoint.gate.preflight(&request),
        Ok(()) => match admitted(&request, payload, &endpoint, &id).await {
            Ok(response) => response,
            Err(refused) => refused.reply(&endpoint.app, &id),
        },
        Err(refused) => refused.reply(&endpoint.app, &id),
    };
    endpoint.gate.dress(&request, &mut response);
    reply::dress(&mut response, &id);
    response
}

async fn admitted(request: &HttpRequest, payload: web::Payload, endpoint: &Endpoint, id: &str) -> Result<HttpResponse, Refused> {
    let token = guard::bearer(request)?;
    let caller = endpoint.app.guard.admit(token, &Scope::default()).await?;
    let owner = Sessions::owner(&caller);
    let exchange = Exchange { endpoint, request, caller, owner, id };
    // A future is as large as its largest branch and is moved whole, several times a request: what is rare stands behind a pointer.
    match *request.method() {
        Method::POST => exchange.post(payload).await,
        Method::GET => Box::pin(exchange.listen()).await,
        Method::DELETE => Box::pin(exchange.end()).await,
        _ => Ok(reply::method_not_allowed()),
    }
}

impl Exchange<'_> {
    async fn post(&self, payload: web::Payload) -> Result<HttpResponse, Refused> {
        let wish = Wish::of(self.request)?;
        message::is_json(self.request)?;
        message::no_header_twice(self.request)?;
        let body = body::read(payload).await?;
        match Content::parse(&body)? {
            Content::Single(message) => {
                self.may(std::slice::from_ref(&message))?;
                self.single(&message, wish).await
            }
            Content::Batch(messages) => {
                let session = Box::pin(self.batch_session(&messages)).await?;
                self.may(&messages)?;
                Box::pin(batch::answer(self, &messages, session, wish)).await
            }
        }
    }

    /// What the bodies ask for against what the token may. Everything missing is named in one challenge.
    fn may(&self, messages: &[Message<'_>]) -> Result<(), Refused> {
        let needed = messages
            .iter()
            .filter_map(|message| message.needed(self.endpoint.app.fixtures.as_ref()))
            .fold(Scope::default(), |all, one| all.union(one));
        if let Err(refusal) = self.caller.require(&needed) {
            return Err(Refused::scope(refusal, messages.first().and_then(|message| message.id())));
        }
        for message in messages {
            self.granted(message);
        }
        Ok(())
    }

    async fn single(&self, message: &Message<'_>, wish: Wish) -> Result<HttpResponse, Refused> {
        let session = message::header(self.request, message::SESSION_ID);
        let modern = message.is_modern(message::header(self.request, message::PROTOCOL_VERSION));
        let opens = message.method() == Some("initialize") && self.endpoint.sessions_on;
        let dialogue = match session {
            _ if modern => Dialogue::None,
            _ if opens => Dialogue::Session,
            Some(session) if self.endpoint.sessions_on => {
                Box::pin(self.known(session)).await?;
                Dialogue::Session
            }
            _ => Dialogue::None,
        };
        let response =
            self.dispatch(message.bytes.clone(), Method::POST, dialogue, session.filter(|_| dialogue == Dialogue::Session && !opens)).await;
        reply::shaped(response, message, wish, self.stream_life()).await
    }

    /// How long an answer may stream: the token's own life, and a little for a call that is under way. A client whose stream
    /// ends so comes back with a fresh token, or not at all.
    fn stream_life(&self) -> Duration {
        let left = self.caller.expires_at().0 - self.endpoint.app.now();
        Duration::from_secs(u64::try_from(left).unwrap_or_default()) + STREAM_GRACE
    }

    /// The session of a batch, if it has one; batches exist in 2025-03-26 only and never carry `initialize`.
    async fn batch_session(&self, messages: &[Message<'_>]) -> Result<Dialogue, Refused> {
        let header_version = message::header(self.request, message::PROTOCOL_VERSION);
        let is_old = |version: &str| version <= message::BATCHES_UNTIL;
        if header_version.is_some_and(|version| !is_old(version)) || messages.iter().any(|message| message.is_modern(None)) {
            return Err(Refused::batch("a JSON-RPC batch is not part of this protocol version"));
        }
        if messages.iter().any(|message| message.method() == Some("initialize")) {
            return Err(Refused::batch("initialize must not be part of a batch"));
        }
        match message::header(self.request, message::SESSION_ID) {
            Some(session) if self.endpoint.sessions_on => {
                let version = self.known(session).await?;
                if !is_old(&version) {
                    return Err(Refused::batch("a JSON-RPC batch is not part of the protocol version of this session"));
                }
                Ok(Dialogue::Session)
            }
            _ => Ok(Dialogue::None),
        }
    }

    /// GET: the standalone stream of a session, or the rest of one that broke off.
    async fn listen(&self) -> Result<HttpResponse, Refused> {
        message::no_header_twice(self.request)?;
        let session = self.legacy_session()?;
        self.known(session).await?;
        if !reply::accepts(self.request, "text/event-stream") {
            return Err(Refused::not_acceptable());
        }
        let response = self.dispatch(Bytes::new(), Method::GET, Dialogue::Session, Some(session)).await;
        Ok(reply::streamed(response, self.stream_life()).await)
    }

    /// DELETE: the client ends its session.
    async fn end(&self) -> Result<HttpResponse, Refused> {
        message::no_header_twice(self.request)?;
        let session = self.legacy_session()?;
        self.known(session).await?;
        let response = self.dispatch(Bytes::new(), Method::DELETE, Dialogue::Session, Some(session)).await;
        Ok(reply::streamed(response, self.stream_life()).await)
    }

    /// GET and DELETE exist for sessions of the 2025 revisions; for everybody else this endpoint takes POST.
    fn legacy_session(&self) -> Result<&str, Refused> {
        let modern = message::header(self.request, message::PROTOCOL_VERSION).is_some_and(|version| version >= message::STATELESS_SINCE);
        match message::header(self.request, message::SESSION_ID) {
            Some(session) if !modern && self.endpoint.sessions_on => Ok(session),
            _ => Err(Refused::method()),
        }
    }

    /// The revision of a session of this caller. Somebody else's looks like none (attack 48).
    async fn known(&self, session: &str) -> Result<String, Refused> {
        self.endpoint.sessions.version(session, &self.owner).await.ok_or_else(Refused::session)
    }

    /// Hands one message to the SDK. Only the headers that it needs go along: no token, no cookie.
    async fn dispatch(&self, body: Bytes, method: Method, dialogue: Dialogue, session: Option<&str>) -> stream::SdkResponse {
        let mut request = http::Request::new(Full::new(body));
        *request.method_mut() = match method {
            Method::GET => http::Method::GET,
            Method::DELETE => http::Method::DELETE,
            _ => http::Method::POST,
        };
        let headers = request.headers_mut();
        headers.insert(http::header::HOST, http::HeaderValue::from_static("localhost"));
        headers.insert(http::header::ACCEPT, http::HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        for (name, value) in self.request.headers() {
            let name = name.as_str();
            if (name.starts_with("mcp-") && name != message::SESSION_ID) || name == "last-event-id" {
                let copied = (http::HeaderName::from_bytes(name.as_bytes()), http::HeaderValue::from_bytes(value.as_bytes()));
                if let (Ok(name), Ok(value)) = copied {
                    headers.append(name, value);
                }
            }
        }
        if let Some(session) = session.and_then(|session| http::HeaderValue::from_str(session).ok()) {
            headers.insert(message::SESSION_ID, session);
        }
        request.extensions_mut().insert(self.caller.clone());
        request.extensions_mut().insert(dialogue);
        request.extensions_mut().insert(Reference(self.id.to_owned()));
        match dialogue {
            Dialogue::Session => Box::pin(Sessions::on_behalf_of(self.owner.clone(), self.endpoint.in_session.handle(request))).await,
            Dialogue::None => self.endpoint.alone.handle(request).await,
        }
    }

    /// `access.granted`, once a message. Calls of tools are told again when they end, with their duration.
    fn granted(&self, message: &Message<'_>) {
        let (method, tool) = match &message.shape {
            Shape::Request { method, tool, .. } => (&**method, tool.as_deref().unwrap_or_default()),
            Shape::Notification { method } => (&**method, ""),
            Shape::Response => ("(response)", ""),
        };
        if method == "tools/call" {
            tracing::debug!(
                event = "access.granted",
                request.id = self.id,
                client.id = self.caller.client_id(),
                subject.id = self.caller.subject(),
                method,
                tool,
                "let a call in"
            );
        } else {
            tracing::info!(
                event = "access.granted",
                request.id = self.id,
                client.id = self.caller.client_id(),
                subject.id = self.caller.subject(),
                method,
                "let a message in"
            );
        }
    }
}

/// The media type of everything that is not a stream.
pub(crate) const JSON: (header::HeaderName, &str) = (header::CONTENT_TYPE, "application/json");

impl From<Error> for Refused {
    fn from(refusal: Error) -> Self {
        Self::guard(refusal)
    }
}
