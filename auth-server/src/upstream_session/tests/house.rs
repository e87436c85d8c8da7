//! A person who signed in at a provider that says what the test tells it, over a real store and a clock that stands still.

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

use super::super::*;
use crate::{
    clock::FixedClock,
    config::{Config, Database, Layers, Override, UpstreamKind, UpstreamLife, resolve},
    keys::{KeySettings, SealingKeys},
    store::StoreConfig,
    upstream::{Asking, Callback, Departure, GoneWhy, Identity, Memory},
};

pub(super) const START: Timestamp = Timestamp(1_800_000_000);
pub(super) const RECHECK: Ttl = Ttl(300);
pub(super) const ISSUER: &str = "https://idp.example";
pub(super) const OLD_KEY: &str = "1:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";
pub(super) const NEW_KEY: &str = "2:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA";

/// How the provider answers when it is asked who stands.
#[derive(Debug, Clone)]
pub(super) enum Says {
    Stands { roles: &'static [&'static str], rotates_to: Option<&'static str> },
    Gone(GoneWhy),
    Silent { rotates_to: Option<&'static str> },
    Lies,
}

pub(super) struct Provider {
    pub(super) settings: UpstreamConfig,
    pub(super) says: Mutex<Says>,
    /// Which secrets it was asked with.
    pub(super) asked_with: Mutex<Vec<String>>,
    pub(super) asked: AtomicUsize,
    /// One permit an answer, when answers wait.
    pub(super) gate: Option<Semaphore>,
}

impl Provider {
    /// It says that the person stands and has these roles.
    pub(super) fn that_knows(settings: UpstreamConfig, roles: &'static [&'static str]) -> Self {
        Self {
            settings,
            says: Mutex::new(Says::Stands { roles, rotates_to: None }),
            asked_with: Mutex::default(),
            asked: AtomicUsize::new(0),
            gate: None,
        }
    }
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

pub(super) fn facts(roles: &[&str]) -> Facts {
    Facts { display_name: "Alice".into(), roles: roles.iter().map(|role| (*role).to_owned()).collect::<BTreeSet<_>>(), ..Facts::default() }
}

pub(super) fn token_of(secret: &str) -> UpstreamToken {
    UpstreamToken::from_json(&format!(r#"{{"secret":"{secret}","kind":"refresh"}}"#)).unwrap()
}

pub(super) fn settings() -> UpstreamConfig {
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
pub(super) struct House {
    pub(super) folder: tempfile::TempDir,
    pub(super) clock: Arc<FixedClock>,
    pub(super) sealing: SealingKeys,
    pub(super) provider: Arc<Provider>,
    pub(super) sessions: UpstreamSessions,
    pub(super) store: Store,
    pub(super) id: UpstreamSessionId,
}

/// A house to be.
pub(super) struct Plan {
    pub(super) settings: UpstreamConfig,
    pub(super) waits: bool,
    pub(super) has_token: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { settings: settings(), waits: false, has_token: true }
    }
}

impl Plan {
    pub(super) async fn stands(self) -> House {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(START));
        let sealing = SealingKeys::parse(OLD_KEY).unwrap();
        let provider = Provider { gate: self.waits.then(|| Semaphore::new(0)), ..Provider::that_knows(self.settings, &["reader"]) };
        let provider = Arc::new(provider);
        Store::migrate(&database(&folder)).await.unwrap();
        let (store, sessions) = server(&folder, &clock, &sealing, &provider).await;
        let arrival = Arrival { identity: identity(&provider.settings), token: self.has_token.then(|| token_of("rt-1")) };
        let id = sessions.begin(&Subject::from_trusted("alice"), &arrival).await.unwrap();
        House { folder, clock, sealing, provider, sessions, store, id }
    }
}

pub(super) fn identity(settings: &UpstreamConfig) -> Identity {
    Identity {
        idp: settings.id.clone(),
        issuer: settings.issuer.clone(),
        subject: "u-1".into(),
        sid: Some("s-1".into()),
        auth_time: None,
        facts: facts(&["reader", "writer"]),
    }
}

pub(super) fn database(folder: &tempfile::TempDir) -> Database {
    Database::Sqlite(folder.path().join("portico.db"))
}

/// A process on this database.
pub(super) async fn server(
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
    pub(super) async fn open() -> Self {
        Plan::default().stands().await
    }

    /// Another process on the same database.
    pub(super) async fn replica(&self) -> UpstreamSessions {
        server(&self.folder, &self.clock, &self.sealing, &self.provider).await.1
    }

    pub(super) fn says(&self, says: Says) {
        *self.provider.says.lock().unwrap() = says;
    }

    pub(super) fn asked(&self) -> usize {
        self.provider.asked.load(Ordering::SeqCst)
    }

    pub(super) fn asked_with(&self) -> Vec<String> {
        self.provider.asked_with.lock().unwrap().clone()
    }

    pub(super) fn due(&self) {
        self.clock.advance(RECHECK);
    }

    pub(super) async fn ask(&self) -> Result<Stand, &'static str> {
        self.sessions.ask(&self.id).await.map_err(|error| error.code())
    }

    /// Waits until so many askings reached the provider.
    pub(super) async fn until_asked(&self, count: usize) {
        while self.asked() < count {
            time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) fn lets_one_answer(&self) {
        self.provider.gate.as_ref().expect("this provider waits").add_permits(1);
    }

    pub(super) async fn token(&self) -> String {
        let token = self.sessions.token(&self.id).await.unwrap().expect("it stands");
        serde_json::from_str::<serde_json::Value>(&token.to_json()).unwrap()["secret"].as_str().unwrap().to_owned()
    }
}

pub(super) fn stands(roles: &[&str]) -> Result<Stand, &'static str> {
    Ok(Stand::Stands(Vouched { idp: IdpId::parse("company").unwrap(), subject: "u-1".into(), facts: facts(roles) }))
}

pub(super) const UNANSWERED: Result<Stand, &str> = Err("temporarily_unavailable");
