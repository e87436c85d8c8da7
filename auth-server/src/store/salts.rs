//! Salts: values that may never change, sealed. Whoever asks first makes one; everybody else gets that one.

use super::{Store, StoreError, db::Value};

const SALT: &str = "SELECT sealed FROM salts WHERE name = $1";
const KEEP: &str = "INSERT INTO salts (name, sealed) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
const RESEAL: &str = "UPDATE salts SET sealed = $3 WHERE name = $1 AND sealed = $2";

impl Store {
    /// The sealed salt of this name: the one that is there, or else this.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn salt(&self, name: &'static str, otherwise: String) -> Result<String, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                tx.run(KEEP, &[Value::Text(name), Value::Text(&otherwise)]).await?;
                let rows = tx.rows(SALT, &[Value::Text(name)]).await?;
                rows.first().map_or(Ok(otherwise), |row| row.text("sealed").map(str::to_owned))
            })
        })
        .await
    }

    /// Puts the same salt under another seal. `false`: somebody else did.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn reseal_salt(&self, name: &'static str, before: String, sealed: String) -> Result<bool, StoreError> {
        self.write(move |tx| {
            Box::pin(async move { Ok(tx.run(RESEAL, &[Value::Text(name), Value::Text(&before), Value::Text(&sealed)]).await? > 0) })
        })
        .await
    }
}
