//! An issuer for tests: real keys, a real HTTP server for its key set and its endings, and a hand on everything that can go wrong.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bearer_guard::{EndedFeed, Guard, GuardConfig};
use oauth_types::{AccessFacts, ClientSecret, EndedEntry, EndedKind, IssuerUrl, ResourceUri, Scope, Timestamp, ended_hash};
use serde_json::{Value, json};

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const RESOURCE: &str = "https://rs.example/mcp";
pub(crate) const CLIENT: &str = "rs-1";
pub(crate) const SECRET: &str = "a secret of this test";

pub(crate) enum Signer {
    Es256(Box<EcdsaKeyPair>),
    EdDsa(Box<Ed25519KeyPair>),
    Rs256(Box<RsaKeyPair>),
}

impl Signer {
    pub(crate) fn es256() -> Self {
        Self::Es256(Box::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()))
    }

    pub(crate) fn eddsa() -> Self {
        Self::EdDsa(Box::new(Ed25519KeyPair::generate().unwrap()))
    }

    pub(crate) fn rs256() -> Self {
        Self::Rs256(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    pub(crate) fn alg(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
            Self::Rs256(_) => "RS256",
        }
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Es256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
            Self::EdDsa(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref())}),
            Self::Rs256(pair) => {
                // RSAPublicKey (RFC 8017 A.1.1) of 2048 bits: n is 256 bytes from the tenth on, e is 65537.
                let der = pair.public_key().as_ref();
                json!({"kty": "RSA", "n": b64(&der[9..265]), "e": "AQAB"})
            }
        };
        jwk["kid"] = json!(kid);
        jwk["alg"] = json!(self.alg());
        jwk["use"] = json!("sig");
        jwk
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token with this header and these claims, whatever they say.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims.to_string().as_bytes()));
        format!("{message}.{}", b64(self.sign(message.as_bytes())))
    }
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What the issuer's server answers, and what it was asked.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) keys: Mutex<Vec<Value>>,
    /// Status and body in place of the key set.
    pub(crate) keys_answer: Mutex<Option<(u16, String)>>,
    pub(crate) keys_asked: AtomicUsize,
    pub(crate) ended: Mutex<Vec<EndedEntry>>,
    pub(crate) ended_head: AtomicI64,
    /// Status and body in place of the endings.
    pub(crate) ended_answer: Mutex<Option<(u16, String)>>,
    pub(crate) ended_asked: Mutex<Vec<i64>>,
    pub(crate) page_lines_max: AtomicUsize,
    /// Requests to places that no guard should go to.
    pub(crate) strayed: AtomicUsize,
}

pub(crate) struct Issuer {
    pub(crate) url: IssuerUrl,
    pub(crate) book: Arc<Book>,
    pub(crate) signer: Signer,
    clock: Arc<AtomicI64>,
    server: ServerHandle,
}

impl Issuer {
    /// An issuer with one key `k1`, on a port of its own.
    pub(crate) async fn start(signer: Signer) -> Self {
        let book = Arc::new(Book { page_lines_max: AtomicUsize::new(1_000), ..Book::default() });
        book.keys.lock().unwrap().push(signer.jwk("k1"));
        let data = web::Data::from(Arc::clone(&book));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/jwks.json", web::get().to(jwks))
                .route("/ended", web::get().to(ended))
                .default_service(web::to(astray))
        })
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
        let url = IssuerUrl::parse(&format!("http://127.0.0.1:{}", server.addrs()[0].port())).unwrap();
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { url, book, signer, clock: Arc::new(AtomicI64::new(NOW)), server: handle }
    }

    pub(crate) fn config(&self) -> GuardConfig {
        let scope = |text| Scope::parse(text).unwrap();
        GuardConfig::new(self.url.clone(), ResourceUri::parse(RESOURCE).unwrap()).scopes(scope("mcp:read mcp:write"), scope("mcp:read"))
    }

    pub(crate) fn feed(&self) -> EndedFeed {
        EndedFeed { url: self.url.at("/ended"), client_id: CLIENT.to_owned(), client_secret: ClientSecret::new(SECRET.to_owned()) }
    }

    /// A guard that is ready, without endings.
    pub(crate) async fn guard(&self) -> Guard {
        self.guard_with(self.config()).await
    }

    /// A guard that follows endings, ready.
    pub(crate) async fn following_guard(&self) -> Guard {
        self.guard_with(GuardConfig { ended: Some(self.feed()), ..self.config() }).await
    }

    pub(crate) async fn guard_with(&self, config: GuardConfig) -> Guard {
        let guard = self.idle_guard(config);
        guard.follow();
        until("the guard is ready", || guard.ready().is_ok()).await;
        guard
    }

    /// A guard that was not told to follow.
    pub(crate) fn idle_guard(&self, config: GuardConfig) -> Guard {
        let clock = Arc::clone(&self.clock);
        Guard::new(config, Arc::new(move || Timestamp(clock.load(Ordering::SeqCst)))).unwrap()
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": self.signer.alg(), "kid": "k1"})
    }

    pub(crate) fn claims(&self) -> Value {
        json!({"iss": self.url.as_str(), "sub": "ada", "aud": RESOURCE, "client_id": "client-1", "exp": NOW + 600, "iat": NOW,
            "jti": "token-1", "scope": "mcp:read", "grant_id": "grant-1", "sid": "session-1"})
    }

    /// A good token.
    pub(crate) fn token(&self) -> String {
        self.signer.token(&self.header(), &self.claims())
    }

    /// A token with one claim that differs; `null` removes it.
    pub(crate) fn token_with(&self, claim: &str, value: Value) -> String {
        self.signer.token(&self.header(), &changed(self.claims(), claim, value))
    }

    /// A token with one header member that differs; `null` removes it.
    pub(crate) fn token_headed(&self, member: &str, value: Value) -> String {
        self.signer.token(&changed(self.header(), member, value), &self.claims())
    }

    /// Ends something, as the issuer does: one number further.
    pub(crate) fn end(&self, kind: EndedKind, id: &str, before: Option<i64>) {
        let number = self.book.ended_head.fetch_add(1, Ordering::SeqCst) + 1;
        self.book.ended.lock().unwrap().push(EndedEntry { number, kind, hash: ended_hash(kind, id), before, until: NOW + 3_600 });
    }

    pub(crate) fn keys_asked(&self) -> usize {
        self.book.keys_asked.load(Ordering::SeqCst)
    }

    pub(crate) async fn stop(&self) {
        self.server.stop(false).await;
    }
}

/// The claims of [`Issuer::claims`], as an ending sees them.
pub(crate) const FACTS: AccessFacts<'static> =
    AccessFacts { grant_id: "grant-1", jti: "token-1", client_id: "client-1", sub: "ada", sid: Some("session-1"), iat: NOW };

fn changed(mut document: Value, member: &str, value: Value) -> Value {
    let members = document.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(member);
    } else {
        members.insert(member.to_owned(), value);
    }
    document
}

/// Waits for what a background task does; bounded.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        actix_web::rt::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

async fn jwks(book: web::Data<Book>) -> HttpResponse {
    book.keys_asked.fetch_add(1, Ordering::SeqCst);
    if let Some((status, body)) = &*book.keys_answer.lock().unwrap() {
        return answer(*status, body.clone());
    }
    HttpResponse::Ok().json(json!({"keys": *book.keys.lock().unwrap()}))
}

async fn ended(book: web::Data<Book>, request: HttpRequest) -> HttpResponse {
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{CLIENT}:{SECRET}"));
    let presented = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    if presented != Some(&format!("Basic {credentials}")) {
        return HttpResponse::Unauthorized().finish();
    }
    let after: i64 = request.query_string().strip_prefix("after=").unwrap().parse().unwrap();
    book.ended_asked.lock().unwrap().push(after);
    if let Some((status, body)) = &*book.ended_answer.lock().unwrap() {
        return answer(*status, body.clone());
    }
    let lines: Vec<String> = book
        .ended
        .lock()
        .unwrap()
        .iter()
        .filter(|entry| entry.number > after)
        .take(book.page_lines_max.load(Ordering::SeqCst))
        .map(|entry| serde_json::to_string(entry).unwrap() + "\n")
        .collect();
    HttpResponse::Ok().insert_header(("x-ended-head", book.ended_head.load(Ordering::SeqCst).to_string())).body(lines.concat())
}

async fn astray(book: web::Data<Book>) -> HttpResponse {
    book.strayed.fetch_add(1, Ordering::SeqCst);
    HttpResponse::Ok().json(json!({"keys": []}))
}

fn answer(status: u16, body: String) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(status).unwrap();
    HttpResponse::build(status).insert_header(("location", "/elsewhere")).body(body)
}
