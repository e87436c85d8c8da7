//! What a protected resource says about itself (RFC 9728 §2).

use serde::{Deserialize, Serialize};

use crate::{IssuerUrl, ResourceUri};

/// What a protected resource says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the members of the RFC, under their names")]
pub struct ProtectedResourceMetadata {
    pub resource: ResourceUri,
    // Exactly one of ours: hosted clients read only the first.
    #[serde(default)]
    pub authorization_servers: Vec<IssuerUrl>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bearer_methods_supported: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_documentation: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_apply_is_absent_and_never_null() {
        let document = ProtectedResourceMetadata {
            resource: ResourceUri::parse("https://rs.example/mcp").unwrap(),
            authorization_servers: vec![IssuerUrl::parse("https://as.example").unwrap()],
            scopes_supported: vec!["mcp:read".to_owned()],
            bearer_methods_supported: vec!["header".to_owned()],
            resource_name: None,
            resource_documentation: None,
        };
        let text = serde_json::to_string(&document).unwrap();
        assert_eq!(
            text,
            "{\"resource\":\"https://rs.example/mcp\",\"authorization_servers\":[\"https://as.example\"],\
             \"scopes_supported\":[\"mcp:read\"],\"bearer_methods_supported\":[\"header\"]}"
        );
        assert_eq!(serde_json::from_str::<ProtectedResourceMetadata>(&text).unwrap(), document);
    }
}
