//! Signing keys: the sealed private half and the public one.

use oauth_types::Timestamp;

use super::{Store, StoreError, db::Value};

/// A signing key as it stands in the store. Its private half opens only with the sealing key, which is not here.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its id in token headers and in the JWKS.
    pub kid: String,
    /// RFC 7518 §3.1.
    pub alg: String,
    /// PKCS#8, sealed.
    pub sealed_private: String,
    /// RFC 7517, JSON.
    pub public_jwk: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs.
    pub active_from: Timestamp,
    /// When it is no longer published.
    pub retire_at: Option<Timestamp>,
}

impl std::fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRow")
            .field("kid", &self.kid)
            .field("alg", &self.alg)
            .field("active_from", &self.active_from)
            .field("retire_at", &self.retire_at)
            .finish_non_exhaustive()
    }
}

const KEYS: &str = "SELECT kid, alg, sealed_private, public_jwk, created_at, active_from, retire_at FROM signing_keys
  ORDER BY active_from, kid";
const INSERT: &str = "INSERT INTO signing_keys (kid, alg, sealed_private, public_jwk, created_at, active_from, retire_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7)";
const UPDATE: &str = "UPDATE signing_keys SET sealed_private = $2, active_from = $3, retire_at = $4 WHERE kid = $1";

impl Store {
    /// Every key, in the order in which they sign.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let rows = self.0.readers.rows(KEYS, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(KeyRow {
                    kid: row.text("kid")?.to_owned(),
                    alg: row.text("alg")?.to_owned(),
                    sealed_private: row.text("sealed_private")?.to_owned(),
                    public_jwk: row.text("public_jwk")?.to_owned(),
                    created_at: Timestamp(row.int("created_at")?),
                    active_from: Timestamp(row.int("active_from")?),
                    retire_at: row.maybe_int("retire_at")?.map(Timestamp),
                })
            })
            .collect()
    }

    /// Keeps a new key.
    ///
    /// # Errors
    /// The database does not answer, or has a key of this id.
    pub async fn insert_key(&self, row: KeyRow) -> Result<(), StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let values = [
                    Value::Text(&row.kid),
                    Value::Text(&row.alg),
                    Value::Text(&row.sealed_private),
                    Value::Text(&row.public_jwk),
                    Value::Int(row.created_at.0),
                    Value::Int(row.active_from.0),
                    Value::MaybeInt(row.retire_at.map(|at| at.0)),
                ];
                tx.run(INSERT, &values).await.map(drop)
            })
        })
        .await
    }

    /// Changes when a key signs and retires, or its sealing. `false`: there is no such key.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn update_key(&self, row: KeyRow) -> Result<bool, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let values = [
                    Value::Text(&row.kid),
                    Value::Text(&row.sealed_private),
                    Value::Int(row.active_from.0),
                    Value::MaybeInt(row.retire_at.map(|at| at.0)),
                ];
                Ok(tx.run(UPDATE, &values).await? == 1)
            })
        })
        .await
    }
}
