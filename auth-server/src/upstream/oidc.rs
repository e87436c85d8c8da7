//! Any OpenID provider: the code flow (OpenID Connect Core §3.1) with PKCE S256, `state`, `nonce` and RFC 9207's `iss`.
//!
//! Owns the order of the questions. Keycloak is one of them that tells roles in its own way. What each answer must be like is in
//! `id_token.rs`, `logout_token.rs`, `discovery.rs` and `claims.rs`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use oauth_types::{Outage, Ttl, UpstreamFault};
use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::{
    Arrival, Asking, Callback, Departure, GoneWhy, Identity, LogoutNotice, Memory, Recheck, Standing, UpstreamError, UpstreamIdp,
    UpstreamToken,
    claims::{self, Roles},
    facts::SID_CHARACTERS_MAX,
    http::{Credentials, Http, Reply},
    id_token::{self, Believed, Expected},
    journey::TokenKind,
    keycloak, logout_token,
    provider::{Known, Provider},
};
use crate::{
    clock::Clock,
    config::{UpstreamConfig, UpstreamKind, UpstreamLife},
    secret,
};

/// The token request of a recheck, documents included where they are not known yet.
const ASK_WITHIN: Duration = Duration::from_secs(8);
/// What follows the token answer of a recheck. With the token request before it, a recheck ends within fifteen seconds.
const REST_OF_RECHECK_WITHIN: Duration = Duration::from_secs(7);
/// A person waits to be signed out.
const HAND_BACK_WITHIN: Duration = Duration::from_secs(3);
/// The longest token that is kept; Keycloak's have about a thousand characters.
const TOKEN_CHARACTERS_MAX: usize = 16 * 1024;

/// One OpenID provider.
pub(super) struct Oidc {
    provider: Provider,
    roles: Roles,
    is_keycloak: bool,
}

/// RFC 6749 §5.1 and OpenID Connect Core §3.1.3.3.
#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    token_type: String,
    id_token: Option<String>,
    refresh_token: Option<String>,
}

impl Oidc {
    /// Knows it; asks nothing yet.
    pub(super) fn new(settings: UpstreamConfig, http: Http, clock: Arc<dyn Clock>) -> Self {
        let is_keycloak = settings.kind == UpstreamKind::Keycloak;
        let roles: Roles = if is_keycloak { keycloak::roles } else { claims::plain_roles };
        Self { provider: Provider::new(settings, http, clock), roles, is_keycloak }
    }

    fn config(&self) -> &UpstreamConfig {
        &self.provider.settings
    }

    fn scopes(&self, known: &Known) -> String {
        let asked = self.config().scopes.as_str();
        let outlives = self.config().session == UpstreamLife::Outlive && known.metadata.knows_offline_access;
        // OpenID Connect Core §11.
        if outlives && !self.config().scopes.contains("offline_access") { format!("{asked} offline_access") } else { asked.to_owned() }
    }

    async fn redeem(&self, known: &Known, fields: &[(&str, &str)]) -> Result<Reply, UpstreamError> {
        self.post(known, &known.metadata.token, fields).await
    }

    async fn post(&self, known: &Known, url: &Url, fields: &[(&str, &str)]) -> Result<Reply, UpstreamError> {
        let settings = self.config();
        let who = Credentials {
            client_id: &settings.client_id,
            secret: settings.client_secret.as_ref(),
            in_form: known.metadata.wants_secret_in_form,
        };
        self.provider.http.post(url, fields, &who).await
    }

    /// Believes an ID token; looks at the keys once more when it names one that is not known.
    async fn believe(&self, token: &str, known: &Known, expected: &Expected<'_>) -> Result<Believed, UpstreamError> {
        let believed = match id_token::believe(token, &known.keys, self.config(), expected) {
            Err(UpstreamFault::KeyUnknown) => {
                let known = self.provider.look_at_keys_again().await?;
                id_token::believe(token, &known.keys, self.config(), expected)
            }
            believed => believed,
        }?;
        if self.is_keycloak && !keycloak::is_id_token(&believed.claims) {
            return Err(UpstreamFault::HeaderForbidden.into());
        }
        Ok(believed)
    }

    /// OpenID Connect Core §5.3. §5.3.2: without the same `sub` it speaks about somebody else.
    async fn userinfo(&self, known: &Known, access_token: &str) -> Result<Map<String, Value>, UpstreamError> {
        let Some(url) = &known.metadata.userinfo else { return Ok(Map::new()) };
        Ok(self.provider.http.get(url, Some(access_token), "application/json").await?.json()?)
    }

    /// What rules may ask, from the ID token and, where that leaves something open, from UserInfo.
    async fn facts(&self, known: &Known, believed: &Believed, access_token: &str) -> Result<super::Facts, UpstreamError> {
        let more = if claims::are_open(&believed.claims, self.roles) {
            let said = self.userinfo(known, access_token).await?;
            if known.metadata.userinfo.is_some() && said.get("sub").and_then(Value::as_str) != Some(&believed.subject) {
                return Err(UpstreamFault::SubjectChanged.into());
            }
            said
        } else {
            Map::new()
        };
        Ok(claims::facts(&believed.claims, &more, self.roles)?)
    }

    /// The token answer of a recheck was good: what does it say?
    async fn standing(&self, known: &Known, subject: &str, tokens: &TokenAnswer) -> Result<Standing, UpstreamError> {
        let Some(token) = tokens.id_token.as_deref() else {
            // OpenID Connect Core §12.2: a refresh might bring no ID token. Then UserInfo says who it is.
            let said = self.userinfo(known, &tokens.access_token).await?;
            return match said.get("sub").and_then(Value::as_str) {
                Some(theirs) if theirs == subject => Ok(Standing::Stands(claims::facts(&Map::new(), &said, self.roles)?)),
                Some(_) => Ok(Standing::Gone(GoneWhy::AnotherPerson)),
                None => Err(UpstreamFault::IdTokenMissing.into()),
            };
        };
        let expected = Expected { nonce: None, max_age: None, access_token: Some(&tokens.access_token), now: self.provider.now() };
        let believed = self.believe(token, known, &expected).await?;
        if believed.subject != subject {
            return Ok(Standing::Gone(GoneWhy::AnotherPerson));
        }
        Ok(Standing::Stands(self.facts(known, &believed, &tokens.access_token).await?))
    }
}

#[async_trait]
impl UpstreamIdp for Oidc {
    fn settings(&self) -> &UpstreamConfig {
        self.config()
    }

    async fn depart(&self, asking: &Asking<'_>) -> Result<Departure, UpstreamError> {
        let known = self.provider.known().await?;
        let memory = Memory::fresh(&self.config().id, asking, self.provider.now());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(memory.verifier.clone()));
        let mut location = known.metadata.authorization.clone();
        {
            let mut query = location.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", &self.config().client_id)
                .append_pair("redirect_uri", asking.redirect_uri)
                .append_pair("scope", &self.scopes(&known))
                .append_pair("state", &memory.state)
                .append_pair("nonce", &memory.nonce)
                .append_pair("code_challenge", challenge.as_str())
                .append_pair("code_challenge_method", "S256");
            let max_age = asking.max_age.map(|age| age.0.to_string());
            let prompt = asking.prompt_login.then_some("login");
            for (name, value) in
                [("max_age", max_age.as_deref()), ("prompt", prompt), ("login_hint", asking.login_hint), ("ui_locales", asking.ui_locales)]
            {
                if let Some(value) = value {
                    query.append_pair(name, value);
                }
            }
        }
        Ok(Departure { location, memory })
    }

    async fn arrive(&self, answer: Callback, memory: &Memory, redirect_uri: &str) -> Result<Arrival, UpstreamError> {
        if memory.idp != self.config().id || !secret::same(answer.state.as_bytes(), memory.state.as_bytes()) {
            return Err(UpstreamFault::StateUnknown.into());
        }
        if !answer.is_well_formed() {
            return Err(UpstreamFault::CallbackMalformed.into());
        }
        let known = self.provider.known().await?;
        // RFC 9207 §2.4: before anything else of the answer is used, errors included.
        match &answer.iss {
            Some(iss) if *iss != self.config().issuer => return Err(UpstreamFault::CallbackIssuerMismatch.into()),
            None if known.metadata.answers_name_it => return Err(UpstreamFault::CallbackIssuerMissing.into()),
            _ => {}
        }
        if let Some(error) = &answer.error {
            return Err(said_no(error));
        }
        let code = answer.code.ok_or(UpstreamFault::CallbackMalformed)?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", redirect_uri),
            ("code_verifier", memory.verifier.as_str()),
        ];
        let reply = self.redeem(&known, &fields).await?;
        let tokens = token_answer(&reply)?;
        let token = tokens.id_token.as_deref().ok_or(UpstreamFault::IdTokenMissing)?;
        let expected = Expected {
            nonce: Some(&memory.nonce),
            max_age: memory.max_age.map(Ttl),
            access_token: Some(&tokens.access_token),
            now: self.provider.now(),
        };
        let believed = self.believe(token, &known, &expected).await?;
        let facts = self.facts(&known, &believed, &tokens.access_token).await?;
        let identity = Identity {
            idp: self.config().id.clone(),
            issuer: self.config().issuer.clone(),
            sid: sid(&believed.claims)?,
            auth_time: believed.auth_time,
            subject: believed.subject,
            facts,
        };
        Ok(Arrival { identity, token: kept(&tokens, None) })
    }

    async fn still_stands(&self, subject: &str, token: &UpstreamToken) -> Recheck {
        let asked = async {
            let known = self.provider.known().await?;
            let fields = [("grant_type", "refresh_token"), ("refresh_token", token.secret.as_str())];
            let reply = self.redeem(&known, &fields).await?;
            Ok((known, reply))
        };
        let (known, reply) = match within(ASK_WITHIN, asked).await {
            Ok(answered) => answered,
            Err(error) => return self.unanswered(None, error),
        };
        // RFC 6749 §5.2: this code alone speaks about the person's session. A wrong secret of ours is 401 `unauthorized_client` at
        // Keycloak: nobody must be signed out for that.
        if (400..=403).contains(&reply.status) && reply.error().as_deref() == Some("invalid_grant") {
            return Recheck { rotated: None, standing: Ok(Standing::Gone(GoneWhy::Refused)) };
        }
        let tokens = match token_answer(&reply) {
            Ok(tokens) => tokens,
            Err(error) => return self.unanswered(None, error),
        };
        // Whatever follows: the old refresh token may be spent.
        let rotated = kept(&tokens, Some(token)).filter(|new| new != token);
        match within(REST_OF_RECHECK_WITHIN, self.standing(&known, subject, &tokens)).await {
            Ok(standing) => Recheck { rotated, standing: Ok(standing) },
            Err(error) => self.unanswered(rotated, error),
        }
    }

    async fn read_logout_notice(&self, logout_token: &str) -> Result<LogoutNotice, UpstreamError> {
        let known = self.provider.known().await?;
        let believe = |known: &Known| logout_token::believe(logout_token, &known.keys, self.config(), self.provider.now());
        match believe(&known) {
            Err(UpstreamFault::KeyUnknown) => Ok(believe(&*self.provider.look_at_keys_again().await?)?),
            believed => Ok(believed?),
        }
    }

    async fn sign_out(&self, token: &UpstreamToken, back_to: &str, state: &str) -> Option<Url> {
        let known = self.provider.known().await.ok()?;
        let mut location = known.metadata.end_session.clone()?;
        {
            let mut query = location.query_pairs_mut();
            query.append_pair("client_id", &self.config().client_id);
            if let Some(hint) = &token.id_token {
                query.append_pair("id_token_hint", hint);
            }
            query.append_pair("post_logout_redirect_uri", back_to).append_pair("state", state);
        }
        Some(location)
    }

    async fn hand_back(&self, token: &UpstreamToken) {
        if self.config().session != UpstreamLife::Outlive {
            return;
        }
        let handing = async {
            let known = self.provider.known().await?;
            let Some(url) = &known.metadata.revocation else { return Ok(()) };
            let fields = [("token", token.secret.as_str()), ("token_type_hint", "refresh_token")];
            self.post(&known, url, &fields).await.map(drop)
        };
        if let Err(error) = within(HAND_BACK_WITHIN, handing).await {
            self.provider.tell("revocation", &error);
        }
    }

    async fn tend(&self) {
        self.provider.tend().await;
    }
}

impl Oidc {
    fn unanswered(&self, rotated: Option<UpstreamToken>, error: UpstreamError) -> Recheck {
        self.provider.tell("recheck", &error);
        Recheck { rotated, standing: Err(error) }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, UpstreamError>>) -> Result<T, UpstreamError> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|cause| Err(UpstreamError::Unavailable(Outage::caused("the identity provider did not answer in time", cause))))
}

/// The error of a callback (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6), by who can do something about it.
fn said_no(error: &str) -> UpstreamError {
    match error {
        "access_denied" | "login_required" | "consent_required" | "interaction_required" | "account_selection_required" => {
            UpstreamError::Refused
        }
        "temporarily_unavailable" | "server_error" => {
            UpstreamError::unavailable("the identity provider said that it cannot sign people in now")
        }
        _ => UpstreamFault::RequestRefused.into(),
    }
}

/// A token answer, or what its absence means. `invalid_grant` at a refresh was looked for before.
fn token_answer(reply: &Reply) -> Result<TokenAnswer, UpstreamError> {
    if reply.status != 200 {
        return Err(match (reply.status, reply.error().as_deref()) {
            (_, Some("invalid_grant")) => UpstreamFault::CodeRefused,
            (401, _) | (_, Some("invalid_client" | "unauthorized_client")) => UpstreamFault::CredentialsRefused,
            _ => UpstreamFault::StatusUnexpected,
        }
        .into());
    }
    let tokens: TokenAnswer = reply.json()?;
    let given = [Some(&tokens.access_token), tokens.refresh_token.as_ref()];
    let fits = given.iter().flatten().all(|token| (1..=TOKEN_CHARACTERS_MAX).contains(&token.len()));
    let is_bearer = tokens.token_type.eq_ignore_ascii_case("bearer");
    if fits && is_bearer { Ok(tokens) } else { Err(UpstreamFault::Malformed.into()) }
}

/// What is kept to ask again: the newest refresh token, and the newest ID token that is not too long.
fn kept(tokens: &TokenAnswer, before: Option<&UpstreamToken>) -> Option<UpstreamToken> {
    let secret = tokens.refresh_token.clone().or_else(|| before.map(|token| token.secret.clone()))?;
    let id_token = tokens.id_token.clone().or_else(|| before.and_then(|token| token.id_token.clone()));
    Some(UpstreamToken { secret, kind: TokenKind::Refresh, id_token: id_token.filter(|token| token.len() <= TOKEN_CHARACTERS_MAX) })
}

fn sid(claims: &Map<String, Value>) -> Result<Option<String>, UpstreamFault> {
    match claims.get("sid") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(sid)) if (1..=SID_CHARACTERS_MAX).contains(&sid.len()) => Ok(Some(sid.clone())),
        Some(_) => Err(UpstreamFault::IdTokenMalformed),
    }
}
