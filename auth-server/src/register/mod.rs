//! Client registration: `POST /register`; `manage.rs` is what follows under `/register/{client_id}`.
//!
//! RFC 7591 §3. Anybody may register, because a registration grants nothing: it is a name for the consent page and a list of places
//! that an answer may go to. It is bound to no address and no session, and the same request twice makes two clients (hosted clients
//! register per connection, seconds apart, from several addresses). One that never gets a grant is swept after
//! `lifetimes.registration_unused`: the purge deletes rows without `last_used_at` that are older than that, and leaves nothing behind,
//! for nothing was ever given.

pub(crate) mod manage;
mod wire;

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use oauth_types::{Bug, ClientId, ClientInformation, ClientSecret, Error, Outage, RegistrationTokenSecret, Timestamp};

use crate::{
    App, audit,
    client::metadata::Accepted,
    http::{
        extract::ClientIp,
        reply::{self, AsJson},
        trace::{self, Story},
    },
    policy::{Decision, Question},
    routes, secret,
    store::{AuthMethod, ClientKind, ClientRow, NewClient, Trail},
};

/// `POST /register`
pub(crate) async fn post(app: Data<App>, request: HttpRequest, source: ClientIp, body: Payload) -> Result<HttpResponse, AsJson> {
    if let Decision::Refuse(refusal) = app.policy.decide(Question::Register) {
        return Err(Error::AccessDenied(refusal).into());
    }
    app.limits.registrations.spend(source.network(), app.clock.now())?;
    let wish = wire::read(&request, body).await?.metadata()?;
    let accepted = Accepted::judge(wish, &app.policy, &app.config.every_scope())?;
    let registered = register(&app, accepted, audit::trail(&request)).await?;
    trace::tell(&request, Story { event: Some("client.registered"), client: Some(registered.client_id.clone()), ..Story::default() });
    Ok(reply::json(StatusCode::CREATED, &registered))
}

/// Stores the client, and says what only this answer can: its secret and its registration token exist nowhere else.
async fn register(app: &App, accepted: Accepted, trail: Trail) -> Result<ClientInformation, Error> {
    if app.store.pending_clients().await? >= app.config.registration.pending_max {
        return Err(Error::TemporarilyUnavailable(Outage::new("registration.pending_max clients wait for their first use")));
    }
    let now = app.clock.now();
    let client_id = ClientId::parse(&secret::fresh_text::<16>("client_"))
        .map_err(|_| Error::ServerError(Bug::new("a fresh client_id did not parse")))?;
    let secret = fresh_secret(accepted.auth_method);
    let token = fresh_registration_token();
    let mut row = row_of(&client_id, &accepted, now)?;
    row.secret_hash = secret.as_ref().map(ClientSecret::hash);
    row.registration_token_hash = Some(token.hash());
    let audit = audit::about_client("client.registered", &client_id, now, trail);
    app.store.register(NewClient { row, audit }).await?;
    Ok(information(app, &client_id, now, accepted, secret.as_ref(), &token))
}

/// A client that registered `none` must not see a secret, not even an empty one: it would use it.
fn fresh_secret(method: AuthMethod) -> Option<ClientSecret> {
    (method != AuthMethod::None).then(|| ClientSecret::new(secret::fresh_text::<32>("pcs_")))
}

fn fresh_registration_token() -> RegistrationTokenSecret {
    RegistrationTokenSecret::new(secret::fresh_text::<32>("pra_"))
}

/// The row as it shall stand, without what proves the client.
fn row_of(client_id: &ClientId, accepted: &Accepted, created_at: Timestamp) -> Result<ClientRow, Error> {
    let metadata = serde_json::to_value(&accepted.echo)
        .map_err(|error| Error::ServerError(Bug::caused("client metadata did not serialise", error)))?;
    Ok(ClientRow {
        client_id: client_id.clone(),
        kind: ClientKind::Registered,
        name: accepted.shown_name().to_owned(),
        redirect_uris: accepted.redirect_uris.clone(),
        auth_method: accepted.auth_method,
        secret_hash: None,
        secret_expires_at: None,
        grant_types: accepted.grant_types.iter().map(|grant| grant.as_str().to_owned()).collect(),
        scope: accepted.scope.clone(),
        registration_token_hash: None,
        metadata,
        metadata_digest: accepted.digest(),
        created_at,
        last_used_at: None,
        ended_at: None,
        ended_before: None,
    })
}

/// RFC 7591 §3.2.1: all registered metadata, and the credentials. A secret never expires (0): clients keep it for years (checklist 33).
fn information(
    app: &App,
    client_id: &ClientId,
    issued_at: Timestamp,
    accepted: Accepted,
    secret: Option<&ClientSecret>,
    token: &RegistrationTokenSecret,
) -> ClientInformation {
    ClientInformation {
        client_id: client_id.to_string(),
        client_id_issued_at: issued_at.0,
        client_secret: secret.map(|secret| secret.expose().to_owned()),
        client_secret_expires_at: (accepted.auth_method != AuthMethod::None).then_some(0),
        registration_access_token: Some(token.expose().to_owned()),
        registration_client_uri: Some(app.config.issuer.at(&routes::registration_of(client_id.as_str()))),
        metadata: accepted.echo,
    }
}
