//! Does the person's sign-in at their provider still stand?

use oauth_types::{Bug, Error, Subject, Ttl, UpstreamSessionId};

use crate::{
    keys::{KeyStore, Purpose},
    secret,
    store::{NewUpstreamSession, Store},
    upstream::{Arrival, Facts, UpstreamToken},
};

/// What holds of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stand {
    /// It stands, and this is what the provider says about the person.
    Stands(Facts),
    /// It does not.
    Ended,
}

/// The sign-ins at providers.
#[derive(Clone)]
pub(crate) struct UpstreamSessions {
    store: Store,
    keys: KeyStore,
}

impl UpstreamSessions {
    pub(crate) fn new(store: Store, keys: KeyStore) -> Self {
        Self { store, keys }
    }

    pub(crate) async fn begin(&self, subject: &Subject, arrival: &Arrival) -> Result<UpstreamSessionId, Error> {
        let (identity, now) = (&arrival.identity, arrival.identity.auth_time.unwrap_or_default());
        let bug = || Error::ServerError(Bug::new("facts are JSON"));
        let id = UpstreamSessionId::from_trusted(secret::fresh_text::<16>("us_"));
        let seal = |token: &UpstreamToken| self.keys.sealing().seal(Purpose::Upstream, id.as_str().as_bytes(), token.to_json().as_bytes());
        let sealed_token = arrival.token.as_ref().map(seal).transpose()?;
        let begun = self.store.begin_upstream_session(NewUpstreamSession {
            id: id.clone(),
            subject: subject.clone(),
            idp: identity.idp.as_str().to_owned(),
            issuer: identity.issuer.clone(),
            upstream_subject: identity.subject.clone(),
            sid: identity.sid.clone(),
            facts: serde_json::to_string(&identity.facts).map_err(|_| bug())?,
            sealed_token,
            ends_at: Some(now + Ttl::hours(12)),
            now,
        });
        begun.await?.ok_or_else(bug)
    }

    pub(crate) async fn ask(&self, id: &UpstreamSessionId) -> Result<Stand, Error> {
        let row = self.store.upstream_session(id).await?.filter(|row| row.ended_at.is_none());
        let facts = row.and_then(|row| serde_json::from_str(&row.facts).ok());
        Ok(facts.map_or(Stand::Ended, Stand::Stands))
    }

    pub(crate) async fn token(&self, id: &UpstreamSessionId) -> Result<Option<UpstreamToken>, Error> {
        let Some(sealed) = self.store.upstream_session(id).await?.and_then(|row| row.sealed_token) else { return Ok(None) };
        let plain = self.keys.sealing().open_sealed(Purpose::Upstream, id.as_str().as_bytes(), &sealed)?;
        Ok(String::from_utf8(plain).ok().as_deref().and_then(UpstreamToken::from_json))
    }
}
