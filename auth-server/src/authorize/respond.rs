//! The only builder of redirects to a client.
//!
//! RFC 6749 §4.1.2 and §4.1.2.1, RFC 9207 §2 (`iss` in every answer, errors included), RFC 9700 §4.12 (303, never 307). It takes a
//! [`ReturnTo`], which only a proven redirect URI makes, so there is no way to redirect anywhere else. `state` goes back as it came.

use actix_web::{HttpRequest, HttpResponse, http::header};
use oauth_types::{CodeSecret, Error, IssuerUrl};

use super::request::ReturnTo;
use crate::http::{reply, request_id::RequestId, trace};

/// Where the browser takes a code.
pub(super) fn location_of_code(return_to: &ReturnTo, code: &CodeSecret, issuer: &IssuerUrl) -> String {
    location(return_to, &[("code", code.expose())], issuer)
}

/// Sends the browser to the client. RFC 9700 §4.12: 303, so that a form's body is never sent on.
pub(super) fn go(location: &str) -> HttpResponse {
    reply::see_other(location)
}

/// Tells the client no, and the log why.
pub(super) fn refuse(request: &HttpRequest, return_to: &ReturnTo, error: &Error, issuer: &IssuerUrl) -> HttpResponse {
    trace::refused(request, error);
    // RFC 6749 §4.1.2.1: status codes do not travel in redirects, so what has no code of its own becomes the nearest that has.
    let description = format!("{} (reference {})", error.description(), RequestId::of(request));
    go(&location(return_to, &[("error", error.code()), ("error_description", &description)], issuer))
}

fn location(return_to: &ReturnTo, answer: &[(&str, &str)], issuer: &IssuerUrl) -> String {
    let mut parameters: Vec<(&str, &str)> = Vec::with_capacity(4);
    parameters.extend_from_slice(answer);
    parameters.extend(return_to.state().map(|state| ("state", state.as_str())));
    parameters.push(("iss", issuer.as_str()));
    return_to.redirect_uri().with_params(&parameters)
}

/// Where an answer sends the browser.
pub(super) fn location_in(response: &HttpResponse) -> Option<&str> {
    response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok())
}
