//! Is this access token good? Asked by introspection and revocation; later by forward-auth and the admin API.
//!
//! Two questions, always both: is it a living token of ours (`keys`: the signature once, then remembered), and did it, its grant, its
//! client, its person or their session end early (Ended, architecture.md 11a.3: asked each time). Whose audience it is, is the
//! question of whoever asks.

use std::sync::Arc;

use oauth_types::{AccessClaims, AccessFacts, Error, TokenFault};

use crate::{keys::KeyStore, store::Store};

/// The claims of a token that is good at this moment.
///
/// # Errors
/// `invalid_token` with the reason; `temporarily_unavailable` when what ended is not known freshly enough: never open.
pub(crate) fn good(keys: &KeyStore, store: &Store, token: &str) -> Result<Arc<AccessClaims>, Error> {
    let claims = keys.verify(token).map_err(Error::InvalidToken)?;
    let facts = AccessFacts {
        grant_id: &claims.grant_id,
        jti: &claims.jti,
        client_id: &claims.client_id,
        sub: &claims.sub,
        sid: claims.sid.as_deref(),
        iat: claims.iat,
    };
    match store.ended().is_ended(&facts) {
        Ok(false) => Ok(claims),
        Ok(true) => Err(Error::InvalidToken(TokenFault::Ended)),
        Err(outage) => Err(Error::TemporarilyUnavailable(outage)),
    }
}
