//! Does the person's sign-in at their provider still stand? Asked by whatever stands on it: refreshes and silent approvals.
//!
//! Decision 9. The provider is asked at most every `recheck`, and by one asker at a time, whichever replica it sits in: a lease in the
//! row (`store/upstream_sessions.rs`). The others wait for that answer. No answer is never an ending (attack 58): the request is told to
//! come again, and nothing has changed. What the provider says to have ended ends here for good, with all that stands on it.
//!
//! ```text
//! asked less than recheck ago ───────────────────────────────────────────────► as it said then
//! due ─┬─ lease ─► provider ─┬─ stands ─► new token and facts kept, lease given back ─► as it says now
//!      │                     ├─ gone ───► the sign-in ends, with its browser sessions and grants
//!      │                     └─ silent ─► new token kept, lease given back ─┬─ within grace ─► as it said last
//!      └─ leased by another ─► waits for what comes of it                   └─ else ─► 503, nothing changed
//! ```
//!
//! **What a crash can cost.** A provider may replace its refresh token with every use. The asking runs apart from the request, so a
//! client that leaves costs nothing; the new token is kept before anybody is answered, and keeping it is tried again while the lease
//! holds. Who dies between the provider's answer and the write leaves the old token and a lease that lapses within half a minute. Then
//! the old token is tried: providers that accept it again (Keycloak, unless `Revoke Refresh Token` is on) notice nothing; one that does
//! not says that the session is gone, and is believed, for a spent token in other hands looks the same. The person signs in once more,
//! and that begins a new sign-in: nothing stays blocked.

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use oauth_types::{Bug, Error, IdpId, Outage, Refusal, Subject, Timestamp, TokenHash, Ttl, UpstreamSessionId};
use tokio::time;
use tracing::{error, info, warn};

use crate::{
    clock::Clock,
    config::UpstreamConfig,
    keys::{KeyStore, Purpose, SealingKeys},
    secret,
    store::{NewUpstreamSession, Settlement, SignIns, Store, StoreError, Trail, UpstreamEnding, UpstreamSessionRow},
    upstream::{Arrival, Facts, LogoutNotice, Recheck, Standing, UpstreamError, UpstreamIdp, UpstreamToken, Upstreams},
};

/// How long whoever asks may be waited for: longer than the asking and the keeping together.
const LEASE: Ttl = Ttl(30);
/// How long a provider may take in all. An adapter ends by itself before; this holds whatever it does, and stays below [`LEASE`].
const ASKING_MAX: Duration = Duration::from_secs(20);
/// How long a request waits for the answer, its own or another's. Hosted clients give up after ten seconds; the asking goes on, and who
/// comes again finds its result.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// How often who waits for another's answer looks for it: one read by key.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often a new token is tried to be kept, and how long between: within the lease, and longer than a database takes to come back from
/// a failover of its connection.
const KEEP_TRIES: u32 = 5;
const KEEP_PAUSE: Duration = Duration::from_secs(1);
/// A notice is remembered a little longer than it is valid: clocks differ.
const NOTICE_KEPT_BEYOND: Ttl = Ttl::minutes(2);

/// What holds of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stand {
    /// It stands, and this is whom the provider vouches for.
    Stands(Vouched),
    /// It does not, and neither does anything that was made from it.
    Ended,
}

/// A person, as their provider speaks of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vouched {
    /// Who vouches.
    pub(crate) idp: IdpId,
    /// Its name for the person.
    pub(crate) subject: String,
    /// What rules may ask about them.
    pub(crate) facts: Facts,
}

/// The sign-ins at providers. Clones share everything.
#[derive(Clone)]
pub(crate) struct UpstreamSessions(Arc<Inner>);

struct Inner {
    store: Store,
    upstreams: Upstreams,
    keys: KeyStore,
    clock: Arc<dyn Clock>,
}

/// What the row alone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Asked lately, or not to be asked.
    Stands,
    /// The provider must be asked.
    Due,
    /// It ended.
    Ended,
    /// It ends now, for this reason.
    Over(&'static str),
    /// The provider is not configured any more, or is another one under the same name.
    NobodyVouches,
}

/// What came of trying to ask.
enum Asked {
    /// The provider was asked, by us.
    Found(Stand),
    /// Somebody else is asking, or has just asked.
    Elsewhere,
}

impl UpstreamSessions {
    pub(crate) fn new(store: Store, upstreams: Upstreams, keys: KeyStore, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner { store, upstreams, keys, clock }))
    }

    /// A person has just signed in at a provider. On disk when this returns; a second sign-in into the same session there renews the first.
    ///
    /// # Errors
    /// `access_denied` when the provider has said already that this session is over; `temporarily_unavailable`.
    pub(crate) async fn begin(&self, subject: &Subject, arrival: &Arrival) -> Result<UpstreamSessionId, Error> {
        let (identity, now) = (&arrival.identity, self.0.clock.now());
        let upstream = self.0.upstreams.get(&identity.idp).ok_or(Error::ServerError(Bug::new("a person arrived from no provider")))?;
        let sealed_token = arrival.token.as_ref().map(|token| self.0.seal(&identity.issuer, &identity.subject, token)).transpose()?;
        let begun = self.0.store.begin_upstream_session(NewUpstreamSession {
            id: UpstreamSessionId::from_trusted(secret::fresh_text::<16>("us_")),
            subject: subject.clone(),
            idp: identity.idp.as_str().to_owned(),
            issuer: identity.issuer.clone(),
            upstream_subject: identity.subject.clone(),
            sid: identity.sid.clone(),
            facts: written(&identity.facts)?,
            sealed_token,
            ends_without_token: now + upstream.settings().max_age,
            now,
        });
        begun.await?.ok_or(Error::AccessDenied(Refusal::SignedOutUpstream))
    }

    /// Does it still stand? Asks the provider where it is time to.
    ///
    /// # Errors
    /// `temporarily_unavailable`, within five seconds, when there is no answer and the provider's grace is over. Nothing has changed then.
    pub(crate) async fn ask(&self, id: &UpstreamSessionId) -> Result<Stand, Error> {
        let Some(row) = self.0.store.upstream_session(id).await? else { return Ok(Stand::Ended) };
        let upstream = self.0.upstream_of(&row);
        let (Look::Due, Some(upstream)) = (self.0.look(&row), upstream) else { return self.0.answer(&row).await };
        // Apart from the request: a client that leaves must not cost the token that the provider sends in return.
        let (inner, asked_by) = (Arc::clone(&self.0), (row.clone(), Arc::clone(&upstream)));
        let asking = tokio::spawn(async move { inner.try_to_ask(&asked_by.0, asked_by.1.as_ref()).await });
        let found = async {
            match asking.await.map_err(|cause| Error::ServerError(Bug::caused("asking a provider broke off", cause)))?? {
                Asked::Found(stand) => Ok(stand),
                Asked::Elsewhere => self.0.wait_for_another(id).await,
            }
        };
        match time::timeout(ANSWERED_WITHIN, found).await {
            Ok(found) => found,
            Err(_) => self.0.without_answer(&row, upstream.settings()),
        }
    }

    /// What its provider last said about the person. Asks nobody; nothing of one that ended.
    ///
    /// # Errors
    /// `temporarily_unavailable`.
    pub(crate) async fn facts(&self, id: &UpstreamSessionId) -> Result<Option<Facts>, Error> {
        let row = self.0.store.upstream_session(id).await?.filter(|row| row.ended_at.is_none());
        row.map(|row| read(&row)).transpose()
    }

    /// What the provider is asked again with; none of one that ended.
    ///
    /// # Errors
    /// `temporarily_unavailable`; `server_error` when its seal does not open.
    pub(crate) async fn token(&self, id: &UpstreamSessionId) -> Result<Option<UpstreamToken>, Error> {
        let row = self.0.store.upstream_session(id).await?;
        row.map_or(Ok(None), |row| self.0.open(&row))
    }

    /// Ends what a provider's notice names, in one transaction with the notice itself. How many ended; `None`: it came before.
    ///
    /// # Errors
    /// `temporarily_unavailable`.
    pub(crate) async fn end_by_notice(&self, issuer: &str, notice: &LogoutNotice, trail: Trail) -> Result<Option<usize>, Error> {
        let issuer = issuer.to_owned();
        // Back-Channel Logout §2.4: one of the two is there, and a session says more than its person.
        let which = match (&notice.sid, &notice.subject) {
            (Some(sid), _) => SignIns::OfSession { issuer: issuer.clone(), sid: sid.clone() },
            (None, Some(subject)) => SignIns::OfPerson { issuer: issuer.clone(), upstream_subject: subject.clone() },
            (None, None) => return Err(Error::ServerError(Bug::new("a notice that was read names a session or a person"))),
        };
        let name = TokenHash::of(format!("{issuer}\n{}", notice.jti).as_bytes()).text();
        let ending = UpstreamEnding {
            which,
            reason: "logout_notice",
            now: self.0.clock.now(),
            notice: Some((name, notice.expires_at + NOTICE_KEPT_BEYOND)),
            trail,
        };
        Ok(self.0.store.end_upstream_sessions(ending).await?)
    }

    /// The person ends it by hand, with all that stands on it.
    ///
    /// # Errors
    /// `temporarily_unavailable`.
    pub(crate) async fn end_by_hand(&self, id: &UpstreamSessionId, trail: Trail) -> Result<(), Error> {
        let ending = UpstreamEnding { trail, ..UpstreamEnding::one(id, "signed_out", self.0.clock.now()) };
        self.0.store.end_upstream_sessions(ending).await?;
        Ok(())
    }
}

impl Inner {
    fn upstream_of(&self, row: &UpstreamSessionRow) -> Option<Arc<dyn UpstreamIdp>> {
        let id = IdpId::parse(&row.idp).ok()?;
        self.upstreams.get(&id).map(Arc::clone)
    }

    fn look(&self, row: &UpstreamSessionRow) -> Look {
        let upstream = self.upstream_of(row);
        look(row, upstream.as_ref().map(|upstream| upstream.settings()), self.clock.now())
    }

    /// What can be said without asking anybody.
    async fn answer(&self, row: &UpstreamSessionRow) -> Result<Stand, Error> {
        match self.look(row) {
            Look::Stands => Ok(Stand::Stands(vouched(row, read(row)?)?)),
            Look::Ended => Ok(Stand::Ended),
            Look::Over(reason) => {
                self.store.end_upstream_sessions(UpstreamEnding::one(&row.id, reason, self.clock.now())).await?;
                tell_ended(row, reason);
                Ok(Stand::Ended)
            }
            Look::NobodyVouches => {
                // Not for good: an operator who takes a provider out by mistake can put it back.
                let idp = &row.idp;
                warn!(event = "upstream.unknown", idp.id = %idp, subject.id = %row.subject, "a sign-in is of `{idp}`, which is not configured: it stands for nothing");
                Ok(Stand::Ended)
            }
            Look::Due => Err(unanswered()),
        }
    }

    /// Asks, if nobody else does.
    async fn try_to_ask(&self, row: &UpstreamSessionRow, upstream: &dyn UpstreamIdp) -> Result<Asked, Error> {
        let now = self.clock.now();
        let (due, lease) = (now - upstream.settings().recheck, now + LEASE);
        let Some(row) = self.store.lease_upstream_session(&row.id, due, now, lease).await? else { return Ok(Asked::Elsewhere) };
        self.ask_provider(&row, lease, upstream).await.map(Asked::Found)
    }

    async fn ask_provider(&self, row: &UpstreamSessionRow, lease: Timestamp, upstream: &dyn UpstreamIdp) -> Result<Stand, Error> {
        let token = match self.open(row) {
            Ok(Some(token)) => token,
            Ok(None) => return Err(Error::ServerError(Bug::new("a sign-in that is asked about has a token"))),
            Err(error) => {
                self.keep(row, Settlement { id: row.id.clone(), lease, sealed_token: None, said: None }).await?;
                return Err(error);
            }
        };
        let late = || Recheck { rotated: None, standing: Err(UpstreamError::unavailable("the provider took too long to say who stands")) };
        let recheck = time::timeout(ASKING_MAX, upstream.still_stands(&row.upstream_subject, &token)).await.unwrap_or_else(|_| late());
        // What an older sealing key sealed is sealed again, so that the older key can go.
        let is_old = row.sealed_token.as_deref().and_then(SealingKeys::sealed_by) != Some(self.keys.sealing().current_id());
        let newest = recheck.rotated.or(is_old.then_some(token));
        let sealed_token = newest.map(|token| self.seal(&row.issuer, &row.upstream_subject, &token)).transpose()?;
        let kept = |said| Settlement { id: row.id.clone(), lease, sealed_token: sealed_token.clone(), said };
        match recheck.standing {
            Ok(Standing::Stands(facts)) => {
                let said = Some((written(&facts)?, self.clock.now()));
                if self.keep(row, kept(said)).await? { Ok(Stand::Stands(vouched(row, facts)?)) } else { self.as_it_stands(row).await }
            }
            Ok(Standing::Gone(why)) => {
                let which = SignIns::Asked { id: row.id.clone(), lease };
                let ending = UpstreamEnding { which, ..UpstreamEnding::one(&row.id, why.reason(), self.clock.now()) };
                if self.store.end_upstream_sessions(ending).await? == Some(0) {
                    return self.as_it_stands(row).await;
                }
                tell_ended(row, why.reason());
                Ok(Stand::Ended)
            }
            Err(error) => {
                let (idp, reason) = (&row.idp, error.reason());
                warn!(event = "upstream_session.unanswered", idp.id = %idp, reason, error = &error as &dyn std::error::Error, "`{idp}` did not say whether a sign-in stands");
                self.keep(row, kept(None)).await?;
                self.without_answer(row, upstream.settings())
            }
        }
    }

    /// Keeps what the asking brought. Tried again when there is a new token, which exists nowhere else.
    async fn keep(&self, row: &UpstreamSessionRow, settlement: Settlement) -> Result<bool, StoreError> {
        let mut tries = if settlement.sealed_token.is_some() { KEEP_TRIES } else { 1 };
        loop {
            tries -= 1;
            match self.store.settle_upstream_session(settlement.clone()).await {
                Err(_) if tries > 0 => time::sleep(KEEP_PAUSE).await,
                Err(cause) if settlement.sealed_token.is_some() => {
                    let idp = &row.idp;
                    error!(event = "upstream_session.unkept", idp.id = %idp, subject.id = %row.subject, error = &cause as &dyn std::error::Error, "a new token of `{idp}` could not be kept; the person may have to sign in again");
                    return Err(cause);
                }
                settled => return settled,
            }
        }
    }

    /// It was renewed or ended while it was asked about; what stands in the row is newer than what we heard.
    async fn as_it_stands(&self, row: &UpstreamSessionRow) -> Result<Stand, Error> {
        match self.store.upstream_session(&row.id).await? {
            Some(row) => self.answer(&row).await,
            None => Ok(Stand::Ended),
        }
    }

    /// Waits for what the one who asks finds. Ends with the request's own patience.
    async fn wait_for_another(&self, id: &UpstreamSessionId) -> Result<Stand, Error> {
        let mut lease = None;
        loop {
            let Some(row) = self.store.upstream_session(id).await? else { return Ok(Stand::Ended) };
            if self.look(&row) != Look::Due {
                return self.answer(&row).await;
            }
            // Given back, and still due: there was no answer, and asking at once again would only make a queue of the same silence.
            let gave_up = row.checking_until.is_none() || lease.is_some_and(|lease| row.checking_until != Some(lease));
            if gave_up {
                let upstream = self.upstream_of(&row).ok_or_else(unanswered)?;
                return self.without_answer(&row, upstream.settings());
            }
            lease = row.checking_until;
            time::sleep(LOOK_EVERY).await;
        }
    }

    /// No answer: what was said last holds during the grace, and after it nobody can say.
    fn without_answer(&self, row: &UpstreamSessionRow, settings: &UpstreamConfig) -> Result<Stand, Error> {
        if self.clock.now() < row.checked_at + settings.recheck + settings.grace {
            Ok(Stand::Stands(vouched(row, read(row)?)?))
        } else {
            Err(unanswered())
        }
    }

    fn seal(&self, issuer: &str, upstream_subject: &str, token: &UpstreamToken) -> Result<String, Error> {
        Ok(self.keys.sealing().seal(Purpose::Upstream, &about(issuer, upstream_subject), token.to_json().as_bytes())?)
    }

    fn open(&self, row: &UpstreamSessionRow) -> Result<Option<UpstreamToken>, Error> {
        let Some(sealed) = &row.sealed_token else { return Ok(None) };
        let plain = self.keys.sealing().open_sealed(Purpose::Upstream, &about(&row.issuer, &row.upstream_subject), sealed)?;
        let token = std::str::from_utf8(&plain).ok().and_then(UpstreamToken::from_json);
        token.map(Some).ok_or(Error::ServerError(Bug::new("a sealed token of a provider is of another version")))
    }
}

/// What the row and the settings say, without asking anybody.
fn look(row: &UpstreamSessionRow, settings: Option<&UpstreamConfig>, now: Timestamp) -> Look {
    if row.ended_at.is_some() {
        return Look::Ended;
    }
    let Some(settings) = settings.filter(|settings| settings.issuer == row.issuer) else { return Look::NobodyVouches };
    match (row.ends_at, &row.sealed_token) {
        (Some(ends_at), _) if ends_at <= now => Look::Over("upstream_max_age"),
        (Some(_), None) => Look::Stands,
        (None, None) => Look::Over("upstream_token_missing"),
        (_, Some(_)) if now < row.checked_at + settings.recheck => Look::Stands,
        (_, Some(_)) => Look::Due,
    }
}

/// To what a sealed token is bound: it opens for no other person, nor for the same name at another provider.
fn about(issuer: &str, upstream_subject: &str) -> Vec<u8> {
    format!("{issuer}\n{upstream_subject}").into_bytes()
}

fn written(facts: &Facts) -> Result<String, Error> {
    serde_json::to_string(facts).map_err(|cause| Error::ServerError(Bug::caused("could not write what a provider said", cause)))
}

fn read(row: &UpstreamSessionRow) -> Result<Facts, Error> {
    serde_json::from_str(&row.facts).map_err(|cause| Error::ServerError(Bug::caused("could not read what a provider said", cause)))
}

fn vouched(row: &UpstreamSessionRow, facts: Facts) -> Result<Vouched, Error> {
    let idp = IdpId::parse(&row.idp).map_err(|_| Error::ServerError(Bug::new("a sign-in names a provider that has no name")))?;
    Ok(Vouched { idp, subject: row.upstream_subject.clone(), facts })
}

fn unanswered() -> Error {
    Error::TemporarilyUnavailable(Outage::new("the person's provider did not say whether their sign-in still stands"))
}

fn tell_ended(row: &UpstreamSessionRow, reason: &'static str) {
    let idp = &row.idp;
    info!(event = "upstream_session.ended", idp.id = %idp, subject.id = %row.subject, reason, "a sign-in at `{idp}` ended, and what stood on it");
}
