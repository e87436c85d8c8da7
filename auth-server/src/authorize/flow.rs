//! A flow: one browser journey from `/authorize` to the redirect back, as stages that consume one another.
//!
//! Owns the stages, what each may become, and how those that wait for a person are kept (Ephemeral, `lifetimes.flow`). It decides
//! nothing: `next.rs` does. Losing a flow means "please start again".

use oauth_types::{Error, FlowId, RequestFault, Scope, Subject, Timestamp, Ttl, UpstreamSessionId};
use serde::{Deserialize, Serialize};

use super::request::{AuthorizationRequest, ReturnTo};
use crate::{
    App,
    browser::{BrowserKey, Signed},
    ephemeral::{Key, Slot},
    secret,
};

/// Wrong passwords on one page before the flow ends. The account has a limit of its own; this one bounds a page left open.
const WRONG_PASSWORDS_MAX: u64 = 10;
/// Flows that one browser may begin within the life of a flow. An assistant that connects to three servers begins three.
const PER_BROWSER_MAX: u64 = 30;

const FLOWS: Slot<Kept> = Slot::new("flow", Ttl::minutes(10));

/// A journey of which something is decided; before that it is [`Asked`].
pub(super) enum Flow {
    /// The consent page waits.
    AwaitingConsent(AwaitingConsent),
    /// Somebody said yes who is still to say who they are; the provider, or the chooser, waits.
    AwaitingLogin(AwaitingLogin),
    /// The second page waits: less can be granted than was asked, or nobody was asked who they are.
    AwaitingConfirmation(AwaitingConfirmation),
    /// Somebody said yes, now or before.
    Approved(Approved),
    /// Somebody or something said no.
    Refused(RefusedFlow),
}

impl Flow {
    /// A journey that ends where it began.
    pub(super) fn refused(return_to: ReturnTo, error: Error) -> Self {
        Self::Refused(RefusedFlow { return_to, error, kept: None })
    }
}

/// What is kept of a flow while a person reads, or after they answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Kept {
    AwaitingConsent(AwaitingConsent),
    AwaitingLogin(AwaitingLogin),
    AwaitingConfirmation(AwaitingConfirmation),
    Answered(Answered),
}

/// What every stage knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Journey {
    pub(super) id: FlowId,
    /// The browser that began it: the hash of its cookie.
    browser: String,
    pub(super) asked: AuthorizationRequest,
    pub(super) began_at: Timestamp,
    /// How many pages it has asked before this one; each page has one answer that counts.
    turn: u32,
}

/// A request that was read.
pub(super) struct Asked {
    pub(super) asked: AuthorizationRequest,
    pub(super) began_at: Timestamp,
}

/// Waiting for a person to answer, signed in or not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AwaitingConsent {
    pub(super) journey: Journey,
}

/// Allowed by somebody who is about to sign in elsewhere. Consent came first (attack 1): there is no way to this stage but from it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AwaitingLogin {
    pub(super) journey: Journey,
    /// They were signed in and want to be somebody else: the provider must ask, or it would answer with the same account.
    pub(super) anew: bool,
}

/// Back from where they signed in, and known by name. Never kept: what follows is decided at once.
pub(super) struct Identified {
    journey: Journey,
    by: Person,
    is_fresh: bool,
}

/// Waiting for a person to accept what they were not shown before they signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AwaitingConfirmation {
    pub(super) journey: Journey,
    /// Who signed in; nobody else may confirm.
    pub(super) subject: Subject,
    /// What will be granted.
    pub(super) scope: Scope,
    pub(super) why: Why,
}

/// Why somebody is asked twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Why {
    /// They may grant less than they allowed.
    Reduced,
    /// Their provider still knew them and asked nothing: they have not seen as whom they come.
    Silent,
}

/// What a flow leaves behind for a moment, so that a second click on "Allow" goes where the first one went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Answered {
    pub(super) id: FlowId,
    browser: String,
    began_at: Timestamp,
    /// Where the first answer went, sealed: it holds a code.
    pub(super) sealed_location: String,
}

/// Who approved.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) subject: Subject,
    pub(super) auth_time: Timestamp,
    pub(super) upstream_session: Option<UpstreamSessionId>,
}

/// A yes.
pub(super) struct Approved {
    pub(super) asked: AuthorizationRequest,
    pub(super) by: Person,
    pub(super) scope: Scope,
    /// The flow that a person answered; none when an earlier answer was remembered.
    pub(super) kept: Option<Journey>,
}

/// A no.
pub(super) struct RefusedFlow {
    pub(super) return_to: ReturnTo,
    pub(super) error: Error,
    pub(super) kept: Option<Journey>,
}

impl Person {
    pub(super) fn of(signed: &Signed) -> Self {
        Self { subject: signed.row.subject.clone(), auth_time: signed.row.auth_time, upstream_session: signed.row.upstream_session.clone() }
    }
}

impl Asked {
    pub(super) fn new(asked: AuthorizationRequest, began_at: Timestamp) -> Self {
        Self { asked, began_at }
    }

    /// Approved before, by the same person, for the same client, address and resource.
    pub(super) fn remembered(self, by: Person, scope: Scope) -> Flow {
        Flow::Approved(Approved { asked: self.asked, by, scope, kept: None })
    }

    /// Somebody must be asked: from here on the flow belongs to one browser.
    pub(super) fn awaits_consent(self, browser: &BrowserKey) -> Flow {
        let id = FlowId::from_trusted(secret::fresh_text::<16>(""));
        let journey = Journey { id, browser: browser.hash().text(), asked: self.asked, began_at: self.began_at, turn: 0 };
        Flow::AwaitingConsent(AwaitingConsent { journey })
    }

    pub(super) fn refused(self, error: Error) -> Flow {
        Flow::refused(self.asked.return_to, error)
    }
}

impl AwaitingConsent {
    /// "Allow", by somebody who was shown this scope.
    pub(super) fn allowed(self, by: Person, scope: Scope) -> Flow {
        Flow::Approved(Approved { asked: self.journey.asked.clone(), by, scope, kept: Some(self.journey) })
    }

    /// "Allow", by somebody who may have less: they are told before anything is granted.
    pub(super) fn reduced(self, by: &Person, scope: Scope) -> Flow {
        let subject = by.subject.clone();
        Flow::AwaitingConfirmation(AwaitingConfirmation { journey: self.journey, subject, scope, why: Why::Reduced })
    }

    /// "Continue", by somebody who will sign in elsewhere.
    pub(super) fn allowed_before_login(self, anew: bool) -> Flow {
        Flow::AwaitingLogin(AwaitingLogin { journey: self.journey, anew })
    }
}

impl AwaitingLogin {
    /// They came back as this person. `is_fresh`: they were asked who they are after this flow began.
    pub(super) fn identified(self, by: Person, is_fresh: bool) -> Identified {
        Identified { journey: self.journey, by, is_fresh }
    }

    /// On a page of its own, after the one that was answered.
    pub(super) fn on_the_next_page(mut self) -> Self {
        self.journey.turn += 1;
        self
    }

    /// The question once more: they turned back, or somebody is signed in meanwhile.
    pub(super) fn again(self) -> AwaitingConsent {
        AwaitingConsent { journey: self.journey }
    }
}

impl Identified {
    /// After a fresh sign-in with nothing taken away the code follows at once (decision 3).
    pub(super) fn settled(self, scope: Scope) -> Flow {
        let Self { journey, by, is_fresh } = self;
        let why = if scope != journey.asked.scope { Some(Why::Reduced) } else { (!is_fresh).then_some(Why::Silent) };
        match why {
            Some(why) => Flow::AwaitingConfirmation(AwaitingConfirmation { journey, subject: by.subject, scope, why }),
            None => Flow::Approved(Approved { asked: journey.asked.clone(), by, scope, kept: Some(journey) }),
        }
    }
}

impl AwaitingConfirmation {
    /// "Allow", by the person who was shown what is left.
    pub(super) fn confirmed(self, by: Person) -> Flow {
        let asked = self.journey.asked.clone();
        Flow::Approved(Approved { asked, by, scope: self.scope, kept: Some(self.journey) })
    }

    /// On a page of its own, after the one that was answered.
    pub(super) fn on_the_next_page(mut self) -> Self {
        self.journey.turn += 1;
        self
    }

    /// Somebody else is signed in now: the question begins anew.
    pub(super) fn again(self) -> AwaitingConsent {
        AwaitingConsent { journey: self.journey }
    }
}

impl Journey {
    /// Names one page of one flow.
    pub(super) fn page_id(&self) -> String {
        format!("{}.{}", self.id, self.turn)
    }

    /// "Deny", or a rule that says so.
    pub(super) fn refused(self, error: Error) -> Flow {
        Flow::Refused(RefusedFlow { return_to: self.asked.return_to.clone(), error, kept: Some(self) })
    }

    pub(super) fn answered(self, sealed_location: String) -> Kept {
        Kept::Answered(Answered { id: self.id, browser: self.browser, began_at: self.began_at, sealed_location })
    }
}

impl Kept {
    fn belongs(&self) -> (&FlowId, &str, Timestamp) {
        match self {
            Self::AwaitingConsent(stage) => (&stage.journey.id, &stage.journey.browser, stage.journey.began_at),
            Self::AwaitingLogin(stage) => (&stage.journey.id, &stage.journey.browser, stage.journey.began_at),
            Self::AwaitingConfirmation(stage) => (&stage.journey.id, &stage.journey.browser, stage.journey.began_at),
            Self::Answered(stage) => (&stage.id, &stage.browser, stage.began_at),
        }
    }

    pub(super) fn id(&self) -> &FlowId {
        self.belongs().0
    }

    pub(super) fn journey(&self) -> Option<&Journey> {
        match self {
            Self::AwaitingConsent(stage) => Some(&stage.journey),
            Self::AwaitingLogin(stage) => Some(&stage.journey),
            Self::AwaitingConfirmation(stage) => Some(&stage.journey),
            Self::Answered(_) => None,
        }
    }

    /// The journey, while it waits for a person.
    pub(super) fn waiting(self) -> Option<Journey> {
        match self {
            Self::AwaitingConsent(stage) => Some(stage.journey),
            Self::AwaitingLogin(stage) => Some(stage.journey),
            Self::AwaitingConfirmation(stage) => Some(stage.journey),
            Self::Answered(_) => None,
        }
    }
}

/// Keeps a flow that waits for a person.
pub(super) async fn keep(app: &App, kept: &Kept) -> Result<(), Error> {
    let (id, ..) = kept.belongs();
    Ok(FLOWS.put(&*app.ephemeral, id.as_str(), kept).await?)
}

/// Counts a flow that begins; a browser that begins too many is told to slow down.
pub(super) async fn count(app: &App, browser: &BrowserKey) -> Result<(), Error> {
    let window = app.config.lifetimes.flow;
    let begun = app.ephemeral.count(&Key::new("flows-begun", &browser.hash().text()), window).await?;
    if begun > PER_BROWSER_MAX { Err(Error::InvalidRequest(RequestFault::TooManyFlows)) } else { Ok(()) }
}

/// The flow of this id, for the browser that began it. Looking changes nothing: a reload or a prefetch is harmless.
pub(super) async fn of_browser(app: &App, id: &FlowId, browser: &BrowserKey) -> Result<Kept, Error> {
    let kept = FLOWS.peek(&*app.ephemeral, id.as_str()).await?.ok_or(Error::InvalidRequest(RequestFault::FlowUnknown))?;
    let (_, owner, began_at) = kept.belongs();
    // Attack 2: an approval counts only in the browser that asked.
    if browser.hash().text() != owner {
        return Err(Error::InvalidRequest(RequestFault::FlowForAnotherBrowser));
    }
    if app.clock.now() >= began_at + app.config.lifetimes.flow {
        return Err(Error::InvalidRequest(RequestFault::FlowUnknown));
    }
    Ok(kept)
}

/// Counts one more wrong password on this flow's page: is that too many? Beside the flow, so that counting never changes it.
pub(super) async fn too_many_wrong_passwords(app: &App, id: &FlowId) -> Result<bool, Error> {
    let key = Key::new("flow-wrong-passwords", id.as_str());
    Ok(app.ephemeral.count(&key, app.config.lifetimes.flow).await? >= WRONG_PASSWORDS_MAX)
}

/// May this caller answer the page that the flow shows? Of many answers one counts; `page` is the journey as that page knew it.
///
/// The flow stays in its place, so that whoever comes meanwhile finds it and waits for the answer.
pub(super) async fn claim(app: &App, page: &Journey) -> Result<bool, Error> {
    let key = Key::new("flow-claimed", &page.page_id());
    Ok(app.ephemeral.count(&key, app.config.lifetimes.flow).await? == 1)
}
