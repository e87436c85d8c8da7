//! One suite, run on SQLite always and on PostgreSQL when `TEST_POSTGRES_URL` is set: do both really mean the same? Races included.

mod faults;
mod hot;
mod rare;
mod schema;
mod upstream;

use std::sync::Arc;

use oauth_types::{
    ClientId, CodeChallenge, CodeVerifier, Error, GrantFault, GrantId, RedirectUri, ResourceUri, Scope, Subject, Timestamp, TokenHash, Ttl,
};

use super::{
    Approval, AuditEvent, AuthMethod, ClientKind, ClientRow, GrantRow, NewClient, NewRefresh, Redeem, Redemption, RedemptionFacts, Rotate,
    Rotation, Store, StoreConfig, Successor, Trail,
    db::{Conn, Durability},
};
use crate::{
    clock::{Clock, FixedClock},
    config::{Database, RefreshConfig},
    secret,
};

const START: Timestamp = Timestamp(1_800_000_000);

/// A migrated database of its own, a store on it, and its clock.
pub(super) struct Bench {
    pub(super) store: Store,
    pub(super) config: StoreConfig,
    clock: Arc<FixedClock>,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn on(database: Database, folder: tempfile::TempDir) -> Self {
        Store::migrate(&database).await.unwrap();
        let clock = Arc::new(FixedClock::at(START));
        let config = StoreConfig { database, access_token: Ttl::minutes(10), refresh_overlap: Ttl(120), registration_unused: Ttl::days(3) };
        let store = Store::open(&config, clock.clone() as Arc<dyn Clock>).await.unwrap();
        Self { store, config, clock, _folder: folder }
    }

    /// Another process on the same database.
    async fn replica(&self) -> Store {
        Store::open(&self.config, self.clock.clone() as Arc<dyn Clock>).await.unwrap()
    }

    /// A connection beside the store, to look behind it or to break it.
    async fn aside(&self) -> Conn {
        Conn::open(&self.config.database, Durability::Full).await.unwrap()
    }

    fn is_sqlite(&self) -> bool {
        matches!(self.config.database, Database::Sqlite(_))
    }
}

/// An empty database of each kind that is there.
async fn databases() -> Vec<(Database, tempfile::TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let mut databases = vec![(Database::Sqlite(folder.path().join("portico.db")), folder)];
    if let Some(url) = postgres_url() {
        let schema = format!("t{}", GrantId::born(0, secret::fresh_bytes()));
        let mut conn = Conn::open(&Database::Postgres(url.clone()), Durability::Full).await.unwrap();
        let sql: &'static str = Box::leak(format!("CREATE SCHEMA {schema}").into_boxed_str());
        conn.run(sql, &[]).await.unwrap();
        conn.close().await;
        let joint = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{joint}options=-c%20search_path%3D{schema}");
        databases.push((Database::Postgres(url), tempfile::tempdir().unwrap()));
    }
    databases
}

pub(super) async fn benches() -> Vec<Bench> {
    let mut benches = Vec::new();
    for (database, folder) in databases().await {
        benches.push(Bench::on(database, folder).await);
    }
    benches
}

#[expect(clippy::disallowed_methods, reason = "the test runner names its PostgreSQL in the environment")]
fn postgres_url() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok()
}

pub(super) fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

fn subject(text: &str) -> Subject {
    Subject::parse(text).unwrap()
}

fn hash(text: &str) -> TokenHash {
    TokenHash::of(text.as_bytes())
}

fn resource() -> ResourceUri {
    ResourceUri::parse("https://mcp.example/mcp").unwrap()
}

fn redirect() -> RedirectUri {
    RedirectUri::parse("https://app.example/callback").unwrap()
}

fn client_row(id: &str) -> ClientRow {
    ClientRow {
        client_id: client_id(id),
        kind: ClientKind::Registered,
        name: "A \"quoted\" \\ name\nwith ünïcode".into(),
        redirect_uris: vec![redirect(), RedirectUri::parse("http://127.0.0.1/callback").unwrap()],
        auth_method: AuthMethod::SecretBasic,
        secret_hash: Some(hash("secret")),
        secret_expires_at: None,
        grant_types: vec!["authorization_code".into(), "refresh_token".into()],
        scope: Some(Scope::parse("mcp:read mcp:write").unwrap()),
        registration_token_hash: Some(hash("registration")),
        metadata: serde_json::json!({"client_name": "A \"quoted\" name", "contacts": ["a@example.com"]}),
        metadata_digest: "digest".into(),
        created_at: START,
        last_used_at: None,
        ended_at: None,
        ended_before: None,
    }
}

fn new_client(id: &str) -> NewClient {
    NewClient { row: client_row(id), audit: AuditEvent { at: START, event: "client.registered", ..AuditEvent::default() } }
}

fn fresh_grant(now: Timestamp) -> GrantId {
    GrantId::born(now.0 * 1000, secret::fresh_bytes())
}

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn approval(grant_id: GrantId) -> Approval {
    Approval {
        grant_id,
        client_id: client_id("app"),
        subject: subject("alice"),
        resource: resource(),
        scope: Scope::parse("mcp:read").unwrap(),
        redirect_uri: redirect(),
        upstream_session: None,
        auth_time: START,
        nonce: Some("n\"1".into()),
        code_challenge: CodeChallenge::parse(CHALLENGE).unwrap(),
        code_expires_at: START + Ttl(60),
        expires_at: START + Ttl::days(90),
        created_at: START,
        trail: Trail { source_ip: Some("192.0.2.7".into()), reference: Some("REF0000001".into()) },
    }
}

/// The token that a grant's family has in this generation.
fn token(grant_id: GrantId, generation: u32) -> TokenHash {
    hash(&format!("refresh {grant_id} {generation}"))
}

fn redemption(grant_id: GrantId) -> Redemption {
    Redemption {
        approval: approval(grant_id),
        client_id: client_id("app"),
        presented: RedemptionFacts { verifier: Some(CodeVerifier::parse(VERIFIER).unwrap()), ..RedemptionFacts::default() },
        refresh: Some(NewRefresh { hash: token(grant_id, 1), expires_at: START + Ttl::days(30) }),
        judge: judge_redemption,
        trail: Trail::default(),
    }
}

fn judge_redemption(row: &GrantRow, asked: &Redemption, now: Timestamp) -> Result<Redeem, Error> {
    let proves = asked.presented.verifier.as_ref().is_some_and(|verifier| asked.approval.code_challenge.matches(verifier));
    if row.client_id != asked.client_id || !proves {
        return Err(Error::InvalidGrant(GrantFault::ClientMismatch));
    }
    row.stands().map_err(Error::InvalidGrant)?;
    if row.redeemed_at.is_some() {
        return Ok(Redeem::Replay);
    }
    if asked.approval.code_expires_at <= now { Err(Error::InvalidGrant(GrantFault::CodeExpired)) } else { Ok(Redeem::Good) }
}

/// Presents the token of this generation; the successor's seal tells which attempt made it.
pub(super) fn rotation(grant_id: GrantId, generation: u32, attempt: &str) -> Rotation {
    Rotation {
        grant_id,
        generation,
        presented_hash: token(grant_id, generation),
        client_id: client_id("app"),
        asked_scope: None,
        asked_resource: None,
        vouched_by: None,
        successor: Successor {
            hash: token(grant_id, generation + 1),
            sealed: format!("sealed \"{attempt}\""),
            expires_at: START + Ttl::days(31),
        },
        overlap: RefreshConfig { overlap: Ttl(120), overlap_answers: 100 },
        judge: judge_rotation,
        trail: Trail { source_ip: Some("192.0.2.8".into()), reference: None },
    }
}

fn judge_rotation(row: &GrantRow, asked: &Rotation, now: Timestamp) -> Result<Rotate, Error> {
    if row.client_id != asked.client_id {
        return Err(Error::InvalidGrant(GrantFault::ClientMismatch));
    }
    row.stands().map_err(Error::InvalidGrant)?;
    if row.refresh_hash == Some(asked.presented_hash) {
        return Ok(Rotate::Next);
    }
    let within = row.rotated_at.is_some_and(|at| now < at + asked.overlap.overlap);
    if row.previous_hash == Some(asked.presented_hash) && within {
        return if row.answered_again < asked.overlap.overlap_answers {
            Ok(Rotate::Again)
        } else {
            Err(Error::InvalidGrant(GrantFault::OverlapExhausted))
        };
    }
    Ok(Rotate::Replay)
}

/// A client, a person and a grant whose code was redeemed.
pub(super) async fn redeemed(bench: &Bench) -> GrantId {
    let grant_id = approved(bench).await;
    bench.store.redeem(redemption(grant_id)).await.unwrap();
    grant_id
}

/// A client, a person and the id of a grant that they approved: nothing is kept of it yet.
async fn approved(bench: &Bench) -> GrantId {
    if bench.store.client(&client_id("app")).await.unwrap().is_none() {
        bench.store.register(new_client("app")).await.unwrap();
        rare::account(&bench.store, "alice").await;
    }
    fresh_grant(bench.clock.now())
}

fn reason<T: std::fmt::Debug>(refused: Result<T, Error>) -> &'static str {
    refused.expect_err("should be refused").reason()
}
