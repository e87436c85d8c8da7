//! The lock on an actix-web server: [`Caller`] as an extractor, the answers to who is refused, the documents' routes.
//!
//! Credentials are taken from one `Authorization` header and from nowhere else (RFC 6750 §2.1; OAuth 2.1 §5.1.1): a token in a query,
//! a form or a cookie is as good as none.

use std::{future::Future, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, ResponseError,
    body::BoxBody,
    dev::Payload,
    http::{
        Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
            ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
        },
    },
    web::{self, ServiceConfig},
};
use oauth_types::{Bug, Error, RequestFault, Scope, TokenFault};

use crate::{Caller, Guard};

/// What browsers may send along (spec: the inspector and the SDKs), and what they may read.
const ALLOWED_HEADERS: &str =
    "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID";
const EXPOSED_HEADERS: &str = "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version";
/// Minutes: hosted clients keep it about as long, and a change should be seen the same day.
const DOCUMENT_CACHED: &str = "public, max-age=300";
/// A day is what browsers cap it to.
const PREFLIGHT_CACHED: &str = "86400";

/// RFC 6750 §2.1, `b64token`. A token has hundreds of characters, so each is looked up.
const B64TOKEN: [bool; 256] = oauth_types::alphanumeric_and(b"-._~+/=");

/// The one token of a request.
///
/// # Errors
/// [`TokenFault::Missing`] when there is none of the scheme Bearer; [`RequestFault::TwoBearers`] and
/// [`RequestFault::BearerMalformed`] when there is more or less than one token.
pub fn bearer(request: &HttpRequest) -> Result<&str, Error> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let Some(header) = headers.next() else { return Err(TokenFault::Missing.into()) };
    if headers.next().is_some() {
        return Err(RequestFault::TwoBearers.into());
    }
    let header = header.to_str().map_err(|_| RequestFault::BearerMalformed)?;
    let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(TokenFault::Missing.into());
    }
    let token = token.trim_matches(' ');
    let is_token = !token.is_empty() && token.bytes().all(|byte| B64TOKEN[usize::from(byte)]);
    if is_token { Ok(token) } else { Err(RequestFault::BearerMalformed.into()) }
}

/// The caller of a request, or the refusal. Nothing is kept with the request: another guard must not find this one's answer.
///
/// # Errors
/// Those of [`bearer`] and [`Guard::admit`].
pub async fn admit(guard: &Guard, request: &HttpRequest, needed: &Scope) -> Result<Caller, Error> {
    guard.admit(bearer(request)?, needed).await
}

/// The answer to who is refused: status, challenge, a small JSON body, nothing to be cached, readable across origins. Logging is the
/// caller's, who knows the request; [`Refused`] does it.
pub fn reply(guard: &Guard, error: &Error) -> HttpResponse {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS));
    match error {
        Error::InvalidToken(_) | Error::InsufficientScope { .. } | Error::InvalidRequest(_) => {
            response.insert_header((WWW_AUTHENTICATE, guard.challenge(Some(error))));
        }
        Error::TemporarilyUnavailable(_) => {
            response.insert_header((RETRY_AFTER, "1"));
        }
        _ => {}
    }
    match error {
        // RFC 6750 §3.1: who showed nothing is told nothing but where to go.
        Error::InvalidToken(TokenFault::Missing) => response.finish(),
        _ => response.json(serde_json::json!({"error": error.code(), "error_description": error.description()})),
    }
}

/// Mounts the metadata document at its paths, and gives the guard to the extractors of this scope.
pub fn configure(guard: &Guard) -> impl Fn(&mut ServiceConfig) + Clone + Send + Sync + 'static + use<> {
    let guard = guard.clone();
    move |config| {
        for path in guard.documents().paths() {
            let guard = guard.clone();
            let document = move |request: HttpRequest| {
                let answer = document(&guard, request.method());
                async move { answer }
            };
            config.service(web::resource(path.as_str()).route(web::route().to(document)));
        }
        config.app_data(guard.clone());
    }
}

/// The document: for everybody, without credentials, across origins.
fn document(guard: &Guard, method: &Method) -> HttpResponse {
    match *method {
        Method::GET | Method::HEAD => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "application/json"))
            .insert_header((CACHE_CONTROL, DOCUMENT_CACHED))
            .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
            .body(guard.protected_resource_metadata()),
        Method::OPTIONS => preflight("GET, HEAD, OPTIONS"),
        _ => HttpResponse::MethodNotAllowed()
            .insert_header(("Allow", "GET, HEAD, OPTIONS"))
            .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
            .finish(),
    }
}

/// The answer to a CORS preflight, which never carries credentials and is never asked for any.
pub fn preflight(methods: &'static str) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, methods))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, PREFLIGHT_CACHED))
        .finish()
}

/// A refusal with the guard that makes its challenge: what a handler returns as its error.
#[derive(Debug)]
pub struct Refused {
    guard: Option<Guard>,
    error: Error,
}

impl Refused {
    /// This refusal, at this guard.
    pub fn new(guard: &Guard, error: Error) -> Self {
        Self { guard: Some(guard.clone()), error }
    }

    /// Why.
    pub fn error(&self) -> &Error {
        &self.error
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        match &self.guard {
            Some(guard) => {
                tracing::info!(
                    event = "access.refused",
                    reason = self.error.reason(),
                    code = self.error.code(),
                    status = self.error.status(),
                    resource = guard.config().resource.as_str(),
                    error = std::error::Error::source(&self.error),
                    "refused a request: {}",
                    self.error.explanation()
                );
                reply(guard, &self.error)
            }
            None => {
                tracing::error!(
                    event = "access.refused",
                    reason = self.error.reason(),
                    "there is no guard: mount bearer_guard::actix::configure"
                );
                HttpResponse::InternalServerError().finish()
            }
        }
    }
}

impl FromRequest for Caller {
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refused>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let Some(guard) = request.app_data::<Guard>() else {
                let error = Bug::new("a handler asks for a Caller where no guard is mounted").into();
                return Err(Refused { guard: None, error });
            };
            admit(guard, &request, &Scope::default()).await.map_err(|error| Refused::new(guard, error))
        })
    }
}
