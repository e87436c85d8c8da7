//! The discovery document of an OpenID provider (OpenID Connect Discovery 1.0 §3, §4.3), read with suspicion.
//!
//! Owns which endpoints are believed. The document says where we send our secret and the person's browser: whoever can change it, or
//! answer in its place, would like that to be elsewhere (attack 59, the class of CVE-2025-6514). So every endpoint stands at the
//! issuer's origin, or where the operator said by name; nothing is taken from a document whose `issuer` is not the configured one.

use oauth_types::UpstreamFault;
use serde::Deserialize;
use url::Url;

use crate::config::UpstreamConfig;

/// Longest endpoint; known ones stay under 150.
const ENDPOINT_CHARACTERS_MAX: usize = 2048;

/// What we need of the document.
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    jwks_uri: Option<String>,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    scopes_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// A document that was believed: where the provider does what.
#[derive(Debug, Clone)]
pub(super) struct Metadata {
    /// Where browsers go to sign in.
    pub(super) authorization: Url,
    /// Where codes and refresh tokens are redeemed.
    pub(super) token: Url,
    /// Where its keys are.
    pub(super) keys: Url,
    /// Where more is said about a person.
    pub(super) userinfo: Option<Url>,
    /// Where browsers go to sign out.
    pub(super) end_session: Option<Url>,
    /// Do its answers carry `iss` (RFC 9207 §3)? Then one without it is not its own.
    pub(super) answers_name_it: bool,
    /// Does it know `offline_access`? One that lists its scopes may refuse others.
    pub(super) knows_offline_access: bool,
    /// Does it want our secret in the form?
    pub(super) wants_secret_in_form: bool,
}

/// Where the document is: below the issuer, which may have a path (OpenID Connect Discovery §4).
pub(super) fn address(settings: &UpstreamConfig) -> Result<Url, UpstreamFault> {
    let text = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
    let url = Url::parse(&text).map_err(|_| UpstreamFault::EndpointMissing)?;
    at_backchannel(url, settings)
}

/// Believes a document, or says why not.
pub(super) fn read(body: &serde_json::Value, settings: &UpstreamConfig) -> Result<Metadata, UpstreamFault> {
    let document = Document::deserialize(body).map_err(|_| UpstreamFault::Malformed)?;
    // OpenID Connect Discovery §4.3: MUST be identical. As bytes: no URL parser decides what is alike.
    if document.issuer != settings.issuer {
        return Err(UpstreamFault::IssuerMismatch);
    }
    let needed = |endpoint: Option<String>| endpoint.ok_or(UpstreamFault::EndpointMissing);
    let front = |text: String| front_channel(&text, settings);
    let back = |text: String| back_channel(&text, settings);
    let methods = document.token_endpoint_auth_methods_supported.unwrap_or_default();
    let takes = |method: &str| methods.iter().any(|known| known == method);
    Ok(Metadata {
        authorization: front(needed(document.authorization_endpoint)?)?,
        token: back(needed(document.token_endpoint)?)?,
        keys: back(needed(document.jwks_uri)?)?,
        userinfo: document.userinfo_endpoint.map(back).transpose()?,
        end_session: document.end_session_endpoint.map(front).transpose()?,
        answers_name_it: document.authorization_response_iss_parameter_supported,
        knows_offline_access: document.scopes_supported.is_none_or(|scopes| scopes.iter().any(|scope| scope == "offline_access")),
        // Without a list it is client_secret_basic (OpenID Connect Discovery §3).
        wants_secret_in_form: takes("client_secret_post") && !takes("client_secret_basic"),
    })
}

/// An endpoint that browsers are sent to: at the issuer's origin and nowhere else.
fn front_channel(text: &str, settings: &UpstreamConfig) -> Result<Url, UpstreamFault> {
    let url = parse(text)?;
    if origin(&url) == settings.origin() { Ok(url) } else { Err(foreign_or_insecure(&url)) }
}

/// An endpoint that we call: at the issuer's origin, at `backchannel_origin`, or at one of `endpoint_origins`. With a
/// `backchannel_origin` the calls to the issuer's own endpoints go there.
fn back_channel(text: &str, settings: &UpstreamConfig) -> Result<Url, UpstreamFault> {
    let url = parse(text)?;
    let origin = origin(&url);
    if origin == settings.origin() {
        return at_backchannel(url, settings);
    }
    let is_named = settings.backchannel_origin.iter().chain(&settings.endpoint_origins).any(|named| *named == origin);
    if is_named { Ok(url) } else { Err(foreign_or_insecure(&url)) }
}

fn parse(text: &str) -> Result<Url, UpstreamFault> {
    let url = Url::parse(text).map_err(|_| UpstreamFault::Malformed)?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if is_plain && text.len() <= ENDPOINT_CHARACTERS_MAX { Ok(url) } else { Err(UpstreamFault::Malformed) }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Which of the two it is does not matter for the refusal; it does for who must repair it.
fn foreign_or_insecure(url: &Url) -> UpstreamFault {
    if url.scheme() == "https" { UpstreamFault::EndpointForeign } else { UpstreamFault::EndpointInsecure }
}

/// Where we reach what browsers find at this URL.
pub(super) fn at_backchannel(url: Url, settings: &UpstreamConfig) -> Result<Url, UpstreamFault> {
    let Some(origin) = &settings.backchannel_origin else { return Ok(url) };
    let path_and_query = &url[url::Position::BeforePath..];
    Url::parse(&format!("{origin}{path_and_query}")).map_err(|_| UpstreamFault::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{
        config::{Layers, Override, resolve},
        upstream::discovery,
    };

    fn settings(more: &str) -> UpstreamConfig {
        let row = format!("[[upstream]]\nid = \"one\"\nissuer = \"https://id.example/realms/x\"\nclient_id = \"y\"\n{more}");
        let table: toml::Table = row.parse().unwrap();
        let rows = Override { key: "upstream", value: table["upstream"].clone(), flag: "--test" };
        resolve(Layers::gather(None, std::iter::empty(), [rows]).unwrap()).unwrap().upstreams.remove(0)
    }

    fn document(token_endpoint: &str) -> serde_json::Value {
        json!({
            "issuer": "https://id.example/realms/x",
            "authorization_endpoint": "https://id.example/auth?kind=person",
            "token_endpoint": token_endpoint,
            "jwks_uri": "https://id.example:443/keys",
        })
    }

    proptest! {
        /// Attack 59: whatever an endpoint looks like, a believed one has the issuer's origin.
        #[test]
        fn no_spelling_leads_elsewhere(front in "[a-z:/@.\\\\?#%\\[\\]0-9]{0,12}", back in "[a-z:/@.\\\\?#%0-9]{0,24}") {
            for text in [format!("{front}{back}"), format!("https://id.example{back}"), format!("https:{front}id.example{back}")] {
                if let Ok(metadata) = read(&document(&text), &settings("")) {
                    prop_assert_eq!(origin(&metadata.token), "https://id.example", "{}", text);
                }
            }
        }
    }

    #[test]
    fn the_document_lies_below_the_issuer_wherever_that_is_reached() {
        let address = |more: &str| discovery::address(&settings(more)).unwrap().to_string();
        assert_eq!(address(""), "https://id.example/realms/x/.well-known/openid-configuration");
        let behind = address("backchannel_origin = \"http://keycloak:8080\"");
        assert_eq!(behind, "http://keycloak:8080/realms/x/.well-known/openid-configuration");
    }

    /// With a backchannel_origin our calls go there, and browsers do not.
    #[test]
    fn calls_go_behind_the_scenes_and_browsers_do_not() {
        let settings = settings("backchannel_origin = \"http://keycloak:8080\"");
        let metadata = read(&document("https://id.example/token?x=1"), &settings).unwrap();
        assert_eq!(metadata.token.as_str(), "http://keycloak:8080/token?x=1");
        assert_eq!(metadata.keys.as_str(), "http://keycloak:8080/keys");
        assert_eq!(metadata.authorization.as_str(), "https://id.example/auth?kind=person");
    }

    /// Google keeps its endpoints at three origins: the operator may name them, one by one.
    #[test]
    fn an_origin_that_the_operator_named_is_believed() {
        let elsewhere = document("https://oauth2.example/token");
        assert_eq!(read(&elsewhere, &settings("")).map(drop), Err(UpstreamFault::EndpointForeign));
        let named = settings("endpoint_origins = [\"https://oauth2.example\"]");
        assert_eq!(read(&elsewhere, &named).unwrap().token.as_str(), "https://oauth2.example/token");
        let mut moved = document("https://id.example/token");
        moved["authorization_endpoint"] = json!("https://oauth2.example/auth");
        assert_eq!(read(&moved, &named).map(drop), Err(UpstreamFault::EndpointForeign), "browsers go to the issuer and nowhere else");
    }
}
