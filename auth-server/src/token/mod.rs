//! `POST /token`: a grant for tokens.
//!
//! RFC 6749 §3.2. Owns the phases that every grant shares, so that no grant can forget one: which grant, who asks, may they use it,
//! does what they present allow it, and only then a token. What belongs elsewhere: parsing (`request.rs`), the rules of one grant
//! (a file each), the birth of tokens (`issue.rs`).

mod authorization_code;
mod issue;
mod refresh_token;
mod request;
#[cfg(test)]
mod tests;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use oauth_types::{ClientFault, Error};

use crate::{
    App,
    client::auth::{self, Credentials},
    http::{
        extract::StrictForm,
        reply::{self, AsJson},
        trace::{self, Story},
    },
    store::GrantRow,
};
use issue::{Granted, Terms};
use request::TokenRequest;

/// `POST /token`
pub(crate) async fn post(app: Data<App>, request: HttpRequest, form: StrictForm) -> Result<HttpResponse, AsJson> {
    // 1. Which grant?
    let grant = request::grant_type(&form)?;
    // 2. Who asks? Before anything is looked up, so that nothing can be learned or burnt without proof.
    let client = auth::prove(&app.store, app.clock.now(), Credentials::of(&request, &form)?).await?;
    // 3. May they ask this?
    if !client.may_use(grant) {
        return Err(Error::UnauthorizedClient(ClientFault::GrantTypeNotRegistered).into());
    }
    // 4. What exactly, and does the grant allow it? The answer is on disk when it comes.
    let (event, granted) = match TokenRequest::parse(grant, &form)? {
        TokenRequest::AuthorizationCode(asked) => ("token.issued", authorization_code::redeem(&app, &client, asked, &request).await?),
        TokenRequest::RefreshToken(asked) => ("token.refreshed", refresh_token::rotate(&app, &client, asked, &request).await?),
    };
    // 5. Only now a token.
    let (issuer, lifetime) = (app.config.issuer.as_str(), app.config.lifetimes.access_token);
    let terms = Terms { issuer, lifetime, openid: app.config.openid.enabled };
    let body = issue::answer(&app.keys, terms, &granted, app.clock.now())?;
    tell(&request, event, granted);
    Ok(reply::json_bytes(StatusCode::OK, body))
}

/// One line a request in the log: the middleware writes it, with what is told here.
fn tell(request: &HttpRequest, event: &'static str, granted: Granted) {
    let GrantRow { client_id, grant_id, subject, .. } = granted.row;
    let story = Story {
        event: Some(event),
        client: Some(client_id.to_string()),
        grant: Some(grant_id.to_string()),
        subject: Some(subject.to_string()),
    };
    trace::tell(request, story);
}

#[cfg(test)]
pub(crate) mod fixtures {
    //! An approval, and what would stand in its row before its code is redeemed.

    use oauth_types::{ClientId, CodeChallenge, GrantId, RedirectUri, ResourceUri, Scope, Subject, Timestamp};

    use crate::store::{Approval, GrantRow, Trail};

    pub(super) const NOW: Timestamp = Timestamp(1_800_000_000);
    pub(super) const REDIRECT: &str = "https://app.example/cb";
    /// RFC 7636, Appendix B.
    pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    pub(crate) fn approval() -> Approval {
        Approval {
            grant_id: GrantId::from_bytes([7; 16]),
            client_id: ClientId::parse("app").unwrap(),
            subject: Subject::from_trusted("alice"),
            resource: ResourceUri::parse("https://mcp.example.com/mcp").unwrap(),
            scope: Scope::parse("mcp:read mcp:write").unwrap(),
            redirect_uri: RedirectUri::parse(REDIRECT).unwrap(),
            upstream_session: None,
            auth_time: NOW,
            nonce: None,
            code_challenge: CodeChallenge::parse(CHALLENGE).unwrap(),
            code_expires_at: Timestamp(NOW.0 + 60),
            expires_at: Timestamp(NOW.0 + 90 * 86_400),
            created_at: NOW,
            trail: Trail { source_ip: Some("192.0.2.7".to_owned()), reference: Some("REF0000001".to_owned()) },
        }
    }

    pub(crate) fn grant() -> GrantRow {
        GrantRow::before(&approval(), Default::default())
    }
}
