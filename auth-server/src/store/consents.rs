//! Remembered approvals: to skip the page next time.
//!
//! An approval is of one person for one client as it described itself, one address, one resource. When the client describes itself
//! differently (its digest), what was remembered is not added to but replaced.

use oauth_types::{ClientId, RedirectUri, ResourceUri, Scope, Subject, Timestamp};

use super::{Store, StoreError, cache::Noun, db::Value};

/// What an approval was of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentKey {
    /// Who approved.
    pub subject: Subject,
    /// Which client.
    pub client_id: ClientId,
    /// Where answers go.
    pub redirect_uri: RedirectUri,
    /// For which resource.
    pub resource: ResourceUri,
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRow {
    /// What was approved.
    pub scope: Scope,
    /// How the client described itself then.
    pub client_digest: String,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

const CONSENT: &str = "SELECT scope, client_digest, expires_at FROM consents
  WHERE subject = $1 AND client_id = $2 AND redirect_uri = $3 AND resource = $4";
const UPSERT: &str = "INSERT INTO consents (subject, client_id, redirect_uri, resource, scope, client_digest, created_at, expires_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
  ON CONFLICT (subject, client_id, redirect_uri, resource)
  DO UPDATE SET scope = excluded.scope, client_digest = excluded.client_digest, expires_at = excluded.expires_at";
const FORGET: &str = "DELETE FROM consents WHERE subject = $1 AND client_id = $2";

impl ConsentKey {
    /// One text for the cache and the change feed. No part can hold a newline.
    fn text(&self) -> String {
        [self.subject.as_str(), self.client_id.as_str(), self.redirect_uri.as_str(), self.resource.as_str()].join("\n")
    }

    fn values(&self) -> [Value<'_>; 4] {
        [
            Value::Text(self.subject.as_str()),
            Value::Text(self.client_id.as_str()),
            Value::Text(self.redirect_uri.as_str()),
            Value::Text(self.resource.as_str()),
        ]
    }
}

impl Store {
    /// What this person approved of this before. From memory when it was asked for lately.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn consent(&self, key: &ConsentKey) -> Result<Option<ConsentRow>, StoreError> {
        let text = key.text();
        let cache = &self.0.caches.consents;
        if let Some(row) = cache.look(&text) {
            return Ok(Some(row));
        }
        let ticket = cache.ticket();
        let Some(row) = self.0.readers.row(CONSENT, &key.values()).await? else { return Ok(None) };
        let row = read(&row)?;
        cache.remember(ticket, &text, row.clone());
        Ok(Some(row))
    }

    /// Remembers an approval. What was approved before of the same description is kept beside it.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn remember_consent(&self, key: &ConsentKey, row: ConsentRow) -> Result<(), StoreError> {
        let (key, now) = (key.clone(), self.0.clock.now());
        self.write(move |tx| {
            Box::pin(async move {
                let before = tx.rows(CONSENT, &key.values()).await?;
                let before = before.first().map(read).transpose()?;
                let scope = match before {
                    Some(before) if before.client_digest == row.client_digest && now < before.expires_at => before.scope.union(&row.scope),
                    _ => row.scope,
                };
                let mut values = key.values().to_vec();
                values.extend([
                    Value::Text(scope.as_str()),
                    Value::Text(&row.client_digest),
                    Value::Int(now.0),
                    Value::Int(row.expires_at.0),
                ]);
                tx.run(UPSERT, &values).await?;
                tx.stale(Noun::Consent, &key.text()).await
            })
        })
        .await
    }

    /// Forgets what this person approved of this client; how many approvals there were.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn forget_consents(&self, subject: &Subject, client_id: &ClientId) -> Result<u64, StoreError> {
        let (subject, client_id) = (subject.clone(), client_id.clone());
        self.write(move |tx| {
            Box::pin(async move {
                let forgotten = tx.run(FORGET, &[Value::Text(subject.as_str()), Value::Text(client_id.as_str())]).await?;
                tx.stale(Noun::ConsentsOf, subject.as_str()).await?;
                Ok(forgotten)
            })
        })
        .await
    }
}

fn read(row: &super::db::Row) -> Result<ConsentRow, StoreError> {
    Ok(ConsentRow {
        scope: Scope::parse(row.text("scope")?).map_err(|_| StoreError::Corrupt { column: "scope" })?,
        client_digest: row.text("client_digest")?.to_owned(),
        expires_at: Timestamp(row.int("expires_at")?),
    })
}
