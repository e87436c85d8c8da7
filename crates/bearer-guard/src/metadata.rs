//! The RFC 9728 document of a resource, made once, and where clients look for it.

use bytes::Bytes;
use oauth_types::{ProtectedResourceMetadata, ResourceUri};

use crate::GuardConfig;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The document and its paths on the resource's origin.
#[derive(Debug, Clone)]
pub struct Documents {
    body: Bytes,
    url: String,
    paths: Vec<String>,
}

impl Documents {
    pub(crate) fn of(config: &GuardConfig) -> Result<Self, serde_json::Error> {
        let document = ProtectedResourceMetadata {
            resource: config.resource.as_str().to_owned(),
            // Exactly one: hosted clients read the first and no other.
            authorization_servers: vec![config.issuer.as_str().to_owned()],
            scopes_supported: config.scopes_supported.iter().map(str::to_owned).collect(),
            bearer_methods_supported: vec!["header".to_owned()],
            ..ProtectedResourceMetadata::default()
        };
        let paths = paths(&config.resource);
        let url = format!("{}{}", config.resource.origin(), paths[0]);
        Ok(Self { body: serde_json::to_vec(&document)?.into(), url, paths })
    }

    /// The bytes, the same at every path.
    pub fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// Where challenges point to: on the resource's own origin, or some clients refuse it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where clients look for it: with the resource's path inserted (RFC 9728 §3.1), and at the root.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }
}

fn paths(resource: &ResourceUri) -> Vec<String> {
    let root = WELL_KNOWN.to_owned();
    match resource.path() {
        "" | "/" => vec![root],
        path => vec![format!("{WELL_KNOWN}{path}"), root],
    }
}
