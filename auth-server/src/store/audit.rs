//! The audit: what happened, to whom, by whom.
//!
//! A hot write carries its event into the same transaction, and the event's id is its receipt: when the outcome of a COMMIT is
//! unknown, the writer looks for it. Other events are appended alone. Ids begin with their birth, so the table grows at its end.

use oauth_types::{ClientId, GrantId, Subject, Timestamp};

use super::{
    Store, StoreError,
    db::{Row, Value},
};

/// Longest `detail`: an event is a line, not a document.
pub const DETAIL_BYTES_MAX: usize = 2048;

/// Something that happened.
#[derive(Debug, Clone, Default)]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// Its name in docs/logging.md, as in `client.registered`.
    pub event: &'static str,
    /// By or to which client.
    pub client_id: Option<ClientId>,
    /// About whom.
    pub subject: Option<Subject>,
    /// On which grant.
    pub grant_id: Option<GrantId>,
    /// The slug of a refusal or ending.
    pub reason: Option<&'static str>,
    /// The reference that client and person saw.
    pub reference: Option<String>,
    /// From which address.
    pub source_ip: Option<String>,
    /// More, as a JSON object of at most [`DETAIL_BYTES_MAX`]; empty for nothing.
    pub detail: String,
}

/// An event that was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in AuditEvent")]
pub struct AuditRow {
    pub audit_id: String,
    pub at: Timestamp,
    pub event: String,
    pub client_id: Option<String>,
    pub subject: Option<String>,
    pub grant_id: Option<String>,
    pub reason: Option<String>,
    pub reference: Option<String>,
    pub source_ip: Option<String>,
    pub detail: Option<String>,
}

/// Which events to list; what is `None` does not filter.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only this client's.
    pub client_id: Option<ClientId>,
    /// Only about this person.
    pub subject: Option<Subject>,
    /// Only on this grant.
    pub grant_id: Option<GrantId>,
    /// Only events of this name.
    pub event: Option<String>,
}

pub(super) const INSERT: &str =
    "INSERT INTO audit (audit_id, at, event, client_id, subject, grant_id, reason, reference, source_ip, detail)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const PAGE: &str = "SELECT audit_id, at, event, client_id, subject, grant_id, reason, reference, source_ip, detail FROM audit
  WHERE audit_id < $1 AND ($2 IS NULL OR client_id = $2) AND ($3 IS NULL OR subject = $3) AND ($4 IS NULL OR grant_id = $4)
    AND ($5 IS NULL OR event = $5)
  ORDER BY audit_id DESC LIMIT $6";
// No index: every grant and refresh would pay a random page for what an operator asks a few times a year. The newest are looked at first.
const BY_REFERENCE: &str = "SELECT audit_id, at, event, client_id, subject, grant_id, reason, reference, source_ip, detail FROM audit
  WHERE reference = $1 AND reference IS NOT NULL ORDER BY audit_id DESC LIMIT 100";
/// Sorts behind every id.
const NEWEST: &str = "~";

impl Store {
    /// Writes an event down. On disk when this returns.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn audit(&self, event: AuditEvent) -> Result<(), StoreError> {
        self.write(move |tx| Box::pin(async move { tx.audit(&event).await })).await
    }

    /// A page of events, newest first, before this id.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn audit_events(&self, filter: &AuditFilter, before: Option<&str>, limit: i64) -> Result<Vec<AuditRow>, StoreError> {
        let grant_id = filter.grant_id.map(GrantId::text);
        let values = [
            Value::Text(before.unwrap_or(NEWEST)),
            Value::MaybeText(filter.client_id.as_ref().map(ClientId::as_str)),
            Value::MaybeText(filter.subject.as_ref().map(Subject::as_str)),
            Value::MaybeText(grant_id.as_deref()),
            Value::MaybeText(filter.event.as_deref()),
            Value::Int(limit),
        ];
        self.0.readers.rows(PAGE, &values).await?.iter().map(read).collect()
    }

    /// What is known under the reference that somebody was shown.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn audit_of(&self, reference: &str) -> Result<Vec<AuditRow>, StoreError> {
        self.0.readers.rows(BY_REFERENCE, &[Value::Text(reference)]).await?.iter().map(read).collect()
    }
}

/// Cut where a character ends: a detail that is too long loses its end, never its event.
pub(super) fn bounded(detail: &str) -> Option<&str> {
    (!detail.is_empty()).then(|| &detail[..detail.floor_char_boundary(DETAIL_BYTES_MAX)])
}

fn read(row: &Row) -> Result<AuditRow, StoreError> {
    let maybe = |column| Ok::<_, StoreError>(row.maybe_text(column)?.map(str::to_owned));
    Ok(AuditRow {
        audit_id: row.text("audit_id")?.to_owned(),
        at: Timestamp(row.int("at")?),
        event: row.text("event")?.to_owned(),
        client_id: maybe("client_id")?,
        subject: maybe("subject")?,
        grant_id: maybe("grant_id")?,
        reason: maybe("reason")?,
        reference: maybe("reference")?,
        source_ip: maybe("source_ip")?,
        detail: maybe("detail")?,
    })
}
