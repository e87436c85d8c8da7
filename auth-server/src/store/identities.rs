//! Whom an identity provider means: its issuer and its name for a person, and our [`Subject`] for them.
//!
//! OpenID Connect Core §5.7: only `iss` and `sub` together name a person for good. A mail address names nobody (attack 61): who comes
//! with another's address is another person. A row is made at the first sign-in and never changes; the name on pages follows what the
//! provider says.

use oauth_types::{Subject, Timestamp};

use super::{AuditEvent, Store, StoreError, SubjectRow, Trail, db::Value, subjects};

/// Somebody who was just told to us by a provider.
#[derive(Clone)]
pub struct NewIdentity {
    /// The provider.
    pub issuer: String,
    /// Its name for them.
    pub upstream_subject: String,
    /// Our name for them, should they be new.
    pub subject: Subject,
    /// What to call them on pages.
    pub display_name: String,
    /// Who asked.
    pub trail: Trail,
}

impl std::fmt::Debug for NewIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewIdentity").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

const KNOWN: &str = "SELECT s.subject, s.display_name, s.created_at, s.disabled_at, s.ended_before
  FROM identities AS i JOIN subjects AS s ON s.subject = i.subject WHERE i.issuer = $1 AND i.upstream_subject = $2";
const INSERT: &str = "INSERT INTO identities (issuer, upstream_subject, subject, created_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (issuer, upstream_subject) DO NOTHING";
const RENAME: &str = "UPDATE subjects SET display_name = $2 WHERE subject = $1";

impl Store {
    /// The person whom this provider calls so, made if they come for the first time. Of two replicas that meet them at once one makes
    /// the person and the other finds them.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn person_of_identity(&self, new: NewIdentity) -> Result<SubjectRow, StoreError> {
        if let Some(known) = self.known_identity(&new).await? {
            return self.called(known, new.display_name).await;
        }
        let display_name = new.display_name.clone();
        let is_ours = self.create_person(new.clone()).await?;
        match self.known_identity(&new).await? {
            Some(row) if is_ours => Ok(row),
            Some(row) => self.called(row, display_name).await,
            // Rows do not die: whoever loses the race finds the winner's.
            None => Err(StoreError::Corrupt { column: "identities.subject" }),
        }
    }

    async fn known_identity(&self, new: &NewIdentity) -> Result<Option<SubjectRow>, StoreError> {
        let row = self.0.readers.row(KNOWN, &[Value::Text(&new.issuer), Value::Text(&new.upstream_subject)]).await?;
        row.map(|row| subjects::read_subject(&row)).transpose()
    }

    async fn create_person(&self, new: NewIdentity) -> Result<bool, StoreError> {
        let now = self.0.clock.now();
        self.write(move |tx| {
            Box::pin(async move {
                let subject = new.subject.as_str();
                let values = [Value::Text(subject), Value::Text(&new.display_name), Value::Int(now.0)];
                tx.run(subjects::INSERT_SUBJECT, &values).await?;
                let values = [Value::Text(&new.issuer), Value::Text(&new.upstream_subject), Value::Text(subject), Value::Int(now.0)];
                if tx.run(INSERT, &values).await? == 0 {
                    tx.undo();
                    return Ok(false);
                }
                tx.audit(&met(&new, now)).await?;
                Ok(true)
            })
        })
        .await
    }

    /// The same person, under the name that the provider uses now.
    async fn called(&self, mut row: SubjectRow, display_name: String) -> Result<SubjectRow, StoreError> {
        if row.display_name == display_name {
            return Ok(row);
        }
        let (subject, name) = (row.subject.clone(), display_name.clone());
        self.write(move |tx| Box::pin(async move { tx.run(RENAME, &[Value::Text(subject.as_str()), Value::Text(&name)]).await.map(drop) }))
            .await?;
        row.display_name = display_name;
        Ok(row)
    }
}

fn met(new: &NewIdentity, now: Timestamp) -> AuditEvent {
    AuditEvent {
        at: now,
        event: "person.met",
        subject: Some(new.subject.clone()),
        source_ip: new.trail.source_ip.clone(),
        reference: new.trail.reference.clone(),
        ..AuditEvent::default()
    }
}
