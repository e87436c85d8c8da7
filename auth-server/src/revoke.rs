//! Token revocation: `POST /revoke`.
//!
//! RFC 7009. A client hands back a token that it no longer needs. A refresh token stands for the whole grant (§2.1), an access token
//! for itself alone. An unknown token is answered like a known one (§2.2), and so is somebody else's: nobody learns here which tokens
//! exist, and nobody ends what is not theirs (attack 43).

use actix_web::{HttpRequest, HttpResponse, web::Data};
use oauth_types::{ClientFault, Error, SealedName};
use tracing::warn;

use crate::{
    App, access_token, audit,
    client::auth::{self, AuthenticatedClient, Credentials},
    http::{
        extract::StrictForm,
        reply::{self, AsJson},
        request_id::RequestId,
        trace::{self, Story},
    },
    keys::is_refresh_token,
    store::{EndReason, Ending},
};

/// `POST /revoke`
pub(crate) async fn post(app: Data<App>, request: HttpRequest, form: StrictForm) -> Result<HttpResponse, AsJson> {
    let client = auth::prove(&app.store, app.clock.now(), Credentials::of(&request, &form)?).await?;
    let token = form.require("token")?;
    // §2.1: `token_type_hint` only speeds a search up; our tokens say themselves what they are.
    if is_refresh_token(token) {
        if let Ok(name) = app.keys.read_refresh(token) {
            end_grant(&app, &client, &name, &request).await?;
        }
    } else {
        end_token(&app, &client, token, &request).await?;
    }
    Ok(reply::empty())
}

/// Ends the grant that a refresh token belongs to. Any token of the family will do, an old one too: it is authentic, and who hands
/// it back wants the connection gone.
async fn end_grant(app: &App, client: &AuthenticatedClient, name: &SealedName, request: &HttpRequest) -> Result<(), Error> {
    let Some(row) = app.store.grant(&name.grant).await? else { return Ok(()) };
    if row.client_id != *client.id() {
        refused(client, request);
        return Ok(());
    }
    let ending = Ending::grant(name.grant, EndReason::RevokedByClient, app.clock.now());
    if app.store.end(ending.by(audit::trail(request))).await? {
        tell(request, "grant.ended", client, name.grant.to_string());
    }
    Ok(())
}

/// Ends one access token. A token that is not good any more needs no ending.
async fn end_token(app: &App, client: &AuthenticatedClient, token: &str, request: &HttpRequest) -> Result<(), Error> {
    let claims = match access_token::good(&app.keys, &app.store, token) {
        Ok(claims) => claims,
        Err(Error::InvalidToken(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    if claims.client_id != client.id().as_str() {
        refused(client, request);
        return Ok(());
    }
    let ending = Ending::token(&claims, EndReason::RevokedByClient, app.clock.now());
    app.store.end(ending.by(audit::trail(request))).await?;
    tell(request, "token.revoked", client, claims.grant_id.clone());
    Ok(())
}

/// The request's own line in the log says it.
fn tell(request: &HttpRequest, event: &'static str, client: &AuthenticatedClient, grant: String) {
    trace::tell(request, Story { event: Some(event), client: Some(client.id().to_string()), grant: Some(grant), ..Story::default() });
}

/// §2.1: somebody else's token is not revoked. The answer does not say so; the log does.
fn refused(client: &AuthenticatedClient, request: &HttpRequest) {
    let (client, reference, why) = (client.id(), RequestId::of(request), ClientFault::NotTheTokensClient.reason());
    warn!(event = "revocation.refused", client.id = %client, request.id = %reference, "`{client}` handed back what is not its own: {why}");
}
