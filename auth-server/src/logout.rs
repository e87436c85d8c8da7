//! Ends a browser session: `GET` and `POST /logout`; and the person's session at their provider, if they want that too.
//!
//! OpenID Connect RP-Initiated Logout 1.0 §2, with us as the client. A GET only asks: a link on another site must not sign anybody out
//! (attack 7). The POST wants the token that only this session's page has. Who signs out here only leaves
//! grants as they are: an app that was allowed stays connected until its grant ends. Who signs out at the provider too ends the sign-in
//! behind them, here and now: not every provider would tell us (decision 116).
//!
//! Nobody is sent anywhere but to the provider that they signed in at, and it sends them back to this page and no other; no address is
//! ever taken from a query (attack 13).

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use oauth_types::{Error, IdpId, RequestFault, TokenHash, Ttl, UpstreamSessionId};
use serde::{Deserialize, Serialize};

use crate::{
    App, audit,
    browser::{self, Signed},
    ephemeral::Slot,
    http::{csrf, extract::FrontParams, reply::AsPage},
    pages::{self, Frame, LeavingPage, LogoutPage, SignedOutPage},
    routes, secret,
    upstream::{UpstreamIdp, UpstreamToken},
};

/// What the form's token is good for.
const PURPOSE: &str = "sign out";
/// The form's word for "there too".
const EVERYWHERE: &str = "everywhere";

/// Browsers that were sent to their provider to sign out, by the hash of the state that they come back with.
const LEFT: Slot<Left> = Slot::new("signing-out", Ttl::minutes(10));

#[derive(Serialize, Deserialize)]
struct Left {
    /// The browser that left: the hash of its cookie.
    browser: String,
    /// What its provider is called.
    provider: String,
}

/// The provider that this session can also end at.
struct Elsewhere {
    idp: Arc<dyn UpstreamIdp>,
    /// The sign-in there, and what it is asked with.
    session: UpstreamSessionId,
    token: UpstreamToken,
    /// Where to send the browser.
    location: String,
}

/// `GET /logout`
pub(crate) async fn get(app: web::Data<App>, request: HttpRequest, query: FrontParams) -> Result<HttpResponse, AsPage> {
    let frame = pages::frame(&app.i18n, &app.config, &request, None);
    if let Some(left) = back_from_provider(&app, &request, query.get("state")).await? {
        return Ok(signed_out(frame, Some(&left.provider)));
    }
    let Some(signed) = signed_in(&app, &request).await? else { return Ok(signed_out(frame, None)) };
    let subject = app.store.subject(&signed.row.subject).await.map_err(Error::from)?;
    // Asked only whether it can be done: nobody leaves with this state.
    let elsewhere = elsewhere(&app, &signed, "").await?;
    let page = LogoutPage {
        frame,
        account: subject.map(|subject| subject.display_name).unwrap_or_default(),
        action: routes::LOGOUT.to_owned(),
        csrf_token: signed.form_token(PURPOSE),
        home_href: routes::HOME.to_owned(),
        provider: elsewhere.map(|elsewhere| elsewhere.idp.settings().name.clone()),
    };
    Ok(pages::answer(StatusCode::OK, &frame, &page, None))
}

/// `POST /logout`
pub(crate) async fn post(app: web::Data<App>, request: HttpRequest, form: FrontParams) -> Result<HttpResponse, AsPage> {
    csrf::same_origin(&request)?;
    let frame = pages::frame(&app.i18n, &app.config, &request, None);
    let mut response = signed_out(frame, None);
    if let Some(signed) = signed_in(&app, &request).await? {
        if !signed.proves(PURPOSE, form.get("csrf_token").unwrap_or_default()) {
            return Err(AsPage(Error::InvalidRequest(RequestFault::CsrfMismatch)));
        }
        let state = secret::fresh_text::<32>("");
        let elsewhere = if form.get("where") == Some(EVERYWHERE) { elsewhere(&app, &signed, &state).await? } else { None };
        app.store.end_browser_session(&signed.row.id, app.clock.now()).await.map_err(Error::from)?;
        tracing::info!(event = "logout.succeeded", subject.id = %signed.row.subject, "somebody signed out");
        if let Some(elsewhere) = elsewhere {
            app.upstream_sessions.end_by_hand(&elsewhere.session, audit::trail(&request)).await?;
            elsewhere.idp.hand_back(&elsewhere.token).await;
            response = leave(&app, &request, frame, &state, elsewhere).await?;
        }
    }
    Ok(browser::with_cookie(response, Some(browser::forgotten(&app.config.issuer))))
}

/// Where this session can be ended too, if its provider supports that.
async fn elsewhere(app: &App, signed: &Signed, state: &str) -> Result<Option<Elsewhere>, Error> {
    let Some(id) = &signed.row.upstream_session else { return Ok(None) };
    let Some(row) = app.store.upstream_session(id).await? else { return Ok(None) };
    let idp = IdpId::parse(&row.idp).ok();
    let Some(idp) = idp.as_ref().and_then(|idp| app.upstreams.get(idp)) else { return Ok(None) };
    let Some(token) = app.upstream_sessions.token(id).await? else { return Ok(None) };
    let location = idp.sign_out(&token, &app.config.issuer.at(routes::LOGOUT), state).await;
    Ok(location.map(|location| Elsewhere { idp: Arc::clone(idp), session: id.clone(), token, location: location.into() }))
}

/// A page that leads on to the provider: not a redirect, for the same reason as at a sign-in (decision 107).
async fn leave(app: &App, request: &HttpRequest, frame: Frame<'_>, state: &str, to: Elsewhere) -> Result<HttpResponse, Error> {
    let (browser, cookie) = browser::key(request, &app.config.issuer);
    let left = Left { browser: browser.hash().text(), provider: to.idp.settings().name.clone() };
    LEFT.put(&*app.ephemeral, &name_of(state), &left).await?;
    let page = LeavingPage::to_sign_out(frame, &left.provider, &to.location);
    let mut response = pages::answer(StatusCode::OK, &frame, &page, None);
    pages::lead_to(&mut response, &to.location);
    Ok(browser::with_cookie(response, cookie))
}

/// Whoever comes back from where this browser was sent. A state that is not of this browser says nothing, and takes nothing away.
async fn back_from_provider(app: &App, request: &HttpRequest, state: Option<&str>) -> Result<Option<Left>, Error> {
    let Some(name) = state.map(name_of) else { return Ok(None) };
    let (browser, _) = browser::key(request, &app.config.issuer);
    let is_ours = |left: &Left| left.browser == browser.hash().text();
    if !LEFT.peek(&*app.ephemeral, &name).await?.as_ref().is_some_and(is_ours) {
        return Ok(None);
    }
    Ok(LEFT.take(&*app.ephemeral, &name).await?)
}

fn name_of(state: &str) -> String {
    TokenHash::of(state.as_bytes()).text()
}

async fn signed_in(app: &App, request: &HttpRequest) -> Result<Option<Signed>, Error> {
    browser::signed_in(request, &app.config.issuer, &app.store, app.clock.now()).await
}

fn signed_out(frame: Frame<'_>, also_at: Option<&str>) -> HttpResponse {
    pages::answer(StatusCode::OK, &frame, &SignedOutPage::new(frame, also_at), None)
}
