//! The same facts in the OpenID Connect flavour: `GET /.well-known/openid-configuration`.
//!
//! OpenID Connect Discovery §3. With `openid.enabled` off we are no OpenID provider: no ID token is issued, no `openid` scope listed.
//! Some clients only look here all the same, and the TypeScript SDK reads the document by the OpenID schema, which wants two members
//! more whatever is on.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use oauth_types::AuthorizationServerMetadata;

use crate::{App, config::Config};

/// Everything that an ID token or UserInfo may say (`token/issue.rs`, `userinfo.rs`).
const CLAIMS: [&str; 11] = ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "name", "preferred_username", "email"];
/// Beside `email`; it is never false.
const EMAIL_VERIFIED: &str = "email_verified";

/// `GET /.well-known/openid-configuration`
pub(crate) async fn get(app: Data<App>, request: HttpRequest) -> HttpResponse {
    app.documents.answer(&request, &app.documents.openid)
}

/// Adds what the OpenID schema requires, and what is true only where ID tokens are issued.
pub(super) fn describe(metadata: &AuthorizationServerMetadata, config: &Config) -> AuthorizationServerMetadata {
    let claims = CLAIMS.into_iter().chain([EMAIL_VERIFIED]).map(str::to_owned);
    AuthorizationServerMetadata {
        subject_types_supported: vec![config.openid.subject.as_str().to_owned()],
        id_token_signing_alg_values_supported: vec![config.keys.algorithm.as_str().to_owned()],
        claims_supported: if config.openid.enabled { claims.collect() } else { Vec::new() },
        ..metadata.clone()
    }
}
