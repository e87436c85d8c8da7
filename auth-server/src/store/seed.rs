//! Fills a store with clients and grants, quickly: for the bench, which must show that a large store is as quick as a small one.

use oauth_types::{GrantId, RefreshTokenSecret, Timestamp, Ttl};

use super::{Store, StoreError, db::Value};
use crate::secret;

/// Rows in one transaction.
const BATCH: usize = 2_000;

/// What to make.
#[derive(Debug, Clone)]
pub struct Seed {
    /// How many clients, public and with one loopback redirect.
    pub clients: usize,
    /// How many grants, spread over the clients.
    pub grants: usize,
    /// The resource of every grant.
    pub resource: String,
    /// The scope of every grant.
    pub scope: String,
    /// The subject of every grant is this and a number.
    pub subject: String,
    /// Every how many grants a person has.
    pub grants_per_subject: usize,
}

/// What was made.
#[derive(Debug, Clone, Default)]
pub struct Seeded {
    /// The ids of the clients.
    pub clients: Vec<String>,
    /// The first grants, at most [`KEPT`]: id, client and generation, for whoever can make their refresh tokens.
    pub grants: Vec<(GrantId, String)>,
}

/// How many grants are told.
pub const KEPT: usize = 10_000;

const CLIENTS: &str = "INSERT INTO clients (client_id, kind, name, redirect_uris, auth_method, grant_types, metadata, metadata_digest,
    created_at, last_used_at)
  SELECT j.value->>0, 'registered', 'Seeded client', '[\"http://127.0.0.1/callback\"]', 'none', '[\"authorization_code\",\"refresh_token\"]',
    '{\"client_name\":\"Seeded client\",\"redirect_uris\":[\"http://127.0.0.1/callback\"]}', j.value->>1, $2, $2
  FROM json_each($1) AS j WHERE true";
const SUBJECTS: &str = "INSERT INTO subjects (subject, display_name, created_at)
  SELECT j.value->>0, 'Seeded person', $2 FROM json_each($1) AS j WHERE true ON CONFLICT (subject) DO NOTHING";
const GRANTS: &str = "INSERT INTO grants (grant_id, client_id, subject, resource, scope, redirect_uri, auth_time, created_at, redeemed_at,
    expires_at, last_used_at, generation, refresh_hash, refresh_expires_at, answered_again)
  SELECT j.value->>0, j.value->>1, j.value->>2, j.value->>3, j.value->>4, 'http://127.0.0.1/callback', $2, $2, $2,
    $2 + 7776000, $2, 1, j.value->>5, $2 + 2592000, 0
  FROM json_each($1) AS j WHERE true";

/// Makes them. `refresh` names the refresh token of generation 1 of a grant, which the caller can make and the store only hashes.
///
/// # Errors
/// The database does not answer.
pub async fn seed(store: &Store, what: &Seed, refresh: impl Fn(&GrantId) -> RefreshTokenSecret) -> Result<Seeded, StoreError> {
    let mut seeded = Seeded::default();
    let now = store.0.clock.now();
    for batch in Batches::of(what.clients.max(1)) {
        let rows: Vec<[String; 2]> = batch.map(|_| [secret::fresh_text::<16>("c"), secret::fresh_text::<32>("")]).collect();
        seeded.clients.extend(rows.iter().map(|row| row[0].clone()));
        insert(store, CLIENTS, &rows, now).await?;
    }
    let people = what.grants.div_ceil(what.grants_per_subject.max(1));
    for batch in Batches::of(people) {
        let rows: Vec<[String; 1]> = batch.map(|number| [format!("{}{number}", what.subject)]).collect();
        insert(store, SUBJECTS, &rows, now).await?;
    }
    let born_ms = (now - Ttl::hours(1)).0 * 1000;
    for batch in Batches::of(what.grants) {
        let mut rows = Vec::with_capacity(BATCH);
        for number in batch {
            let id = GrantId::born(born_ms + number as i64 / 1000, secret::fresh_bytes());
            let client = &seeded.clients[number % seeded.clients.len()];
            if seeded.grants.len() < KEPT && number % what.grants.div_ceil(KEPT) == 0 {
                seeded.grants.push((id, client.clone()));
            }
            let subject = format!("{}{}", what.subject, number / what.grants_per_subject.max(1));
            rows.push([id.to_string(), client.clone(), subject, what.resource.clone(), what.scope.clone(), refresh(&id).hash().text()]);
        }
        insert(store, GRANTS, &rows, now).await?;
    }
    Ok(seeded)
}

async fn insert<const N: usize>(store: &Store, sql: &'static str, rows: &[[String; N]], now: Timestamp) -> Result<(), StoreError> {
    let lists: Vec<&[String]> = rows.iter().map(|row| row.as_slice()).collect();
    let json = serde_json::to_string(&lists).map_err(|_| StoreError::Corrupt { column: "seed" })?;
    store.write(move |tx| Box::pin(async move { tx.run(sql, &[Value::Text(&json), Value::Int(now.0)]).await.map(drop) })).await
}

/// Ranges of at most [`BATCH`].
struct Batches {
    next: usize,
    end: usize,
}

impl Batches {
    fn of(count: usize) -> Self {
        Self { next: 0, end: count }
    }
}

impl Iterator for Batches {
    type Item = std::ops::Range<usize>;
    fn next(&mut self) -> Option<Self::Item> {
        let begin = self.next;
        self.next = self.end.min(begin + BATCH);
        (begin < self.end).then_some(begin..self.next)
    }
}
