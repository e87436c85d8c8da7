//! Authorization server metadata: `GET /.well-known/oauth-authorization-server`.
//!
//! RFC 8414 §2, RFC 9207 §3. Every member is true and no member is `null` (checklist 4 to 7): what is not built is not listed.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use oauth_types::AuthorizationServerMetadata;

use crate::{App, client::GrantType, config::Config, i18n::Language, openid, policy::OFFLINE_ACCESS, routes, store::AuthMethod};

/// `GET /.well-known/oauth-authorization-server`
pub(crate) async fn get(app: Data<App>, request: HttpRequest) -> HttpResponse {
    app.documents.answer(&request, &app.documents.authorization_server)
}

/// Derives the document.
pub(super) fn describe(config: &Config) -> AuthorizationServerMetadata {
    let at = |path: &str| config.issuer.at(path);
    let secret_methods = || {
        AuthMethod::ALL.iter().filter(|method| **method != AuthMethod::None).map(|method| method.as_str().to_owned()).collect::<Vec<_>>()
    };
    AuthorizationServerMetadata {
        issuer: config.issuer.as_str().to_owned(),
        authorization_endpoint: at(routes::AUTHORIZE),
        token_endpoint: at(routes::TOKEN),
        registration_endpoint: config.registration.open.then(|| at(routes::REGISTER)),
        revocation_endpoint: Some(at(routes::REVOKE)),
        introspection_endpoint: Some(at(routes::INTROSPECT)),
        jwks_uri: Some(at(routes::JWKS)),
        scopes_supported: scopes(config),
        response_types_supported: vec!["code".to_owned()],
        response_modes_supported: vec!["query".to_owned()],
        grant_types_supported: GrantType::ALL.iter().map(|grant| grant.as_str().to_owned()).collect(),
        code_challenge_methods_supported: vec!["S256".to_owned()],
        token_endpoint_auth_methods_supported: AuthMethod::ALL.iter().map(|method| method.as_str().to_owned()).collect(),
        revocation_endpoint_auth_methods_supported: AuthMethod::ALL.iter().map(|method| method.as_str().to_owned()).collect(),
        // RFC 7662 §2.1: only a protected resource with credentials of its own may ask.
        introspection_endpoint_auth_methods_supported: secret_methods(),
        ui_locales_supported: Language::ALL.iter().map(|language| language.tag().to_owned()).collect(),
        protected_resources: config.resources.iter().map(|resource| resource.uri.as_str().to_owned()).collect(),
        authorization_response_iss_parameter_supported: Some(true),
        userinfo_endpoint: config.openid.enabled.then(|| at(routes::USERINFO)),
        ..AuthorizationServerMetadata::default()
    }
}

/// What can be granted. Hosted clients ask for every scope that stands here.
fn scopes(config: &Config) -> Vec<String> {
    let about_person = if config.openid.enabled { &openid::ABOUT_PERSON[..] } else { &[] };
    config.every_scope().iter().chain([OFFLINE_ACCESS]).chain(about_person.iter().copied()).map(str::to_owned).collect()
}
