//! What a client says about itself (RFC 7591 §2), and what it is told back (§3.2.1).
//!
//! The wire form only: plain strings that nobody has judged yet. Clients send empty strings where they mean nothing at all, so these
//! read as absent. What the members may be is the authorization server's to decide.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// What a client says about itself, unjudged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the members of the RFC, under their names")]
pub struct ClientMetadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_uris: Option<Vec<String>>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_method: Option<String>,
    // SEP-3149: what a document offers, beside what it prefers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_types: Option<Vec<String>>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub application_type: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contacts: Option<Vec<String>>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub software_statement: Option<String>,
    // Only in a PUT (RFC 7592 §2.2) and in a client's own document; only the server may choose it.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    // The next four only the server may set; they are read so that sending them can be refused (RFC 7592 §2.2, CIMD §4).
    #[serde(deserialize_with = "text", skip_serializing)]
    pub client_secret: Option<String>,
    #[serde(skip_serializing)]
    pub client_secret_expires_at: Option<Value>,
    #[serde(deserialize_with = "text", skip_serializing)]
    pub registration_access_token: Option<String>,
    #[serde(deserialize_with = "text", skip_serializing)]
    pub registration_client_uri: Option<String>,
}

/// Empty is absent.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// The answer to a registration (RFC 7591 §3.2.1, RFC 7592 §3): everything as it was registered, and what the server added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the members of the RFCs, under their names")]
pub struct ClientInformation {
    pub client_id: String,
    pub client_id_issued_at: i64,
    // Present only for a client that has one; some clients take even an empty one for a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Present exactly when there is a secret; zero is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret_expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_access_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_client_uri: Option<String>,
    /// What was registered, which may be less than what was asked.
    #[serde(flatten)]
    pub metadata: ClientMetadata,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// RFC 7591 §2: the server MUST ignore members that it does not understand; clients send empty strings for nothing.
    #[test]
    fn unknown_members_are_ignored_and_empty_strings_are_absent() {
        let read: ClientMetadata = serde_json::from_value(json!({
            "redirect_uris": ["http://localhost/callback"], "scope": "", "client_name": "", "logo_uri": null, "x_flavour": {"a": [1]},
        }))
        .unwrap();
        assert_eq!(read.redirect_uris.as_deref(), Some(&["http://localhost/callback".to_owned()][..]));
        assert_eq!((read.scope, read.client_name, read.logo_uri, read.grant_types), (None, None, None, None));
    }

    #[test]
    fn a_member_of_the_wrong_type_is_an_error() {
        assert!(serde_json::from_value::<ClientMetadata>(json!({"redirect_uris": "http://localhost/"})).is_err());
        assert!(serde_json::from_value::<ClientMetadata>(json!({"client_name": 7})).is_err());
        assert!(serde_json::from_value::<ClientMetadata>(json!([])).is_err());
    }

    /// RFC 7591 §3.2.1: the answer is one object; a client without a secret sees none of its members.
    #[test]
    fn the_answer_is_flat_and_has_no_null() {
        let information = ClientInformation {
            client_id: "c1".to_owned(),
            client_id_issued_at: 7,
            client_secret: None,
            client_secret_expires_at: None,
            registration_access_token: None,
            registration_client_uri: None,
            metadata: ClientMetadata {
                redirect_uris: Some(vec!["cursor://a/b".to_owned()]),
                // What a client sent in place of the server is never echoed.
                client_secret: Some("mine".to_owned()),
                ..ClientMetadata::default()
            },
        };
        let text = serde_json::to_string(&information).unwrap();
        assert_eq!(text, "{\"client_id\":\"c1\",\"client_id_issued_at\":7,\"redirect_uris\":[\"cursor://a/b\"]}");
    }
}
