//! Clients: what they know about themselves, and the requests they send to the token side of the server.

use serde_json::Value;

use crate::expect;
use crate::journeys::{IssuedCode, Journey};
use crate::people::Browser;
use crate::stage::Replica;
use crate::wire::{Answer, Request, Wire};

/// What every registered client knows.
#[derive(Debug, Clone)]
pub struct App {
    pub(crate) wire: Wire,
    pub(crate) issuer: String,
    /// Its client id.
    pub id: String,
    /// Its secret, when it got one.
    pub secret: Option<String>,
    /// How it authenticates.
    pub auth_method: String,
    /// Its first redirect URI.
    pub redirect_uri: String,
    /// The whole answer to its registration.
    pub registration: Value,
}

/// A client that can keep no secret.
#[derive(Debug, Clone)]
pub struct PublicApp(App);

/// A client with a secret.
#[derive(Debug, Clone)]
pub struct ConfidentialApp(App);

impl std::ops::Deref for PublicApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl std::ops::Deref for ConfidentialApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl PublicApp {
    pub(crate) fn new(wire: Wire, issuer: &str, registration: &Value) -> Self {
        Self(App::new(wire, issuer, registration))
    }
}

impl ConfidentialApp {
    pub(crate) fn new(wire: Wire, issuer: &str, registration: &Value) -> Self {
        let app = App::new(wire, issuer, registration);
        assert!(app.secret.is_some(), "a confidential client got no secret: {registration}");
        Self(app)
    }

    /// The secret, which this client surely has.
    pub fn known_secret(&self) -> &str {
        self.secret.as_deref().unwrap_or_default()
    }
}

/// The tokens of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// The refresh token, empty when none came.
    pub refresh: String,
    /// What was granted.
    pub scope: String,
}

impl Tokens {
    /// Reads a successful token answer.
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        let body = expect::ok(answer);
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token"), scope: text("scope") }
    }
}

impl App {
    fn new(wire: Wire, issuer: &str, registration: &Value) -> Self {
        let text = |name: &str| registration[name].as_str().map(str::to_owned);
        let redirect_uri = registration["redirect_uris"][0].as_str().expect("the answer echoes redirect_uris").to_owned();
        Self {
            wire,
            issuer: issuer.into(),
            id: text("client_id").expect("the answer names the client"),
            secret: text("client_secret"),
            auth_method: text("token_endpoint_auth_method").expect("the answer says the method"),
            redirect_uri,
            registration: registration.clone(),
        }
    }

    /// The same client, routed to another replica.
    #[must_use]
    pub fn at(&self, replica: &Replica) -> Self {
        Self { wire: replica.wire().clone(), ..self.clone() }
    }

    /// A journey from `/authorize` to a code, every step of which may be replaced.
    pub fn journey(&self) -> Journey {
        Journey::new(self, Browser::new(self.wire.clone(), &self.issuer))
    }

    /// A code, in a browser without a past.
    pub async fn code(&self) -> IssuedCode {
        self.journey().until_code().await
    }

    /// Tokens, in a browser without a past.
    pub async fn tokens(&self) -> Tokens {
        let code = self.code().await;
        Tokens::of(&self.redeem(&code).await)
    }

    /// A request to this path, authenticated as registered, with these pairs.
    pub fn request<N: AsRef<str>, V: AsRef<str>>(&self, path: &str, pairs: &[(N, V)]) -> Request {
        let mut all: Vec<(String, String)> = pairs.iter().map(|(name, value)| (name.as_ref().into(), value.as_ref().into())).collect();
        let request = self.wire.request("POST", path);
        match (self.auth_method.as_str(), &self.secret) {
            ("client_secret_basic", Some(secret)) => request.basic(&self.id, secret).form(&all),
            (_, secret) => {
                all.push(("client_id".into(), self.id.clone()));
                if let Some(secret) = secret {
                    all.push(("client_secret".into(), secret.clone()));
                }
                request.form(&all)
            }
        }
    }

    /// POST /token with these pairs.
    pub fn token_request<N: AsRef<str>, V: AsRef<str>>(&self, pairs: &[(N, V)]) -> Request {
        self.request("/token", pairs)
    }

    /// The pairs with which this code is redeemed properly.
    pub fn redemption(&self, code: &IssuedCode) -> Vec<(String, String)> {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", &code.code),
            ("redirect_uri", &code.redirect_uri),
            ("code_verifier", &code.verifier),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// Redeems a code properly.
    pub async fn redeem(&self, code: &IssuedCode) -> Answer {
        self.token_request(&self.redemption(code)).await
    }

    /// Redeems a code with one pair replaced, or left out when the value is empty.
    pub async fn redeem_with(&self, code: &IssuedCode, name: &str, value: &str) -> Answer {
        let mut pairs = self.redemption(code);
        pairs.retain(|(known, _)| known != name);
        if !value.is_empty() {
            pairs.push((name.into(), value.into()));
        }
        self.token_request(&pairs).await
    }

    /// Refreshes.
    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.refresh_with(refresh_token, &[]).await
    }

    /// Refreshes with further pairs.
    pub async fn refresh_with(&self, refresh_token: &str, more: &[(&str, &str)]) -> Answer {
        let mut pairs = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        pairs.extend_from_slice(more);
        self.token_request(&pairs).await
    }

    /// Hands a token back.
    pub async fn revoke(&self, token: &str) -> Answer {
        self.request("/revoke", &[("token", token)]).await
    }

    /// A request to its own registration, with its registration token.
    pub fn manage(&self, method: &str) -> Request {
        let uri = self.registration["registration_client_uri"].as_str().expect("the answer says where to manage it");
        let path = uri.strip_prefix(&self.issuer).expect("on the issuer's own origin");
        let token = self.registration["registration_access_token"].as_str().expect("the answer carries the token");
        self.wire.request(method, path).bearer(token)
    }
}
