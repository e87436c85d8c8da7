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
    flow::{self, Journey, Kept},
    login::{self, Presented, SignIn},
    next,
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
        consent::{Account, Ask, Asking, ConsentPage, Facts, Stranger, Who},
    },
    policy::Standing,
    routes,
};

/// What a visitor wants to see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Showing {
    /// The question, to whoever is signed in; a stranger may sign in with the answer.
    Question,
    /// The sign-in, whoever is signed in.
    SignIn,
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
    let mut visit = Visit::of(&app, &request).await?;
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
    let visit = Visit::of(app, request).await?;
    match flow::of_browser(app, &flow_id(flow)?, &visit.browser).await? {
        Kept::Answered(_) => {
            let frame = pages::frame(&app.i18n, &app.config, request, None);
            Ok(pages::answer(StatusCode::OK, &frame, &AnsweredPage { frame }, None))
        }
        kept => Ok(Question::of(app, &visit, kept, showing).page(Stranger::default(), StatusCode::OK).await?),
    }
}

fn flow_id(text: &str) -> Result<FlowId, Error> {
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

/// For what a form's token is good: one flow, and one account or none.
fn purpose(flow: &FlowId, signed: Option<&Signed>) -> String {
    match signed {
        Some(signed) => format!("consent\n{flow}\n{}", signed.mark()),
        None => format!("sign in\n{flow}"),
    }
}

/// Which page a form came from; its token tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    /// One that named the account that is signed in.
    OfAccount,
    /// One that asked for name and password.
    OfStranger,
}

/// The page that this form came from. Another sign-in since a page named its account makes that page's token worthless.
fn page_of(visit: &Visit<'_>, flow: &FlowId, token: &str) -> Result<Page, Error> {
    let proves = |signed| visit.browser.proves(&purpose(flow, signed), token);
    if visit.signed.as_ref().is_some_and(|signed| proves(Some(signed))) {
        return Ok(Page::OfAccount);
    }
    if proves(None) { Ok(Page::OfStranger) } else { Err(Error::InvalidRequest(RequestFault::CsrfMismatch)) }
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
    let mut cookie = None;
    if page == Page::OfStranger {
        match login::sign_in(app, visit, Presented { username: &form.username, password: &form.password }).await? {
            SignIn::Done(fresh) => cookie = Some(fresh),
            SignIn::Wrong => return try_again(app, visit, kept, &form.username, None).await,
            SignIn::Slow(wait) => return try_again(app, visit, kept, &form.username, Some(wait)).await,
        }
    }
    let signed = visit.signed.clone().ok_or(Error::InvalidRequest(RequestFault::CsrfMismatch))?;
    if page == Page::OfAccount && !kept.may_be_answered_by(app, &signed) {
        // A page that was left open until its sign-in was too old for this client: the next page asks for a new one.
        return Question::of(app, visit, kept, Showing::Question).page(Stranger::default(), StatusCode::OK).await;
    }
    let flow = next::allowed(app, &signed, kept, page == Page::OfStranger).ok_or_else(flow_unknown)?;
    let response = next::next(app, visit, flow).await?;
    Ok(browser::with_cookie(response, cookie))
}

/// The same page again with a calm sentence; too many of them end the flow.
async fn try_again(app: &App, visit: &Visit<'_>, kept: Kept, username: &str, wait: Option<Ttl>) -> Result<HttpResponse, Error> {
    if wait.is_none() && flow::too_many_wrong_passwords(app, kept.id()).await? {
        let refused = kept.waiting().map(|journey| journey.refused(Error::AccessDenied(Refusal::TooManyPasswords)));
        return next::next(app, visit, refused.ok_or(Error::InvalidRequest(RequestFault::FlowUnknown))?).await;
    }
    let question = Question::of(app, visit, kept, Showing::SignIn);
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
        let signed = self.whom_to_ask();
        let (asking, scope) = self.what_to_ask(signed, journey);
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
        let who = match signed {
            Some(signed) => Who::Account(Account { name: self.account_name(signed).await?, another_href: routes::login_of(&journey.id) }),
            None => Who::Stranger(with_hint(stranger, asked.login_hint.as_deref())),
        };
        let page = ConsentPage {
            frame: self.frame,
            facts: Facts::told(&ask, self.frame.words),
            who,
            action: routes::consent_of(&journey.id),
            csrf_token: self.visit.browser.form_token(&purpose(&journey.id, signed)),
            remembered: next::rememberable(self.app, &client, asked),
        };
        Ok(pages::answer(status, &self.frame, &page, Some(redirect_uri)))
    }

    /// The account that is asked, if the one that is signed in will do.
    fn whom_to_ask(&self) -> Option<&Signed> {
        let signed = self.visit.signed.as_ref().filter(|_| self.showing == Showing::Question)?;
        self.kept.may_be_answered_by(self.app, signed).then_some(signed)
    }

    /// What the page shows is what an "allow" on it grants.
    fn what_to_ask(&self, signed: Option<&Signed>, journey: &Journey) -> (Asking, Scope) {
        match (&self.kept, signed) {
            (Kept::AwaitingConfirmation(stage), Some(signed)) if stage.subject == signed.row.subject => {
                (Asking::Confirmation, stage.scope.clone())
            }
            // A refusal by the rules comes with the answer, as a redirect that the client understands.
            (_, Some(_)) => (Asking::Consent, next::permitted(self.app, &journey.asked).unwrap_or_else(|_| journey.asked.scope.clone())),
            (_, None) => (Asking::Consent, journey.asked.scope.clone()),
        }
    }

    async fn account_name(&self, signed: &Signed) -> Result<String, Error> {
        let subject = self.app.store.subject(&signed.row.subject).await?;
        Ok(subject.map(|subject| subject.display_name).unwrap_or_default())
    }
}

fn with_hint(stranger: Stranger, hint: Option<&str>) -> Stranger {
    if stranger.username.is_empty() { Stranger { username: shown_name(hint.unwrap_or_default()), ..stranger } } else { stranger }
}
