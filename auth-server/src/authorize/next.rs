//! The one dispatcher: given a flow and a visit, what happens next.
//!
//! Decision 3 stands here: who is asked, who is not, and who is asked twice. The steps (`consent`, `login`, `callback`) change a flow
//! and hand it over; they never redirect to one another.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};
use oauth_types::{Bug, CodeSecret, Error, GrantId, Refusal, RequestFault, Scope, TargetFault};

use super::{
    Visit,
    flow::{self, Answered, Approved, Asked, Flow, Journey, Kept, Person, RefusedFlow},
    person::{Known, Present},
    request::AuthorizationRequest,
    respond,
};
use crate::{
    App, audit,
    browser::{self, Signed},
    client, code,
    http::{extract::ClientIp, reply, trace},
    keys::Purpose,
    policy::{Decision, Question, Standing},
    routes, secret,
    store::{Approval, AuditEvent, ClientRow, ConsentKey, ConsentRow},
};

/// How often and how long a second click waits for the first one's answer: a group commit takes milliseconds.
const SECOND_CLICK_WAITS: u32 = 40;
const SECOND_CLICK_WAIT: Duration = Duration::from_millis(50);

/// A request was read: is it answered from memory, refused, or asked of a person?
pub(super) async fn decide(app: &App, visit: &Visit<'_>, asked: Asked) -> Result<Flow, Error> {
    let prompt = asked.asked.prompt;
    let Some(present) = visit.present.as_ref().filter(|present| suits(app, &asked.asked, &present.signed)) else {
        return if prompt.none { Ok(asked.refused(Error::LoginRequired)) } else { ask(app, visit, asked).await };
    };
    let client = client::resolve(&app.store, &asked.asked.client_id).await?;
    let scope = match permitted(app, &asked.asked, &present.known) {
        Ok(scope) => scope,
        Err(error) => return Ok(asked.refused(error)),
    };
    if !prompt.consent && remembered(app, &client, &present.signed, &asked.asked, &scope).await? {
        return Ok(asked.remembered(Person::of(&present.signed), scope));
    }
    if prompt.none { Ok(asked.refused(Error::ConsentRequired)) } else { ask(app, visit, asked).await }
}

async fn ask(app: &App, visit: &Visit<'_>, asked: Asked) -> Result<Flow, Error> {
    app.limits.flows.spend(ClientIp::of(visit.request).network(), app.clock.now())?;
    flow::count(app, &visit.browser).await?;
    Ok(asked.awaits_consent(&visit.browser))
}

/// Moves a flow on: to a page, or to the client.
pub(super) async fn next(app: &App, visit: &Visit<'_>, flow: Flow) -> Result<HttpResponse, Error> {
    match flow {
        Flow::AwaitingConsent(stage) => {
            let kept = Kept::AwaitingConsent(stage);
            flow::keep(app, &kept).await?;
            Ok(to_the_page(visit, &kept))
        }
        Flow::AwaitingLogin(stage) => {
            if !flow::claim(app, &stage.journey).await? {
                return second_click(app, visit, &stage.journey).await;
            }
            let kept = Kept::AwaitingLogin(stage.on_the_next_page());
            flow::keep(app, &kept).await?;
            Ok(to_the_page(visit, &kept))
        }
        Flow::AwaitingConfirmation(stage) => {
            if !flow::claim(app, &stage.journey).await? {
                return second_click(app, visit, &stage.journey).await;
            }
            let kept = Kept::AwaitingConfirmation(stage.on_the_next_page());
            flow::keep(app, &kept).await?;
            Ok(to_the_page(visit, &kept))
        }
        Flow::Approved(approved) => approve(app, visit, approved).await,
        Flow::Refused(refused) => refuse(app, visit, refused).await,
    }
}

/// Somebody signed in here said "allow" to what a page showed them.
pub(super) fn allowed(app: &App, present: &Present, kept: Kept, just_signed_in: bool) -> Option<Flow> {
    let person = Person::of(&present.signed);
    let stage = match kept {
        Kept::AwaitingConsent(stage) => stage,
        // They were on their way to sign in, and are signed in by now.
        Kept::AwaitingLogin(stage) => stage.again(),
        Kept::AwaitingConfirmation(stage) if stage.subject == person.subject => return Some(stage.confirmed(person)),
        // Somebody else is signed in now: for them the question is new.
        Kept::AwaitingConfirmation(stage) => stage.again(),
        Kept::Answered(_) => return None,
    };
    Some(match permitted(app, &stage.journey.asked, &present.known) {
        Err(error) => stage.journey.refused(error),
        // Who signed in on the page was shown what the client asked; less than that is shown before it is granted.
        Ok(scope) if just_signed_in && scope != stage.journey.asked.scope => stage.reduced(&person, scope),
        Ok(scope) => stage.allowed(person, scope),
    })
}

/// Somebody said "continue" who will sign in elsewhere.
pub(super) fn allowed_before_login(kept: Kept, anew: bool) -> Option<Flow> {
    let stage = match kept {
        Kept::AwaitingConsent(stage) => stage,
        Kept::AwaitingLogin(stage) => stage.again(),
        Kept::AwaitingConfirmation(stage) => stage.again(),
        Kept::Answered(_) => return None,
    };
    Some(stage.allowed_before_login(anew))
}

/// Does this sign-in satisfy what the client asks of it? OpenID Connect Core §3.1.2.1: `prompt=login`, `max_age`. A sign-in on the
/// flow's own page always does.
pub(super) fn suits(app: &App, asked: &AuthorizationRequest, signed: &Signed) -> bool {
    !asked.prompt.login && asked.max_age.is_none_or(|age| app.clock.now() <= signed.row.auth_time + age)
}

/// What the rules let this person give to this client.
pub(super) fn permitted(app: &App, asked: &AuthorizationRequest, person: &Known) -> Result<Scope, Error> {
    let resource = app.config.resource(&asked.resource).ok_or(Error::InvalidTarget(TargetFault::Unknown))?;
    match app.policy.decide(Question::Authorize { asked: &asked.scope, resource, person: person.facts() }) {
        Decision::Allow => Ok(asked.scope.clone()),
        Decision::AllowLess(scope) => Ok(scope),
        Decision::Refuse(refusal) => Err(Error::AccessDenied(refusal)),
    }
}

/// May an approval be remembered? Never for addresses that any local program can claim, nor for a host nobody vouches for.
pub(super) fn rememberable(app: &App, client: &ClientRow, asked: &AuthorizationRequest) -> bool {
    app.policy.standing(client, asked.return_to.redirect_uri()) == Ok(Standing::Verified)
}

fn consent_key(signed: &Person, asked: &AuthorizationRequest) -> ConsentKey {
    ConsentKey {
        subject: signed.subject.clone(),
        client_id: asked.client_id.clone(),
        redirect_uri: asked.return_to.redirect_uri().clone(),
        resource: asked.resource.clone(),
    }
}

/// Did this person approve this before: same client and metadata, same address, same resource, no more scope? (Attack 3.)
async fn remembered(app: &App, client: &ClientRow, signed: &Signed, asked: &AuthorizationRequest, scope: &Scope) -> Result<bool, Error> {
    if !rememberable(app, client, asked) {
        return Ok(false);
    }
    let before = app.store.consent(&consent_key(&Person::of(signed), asked)).await?;
    Ok(before.is_some_and(|before| {
        before.client_digest == client.metadata_digest && before.scope.covers(scope) && app.clock.now() < before.expires_at
    }))
}

/// A yes becomes a code, which goes to the client.
async fn approve(app: &App, visit: &Visit<'_>, approved: Approved) -> Result<HttpResponse, Error> {
    let Approved { asked, by, scope, kept } = approved;
    if let Some(journey) = &kept
        && !flow::claim(app, journey).await?
    {
        return second_click(app, visit, journey).await;
    }
    let issuer = &app.config.issuer;
    let approval = approval(app, visit.request, &asked, &by, &scope);
    let code = match give(app, &approval, kept.is_some()).await {
        Ok(code) => code,
        // RFC 6749 §4.1.2.1: the address is proven, so the client learns that it failed and may try again.
        Err(error) => {
            let response = respond::refuse(visit.request, &asked.return_to, &error, issuer);
            return Ok(leave_refusal(app, kept, response).await);
        }
    };
    let location = respond::location_of_code(&asked.return_to, &code, issuer);
    trace::tell(
        visit.request,
        trace::Story {
            event: Some("code.issued"),
            client: Some(asked.client_id.to_string()),
            grant: Some(approval.grant_id.to_string()),
            subject: Some(by.subject.to_string()),
        },
    );
    if let Some(journey) = kept {
        remember(app, &asked, &by, scope).await?;
        leave_answer(app, journey, &location).await;
    }
    Ok(respond::go(&location))
}

/// What was approved, for the client to bring back: it becomes a grant when the code is redeemed (storage.md).
fn approval(app: &App, request: &HttpRequest, asked: &AuthorizationRequest, by: &Person, scope: &Scope) -> Approval {
    let (now, lifetimes) = (app.clock.now(), &app.config.lifetimes);
    Approval {
        grant_id: GrantId::born(app.clock.now_ms(), secret::fresh_bytes()),
        client_id: asked.client_id.clone(),
        subject: by.subject.clone(),
        resource: asked.resource.clone(),
        scope: scope.clone(),
        redirect_uri: asked.return_to.redirect_uri().clone(),
        upstream_session: by.upstream_session.clone(),
        auth_time: by.auth_time,
        nonce: asked.nonce.clone(),
        code_challenge: asked.code_challenge.clone(),
        code_expires_at: now + lifetimes.code,
        expires_at: now + lifetimes.grant,
        created_at: now,
        trail: audit::trail(request),
    }
}

/// Its code. What a person said on a page is written down before; what is approved from memory is when its code is redeemed.
async fn give(app: &App, approval: &Approval, on_a_page: bool) -> Result<CodeSecret, Error> {
    let code = code::seal(app.keys.sealing(), approval)?;
    if on_a_page {
        let event = AuditEvent {
            subject: Some(approval.subject.clone()),
            grant_id: Some(approval.grant_id),
            detail: serde_json::json!({ "resource": approval.resource.as_str(), "scope": approval.scope.as_str() }).to_string(),
            ..audit::about_client("consent.given", &approval.client_id, approval.created_at, approval.trail.clone())
        };
        app.store.audit(event).await?;
    }
    Ok(code)
}

/// Remembers what a person approved on a page, if it may be remembered at all.
async fn remember(app: &App, asked: &AuthorizationRequest, by: &Person, scope: Scope) -> Result<(), Error> {
    let client = client::resolve(&app.store, &asked.client_id).await?;
    if rememberable(app, &client, asked) {
        let row =
            ConsentRow { scope, client_digest: client.metadata_digest.clone(), expires_at: app.clock.now() + app.config.lifetimes.consent };
        app.store.remember_consent(&consent_key(by, asked), row).await?;
    }
    Ok(())
}

/// A no goes to the client.
async fn refuse(app: &App, visit: &Visit<'_>, refused: RefusedFlow) -> Result<HttpResponse, Error> {
    let RefusedFlow { return_to, error, kept } = refused;
    if let Some(journey) = &kept
        && !flow::claim(app, journey).await?
    {
        return second_click(app, visit, journey).await;
    }
    if let (Some(journey), Error::AccessDenied(Refusal::ByPerson)) = (&kept, &error) {
        let event = audit::about_client("consent.denied", &journey.asked.client_id, app.clock.now(), audit::trail(visit.request));
        app.store.audit(event).await?;
    }
    let response = respond::refuse(visit.request, &return_to, &error, &app.config.issuer);
    Ok(leave_refusal(app, kept, response).await)
}

/// Leaves a refusal for a second click.
async fn leave_refusal(app: &App, kept: Option<Journey>, response: HttpResponse) -> HttpResponse {
    if let (Some(journey), Some(location)) = (kept, respond::location_in(&response)) {
        leave_answer(app, journey, location).await;
    }
    response
}

/// Leaves the answer for a second click, sealed: it holds a code, and codes are kept only as hashes.
async fn leave_answer(app: &App, journey: Journey, location: &str) {
    let about = journey.id.to_string();
    let sealed = app.keys.sealing().seal(Purpose::Flow, about.as_bytes(), location.as_bytes());
    let kept = match sealed {
        Ok(sealed) => flow::keep(app, &journey.answered(sealed)).await,
        Err(error) => Err(error.into()),
    };
    if let Err(error) = kept {
        // The answer itself is on its way; only a second click would miss this.
        tracing::warn!(event = "flow.forgotten", error = &error as &dyn std::error::Error, "could not keep the answer for a second click");
    }
}

/// Sends a second click where the first one went.
pub(super) fn where_it_went(app: &App, answered: &Answered) -> Result<HttpResponse, Error> {
    let location = app.keys.sealing().open_sealed(Purpose::Flow, answered.id.as_str().as_bytes(), &answered.sealed_location)?;
    let location = String::from_utf8(location).map_err(|_| Error::ServerError(Bug::new("a sealed location is text")))?;
    Ok(respond::go(&location))
}

/// Of two clicks one answers; the other waits for that answer and goes where it went. Browsers follow the later one.
async fn second_click(app: &App, visit: &Visit<'_>, page: &Journey) -> Result<HttpResponse, Error> {
    for _ in 0..SECOND_CLICK_WAITS {
        match flow::of_browser(app, &page.id, &visit.browser).await? {
            Kept::Answered(answered) => return where_it_went(app, &answered),
            kept if kept.journey().is_some_and(|journey| journey.page_id() != page.page_id()) => return Ok(to_the_page(visit, &kept)),
            _ => tokio::time::sleep(SECOND_CLICK_WAIT).await,
        }
    }
    Err(Error::InvalidRequest(RequestFault::FlowUnknown))
}

/// Sends the browser to the page where the flow waits.
pub(super) fn to_the_page(visit: &Visit<'_>, kept: &Kept) -> HttpResponse {
    let page = match kept {
        Kept::AwaitingLogin(stage) => routes::login_of(&stage.journey.id),
        other => routes::consent_of(other.id()),
    };
    browser::with_cookie(reply::see_other(&page), visit.browser_cookie.clone())
}
