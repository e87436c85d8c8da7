//! The key store over a real store: birth, rotation, replicas, sealing keys that change.

use std::path::Path;

use oauth_types::{AccessClaimsRef, GrantId, TokenFault};
use serde_json::Value;

use super::*;
use crate::{clock::FixedClock, config::Database, store::StoreConfig};

const NOW: Timestamp = Timestamp(1_800_000_000);
const ISSUER: &str = "https://mcp.example.com";
const DAY: Ttl = Ttl::days(1);

struct Machine {
    folder: tempfile::TempDir,
    clock: Arc<FixedClock>,
    sealing: SealingKeys,
}

impl Machine {
    async fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap(), clock: Arc::new(FixedClock::at(NOW)), sealing: SealingKeys::fresh() };
        Store::migrate(&database(machine.folder.path())).await.unwrap();
        machine
    }

    async fn store(&self) -> Store {
        let config = StoreConfig {
            database: database(self.folder.path()),
            access_token: Ttl::minutes(10),
            refresh_overlap: Ttl::minutes(2),
            registration_unused: Ttl::days(3),
        };
        Store::open(&config, self.clock.clone()).await.unwrap()
    }

    /// One replica: a store and key store of its own on the same database.
    async fn replica(&self) -> Result<KeyStore, KeyError> {
        KeyStore::open(self.store().await, self.sealing.clone(), settings(SigningAlgorithm::Es256), self.clock.clone()).await
    }
}

fn database(folder: &Path) -> Database {
    Database::Sqlite(folder.join("portico.db"))
}

fn settings(algorithm: SigningAlgorithm) -> KeySettings {
    let schedule = Schedule { rotate_after: Ttl::days(90), publish_before: Ttl::hours(1), keep_after: Ttl(4_200) };
    KeySettings { issuer: IssuerUrl::parse(ISSUER).unwrap(), algorithm, schedule, pairwise: false }
}

fn claims<'a>(iss: &'a str, jti: &'a str) -> AccessClaimsRef<'a> {
    AccessClaimsRef {
        iss,
        sub: "alice",
        aud: "https://mcp.example.com/mcp",
        client_id: "app",
        exp: NOW.0 + 600,
        iat: NOW.0,
        jti,
        scope: "mcp:read",
        grant_id: "00000000000000000000000000",
        sid: None,
        auth_time: None,
    }
}

fn token(keys: &KeyStore) -> String {
    keys.sign(&claims(ISSUER, "j")).unwrap().expose().to_owned()
}

fn kid(token: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn published(keys: &KeyStore) -> Vec<String> {
    let document: Value = serde_json::from_slice(&keys.jwks_bytes()).unwrap();
    document["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_first_start_makes_a_key_and_the_next_start_finds_it() {
    let machine = Machine::new().await;
    let first = token(&machine.replica().await.unwrap());
    let again = machine.replica().await.unwrap();
    assert_eq!(published(&again), [kid(&first)]);
    assert_eq!(again.verify(&first).unwrap().sub, "alice");
}

#[tokio::test]
async fn replicas_that_start_together_agree_on_the_first_key() {
    let machine = Machine::new().await;
    let (a, b) = tokio::join!(machine.replica(), machine.replica());
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(published(&a), published(&b));
    assert_eq!(published(&a).len(), 1);
    assert!(b.verify(&token(&a)).is_ok());
}

/// Spec-and-clients 3.4, item 70: published before use, kept after.
#[tokio::test]
async fn a_rotation_is_published_first_and_the_old_key_is_kept() {
    let machine = Machine::new().await;
    let keys = machine.replica().await.unwrap();
    let before = token(&keys);
    let next = keys.rotate(Urgency::Announced).await.unwrap();
    assert_eq!(published(&keys), [kid(&before), next.clone()]);
    assert_eq!(kid(&token(&keys)), kid(&before), "not before it was published for an hour");
    machine.clock.advance(Ttl::hours(1));
    let after = token(&keys);
    assert_eq!(kid(&after), next);
    // The last token of the old key lives ten minutes, and a cached key set an hour.
    machine.clock.advance(Ttl(4_199));
    keys.refresh().await.unwrap();
    assert_eq!(published(&keys).len(), 2);
    machine.clock.advance(Ttl(1));
    keys.refresh().await.unwrap();
    assert_eq!(published(&keys), [next]);
}

/// Attack 45: a retired key is refused, also for a token whose signature was checked before.
#[tokio::test]
async fn a_key_in_wrong_hands_is_not_believed_from_the_moment_it_is_replaced() {
    let machine = Machine::new().await;
    let keys = machine.replica().await.unwrap();
    let old = token(&keys);
    assert!(keys.verify(&old).is_ok());
    let next = keys.rotate(Urgency::Compromised).await.unwrap();
    assert_eq!(keys.verify(&old).unwrap_err(), TokenFault::KeyUnknown);
    assert_eq!(published(&keys), std::slice::from_ref(&next));
    assert_eq!(kid(&token(&keys)), next);
}

#[tokio::test]
async fn of_two_replicas_one_makes_the_next_key_and_the_other_finds_it() {
    let machine = Machine::new().await;
    let (a, b) = (machine.replica().await.unwrap(), machine.replica().await.unwrap());
    machine.clock.advance(DAY);
    a.tend().await.unwrap();
    assert_eq!(published(&a).len(), 1, "it is not time yet");
    machine.clock.advance(Ttl::days(89));
    let (tended, also) = tokio::join!(a.tend(), b.tend());
    tended.unwrap();
    also.unwrap();
    a.refresh().await.unwrap();
    b.refresh().await.unwrap();
    assert_eq!(published(&a).len(), 2);
    assert_eq!(published(&a), published(&b));
}

#[tokio::test]
async fn a_verified_token_is_checked_again_for_time_and_issuer() {
    let machine = Machine::new().await;
    let keys = machine.replica().await.unwrap();
    let good = token(&keys);
    assert!(keys.verify(&good).is_ok());
    machine.clock.advance(Ttl(599));
    assert!(keys.verify(&good).is_ok());
    machine.clock.advance(Ttl(1));
    assert_eq!(keys.verify(&good).unwrap_err(), TokenFault::Expired);
    // Attack 33: byte for byte.
    for iss in ["https://mcp.example.com/", "https://MCP.example.com", "https://other.example.com", ""] {
        let foreign = keys.sign(&AccessClaimsRef { exp: NOW.0 + 9_999, ..claims(iss, "k") }).unwrap();
        assert_eq!(keys.verify(foreign.expose()).unwrap_err(), TokenFault::IssuerMismatch, "{iss}");
    }
    // Attack 34.
    let future = keys.sign(&AccessClaimsRef { exp: i64::MAX, iat: i64::MAX, ..claims(ISSUER, "l") }).unwrap();
    assert_eq!(keys.verify(future.expose()).unwrap_err(), TokenFault::IssuedInFuture);
}

/// RFC 7515 §5.2: who signed a token need not check it again, and still takes no other text for it.
#[tokio::test]
async fn who_signed_a_token_knows_it_by_every_character() {
    let machine = Machine::new().await;
    let keys = machine.replica().await.unwrap();
    let token = token(&keys);
    let parts: Vec<&str> = token.split('.').collect();
    for place in [1, 2] {
        let mut bytes = parts[place].as_bytes().to_vec();
        bytes[10] = if bytes[10] == b'A' { b'B' } else { b'A' };
        let part = String::from_utf8(bytes).unwrap();
        let mut changed = parts.clone();
        changed[place] = &part;
        assert_eq!(keys.verify(&changed.join(".")).unwrap_err(), TokenFault::SignatureMismatch, "part {place}");
    }
    assert_eq!(keys.verify(&token).unwrap().sub, "alice");
    assert_eq!(machine.replica().await.unwrap().verify(&token).unwrap().sub, "alice", "another process checks the signature");
}

/// Attack 54: the private half is not in the database, nor is it in a copy with another sealing key.
#[tokio::test]
async fn a_signing_key_opens_only_with_its_sealing_key() {
    let mut machine = Machine::new().await;
    let keys = machine.replica().await.unwrap();
    let row = machine.store().await.keys().await.unwrap().remove(0);
    let clear = machine.sealing.open_sealed(Purpose::SigningKey, row.kid.as_bytes(), &row.sealed_private).unwrap();
    drop(keys);
    let file = std::fs::read(machine.folder.path().join("portico.db")).unwrap();
    assert!(!file.windows(32).any(|window| window == &clear[clear.len() - 32..]));
    machine.sealing = SealingKeys::fresh();
    let error = machine.replica().await.unwrap_err();
    assert!(matches!(error, KeyError::SigningKey { .. }), "{error}");
}

#[tokio::test]
async fn a_new_sealing_key_takes_over_and_the_old_one_may_go() {
    let mut machine = Machine::new().await;
    let (old, new) = (seal::tests::line(1), seal::tests::line(2));
    machine.sealing = SealingKeys::parse(&old).unwrap();
    let first = token(&machine.replica().await.unwrap());
    machine.sealing = SealingKeys::parse(&format!("{new}{old}")).unwrap();
    assert!(machine.replica().await.unwrap().verify(&first).is_ok());
    machine.sealing = SealingKeys::parse(&new).unwrap();
    assert!(machine.replica().await.unwrap().verify(&first).is_ok());
}

#[tokio::test]
async fn a_name_is_read_back_and_nothing_else_is() {
    let machine = Machine::new().await;
    let keys = machine.replica().await.unwrap();
    let grant = GrantId::born(machine.clock.now_ms(), [7; 10]);
    let refresh = keys.mint_refresh(grant, 3, true);
    let name = keys.read_refresh(refresh.expose()).unwrap();
    assert_eq!((name.grant, name.generation), (grant, 3));
    for at in 4..refresh.expose().len() {
        let mut bytes = refresh.expose().to_owned().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert!(keys.read_refresh(std::str::from_utf8(&bytes).unwrap()).is_err(), "character {at}");
    }
    for garbage in ["", "prt_", "prt_AAAA", &"A".repeat(8000), "prt_ü"] {
        assert!(keys.read_refresh(garbage).is_err(), "{garbage}");
    }
}

/// architecture.md 11a.1: neither the database nor an old token alone yields a live one.
#[tokio::test]
async fn a_successor_is_found_again_only_with_the_token_it_follows() {
    let machine = Machine::new().await;
    let keys = machine.replica().await.unwrap();
    let grant = GrantId::born(machine.clock.now_ms(), [7; 10]);
    let rotated = keys.mint_refresh(grant, 1, false);
    let name = keys.read_refresh(rotated.expose()).unwrap();
    let successor = keys.mint_successor(rotated.expose(), &name).unwrap();
    let hash = successor.token.hash();
    let found = keys.open_successor(rotated.expose(), grant, &successor.sealed, &hash).unwrap();
    assert_eq!(found.expose(), successor.token.expose());
    assert_eq!(keys.read_refresh(found.expose()).unwrap().generation, 2);
    let other = keys.mint_refresh(grant, 1, false);
    assert!(keys.open_successor(other.expose(), grant, &successor.sealed, &hash).is_err());
    assert!(keys.open_successor(rotated.expose(), grant, &successor.sealed, &other.hash()).is_err());
    assert!(!successor.sealed.contains(successor.token.expose()));
}

/// OpenID Connect Core §8.1: a person's name for a sector is the same on every replica, after a restart, and under another sealing key;
/// without the sealing key that made the salt there is none, rather than another one.
#[tokio::test]
async fn pairwise_names_outlive_their_sealing_key() {
    let machine = Machine::new().await;
    let open = async |sealing: SealingKeys| {
        let settings = KeySettings { pairwise: true, ..settings(SigningAlgorithm::Es256) };
        KeyStore::open(machine.store().await, sealing, settings, machine.clock.clone()).await
    };
    let name = |keys: &KeyStore| keys.pairwise().unwrap().name("app.example", &oauth_types::Subject::from_trusted("alice"));
    let (old, new) = (line(1, 7), line(2, 8));
    let first = name(&open(SealingKeys::parse(&old).unwrap()).await.unwrap());
    assert_eq!(name(&open(SealingKeys::parse(&old).unwrap()).await.unwrap()), first);
    assert!(open(SealingKeys::parse(&new).unwrap()).await.is_err());
    assert_eq!(name(&open(SealingKeys::parse(&format!("{new}{old}")).unwrap()).await.unwrap()), first, "sealed again");
    assert_eq!(name(&open(SealingKeys::parse(&new).unwrap()).await.unwrap()), first, "the old line may go");
}

fn line(id: u8, byte: u8) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    format!("{id}:{}\n", URL_SAFE_NO_PAD.encode([byte; 32]))
}
