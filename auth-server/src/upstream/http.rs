//! Calls to a provider: bounded in time and size, never redirected, never through a proxy.
//!
//! Tells three things apart: no answer ([`UpstreamError::Unavailable`]), an answer that no honest provider gives
//! ([`UpstreamError::Distrusted`]), and an answer to be judged by who asked. What a status means in a call is the caller's to know: a
//! wrong client secret is 401 `unauthorized_client` at Keycloak and 401 `invalid_client` by RFC 6749 §5.2.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oauth_types::{Outage, UpstreamFault};
use reqwest::{Client, RequestBuilder, header, redirect::Policy};
use serde::de::DeserializeOwned;
use url::{Url, form_urlencoded};

use super::UpstreamError;
use crate::config::UpstreamSecret;

/// A provider on the other side of the world answers a handshake in one second.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// A whole call. A person waits for it; two of them fit into the fifteen seconds of a recheck.
const ANSWER_WITHIN: Duration = Duration::from_secs(7);
/// The largest honest answer is a token answer with three tokens of a person in hundreds of groups.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Connections kept for the next call: sign-ins are rare.
const IDLE_CONNECTIONS_MAX: usize = 2;

/// The one client for all providers; its clones share connections.
#[derive(Debug, Clone)]
pub(super) struct Http(Client);

/// An answer that came whole.
pub(super) struct Reply {
    pub(super) status: u16,
    body: Vec<u8>,
}

/// Who we are, for a token endpoint.
pub(super) struct Credentials<'a> {
    pub(super) client_id: &'a str,
    pub(super) secret: Option<&'a UpstreamSecret>,
    /// In the form rather than in a header (RFC 6749 §2.3.1).
    pub(super) in_form: bool,
}

impl Http {
    /// Makes the client.
    ///
    /// # Errors
    /// The machine's root certificates cannot be read.
    pub(super) fn new() -> Result<Self, UpstreamError> {
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            // GitHub answers nobody without a name.
            .user_agent(concat!("portico/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|cause| UpstreamError::Unavailable(Outage::caused("could not make a client for identity providers", cause)))?;
        Ok(Self(client))
    }

    /// Reads a document.
    pub(super) async fn get(&self, url: &Url, bearer: Option<&str>, accept: &'static str) -> Result<Reply, UpstreamError> {
        let request = self.0.get(url.clone()).header(header::ACCEPT, accept);
        exchange(match bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    }

    /// Sends a form.
    pub(super) async fn post(&self, url: &Url, fields: &[(&str, &str)], who: &Credentials<'_>) -> Result<Reply, UpstreamError> {
        let mut request = self.0.post(url.clone()).header(header::ACCEPT, "application/json");
        if let (Some(secret), false) = (who.secret, who.in_form) {
            request = request.header(header::AUTHORIZATION, basic(who.client_id, secret));
        }
        let form = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form_of(fields, who));
        exchange(form).await
    }
}

fn form_of(fields: &[(&str, &str)], who: &Credentials<'_>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    match who.secret {
        Some(secret) if who.in_form => {
            form.append_pair("client_id", who.client_id).append_pair("client_secret", secret.expose());
        }
        Some(_) => {}
        None => {
            form.append_pair("client_id", who.client_id);
        }
    }
    form.finish()
}

/// RFC 6749 §2.3.1: id and secret are form-encoded before they are joined.
fn basic(client_id: &str, secret: &UpstreamSecret) -> String {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(secret.expose()))))
}

async fn exchange(request: RequestBuilder) -> Result<Reply, UpstreamError> {
    // The URL is left out of every cause: at GitHub it may hold what a person is called.
    let lost = |what| move |cause: reqwest::Error| UpstreamError::Unavailable(Outage::caused(what, cause.without_url()));
    let mut response = request.send().await.map_err(lost("could not reach the identity provider"))?;
    let status = response.status().as_u16();
    match status {
        300..=399 => return Err(UpstreamFault::Redirected.into()),
        // RFC 6585 §4 and RFC 9110 §15.6: not now. Nothing is said about the person.
        408 | 429 | 500..=599 => return Err(UpstreamError::unavailable("the identity provider answered that it cannot answer now")),
        _ => {}
    }
    if response.content_length().is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(UpstreamFault::TooLarge.into());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost("the answer of the identity provider broke off"))? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(UpstreamFault::TooLarge.into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, body })
}

impl Reply {
    /// The body of a success.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, UpstreamFault> {
        if self.status != 200 {
            return Err(UpstreamFault::StatusUnexpected);
        }
        self.said()
    }

    /// The body whatever the status.
    pub(super) fn said<T: DeserializeOwned>(&self) -> Result<T, UpstreamFault> {
        serde_json::from_slice(&self.body).map_err(|_| UpstreamFault::Malformed)
    }

    /// The `error` of RFC 6749 §5.2, if it is one.
    pub(super) fn error(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Said {
            error: String,
        }
        self.said::<Said>().ok().map(|said| said.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UpstreamSecret;

    /// RFC 6749 §2.3.1, Appendix B.
    #[test]
    fn id_and_secret_are_encoded_before_they_are_joined() {
        let header = basic("por tico", &UpstreamSecret::from("a:b%c+d".to_owned()));
        assert_eq!(header, format!("Basic {}", STANDARD.encode("por+tico:a%3Ab%25c%2Bd")));
    }
}
