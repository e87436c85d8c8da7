//! The front channel: `GET` and `POST /authorize`, and the pages behind it.
//!
//! RFC 6749 §3.1 and §4.1.1, OAuth 2.1 §4.1.1, RFC 7636 §4.3, RFC 8707 §2, RFC 9207; OpenID Connect Core §3.1.2.1 for `prompt`,
//! `max_age`, `login_hint` and `ui_locales`. A request becomes a [`flow::Flow`], and a flow lives like this:
//!
//! ```text
//!   GET /authorize ─► Asked ─┬─ signed in, approved before ─────────────────────────────► Approved ─► code
//!                            └─► AwaitingConsent ─┬─ allow (signed in, or signs in here) ──────► ▲
//!                                                 │                                              ├─ a fresh sign-in, nothing taken away
//!                                                 ├─ continue ─► AwaitingLogin ─ callback ─► Identified
//!                                                 │                                              ├─ else
//!                                                 └─ allow, but less can be granted ──────► AwaitingConfirmation ─ allow ─► Approved
//!   any stage ── deny, error ─► Refused ─► error          Approved, Refused ─► Answered (what a second click finds)
//! ```
//!
//! Every arrow is a method that consumes the old stage. Only [`next`] looks at a flow and decides; the steps change it and hand it
//! over. Before the redirect URI is proven an error is a page, after it a redirect: [`request::AuthorizationRequest`] cannot be
//! built without a proven one, so the type decides.

pub(crate) mod callback;
pub(crate) mod consent;
mod departure;
mod flow;
pub(crate) mod login;
mod next;
mod person;
mod request;
mod respond;

use actix_web::{HttpRequest, HttpResponse, http::header::HeaderValue, web};
use oauth_types::Error;

use self::{
    flow::{Asked, Flow},
    person::Present,
    request::Refused,
};
use crate::{
    App,
    browser::{self, BrowserKey, Signed},
    http::{extract::FrontParams, reply::AsPage},
};

/// One request of one browser, as the front channel sees it.
struct Visit<'a> {
    request: &'a HttpRequest,
    /// The browser's key; a fresh one matches no flow.
    browser: BrowserKey,
    /// The cookie that lets a new browser answer.
    browser_cookie: Option<HeaderValue>,
    /// The session that the cookie names, whether or not it still speaks for anybody. A new one ends it (attack 5).
    session: Option<Signed>,
    /// Who is signed in; known once [`Visit::meet`] asked.
    present: Option<Present>,
}

impl<'a> Visit<'a> {
    async fn of(app: &App, request: &'a HttpRequest) -> Result<Self, Error> {
        let (browser, browser_cookie) = browser::key(request, &app.config.issuer);
        let session = browser::signed_in(request, &app.config.issuer, &app.store, app.clock.now()).await?;
        Ok(Self { request, browser, browser_cookie, session, present: None })
    }

    /// Finds out who is signed in: their sign-in is asked whether it stands.
    async fn meet(&mut self, app: &App) -> Result<(), Error> {
        self.present = match &self.session {
            Some(signed) => person::behind(app, signed).await?.map(|known| Present { signed: signed.clone(), known }),
            None => None,
        };
        Ok(())
    }

    /// Both.
    async fn met(app: &App, request: &'a HttpRequest) -> Result<Self, Error> {
        let mut visit = Self::of(app, request).await?;
        visit.meet(app).await?;
        Ok(visit)
    }
}

/// `GET` and `POST /authorize`: OpenID Connect Core §3.1.2.1 wants both.
pub(crate) async fn ask(app: web::Data<App>, request: HttpRequest, parameters: FrontParams) -> Result<HttpResponse, AsPage> {
    let mut visit = Visit::of(&app, &request).await?;
    let flow = match request::read(&app, &parameters).await {
        Ok(asked) => match visit.meet(&app).await {
            Ok(()) => next::decide(&app, &visit, Asked::new(asked, app.clock.now())).await?,
            // The address is proven: the client learns that nobody could be asked, and may try again (attack 58).
            Err(error) => Flow::refused(asked.return_to, error),
        },
        Err(Refused::ByPage(error)) => return Err(error.into()),
        Err(Refused::ByRedirect(return_to, error)) => Flow::refused(return_to, error),
    };
    Ok(next::next(&app, &visit, flow).await?)
}

#[cfg(test)]
mod tests;
