//! A registration request as it travels: one JSON object, of which we first want to know the server's own members.

use actix_web::{HttpRequest, web::Payload};
use oauth_types::{ClientMetadata, Error, MetadataFault, RequestFault};
use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::http::extract::{JsonFault, read_json};

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
/// RFC 7591 §3.2.2: what cannot be read as metadata is `invalid_client_metadata`; too large and too slow keep their own status.
pub(super) async fn read(request: &HttpRequest, body: Payload) -> Result<Members, Error> {
    let value = read_json(request, &mut body.into_inner(), BODY_BYTES_MAX).await.map_err(|fault| match fault {
        JsonFault::Request(error) => error,
        JsonFault::Unreadable(RequestFault::JsonTooDeep) => Error::InvalidClientMetadata(MetadataFault::TooDeep),
        JsonFault::Unreadable(_) => Error::InvalidClientMetadata(MetadataFault::NotAnObject),
    })?;
    match value {
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
