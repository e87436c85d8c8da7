//! What a browser's script of another origin may do here.
//!
//! Browser clients (the MCP Inspector) discover, register and fetch tokens from their own origin, so those endpoints answer any
//! origin. They never allow credentials: a cookie opens nothing there. Pages that live by a cookie (`/authorize`, consent, sign-in,
//! sign-out) send no CORS header at all, so no script can read them.

use actix_web::{
    HttpResponse,
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
};

/// Headers that MCP clients send; the TypeScript SDK puts `MCP-Protocol-Version` even on discovery, which forces a preflight.
const ALLOW_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID",
);

/// Headers that scripts may read: without this a browser client cannot see the challenge that starts its sign-in.
const EXPOSE_HEADERS: HeaderValue =
    HeaderValue::from_static("WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After, X-Request-Id");

/// Two hours, the longest that Chromium keeps a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");

/// May scripts of other origins read this endpoint?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cors {
    /// Any origin, never with credentials.
    Open,
    /// None.
    Closed,
}

impl Cors {
    /// Marks an answer as readable. The origin is `*` for everyone, so caches need no `Vary`.
    pub(super) fn mark(self, headers: &mut HeaderMap) {
        if self == Self::Open {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY_ORIGIN);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSE_HEADERS);
        }
    }
}

/// Answers a preflight: what may be sent here. Asks for no authentication (Fetch §3.2.2: a preflight carries no credentials).
pub(super) fn preflight(methods: &HeaderValue) -> HttpResponse {
    let mut response = HttpResponse::NoContent().finish();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOW_HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.insert(header::ALLOW, methods.clone());
    response
}

/// Is this a browser's question before the real request?
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    const ASKED: HeaderName = header::ACCESS_CONTROL_REQUEST_METHOD;
    *method == Method::OPTIONS && headers.contains_key(ASKED)
}
