//! Protected resource metadata of the services: `GET /.well-known/oauth-protected-resource/{path of the service}`.
//!
//! RFC 9728 §2, §3.1. A resource that checks tokens itself publishes its own document; a service that knows nothing of OAuth has it
//! published here, on the same origin. `resource` is exactly the URL whose path stands behind the well-known one (§3.3).

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use bytes::Bytes;
use oauth_types::ProtectedResourceMetadata;

use super::{CACHE, written};
use crate::{
    App,
    config::{Config, Service},
    http::{reply, route},
};

/// The documents by the path of their resource, without the first slash.
pub(super) fn documents(config: &Config) -> HashMap<Box<str>, Bytes> {
    let document = |service: &Service| written(&describe(service, config));
    config.services.iter().map(|service| (service.resource.path.trim_start_matches('/').into(), document(service))).collect()
}

fn describe(service: &Service, config: &Config) -> ProtectedResourceMetadata {
    let resource = &service.resource;
    ProtectedResourceMetadata {
        resource: resource.uri.as_str().to_owned(),
        // Exactly one: hosted clients read the first and no other.
        authorization_servers: vec![config.issuer.as_str().to_owned()],
        scopes_supported: resource.scopes.iter().map(str::to_owned).collect(),
        bearer_methods_supported: vec!["header".to_owned()],
        resource_name: Some(resource.name.clone()),
        ..ProtectedResourceMetadata::default()
    }
}

/// `GET /.well-known/oauth-protected-resource/{resource}`
pub(crate) async fn get(app: Data<App>, request: HttpRequest) -> HttpResponse {
    let path = request.match_info().get("resource").unwrap_or_default();
    match app.documents.protected_resources.get(path.strip_suffix('/').unwrap_or(path)) {
        Some(document) => reply::prepared_json(document.clone(), CACHE),
        None => route::nobody_here(&request),
    }
}
