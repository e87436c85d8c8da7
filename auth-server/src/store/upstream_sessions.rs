//! One person's sign-in at one identity provider. Browser sessions and grants point to it; when it ends, they end.
//!
//! Two things are decided by a compare-and-set here, because replicas share the row. Who asks the provider again: a *lease*, named by
//! the moment at which it lapses; what came of the asking is kept only while the lease still holds. And what has ended: an ending, the
//! entries that tell every process, and the notice that ordered it are one transaction, so that a provider's only notice is never
//! half-done.

use oauth_types::{EndedKind, Subject, Timestamp, TokenHash, Ttl, UpstreamSessionId};

use super::{
    AuditEvent, Store, StoreError, Trail,
    cache::Noun,
    db::{Row, Value},
    seen,
    tx::Tx,
};

/// How long a notice that names a session may come before that session begins here: it overtook the person's browser, whose journey
/// lasts no longer than this.
const NOTICE_OVERTAKES_MAX: Ttl = Ttl::minutes(10);
/// Under which kind the notice itself is seen, and the session that it ended.
const NOTICE: &str = "logout_token";
const SIGNED_OUT: &str = "signed_out_sid";

/// A sign-in upstream as it stands in the store.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamSessionRow {
    /// Our name for it.
    pub id: UpstreamSessionId,
    /// Whose it is.
    pub subject: Subject,
    /// Which of the configured providers.
    pub idp: String,
    /// The provider, as it names itself.
    pub issuer: String,
    /// The provider's name for the person.
    pub upstream_subject: String,
    /// The provider's name for the session.
    pub sid: Option<String>,
    /// What the provider last said about the person; JSON. Empty once it has ended.
    pub facts: String,
    /// What we ask the provider again with, sealed. Gone once it has ended.
    pub sealed_token: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When the provider last said that it stands.
    pub checked_at: Timestamp,
    /// Somebody is asking the provider, until then at most.
    pub checking_until: Option<Timestamp>,
    /// When it ends unless the person signs in again: for providers that cannot be asked.
    pub ends_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl std::fmt::Debug for UpstreamSessionRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Facts and names of a person belong in no log.
        f.debug_struct("UpstreamSessionRow")
            .field("id", &self.id)
            .field("idp", &self.idp)
            .field("checked_at", &self.checked_at)
            .field("checking_until", &self.checking_until)
            .field("ends_at", &self.ends_at)
            .field("ended_at", &self.ended_at)
            .finish_non_exhaustive()
    }
}

/// A sign-in that just happened.
#[derive(Clone)]
#[expect(missing_docs, reason = "as in UpstreamSessionRow")]
pub struct NewUpstreamSession {
    /// Its name, unless the provider's session is known already.
    pub id: UpstreamSessionId,
    pub subject: Subject,
    pub idp: String,
    pub issuer: String,
    pub upstream_subject: String,
    pub sid: Option<String>,
    pub facts: String,
    pub sealed_token: Option<String>,
    /// When it ends if nothing is kept to ask the provider with.
    pub ends_without_token: Timestamp,
    /// When it happened.
    pub now: Timestamp,
}

/// What an asking brought.
#[derive(Clone)]
pub struct Settlement {
    /// Of which sign-in.
    pub id: UpstreamSessionId,
    /// The lease under which it was asked.
    pub lease: Timestamp,
    /// A new token, sealed, when the provider gave one. Kept even when nothing else is known.
    pub sealed_token: Option<String>,
    /// The facts, and when they were said. `None`: the provider did not answer, and the lease is given back.
    pub said: Option<(String, Timestamp)>,
}

/// Which sign-ins shall end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIns {
    /// This one.
    One(UpstreamSessionId),
    /// This one, if the lease under which it was asked about still holds: one that was renewed meanwhile stands.
    Asked {
        /// Which.
        id: UpstreamSessionId,
        /// The lease.
        lease: Timestamp,
    },
    /// Those of one session at the provider.
    OfSession {
        /// The provider.
        issuer: String,
        /// Its name for the session.
        sid: String,
    },
    /// Those of one person at the provider.
    OfPerson {
        /// The provider.
        issuer: String,
        /// Its name for the person.
        upstream_subject: String,
    },
}

/// An ending of sign-ins.
#[derive(Debug, Clone)]
pub struct UpstreamEnding {
    /// Which.
    pub which: SignIns,
    /// Why, for the audit.
    pub reason: &'static str,
    /// When it was asked for.
    pub now: Timestamp,
    /// The notice that orders it, by a name that is only its own, and until when it could be presented again.
    pub notice: Option<(String, Timestamp)>,
    /// Where it came from.
    pub trail: Trail,
}

impl UpstreamEnding {
    /// Of one sign-in.
    pub fn one(id: &UpstreamSessionId, reason: &'static str, now: Timestamp) -> Self {
        Self { which: SignIns::One(id.clone()), reason, now, notice: None, trail: Trail::default() }
    }
}

macro_rules! columns {
    () => {
        "upstream_session, subject, idp, issuer, upstream_subject, sid, facts, sealed_token, created_at, checked_at, checking_until, ends_at,
    ended_at"
    };
}

const SESSION: &str = concat!("SELECT ", columns!(), " FROM upstream_sessions WHERE upstream_session = $1");
const AGAIN: &str = "UPDATE upstream_sessions
  SET facts = $6, sealed_token = coalesce($7, sealed_token), checked_at = $8, checking_until = NULL,
    ends_at = CASE WHEN coalesce($7, sealed_token) IS NULL THEN CAST($9 AS BIGINT) END
  WHERE issuer = $1 AND sid = $2 AND upstream_subject = $3 AND subject = $4 AND idp = $5 AND ended_at IS NULL
  RETURNING upstream_session";
const INSERT: &str = "INSERT INTO upstream_sessions (upstream_session, subject, idp, issuer, upstream_subject, sid, facts, sealed_token,
    created_at, checked_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9,
    CASE WHEN $8 IS NULL THEN CAST($10 AS BIGINT) END)";
/// Of any number of askers one gets it, and with it the row as it stands now: a token that was read before may have been replaced since.
const LEASE: &str = concat!(
    "UPDATE upstream_sessions SET checking_until = $4
  WHERE upstream_session = $1 AND ended_at IS NULL AND checked_at <= $2 AND (checking_until IS NULL OR checking_until <= $3)
  RETURNING ",
    columns!()
);
const SETTLE: &str = "UPDATE upstream_sessions
  SET checking_until = NULL, sealed_token = coalesce($3, sealed_token), facts = coalesce($4, facts), checked_at = coalesce($5, checked_at)
  WHERE upstream_session = $1 AND checking_until = $2 AND ended_at IS NULL";
/// What was known about the person goes with it.
macro_rules! end {
    ($which:literal) => {
        concat!(
            "UPDATE upstream_sessions SET ended_at = $1, sealed_token = NULL, facts = '', checking_until = NULL WHERE ended_at IS NULL AND ",
            $which,
            " RETURNING upstream_session, subject"
        )
    };
}
const END_ONE: &str = end!("upstream_session = $2");
const END_ASKED: &str = end!("upstream_session = $2 AND checking_until = $3");
const END_OF_SESSION: &str = end!("issuer = $2 AND sid = $3");
const END_OF_PERSON: &str = end!("issuer = $2 AND upstream_subject = $3");

impl Store {
    /// The sign-in of this name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn upstream_session(&self, id: &UpstreamSessionId) -> Result<Option<UpstreamSessionRow>, StoreError> {
        self.0.readers.row(SESSION, &[Value::Text(id.as_str())]).await?.map(|row| read(&row)).transpose()
    }

    /// Remembers a sign-in: a second one into the same session at the provider renews the first. On disk when this returns. `None`: the
    /// provider has said already that this session is over.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn begin_upstream_session(&self, new: NewUpstreamSession) -> Result<Option<UpstreamSessionId>, StoreError> {
        self.write(move |tx| Box::pin(async move { begin(tx, new).await })).await
    }

    /// Takes the right to ask the provider, if the last answer is from `due` or before and nobody else is asking. Gives the row as it
    /// stands under the lease.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn lease_upstream_session(
        &self,
        id: &UpstreamSessionId,
        due: Timestamp,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<UpstreamSessionRow>, StoreError> {
        let id = id.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let values = [Value::Text(id.as_str()), Value::Int(due.0), Value::Int(now.0), Value::Int(until.0)];
                tx.rows(LEASE, &values).await?.first().map(read).transpose()
            })
        })
        .await
    }

    /// Keeps what an asking brought, and gives the lease back. `false`: the lease had lapsed, or the sign-in ended or was renewed
    /// meanwhile; nothing is kept.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn settle_upstream_session(&self, settlement: Settlement) -> Result<bool, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let (facts, said_at) = settlement.said.as_ref().map(|(facts, at)| (facts.as_str(), at.0)).unzip();
                let values = [
                    Value::Text(settlement.id.as_str()),
                    Value::Int(settlement.lease.0),
                    Value::MaybeText(settlement.sealed_token.as_deref()),
                    Value::MaybeText(facts),
                    Value::MaybeInt(said_at),
                ];
                Ok(tx.run(SETTLE, &values).await? > 0)
            })
        })
        .await
    }

    /// Ends sign-ins, and with them every browser session and grant that stands on them: all in one transaction, with what tells every
    /// process. How many ended; `None`: this notice came before, and nothing was done.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn end_upstream_sessions(&self, ending: UpstreamEnding) -> Result<Option<usize>, StoreError> {
        self.write(move |tx| Box::pin(async move { end(tx, ending).await })).await
    }
}

async fn begin(tx: &mut Tx, new: NewUpstreamSession) -> Result<Option<UpstreamSessionId>, StoreError> {
    if let Some(sid) = &new.sid {
        if seen::is_remembered(tx, SIGNED_OUT, &signed_out(&new.issuer, sid), new.now).await? {
            return Ok(None);
        }
        let values = [
            Value::Text(&new.issuer),
            Value::Text(sid),
            Value::Text(&new.upstream_subject),
            Value::Text(new.subject.as_str()),
            Value::Text(&new.idp),
            Value::Text(&new.facts),
            Value::MaybeText(new.sealed_token.as_deref()),
            Value::Int(new.now.0),
            Value::Int(new.ends_without_token.0),
        ];
        if let Some(row) = tx.rows(AGAIN, &values).await?.first() {
            return Ok(Some(UpstreamSessionId::from_trusted(row.text(0)?)));
        }
    }
    let values = [
        Value::Text(new.id.as_str()),
        Value::Text(new.subject.as_str()),
        Value::Text(&new.idp),
        Value::Text(&new.issuer),
        Value::Text(&new.upstream_subject),
        Value::MaybeText(new.sid.as_deref()),
        Value::Text(&new.facts),
        Value::MaybeText(new.sealed_token.as_deref()),
        Value::Int(new.now.0),
        Value::Int(new.ends_without_token.0),
    ];
    tx.run(INSERT, &values).await?;
    let event = AuditEvent { at: new.now, event: "upstream_session.began", subject: Some(new.subject), ..AuditEvent::default() };
    tx.audit(&event).await?;
    Ok(Some(new.id))
}

async fn end(tx: &mut Tx, ending: UpstreamEnding) -> Result<Option<usize>, StoreError> {
    let now = ending.now;
    if let Some((name, until)) = &ending.notice
        && !seen::see(tx, NOTICE, name, *until, now).await?
    {
        return Ok(None);
    }
    let rows = match &ending.which {
        SignIns::One(id) => tx.rows(END_ONE, &[Value::Int(now.0), Value::Text(id.as_str())]).await?,
        SignIns::Asked { id, lease } => tx.rows(END_ASKED, &[Value::Int(now.0), Value::Text(id.as_str()), Value::Int(lease.0)]).await?,
        SignIns::OfSession { issuer, sid } => {
            if ending.notice.is_some() {
                seen::see(tx, SIGNED_OUT, &signed_out(issuer, sid), now + NOTICE_OVERTAKES_MAX, now).await?;
            }
            tx.rows(END_OF_SESSION, &[Value::Int(now.0), Value::Text(issuer), Value::Text(sid)]).await?
        }
        SignIns::OfPerson { issuer, upstream_subject } => {
            tx.rows(END_OF_PERSON, &[Value::Int(now.0), Value::Text(issuer), Value::Text(upstream_subject)]).await?
        }
    };
    let mut told: Option<Subject> = None;
    for row in &rows {
        let subject = Subject::from_trusted(row.text(1)?);
        // Nothing good is made from it after this moment, so every token of it ends, whenever it was made.
        tx.ended(EndedKind::UpstreamSession, row.text(0)?, None).await?;
        if told.as_ref() != Some(&subject) {
            tx.stale(Noun::BrowserSessionsOf, subject.as_str()).await?;
            told = Some(subject.clone());
        }
        let event = AuditEvent {
            at: now,
            event: "upstream_session.ended",
            subject: Some(subject),
            reason: Some(ending.reason),
            reference: ending.trail.reference.clone(),
            source_ip: ending.trail.source_ip.clone(),
            ..AuditEvent::default()
        };
        tx.audit(&event).await?;
    }
    Ok(Some(rows.len()))
}

/// Lines keep the two apart: neither an issuer nor a session id that we accept has a line break.
fn signed_out(issuer: &str, sid: &str) -> String {
    TokenHash::of(format!("{issuer}\n{sid}").as_bytes()).text()
}

fn read(row: &Row) -> Result<UpstreamSessionRow, StoreError> {
    Ok(UpstreamSessionRow {
        id: UpstreamSessionId::from_trusted(row.text(0)?),
        subject: Subject::from_trusted(row.text(1)?),
        idp: row.text(2)?.to_owned(),
        issuer: row.text(3)?.to_owned(),
        upstream_subject: row.text(4)?.to_owned(),
        sid: row.maybe_text(5)?.map(str::to_owned),
        facts: row.text(6)?.to_owned(),
        sealed_token: row.maybe_text(7)?.map(str::to_owned),
        created_at: Timestamp(row.int(8)?),
        checked_at: Timestamp(row.int(9)?),
        checking_until: row.maybe_int(10)?.map(Timestamp),
        ends_at: row.maybe_int(11)?.map(Timestamp),
        ended_at: row.maybe_int(12)?.map(Timestamp),
    })
}
