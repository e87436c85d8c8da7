//! The asking, with a provider that does what the test tells it, over a real store and a clock that stands still.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use oauth_types::{Scope, UpstreamFault};
use tokio::sync::Semaphore;
use url::Url;

use super::*;
use crate::{
    clock::FixedClock,
    config::{Config, Database, Layers, Override, UpstreamKind, UpstreamLife, resolve},
    keys::{KeySettings, SealingKeys},
    store::StoreConfig,
    upstream::{Asking, Callback, Departure, GoneWhy, Identity, Memory},
};

const START: Timestamp = Timestamp(1_800_000_000);
const RECHECK: Ttl = Ttl(300);
const ISSUER: &str = "https://idp.example";
const OLD_KEY: &str = "1:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";
const NEW_KEY: &str = "2:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA";

/// How the provider answers when it is asked who stands.
#[derive(Debug, Clone)]
enum Says {
    Stands { roles: &'static [&'static str], rotates_to: Option<&'static str> },
    Gone(GoneWhy),
    Silent { rotates_to: Option<&'static str> },
    Lies,
}

struct Provider {
    settings: UpstreamConfig,
    says: Mutex<Says>,
    /// Which secrets it was asked with.
    asked_with: Mutex<Vec<String>>,
    asked: AtomicUsize,
    /// One permit an answer, when answers wait.
    gate: Option<Semaphore>,
}

#[async_trait]
impl UpstreamIdp for Provider {
    fn settings(&self) -> &UpstreamConfig {
        &self.settings
    }

    async fn depart(&self, _: &Asking<'_>) -> Result<Departure, UpstreamError> {
        Err(UpstreamError::Refused)
    }

    async fn arrive(&self, _: Callback, _: &Memory, _: &str) -> Result<Arrival, UpstreamError> {
        Err(UpstreamError::Refused)
    }

    async fn still_stands(&self, subject: &str, token: &UpstreamToken) -> Recheck {
        assert_eq!(subject, "u-1");
        self.asked.fetch_add(1, Ordering::SeqCst);
        let secret: serde_json::Value = serde_json::from_str(&token.to_json()).unwrap();
        self.asked_with.lock().unwrap().push(secret["secret"].as_str().unwrap().to_owned());
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        let (rotates_to, standing) = match self.says.lock().unwrap().clone() {
            Says::Stands { roles, rotates_to } => (rotates_to, Ok(Standing::Stands(facts(roles)))),
            Says::Gone(why) => (None, Ok(Standing::Gone(why))),
            Says::Silent { rotates_to } => (rotates_to, Err(UpstreamError::unavailable("it is down"))),
            Says::Lies => (None, Err(UpstreamFault::SignatureMismatch.into())),
        };
        Recheck { rotated: rotates_to.map(token_of), standing }
    }

    async fn read_logout_notice(&self, _: &str) -> Result<LogoutNotice, UpstreamError> {
        Err(UpstreamError::Refused)
    }

    async fn sign_out(&self, _: &UpstreamToken, _: &str, _: &str) -> Option<Url> {
        None
    }

    async fn hand_back(&self, _: &UpstreamToken) {}

    async fn tend(&self) {}
}

fn facts(roles: &[&str]) -> Facts {
    Facts { display_name: "Alice".into(), roles: roles.iter().map(|role| (*role).to_owned()).collect::<BTreeSet<_>>(), ..Facts::default() }
}

fn token_of(secret: &str) -> UpstreamToken {
    UpstreamToken::from_json(&format!(r#"{{"secret":"{secret}","kind":"refresh"}}"#)).unwrap()
}

fn settings() -> UpstreamConfig {
    UpstreamConfig {
        id: IdpId::parse("company").unwrap(),
        kind: UpstreamKind::Oidc,
        name: "Company".into(),
        issuer: ISSUER.into(),
        client_id: "portico".into(),
        client_secret: None,
        scopes: Scope::parse("openid").unwrap(),
        backchannel_origin: None,
        endpoint_origins: Vec::new(),
        trusted_audiences: Vec::new(),
        algorithms: vec!["ES256".into()],
        session: UpstreamLife::Outlive,
        recheck: RECHECK,
        grace: Ttl(0),
        max_age: Ttl::hours(12),
    }
}

/// A person who signed in at a provider, and the server that they did it for.
struct House {
    folder: tempfile::TempDir,
    clock: Arc<FixedClock>,
    sealing: SealingKeys,
    provider: Arc<Provider>,
    sessions: UpstreamSessions,
    store: Store,
    id: UpstreamSessionId,
}

/// A house to be.
struct Plan {
    settings: UpstreamConfig,
    waits: bool,
    has_token: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { settings: settings(), waits: false, has_token: true }
    }
}

impl Plan {
    async fn stands(self) -> House {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(START));
        let sealing = SealingKeys::parse(OLD_KEY).unwrap();
        let provider = Arc::new(Provider {
            settings: self.settings,
            says: Mutex::new(Says::Stands { roles: &["reader"], rotates_to: None }),
            asked_with: Mutex::default(),
            asked: AtomicUsize::new(0),
            gate: self.waits.then(|| Semaphore::new(0)),
        });
        Store::migrate(&database(&folder)).await.unwrap();
        let (store, sessions) = server(&folder, &clock, &sealing, &provider).await;
        let arrival = Arrival { identity: identity(&provider.settings), token: self.has_token.then(|| token_of("rt-1")) };
        let id = sessions.begin(&Subject::from_trusted("alice"), &arrival).await.unwrap();
        House { folder, clock, sealing, provider, sessions, store, id }
    }
}

fn identity(settings: &UpstreamConfig) -> Identity {
    Identity {
        idp: settings.id.clone(),
        issuer: settings.issuer.clone(),
        subject: "u-1".into(),
        sid: Some("s-1".into()),
        auth_time: None,
        facts: facts(&["reader", "writer"]),
    }
}

fn database(folder: &tempfile::TempDir) -> Database {
    Database::Sqlite(folder.path().join("portico.db"))
}

/// A process on this database.
async fn server(
    folder: &tempfile::TempDir,
    clock: &Arc<FixedClock>,
    sealing: &SealingKeys,
    provider: &Arc<Provider>,
) -> (Store, UpstreamSessions) {
    let flag = |key, value: String| Override { key, value: value.into(), flag: "--test" };
    let data_dir = flag("server.data_dir", folder.path().display().to_string());
    let config: Config = resolve(Layers::gather(None, std::iter::empty(), [data_dir]).unwrap()).unwrap();
    let config = Config { database: database(folder), ..config };
    let store = Store::open(&StoreConfig::from(&config), clock.clone() as Arc<dyn Clock>).await.unwrap();
    let keys = KeyStore::open(store.clone(), sealing.clone(), KeySettings::from(&config), clock.clone()).await.unwrap();
    let upstreams = Upstreams::of(vec![Arc::clone(provider) as Arc<dyn UpstreamIdp>]);
    (store.clone(), UpstreamSessions::new(store, upstreams, keys, clock.clone()))
}

impl House {
    async fn open() -> Self {
        Plan::default().stands().await
    }

    /// Another process on the same database.
    async fn replica(&self) -> UpstreamSessions {
        server(&self.folder, &self.clock, &self.sealing, &self.provider).await.1
    }

    fn says(&self, says: Says) {
        *self.provider.says.lock().unwrap() = says;
    }

    fn asked(&self) -> usize {
        self.provider.asked.load(Ordering::SeqCst)
    }

    fn asked_with(&self) -> Vec<String> {
        self.provider.asked_with.lock().unwrap().clone()
    }

    fn due(&self) {
        self.clock.advance(RECHECK);
    }

    async fn ask(&self) -> Result<Stand, &'static str> {
        self.sessions.ask(&self.id).await.map_err(|error| error.code())
    }

    /// Waits until so many askings reached the provider.
    async fn until_asked(&self, count: usize) {
        while self.asked() < count {
            time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn lets_one_answer(&self) {
        self.provider.gate.as_ref().expect("this provider waits").add_permits(1);
    }

    async fn token(&self) -> String {
        let token = self.sessions.token(&self.id).await.unwrap().expect("it stands");
        serde_json::from_str::<serde_json::Value>(&token.to_json()).unwrap()["secret"].as_str().unwrap().to_owned()
    }
}

fn stands(roles: &[&str]) -> Result<Stand, &'static str> {
    Ok(Stand::Stands(Vouched { idp: IdpId::parse("company").unwrap(), subject: "u-1".into(), facts: facts(roles) }))
}

const UNANSWERED: Result<Stand, &str> = Err("temporarily_unavailable");

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_asked_when_it_is_due_and_not_before() {
    let house = House::open().await;
    assert_eq!(house.ask().await, stands(&["reader", "writer"]), "as it said at the sign-in");
    house.clock.advance(RECHECK - Ttl(1));
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader", "writer"]), 0));
    house.clock.advance(Ttl(1));
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader"]), 1), "what holds now");
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader"]), 1), "asked a moment ago");
    house.due();
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader"]), 2));
}

/// Issue 4, point 3: one at a time per upstream session, across replicas.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_at_two_replicas_ask_once_and_hear_the_same() {
    let house = Plan { waits: true, ..Plan::default() }.stands().await;
    let there = house.replica().await;
    house.due();
    let askers: Vec<_> = (0..32)
        .map(|number| {
            let (sessions, id) = (if number % 2 == 0 { house.sessions.clone() } else { there.clone() }, house.id.clone());
            tokio::spawn(async move { sessions.ask(&id).await.map_err(|error| error.code()) })
        })
        .collect();
    house.until_asked(1).await;
    house.lets_one_answer();
    for asker in askers {
        assert_eq!(asker.await.unwrap(), stands(&["reader"]));
    }
    assert_eq!(house.asked(), 1);
}

/// The same when there is no answer: the others do not queue up for the same silence.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_another_shares_its_silence() {
    let house = Plan { waits: true, ..Plan::default() }.stands().await;
    house.says(Says::Silent { rotates_to: None });
    house.due();
    let ask = || {
        let (sessions, id) = (house.sessions.clone(), house.id.clone());
        tokio::spawn(async move { sessions.ask(&id).await.map_err(|error| error.code()) })
    };
    let first = ask();
    house.until_asked(1).await;
    let others: Vec<_> = (0..8).map(|_| ask()).collect();
    // They have seen the lease by then, or they would ask themselves and find the gate closed.
    time::sleep(LOOK_EVERY * 4).await;
    house.lets_one_answer();
    assert_eq!(first.await.unwrap(), UNANSWERED);
    for other in others {
        assert_eq!(other.await.unwrap(), UNANSWERED);
    }
    assert_eq!(house.asked(), 1);
}

/// Attack 58: no answer and a lie end nothing; the next asking finds everything as it was.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_an_outage_and_changes_nothing() {
    let house = House::open().await;
    let before = house.store.upstream_session(&house.id).await.unwrap();
    house.due();
    for says in [Says::Silent { rotates_to: None }, Says::Lies] {
        house.says(says);
        assert_eq!(house.ask().await, UNANSWERED);
        assert_eq!(house.store.upstream_session(&house.id).await.unwrap(), before);
    }
    house.says(Says::Stands { roles: &["reader"], rotates_to: None });
    assert_eq!(house.ask().await, stands(&["reader"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn grace_carries_over_a_silence_and_no_longer() {
    let house = Plan { settings: UpstreamConfig { grace: Ttl(60), ..settings() }, ..Plan::default() }.stands().await;
    house.says(Says::Silent { rotates_to: None });
    house.due();
    assert_eq!(house.ask().await, stands(&["reader", "writer"]), "as it said last");
    house.clock.advance(Ttl(59));
    assert_eq!(house.ask().await, stands(&["reader", "writer"]));
    house.clock.advance(Ttl(1));
    assert_eq!(house.ask().await, UNANSWERED);
    house.says(Says::Gone(GoneWhy::Refused));
    assert_eq!(house.ask().await, Ok(Stand::Ended), "a no needs no grace");
}

/// Grace is for silence: within it, what the provider does say holds.
#[tokio::test(flavor = "multi_thread")]
async fn grace_does_not_keep_who_is_gone() {
    let house = Plan { settings: UpstreamConfig { grace: Ttl::hours(1), ..settings() }, ..Plan::default() }.stands().await;
    house.says(Says::Gone(GoneWhy::Disabled));
    house.due();
    assert_eq!(house.ask().await, Ok(Stand::Ended));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_is_gone_for_good() {
    for why in [GoneWhy::Refused, GoneWhy::AnotherPerson, GoneWhy::Disabled] {
        let house = House::open().await;
        house.says(Says::Gone(why));
        assert!(house.ask().await.is_ok_and(|stand| stand != Stand::Ended), "not due yet");
        house.due();
        assert_eq!(house.ask().await, Ok(Stand::Ended));
        house.says(Says::Stands { roles: &["reader"], rotates_to: None });
        assert_eq!((house.ask().await, house.asked()), (Ok(Stand::Ended), 1), "nobody is asked about what ended");
        let row = house.store.upstream_session(&house.id).await.unwrap().unwrap();
        assert_eq!((row.ended_at, row.sealed_token, row.facts.as_str()), (Some(START + RECHECK), None, ""));
        assert_eq!(house.sessions.facts(&house.id).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_is_kept_and_asked_with_next() {
    let house = House::open().await;
    house.says(Says::Stands { roles: &["reader"], rotates_to: Some("rt-2") });
    house.due();
    house.ask().await.unwrap();
    assert_eq!(house.token().await, "rt-2");
    let row = house.store.upstream_session(&house.id).await.unwrap().unwrap();
    assert!(!row.sealed_token.unwrap().contains("rt-2"), "sealed");
    house.says(Says::Stands { roles: &["reader"], rotates_to: None });
    house.due();
    house.ask().await.unwrap();
    assert_eq!(house.asked_with(), ["rt-1", "rt-2"]);
    assert_eq!(house.token().await, "rt-2", "no new one leaves the one there is");
}

/// The provider replaced its token and then said nothing that we can use: the old one may be spent, so the new one is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_outlives_a_silence() {
    let house = House::open().await;
    house.says(Says::Silent { rotates_to: Some("rt-2") });
    house.due();
    assert_eq!(house.ask().await, UNANSWERED);
    assert_eq!(house.token().await, "rt-2");
    house.says(Says::Stands { roles: &["reader"], rotates_to: None });
    assert_eq!(house.ask().await, stands(&["reader"]));
    assert_eq!(house.asked_with(), ["rt-1", "rt-2"]);
}

/// A client that leaves while the provider is asked: the asking goes on, and its token is not lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_costs_no_token() {
    let house = Plan { waits: true, ..Plan::default() }.stands().await;
    house.says(Says::Stands { roles: &["reader"], rotates_to: Some("rt-2") });
    house.due();
    let (sessions, id) = (house.sessions.clone(), house.id.clone());
    let leaves = tokio::spawn(async move { sessions.ask(&id).await });
    house.until_asked(1).await;
    leaves.abort();
    assert!(leaves.await.unwrap_err().is_cancelled());
    house.lets_one_answer();
    assert_eq!(house.ask().await, stands(&["reader"]), "who comes next finds the answer");
    assert_eq!((house.token().await.as_str(), house.asked()), ("rt-2", 1));
}

/// A provider that takes its time: the request is told to come again within five seconds, the asking goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_provider_holds_nobody_up() {
    let house = Plan { waits: true, ..Plan::default() }.stands().await;
    house.due();
    let began = std::time::Instant::now();
    assert_eq!(house.ask().await, UNANSWERED);
    assert!(began.elapsed() < ANSWERED_WITHIN + Duration::from_secs(3), "{:?}", began.elapsed());
    house.lets_one_answer();
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader"]), 1), "the late answer is kept");
}

/// A process that died while it asked: its lease lapses, and somebody else asks with the token that is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_blocks_for_no_longer_than_its_lease() {
    let house = House::open().await;
    house.due();
    let now = house.clock.now();
    house.store.lease_upstream_session(&house.id, now - RECHECK, now, now + LEASE).await.unwrap().expect("it is due");
    assert_eq!((house.ask().await, house.asked()), (UNANSWERED, 0), "somebody seems to be asking");
    house.clock.advance(LEASE);
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader"]), 1));
    assert_eq!(house.asked_with(), ["rt-1"]);
}

/// The person signs in again while their old token is refused: the new sign-in stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_old_token_does_not_hit_the_new_sign_in() {
    let house = Plan { waits: true, ..Plan::default() }.stands().await;
    house.says(Says::Gone(GoneWhy::Refused));
    house.due();
    let (sessions, id) = (house.sessions.clone(), house.id.clone());
    let asking = tokio::spawn(async move { sessions.ask(&id).await.unwrap() });
    house.until_asked(1).await;
    let arrival = Arrival { identity: identity(&house.provider.settings), token: Some(token_of("rt-9")) };
    assert_eq!(house.sessions.begin(&Subject::from_trusted("alice"), &arrival).await.unwrap(), house.id);
    house.lets_one_answer();
    assert_eq!(Ok(asking.await.unwrap()), stands(&["reader", "writer"]));
    assert_eq!(house.token().await, "rt-9");
}

/// Issue 4, point 3: a provider without refresh tokens is asked again by a fresh sign-in after max_age.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_cannot_be_asked_about_ends_after_max_age() {
    let house = Plan { has_token: false, ..Plan::default() }.stands().await;
    house.clock.advance(Ttl::hours(12) - Ttl(1));
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader", "writer"]), 0));
    house.clock.advance(Ttl(1));
    assert_eq!((house.ask().await, house.asked()), (Ok(Stand::Ended), 0));
    assert!(house.store.upstream_session(&house.id).await.unwrap().unwrap().ended_at.is_some(), "and what stands on it");
}

/// A provider that was taken out of the configuration vouches for nobody, but nothing ends for good: it may be a mistake.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_gone_from_the_configuration_vouches_for_nobody() {
    let house = House::open().await;
    for settings in [
        UpstreamConfig { id: IdpId::parse("other").unwrap(), ..settings() },
        UpstreamConfig { issuer: "https://other.example".into(), ..settings() },
    ] {
        let provider = Arc::new(Provider {
            settings,
            says: Mutex::new(Says::Stands { roles: &[], rotates_to: None }),
            asked_with: Mutex::default(),
            asked: AtomicUsize::new(0),
            gate: None,
        });
        let (_, elsewhere) = server(&house.folder, &house.clock, &house.sealing, &provider).await;
        assert_eq!(elsewhere.ask(&house.id).await.unwrap(), Stand::Ended);
    }
    assert_eq!(house.ask().await, stands(&["reader", "writer"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_was_does_not_stand() {
    let house = House::open().await;
    assert_eq!(house.sessions.ask(&UpstreamSessionId::from_trusted("us_none")).await.unwrap(), Stand::Ended);
}

/// A token is sealed for its person: put into another person's row it does not open, and that is no ending.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_another_persons_row_does_not_open() {
    let house = House::open().await;
    let row = house.store.upstream_session(&house.id).await.unwrap().unwrap();
    let moved = NewUpstreamSession {
        id: UpstreamSessionId::from_trusted("us_moved"),
        subject: Subject::from_trusted("bob"),
        idp: row.idp,
        issuer: row.issuer,
        upstream_subject: "u-2".into(),
        sid: None,
        facts: row.facts,
        sealed_token: row.sealed_token,
        ends_without_token: START,
        now: START,
    };
    let id = house.store.begin_upstream_session(moved).await.unwrap().unwrap();
    house.due();
    assert_eq!(house.sessions.ask(&id).await.unwrap_err().code(), "server_error");
    let row = house.store.upstream_session(&id).await.unwrap().unwrap();
    assert_eq!((row.ended_at, row.checking_until), (None, None), "the lease is given back");
    assert_eq!(house.asked(), 0);
}

/// What an older sealing key sealed is sealed with the newer one when the provider is asked, so that the older one may go.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_moves_to_the_newest_sealing_key() {
    let house = House::open().await;
    let sealed_by = async || {
        let row = house.store.upstream_session(&house.id).await.unwrap().unwrap();
        SealingKeys::sealed_by(&row.sealed_token.unwrap())
    };
    assert_eq!(sealed_by().await, Some(1));
    let both = SealingKeys::parse(&format!("{NEW_KEY}\n{OLD_KEY}")).unwrap();
    let (_, newer) = server(&house.folder, &house.clock, &both, &house.provider).await;
    house.due();
    assert!(newer.ask(&house.id).await.is_ok_and(|stand| stand != Stand::Ended));
    assert_eq!((sealed_by().await, house.asked_with()), (Some(2), vec!["rt-1".to_owned()]));
}

/// OpenID Connect Back-Channel Logout 1.0 §2.6: a notice of one session, once; of a person without a session, all of theirs.
#[tokio::test(flavor = "multi_thread")]
async fn a_notice_ends_what_it_names_once() {
    let notice = |sid: Option<&str>, subject: Option<&str>, jti: &str| LogoutNotice {
        sid: sid.map(str::to_owned),
        subject: subject.map(str::to_owned),
        jti: jti.into(),
        issued_at: START,
        expires_at: START + Ttl(120),
    };
    let house = House::open().await;
    let end = async |issuer: &str, notice: LogoutNotice| house.sessions.end_by_notice(issuer, &notice, Trail::default()).await.unwrap();
    assert_eq!(end("https://other.example", notice(Some("s-1"), None, "a")).await, Some(0), "another provider's session");
    assert_eq!(end(ISSUER, notice(Some("s-2"), Some("u-1"), "b")).await, Some(0), "another session of the same person");
    assert_eq!(end(ISSUER, notice(None, Some("u-2"), "c")).await, Some(0), "another person");
    assert!(house.ask().await.is_ok_and(|stand| stand != Stand::Ended));
    assert_eq!(end(ISSUER, notice(Some("s-1"), Some("u-1"), "d")).await, Some(1));
    assert_eq!(end(ISSUER, notice(Some("s-1"), Some("u-1"), "d")).await, None, "it came before");
    assert_eq!(house.ask().await, Ok(Stand::Ended));
    let arrival = Arrival { identity: identity(&house.provider.settings), token: None };
    let refused = house.sessions.begin(&Subject::from_trusted("alice"), &arrival).await.unwrap_err();
    assert_eq!((refused.code(), refused.reason()), ("access_denied", "upstream_signed_out"), "it overtook a browser");

    let house = House::open().await;
    let count = house.sessions.end_by_notice(ISSUER, &notice(None, Some("u-1"), "e"), Trail::default()).await.unwrap();
    assert_eq!((count, house.ask().await), (Some(1), Ok(Stand::Ended)));
}
