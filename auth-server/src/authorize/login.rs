//! Signing in with an account kept here: `GET /login/{flow}`, and the password half of the consent form.
//!
//! `GET /login/{flow}` is the way to be somebody else: it shows the sign-in page although somebody is signed in. Like every GET here it
//! changes nothing. When people sign in elsewhere, this is where the browser leaves for there.

use actix_web::{HttpRequest, HttpResponse, http::header::HeaderValue, web};
use oauth_types::Ttl;

use super::{
    Visit,
    consent::{self, Showing},
};
use crate::{
    App,
    accounts::LoginFault,
    browser,
    http::{extract::ClientIp, reply::AsPage},
};

/// `GET /login/{flow}`
pub(crate) async fn get(app: web::Data<App>, request: HttpRequest, flow: web::Path<String>) -> Result<HttpResponse, AsPage> {
    consent::show(&app, &request, &flow, Showing::SignIn).await
}

/// What the password half of the form holds.
pub(super) struct Presented<'a> {
    pub(super) username: &'a str,
    pub(super) password: &'a str,
}

/// How a sign-in went.
pub(super) enum SignIn {
    /// They are signed in, with this new cookie.
    Done(HeaderValue),
    /// Not yet: try again.
    Wrong,
    /// Not now: too many attempts.
    Slow(Ttl),
}

/// Signs a person in. The browser gets a new session whatever it had before (attack 5).
pub(super) async fn sign_in(app: &App, visit: &mut Visit<'_>, presented: Presented<'_>) -> Result<SignIn, oauth_types::Error> {
    let source = ClientIp::of(visit.request).network();
    match app.accounts.verify(presented.username, presented.password, source, &app.limits.passwords).await {
        Ok(account) => {
            let lifetime = app.config.lifetimes.browser_session;
            let signed = browser::sign_in(&account.subject, visit.signed.as_ref(), &app.store, app.clock.now(), lifetime).await?;
            let cookie = signed.cookie(&app.config.issuer, lifetime);
            visit.signed = Some(signed);
            tracing::info!(event = "login.succeeded", subject.id = %account.subject, "somebody signed in");
            Ok(SignIn::Done(cookie))
        }
        Err(LoginFault::Wrong) => {
            tracing::info!(event = "login.failed", cause = "wrong", "a sign-in failed");
            Ok(SignIn::Wrong)
        }
        Err(LoginFault::Slow(wait)) => {
            tracing::warn!(event = "login.failed", cause = "slow", "a sign-in has to wait");
            Ok(SignIn::Slow(wait))
        }
        Err(LoginFault::Unable(error)) => Err(error),
    }
}
