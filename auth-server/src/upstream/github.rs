//! GitHub: OAuth 2.0 with PKCE, and its API for everything else. There is no ID token and no discovery.
//!
//! Who somebody is, is their numeric id: a login can be given up and taken by another person. What the API tells is believed because we
//! asked it over TLS with a token that was given for our code; a verified primary address, organisations and teams as it lists them.
//! An OAuth App's token does not expire and is asked with again; a GitHub App's does, and its refresh token is kept instead.
//! GitHub Enterprise Server is the same at another site, with the API below `/api/v3`.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use oauth_types::{Outage, UpstreamFault};
use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use super::{
    Arrival, Asking, Callback, Departure, Facts, GoneWhy, Identity, LogoutNotice, Memory, Recheck, Standing, UpstreamError, UpstreamIdp,
    UpstreamToken,
    discovery::at_backchannel,
    http::{Credentials, Http, Reply},
    journey::TokenKind,
    provider::tell,
};
use crate::{clock::Clock, config::UpstreamConfig, secret};

/// The site whose API is at an address of its own.
const PUBLIC_SITE: &str = "https://github.com";
const PUBLIC_API: &str = "https://api.github.com";
/// The media type of the API (GitHub REST API, "Media types").
const API_JSON: &str = "application/vnd.github+json";
/// The most that a page may have.
const PER_PAGE: usize = 100;
/// With three full pages the limit on a person's groups is passed.
const PAGES_MAX: usize = 3;
/// All that is asked about a person, after the token request.
const ASK_WITHIN: Duration = Duration::from_secs(7);
/// The longest token; GitHub's have 40 to 93 characters and may grow to 255.
const TOKEN_CHARACTERS_MAX: usize = 1024;

/// GitHub, or a GitHub Enterprise Server.
pub(super) struct Github {
    settings: UpstreamConfig,
    http: Http,
    clock: Arc<dyn Clock>,
}

/// GitHub answers 200 in either case.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    token_type: Option<String>,
    refresh_token: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
    /// GitHub Enterprise Server: an administrator shut them out.
    suspended_at: Option<String>,
}

#[derive(Deserialize)]
struct Email {
    email: String,
    primary: bool,
    verified: bool,
}

#[derive(Deserialize)]
struct Organisation {
    login: String,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
    organization: Organisation,
}

impl Github {
    /// Knows it; asks nothing yet.
    pub(super) fn new(settings: UpstreamConfig, http: Http, clock: Arc<dyn Clock>) -> Self {
        Self { settings, http, clock }
    }

    fn site(&self) -> &str {
        self.settings.issuer.trim_end_matches('/')
    }

    fn api(&self, path: &str) -> Result<Url, UpstreamFault> {
        let base = if self.site() == PUBLIC_SITE { PUBLIC_API.to_owned() } else { format!("{}/api/v3", self.site()) };
        let url = Url::parse(&format!("{base}{path}")).map_err(|_| UpstreamFault::EndpointMissing)?;
        at_backchannel(url, &self.settings)
    }

    fn asks_for(&self, scopes: &[&str]) -> bool {
        scopes.iter().any(|scope| self.settings.scopes.contains(scope))
    }

    async fn redeem(&self, fields: &[(&str, &str)]) -> Result<TokenAnswer, UpstreamError> {
        let url = Url::parse(&format!("{}/login/oauth/access_token", self.site())).map_err(|_| UpstreamFault::EndpointMissing)?;
        let who = Credentials { client_id: &self.settings.client_id, secret: self.settings.client_secret.as_ref(), in_form: true };
        Ok(self.http.post(&at_backchannel(url, &self.settings)?, fields, &who).await?.json()?)
    }

    async fn user(&self, token: &str) -> Result<Reply, UpstreamError> {
        self.http.get(&self.api("/user")?, Some(token), API_JSON).await
    }

    /// A list, page by page. One that does not end is refused, never cut.
    async fn listed<T: DeserializeOwned>(&self, path: &str, token: &str) -> Result<Vec<T>, UpstreamError> {
        let mut all = Vec::new();
        for page in 1..=PAGES_MAX {
            let url = self.api(&format!("{path}?per_page={PER_PAGE}&page={page}"))?;
            let items: Vec<T> = self.http.get(&url, Some(token), API_JSON).await?.json()?;
            let is_last = items.len() < PER_PAGE;
            all.extend(items);
            if is_last {
                return Ok(all);
            }
        }
        Err(UpstreamFault::ClaimsTooLarge.into())
    }

    /// What the scopes of the configuration let us ask.
    async fn facts(&self, user: User, token: &str) -> Result<Facts, UpstreamError> {
        let emails = async {
            if self.asks_for(&["user:email", "user"]) { self.listed::<Email>("/user/emails", token).await } else { Ok(Vec::new()) }
        };
        let may_see_organisations = self.asks_for(&["read:org", "write:org", "admin:org"]);
        let organisations =
            async { if may_see_organisations { self.listed::<Organisation>("/user/orgs", token).await } else { Ok(Vec::new()) } };
        let teams = async { if may_see_organisations { self.listed::<Team>("/user/teams", token).await } else { Ok(Vec::new()) } };
        let (emails, organisations, teams) = futures_util::future::try_join3(emails, organisations, teams).await?;
        let facts = Facts {
            display_name: user.name.filter(|name| !name.is_empty()).unwrap_or_else(|| user.login.clone()),
            username: Some(user.login),
            mail: emails.into_iter().find(|email| email.primary && email.verified).map(|email| email.email),
            groups: teams.into_iter().map(|team| format!("{}/{}", team.organization.login, team.slug)).collect(),
            roles: BTreeSet::new(),
            organisations: organisations.into_iter().map(|organisation| organisation.login).collect(),
        };
        Ok(facts.bounded()?)
    }

    /// With a token in the hand: is it still the same person's?
    async fn standing(&self, subject: &str, token: &str) -> Result<Standing, UpstreamError> {
        #[derive(Deserialize)]
        struct Refusal {
            message: String,
        }
        let reply = self.user(token).await?;
        if reply.status == 401 && reply.said::<Refusal>().is_ok_and(|refusal| refusal.message == "Bad credentials") {
            // The person took back what they had allowed us, or is gone.
            return Ok(Standing::Gone(GoneWhy::Refused));
        }
        let user: User = reply.json()?;
        if user.id.to_string() != subject {
            return Ok(Standing::Gone(GoneWhy::AnotherPerson));
        }
        if user.suspended_at.is_some() {
            return Ok(Standing::Gone(GoneWhy::Disabled));
        }
        Ok(Standing::Stands(self.facts(user, token).await?))
    }

    fn unanswered(&self, rotated: Option<UpstreamToken>, error: UpstreamError) -> Recheck {
        tell(&self.settings, "recheck", &error);
        Recheck { rotated, standing: Err(error) }
    }
}

#[async_trait]
impl UpstreamIdp for Github {
    fn settings(&self) -> &UpstreamConfig {
        &self.settings
    }

    async fn depart(&self, asking: &Asking<'_>) -> Result<Departure, UpstreamError> {
        let mut location = Url::parse(&format!("{}/login/oauth/authorize", self.site())).map_err(|_| UpstreamFault::EndpointMissing)?;
        let memory = Memory::fresh(&self.settings.id, asking, self.clock.now());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(memory.verifier.clone()));
        {
            let mut query = location.query_pairs_mut();
            query
                .append_pair("client_id", &self.settings.client_id)
                .append_pair("redirect_uri", asking.redirect_uri)
                .append_pair("scope", self.settings.scopes.as_str())
                .append_pair("state", &memory.state)
                .append_pair("code_challenge", challenge.as_str())
                .append_pair("code_challenge_method", "S256");
            let prompt = asking.prompt_login.then_some("select_account");
            for (name, value) in [("login", asking.login_hint), ("prompt", prompt)] {
                if let Some(value) = value {
                    query.append_pair(name, value);
                }
            }
        }
        Ok(Departure { location, memory })
    }

    async fn arrive(&self, answer: Callback, memory: &Memory, redirect_uri: &str) -> Result<Arrival, UpstreamError> {
        if memory.idp != self.settings.id || !secret::same(answer.state.as_bytes(), memory.state.as_bytes()) {
            return Err(UpstreamFault::StateUnknown.into());
        }
        if !answer.is_well_formed() {
            return Err(UpstreamFault::CallbackMalformed.into());
        }
        // RFC 9207: GitHub promises no `iss`. One that is there names the site, or its authorization server by RFC 8414.
        let names = [self.site().to_owned(), format!("{}/login/oauth", self.site())];
        if answer.iss.as_ref().is_some_and(|iss| !names.contains(iss)) {
            return Err(UpstreamFault::CallbackIssuerMismatch.into());
        }
        if let Some(error) = &answer.error {
            return Err(if error == "access_denied" { UpstreamError::Refused } else { UpstreamFault::RequestRefused.into() });
        }
        // GitHub never says when somebody signed in, so nothing it could say would be fresh enough.
        if memory.max_age.is_some() {
            return Err(UpstreamFault::AuthTimeMissing.into());
        }
        let code = answer.code.ok_or(UpstreamFault::CallbackMalformed)?;
        let fields = [("code", code.as_str()), ("redirect_uri", redirect_uri), ("code_verifier", memory.verifier.as_str())];
        let tokens = self.redeem(&fields).await?;
        let access_token = given(&tokens)?;
        let user: User = self.user(access_token).await?.json()?;
        if user.suspended_at.is_some() {
            return Err(UpstreamError::Refused);
        }
        let subject = user.id.to_string();
        let facts = within(self.facts(user, access_token)).await?;
        let (idp, issuer) = (self.settings.id.clone(), self.settings.issuer.clone());
        let identity = Identity { idp, issuer, subject, sid: None, auth_time: None, facts };
        Ok(Arrival { identity, token: Some(kept(&tokens, access_token)) })
    }

    async fn still_stands(&self, subject: &str, token: &UpstreamToken) -> Recheck {
        let (rotated, access_token) = match token.kind {
            TokenKind::Access => (None, token.secret.clone()),
            TokenKind::Refresh => {
                let fields = [("grant_type", "refresh_token"), ("refresh_token", token.secret.as_str())];
                let tokens = match self.redeem(&fields).await {
                    Ok(tokens) if tokens.error.as_deref() == Some("bad_refresh_token") => {
                        return Recheck { rotated: None, standing: Ok(Standing::Gone(GoneWhy::Refused)) };
                    }
                    Ok(tokens) => tokens,
                    Err(error) => return self.unanswered(None, error),
                };
                match given(&tokens) {
                    Ok(access_token) => (Some(kept(&tokens, access_token)), access_token.to_owned()),
                    Err(fault) => return self.unanswered(None, fault.into()),
                }
            }
        };
        match within(self.standing(subject, &access_token)).await {
            Ok(standing) => Recheck { rotated, standing: Ok(standing) },
            Err(error) => self.unanswered(rotated, error),
        }
    }

    async fn read_logout_notice(&self, _: &str) -> Result<LogoutNotice, UpstreamError> {
        Err(UpstreamFault::LogoutUnsupported.into())
    }

    async fn sign_out(&self, _: &UpstreamToken, _: &str, _: &str) -> Option<Url> {
        None
    }

    /// Their tokens end by themselves, or on their own page of authorized applications.
    async fn hand_back(&self, _: &UpstreamToken) {}

    /// There is no document to keep.
    async fn tend(&self) {}
}

async fn within<T>(work: impl Future<Output = Result<T, UpstreamError>>) -> Result<T, UpstreamError> {
    tokio::time::timeout(ASK_WITHIN, work)
        .await
        .unwrap_or_else(|cause| Err(UpstreamError::Unavailable(Outage::caused("GitHub did not answer in time", cause))))
}

/// The access token, or what its absence means (GitHub docs, "Troubleshooting OAuth app access token request errors").
fn given(tokens: &TokenAnswer) -> Result<&str, UpstreamFault> {
    match (tokens.error.as_deref(), &tokens.access_token, &tokens.token_type) {
        (None, Some(token), Some(kind)) if (1..=TOKEN_CHARACTERS_MAX).contains(&token.len()) && kind.eq_ignore_ascii_case("bearer") => {
            Ok(token)
        }
        (Some("bad_verification_code"), ..) => Err(UpstreamFault::CodeRefused),
        (Some("incorrect_client_credentials"), ..) => Err(UpstreamFault::CredentialsRefused),
        (Some("redirect_uri_mismatch"), ..) => Err(UpstreamFault::RequestRefused),
        _ => Err(UpstreamFault::Malformed),
    }
}

fn kept(tokens: &TokenAnswer, access_token: &str) -> UpstreamToken {
    match tokens.refresh_token.as_ref().filter(|token| (1..=TOKEN_CHARACTERS_MAX).contains(&token.len())) {
        Some(token) => UpstreamToken { secret: token.clone(), kind: TokenKind::Refresh, id_token: None },
        None => UpstreamToken { secret: access_token.to_owned(), kind: TokenKind::Access, id_token: None },
    }
}
