//! Documents that strangers read: no member is ever `null` (clients break on it), unknown members are ignored.

mod authorization_server;
mod client;
mod protected_resource;

pub use authorization_server::AuthorizationServerMetadata;
pub use client::{ClientInformation, ClientMetadata};
pub use protected_resource::ProtectedResourceMetadata;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Spec-and-clients 3.1: omit what does not apply; a `null` breaks clients.
    #[test]
    fn no_document_has_a_null() {
        let documents = [
            serde_json::to_string(&AuthorizationServerMetadata::default()).unwrap(),
            serde_json::to_string(&ProtectedResourceMetadata::default()).unwrap(),
            serde_json::to_string(&ClientMetadata::default()).unwrap(),
            serde_json::to_string(&ClientInformation::default()).unwrap(),
        ];
        for document in documents {
            assert!(!document.contains("null"), "{document}");
        }
    }

    /// RFC 7591 §2, RFC 8414 §3.2, RFC 9728 §3.2: unknown members are ignored.
    #[test]
    fn unknown_members_are_ignored() {
        let strange = json!({"x_flavour": {"a": [1, null]}, "client_id": "c", "client_id_issued_at": 1});
        assert_eq!(serde_json::from_value::<ClientMetadata>(strange.clone()).unwrap(), ClientMetadata::default());
        assert_eq!(serde_json::from_value::<ProtectedResourceMetadata>(strange.clone()).unwrap(), ProtectedResourceMetadata::default());
        assert_eq!(serde_json::from_value::<AuthorizationServerMetadata>(strange.clone()).unwrap(), AuthorizationServerMetadata::default());
        assert_eq!(serde_json::from_value::<ClientInformation>(strange).unwrap().client_id, "c");
    }

    #[test]
    fn a_member_of_the_wrong_type_is_an_error() {
        for wrong in [json!({"redirect_uris": "http://localhost/"}), json!({"client_name": 7}), json!({"grant_types": [1]})] {
            assert!(serde_json::from_value::<ClientMetadata>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    /// RFC 7591 §3.2.1: the answer is one flat object; a client without a secret sees none of its members.
    #[test]
    fn the_answer_to_a_registration_is_flat() {
        let information = ClientInformation {
            client_id: "c1".to_owned(),
            client_id_issued_at: 7,
            metadata: ClientMetadata { redirect_uris: Some(vec!["cursor://a/b".to_owned()]), ..ClientMetadata::default() },
            ..ClientInformation::default()
        };
        let value: Value = serde_json::to_value(&information).unwrap();
        assert_eq!(value, json!({"client_id": "c1", "client_id_issued_at": 7, "redirect_uris": ["cursor://a/b"]}));
        assert_eq!(serde_json::from_value::<ClientInformation>(value).unwrap(), information);
    }
}
