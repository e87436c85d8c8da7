//! Clients: applications that may ask.
//!
//! Owns the way from an id to a client ([`resolve`]), its proof (`auth.rs`) and the rules for what it may register (`metadata.rs`).
//! Where a client is kept is the store's business. An id that is a URL (a client described by its own document) resolves here too,
//! once documents are fetched; until then it is a client that nobody knows.

pub(crate) mod auth;
pub(crate) mod metadata;

use std::sync::Arc;

use oauth_types::{ClientFault, ClientId, Error};

use crate::store::{ClientRow, Store};

/// The client of this id, which must stand.
///
/// # Errors
/// `invalid_client`: nobody registered it, or it was deleted. `temporarily_unavailable`: the store does not answer.
pub(crate) async fn resolve(store: &Store, id: &ClientId) -> Result<Arc<ClientRow>, Error> {
    let row = store.client(id).await?.ok_or(Error::InvalidClient(ClientFault::Unknown))?;
    if row.ended_at.is_some() {
        return Err(Error::InvalidClient(ClientFault::Deleted));
    }
    Ok(row)
}

/// What a client may present for tokens (RFC 7591 §2 `grant_types`). Discovery publishes [`GrantType::ALL`], registration accepts it,
/// and `POST /token` has one `match` over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
}

impl GrantType {
    /// Every grant that is built.
    pub(crate) const ALL: [Self; 2] = [Self::AuthorizationCode, Self::RefreshToken];

    /// Its name in metadata and requests.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
        }
    }

    /// The grant of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == name)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use oauth_types::{RedirectUri, Timestamp};

    use super::*;
    use crate::store::{AuthMethod, ClientKind};

    /// A public client as registration makes it.
    pub(crate) fn row(id: &str) -> ClientRow {
        ClientRow {
            client_id: ClientId::parse(id).unwrap(),
            name: "App".to_owned(),
            kind: ClientKind::Registered,
            redirect_uris: vec![RedirectUri::parse("https://app.example/cb").unwrap()],
            auth_method: AuthMethod::None,
            secret_hash: None,
            secret_expires_at: None,
            grant_types: GrantType::ALL.map(|grant| grant.as_str().to_owned()).to_vec(),
            scope: None,
            registration_token_hash: None,
            metadata: serde_json::Value::Null,
            metadata_digest: String::new(),
            created_at: Timestamp(0),
            last_used_at: None,
            ended_at: None,
            ended_before: None,
        }
    }
}
