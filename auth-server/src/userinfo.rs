//! Who is this? `GET` and `POST /userinfo`, for clients that were granted `openid`.
//!
//! OpenID Connect Core §5.3; RFC 6750. The access token comes in the header only (attack 44). Which tokens are good here is decision
//! 0113: any living one of ours with the scope `openid`, whatever its audience, because the scope is what the person granted for this.
//! What it says is what the ID token said, and no more than the scopes `profile` and `email` opened (§5.4); a mail address only if a
//! provider vouches for it, so `email_verified` is never false.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use oauth_types::{AccessClaims, Bug, Error, GrantId, Scope, ScopeFault, TokenFault};
use serde::Serialize;

use crate::{
    App, access_token,
    http::{
        extract::bearer,
        reply::{self, AsChallenge},
        route,
        trace::{self, Story},
    },
    openid::{self, EMAIL, OPENID, PROFILE},
    store::GrantRow,
};

/// §5.1. What is not known is left out, never `null` (§5.3.2).
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Person {
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
}

/// What is known of a person, whatever anybody may be told.
#[derive(Debug, Default)]
struct Known {
    name: Option<String>,
    username: Option<String>,
    verified_mail: Option<String>,
}

/// `GET` and `POST /userinfo`
pub(crate) async fn answer(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, AsChallenge> {
    if !app.config.openid.enabled {
        return Ok(route::nobody_here(&request));
    }
    let claims = access_token::good(&app.keys, &app.store, bearer(&request)?)?;
    let scope = Scope::parse(&claims.scope).map_err(|_| Error::InvalidToken(TokenFault::Malformed))?;
    if !scope.contains(OPENID) {
        let needed = Scope::parse(OPENID).map_err(|_: ScopeFault| Error::ServerError(Bug::new("a scope of ours is a scope")))?;
        return Err(Error::InsufficientScope { needed }.into());
    }
    let grant = grant(&app, &claims).await?;
    let known = known(&app, &grant).await?;
    let person = told(openid::name_for_client(&app.keys, &grant), known, &scope);
    tell(&request, &claims);
    Ok(reply::json(StatusCode::OK, &person))
}

/// The grant behind the token: it knows what this client calls the person, and the row has the last word on whether it still stands.
async fn grant(app: &App, claims: &AccessClaims) -> Result<GrantRow, Error> {
    let id = GrantId::parse(&claims.grant_id).map_err(|_| Error::InvalidToken(TokenFault::Malformed))?;
    let row = app.store.grant(&id).await?.filter(|row| row.stands().is_ok());
    row.ok_or(Error::InvalidToken(TokenFault::Ended))
}

/// What the person's provider last said, or what their account here says.
async fn known(app: &App, grant: &GrantRow) -> Result<Known, Error> {
    if let Some(session) = &grant.upstream_session {
        let facts = app.upstream_sessions.facts(session).await?;
        return Ok(facts.map_or_else(Known::default, |facts| Known {
            name: Some(facts.display_name),
            username: facts.username,
            verified_mail: facts.mail,
        }));
    }
    let name = app.store.subject(&grant.subject).await?.map(|subject| subject.display_name);
    Ok(Known { name, username: app.store.username_of(&grant.subject).await?, verified_mail: None })
}

/// §5.4: `profile` and `email` each open their own claims.
fn told(sub: String, known: Known, scope: &Scope) -> Person {
    let mut person = Person { sub, ..Person::default() };
    if scope.contains(PROFILE) {
        person.name = known.name.filter(|name| !name.is_empty());
        person.preferred_username = known.username;
    }
    if scope.contains(EMAIL) {
        person.email_verified = known.verified_mail.is_some().then_some(true);
        person.email = known.verified_mail;
    }
    person
}

fn tell(request: &HttpRequest, claims: &AccessClaims) {
    let story = Story {
        event: Some("userinfo.answered"),
        client: Some(claims.client_id.clone()),
        grant: Some(claims.grant_id.clone()),
        subject: Some(claims.sub.clone()),
    };
    trace::tell(request, story);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(scope: &str, mail: Option<&str>) -> serde_json::Value {
        let known = Known { name: Some("Alice".into()), username: Some("alice".into()), verified_mail: mail.map(str::to_owned) };
        serde_json::to_value(told("s".into(), known, &Scope::parse(scope).unwrap())).unwrap()
    }

    /// OpenID Connect Core §5.4, §5.3.2.
    #[test]
    fn each_scope_opens_its_own_claims_and_nothing_is_null() {
        assert_eq!(said("openid", Some("a@b.example")), json!({"sub": "s"}));
        assert_eq!(said("openid profile", Some("a@b.example")), json!({"sub": "s", "name": "Alice", "preferred_username": "alice"}));
        assert_eq!(said("openid email", Some("a@b.example")), json!({"sub": "s", "email": "a@b.example", "email_verified": true}));
        assert_eq!(said("openid email mcp:read", None), json!({"sub": "s"}));
    }
}
