//! What we publish about ourselves. Documents are derived from what is really on, never typed by hand, written once at start and sent
//! as they are.
//!
//! RFC 8414 and OpenID Connect Discovery at the root of the origin, and with the path of each resource behind them: clients of the
//! 2025-03-26 revision and ChatGPT ask the MCP host that way (checklist 15). One string is the issuer everywhere (checklist 8).

pub(crate) mod authorization_server;
pub(crate) mod jwks;
pub(crate) mod openid;
pub(crate) mod protected_resource;

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;

use crate::{
    config::Config,
    http::{reply, route},
};

/// Minutes, not days: hosted clients keep it for about five themselves, and a changed setting should arrive (checklist 18).
const CACHE: &str = "public, max-age=300";

/// The documents, ready to send.
#[derive(Debug, Clone)]
pub(crate) struct Documents {
    authorization_server: Bytes,
    openid: Bytes,
    /// Paths of the resources, without the first slash: what may stand behind a well-known path.
    resources: Vec<String>,
    /// What the services would publish themselves if they knew how, by their path without the first slash.
    protected_resources: HashMap<Box<str>, Bytes>,
}

impl Documents {
    /// Writes the documents of this configuration.
    pub(crate) fn new(config: &Config) -> Self {
        let metadata = authorization_server::describe(config);
        let openid = openid::describe(&metadata, config);
        Self {
            authorization_server: written(&metadata),
            openid: written(&openid),
            resources: config.resources.iter().map(|resource| resource.path.trim_start_matches('/').to_owned()).collect(),
            protected_resources: protected_resource::documents(config),
        }
    }

    /// Sends a document where it is ours: at the root, or behind the path of a resource. Elsewhere there is nothing (checklist 3).
    fn answer(&self, request: &HttpRequest, document: &Bytes) -> HttpResponse {
        match request.match_info().get("resource") {
            Some(path) if !self.resources.iter().any(|known| known == path) => route::nobody_here(request),
            _ => reply::prepared_json(document.clone(), CACHE),
        }
    }
}

fn written(document: &impl serde::Serialize) -> Bytes {
    // Structs of strings and booleans always serialise.
    serde_json::to_vec(document).map(Bytes::from).expect("a document of strings serialises")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::{Layers, Override, resolve};

    fn documents(settings: &[(&'static str, &str)]) -> (Value, Value) {
        let value = |text: &str| text.parse::<bool>().map_or_else(|_| text.into(), Into::into);
        let overrides = settings.iter().map(|(key, text)| Override { key, value: value(text), flag: "--test" });
        let documents = Documents::new(&resolve(Layers::gather(None, std::iter::empty(), overrides).unwrap()).unwrap());
        (serde_json::from_slice(&documents.authorization_server).unwrap(), serde_json::from_slice(&documents.openid).unwrap())
    }

    /// Spec and clients §8, without what is not built, with introspection.
    #[test]
    fn the_document_says_what_is_on_and_nothing_else() {
        let (document, _) = documents(&[("server.public_url", "https://mcp.example.com")]);
        assert_eq!(
            document,
            json!({
                "issuer": "https://mcp.example.com",
                "authorization_endpoint": "https://mcp.example.com/authorize",
                "token_endpoint": "https://mcp.example.com/token",
                "registration_endpoint": "https://mcp.example.com/register",
                "revocation_endpoint": "https://mcp.example.com/revoke",
                "introspection_endpoint": "https://mcp.example.com/introspect",
                "jwks_uri": "https://mcp.example.com/jwks.json",
                "scopes_supported": ["mcp:infer", "mcp:read", "mcp:write", "offline_access"],
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
                "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
                "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "ui_locales_supported": ["en", "de"],
                "protected_resources": ["https://mcp.example.com/mcp"],
                "authorization_response_iss_parameter_supported": true
            })
        );
    }

    /// The TypeScript SDK parses this document by the OpenID schema and fails without these members.
    #[test]
    fn the_openid_document_has_the_same_facts_and_what_its_schema_requires() {
        let (oauth, openid) = documents(&[("keys.algorithm", "EdDSA")]);
        for (member, value) in oauth.as_object().unwrap() {
            assert_eq!(&openid[member], value, "{member}");
        }
        assert_eq!(openid["subject_types_supported"], json!(["public"]));
        assert_eq!(openid["id_token_signing_alg_values_supported"], json!(["EdDSA"]));
    }

    /// OpenID Connect Discovery §3: what is on stands in both documents; its nearest no is the document above.
    #[test]
    fn what_openid_adds_is_in_both_documents_when_it_is_on() {
        let (oauth, openid) =
            documents(&[("server.public_url", "https://mcp.example.com"), ("openid.subject", "pairwise"), ("openid.enabled", "true")]);
        insta::assert_json_snapshot!("openid_on", json!({"oauth": oauth, "openid": openid}));
    }

    /// CC#38102: a null registration endpoint breaks parsing; a closed door is left out.
    #[test]
    fn a_closed_registration_is_not_shown() {
        let (document, _) = documents(&[("registration.mode", "closed")]);
        assert!(document.get("registration_endpoint").is_none());
    }
}
