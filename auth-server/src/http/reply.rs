//! How an answer leaves: the shapes of a refusal, and the few shapes of a yes.
//!
//! An error knows its code, a channel knows its shape, and nobody else knows either. An endpoint picks the channel by its return
//! type: [`AsJson`] (RFC 6749 §5.2, RFC 7591 §3.2.2), [`AsPage`] (a person is looking), [`AsChallenge`] (RFC 6750 §3). Redirects to a
//! client are made by `authorize/respond.rs` alone, which calls [`super::trace::refused`] so that they too are logged once.
//!
//! The [`super::trace`] middleware draws refusals, because only it knows the reference that client, person and log share.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
};
use bytes::Bytes;
use oauth_types::{Error, TokenFault};
use serde::Serialize;

use super::trace;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
/// RFC 7617; the realm is fixed because there is one set of clients.
const BASIC_CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"clients\", charset=\"UTF-8\"");
/// RFC 6750 §3: a request without any token is told the scheme and no error.
const BEARER_CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer");
/// When an outage ends nobody knows; five seconds keeps a crowd of clients from trying at once in the first.
const RETRY_AFTER_OUTAGE: HeaderValue = HeaderValue::from_static("5");

/// In which shape a refusal is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Json,
    Page,
    Challenge,
}

macro_rules! channel {
    ($(#[$doc:meta])* $name:ident, $channel:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name(pub(crate) Error);

        impl From<Error> for $name {
            fn from(error: Error) -> Self {
                Self(error)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0.reason())
            }
        }

        impl ResponseError for $name {
            fn status_code(&self) -> StatusCode {
                status(&self.0)
            }

            /// What is seen where the trace middleware is not mounted; with it, the same with a reference.
            fn error_response(&self) -> HttpResponse {
                Refused { error: &self.0, channel: Channel::$channel }.bare(None)
            }
        }
    };
}

channel!(
    /// A refusal that a program reads as JSON.
    AsJson,
    Json
);
channel!(
    /// A refusal that a person reads as a page (or as JSON, if their program asks for that).
    AsPage,
    Page
);
channel!(
    /// A refusal that a holder of a bearer token reads in `WWW-Authenticate`.
    AsChallenge,
    Challenge
);

/// A refusal on its way out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused<'a> {
    pub(super) error: &'a Error,
    channel: Channel,
}

impl<'a> Refused<'a> {
    pub(super) fn new(error: &'a Error, channel: Channel) -> Self {
        Self { error, channel }
    }

    /// The refusal inside an actix error, if it is one of ours.
    pub(super) fn found_in(error: &'a actix_web::Error) -> Option<Self> {
        let json = error.as_error::<AsJson>().map(|AsJson(error)| (error, Channel::Json));
        let page = || error.as_error::<AsPage>().map(|AsPage(error)| (error, Channel::Page));
        let challenge = || error.as_error::<AsChallenge>().map(|AsChallenge(error)| (error, Channel::Challenge));
        json.or_else(page).or_else(challenge).map(|(error, channel)| Self { error, channel })
    }

    /// Draws the refusal for this request.
    pub(super) fn draw(self, request: &HttpRequest, page: impl FnOnce() -> Option<String>, reference: &str) -> HttpResponse {
        if self.channel == Channel::Page && prefers_page(request.headers()) {
            let html = page().unwrap_or_else(|| plain_page(self.error, reference));
            let mut response = self::page(status(self.error), html);
            retry_after(self.error, response.headers_mut());
            return response;
        }
        let mut response = self.bare(Some(reference));
        if let (Error::InvalidClient(_), true) = (self.error, used_basic(request.headers())) {
            // RFC 6749 §5.2: who tried the header is answered in the header; who did not is not sent there.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, BASIC_CHALLENGE);
        }
        response
    }

    fn bare(self, reference: Option<&str>) -> HttpResponse {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a str,
            error_description: String,
        }
        let description = self.error.description();
        let error_description =
            reference.map_or_else(|| description.to_owned(), |reference| format!("{description} (reference {reference})"));
        let mut response = json(status(self.error), &Body { error: self.error.code(), error_description });
        retry_after(self.error, response.headers_mut());
        if self.channel == Channel::Challenge && matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer_challenge(self.error));
        }
        response
    }
}

/// RFC 6750 §3: the code stands in the challenge, except for who showed no token at all.
fn bearer_challenge(error: &Error) -> HeaderValue {
    if matches!(error, Error::InvalidToken(TokenFault::Missing)) {
        return BEARER_CHALLENGE;
    }
    // A code is one of the table's words, and a scope's alphabet has no quote.
    let needed = if let Error::InsufficientScope { needed } = error { format!(", scope=\"{needed}\"") } else { String::new() };
    HeaderValue::from_str(&format!("Bearer error=\"{}\"{needed}", error.code())).unwrap_or(BEARER_CHALLENGE)
}

pub(super) fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn retry_after(error: &Error, headers: &mut HeaderMap) {
    let value = match error {
        Error::TooManyRequests { retry_after } => HeaderValue::from(retry_after.0.max(1)),
        Error::TemporarilyUnavailable(_) => RETRY_AFTER_OUTAGE,
        _ => return,
    };
    headers.insert(header::RETRY_AFTER, value);
}

/// Browsers always name text/html; a program that wants JSON names that, and who says nothing gets the page.
fn prefers_page(headers: &HeaderMap) -> bool {
    let accepts = |kind: &str| headers.get_all(header::ACCEPT).any(|value| value.to_str().is_ok_and(|value| value.contains(kind)));
    accepts("text/html") || !accepts("application/json")
}

fn used_basic(headers: &HeaderMap) -> bool {
    let scheme = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().get(..6));
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
}

/// The page where nobody draws one: fixed text only, so nothing of the request can be reflected.
fn plain_page(error: &Error, reference: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Error</title></head><body><h1>This did not work</h1>\
         <p>{}</p><p>Reference: {reference}</p></body></html>",
        error.description()
    )
}

/// A refusal in JSON, drawn and logged, for an endpoint that adds a header of its own to it.
pub(crate) fn refused(request: &HttpRequest, error: &Error) -> HttpResponse {
    trace::draw(request, Refused::new(error, Channel::Json))
}

/// JSON that nobody may keep: everything here is either secret or true for a moment only.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> HttpResponse {
    match serde_json::to_vec(value) {
        Ok(body) => with_type(status, JSON, NO_STORE).body(body),
        // Our answers are structs of strings and numbers, which always serialise.
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// JSON that its endpoint wrote by hand; nobody may keep it. RFC 6749 §5.1 asks for `Pragma` too.
pub(crate) fn json_bytes(status: StatusCode, body: Vec<u8>) -> HttpResponse {
    with_type(status, JSON, NO_STORE).insert_header((header::PRAGMA, NO_CACHE)).body(body)
}

/// JSON that was written at start and is sent as it is; `cache` says for how long others may keep it.
pub(crate) fn prepared_json(body: Bytes, cache: &'static str) -> HttpResponse {
    with_type(StatusCode::OK, JSON, HeaderValue::from_static(cache)).body(body)
}

/// A page for a person. The middleware adds the headers that protect it.
pub(crate) fn page(status: StatusCode, html: String) -> HttpResponse {
    with_type(status, HTML, NO_STORE).body(html)
}

/// 200 without a body, as RFC 7009 §2.2 wants it.
pub(crate) fn empty() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, NO_STORE)).finish()
}

/// 204, as RFC 7592 §2.3 wants it.
pub(crate) fn no_content() -> HttpResponse {
    HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, NO_STORE)).finish()
}

/// 303: the browser goes on with GET, whatever it came with (RFC 9700 §4.12: a 307 would repeat the person's password to the client).
pub(crate) fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, location)).insert_header((header::CACHE_CONTROL, NO_STORE)).finish()
}

fn with_type(status: StatusCode, kind: HeaderValue, cache: HeaderValue) -> HttpResponseBuilder {
    let mut builder = HttpResponse::build(status);
    builder.insert_header((header::CONTENT_TYPE, kind)).insert_header((header::CACHE_CONTROL, cache));
    builder
}
