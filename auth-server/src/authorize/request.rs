//! Parameters → [`AuthorizationRequest`]: the ordered list of checks.
//!
//! RFC 6749 §4.1.1 and §4.1.2.1, OAuth 2.1 §4.1.1, RFC 7636 §4.3 (S256 only), RFC 8707 §2, OpenID Connect Core §3.1.2.1 and §6.
//!
//! | # | Asked | Refused with | How |
//! | - | ----- | ------------ | --- |
//! | 1 | are the parameters few, short and readable? | `invalid_request` | page |
//! | 2 | is there one `client_id`, of a client that we know? | `invalid_request` | page |
//! | 3 | is there one `redirect_uri` (or one registered), and does the client have it? | `invalid_redirect_uri` | page |
//! | 4 | is everything else said at most once, and `state` short? | `invalid_request` | redirect |
//! | 5 | no request object? | `request_not_supported`, `request_uri_not_supported` | redirect |
//! | 6 | `response_type=code`, in the query? | `unsupported_response_type`, `invalid_request` | redirect |
//! | 7 | may this client use the code grant? | `unauthorized_client` | redirect |
//! | 8 | a `code_challenge` with S256? | `invalid_request` | redirect |
//! | 9 | a `resource` of ours, or none? | `invalid_target` | redirect |
//! | 10 | a scope of which something can be granted, or none? | `invalid_scope` | redirect |
//! | 11 | `prompt`, `max_age` and the rest that OpenID Connect adds | `invalid_request` | redirect |
//!
//! What is left out of the list is ignored (RFC 6749 §3.1). oxide-auth's machine asks the questions of the code grant once more, in
//! its own order, and only what it lets through is a request.

use std::{borrow::Cow, sync::Arc};

use oauth_types::{
    Bug, ClientFault, ClientId, CodeChallenge, Error, RedirectFault, RedirectUri, RequestFault, ResourceUri, Scope, ScopeFault, State,
    TargetFault, Ttl,
};
use oxide_auth::{
    code_grant::authorization::{Authorization, Input, Output, Request as OxideRequest},
    primitives::{
        grant::Extensions,
        registrar::{BoundClient, ExactUrl, PreGrant, RegisteredUrl},
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    App,
    client::{self, GrantType},
    config::{Config, Resource},
    http::extract::Params,
    openid,
    store::ClientRow,
};

/// OpenID Connect Core gives no bound; it is kept with the grant, so it has ours.
const NONCE_BYTES_MAX: usize = 512;
/// A user name or a mail address (RFC 5321 §4.5.3.1.3); a longer hint is neither, and not worth a refusal.
const LOGIN_HINT_BYTES_MAX: usize = 254;
/// The longest name of a provider.
const IDP_HINT_BYTES_MAX: usize = 32;
/// A few language tags.
const UI_LOCALES_BYTES_MAX: usize = 128;

/// Scopes that ask who somebody is, or to stay connected: they say nothing about the resource. Clients send them unasked
/// (mcp-remote falls back to `openid email profile`), so alone they mean "the usual".
const IDENTITY_SCOPES: [&str; 5] = ["openid", "email", "profile", "address", "phone"];
/// OpenID Connect Core §11.
const OFFLINE_ACCESS: &str = "offline_access";

/// Where an answer goes: proven to belong to the client. Nothing else can be redirected to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReturnTo {
    redirect_uri: RedirectUri,
    state: Option<State>,
}

impl ReturnTo {
    #[cfg(test)]
    pub(super) fn proven(redirect_uri: RedirectUri, state: Option<State>) -> Self {
        Self { redirect_uri, state }
    }

    pub(crate) fn redirect_uri(&self) -> &RedirectUri {
        &self.redirect_uri
    }

    pub(crate) fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }
}

/// What a client asks for, every part of it checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client_id: ClientId,
    pub(crate) return_to: ReturnTo,
    pub(crate) resource: ResourceUri,
    pub(crate) scope: Scope,
    pub(crate) code_challenge: CodeChallenge,
    pub(crate) nonce: Option<String>,
    pub(crate) prompt: Prompt,
    /// How long ago the person may have signed in.
    pub(crate) max_age: Option<Ttl>,
    pub(crate) login_hint: Option<String>,
    /// Where the client wants the person to sign in; a name that we do not know says nothing.
    pub(crate) idp_hint: Option<String>,
    pub(crate) ui_locales: Option<String>,
}

/// OpenID Connect Core §3.1.2.1 `prompt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Prompt {
    /// Nobody may be asked anything.
    pub(crate) none: bool,
    /// The person signs in again.
    pub(crate) login: bool,
    /// The person is asked again.
    pub(crate) consent: bool,
}

/// A refusal, in the only two ways it can be said.
#[derive(Debug)]
pub(crate) enum Refused {
    /// To the person: we do not know where else.
    ByPage(Error),
    /// To the client, at its proven address.
    ByRedirect(ReturnTo, Error),
}

/// Reads a request, in the order of the table above.
pub(crate) async fn read(app: &App, parameters: &Params) -> Result<AuthorizationRequest, Refused> {
    let client = known_client(app, parameters).await.map_err(Refused::ByPage)?;
    let redirect_uri = proven_redirect(&client, parameters).map_err(Refused::ByPage)?;
    // Attack 11: a registration may be older than the rule that would refuse it today.
    app.policy.standing(&client, &redirect_uri).map_err(|barred| Refused::ByPage(Error::InvalidRedirectUri(barred.fault())))?;
    let (state, state_fault) =
        match once(parameters, "state").and_then(|state| state.map(State::parse).transpose().map_err(Error::InvalidRequest)) {
            Ok(state) => (state, None),
            // A state we cannot echo byte for byte is not echoed at all.
            Err(fault) => (None, Some(fault)),
        };
    let return_to = ReturnTo { redirect_uri, state };
    let refused = |error| Refused::ByRedirect(return_to.clone(), error);
    if let Some(fault) = state_fault {
        return Err(refused(fault));
    }
    Asked { config: &app.config, client: &client, parameters, return_to: &return_to }.judged().map_err(refused)
}

async fn known_client(app: &App, parameters: &Params) -> Result<Arc<ClientRow>, Error> {
    let id = once(parameters, "client_id")?.ok_or(Error::InvalidRequest(RequestFault::MissingParameter("client_id")))?;
    // A malformed id is as unknown as one that was never given out.
    let id = ClientId::parse(id).map_err(|_| Error::InvalidRequest(RequestFault::UnknownClient))?;
    client::resolve(&app.store, &id).await.map_err(|error| match error {
        // RFC 6749 §4.1.2.1: the person is told, and the answer is 400, not the token endpoint's 401.
        Error::InvalidClient(ClientFault::Deleted) => Error::InvalidRequest(RequestFault::DeletedClient),
        Error::InvalidClient(_) => Error::InvalidRequest(RequestFault::UnknownClient),
        other => other,
    })
}

/// A parameter that is asked for before everything is known to come once.
fn once<'a>(parameters: &'a Params, name: &str) -> Result<Option<&'a str>, Error> {
    if parameters.is_repeated(name) { Err(Error::InvalidRequest(RequestFault::RepeatedParameter)) } else { Ok(parameters.get(name)) }
}

/// RFC 6749 §3.1.2.3, OAuth 2.1 §2.3.1: compared as strings; only a loopback port is free.
fn proven_redirect(client: &ClientRow, parameters: &Params) -> Result<RedirectUri, Error> {
    let Some(text) = once(parameters, "redirect_uri")? else {
        return match client.redirect_uris.as_slice() {
            [only] => Ok(only.clone()),
            _ => Err(Error::InvalidRedirectUri(RedirectFault::Missing)),
        };
    };
    // What stands there letter by letter was read when it was registered.
    if let Some(same) = client.redirect_uris.iter().find(|registered| registered.as_str() == text) {
        return Ok(same.clone());
    }
    let asked = RedirectUri::parse(text).map_err(Error::InvalidRedirectUri)?;
    let registered = client.redirect_uris.iter().any(|registered| registered.allows(&asked));
    registered.then_some(asked).ok_or(Error::InvalidRedirectUri(RedirectFault::NotRegistered))
}

/// A request of a known client at a proven address.
struct Asked<'a> {
    config: &'a Config,
    client: &'a ClientRow,
    parameters: &'a Params,
    return_to: &'a ReturnTo,
}

impl Asked<'_> {
    fn judged(&self) -> Result<AuthorizationRequest, Error> {
        self.nothing_twice()?;
        self.no_request_object()?;
        self.code_in_the_query()?;
        self.client_may_ask_for_codes()?;
        let code_challenge = self.code_challenge()?;
        let resource = self.resource()?;
        let scope = self.scope(resource)?;
        self.referee(&scope)?;
        let hint = |name, max: usize| self.parameters.get(name).filter(|text| text.len() <= max).map(str::to_owned);
        Ok(AuthorizationRequest {
            client_id: self.client.client_id.clone(),
            return_to: self.return_to.clone(),
            resource: resource.uri.clone(),
            scope,
            code_challenge,
            nonce: self.nonce()?,
            prompt: self.prompt()?,
            max_age: self.max_age()?,
            login_hint: hint("login_hint", LOGIN_HINT_BYTES_MAX),
            idp_hint: hint("idp_hint", IDP_HINT_BYTES_MAX),
            ui_locales: hint("ui_locales", UI_LOCALES_BYTES_MAX),
        })
    }

    /// RFC 6749 §3.1; RFC 8707 §2 lets `resource` repeat.
    fn nothing_twice(&self) -> Result<(), Error> {
        self.parameters.repeated().map_or(Ok(()), |_| Err(Error::InvalidRequest(RequestFault::RepeatedParameter)))
    }

    /// OpenID Connect Core §6.1, §6.2 and RFC 9101: parameters come as parameters.
    fn no_request_object(&self) -> Result<(), Error> {
        match (self.parameters.get("request"), self.parameters.get("request_uri")) {
            (Some(_), _) => Err(Error::RequestNotSupported),
            (_, Some(_)) => Err(Error::RequestUriNotSupported),
            (None, None) => Ok(()),
        }
    }

    /// RFC 6749 §3.1.1; OAuth 2.0 Multiple Response Types §2.1: the code comes in the query, as its default says.
    fn code_in_the_query(&self) -> Result<(), Error> {
        match self.parameters.get("response_type") {
            None => return Err(Error::InvalidRequest(RequestFault::MissingParameter("response_type"))),
            Some("code") => {}
            Some(_) => return Err(Error::UnsupportedResponseType),
        }
        match self.parameters.get("response_mode") {
            None | Some("query") => Ok(()),
            Some(_) => Err(Error::InvalidRequest(RequestFault::ResponseModeUnsupported)),
        }
    }

    fn client_may_ask_for_codes(&self) -> Result<(), Error> {
        if self.client.grant_types.iter().any(|name| name == GrantType::AuthorizationCode.as_str()) {
            Ok(())
        } else {
            Err(Error::UnauthorizedClient(ClientFault::GrantTypeNotRegistered))
        }
    }

    /// RFC 7636 §4.3, OAuth 2.1 §4.1.1: always, and only S256. An absent method would mean `plain`.
    fn code_challenge(&self) -> Result<CodeChallenge, Error> {
        let challenge = self.parameters.get("code_challenge").ok_or(Error::InvalidRequest(RequestFault::ChallengeMissing))?;
        if self.parameters.get("code_challenge_method") != Some("S256") {
            return Err(Error::InvalidRequest(RequestFault::ChallengeMethodNotS256));
        }
        CodeChallenge::parse(challenge).map_err(Error::InvalidRequest)
    }

    /// RFC 8707 §2. Without one, the server's first resource: never "any" (checklist 45).
    fn resource(&self) -> Result<&Resource, Error> {
        let mut found: Option<&Resource> = None;
        for text in self.parameters.all("resource") {
            let uri = ResourceUri::parse(text).map_err(Error::InvalidTarget)?;
            let known = self.config.resource(&uri).ok_or(Error::InvalidTarget(TargetFault::Unknown))?;
            if found.is_some_and(|other| other.uri != known.uri) {
                // One grant is for one resource, so that one token opens one door.
                return Err(Error::InvalidTarget(TargetFault::Several));
            }
            found = Some(known);
        }
        Ok(found.unwrap_or_else(|| self.config.default_resource()))
    }

    /// RFC 6749 §3.3: who asks for nothing gets the default; who asks for too much gets what there is (checklist 41 to 44).
    fn scope(&self, resource: &Resource) -> Result<Scope, Error> {
        let asked = Scope::parse(self.parameters.get("scope").unwrap_or_default()).map_err(Error::InvalidScope)?;
        let wants_offline = asked.contains(OFFLINE_ACCESS);
        let about_person = self.about_person(&asked)?;
        let about_resource = IDENTITY_SCOPES.into_iter().chain([OFFLINE_ACCESS]).fold(asked, |scope, token| scope.without(token));
        let granted = if about_resource.is_empty() { resource.default_scope.clone() } else { about_resource.intersect(&resource.scopes) };
        if granted.is_empty() {
            return Err(Error::InvalidScope(ScopeFault::NothingLeft));
        }
        let also =
            if wants_offline { about_person.union(&Scope::parse(OFFLINE_ACCESS).map_err(Error::InvalidScope)?) } else { about_person };
        Ok(granted.union(&also))
    }

    /// OpenID Connect Core §3.1.2.1, §5.4: only with `openid`, and only where ID tokens are issued; else they are ignored (decision 45).
    fn about_person(&self, asked: &Scope) -> Result<Scope, Error> {
        if !self.config.openid.enabled || !asked.contains(openid::OPENID) {
            return Ok(Scope::default());
        }
        Ok(asked.intersect(&Scope::parse(&openid::ABOUT_PERSON.join(" ")).map_err(Error::InvalidScope)?))
    }

    fn nonce(&self) -> Result<Option<String>, Error> {
        match self.parameters.get("nonce") {
            Some(nonce) if nonce.len() > NONCE_BYTES_MAX => Err(Error::InvalidRequest(RequestFault::ParameterTooLong)),
            nonce => Ok(nonce.map(str::to_owned)),
        }
    }

    /// OpenID Connect Core §3.1.2.1: `none` stands alone; values that we do not know are ignored.
    fn prompt(&self) -> Result<Prompt, Error> {
        let mut prompt = Prompt::default();
        let mut words = 0;
        for word in self.parameters.get("prompt").unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
            words += 1;
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                // The consent page names the account and offers another one.
                "consent" | "select_account" => prompt.consent = true,
                _ => {}
            }
        }
        if prompt.none && words > 1 { Err(Error::InvalidRequest(RequestFault::PromptMalformed)) } else { Ok(prompt) }
    }

    fn max_age(&self) -> Result<Option<Ttl>, Error> {
        let Some(text) = self.parameters.get("max_age") else { return Ok(None) };
        let seconds: u32 = text.parse().map_err(|_| Error::InvalidRequest(RequestFault::MalformedParameter("max_age")))?;
        Ok(Some(Ttl(i64::from(seconds))))
    }

    /// The second opinion: oxide-auth's machine walks the code grant with what we let through.
    fn referee(&self, scope: &Scope) -> Result<(), Error> {
        let bug = |what| Error::ServerError(Bug::new(what));
        let view = View { asked: self, scope: scope.as_str() };
        let exact = || self.return_to.redirect_uri.as_str().parse::<ExactUrl>().map_err(|_| bug("the referee reads a proven redirect URI"));
        let mut machine = Authorization::new(&view);
        let mut answer = Input::None;
        loop {
            answer = match machine.advance(answer) {
                Output::Bind { client_id, .. } => {
                    let redirect_uri = Cow::Owned(RegisteredUrl::Exact(exact()?));
                    Input::Bound { request: &view, bound_client: BoundClient { client_id: Cow::Owned(client_id), redirect_uri } }
                }
                Output::Extend => Input::Extended(Extensions::new()),
                Output::Negotiate { scope: negotiated, .. } => Input::Negotiated {
                    pre_grant: PreGrant {
                        client_id: self.client.client_id.as_str().to_owned(),
                        redirect_uri: RegisteredUrl::Exact(exact()?),
                        scope: negotiated.ok_or_else(|| bug("a checked request has a scope"))?,
                    },
                    state: None,
                },
                Output::Ok { .. } => return Ok(()),
                Output::Err(_) => return Err(bug("the referee lets through what the list of checks lets through")),
            };
        }
    }
}

/// What the machine sees: our values, never the raw parameters that they came from.
struct View<'a> {
    asked: &'a Asked<'a>,
    scope: &'a str,
}

impl OxideRequest for View<'_> {
    fn valid(&self) -> bool {
        true
    }

    fn client_id(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.asked.client.client_id.as_str()))
    }

    fn scope(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.scope))
    }

    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.asked.return_to.redirect_uri.as_str()))
    }

    fn state(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn response_type(&self) -> Option<Cow<'_, str>> {
        self.asked.parameters.get("response_type").map(Cow::Borrowed)
    }

    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}
