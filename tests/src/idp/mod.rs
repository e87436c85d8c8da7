//! An OpenID provider for tests: real HTTP on a loopback port, honest until it is told to lie.
//!
//! Its paths and habits are Keycloak's, as they were seen: issuer with a path, roles and groups by mapper, `iss` in every callback, a
//! new refresh token at each refresh while the old one still works, 401 `unauthorized_client` for a wrong secret, back-channel logout
//! tokens of type `logout+jwt`. It is no lenient double: client, secret, redirect URI, code and PKCE verifier are checked as a real one
//! checks them. Every lie is a switch: a twist changes a document on its way out, a [`Fault`] breaks the wire, [`Signing`] forges.
//!
//! It knows nothing of the server under test, so that unit tests of that server can use it as well as whole stages.

mod answers;
pub mod github;
mod keys;

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
pub use keys::Signing;
use serde_json::{Value, json};

/// The path of the issuer, and of everything it has.
pub const REALM: &str = "/realms/portico";
/// Who we are there.
pub const CLIENT_ID: &str = "portico";
/// How we prove it. 32 characters, as Keycloak makes them.
pub const CLIENT_SECRET: &str = "scripted-provider-client-secret!";

/// Changes a document on its way out.
pub type Twist = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// Somebody who can sign in.
#[derive(Debug, Clone)]
pub struct Person {
    /// The provider's name for them.
    pub sub: String,
    /// What they type.
    pub username: String,
    /// What they are called.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Did the provider verify it?
    pub email_verified: bool,
    /// Paths of groups.
    pub groups: Vec<String>,
    /// Realm roles.
    pub roles: Vec<String>,
    /// Roles of our client.
    pub client_roles: Vec<String>,
    /// Shut out by an administrator.
    pub disabled: bool,
}

/// What is wrong with the answer of one path.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This status, with an empty object.
    Status(u16),
    /// This status and body, as JSON.
    Says(u16, String),
    /// The right answer, this much later.
    Slow(Duration),
    /// A body of this many bytes that never becomes JSON, in chunks, so that nobody knows its length before.
    Huge(usize),
    /// The right answer, broken off in the middle.
    Truncated,
    /// 302 to this address.
    Redirect(String),
}

/// What becomes of refresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshing {
    /// There are none.
    Never,
    /// The same one for ever.
    Same,
    /// A new one each time; the old one still works, as at Keycloak by default.
    New,
    /// A new one each time; the old one is spent.
    Rotating,
}

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Below the issuer's path, as in `/protocol/openid-connect/token`.
    pub path: String,
    /// Query or form, decoded.
    pub fields: HashMap<String, String>,
    /// The Authorization header's scheme.
    pub scheme: Option<String>,
}

/// A sign-in at the provider.
#[derive(Debug, Clone)]
struct Session {
    person: String,
    auth_time: i64,
    ended: bool,
}

/// What a code or a refresh token stands for.
#[derive(Debug, Clone)]
struct Given {
    sid: String,
    nonce: Option<String>,
    challenge: String,
    redirect_uri: String,
    offline: bool,
    used: bool,
}

struct State {
    now: Arc<dyn Fn() -> i64 + Send + Sync>,
    client_id: String,
    client_secret: String,
    people: BTreeMap<String, Person>,
    who: String,
    sessions: BTreeMap<String, Session>,
    codes: HashMap<String, Given>,
    refresh_tokens: HashMap<String, Given>,
    access_tokens: HashMap<String, String>,
    refreshing: Refreshing,
    signing: Signing,
    kid: String,
    faults: HashMap<String, Fault>,
    twists: HashMap<&'static str, Twist>,
    seen: Vec<Seen>,
    counter: u64,
}

/// The provider. Its clones are the same one.
#[derive(Clone)]
pub struct Idp {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: Arc<Mutex<Option<ServerHandle>>>,
}

impl std::fmt::Debug for Idp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Idp").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Idp {
    /// An honest provider with alice (writer and admin), bob (writer) and carol (nobody in particular). Alice signs in.
    ///
    /// # Panics
    /// There is no free port.
    pub async fn rise(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        let people = [("alice", &["mcp-writer", "mcp-admin"][..]), ("bob", &["mcp-writer"]), ("carol", &[])];
        let state = State {
            now: Arc::new(now),
            client_id: CLIENT_ID.into(),
            client_secret: CLIENT_SECRET.into(),
            people: people.map(|(name, roles)| (name.to_owned(), Person::new(name, roles))).into(),
            who: "alice".into(),
            sessions: BTreeMap::new(),
            codes: HashMap::new(),
            refresh_tokens: HashMap::new(),
            access_tokens: HashMap::new(),
            refreshing: Refreshing::New,
            signing: Signing::Honest,
            kid: "key-1".into(),
            faults: HashMap::new(),
            twists: HashMap::new(),
            seen: Vec::new(),
            counter: 0,
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let idp = Self { address, state: Arc::new(Mutex::new(state)), server: Arc::default() };
        idp.listen(listener);
        idp
    }

    fn listen(&self, listener: TcpListener) {
        let idp = self.clone();
        let server = HttpServer::new(move || {
            let idp = idp.clone();
            let answer = move |request: actix_web::HttpRequest, body: web::Bytes| {
                let idp = idp.clone();
                async move { idp.answer(&request, &body).await }
            };
            App::new().default_service(web::to(answer))
        });
        let server = server.workers(1).disable_signals().listen(listener).expect("a bound listener is served").run();
        *self.server.lock().expect("no holder panics") = Some(server.handle());
        actix_web::rt::spawn(server);
    }

    /// Stops listening: connections are refused from now on.
    pub async fn stops(&self) {
        let server = self.server.lock().expect("no holder panics").take();
        if let Some(server) = server {
            server.stop(false).await;
        }
    }

    /// Listens again, at the same address.
    ///
    /// # Panics
    /// Somebody else took the port.
    pub fn returns(&self) {
        self.listen(TcpListener::bind(self.address).expect("the port we just left"));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// Lives by another clock.
    pub fn lives_by(&self, now: impl Fn() -> i64 + Send + Sync + 'static) {
        self.state().now = Arc::new(now);
    }

    /// Its issuer.
    pub fn issuer(&self) -> String {
        format!("{}{REALM}", self.origin())
    }

    /// Its origin.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its socket.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of its own: `at("token")`.
    pub fn at(&self, endpoint: &str) -> String {
        format!("{}/protocol/openid-connect/{endpoint}", self.issuer())
    }

    /// The `[[upstream]]` table for it, as an operator writes one. `more` is further lines of TOML.
    pub fn table(&self, id: &str, kind: &str, more: &str) -> String {
        format!(
            "[[upstream]]\nid = {id:?}\nkind = {kind:?}\nname = \"Company sign-in\"\nissuer = {:?}\nclient_id = {CLIENT_ID:?}\nclient_secret = {CLIENT_SECRET:?}\n{more}\n",
            self.issuer()
        )
    }

    /// This person signs in from now on, without being asked anything.
    pub fn signs_in(&self, username: &str) {
        self.state().who = username.into();
    }

    /// Changes a person.
    ///
    /// # Panics
    /// There is no such person.
    pub fn change(&self, username: &str, change: impl FnOnce(&mut Person)) {
        change(self.state().people.get_mut(username).expect("a person of this provider"));
    }

    /// Disables a person, as an administrator does. Nobody is told.
    pub fn disable(&self, username: &str) {
        self.change(username, |person| person.disabled = true);
    }

    /// The `sub` of a person.
    ///
    /// # Panics
    /// There is no such person.
    pub fn sub_of(&self, username: &str) -> String {
        self.state().people[username].sub.clone()
    }

    /// The newest session of a person.
    ///
    /// # Panics
    /// They never signed in.
    pub fn sid_of(&self, username: &str) -> String {
        let state = self.state();
        let of_theirs = state.sessions.iter().rev().find(|(_, session)| session.person == username);
        of_theirs.expect("a session of this person").0.clone()
    }

    /// Ends a session without telling anybody, as idle time does: refresh tokens of it are refused, offline ones are not.
    pub fn ends_session(&self, sid: &str) {
        if let Some(session) = self.state().sessions.get_mut(sid) {
            session.ended = true;
        }
    }

    /// What becomes of refresh tokens.
    pub fn refreshes(&self, refreshing: Refreshing) {
        self.state().refreshing = refreshing;
    }

    /// How tokens are signed.
    pub fn signs(&self, signing: Signing) {
        self.state().signing = signing;
    }

    /// A new signing key under a new name; the old one is no longer published.
    pub fn rotates_key(&self) {
        let mut state = self.state();
        state.counter += 1;
        state.kid = format!("key-{}", state.counter + 1);
    }

    /// The client was registered with another secret.
    pub fn has_secret(&self, secret: &str) {
        self.state().client_secret = secret.into();
    }

    /// Breaks the answer of a path: `discovery`, `certs`, `auth`, `token`, `userinfo` or `logout`.
    pub fn breaks(&self, endpoint: &str, fault: Fault) {
        self.state().faults.insert(endpoint.into(), fault);
    }

    /// Changes a document: `discovery`, `certs`, `token`, `userinfo`; the claims of a token: `id_token`, `logout_token`; its header:
    /// `header`; or the query of the redirect back: `callback`.
    pub fn twists(&self, document: &'static str, twist: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.state().twists.insert(document, Arc::new(twist));
    }

    /// Stops lying.
    pub fn is_honest_again(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.twists.clear();
        state.signing = Signing::Honest;
    }

    /// Every request that came to this endpoint.
    pub fn seen(&self, endpoint: &str) -> Vec<Seen> {
        self.state().seen.iter().filter(|seen| answers::endpoint_of(&seen.path) == endpoint).cloned().collect()
    }

    /// A logout token for a session, signed.
    pub fn logout_token(&self, sid: Option<&str>, sub: Option<&str>) -> String {
        let mut state = self.state();
        state.counter += 1;
        let now = (state.now)();
        let mut claims = json!({
            "iss": self.issuer(), "aud": state.client_id, "iat": now, "exp": now + 120, "typ": "Logout",
            "jti": format!("logout-{}", state.counter),
            "events": { "http://schemas.openid.net/event/backchannel-logout": {}, "revoke_offline_access": true },
        });
        if let Some(sid) = sid {
            claims["sid"] = sid.into();
        }
        if let Some(sub) = sub {
            claims["sub"] = sub.into();
        }
        state.twist("logout_token", &mut claims);
        state.sign("logout+jwt", claims)
    }

    /// Walks a browser through the sign-in page: where it is sent back to.
    ///
    /// # Panics
    /// It shows a page instead.
    pub async fn sends_back(&self, departure: &str) -> String {
        let departure = departure.to_owned();
        let (status, location) = answers::visit(self.address, &departure).await;
        location.unwrap_or_else(|| panic!("the provider answered {status} to {departure}"))
    }
}

impl Person {
    fn new(username: &str, roles: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        Self {
            sub: format!("00000000-0000-4000-8000-{username:0>12}"),
            username: username.into(),
            name: format!("{}{} Example", username[..1].to_uppercase(), &username[1..]),
            email: format!("{username}@portico.test"),
            email_verified: true,
            groups: if roles.is_empty() { Vec::new() } else { vec!["/mcp/writers".into()] },
            roles: owned(roles),
            client_roles: if roles.contains(&"mcp-admin") { owned(&["approver"]) } else { Vec::new() },
            disabled: false,
        }
    }
}
