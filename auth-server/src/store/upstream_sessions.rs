//! One person's sign-in at one identity provider. Browser sessions and grants point to it; when it ends, they end.

use oauth_types::{EndedKind, Subject, Timestamp, UpstreamSessionId};

use super::{AuditEvent, Store, StoreError, cache::Noun, db::Value};

/// A sign-in upstream as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSessionRow {
    /// Our name for it.
    pub id: UpstreamSessionId,
    /// Whose it is.
    pub subject: Subject,
    /// The provider.
    pub issuer: String,
    /// The provider's name for the person.
    pub upstream_subject: String,
    /// The provider's name for the session.
    pub sid: Option<String>,
    /// The provider's refresh token, sealed.
    pub sealed_token: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When the provider last said that it stands.
    pub checked_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

const SESSION: &str = "SELECT upstream_session, subject, issuer, upstream_subject, sid, sealed_token, created_at, checked_at, ended_at
  FROM upstream_sessions WHERE upstream_session = $1";
const INSERT: &str = "INSERT INTO upstream_sessions (upstream_session, subject, issuer, upstream_subject, sid, sealed_token, created_at,
    checked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const END: &str = "UPDATE upstream_sessions SET ended_at = $2 WHERE upstream_session = $1 AND ended_at IS NULL RETURNING subject";

impl Store {
    /// The sign-in of this name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn upstream_session(&self, id: &UpstreamSessionId) -> Result<Option<UpstreamSessionRow>, StoreError> {
        let row = self.0.readers.row(SESSION, &[Value::Text(id.as_str())]).await?;
        row.map(|row| {
            Ok(UpstreamSessionRow {
                id: id.clone(),
                subject: Subject::from_trusted(row.text("subject")?),
                issuer: row.text("issuer")?.to_owned(),
                upstream_subject: row.text("upstream_subject")?.to_owned(),
                sid: row.maybe_text("sid")?.map(str::to_owned),
                sealed_token: row.maybe_text("sealed_token")?.map(str::to_owned),
                created_at: Timestamp(row.int("created_at")?),
                checked_at: row.maybe_int("checked_at")?.map(Timestamp),
                ended_at: row.maybe_int("ended_at")?.map(Timestamp),
            })
        })
        .transpose()
    }

    /// Remembers a sign-in.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn create_upstream_session(&self, row: UpstreamSessionRow) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let values = [
                    Value::Text(row.id.as_str()),
                    Value::Text(row.subject.as_str()),
                    Value::Text(&row.issuer),
                    Value::Text(&row.upstream_subject),
                    Value::MaybeText(row.sid.as_deref()),
                    Value::MaybeText(row.sealed_token.as_deref()),
                    Value::Int(row.created_at.0),
                    Value::MaybeInt(row.checked_at.map(|at| at.0)),
                ];
                tx.run(INSERT, &values).await.map(drop)
            })
        })
        .await
    }

    /// Ends a sign-in, and with it every browser session and grant that stands on it. `false`: there was none, or it had ended.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn end_upstream_session(&self, id: &UpstreamSessionId, now: Timestamp) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let rows = tx.rows(END, &[Value::Text(id.as_str()), Value::Int(now.0)]).await?;
                let Some(row) = rows.first() else { return Ok(false) };
                let subject = Subject::from_trusted(row.text("subject")?);
                // Nothing good is made from it after this moment, so every token of it ends, whenever it was made.
                tx.ended(EndedKind::UpstreamSession, id.as_str(), None).await?;
                tx.stale(Noun::BrowserSessionsOf, subject.as_str()).await?;
                tx.audit(&AuditEvent { at: now, event: "upstream_session.ended", subject: Some(subject), ..AuditEvent::default() }).await?;
                Ok(true)
            })
        })
        .await
    }
}
