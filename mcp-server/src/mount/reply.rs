//! The shapes an answer takes: refusals of the mount, and the SDK's responses made fit for every client.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bearer_guard::actix as guard;
use futures_util::StreamExt as _;
use oauth_types::Error;
use rmcp::model::ErrorCode;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::JSON;
use super::body::BodyFault;
use super::message::Message;
use super::stream::{self, SdkResponse};
use crate::app::App;
use crate::handler;

/// What the official SDKs use for a session that is gone.
const SESSION_NOT_FOUND: i32 = -32001;

/// Why a request went no further than the mount.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    reason: &'static str,
    code: i32,
    message: &'static str,
    /// The request's id, verbatim, when it could be read.
    id: Option<String>,
    /// The guard's own refusal, with its challenge.
    guard: Option<Box<Error>>,
}

impl Refused {
    fn new(status: StatusCode, reason: &'static str, code: i32, message: &'static str) -> Self {
        Self { status, reason, code, message, id: None, guard: None }
    }

    pub(super) fn guard(refusal: Error) -> Self {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut refused = Self::new(status, refusal.reason(), ErrorCode::INVALID_REQUEST.0, refusal.description());
        refused.guard = Some(Box::new(refusal));
        refused
    }

    /// 403 with everything that is missing, decided before anything ran.
    pub(super) fn scope(refusal: Error, id: Option<&RawValue>) -> Self {
        let mut refused = Self::guard(refusal);
        refused.id = id.map(|id| id.get().to_owned());
        refused
    }

    pub(super) fn host() -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, "host_not_ours", ErrorCode::INVALID_REQUEST.0, "this host name is not served here")
    }

    pub(super) fn origin() -> Self {
        Self::new(StatusCode::FORBIDDEN, "origin_not_allowed", ErrorCode::INVALID_REQUEST.0, "this origin may not call here")
    }

    pub(super) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", ErrorCode::INVALID_REQUEST.0, "use POST")
    }

    pub(super) fn not_acceptable() -> Self {
        let message = "accept application/json and text/event-stream";
        Self::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", ErrorCode::INVALID_REQUEST.0, message)
    }

    pub(super) fn media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "body_not_json",
            ErrorCode::INVALID_REQUEST.0,
            "content-type must be application/json",
        )
    }

    pub(super) fn unparsable() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "json_broken", ErrorCode::PARSE_ERROR.0, "the body is not JSON")
    }

    pub(super) fn invalid(id: Option<&RawValue>) -> Self {
        let mut refused =
            Self::new(StatusCode::BAD_REQUEST, "message_invalid", ErrorCode::INVALID_REQUEST.0, "the body is not one JSON-RPC 2.0 message");
        refused.id = id.map(|id| id.get().to_owned());
        refused
    }

    pub(super) fn batch(message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "batch_refused", ErrorCode::INVALID_REQUEST.0, message)
    }

    pub(super) fn header_twice() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "header_repeated", ErrorCode::HEADER_MISMATCH.0, "a header of the protocol is there twice")
    }

    /// Unknown, ended, expired and somebody else's look alike.
    pub(super) fn session() -> Self {
        Self::new(StatusCode::NOT_FOUND, "session_unknown", SESSION_NOT_FOUND, "session not found")
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer, told once to the log.
    pub(crate) fn reply(self, app: &App, request_id: &str) -> HttpResponse {
        let status = self.status.as_u16();
        tracing::info!(
            event = "access.refused",
            request.id = request_id,
            reason = self.reason,
            status,
            "refused a request: {}",
            self.reason
        );
        match self.guard {
            Some(refusal) if matches!(*refusal, Error::InsufficientScope { .. }) => step_up(app, &refusal, self.id),
            Some(refusal) => guard::reply(&app.guard, &refusal),
            None => {
                let mut response = HttpResponse::build(self.status);
                if self.status == StatusCode::METHOD_NOT_ALLOWED {
                    response.insert_header((header::ALLOW, "POST"));
                }
                response.insert_header(JSON).body(error_text(self.code, self.message, self.id.as_deref()))
            }
        }
    }
}

impl From<BodyFault> for Refused {
    fn from(fault: BodyFault) -> Self {
        let invalid = ErrorCode::INVALID_REQUEST.0;
        match fault {
            BodyFault::TooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", invalid, "the body is larger than 1 MiB"),
            BodyFault::TooSlow => Self::new(StatusCode::REQUEST_TIMEOUT, "slow_body", invalid, "the body did not arrive in time"),
            BodyFault::BrokenOff => Self::new(StatusCode::BAD_REQUEST, "body_broken_off", ErrorCode::PARSE_ERROR.0, "the body broke off"),
            BodyFault::TooDeep => Self::new(StatusCode::BAD_REQUEST, "json_too_deep", invalid, "the body is nested too deeply"),
        }
    }
}

/// RFC 6750 §3.1 in the header, for clients that read it; the same challenge as a tool result in the body, for ChatGPT.
fn step_up(app: &App, refusal: &Error, id: Option<String>) -> HttpResponse {
    let challenge = app.guard.challenge(Some(refusal));
    let mut response = guard::reply(&app.guard, refusal);
    let Some(id) = id else { return response };
    let result = handler::refused(&challenge, refusal);
    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{}}}"#, serde_json::to_string(&result).unwrap_or_default());
    response.headers_mut().insert(JSON.0, HeaderValue::from_static(JSON.1));
    response.set_body(actix_web::body::BoxBody::new(body))
}

fn error_text(code: i32, message: &str, id: Option<&str>) -> String {
    let error = json!({ "code": code, "message": message });
    format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, id.unwrap_or("null"))
}

pub(super) fn method_not_allowed() -> HttpResponse {
    HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, "POST")).finish()
}

/// What the client says it can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// JSON or a stream, as the protocol asks for.
    Either,
    /// Only JSON: some clients send nothing else, and get the answer without the stream around it.
    JsonOnly,
}

impl Wish {
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Refused> {
        let json = accepts(request, "application/json");
        match (json, accepts(request, "text/event-stream")) {
            (true, true) => Ok(Self::Either),
            (true, false) => Ok(Self::JsonOnly),
            (false, _) => Err(Refused::not_acceptable()),
        }
    }
}

/// RFC 9110 §12.5.1, without the order of preferences: only `q=0` says no.
pub(super) fn accepts(request: &HttpRequest, wanted: &str) -> bool {
    let mut entries =
        request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).peekable();
    if entries.peek().is_none() {
        return true;
    }
    let group = wanted.split_once('/').map_or("", |(group, _)| group);
    entries.any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let range = parts.next().unwrap_or_default().to_ascii_lowercase();
        let refused = parts.any(|parameter| matches!(parameter, "q=0" | "q=0." | "q=0.0" | "q=0.00" | "q=0.000"));
        !refused && (range == wanted || range == "*/*" || range.strip_suffix("/*") == Some(group))
    })
}

/// The SDK's answer to one message, in the shape this client reads.
pub(super) async fn shaped(response: SdkResponse, message: &Message<'_>, wish: Wish, life: Duration) -> Result<HttpResponse, Refused> {
    let lists_tools = message.method() == Some("tools/list");
    if !stream::is_stream(&response) {
        return Ok(single(response, message, lists_tools).await);
    }
    if wish == Wish::JsonOnly {
        let mut answer = head(&response);
        let mut events = stream::events(response.into_body());
        while let Some(event) = events.next().await {
            if let Some(mut last) = event.response() {
                if lists_tools {
                    handler::show_security_schemes(&mut last["result"]);
                }
                return Ok(answer.insert_header(JSON).body(last.to_string()));
            }
        }
        return Err(Refused::new(StatusCode::BAD_GATEWAY, "stream_without_answer", ErrorCode::INTERNAL_ERROR.0, "the answer was lost"));
    }
    if lists_tools {
        let mut answer = head(&response);
        let events = stream::events(response.into_body()).map(|mut event| {
            event.change(|message| handler::show_security_schemes(&mut message["result"]));
            Ok::<_, actix_web::Error>(event.into_bytes())
        });
        return Ok(answer.streaming(events));
    }
    Ok(streamed(response, life).await)
}

/// Not a stream: JSON goes through as it is; the SDK's plain texts become JSON-RPC errors.
async fn single(response: SdkResponse, message: &Message<'_>, lists_tools: bool) -> HttpResponse {
    let is_json = stream::media_type(&response) == Some("application/json");
    let mut answer = head(&response);
    let status = response.status();
    let body = stream::whole(response.into_body()).await;
    if is_json {
        if lists_tools && let Ok(mut listed) = serde_json::from_slice::<Value>(&body) {
            handler::show_security_schemes(&mut listed["result"]);
            return answer.body(listed.to_string());
        }
        return answer.body(body);
    }
    if status.is_success() || body.is_empty() {
        return answer.body(body);
    }
    // 415 is the SDK's word for JSON that is no message it knows; the media type was right.
    let (status, text) = match status.as_u16() {
        415 => (StatusCode::BAD_REQUEST, "the body is not a message of this protocol"),
        404 => (StatusCode::NOT_FOUND, "session not found"),
        400 => (StatusCode::BAD_REQUEST, "the request does not fit the protocol version"),
        other => (StatusCode::from_u16(other).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), "the request could not be served"),
    };
    let code = if status.is_server_error() { ErrorCode::INTERNAL_ERROR.0 } else { ErrorCode::INVALID_REQUEST.0 };
    answer.status(status).insert_header(JSON).body(error_text(code, text, message.id().map(RawValue::get)))
}

/// Goes through as it is, for as long as the caller may listen.
pub(super) async fn streamed(response: SdkResponse, life: Duration) -> HttpResponse {
    let mut answer = head(&response);
    if stream::is_stream(&response) {
        return answer.streaming(stream::frames(response.into_body()).take_until(Box::pin(tokio::time::sleep(life))));
    }
    answer.body(stream::whole(response.into_body()).await)
}

/// Status and headers of the SDK's answer.
pub(super) fn head(response: &SdkResponse) -> HttpResponseBuilder {
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = HttpResponse::build(status);
    for (name, value) in response.headers() {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_str().as_bytes()), HeaderValue::from_bytes(value.as_bytes())) {
            answer.append_header((name, value));
        }
    }
    answer
}

/// On every answer: it is for this caller only, it is not buffered on the way, and it can be found in the log.
pub(crate) fn dress(response: &mut HttpResponse, request_id: &str) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}
