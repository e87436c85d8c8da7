//! Clients that registered, or that an operator entered (RFC 7591, RFC 7592).
//!
//! A deleted client stays as a tombstone: its row carries `ended_at` and `ended_before`, which every redemption and rotation reads.

use std::{sync::Arc, time::Duration};

use oauth_types::{ClientId, EndedKind, RedirectUri, Scope, Timestamp, TokenHash};

use super::{
    AuditEvent, Store, StoreError,
    cache::Noun,
    db::{Row, Value},
};

/// How the client came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    /// By RFC 7591, unasked.
    Registered,
    /// An operator entered it.
    Preregistered,
    /// A protected resource that introspects and follows endings.
    ResourceServer,
}

/// RFC 7591 §2 `token_endpoint_auth_method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// A public client.
    None,
    /// Secret in the Authorization header.
    SecretBasic,
    /// Secret in the body.
    SecretPost,
}

macro_rules! named {
    ($visible:vis $type:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $type {
            /// Every one there is.
            $visible const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// Its name on the wire and in the store.
            $visible fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
            /// Reads its name.
            $visible fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|own| own.as_str() == name)
            }
        }
    };
}
pub(super) use named;

named!(pub ClientKind { Registered = "registered", Preregistered = "preregistered", ResourceServer = "resource_server" });
named!(pub AuthMethod { None = "none", SecretBasic = "client_secret_basic", SecretPost = "client_secret_post" });

/// A client as it stands in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientRow {
    /// Its id.
    pub client_id: ClientId,
    /// How it came to us.
    pub kind: ClientKind,
    /// What it calls itself; an assertion, shown as one.
    pub name: String,
    /// Where answers may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// How it proves itself.
    pub auth_method: AuthMethod,
    /// The hash of its secret.
    pub secret_hash: Option<TokenHash>,
    /// When the secret ends; `None` is never.
    pub secret_expires_at: Option<Timestamp>,
    /// What it may present for tokens, by RFC 7591 name.
    pub grant_types: Vec<String>,
    /// What it registered to ask for at most.
    pub scope: Option<Scope>,
    /// The hash of its registration access token (RFC 7592 §3).
    pub registration_token_hash: Option<TokenHash>,
    /// What it registered, to be echoed.
    pub metadata: serde_json::Value,
    /// Of what a person saw: remembered consent binds to it.
    pub metadata_digest: String,
    /// When it registered.
    pub created_at: Timestamp,
    /// The day it last got a grant.
    pub last_used_at: Option<Timestamp>,
    /// When it was deleted.
    pub ended_at: Option<Timestamp>,
    /// Everything of it born at or before this ended.
    pub ended_before: Option<Timestamp>,
}

/// A registration: the row as it shall stand, and what to write down about it.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// The row.
    pub row: ClientRow,
    /// `client.registered`.
    pub audit: AuditEvent,
}

/// How old the count of waiting registrations may be. Between readings our own registrations are added.
const PENDING_READ_EVERY: Duration = Duration::from_secs(10);

const CLIENT: &str = "SELECT client_id, kind, name, redirect_uris, auth_method, secret_hash, secret_expires_at, grant_types, scope,
    registration_token_hash, metadata, metadata_digest, created_at, last_used_at, ended_at, ended_before
  FROM clients WHERE client_id = $1";
const CLIENTS: &str = "SELECT client_id, kind, name, redirect_uris, auth_method, secret_hash, secret_expires_at, grant_types, scope,
    registration_token_hash, metadata, metadata_digest, created_at, last_used_at, ended_at, ended_before
  FROM clients WHERE client_id > $1 ORDER BY client_id LIMIT $2";
const REPLACE: &str = "UPDATE clients SET name = $2, redirect_uris = $3, auth_method = $4, secret_hash = $5, secret_expires_at = $6,
    grant_types = $7, scope = $8, registration_token_hash = $9, metadata = $10, metadata_digest = $11
  WHERE client_id = $1 AND ended_at IS NULL";
const DELETE: &str = "UPDATE clients SET ended_at = $2, ended_before = $3 WHERE client_id = $1 AND ended_at IS NULL";
const PENDING: &str = "SELECT count(*) AS pending FROM clients WHERE last_used_at IS NULL AND ended_at IS NULL";

impl Store {
    /// The client of this id; a deleted one too, with `ended_at`. From memory when it was asked for lately.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn client(&self, id: &ClientId) -> Result<Option<Arc<ClientRow>>, StoreError> {
        let cache = &self.0.caches.clients;
        if let Some(row) = cache.look(id.as_str()) {
            return Ok(Some(row));
        }
        let ticket = cache.ticket();
        let Some(row) = self.0.readers.row(CLIENT, &[Value::Text(id.as_str())]).await? else { return Ok(None) };
        let row = Arc::new(read(&row)?);
        cache.remember(ticket, id.as_str(), Arc::clone(&row));
        Ok(Some(row))
    }

    /// A page of clients in the order of their ids, after this one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn clients(&self, after: &str, limit: i64) -> Result<Vec<ClientRow>, StoreError> {
        self.0.readers.rows(CLIENTS, &[Value::Text(after), Value::Int(limit)]).await?.iter().map(read).collect()
    }

    /// About how many registered clients never got a grant. Exact within ten seconds.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn pending_clients(&self) -> Result<u64, StoreError> {
        let pending = &self.0.pending_clients;
        if let Some(count) = pending.known(PENDING_READ_EVERY) {
            return Ok(count);
        }
        let row = self.0.readers.row(PENDING, &[]).await?;
        let count = row.map_or(Ok(0), |row| row.int("pending"))?;
        Ok(pending.set(count.unsigned_abs()))
    }

    /// Replaces what a client registered (RFC 7592 §2.2). `false`: there is no such client, or it was deleted.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn replace_client(&self, new: NewClient) -> Result<bool, StoreError> {
        self.write(move |tx| {
            Box::pin(async move {
                let row = &new.row;
                let changed = tx
                    .run(
                        REPLACE,
                        &[
                            Value::Text(row.client_id.as_str()),
                            Value::Text(&row.name),
                            Value::Text(&list(row.redirect_uris.iter().map(RedirectUri::as_str))),
                            Value::Text(row.auth_method.as_str()),
                            Value::MaybeText(row.secret_hash.map(|hash| hash.text()).as_deref()),
                            Value::MaybeInt(row.secret_expires_at.map(|at| at.0)),
                            Value::Text(&list(row.grant_types.iter().map(String::as_str))),
                            Value::MaybeText(row.scope.as_ref().map(Scope::as_str)),
                            Value::MaybeText(row.registration_token_hash.map(|hash| hash.text()).as_deref()),
                            Value::Text(&row.metadata.to_string()),
                            Value::Text(&row.metadata_digest),
                        ],
                    )
                    .await?;
                if changed == 1 {
                    tx.stale(Noun::Client, row.client_id.as_str()).await?;
                    tx.audit(&new.audit).await?;
                }
                Ok(changed == 1)
            })
        })
        .await
    }

    /// Deletes a client (RFC 7592 §2.3): everything it ever got ends. `false`: there was nothing to delete.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn delete_client(&self, id: &ClientId, now: Timestamp, audit: AuditEvent) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |tx| {
            Box::pin(async move {
                let before = tx.ended_before(now);
                let changed = tx.run(DELETE, &[Value::Text(id.as_str()), Value::Int(now.0), Value::Int(before.0)]).await?;
                if changed == 1 {
                    tx.ended(EndedKind::Client, id.as_str(), Some(before)).await?;
                    tx.stale(Noun::Client, id.as_str()).await?;
                    tx.audit(&audit).await?;
                }
                Ok(changed == 1)
            })
        })
        .await
    }
}

/// A JSON list of texts.
pub(super) fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(items).to_string()
}

fn read(row: &Row) -> Result<ClientRow, StoreError> {
    let corrupt = |column| StoreError::Corrupt { column };
    let redirect_uris: Vec<RedirectUri> = serde_json::from_str(row.text("redirect_uris")?).map_err(|_| corrupt("redirect_uris"))?;
    Ok(ClientRow {
        client_id: ClientId::parse(row.text("client_id")?).map_err(|_| corrupt("client_id"))?,
        kind: ClientKind::parse(row.text("kind")?).ok_or(corrupt("kind"))?,
        name: row.text("name")?.to_owned(),
        redirect_uris,
        auth_method: AuthMethod::parse(row.text("auth_method")?).ok_or(corrupt("auth_method"))?,
        secret_hash: hash(row, "secret_hash")?,
        secret_expires_at: row.maybe_int("secret_expires_at")?.map(Timestamp),
        grant_types: serde_json::from_str(row.text("grant_types")?).map_err(|_| corrupt("grant_types"))?,
        scope: row.maybe_text("scope")?.map(Scope::parse).transpose().map_err(|_| corrupt("scope"))?,
        registration_token_hash: hash(row, "registration_token_hash")?,
        metadata: serde_json::from_str(row.text("metadata")?).map_err(|_| corrupt("metadata"))?,
        metadata_digest: row.text("metadata_digest")?.to_owned(),
        created_at: Timestamp(row.int("created_at")?),
        last_used_at: row.maybe_int("last_used_at")?.map(Timestamp),
        ended_at: row.maybe_int("ended_at")?.map(Timestamp),
        ended_before: row.maybe_int("ended_before")?.map(Timestamp),
    })
}

fn hash(row: &Row, column: &'static str) -> Result<Option<TokenHash>, StoreError> {
    row.maybe_text(column)?.map(|text| TokenHash::from_text(text).ok_or(StoreError::Corrupt { column })).transpose()
}
