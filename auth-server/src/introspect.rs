//! Token introspection: `POST /introspect`.
//!
//! RFC 7662. A protected resource asks about a token that it was shown, or a confidential client about one of its own. Whoever asks
//! proves themselves first, and learns nothing about tokens that are not theirs: an unknown, expired, ended or foreign token is
//! `{"active":false}` and nothing else (§2.2; attack 42). By POST only, so that no token lands in a log of URLs (§2.1).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};
use oauth_types::{ClientFault, Error};
use serde::Serialize;

use crate::{
    App, access_token,
    client::auth::{self, AuthenticatedClient, Credentials},
    config::ResourceServer,
    http::{
        extract::StrictForm,
        reply::{self, AsJson},
    },
    keys::is_refresh_token,
};

const INACTIVE: &[u8] = br#"{"active":false}"#;
/// Claims of one token with a long client id.
const ANSWER_BYTES_TYPICAL: usize = 640;

/// Who asks.
enum Asker<'a> {
    ResourceServer(&'a ResourceServer),
    Client(AuthenticatedClient),
}

/// RFC 7662 §2.2. Only what the asker may know anyhow: the claims of a token that it holds.
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    scope: &'a str,
    client_id: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    grant_id: &'a str,
}

/// `POST /introspect`
pub(crate) async fn post(app: Data<App>, request: HttpRequest, form: StrictForm) -> Result<HttpResponse, AsJson> {
    let asker = authenticate(&app, &request, &form).await?;
    let token = form.require("token")?;
    let answer = match &asker {
        // A resource is shown access tokens; a refresh token in its hands is somebody's mistake, and stays unknown to it.
        Asker::ResourceServer(_) if is_refresh_token(token) => None,
        Asker::ResourceServer(server) => access(&app, token, |claims| claims.aud == server.resource.as_str())?,
        Asker::Client(client) if is_refresh_token(token) => refresh(&app, token, client).await?,
        Asker::Client(client) => access(&app, token, |claims| claims.client_id == client.id().as_str())?,
    };
    Ok(reply::json_bytes(StatusCode::OK, answer.unwrap_or_else(|| INACTIVE.to_vec())))
}

/// RFC 7662 §2.1: "the endpoint MUST also require some form of authorization". Naming oneself is none.
async fn authenticate<'a>(app: &'a App, request: &HttpRequest, form: &StrictForm) -> Result<Asker<'a>, Error> {
    let credentials =
        Credentials::read(request.headers().get_all(header::AUTHORIZATION), form.get("client_id"), form.get("client_secret"))?;
    if let Some(server) = auth::resource_server(&app.config.resource_servers, &credentials) {
        return server.map(Asker::ResourceServer);
    }
    let client = auth::prove(&app.store, app.clock.now(), credentials).await?;
    if !client.is_confidential() {
        return Err(Error::InvalidClient(ClientFault::NotAResourceServer));
    }
    Ok(Asker::Client(client))
}

/// An access token, if it is good and the asker's.
fn access(app: &App, token: &str, is_askers: impl Fn(&oauth_types::AccessClaims) -> bool) -> Result<Option<Vec<u8>>, Error> {
    let claims = match access_token::good(&app.keys, &app.store, token) {
        Ok(claims) => claims,
        Err(Error::InvalidToken(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    if !is_askers(&claims) {
        return Ok(None);
    }
    write(&Active {
        active: true,
        scope: &claims.scope,
        client_id: &claims.client_id,
        sub: &claims.sub,
        token_type: Some("Bearer"),
        iss: &claims.iss,
        aud: &claims.aud,
        iat: claims.iat,
        exp: claims.exp,
        jti: Some(&claims.jti),
        sid: claims.sid.as_deref(),
        grant_id: &claims.grant_id,
    })
    .map(Some)
}

/// The newest refresh token of a grant, if it is the asker's and stands.
async fn refresh(app: &App, token: &str, client: &AuthenticatedClient) -> Result<Option<Vec<u8>>, Error> {
    let Ok(name) = app.keys.read_refresh(token) else { return Ok(None) };
    let Some(row) = app.store.grant(&name.grant).await? else { return Ok(None) };
    let now = app.clock.now();
    let is_newest = row.refresh_hash.as_ref() == Some(&oauth_types::TokenHash::of(token.as_bytes()));
    let expires = row.refresh_expires_at.unwrap_or(row.expires_at).min(row.expires_at);
    if row.client_id != *client.id()
        || !is_newest
        || row.ended_at.is_some()
        || row.client_ended
        || row.subject_ended
        || row.upstream_ended
        || expires <= now
    {
        return Ok(None);
    }
    let grant_id = row.grant_id.to_string();
    write(&Active {
        active: true,
        scope: row.scope.as_str(),
        client_id: row.client_id.as_str(),
        sub: row.subject.as_str(),
        token_type: None,
        iss: app.config.issuer.as_str(),
        aud: row.resource.as_str(),
        iat: row.rotated_at.unwrap_or(row.created_at).0,
        exp: expires.0,
        jti: None,
        sid: None,
        grant_id: &grant_id,
    })
    .map(Some)
}

fn write(active: &Active<'_>) -> Result<Vec<u8>, Error> {
    let mut body = Vec::with_capacity(ANSWER_BYTES_TYPICAL);
    serde_json::to_writer(&mut body, active)
        .map_err(|cause| Error::ServerError(oauth_types::Bug::caused("could not write an introspection answer", cause)))?;
    Ok(body)
}
