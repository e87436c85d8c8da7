//! Coming back from an identity provider: `GET /callback/{idp}`.
//!
//! OpenID Connect Core §3.1.2.5 to §3.1.3.7, RFC 9207 §2.4, RFC 9700 §4.4 and §4.7. What comes here is a stranger's word: state and
//! browser are proven first (`departure.rs`), then the provider's answer (`upstream/`), then whether this person may enter
//! (`policy/`), and only then somebody is signed in.
//!
//! Where a refusal goes: what does not belong to a sign-in of this browser is a page (attacks 2, 5, 6); what a provider or a rule says
//! goes to the client that the flow began at, never to an address from the query (attack 13), and never in the provider's words.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use oauth_types::{Error, Refusal, RequestFault, Scope, Subject, Ttl, UpstreamFault};

use super::{
    Visit,
    departure::{self, Returned},
    flow::{self, AwaitingLogin, Kept, Person},
    next,
    person::Known,
};
use crate::{
    App, audit,
    browser::{self, Proven, Signed},
    http::{
        extract::{FrontParams, Params},
        reply::AsPage,
    },
    pages::{self, AnsweredPage},
    routes, secret,
    store::NewIdentity,
    upstream::{Arrival, Callback, Identity, Memory, UpstreamError, UpstreamIdp},
};

/// How far the provider's clock may be from ours when it says how old a sign-in is.
const CLOCK_SKEW_MAX: Ttl = Ttl(60);

/// `GET /callback/{idp}`
pub(crate) async fn get(
    app: web::Data<App>,
    request: HttpRequest,
    idp: web::Path<String>,
    query: FrontParams,
) -> Result<HttpResponse, AsPage> {
    let mut visit = Visit::of(&app, &request).await?;
    let answer = read(&query)?;
    let Returned { flow, memory } = departure::end(&app, &visit, &idp, &answer.state).await?;
    let stage = match flow::of_browser(&app, &flow, &visit.browser).await? {
        Kept::AwaitingLogin(stage) => stage,
        Kept::Answered(_) => return Ok(answered(&app, &request)),
        // Another tab was faster.
        kept => return Ok(next::to_the_page(&visit, &kept)),
    };
    let idp = app.upstreams.get(memory.idp()).ok_or(Error::from(UpstreamFault::StateUnknown))?;
    Ok(arrive(&app, &mut visit, stage, answer, &memory, idp).await?)
}

/// What the browser brought: nothing twice (RFC 6749 §3.1), for two readers of one callback would see two.
fn read(query: &Params) -> Result<Callback, Error> {
    if query.repeated().is_some() {
        return Err(Error::InvalidRequest(RequestFault::RepeatedParameter));
    }
    let text = |name| query.get(name).map(str::to_owned);
    let state = text("state").ok_or(Error::from(UpstreamFault::StateUnknown))?;
    Ok(Callback { state, code: text("code"), iss: text("iss"), error: text("error") })
}

fn answered(app: &App, request: &HttpRequest) -> HttpResponse {
    let frame = pages::frame(&app.i18n, &app.config, request, None);
    pages::answer(StatusCode::OK, &frame, &AnsweredPage { frame }, None)
}

async fn arrive(
    app: &App,
    visit: &mut Visit<'_>,
    stage: AwaitingLogin,
    answer: Callback,
    memory: &Memory,
    idp: &Arc<dyn UpstreamIdp>,
) -> Result<HttpResponse, Error> {
    let redirect_uri = app.config.issuer.at(&routes::callback_of(memory.idp()));
    let arrived = match idp.arrive(answer, memory, &redirect_uri).await {
        Ok(arrival) => admit(app, visit, &stage, &arrival, memory).await,
        // Somebody put this callback into the browser: that is no answer to the client's question, and the flow goes on waiting.
        Err(UpstreamError::Distrusted(fault)) if fault.is_of_the_browser() => return Err(fault.into()),
        Err(error) => Err(error.into()),
    };
    match arrived {
        Ok(Admitted { signed, scope, is_fresh }) => {
            let cookie = signed.cookie(&app.config.issuer, app.config.lifetimes.browser_session);
            tracing::info!(event = "login.succeeded", subject.id = %signed.row.subject, idp = %memory.idp(), "somebody signed in");
            let flow = stage.identified(Person::of(&signed), is_fresh).settled(scope);
            Ok(browser::with_cookie(next::next(app, visit, flow).await?, Some(cookie)))
        }
        Err(error) => {
            tracing::info!(event = "login.failed", cause = error.reason(), idp = %memory.idp(), "a sign-in failed");
            if matches!(error, Error::AccessDenied(_)) {
                departure::turn_away(app, visit).await?;
            }
            next::next(app, visit, stage.journey.refused(error)).await
        }
    }
}

/// Somebody who may enter, and is signed in.
struct Admitted {
    signed: Signed,
    scope: Scope,
    /// They were asked who they are after this flow began.
    is_fresh: bool,
}

/// Lets a person in whom the provider named. Who may not enter leaves no trace but the log's.
async fn admit(app: &App, visit: &Visit<'_>, stage: &AwaitingLogin, arrival: &Arrival, memory: &Memory) -> Result<Admitted, Error> {
    let (identity, asked) = (&arrival.identity, &stage.journey.asked);
    if !is_as_new_as_asked(app, stage, identity, memory) {
        return Err(Error::AccessDenied(Refusal::SignInNotFresh));
    }
    let scope = next::permitted(app, asked, &Known::of(identity))?;
    let subject = person(app, visit, identity).await?;
    let upstream_session = app.upstream_sessions.begin(&subject, arrival).await?;
    let now = app.clock.now();
    let auth_time = identity.auth_time.unwrap_or(now);
    let proven = Proven { subject, upstream_session: Some(upstream_session), auth_time };
    let signed = browser::sign_in(proven, visit.session.as_ref(), &app.store, now, app.config.lifetimes.browser_session).await?;
    // A provider that does not say when somebody signed in may have asked nobody.
    let is_fresh = identity.auth_time.is_some_and(|at| at >= stage.journey.began_at);
    Ok(Admitted { signed, scope, is_fresh })
}

/// OpenID Connect Core §3.1.2.1: `prompt=login` and `max_age` were passed on; a provider that did not heed them is not believed.
fn is_as_new_as_asked(app: &App, stage: &AwaitingLogin, identity: &Identity, memory: &Memory) -> bool {
    let asked = &stage.journey.asked;
    let is_new = |oldest| identity.auth_time.is_some_and(|at| at + CLOCK_SKEW_MAX >= oldest);
    let after_departure = !asked.prompt.login || is_new(memory.began_at());
    after_departure && asked.max_age.is_none_or(|age| is_new(app.clock.now() - age))
}

/// Our person behind this identity, by issuer and subject alone (attack 61).
async fn person(app: &App, visit: &Visit<'_>, identity: &Identity) -> Result<Subject, Error> {
    let row = app
        .store
        .person_of_identity(NewIdentity {
            issuer: identity.issuer.clone(),
            upstream_subject: identity.subject.clone(),
            subject: Subject::from_trusted(secret::fresh_text::<16>("")),
            display_name: identity.facts.display_name.clone(),
            trail: audit::trail(visit.request),
        })
        .await?;
    if row.disabled_at.is_some() { Err(Error::AccessDenied(Refusal::PersonDisabled)) } else { Ok(row.subject) }
}
