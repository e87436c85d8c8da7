//! Seen: things that may come once, by whatever replica they come.

use oauth_types::Timestamp;

use super::{Store, StoreError, db::Value};

/// Once more after it expired: the purge is not in a hurry, and an expired row must not refuse.
const SEE: &str = "INSERT INTO seen (kind, id, until) VALUES ($1, $2, $3)
  ON CONFLICT (kind, id) DO UPDATE SET until = excluded.until WHERE seen.until <= $4 RETURNING id";

impl Store {
    /// Is this the first time, until then? Of any number of askers one is told yes.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn first_seen(&self, kind: &str, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        let (kind, id, now) = (kind.to_owned(), id.to_owned(), self.0.clock.now());
        self.write(move |tx| {
            Box::pin(async move {
                let values = [Value::Text(&kind), Value::Text(&id), Value::Int(until.0), Value::Int(now.0)];
                Ok(!tx.rows(SEE, &values).await?.is_empty())
            })
        })
        .await
    }
}
