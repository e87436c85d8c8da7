//! An authorization server reduced to what a resource sees of it: keys, endings, and tokens signed with ES256.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::{App, HttpResponse, HttpServer, web};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bearer_guard::EndedFeed;
use oauth_types::{ClientSecret, EndedKind, ended_hash};
use serde_json::{Value, json};

const KID: &str = "key-1";

#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    key: Arc<EcdsaKeyPair>,
    ended: Arc<Mutex<Vec<String>>>,
}

/// A token before it is signed; every part can be made wrong.
pub(crate) struct Token {
    key: Arc<EcdsaKeyPair>,
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let key = Arc::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());
        let ended = Arc::new(Mutex::new(Vec::<String>::new()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let point = key.public_key().as_ref().to_vec();
        let jwks = json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KID,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
        }] })
        .to_string();
        let lines = ended.clone();
        let server = HttpServer::new(move || {
            let (jwks, lines) = (jwks.clone(), lines.clone());
            App::new()
                .route(
                    "/jwks.json",
                    web::get().to(move || {
                        let jwks = jwks.clone();
                        async move { HttpResponse::Ok().content_type("application/json").body(jwks) }
                    }),
                )
                .route(
                    "/ended",
                    web::get().to(move |after: web::Query<std::collections::HashMap<String, i64>>| {
                        let lines = lines.lock().unwrap().clone();
                        async move {
                            let head = lines.len();
                            let from = usize::try_from(after["after"]).unwrap().min(head);
                            HttpResponse::Ok().insert_header(("x-ended-head", head.to_string())).body(lines[from..].join("\n"))
                        }
                    }),
                )
        });
        actix_web::rt::spawn(server.workers(1).listen(listener).unwrap().run());
        Self { url, key, ended }
    }

    pub(crate) fn feed(&self) -> EndedFeed {
        EndedFeed { url: format!("{}/ended", self.url), client_id: "mcp".into(), client_secret: ClientSecret::new("secret") }
    }

    /// Ends a grant; every guard knows within about a second.
    pub(crate) async fn end_grant(&self, grant: &str) {
        {
            let mut lines = self.ended.lock().unwrap();
            let entry = json!({ "number": lines.len() + 1, "kind": "grant", "hash": ended_hash(EndedKind::Grant, grant).text(), "until": now() + 3600 });
            lines.push(entry.to_string());
        }
        tokio::time::sleep(Duration::from_millis(2500)).await;
    }

    /// A good token for this audience.
    pub(crate) fn token(&self, audience: &str) -> Token {
        let now = now();
        Token {
            key: self.key.clone(),
            header: json!({ "alg": "ES256", "typ": "at+jwt", "kid": KID }),
            claims: json!({
                "iss": self.url, "sub": "alice", "aud": audience, "client_id": "agent", "exp": now + 600, "iat": now,
                "jti": "jti-1", "scope": "mcp:read", "grant_id": "grant-1",
            }),
        }
    }
}

impl Token {
    pub(crate) fn person(mut self, person: &str) -> Self {
        self.claims["sub"] = json!(person);
        self
    }

    pub(crate) fn client(mut self, client: &str) -> Self {
        self.claims["client_id"] = json!(client);
        self
    }

    pub(crate) fn scope(mut self, scope: &str) -> Self {
        self.claims["scope"] = json!(scope);
        self
    }

    pub(crate) fn with(mut self, claim: &str, value: Value) -> Self {
        self.claims[claim] = value;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: Value) -> Self {
        self.header[name] = value;
        self
    }

    pub(crate) fn mint(&self) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(self.header.to_string()), URL_SAFE_NO_PAD.encode(self.claims.to_string()));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

#[expect(clippy::disallowed_methods, reason = "the server under test reads the same clock")]
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}
