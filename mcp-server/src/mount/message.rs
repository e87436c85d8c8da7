//! What a body says, as far as the mount must know: which message, which tool, which revision. JSON-RPC 2.0.
//!
//! Only the members that decide something are read, and a member that comes twice is refused: what we judge must be
//! what the SDK does (attack 49).

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName};
use bytes::Bytes;
use oauth_types::Scope;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::reply::Refused;
use crate::fixtures::Fixtures;
use crate::tools::Kind;

pub(super) const SESSION_ID: &str = "mcp-session-id";
pub(super) const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// From this revision on there are no sessions; revisions are dates and compare as text.
pub(super) const STATELESS_SINCE: &str = "2026-07-28";
/// The last revision with JSON-RPC batches.
pub(super) const BATCHES_UNTIL: &str = "2025-03-26";
/// Messages in one batch.
pub(super) const BATCH_MAX: usize = 32;

/// A body: one message or several.
pub(super) enum Content<'b> {
    Single(Message<'b>),
    Batch(Vec<Message<'b>>),
}

/// One message and its own bytes.
pub(super) struct Message<'b> {
    pub(super) bytes: Bytes,
    pub(super) shape: Shape<'b>,
}

pub(super) enum Shape<'b> {
    Request {
        id: &'b RawValue,
        method: Cow<'b, str>,
        tool: Option<Cow<'b, str>>,
        version: Option<Cow<'b, str>>,
    },
    Notification {
        method: Cow<'b, str>,
    },
    /// A client's answer to a question of ours.
    Response,
}

#[derive(Deserialize)]
struct Envelope<'b> {
    #[serde(borrow)]
    jsonrpc: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    id: Option<&'b RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'b, str>>,
    #[serde(borrow)]
    params: Option<Params<'b>>,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Params<'b> {
    #[serde(borrow)]
    name: Option<&'b RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<Meta<'b>>,
}

#[derive(Deserialize)]
struct Meta<'b> {
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<&'b RawValue>,
}

impl<'b> Content<'b> {
    pub(super) fn parse(body: &'b Bytes) -> Result<Self, Refused> {
        if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
            return Message::parse(body, body.clone()).map(Self::Single);
        }
        let elements: Vec<&RawValue> = serde_json::from_slice(body).map_err(|_| Refused::unparsable())?;
        if elements.is_empty() {
            return Err(Refused::batch("a JSON-RPC batch must not be empty"));
        }
        if elements.len() > BATCH_MAX {
            return Err(Refused::batch("a JSON-RPC batch has at most 32 messages here"));
        }
        let messages = elements.into_iter().map(|element| {
            let bytes = element.get().as_bytes();
            Message::parse(bytes, body.slice_ref(bytes))
        });
        messages.collect::<Result<_, _>>().map(Self::Batch)
    }
}

impl<'b> Message<'b> {
    fn parse(json: &'b [u8], bytes: Bytes) -> Result<Self, Refused> {
        let envelope: Envelope<'b> =
            serde_json::from_slice(json).map_err(|wrong| if wrong.is_data() { Refused::invalid(None) } else { Refused::unparsable() })?;
        let id = envelope.id.filter(|id| id.get() != "null");
        if envelope.jsonrpc.as_deref() != Some("2.0") {
            return Err(Refused::invalid(id));
        }
        let shape = match (envelope.method, id, envelope.result.is_some() || envelope.error.is_some()) {
            (Some(method), Some(id), false) => {
                let params = envelope.params;
                let version = params.as_ref().and_then(|params| params.meta.as_ref()).and_then(|meta| meta.version).and_then(text);
                let tool = if method == "tools/call" { params.and_then(|params| params.name).and_then(text) } else { None };
                Shape::Request { id, method, tool, version }
            }
            (Some(method), None, false) => Shape::Notification { method },
            (None, _, true) => Shape::Response,
            _ => return Err(Refused::invalid(id)),
        };
        Ok(Self { bytes, shape })
    }

    pub(super) fn id(&self) -> Option<&'b RawValue> {
        match &self.shape {
            Shape::Request { id, .. } => Some(id),
            _ => None,
        }
    }

    pub(super) fn method(&self) -> Option<&str> {
        match &self.shape {
            Shape::Request { method, .. } => Some(method),
            _ => None,
        }
    }

    /// 2026-07-28 and later by what the request says of itself, or by its header. `initialize` is always of the old life.
    pub(super) fn is_modern(&self, header_version: Option<&str>) -> bool {
        match &self.shape {
            Shape::Request { method, .. } if method == "initialize" => false,
            Shape::Request { version: Some(_), .. } => true,
            _ => header_version.is_some_and(|version| version >= STATELESS_SINCE),
        }
    }

    /// The scope this message needs. The connection itself needs none beyond a token of ours.
    pub(super) fn needed(&self, fixtures: Option<&Fixtures>) -> Option<&'static Scope> {
        let Shape::Request { method, tool, .. } = &self.shape else { return None };
        match &**method {
            "tools/call" => {
                let tool = tool.as_deref()?;
                let fixture = || fixtures.and_then(|fixtures| fixtures.tool(tool)).map(|_| Kind::Echo.needed());
                Kind::named(tool).map(Kind::needed).or_else(fixture)
            }
            method if ["resources/", "prompts/", "completion/", "subscriptions/"].iter().any(|group| method.starts_with(group)) => {
                Some(Kind::Search.needed())
            }
            _ => None,
        }
    }
}

/// A JSON string as text; anything else is left for the SDK to refuse.
fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    match serde_json::from_str::<&str>(raw.get()) {
        Ok(plain) => Some(Cow::Borrowed(plain)),
        Err(_) => serde_json::from_str::<String>(raw.get()).ok().map(Cow::Owned),
    }
}

/// A header as text, if it is there and readable.
pub(super) fn header<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Attack 49: a second value of a mirrored header could hide behind the first.
pub(super) fn no_header_twice(request: &HttpRequest) -> Result<(), Refused> {
    let mut seen: Vec<&HeaderName> = Vec::new();
    // The iterator yields one entry a value.
    for (name, _) in request.headers() {
        if name.as_str().starts_with("mcp-") || name == "last-event-id" {
            if seen.contains(&name) {
                return Err(Refused::header_twice());
            }
            seen.push(name);
        }
    }
    Ok(())
}

pub(super) fn is_json(request: &HttpRequest) -> Result<(), Refused> {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Refused::media_type()) }
}
