//! A server on a folder of its own: the real routes over a real store, with a clock that stands still, one person and three clients.

use std::sync::Arc;

use actix_web::{
    http::header,
    test::{TestRequest, call_service, init_service, read_body},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use oauth_types::{ClientId, CodeSecret, GrantId, ResourceUri, Subject, Timestamp, TokenHash};
use serde_json::Value;

use super::super::fixtures::{REDIRECT, VERIFIER, approval};
use crate::{
    App,
    client::tests::row,
    clock::{Clock as _, FixedClock},
    code, routes, secret,
    store::{Approval, AuditEvent, AuthMethod, ClientRow, NewAccount, NewClient},
};

pub(super) const NOW: Timestamp = Timestamp(1_800_000_000);
pub(super) const RESOURCE: &str = "http://127.0.0.1:8080/mcp";
pub(super) const SECRET: &str = "a-secret-of-more-than-enough-characters";

/// A server, opened on a folder of its own.
pub(super) struct House {
    _folder: tempfile::TempDir,
    pub(super) clock: Arc<FixedClock>,
    pub(super) app: App,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: header::HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(super) fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_default().to_owned()
    }

    /// Status and `error`.
    pub(super) fn refusal(&self) -> (u16, String) {
        (self.status, self.text("error"))
    }
}

impl House {
    pub(super) async fn open() -> Self {
        let settings = format!(
            "[[resource]]\npath = \"/mcp\"\nscopes = [\"mcp:read\", \"mcp:write\"]\ndefault_scope = \"mcp:read\"\n\
             [[resource]]\npath = \"/other\"\nscopes = [\"mcp:read\"]\ndefault_scope = \"mcp:read\"\n\
             [[resource_server]]\nid = \"rs\"\npath = \"/mcp\"\nsecret = \"{SECRET}\"\n\
             [[resource_server]]\nid = \"rs-other\"\npath = \"/other\"\nsecret = \"{SECRET}\"\n"
        );
        let (folder, clock, app) = crate::app::tests::open(&settings, NOW).await;
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

    pub(super) async fn register(&self, row: ClientRow) {
        self.app
            .store
            .register(NewClient { row, audit: AuditEvent { event: "client.registered", ..AuditEvent::default() } })
            .await
            .unwrap();
    }

    /// Alice allowed the client something; this is its code.
    pub(super) fn approve(&self, client: &str) -> (GrantId, CodeSecret) {
        let (now, lifetimes) = (self.clock.now(), &self.app.config.lifetimes);
        let approval = Approval {
            grant_id: GrantId::born(self.clock.now_ms(), secret::fresh_bytes()),
            client_id: ClientId::parse(client).unwrap(),
            resource: ResourceUri::parse(RESOURCE).unwrap(),
            auth_time: now,
            code_expires_at: now + lifetimes.code,
            expires_at: now + lifetimes.grant,
            created_at: now,
            ..approval()
        };
        (approval.grant_id, code::seal(self.app.keys.sealing(), &approval).unwrap())
    }

    pub(super) async fn send(&self, request: TestRequest) -> Answer {
        let service = init_service(actix_web::App::new().configure(|services| routes::configure(self.app.clone())(services))).await;
        let response = call_service(&service, request.insert_header((header::HOST, "127.0.0.1:8080")).to_request()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, body: read_body(response).await.to_vec() }
    }

    pub(super) async fn post(&self, path: &str, basic: Option<(&str, &str)>, form: &[(&str, &str)]) -> Answer {
        let mut request = TestRequest::post().uri(path).set_form(form);
        if let Some((id, secret)) = basic {
            request = request.insert_header((header::AUTHORIZATION, authorization(id, secret)));
        }
        self.send(request).await
    }

    pub(super) async fn redeem(&self, client: &str, code: &CodeSecret) -> Answer {
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
    pub(super) async fn connected(&self, client: &str) -> Answer {
        let (_, code) = self.approve(client);
        let answer = self.redeem(client, &code).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer
    }

    pub(super) async fn refresh(&self, client: &str, token: &str) -> Answer {
        self.post("/token", None, &[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)]).await
    }

    pub(super) async fn introspect(&self, who: &str, token: &str) -> Value {
        let answer = self.post("/introspect", Some((who, SECRET)), &[("token", token)]).await;
        assert_eq!(answer.status, 200);
        answer.json()
    }

    pub(super) async fn is_active(&self, access_token: &str) -> bool {
        self.introspect("rs", access_token).await["active"] == Value::Bool(true)
    }
}

pub(super) fn authorization(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

pub(super) fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}
