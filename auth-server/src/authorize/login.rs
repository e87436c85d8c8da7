//! Signing in: `GET /login/{flow}`, and the password half of the consent form.
//!
//! Whoever allowed an app and is not known yet comes here to choose where to sign in: at a provider, or with an account kept here. One
//! way alone is taken at once; `idp_hint`, and a `login_hint` whose domain belongs to one provider, choose too. Nobody leaves for a
//! provider before they allowed (attack 1): a flow that still waits for that shows its page instead. A GET changes nothing here but the
//! memory of a departure.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header::HeaderValue},
    web,
};
use oauth_types::{Error, IdpId, Ttl};

use super::{
    Visit,
    consent::{self, Showing},
    departure::{self, UpstreamOr},
    flow::{self, AwaitingLogin, Kept},
    next,
    person::{Known, Present},
    request::AuthorizationRequest,
};
use crate::{
    App,
    accounts::LoginFault,
    browser, client,
    http::{
        extract::{ClientIp, FrontParams},
        reply::{self, AsPage},
    },
    pages::{self, ChoicePage, LeavingPage, WayLine},
    routes,
    upstream::UpstreamIdp,
};

/// One way to sign in.
enum Way<'a> {
    /// With an account kept here.
    Here,
    /// At a provider.
    At(&'a Arc<dyn UpstreamIdp>),
}

/// `GET /login/{flow}`
pub(crate) async fn get(
    app: web::Data<App>,
    request: HttpRequest,
    flow: web::Path<String>,
    query: FrontParams,
) -> Result<HttpResponse, AsPage> {
    let visit = Visit::of(&app, &request).await?;
    let stage = match flow::of_browser(&app, &consent::flow_id(&flow)?, &visit.browser).await? {
        Kept::AwaitingLogin(stage) => stage,
        _ => return consent::show(&app, &request, &flow, Showing::SignIn).await,
    };
    let ways = ways(&app);
    let named = query.get("idp").and_then(|name| ways.iter().find(|way| way.name() == name));
    Ok(match named {
        Some(Way::Here) => return consent::show(&app, &request, &flow, Showing::Password).await,
        Some(Way::At(idp)) => leave(&app, &visit, stage, idp).await?,
        None => match only(&app, &ways, &stage.journey.asked) {
            Some(Way::Here) => return consent::show(&app, &request, &flow, Showing::Password).await,
            Some(Way::At(idp)) => lead(&app, &visit, &stage, idp),
            None => choose(&app, &visit, &stage, &ways, None).await?,
        },
    })
}

impl Way<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Here => IdpId::LOCAL,
            Self::At(idp) => idp.settings().id.as_str(),
        }
    }
}

/// All ways, providers first, in the operator's order.
fn ways(app: &App) -> Vec<Way<'_>> {
    let here = app.config.accounts.offered.then_some(Way::Here);
    app.upstreams.all().map(Way::At).chain(here).collect()
}

/// The way that is taken without a choice: the only one, or the one that the client hints at.
fn only<'a, 'b>(app: &App, ways: &'b [Way<'a>], asked: &AuthorizationRequest) -> Option<&'b Way<'a>> {
    if let [only] = ways {
        return Some(only);
    }
    let by_mail = || asked.login_hint.as_deref().and_then(|hint| app.policy.idp_of_mail(hint)).map(IdpId::as_str);
    let name = asked.idp_hint.as_deref().or_else(by_mail)?;
    ways.iter().find(|way| way.name() == name)
}

/// The provider's name on the button, if there is only one place to go to.
pub(super) fn one_provider<'a>(app: &'a App, asked: &AuthorizationRequest) -> Option<&'a str> {
    let ways = ways(app);
    match only(app, &ways, asked) {
        Some(Way::At(idp)) => Some(&app.upstreams.get(&idp.settings().id)?.settings().name),
        _ => None,
    }
}

/// A page that leads on by itself. Not a redirect: Chromium holds `form-action` against every redirect that follows a form, and which
/// hosts a provider redirects over (another provider behind it, for one) nobody here knows.
fn lead(app: &App, visit: &Visit<'_>, stage: &AwaitingLogin, idp: &Arc<dyn UpstreamIdp>) -> HttpResponse {
    let frame = pages::frame(&app.i18n, &app.config, visit.request, stage.journey.asked.ui_locales.as_deref());
    let href = routes::login_at(&stage.journey.id, idp.settings().id.as_str());
    let mut response = pages::answer(StatusCode::OK, &frame, &LeavingPage::to_sign_in(frame, &idp.settings().name, &href), None);
    pages::lead_to(&mut response, &href);
    response
}

/// The page of all ways.
async fn choose(
    app: &App,
    visit: &Visit<'_>,
    stage: &AwaitingLogin,
    ways: &[Way<'_>],
    silent: Option<&str>,
) -> Result<HttpResponse, Error> {
    let asked = &stage.journey.asked;
    let frame = pages::frame(&app.i18n, &app.config, visit.request, asked.ui_locales.as_deref());
    let client = client::resolve(&app.store, &asked.client_id).await?;
    let line = |way: &Way<'_>| WayLine {
        name: match way {
            Way::Here => frame.words.say_with("choose-here", &[("product", frame.product)]),
            Way::At(idp) => idp.settings().name.clone(),
        },
        href: routes::login_at(&stage.journey.id, way.name()),
    };
    let page = ChoicePage::new(frame, client.name.trim(), ways.iter().map(line).collect(), silent);
    let status = if silent.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    Ok(pages::answer(status, &frame, &page, None))
}

/// Off to a provider. One that gives no answer is one way less; if there is no other, the client is told.
async fn leave(app: &App, visit: &Visit<'_>, stage: AwaitingLogin, idp: &Arc<dyn UpstreamIdp>) -> Result<HttpResponse, Error> {
    let error = match departure::begin(app, visit, &stage, idp).await {
        Ok(location) => return Ok(reply::see_other(&location)),
        Err(UpstreamOr::Us(error)) => return Err(error),
        Err(UpstreamOr::Upstream(error)) => error,
    };
    let id = &idp.settings().id;
    tracing::warn!(event = "upstream.unreachable", idp = %id, cause = error.reason(), "nobody can leave to sign in there");
    let ways = ways(app);
    if ways.len() > 1 {
        return choose(app, visit, &stage, &ways, Some(&idp.settings().name)).await;
    }
    next::next(app, visit, stage.journey.refused(error.into())).await
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
pub(super) async fn sign_in(app: &App, visit: &mut Visit<'_>, presented: Presented<'_>) -> Result<SignIn, Error> {
    let source = ClientIp::of(visit.request).network();
    match app.accounts.verify(presented.username, presented.password, source, &app.limits.passwords).await {
        Ok(account) => {
            let (lifetime, now) = (app.config.lifetimes.browser_session, app.clock.now());
            let proven = browser::Proven { subject: account.subject.clone(), upstream_session: None, auth_time: now };
            let signed = browser::sign_in(proven, visit.session.as_ref(), &app.store, now, lifetime).await?;
            let cookie = signed.cookie(&app.config.issuer, lifetime);
            visit.session = Some(signed.clone());
            visit.present = Some(Present { signed, known: Known::Local { username: account.username.clone() } });
            tracing::info!(event = "login.succeeded", subject.id = %account.subject, idp = IdpId::LOCAL, "somebody signed in");
            Ok(SignIn::Done(cookie))
        }
        Err(LoginFault::Wrong) => {
            tracing::info!(event = "login.failed", cause = "wrong", idp = IdpId::LOCAL, "a sign-in failed");
            Ok(SignIn::Wrong)
        }
        Err(LoginFault::Slow(wait)) => {
            tracing::warn!(event = "login.failed", cause = "slow", idp = IdpId::LOCAL, "a sign-in has to wait");
            Ok(SignIn::Slow(wait))
        }
        Err(LoginFault::Unable(error)) => Err(error),
    }
}
