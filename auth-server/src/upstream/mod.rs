//! Identity providers: where people sign in, and what is believed of what they say.
//!
//! Owns the protocols spoken with them (OpenID Connect Core and Discovery, Back-Channel Logout, RP-Initiated Logout; GitHub's OAuth and
//! API), the documents fetched from them, and every check of an answer. Does not know flows, cookies, policy or the store: who called
//! keeps the [`Memory`] of a departure and the [`UpstreamToken`] of an arrival, sealed, and decides what an identity may do.
//! Accounts kept here are no provider: nobody departs to them (`accounts.rs`).
//!
//! Nothing a provider sends is trusted for where it came from: not its endpoints, not its size, not its time. A person is the pair of
//! the configured issuer and the provider's own name for them; a mail address is a fact, never an identity (attack 61).

mod claims;
mod discovery;
mod error;
mod facts;
mod github;
mod http;
mod id_token;
mod journey;
mod jws;
mod keycloak;
mod keys;
mod logout_token;
mod oidc;
mod provider;

#[cfg(test)]
#[path = "../../../tests/src/idp/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "the provider of the stage; each suite uses its own part of it")]
mod idp;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
pub(crate) use error::UpstreamError;
pub(crate) use facts::{Facts, Identity};
pub(crate) use journey::{Arrival, Asking, Callback, Departure, GoneWhy, LogoutNotice, Memory, Recheck, Standing, UpstreamToken};
use oauth_types::IdpId;
use url::Url;

use crate::{
    clock::Clock,
    config::{Config, UpstreamConfig, UpstreamKind},
};

/// One identity provider.
#[async_trait]
pub(crate) trait UpstreamIdp: Send + Sync {
    /// What the operator said about it.
    fn settings(&self) -> &UpstreamConfig;

    /// Where to send the browser, and what must be remembered to believe the answer.
    async fn depart(&self, asking: &Asking<'_>) -> Result<Departure, UpstreamError>;

    /// The provider's answer, checked against what was remembered. `redirect_uri` is the one that was asked with.
    async fn arrive(&self, answer: Callback, memory: &Memory, redirect_uri: &str) -> Result<Arrival, UpstreamError>;

    /// Asks whether the person of this name there still stands. Ends within fifteen seconds, whatever the provider does.
    async fn still_stands(&self, subject: &str, token: &UpstreamToken) -> Recheck;

    /// A logout token of OpenID Connect Back-Channel Logout 1.0 §2.4, checked by §2.6 but for its replay: that is the caller's to see.
    async fn read_logout_notice(&self, logout_token: &str) -> Result<LogoutNotice, UpstreamError>;

    /// Where to send the browser to sign out there too (OpenID Connect RP-Initiated Logout 1.0 §2), if it can be done. Changes nothing.
    async fn sign_out(&self, token: &UpstreamToken, back_to: &str, state: &str) -> Option<Url>;

    /// Hands a token back that would outlive the session there (RFC 7009 §2.1): signing out there would leave it alive. It may take
    /// three seconds and may fail; what is not handed back is not asked with any more.
    async fn hand_back(&self, token: &UpstreamToken);

    /// Brings documents up to date that were used and have become old. The last good ones stay when that fails.
    async fn tend(&self);
}

/// The identity providers that this server knows, in the operator's order.
#[derive(Clone, Default)]
pub(crate) struct Upstreams(Arc<[Arc<dyn UpstreamIdp>]>);

impl Upstreams {
    /// Knows those of the configuration. Asks none of them anything: one that is down must not keep us from starting.
    ///
    /// # Errors
    /// No HTTP client can be made: the machine has no root certificates, for one.
    pub(crate) fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, UpstreamError> {
        if config.upstreams.is_empty() {
            return Ok(Self::default());
        }
        let http = http::Http::new()?;
        let provider = |settings: &UpstreamConfig| -> Arc<dyn UpstreamIdp> {
            match settings.kind {
                UpstreamKind::Keycloak | UpstreamKind::Oidc => Arc::new(oidc::Oidc::new(settings.clone(), http.clone(), clock.clone())),
                UpstreamKind::Github => Arc::new(github::Github::new(settings.clone(), http.clone(), clock.clone())),
            }
        };
        Ok(Self(config.upstreams.iter().map(provider).collect()))
    }

    /// These, in tests of those who ask.
    #[cfg(test)]
    pub(crate) fn of(providers: Vec<Arc<dyn UpstreamIdp>>) -> Self {
        Self(providers.into())
    }

    /// The one of this name.
    pub(crate) fn get(&self, id: &IdpId) -> Option<&Arc<dyn UpstreamIdp>> {
        self.all().find(|provider| provider.settings().id == *id)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<dyn UpstreamIdp>> {
        self.0.iter()
    }

    /// None at all?
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Looks after the documents of all of them, at once.
    pub(crate) async fn tend(&self) {
        futures_util::future::join_all(self.all().map(|provider| provider.tend())).await;
    }
}
