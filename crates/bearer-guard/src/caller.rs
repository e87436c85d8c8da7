//! Who stands at the door, after the guard admitted them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use oauth_types::{AccessFacts, ClientId, Error, Scope, Subject, Timestamp};

/// Who stands at the door. Only [`crate::Guard`] makes one, so who holds one needs to check nothing again.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Facts>);

#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) subject: Subject,
    pub(crate) client_id: ClientId,
    pub(crate) scope: Scope,
    pub(crate) grant_id: String,
    pub(crate) token_jti: String,
    pub(crate) sid: Option<String>,
    pub(crate) auth_time: Option<Timestamp>,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// The newest version of the endings that was looked at and did not have this caller; zero is none.
    pub(crate) unended_at: AtomicU64,
}

impl Caller {
    pub(crate) fn new(facts: Facts) -> Self {
        Self(Arc::new(facts))
    }

    /// The person, by the issuer's stable name.
    pub fn subject(&self) -> &str {
        self.0.subject.as_str()
    }

    /// The client that acts for the person.
    pub fn client_id(&self) -> &str {
        self.0.client_id.as_str()
    }

    /// What the person allowed the client.
    pub fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// The grant behind the token: the right thing to tie a session to, since it outlives the token.
    pub fn grant_id(&self) -> &str {
        &self.0.grant_id
    }

    /// The token's own name.
    pub fn token_jti(&self) -> &str {
        &self.0.token_jti
    }

    /// When the token runs out; a long answer may want to end then.
    pub fn expires_at(&self) -> Timestamp {
        self.0.expires_at
    }

    /// When the token was made.
    pub fn issued_at(&self) -> Timestamp {
        self.0.issued_at
    }

    /// When the person signed in, if the issuer says so.
    pub fn auth_time(&self) -> Option<Timestamp> {
        self.0.auth_time
    }

    /// Does the token allow all of this?
    ///
    /// # Errors
    /// [`Error::InsufficientScope`] names everything that is needed, so that one step-up is enough.
    pub fn require(&self, needed: &Scope) -> Result<(), Error> {
        if self.0.scope.covers(needed) { Ok(()) } else { Err(Error::InsufficientScope { needed: needed.clone() }) }
    }

    /// Was this version of the endings looked at before, and the caller not in it?
    pub(crate) fn is_unended_at(&self, version: u64) -> bool {
        self.0.unended_at.load(Ordering::Relaxed) == version
    }

    pub(crate) fn remember_unended_at(&self, version: u64) {
        self.0.unended_at.store(version, Ordering::Relaxed);
    }

    pub(crate) fn facts(&self) -> AccessFacts<'_> {
        AccessFacts {
            grant_id: &self.0.grant_id,
            jti: &self.0.token_jti,
            client_id: self.0.client_id.as_str(),
            sub: self.0.subject.as_str(),
            sid: self.0.sid.as_deref(),
            iat: self.0.issued_at.0,
        }
    }
}
