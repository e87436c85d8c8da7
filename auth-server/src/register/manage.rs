//! The life of a registration: GET, PUT and DELETE `/register/{client_id}`.
//!
//! RFC 7592. The client shows its registration access token. A wrong token, another client's and an unknown client are one answer
//! (§2.1: 401), so nobody learns here which clients exist. An update replaces everything and hands out a new token; a deletion ends
//! every grant of the client (§2.3) and leaves a tombstone, so that its next request is told to register again.

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Path, Payload},
};
use oauth_types::{
    ClientId, ClientInformation, ClientMetadata, ClientSecret, Error, MetadataFault, RegistrationTokenSecret, TokenFault, TokenHash,
};
use std::sync::Arc;

use super::{fresh_registration_token, fresh_secret, information, row_of, wire};
use crate::{
    App, audit,
    client::metadata::Accepted,
    http::{
        extract,
        reply::{self, AsChallenge},
        trace::{self, Story},
    },
    routes,
    store::{AuthMethod, ClientRow, NewClient},
};

/// RFC 7592 §2.2: what an update MUST NOT carry.
const FORBIDDEN: [&str; 4] = ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"];

/// Compared with when there is no row, so that an unknown client takes as long as a known one.
const NOBODY: TokenHash = TokenHash::from_bytes([0; 32]);

/// `GET /register/{client_id}` (RFC 7592 §2.1)
pub(crate) async fn get(app: Data<App>, request: HttpRequest, client_id: Path<String>) -> Result<HttpResponse, AsChallenge> {
    let managed = Managed::prove(&app, &request, &client_id).await?;
    tell(&request, &managed, "client.read");
    Ok(reply::json(StatusCode::OK, &managed.information(&app)))
}

/// `PUT /register/{client_id}` (RFC 7592 §2.2)
pub(crate) async fn put(app: Data<App>, request: HttpRequest, client_id: Path<String>, body: Payload) -> Result<HttpResponse, AsChallenge> {
    let managed = Managed::prove(&app, &request, &client_id).await?;
    let members = wire::read(&request, body).await?;
    let shown_secret = managed.judge_members(&members)?;
    let accepted = Accepted::judge(members.metadata()?, &app.policy, &app.config.every_scope())?;
    let answer = replace(&app, &managed.row, accepted, shown_secret, &request).await?;
    tell(&request, &managed, "client.replaced");
    Ok(reply::json(StatusCode::OK, &answer))
}

/// `DELETE /register/{client_id}` (RFC 7592 §2.3)
pub(crate) async fn delete(app: Data<App>, request: HttpRequest, client_id: Path<String>) -> Result<HttpResponse, AsChallenge> {
    let managed = Managed::prove(&app, &request, &client_id).await?;
    let (now, id) = (app.clock.now(), &managed.row.client_id);
    let event = audit::about_client("client.deleted", id, now, audit::trail(&request));
    // Whoever comes second finds it deleted already, which is what it wanted.
    app.store.delete_client(id, now, event).await.map_err(Error::from)?;
    tell(&request, &managed, "client.deleted");
    Ok(reply::no_content())
}

fn tell(request: &HttpRequest, managed: &Managed, event: &'static str) {
    trace::tell(request, Story { event: Some(event), client: Some(managed.row.client_id.to_string()), ..Story::default() });
}

/// A client whose registration token was shown. Only [`Managed::prove`] makes one.
struct Managed {
    row: Arc<ClientRow>,
    token: RegistrationTokenSecret,
}

impl Managed {
    /// Compares the token before anything is said about the client.
    async fn prove(app: &App, request: &HttpRequest, client_id: &str) -> Result<Self, Error> {
        let token = RegistrationTokenSecret::new(extract::bearer(request)?);
        // An id that is none has no client, which is not told apart.
        let row = match ClientId::parse(client_id) {
            Ok(id) => app.store.client(&id).await?,
            Err(_) => None,
        };
        let row = row.filter(|row| row.ended_at.is_none());
        let known = row.as_ref().and_then(|row| row.registration_token_hash).unwrap_or(NOBODY);
        let is_right = known == token.hash();
        match row {
            Some(row) if is_right => Ok(Self { row, token }),
            // The log tells them apart.
            None => Err(Error::InvalidToken(TokenFault::RegistrationClientUnknown)),
            Some(_) => Err(Error::InvalidToken(TokenFault::RegistrationTokenMismatch)),
        }
    }

    /// What is registered, with the token that was shown. The secret cannot be: only its hash is kept.
    fn information(self, app: &App) -> ClientInformation {
        ClientInformation {
            client_id: self.row.client_id.to_string(),
            client_id_issued_at: self.row.created_at.0,
            client_secret: None,
            client_secret_expires_at: None,
            registration_access_token: Some(self.token.expose().to_owned()),
            registration_client_uri: Some(app.config.issuer.at(&routes::registration_of(self.row.client_id.as_str()))),
            // What is stored was our own echo; should it ever not read, the columns still stand.
            metadata: serde_json::from_value::<ClientMetadata>(self.row.metadata.clone()).unwrap_or_default(),
        }
    }

    /// RFC 7592 §2.2: the client_id must be there and be right, a secret must be the client's own, and some members are ours alone.
    fn judge_members(&self, members: &wire::Members) -> Result<Option<ClientSecret>, Error> {
        let refused = |fault| Err(Error::InvalidClientMetadata(fault));
        if let Some(member) = FORBIDDEN.into_iter().find(|member| members.has(member)) {
            return refused(MetadataFault::ForbiddenMember(member));
        }
        if members.text("client_id") != Some(self.row.client_id.as_str()) {
            return refused(MetadataFault::ClientIdMismatch);
        }
        if !members.has("client_secret") {
            return Ok(None);
        }
        let shown = members.text("client_secret").map(ClientSecret::new);
        match shown {
            Some(shown) if self.row.secret_hash == Some(shown.hash()) => Ok(Some(shown)),
            // The client MUST NOT choose its own secret.
            _ => refused(MetadataFault::ForbiddenMember("client_secret")),
        }
    }
}

/// Puts the new metadata in the place of the old. A client that stays confidential keeps its secret, one that becomes so gets one.
async fn replace(
    app: &App,
    old: &ClientRow,
    accepted: Accepted,
    shown: Option<ClientSecret>,
    request: &HttpRequest,
) -> Result<ClientInformation, Error> {
    let (now, id) = (app.clock.now(), &old.client_id);
    let keeps_secret = old.auth_method != AuthMethod::None && accepted.auth_method != AuthMethod::None;
    let fresh = if keeps_secret { None } else { fresh_secret(accepted.auth_method) };
    let token = fresh_registration_token();
    let row = ClientRow {
        kind: old.kind,
        secret_hash: if keeps_secret { old.secret_hash } else { fresh.as_ref().map(ClientSecret::hash) },
        secret_expires_at: old.secret_expires_at.filter(|_| keeps_secret),
        registration_token_hash: Some(token.hash()),
        last_used_at: old.last_used_at,
        ..row_of(id, &accepted, old.created_at)?
    };
    let audit = audit::about_client("client.replaced", id, now, audit::trail(request));
    if !app.store.replace_client(NewClient { row, audit }).await? {
        // Deleted meanwhile: as if it had been before.
        return Err(Error::InvalidToken(TokenFault::RegistrationClientUnknown));
    }
    let told = fresh.or_else(|| shown.filter(|_| keeps_secret));
    Ok(information(app, id, old.created_at, accepted, told.as_ref(), &token))
}
