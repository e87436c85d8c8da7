//! What we publish about ourselves. Documents are derived from what is really on, never typed by hand, written once at start and sent
//! as they are.
//!
//! RFC 8414 and OpenID Connect Discovery at the root of the origin, and with the path of each resource behind them: clients of the
//! 2025-03-26 revision and ChatGPT ask the MCP host that way (checklist 15). One string is the issuer everywhere (checklist 8).

pub(crate) mod authorization_server;
pub(crate) mod jwks;
pub(crate) mod openid;

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
}

impl Documents {
    /// Writes the documents of this configuration.
    pub(crate) fn new(config: &Config) -> Self {
        let metadata = authorization_server::describe(config);
        let openid = openid::describe(&metadata, config.keys.algorithm);
        Self {
            authorization_server: written(&metadata),
            openid: written(&openid),
            resources: config.resources.iter().map(|resource| resource.path.trim_start_matches('/').to_owned()).collect(),
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
