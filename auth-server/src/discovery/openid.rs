//! The same facts in the OpenID Connect flavour: `GET /.well-known/openid-configuration`.
//!
//! We are no OpenID provider: no ID token is issued, no `openid` scope listed. Some clients only look here, and the TypeScript SDK reads
//! the document by the OpenID schema, which wants two members more (OpenID Connect Discovery §3).

use actix_web::{HttpRequest, HttpResponse, web::Data};
use oauth_types::AuthorizationServerMetadata;

use crate::{App, config::SigningAlgorithm};

/// `GET /.well-known/openid-configuration`
pub(crate) async fn get(app: Data<App>, request: HttpRequest) -> HttpResponse {
    app.documents.answer(&request, &app.documents.openid)
}

/// Adds what the OpenID schema requires: subjects are the same for every client, and this is what our keys sign with.
pub(super) fn describe(metadata: &AuthorizationServerMetadata, algorithm: SigningAlgorithm) -> AuthorizationServerMetadata {
    AuthorizationServerMetadata {
        subject_types_supported: vec!["public".to_owned()],
        id_token_signing_alg_values_supported: vec![algorithm.as_str().to_owned()],
        ..metadata.clone()
    }
}
