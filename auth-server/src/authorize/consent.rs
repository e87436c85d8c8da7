//! The page that asks, and the answer: `GET` and `POST /consent/{flow}`.
//!
//! MCP security best practices (per-client consent, CSRF token, no framing); decision 3; attacks 1 to 4. The flow belongs to the
//! browser that began it, the form's token to that browser, that flow and the account that the page showed. A GET changes nothing,
//! so a reload and a prefetch are harmless (lesson 28).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    web,
};
use oauth_types::{Error, FlowId, Refusal, RequestFault, Scope, Ttl};

use super::{
    Visit,
    flow::{self, Journey, Kept, Why},
    login::{self, Presented, SignIn},
    next,
    person::Present,
};
use crate::{
    App,
    browser::{self, Signed},
    client,
    http::{
        csrf,
        extract::{FrontParams, Params},
        reply::AsPage,
    },
    pages::{
        self, AnsweredPage,
        consent::{Account, Ask, Asking, ConsentPage, Facts, Stranger, Traveller, Who},
    },
    policy::Standing,
    routes,
};

/// What a visitor wants to see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Showing {
    /// The question, to whoever is signed in; a stranger may sign in with the answer, or after it.
    Question,
    /// The question as to a stranger, whoever is signed in.
    SignIn,
    /// The same with name and password, although there are other ways to sign in.
    Password,
}

/// `GET /consent/{flow}`
pub(crate) async fn get(app: web::Data<App>, request: HttpRequest, flow: web::Path<String>) -> Result<HttpResponse, AsPage> {
    show(&app, &request, &flow, Showing::Question).await
}

/// `POST /consent/{flow}`
pub(crate) async fn post(
    app: web::Data<App>,
    request: HttpRequest,
    flow: web::Path<String>,
    form: FrontParams,
) -> Result<HttpResponse, AsPage> {
    csrf::same_origin(&request)?;
    let form = Answer::read(&form)?;
    let mut visit = Visit::met(&app, &request).await?;
    let kept = flow::of_browser(&app, &flow_id(&flow)?, &visit.browser).await?;
    Ok(answer(&app, &mut visit, kept, form).await?)
}

impl Kept {
    /// Will this sign-in do, or does the client want a newer one? Who is asked to confirm has just signed in for this flow.
    fn may_be_answered_by(&self, app: &App, signed: &Signed) -> bool {
        match self {
            Self::AwaitingConfirmation(stage) if stage.subject == signed.row.subject => true,
            _ => self.journey().is_some_and(|journey| next::suits(app, &journey.asked, signed)),
        }
    }
}

/// Shows what a flow waits for.
pub(super) async fn show(app: &App, request: &HttpRequest, flow: &str, showing: Showing) -> Result<HttpResponse, AsPage> {
    let visit = Visit::met(app, request).await?;
    match flow::of_browser(app, &flow_id(flow)?, &visit.browser).await? {
        Kept::Answered(_) => {
            let frame = pages::frame(&app.i18n, &app.config, request, None);
            Ok(pages::answer(StatusCode::OK, &frame, &AnsweredPage { frame }, None))
        }
        kept => Ok(Question::of(app, &visit, kept, showing).page(Stranger::default(), StatusCode::OK).await?),
    }
}

pub(super) fn flow_id(text: &str) -> Result<FlowId, Error> {
    // A malformed id is as unknown as one that ended.
    FlowId::parse(text).map_err(|_| Error::InvalidRequest(RequestFault::FlowUnknown))
}

/// What the form said.
struct Answer {
    decision: Decision,
    csrf_token: String,
    username: String,
    password: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Allow,
    Deny,
}

impl Answer {
    fn read(form: &Params) -> Result<Self, Error> {
        if form.repeated().is_some() {
            return Err(Error::InvalidRequest(RequestFault::RepeatedParameter));
        }
        let decision = match form.get("decision") {
            Some("allow") => Decision::Allow,
            Some("deny") => Decision::Deny,
            _ => return Err(Error::InvalidRequest(RequestFault::MissingParameter("decision"))),
        };
        let text = |name| form.get(name).unwrap_or_default().to_owned();
        Ok(Self { decision, csrf_token: text("csrf_token"), username: text("username"), password: text("password") })
    }
}

/// Which page a form came from; its token tells.
#[derive(Clone, Copy)]
enum Page<'a> {
    /// One that named the account that is signed in.
    Account(&'a Present),
    /// One that asked for name and password.
    Stranger,
    /// One that asked to continue elsewhere.
    Traveller,
}

impl Page<'_> {
    /// For what its form's token is good: one flow, and one account or none.
    fn purpose(self, flow: &FlowId) -> String {
        match self {
            Self::Account(present) => format!("consent\n{flow}\n{}", present.signed.mark()),
            Self::Stranger => format!("sign in\n{flow}"),
            Self::Traveller => format!("continue\n{flow}"),
        }
    }
}

/// The page that this form came from. Another sign-in since a page named its account makes that page's token worthless.
fn page_of<'a>(visit: &'a Visit<'_>, flow: &FlowId, token: &str) -> Result<Page<'a>, Error> {
    let pages = visit.present.as_ref().map(Page::Account).into_iter().chain([Page::Stranger, Page::Traveller]);
    let mut proven = pages.filter(|page| visit.browser.proves(&page.purpose(flow), token));
    proven.next().ok_or(Error::InvalidRequest(RequestFault::CsrfMismatch))
}

/// Takes a decision. Nothing is changed before browser, token and origin are proven.
async fn answer(app: &App, visit: &mut Visit<'_>, kept: Kept, form: Answer) -> Result<HttpResponse, Error> {
    let flow_unknown = || Error::InvalidRequest(RequestFault::FlowUnknown);
    let page = page_of(visit, kept.id(), &form.csrf_token)?;
    if let Kept::Answered(answered) = &kept {
        return next::where_it_went(app, answered);
    }
    if form.decision == Decision::Deny {
        let refused = kept.waiting().ok_or_else(flow_unknown)?.refused(Error::AccessDenied(Refusal::ByPerson));
        return next::next(app, visit, refused).await;
    }
    match page {
        Page::Account(present) if !kept.may_be_answered_by(app, &present.signed) => {
            // A page that was left open until its sign-in was too old for this client: the next page asks for a new one.
            Question::of(app, visit, kept, Showing::Question).page(Stranger::default(), StatusCode::OK).await
        }
        Page::Account(present) => {
            let flow = next::allowed(app, present, kept, false).ok_or_else(flow_unknown)?;
            next::next(app, visit, flow).await
        }
        Page::Traveller => {
            let flow = next::allowed_before_login(kept, visit.present.is_some()).ok_or_else(flow_unknown)?;
            next::next(app, visit, flow).await
        }
        Page::Stranger => sign_in_and_answer(app, visit, kept, form).await,
    }
}

/// "Sign in and allow": name and password came with the decision.
async fn sign_in_and_answer(app: &App, visit: &mut Visit<'_>, kept: Kept, form: Answer) -> Result<HttpResponse, Error> {
    if !app.config.accounts.offered {
        return Err(Error::InvalidRequest(RequestFault::CsrfMismatch));
    }
    let cookie = match login::sign_in(app, visit, Presented { username: &form.username, password: &form.password }).await? {
        SignIn::Done(cookie) => cookie,
        SignIn::Wrong => return try_again(app, visit, kept, &form.username, None).await,
        SignIn::Slow(wait) => return try_again(app, visit, kept, &form.username, Some(wait)).await,
    };
    let present = visit.present.as_ref().ok_or(Error::InvalidRequest(RequestFault::CsrfMismatch))?;
    let flow = next::allowed(app, present, kept, true).ok_or(Error::InvalidRequest(RequestFault::FlowUnknown))?;
    let response = next::next(app, visit, flow).await?;
    Ok(browser::with_cookie(response, Some(cookie)))
}

/// The same page again with a calm sentence; too many of them end the flow.
async fn try_again(app: &App, visit: &Visit<'_>, kept: Kept, username: &str, wait: Option<Ttl>) -> Result<HttpResponse, Error> {
    if wait.is_none() && flow::too_many_wrong_passwords(app, kept.id()).await? {
        let refused = kept.waiting().map(|journey| journey.refused(Error::AccessDenied(Refusal::TooManyPasswords)));
        return next::next(app, visit, refused.ok_or(Error::InvalidRequest(RequestFault::FlowUnknown))?).await;
    }
    let question = Question::of(app, visit, kept, Showing::Password);
    let words = question.frame.words;
    let (problem, status) = match wait {
        None => (words.say("sign-in-wrong"), StatusCode::FORBIDDEN),
        Some(wait) => (words.say_with("sign-in-slow", &[("minutes", &minutes(wait))]), StatusCode::TOO_MANY_REQUESTS),
    };
    let mut response = question.page(Stranger { username: shown_name(username), problem: Some(problem) }, status).await?;
    if let Some(wait) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.0.max(1)));
    }
    Ok(response)
}

fn minutes(wait: Ttl) -> String {
    (wait.0.max(1).div_euclid(60) + i64::from(wait.0.rem_euclid(60) > 0)).to_string()
}

/// The name as it was typed, but no longer than a name can be: it goes back into the page.
fn shown_name(username: &str) -> String {
    username.chars().take(crate::accounts::USERNAME_CHARS_MAX).collect()
}

/// A question about to be asked.
struct Question<'a> {
    app: &'a App,
    visit: &'a Visit<'a>,
    frame: pages::Frame<'a>,
    kept: Kept,
    showing: Showing,
}

impl<'a> Question<'a> {
    fn of(app: &'a App, visit: &'a Visit<'_>, kept: Kept, showing: Showing) -> Self {
        let ui_locales = kept.journey().and_then(|journey| journey.asked.ui_locales.clone());
        Self { app, visit, frame: pages::frame(&app.i18n, &app.config, visit.request, ui_locales.as_deref()), kept, showing }
    }

    async fn page(self, stranger: Stranger, status: StatusCode) -> Result<HttpResponse, Error> {
        let Some(journey) = self.kept.journey() else { return Err(Error::InvalidRequest(RequestFault::FlowUnknown)) };
        let asked = &journey.asked;
        let client = client::resolve(&self.app.store, &asked.client_id).await?;
        let present = self.whom_to_ask();
        let (asking, scope) = self.what_to_ask(present, journey);
        let resource_name = self.app.config.resource(&asked.resource).map_or(asked.resource.as_str(), |resource| &resource.name);
        let redirect_uri = asked.return_to.redirect_uri();
        let ask = Ask {
            asking,
            client_name: Some(client.name.trim()).filter(|name| !name.is_empty()),
            redirect_uri,
            is_unverified: self.app.policy.standing(&client, redirect_uri) == Ok(Standing::Unverified),
            resource_name,
            resource_uri: &asked.resource,
            scope: &scope,
        };
        let (who, page) = match present {
            Some(present) => (self.account(present, journey).await?, Page::Account(present)),
            None if self.is_for_travellers() => {
                let provider = login::one_provider(self.app, asked).map(str::to_owned);
                (Who::Traveller(Traveller { provider }), Page::Traveller)
            }
            None => (Who::Stranger(with_hint(stranger, asked.login_hint.as_deref())), Page::Stranger),
        };
        let page = ConsentPage {
            frame: self.frame,
            facts: Facts::told(&ask, self.frame.words),
            who,
            action: routes::consent_of(&journey.id),
            csrf_token: self.visit.browser.form_token(&page.purpose(&journey.id)),
            remembered: next::rememberable(self.app, &client, asked),
        };
        Ok(pages::answer(status, &self.frame, &page, Some(redirect_uri)))
    }

    /// The account that is asked, if the one that is signed in will do.
    fn whom_to_ask(&self) -> Option<&Present> {
        let present = self.visit.present.as_ref().filter(|_| self.showing == Showing::Question)?;
        self.kept.may_be_answered_by(self.app, &present.signed).then_some(present)
    }

    /// Does a stranger sign in elsewhere, after the answer? With accounts kept here alone they do it with the answer.
    fn is_for_travellers(&self) -> bool {
        self.showing != Showing::Password && !self.app.upstreams.is_empty()
    }

    /// What the page shows is what an "allow" on it grants.
    fn what_to_ask(&self, present: Option<&Present>, journey: &Journey) -> (Asking, Scope) {
        let asked = &journey.asked;
        match (&self.kept, present) {
            (Kept::AwaitingConfirmation(stage), Some(present)) if stage.subject == present.signed.row.subject => {
                let asking = match stage.why {
                    Why::Reduced => Asking::Reduced,
                    Why::Silent => Asking::Silent,
                };
                (asking, stage.scope.clone())
            }
            // A refusal by the rules comes with the answer, as a redirect that the client understands.
            (_, Some(present)) => {
                (Asking::Consent, next::permitted(self.app, asked, &present.known).unwrap_or_else(|_| asked.scope.clone()))
            }
            (_, None) => (Asking::Consent, asked.scope.clone()),
        }
    }

    async fn account(&self, present: &Present, journey: &Journey) -> Result<Who, Error> {
        let subject = self.app.store.subject(&present.signed.row.subject).await?;
        let name = subject.map(|subject| subject.display_name).unwrap_or_default();
        let provider = present.known.idp().and_then(|id| self.app.upstreams.get(id)).map(|idp| idp.settings().name.clone());
        Ok(Who::Account(Account { name, provider, another_href: routes::login_of(&journey.id) }))
    }
}

fn with_hint(stranger: Stranger, hint: Option<&str>) -> Stranger {
    if stranger.username.is_empty() { Stranger { username: shown_name(hint.unwrap_or_default()), ..stranger } } else { stranger }
}
