//! A registration request as it travels: one JSON object, of which we first want to know the server's own members.

use actix_web::{HttpRequest, web::Payload};
use oauth_types::{ClientMetadata, Error, MetadataFault};
use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::http::extract::read_json;

/// Sixteen redirect URIs, a logo, links and a key set stay under it.
const BODY_BYTES_MAX: usize = 32 * 1024;

/// Members that a server reads, to name the one that has the wrong type.
const MEMBERS: [&str; 16] = [
    "redirect_uris",
    "token_endpoint_auth_method",
    "grant_types",
    "response_types",
    "application_type",
    "client_name",
    "client_uri",
    "logo_uri",
    "scope",
    "contacts",
    "tos_uri",
    "policy_uri",
    "jwks_uri",
    "jwks",
    "software_id",
    "software_version",
];

/// The members of a request.
#[derive(Debug)]
pub(super) struct Members(Map<String, Value>);

/// Reads the body of a registration or an update.
///
/// # Errors
/// `invalid_request` where there is no JSON to speak of, `invalid_client_metadata` (RFC 7591 §3.2.2) where it is no object.
pub(super) async fn read(request: &HttpRequest, body: Payload) -> Result<Members, Error> {
    match read_json(request, &mut body.into_inner(), BODY_BYTES_MAX).await? {
        Value::Object(members) => Ok(Members(members)),
        _ => Err(Error::InvalidClientMetadata(MetadataFault::NotAnObject)),
    }
}

impl Members {
    /// The text of a member.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Does the request carry this member at all?
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The client metadata among them; what is not metadata is ignored (RFC 7591 §2), so what only the server may say is too (attack 20).
    pub(super) fn metadata(self) -> Result<ClientMetadata, Error> {
        let whole = Value::Object(self.0);
        metadata_of(&whole).ok_or_else(|| {
            let alone = |member: &str| Some(Value::Object(Map::from_iter([(member.to_owned(), whole.get(member)?.clone())])));
            let is_wrong = |member: &&str| alone(member).is_some_and(|alone| metadata_of(&alone).is_none());
            let member = MEMBERS.into_iter().find(is_wrong).unwrap_or("metadata");
            Error::InvalidClientMetadata(MetadataFault::MemberMalformed(member))
        })
    }
}

/// `None` where a member has the wrong type.
fn metadata_of(value: &Value) -> Option<ClientMetadata> {
    ClientMetadata::deserialize(value).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Members {
        let Value::Object(members) = value else { panic!("a test sends an object") };
        Members(members)
    }

    /// Attack 20: server values win, because the client's are not read.
    #[test]
    fn members_that_are_not_metadata_are_ignored() {
        let asked = json!({ "client_name": "A", "client_id": "chosen", "client_secret": "chosen", "registration_access_token": "x", "x": [1, { "y": null }] });
        let metadata = members(asked).metadata().unwrap();
        assert_eq!(metadata, ClientMetadata { client_name: Some("A".to_owned()), ..ClientMetadata::default() });
    }

    #[test]
    fn null_is_absent() {
        assert_eq!(members(json!({ "scope": null, "redirect_uris": null })).metadata().unwrap(), ClientMetadata::default());
    }

    #[test]
    fn a_member_of_the_wrong_type_is_named() {
        for (name, value) in
            [("redirect_uris", json!("x")), ("client_name", json!(1)), ("grant_types", json!([null])), ("scope", json!(["a"]))]
        {
            match members(json!({ "software_id": "s", name: value })).metadata() {
                Err(Error::InvalidClientMetadata(MetadataFault::MemberMalformed(named))) => assert_eq!(named, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
