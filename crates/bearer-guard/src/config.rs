//! What a guard is told: whom it trusts, what it protects, and how long it may believe what it read.

use std::sync::Arc;

use oauth_types::{ClientSecret, IssuerUrl, ResourceUri, Scope, Timestamp, Ttl};

/// A clock that the guard's owner brings; tests bring their own.
pub type SharedClock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's clock, for servers that have no other.
#[expect(clippy::disallowed_methods, reason = "the one clock of this crate, for who brings none")]
pub fn system_clock() -> SharedClock {
    Arc::new(|| {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
    })
}

/// Whom a guard trusts, and what it protects.
#[derive(Debug, Clone)]
pub struct GuardConfig {
    /// The one authorization server whose tokens are good here; compared byte for byte.
    pub issuer: IssuerUrl,
    /// This resource, which is the only audience that is good here.
    pub resource: ResourceUri,
    /// What clients may ask for, as the metadata lists it. Not `offline_access`: it says nothing about a resource.
    pub scopes_supported: Scope,
    /// What a challenge tells a client to ask for first.
    pub challenge_scope: Scope,
    /// Where the issuer publishes its keys.
    pub jwks_url: String,
    /// Where the issuer tells what ended. Without it a token is good until it expires.
    pub ended: Option<EndedFeed>,
    /// How often an unknown key name may make the guard ask again; a storm of them costs one request an interval.
    pub refetch_interval: Ttl,
    /// How far two clocks may differ.
    pub leeway: Ttl,
    /// How old the last good reading of the endings may be; past that the guard answers 503.
    pub ended_staleness_max: Ttl,
    /// How many verified tokens are remembered; about 400 bytes each.
    pub verified_max: usize,
    /// The longest life that the issuer gives an access token; a longer one is not believed.
    pub lifetime_max: Ttl,
}

/// The feed of what ended, and the resource's own credentials for it.
#[derive(Debug, Clone)]
pub struct EndedFeed {
    /// Its URL, without the query.
    pub url: String,
    /// This resource as a client of the issuer.
    pub client_id: String,
    /// Its secret.
    pub client_secret: ClientSecret,
}

impl GuardConfig {
    /// The defaults: keys at `/jwks.json` of the issuer, no scopes listed, no endings followed, an hour of life at most.
    pub fn new(issuer: IssuerUrl, resource: ResourceUri) -> Self {
        let jwks_url = issuer.at("/jwks.json");
        Self {
            issuer,
            resource,
            scopes_supported: Scope::default(),
            challenge_scope: Scope::default(),
            jwks_url,
            ended: None,
            refetch_interval: Ttl(30),
            leeway: Ttl(5),
            ended_staleness_max: Ttl(5),
            verified_max: 4_096,
            lifetime_max: Ttl::hours(1),
        }
    }

    /// Lists these scopes in the metadata, and tells clients to ask for `first`.
    #[must_use]
    pub fn scopes(mut self, supported: Scope, first: Scope) -> Self {
        self.scopes_supported = supported;
        self.challenge_scope = first;
        self
    }

    /// Follows what ended, at `/ended` of the issuer, with this resource's own credentials.
    #[must_use]
    pub fn follow_ended(mut self, client_id: impl Into<String>, client_secret: ClientSecret) -> Self {
        self.ended = Some(EndedFeed { url: self.issuer.at("/ended"), client_id: client_id.into(), client_secret });
        self
    }
}
