//! Token introspection: `POST /introspect`.
//!
//! RFC 7662. A protected resource asks about a token that it was shown, or a confidential client about one of its own. Whoever asks
//! proves themselves first, and learns nothing about tokens that are not theirs: an unknown, expired, ended or foreign token is
//! `{"active":false}` and nothing else (§2.2; attack 42). By POST only, so that no token lands in a log of URLs (§2.1).

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use oauth_types::{AccessClaims, Bug, ClientFault, Error, TokenFault, TokenHash};
use serde::Serialize;

use crate::{
    App, access_token,
    client::auth::{self, Asker, Credentials},
    http::{
        extract::StrictForm,
        reply::{self, AsJson},
    },
    keys::is_refresh_token,
};

const INACTIVE: &[u8] = br#"{"active":false}"#;
/// Claims of one token with a long client id.
const ANSWER_BYTES_TYPICAL: usize = 640;

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
    let answer = if is_refresh_token(token) { refresh(&app, token, &asker).await? } else { access(&app, token, &asker)? };
    Ok(reply::json_bytes(StatusCode::OK, answer.unwrap_or_else(|| INACTIVE.to_vec())))
}

/// RFC 7662 §2.1: "the endpoint MUST also require some form of authorization". Naming oneself is none.
async fn authenticate<'a>(app: &'a App, request: &HttpRequest, form: &StrictForm) -> Result<Asker<'a>, Error> {
    let credentials = Credentials::of(request, form)?;
    match auth::prove_asker(&app.config.resource_servers, &app.store, app.clock.now(), credentials).await? {
        Asker::Client(client) if !client.is_confidential() => Err(Error::InvalidClient(ClientFault::NotAResourceServer)),
        asker => Ok(asker),
    }
}

/// Is this token the asker's? The answer is for the log.
fn is_of(asker: &Asker<'_>, claims: &AccessClaims) -> Result<(), &'static str> {
    match asker {
        Asker::ResourceServer(server) if claims.aud == server.resource.as_str() => Ok(()),
        Asker::ResourceServer(_) => Err(TokenFault::AudienceMismatch.reason()),
        Asker::Client(client) if claims.client_id == client.id().as_str() => Ok(()),
        Asker::Client(_) => Err(ClientFault::NotTheTokensClient.reason()),
    }
}

/// An access token, if it is good and the asker's.
fn access(app: &App, token: &str, asker: &Asker<'_>) -> Result<Option<Vec<u8>>, Error> {
    let claims = match access_token::good(&app.keys, &app.store, token) {
        Ok(claims) => claims,
        Err(Error::InvalidToken(fault)) => return Ok(withheld(fault.reason())),
        Err(error) => return Err(error),
    };
    if let Err(why) = is_of(asker, &claims) {
        return Ok(withheld(why));
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

/// The asker is told nothing; an operator who wonders why everything is inactive finds it here.
fn withheld(why: &'static str) -> Option<Vec<u8>> {
    tracing::debug!(event = "introspection.withheld", why, "answered that a token is inactive: {why}");
    None
}

/// The newest refresh token of a grant, if it is the asker's and stands.
async fn refresh(app: &App, token: &str, asker: &Asker<'_>) -> Result<Option<Vec<u8>>, Error> {
    // A resource is shown access tokens; a refresh token in its hands is somebody's mistake, and stays unknown to it.
    let Asker::Client(client) = asker else { return Ok(withheld("refresh_token_shown_to_a_resource")) };
    let Ok(name) = app.keys.read_refresh(token) else { return Ok(None) };
    let Some(row) = app.store.grant(&name.grant).await? else { return Ok(None) };
    let now = app.clock.now();
    let is_newest = row.refresh_hash.as_ref() == Some(&TokenHash::of(token.as_bytes()));
    let expires = row.refresh_expires_at.unwrap_or(row.expires_at).min(row.expires_at);
    if row.client_id != *client.id() || !is_newest || row.is_ended() || expires <= now {
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
        .map_err(|cause| Error::ServerError(Bug::caused("could not write an introspection answer", cause)))?;
    Ok(body)
}
