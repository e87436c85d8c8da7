//! A person signed in with us in one browser. The cookie holds a secret, the row its hash.

use std::sync::Arc;

use oauth_types::{Subject, Timestamp, TokenHash, UpstreamSessionId};

use super::{
    AuditEvent, Store, StoreError,
    cache::Noun,
    db::{Row, Value},
};

/// A browser session as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserSessionRow {
    /// The hash of the cookie's secret.
    pub id: TokenHash,
    /// Who is signed in.
    pub subject: Subject,
    /// The sign-in upstream that it stands on.
    pub upstream_session: Option<UpstreamSessionId>,
    /// When they proved who they are.
    pub auth_time: Timestamp,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was ended: signed out, shut out, or replaced.
    pub ended_at: Option<Timestamp>,
}

/// A browser session to be made.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in BrowserSessionRow")]
pub struct NewBrowserSession {
    pub id: TokenHash,
    pub subject: Subject,
    pub upstream_session: Option<UpstreamSessionId>,
    pub auth_time: Timestamp,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

const SESSION: &str = "SELECT b.session_hash, b.subject, b.upstream_session, b.auth_time, b.created_at, b.expires_at,
    coalesce(b.ended_at, s.disabled_at, u.ended_at) AS ended_at
  FROM browser_sessions AS b
  LEFT JOIN subjects AS s ON s.subject = b.subject
  LEFT JOIN upstream_sessions AS u ON u.upstream_session = b.upstream_session
  WHERE b.session_hash = $1";
const INSERT: &str = "INSERT INTO browser_sessions (session_hash, subject, upstream_session, auth_time, created_at, expires_at)
  VALUES ($1, $2, $3, $4, $5, $6)";
const END: &str = "UPDATE browser_sessions SET ended_at = $2 WHERE session_hash = $1 AND ended_at IS NULL RETURNING subject";

impl Store {
    /// The session of this cookie; an ended one too, with `ended_at`. From memory when it was asked for lately.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn browser_session(&self, id: &TokenHash) -> Result<Option<Arc<BrowserSessionRow>>, StoreError> {
        let key = id.text();
        let cache = &self.0.caches.browser_sessions;
        if let Some(row) = cache.look(&key) {
            return Ok(Some(row));
        }
        let ticket = cache.ticket();
        let Some(row) = self.0.readers.row(SESSION, &[Value::Text(&key)]).await? else { return Ok(None) };
        let row = Arc::new(read(&row, *id)?);
        cache.remember(ticket, &key, Arc::clone(&row));
        Ok(Some(row))
    }

    /// Makes a session. On disk when this returns.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn create_browser_session(&self, new: NewBrowserSession) -> Result<Arc<BrowserSessionRow>, StoreError> {
        let row = Arc::new(BrowserSessionRow {
            id: new.id,
            subject: new.subject,
            upstream_session: new.upstream_session,
            auth_time: new.auth_time,
            created_at: new.created_at,
            expires_at: new.expires_at,
            ended_at: None,
        });
        let made = Arc::clone(&row);
        self.write(move |tx| {
            Box::pin(async move {
                let values = [
                    Value::Text(&made.id.text()),
                    Value::Text(made.subject.as_str()),
                    Value::MaybeText(made.upstream_session.as_ref().map(UpstreamSessionId::as_str)),
                    Value::Int(made.auth_time.0),
                    Value::Int(made.created_at.0),
                    Value::Int(made.expires_at.0),
                ];
                tx.run(INSERT, &values).await?;
                tx.audit(&AuditEvent {
                    at: made.created_at,
                    event: "login.succeeded",
                    subject: Some(made.subject.clone()),
                    ..AuditEvent::default()
                })
                .await
            })
        })
        .await?;
        Ok(row)
    }

    /// Ends a session. `false`: there was none, or it had ended.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn end_browser_session(&self, id: &TokenHash, now: Timestamp) -> Result<bool, StoreError> {
        let key = id.text();
        self.write(move |tx| {
            Box::pin(async move {
                let rows = tx.rows(END, &[Value::Text(&key), Value::Int(now.0)]).await?;
                let Some(row) = rows.first() else { return Ok(false) };
                let subject = Subject::from_trusted(row.text("subject")?);
                tx.stale(Noun::BrowserSession, &key).await?;
                tx.audit(&AuditEvent { at: now, event: "logout.succeeded", subject: Some(subject), ..AuditEvent::default() }).await?;
                Ok(true)
            })
        })
        .await
    }
}

fn read(row: &Row, id: TokenHash) -> Result<BrowserSessionRow, StoreError> {
    Ok(BrowserSessionRow {
        id,
        subject: Subject::from_trusted(row.text("subject")?),
        upstream_session: row.maybe_text("upstream_session")?.map(UpstreamSessionId::from_trusted),
        auth_time: Timestamp(row.int("auth_time")?),
        created_at: Timestamp(row.int("created_at")?),
        expires_at: Timestamp(row.int("expires_at")?),
        ended_at: row.maybe_int("ended_at")?.map(Timestamp),
    })
}
