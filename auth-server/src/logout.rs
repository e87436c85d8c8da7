//! Ends a browser session: `GET` and `POST /logout`.
//!
//! A GET only asks: a link on another site must not sign anybody out (attack 7). The POST wants the token that only this session's
//! page has. Grants stay: an app that was allowed stays connected until its grant ends. It redirects nowhere (attack 13).

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use oauth_types::{Error, RequestFault};

use crate::{
    App,
    browser::{self, Signed},
    http::{csrf, extract::FrontParams, reply::AsPage},
    pages::{self, LogoutPage, SignedOutPage},
    routes,
};

/// What the form's token is good for.
const PURPOSE: &str = "sign out";

/// `GET /logout`
pub(crate) async fn get(app: web::Data<App>, request: HttpRequest) -> Result<HttpResponse, AsPage> {
    let frame = pages::frame(&app.i18n, &app.config, &request, None);
    let Some(signed) = signed_in(&app, &request).await? else { return Ok(signed_out(&frame)) };
    let subject = app.store.subject(&signed.row.subject).await.map_err(Error::from)?;
    let page = LogoutPage {
        frame,
        account: subject.map(|subject| subject.display_name).unwrap_or_default(),
        action: routes::LOGOUT.to_owned(),
        csrf_token: signed.form_token(PURPOSE),
        home_href: routes::HOME.to_owned(),
    };
    Ok(pages::answer(StatusCode::OK, &frame, &page, None))
}

/// `POST /logout`
pub(crate) async fn post(app: web::Data<App>, request: HttpRequest, form: FrontParams) -> Result<HttpResponse, AsPage> {
    csrf::same_origin(&request)?;
    if let Some(signed) = signed_in(&app, &request).await? {
        if !signed.proves(PURPOSE, form.get("csrf_token").unwrap_or_default()) {
            return Err(AsPage(Error::InvalidRequest(RequestFault::CsrfMismatch)));
        }
        app.store.end_browser_session(&signed.row.id, app.clock.now()).await.map_err(Error::from)?;
        tracing::info!(event = "logout.succeeded", subject.id = %signed.row.subject, "somebody signed out");
    }
    let frame = pages::frame(&app.i18n, &app.config, &request, None);
    Ok(browser::with_cookie(signed_out(&frame), Some(browser::forgotten(&app.config.issuer))))
}

async fn signed_in(app: &App, request: &HttpRequest) -> Result<Option<Signed>, Error> {
    browser::signed_in(request, &app.config.issuer, &app.store, app.clock.now()).await
}

fn signed_out(frame: &pages::Frame<'_>) -> HttpResponse {
    pages::answer(StatusCode::OK, frame, &SignedOutPage { frame: *frame }, None)
}
