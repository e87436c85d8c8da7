//! Seen: things that may come once, by whatever replica they come.

use oauth_types::Timestamp;

use super::{Store, StoreError, db::Value, tx::Tx};

/// Once more after it expired: the purge is not in a hurry, and an expired row must not refuse.
const SEE: &str = "INSERT INTO seen (kind, id, until) VALUES ($1, $2, $3)
  ON CONFLICT (kind, id) DO UPDATE SET until = excluded.until WHERE seen.until <= $4 RETURNING id";
const SEEN: &str = "SELECT id FROM seen WHERE kind = $1 AND id = $2 AND until > $3";

impl Store {
    /// Is this the first time, until then? Of any number of askers one is told yes.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn first_seen(&self, kind: &str, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        let (kind, id, now) = (kind.to_owned(), id.to_owned(), self.0.clock.now());
        self.write(move |tx| Box::pin(async move { see(tx, &kind, &id, until, now).await })).await
    }
}

/// Is this the first time, until then? Seen only if the rest of the transaction is kept too.
pub(super) async fn see(tx: &mut Tx, kind: &str, id: &str, until: Timestamp, now: Timestamp) -> Result<bool, StoreError> {
    let values = [Value::Text(kind), Value::Text(id), Value::Int(until.0), Value::Int(now.0)];
    Ok(!tx.rows(SEE, &values).await?.is_empty())
}

/// Was it seen, and is that still remembered? Nothing is written.
pub(super) async fn is_remembered(tx: &mut Tx, kind: &str, id: &str, now: Timestamp) -> Result<bool, StoreError> {
    Ok(!tx.rows(SEEN, &[Value::Text(kind), Value::Text(id), Value::Int(now.0)]).await?.is_empty())
}
