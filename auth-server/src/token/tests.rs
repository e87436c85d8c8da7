//! Tokens from birth to end: the real routes over a real store, with a clock that stands still.
//!
//! What a client sees is asserted; the private reasons are the judges' tests and the protocol tests'.

use std::sync::Arc;

use actix_web::{
    http::header,
    test::{TestRequest, call_service, init_service, read_body},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use futures_util::future::join_all;
use oauth_types::{
    ClientId, ClientSecret, CodeChallenge, CodeSecret, GrantId, RedirectUri, ResourceUri, Scope, Subject, Timestamp, TokenHash, Ttl,
};
use serde_json::Value;

use super::fixtures::{CHALLENGE, REDIRECT, VERIFIER};
use crate::{
    App,
    client::{GrantType, tests::row},
    clock::{Clock as _, FixedClock},
    config::{Layers, Override, resolve},
    routes, secret,
    store::{Approval, AuditEvent, AuthMethod, ClientRow, NewAccount, NewClient, Trail},
};

const NOW: Timestamp = Timestamp(1_800_000_000);
const RESOURCE: &str = "http://127.0.0.1:8080/mcp";
const SECRET: &str = "a-secret-of-more-than-enough-characters";

/// A server, opened on a folder of its own.
struct House {
    _folder: tempfile::TempDir,
    clock: Arc<FixedClock>,
    app: App,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: header::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_default().to_owned()
    }

    /// Status and `error`.
    fn refusal(&self) -> (u16, String) {
        (self.status, self.text("error"))
    }
}

impl House {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portico.toml");
        std::fs::write(
            &file,
            format!(
                "[[resource]]\npath = \"/mcp\"\nscopes = [\"mcp:read\", \"mcp:write\"]\ndefault_scope = \"mcp:read\"\n\
             [[resource]]\npath = \"/other\"\nscopes = [\"mcp:read\"]\ndefault_scope = \"mcp:read\"\n\
             [[resource_server]]\nid = \"rs\"\npath = \"/mcp\"\nsecret = \"{SECRET}\"\n\
             [[resource_server]]\nid = \"rs-other\"\npath = \"/other\"\nsecret = \"{SECRET}\"\n"
            ),
        )
        .unwrap();
        let data_dir = Override { key: "server.data_dir", value: folder.path().display().to_string().into(), flag: "--test" };
        let config = resolve(Layers::gather(Some(&file), std::iter::empty(), [data_dir]).unwrap()).unwrap();
        let clock = Arc::new(FixedClock::at(NOW));
        let app = App::open(config, clock.clone()).await.unwrap();
        let alice = NewAccount {
            subject: Subject::from_trusted("alice"),
            username: "alice".to_owned(),
            display_name: "Alice".to_owned(),
            password_phc: String::new(),
        };
        app.store.create_account(alice).await.unwrap();
        let house = Self { _folder: folder, clock, app };
        house.register(row("app")).await;
        house.register(row("other")).await;
        house
            .register(ClientRow {
                auth_method: AuthMethod::SecretBasic,
                secret_hash: Some(TokenHash::of(SECRET.as_bytes())),
                ..row("keeper")
            })
            .await;
        house
    }

    async fn register(&self, row: ClientRow) {
        self.app
            .store
            .register(NewClient { row, audit: AuditEvent { event: "client.registered", ..AuditEvent::default() } })
            .await
            .unwrap();
    }

    /// Alice allowed the client something; this is its code.
    async fn approve(&self, client: &str) -> (GrantId, CodeSecret) {
        let (now, lifetimes) = (self.clock.now(), &self.app.config.lifetimes);
        let grant_id = GrantId::born(self.clock.now_ms(), secret::fresh_bytes());
        let code = self.app.keys.mint_code(grant_id, false);
        let approval = Approval {
            grant_id,
            client_id: ClientId::parse(client).unwrap(),
            subject: Subject::from_trusted("alice"),
            resource: ResourceUri::parse(RESOURCE).unwrap(),
            scope: Scope::parse("mcp:read mcp:write").unwrap(),
            redirect_uri: RedirectUri::parse(REDIRECT).unwrap(),
            redirect_uri_sent: true,
            upstream_session: None,
            auth_time: now,
            nonce: None,
            code_hash: code.hash(),
            code_challenge: CodeChallenge::parse(CHALLENGE).unwrap(),
            code_expires_at: now + lifetimes.code,
            expires_at: now + lifetimes.grant,
            created_at: now,
            trail: Trail::default(),
        };
        self.app.store.approve(approval).await.unwrap();
        (grant_id, code)
    }

    async fn send(&self, request: TestRequest) -> Answer {
        let service = init_service(actix_web::App::new().configure(routes::configure(self.app.clone()))).await;
        let response = call_service(&service, request.insert_header((header::HOST, "127.0.0.1:8080")).to_request()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: read_body(response).await.to_vec() }
    }

    async fn post(&self, path: &str, basic: Option<(&str, &str)>, form: &[(&str, &str)]) -> Answer {
        let mut request = TestRequest::post().uri(path).set_form(form);
        if let Some((id, secret)) = basic {
            request = request.insert_header((header::AUTHORIZATION, authorization(id, secret)));
        }
        self.send(request).await
    }

    async fn redeem(&self, client: &str, code: &CodeSecret) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code.expose()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.post("/token", None, &form).await
    }

    /// A public client with tokens.
    async fn connected(&self, client: &str) -> Answer {
        let (_, code) = self.approve(client).await;
        let answer = self.redeem(client, &code).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer
    }

    async fn refresh(&self, client: &str, token: &str) -> Answer {
        self.post("/token", None, &[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)]).await
    }

    async fn introspect(&self, who: &str, token: &str) -> Value {
        let answer = self.post("/introspect", Some((who, SECRET)), &[("token", token)]).await;
        assert_eq!(answer.status, 200);
        answer.json()
    }

    async fn is_active(&self, access_token: &str) -> bool {
        self.introspect("rs", access_token).await["active"] == Value::Bool(true)
    }
}

fn authorization(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// RFC 6749 §5.1, RFC 9068 §2.2; spec-and-clients 3.4, items 58 and 68.
#[actix_web::test]
async fn a_code_becomes_an_access_token_for_its_resource_and_a_refresh_token() {
    let house = House::open().await;
    let (grant, code) = house.approve("app").await;
    let answer = house.redeem("app", &code).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers.get(header::CACHE_CONTROL).unwrap(), "no-store");
    assert_eq!(answer.headers.get(header::CONTENT_TYPE).unwrap(), "application/json");
    let body = answer.json();
    assert_eq!(
        (body["token_type"].as_str(), body["expires_in"].as_i64(), body["scope"].as_str()),
        (Some("Bearer"), Some(600), Some("mcp:read mcp:write"))
    );
    let claims = claims(&answer.text("access_token"));
    for (name, wanted) in
        [("iss", "http://127.0.0.1:8080"), ("aud", RESOURCE), ("sub", "alice"), ("client_id", "app"), ("scope", "mcp:read mcp:write")]
    {
        assert_eq!(claims[name], wanted, "{name}");
    }
    assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(NOW.0), Some(NOW.0 + 600)));
    assert_eq!(claims["grant_id"], grant.to_string());
}

/// RFC 6749 §4.1.2; attack 16: of parallel redemptions exactly one wins, and the others do not look like an outage.
#[actix_web::test]
async fn of_thirty_two_parallel_redemptions_one_wins() {
    let house = House::open().await;
    let (_, code) = house.approve("app").await;
    let answers = join_all((0..32).map(|_| house.redeem("app", &code))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.refusal() == (400, "invalid_grant".to_owned())));
}

/// OAuth 2.1 §4.1.3; attack 16: the tokens of the first use are revoked.
#[actix_web::test]
async fn a_replayed_code_ends_what_was_made_from_it() {
    let house = House::open().await;
    let (_, code) = house.approve("app").await;
    let first = house.redeem("app", &code).await;
    assert!(house.is_active(&first.text("access_token")).await);
    assert_eq!(house.redeem("app", &code).await.refusal(), (400, "invalid_grant".to_owned()));
    assert!(!house.is_active(&first.text("access_token")).await);
    assert_eq!(house.refresh("app", &first.text("refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));
}

/// Attack 16: without the proof nothing is burnt.
#[actix_web::test]
async fn a_stranger_cannot_burn_a_code() {
    let house = House::open().await;
    let (_, code) = house.approve("app").await;
    assert_eq!(house.redeem("other", &code).await.refusal(), (400, "invalid_grant".to_owned()));
    let wrong = [("grant_type", "authorization_code"), ("client_id", "app"), ("code", code.expose()), ("code_verifier", &"x".repeat(43))];
    assert_eq!(house.post("/token", None, &wrong).await.refusal(), (400, "invalid_grant".to_owned()));
    assert_eq!(house.redeem("app", &code).await.status, 200);
}

/// Decision 4; attack 35: 32 refreshes at once inside the overlap all end with working tokens of one family.
#[actix_web::test]
async fn thirty_two_parallel_refreshes_end_with_one_family_that_works() {
    let house = House::open().await;
    let token = house.connected("app").await.text("refresh_token");
    let answers = join_all((0..32).map(|_| house.refresh("app", &token))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let next = answers[0].text("refresh_token");
    assert_ne!(next, token);
    assert!(answers.iter().all(|answer| answer.text("refresh_token") == next));
    for answer in &answers {
        assert!(house.is_active(&answer.text("access_token")).await);
    }
    assert_eq!(house.refresh("app", &next).await.status, 200);
}

/// OAuth 2.1 §4.3.1; attack 35: the old token after the overlap ends the family, and the access tokens with it.
#[actix_web::test]
async fn an_old_refresh_token_ends_everything_when_its_client_presents_it() {
    let house = House::open().await;
    let first = house.connected("app").await;
    let second = house.refresh("app", &first.text("refresh_token")).await;
    house.clock.advance(house.app.config.refresh.overlap);
    // A thief who is another client changes nothing.
    assert_eq!(house.refresh("other", &first.text("refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));
    assert!(house.is_active(&second.text("access_token")).await);
    assert_eq!(house.refresh("app", &first.text("refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));
    assert!(!house.is_active(&second.text("access_token")).await);
    assert_eq!(house.refresh("app", &second.text("refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));
}

/// RFC 6749 §6; attack 37.
#[actix_web::test]
async fn a_refresh_may_ask_for_less_and_keeps_the_rest_for_later() {
    let house = House::open().await;
    let token = house.connected("app").await.text("refresh_token");
    let with = |token: String, scope: &'static str| {
        let house = &house;
        async move {
            house
                .post("/token", None, &[("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", &token), ("scope", scope)])
                .await
        }
    };
    assert_eq!(with(token.clone(), "mcp:read mcp:admin").await.refusal(), (400, "invalid_scope".to_owned()));
    let narrow = with(token, "mcp:read offline_access").await;
    assert_eq!((narrow.text("scope"), claims(&narrow.text("access_token"))["scope"].clone()), ("mcp:read".to_owned(), "mcp:read".into()));
    assert_eq!(house.refresh("app", &narrow.text("refresh_token")).await.text("scope"), "mcp:read mcp:write");
}

/// RFC 6749 §5.2; attack 40.
#[actix_web::test]
async fn a_client_uses_only_the_grants_it_registered() {
    let house = House::open().await;
    house.register(ClientRow { grant_types: vec![GrantType::AuthorizationCode.as_str().to_owned()], ..row("once") }).await;
    let first = house.connected("once").await;
    assert_eq!(first.json().get("refresh_token"), None);
    assert_eq!(house.refresh("once", "prt_x").await.refusal(), (400, "unauthorized_client".to_owned()));
    let unknown = house.post("/token", None, &[("grant_type", "password"), ("client_id", "app")]).await;
    assert_eq!(unknown.refusal(), (400, "unsupported_grant_type".to_owned()));
}

/// RFC 6749 §5.2; attack 39.
#[actix_web::test]
async fn a_client_that_proves_nothing_is_answered_in_the_way_it_came() {
    let house = House::open().await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", "prt_x")];
    let by_header = house.post("/token", Some(("keeper", "wrong")), &form).await;
    assert_eq!(by_header.refusal(), (401, "invalid_client".to_owned()));
    assert!(by_header.headers.get(header::WWW_AUTHENTICATE).unwrap().to_str().unwrap().starts_with("Basic"));
    let by_body = house.post("/token", None, &[&form[..], &[("client_id", "keeper"), ("client_secret", "wrong")]].concat()).await;
    assert_eq!(by_body.refusal(), (401, "invalid_client".to_owned()));
    assert_eq!(by_body.headers.get(header::WWW_AUTHENTICATE), None);
    let twice = house.post("/token", Some(("keeper", SECRET)), &[&form[..], &[("client_secret", SECRET)]].concat()).await;
    assert_eq!(twice.refusal(), (400, "invalid_request".to_owned()));
    let nobody = house.post("/token", None, &[&form[..], &[("client_id", "nobody")]].concat()).await;
    assert_eq!(nobody.refusal(), (401, "invalid_client".to_owned()));
}

/// RFC 7662 §2.2; attack 42.
#[actix_web::test]
async fn a_resource_learns_about_its_own_tokens_only() {
    let house = House::open().await;
    let tokens = house.connected("app").await;
    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    let mine = house.introspect("rs", &access).await;
    assert_eq!((mine["active"].as_bool(), mine["client_id"].as_str(), mine["aud"].as_str()), (Some(true), Some("app"), Some(RESOURCE)));
    let inactive = serde_json::json!({"active": false});
    assert_eq!(house.introspect("rs-other", &access).await, inactive);
    assert_eq!(house.introspect("rs", &refresh).await, inactive);
    assert_eq!(house.introspect("rs", "garbage").await, inactive);
    house.clock.advance(Ttl(600));
    assert_eq!(house.introspect("rs", &access).await, inactive);
}

/// RFC 7662 §2.1; attack 42: without credentials 401, with the token in a URL 405.
#[actix_web::test]
async fn nobody_introspects_without_a_proof() {
    let house = House::open().await;
    let access = house.connected("app").await.text("access_token");
    assert_eq!(house.post("/introspect", None, &[("token", &access)]).await.refusal(), (401, "invalid_client".to_owned()));
    assert_eq!(house.post("/introspect", None, &[("token", &access), ("client_id", "app")]).await.status, 401);
    assert_eq!(house.post("/introspect", Some(("rs", "wrong")), &[("token", &access)]).await.status, 401);
    let by_url =
        TestRequest::get().uri(&format!("/introspect?token={access}")).insert_header((header::AUTHORIZATION, authorization("rs", SECRET)));
    assert_eq!(house.send(by_url).await.status, 405);
}

#[actix_web::test]
async fn a_confidential_client_may_ask_about_its_own_tokens() {
    let house = House::open().await;
    let (_, code) = house.approve("keeper").await;
    let form = [("grant_type", "authorization_code"), ("code", code.expose()), ("code_verifier", VERIFIER)];
    let tokens = house.post("/token", Some(("keeper", SECRET)), &form).await;
    assert_eq!(tokens.status, 200, "{}", tokens.json());
    assert_eq!(house.introspect("keeper", &tokens.text("access_token")).await["active"], true);
    assert_eq!(house.introspect("keeper", &tokens.text("refresh_token")).await["active"], true);
    let foreign = house.connected("app").await;
    assert_eq!(house.introspect("keeper", &foreign.text("access_token")).await["active"], false);
    assert_eq!(house.introspect("keeper", &foreign.text("refresh_token")).await["active"], false);
}

/// RFC 7009 §2.1, §2.2; attack 43.
#[actix_web::test]
async fn a_client_gives_back_what_is_its_own_and_nothing_else() {
    let house = House::open().await;
    let (kept, given) = (house.connected("app").await, house.connected("app").await);
    for token in [kept.text("access_token"), kept.text("refresh_token"), "unknown".to_owned()] {
        assert_eq!(house.post("/revoke", None, &[("token", &token), ("client_id", "other")]).await.status, 200);
    }
    assert!(house.is_active(&kept.text("access_token")).await);
    // An access token alone, then the whole grant.
    assert_eq!(house.post("/revoke", None, &[("token", &kept.text("access_token")), ("client_id", "app")]).await.status, 200);
    assert!(!house.is_active(&kept.text("access_token")).await);
    assert_eq!(house.refresh("app", &kept.text("refresh_token")).await.status, 200);
    assert_eq!(house.post("/revoke", None, &[("token", &given.text("refresh_token")), ("client_id", "app")]).await.status, 200);
    assert!(!house.is_active(&given.text("access_token")).await);
    assert_eq!(house.refresh("app", &given.text("refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));
    assert_eq!(house.post("/revoke", Some(("keeper", "wrong")), &[("token", "x")]).await.status, 401);
}

/// architecture.md 11a.3.
#[actix_web::test]
async fn a_guard_follows_what_ended() {
    let house = House::open().await;
    let follow = |uri: &'static str, who: Option<(&'static str, &'static str)>| {
        let request = TestRequest::get().uri(uri);
        let request = match who {
            Some((id, secret)) => request.insert_header((header::AUTHORIZATION, authorization(id, secret))),
            None => request,
        };
        house.send(request)
    };
    let rs = Some(("rs", SECRET));
    assert_eq!(follow("/ended?after=0", None).await.status, 401);
    assert_eq!(follow("/ended?after=0", Some(("keeper", SECRET))).await.refusal(), (400, "unauthorized_client".to_owned()));
    assert_eq!(follow("/ended?after=x", rs).await.status, 400);
    let before = follow("/ended?after=0", rs).await;
    assert_eq!((before.status, before.body.len(), before.headers.get("x-ended-head").unwrap().to_str().unwrap()), (200, 0, "0"));
    let tokens = house.connected("app").await;
    house.post("/revoke", None, &[("token", &tokens.text("refresh_token")), ("client_id", "app")]).await;
    let after = follow("/ended?after=0", rs).await;
    assert_eq!(after.headers.get("x-ended-head").unwrap(), "1");
    let lines: Vec<&[u8]> = after.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let entry: oauth_types::EndedEntry = serde_json::from_slice(lines[0]).unwrap();
    assert_eq!((lines.len(), entry.number), (1, 1));
    assert_eq!(
        entry.hash,
        oauth_types::EndedHash::of(oauth_types::EndedKind::Grant, claims(&tokens.text("access_token"))["grant_id"].as_str().unwrap())
    );
    assert_eq!(follow("/ended?after=1", rs).await.body.len(), 0);
}

/// Decision 8, attack 58: a disabled person's next refresh is refused, and their access tokens with it.
#[actix_web::test]
async fn nothing_works_for_a_person_who_was_disabled() {
    let house = House::open().await;
    let tokens = house.connected("app").await;
    house.app.store.disable_account("alice").await.unwrap();
    assert!(!house.is_active(&tokens.text("access_token")).await);
    assert_eq!(house.refresh("app", &tokens.text("refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));
}

/// Attack 53: nothing that is a secret is in the Debug text of what is passed around.
#[test]
fn secrets_do_not_print() {
    assert!(!format!("{:?}", ClientSecret::new(SECRET.to_owned())).contains(SECRET));
}
