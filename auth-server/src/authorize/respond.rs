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

#[cfg(test)]
mod tests {
    use oauth_types::{RedirectUri, State};

    use super::*;

    fn sent(redirect_uri: &str, state: Option<&str>) -> String {
        let return_to = ReturnTo::proven(RedirectUri::parse(redirect_uri).unwrap(), state.map(|state| State::parse(state).unwrap()));
        let issuer = IssuerUrl::parse("https://mcp.example.com").unwrap();
        location_of_code(&return_to, &CodeSecret::new("pco_abc-_".to_owned()), &issuer)
    }

    fn parameters(location: &str) -> Vec<(String, String)> {
        let query = location.split_once('?').map(|(_, query)| query).unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// RFC 6749 §4.1.2, RFC 9207 §2: code, state and iss, once each.
    #[test]
    fn an_answer_has_code_state_and_issuer_once_each() {
        let pairs = parameters(&sent("https://claude.ai/cb", Some("xyz")));
        let expected = [("code", "pco_abc-_"), ("state", "xyz"), ("iss", "https://mcp.example.com")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    /// RFC 6749 §4.1.2: no state was sent, none goes back.
    #[test]
    fn without_a_state_there_is_none() {
        assert!(!sent("https://claude.ai/cb", None).contains("state"));
    }

    /// VS Code sends long base64 states: byte for byte the same comes back.
    #[test]
    fn a_state_comes_back_byte_for_byte() {
        for state in ["a+b/c==", "a b&c=d", "ä€", "%2F", "\u{7f}~!*'()"] {
            assert_eq!(
                parameters(&sent("https://claude.ai/cb", Some(state)))
                    .into_iter()
                    .find(|(name, _)| name == "state")
                    .map(|(_, value)| value),
                Some(state.to_owned())
            );
        }
    }

    /// RFC 6749 §3.1.2: a query that the redirect URI has is kept.
    #[test]
    fn a_query_of_the_redirect_uri_stays_and_schemes_of_apps_work() {
        assert!(sent("https://app.example/cb?keep=1", None).starts_with("https://app.example/cb?keep=1&code="));
        assert!(
            sent("cursor://anysphere.cursor-mcp/oauth/callback", None).starts_with("cursor://anysphere.cursor-mcp/oauth/callback?code=")
        );
        assert!(sent("http://127.0.0.1:33418/", None).starts_with("http://127.0.0.1:33418/?code="));
    }

    /// RFC 9700 §4.12: a 307 would repeat the person's password to the client.
    #[test]
    fn the_browser_is_sent_on_with_get() {
        assert_eq!(go("https://claude.ai/cb").status(), 303);
    }
}
