//! A house for one test: the real routes over a real store, with a clock that stands still, two accounts and three clients.

use std::sync::Arc;

use actix_web::{
    http::header,
    test::{TestRequest, call_service, init_service, read_body},
};
use oauth_types::{RedirectUri, Timestamp};

use crate::{
    App,
    accounts::{Password, Username},
    client::tests::row,
    clock::FixedClock,
    routes,
    store::{AuditEvent, ClientKind, ClientRow, NewClient},
};

pub(super) const NOW: Timestamp = Timestamp(1_800_000_000);
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const PASSWORD: &str = "correct horse";
pub(super) const HERE: &str = "http://127.0.0.1:8080";
/// A client set up by the operator, so that approvals are remembered.
pub(super) const KNOWN: &str = "known";
/// A client that registered itself, with an address nobody vouches for.
pub(super) const STRANGER: &str = "stranger";
pub(super) const CALLBACK: &str = "https://app.example/cb";

pub(super) struct House {
    _folder: tempfile::TempDir,
    pub(super) clock: Arc<FixedClock>,
    pub(super) app: App,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) location: String,
    pub(super) cookies: Vec<String>,
    pub(super) body: String,
    pub(super) csp: String,
}

/// What a browser keeps, and the page before it.
#[derive(Clone, Default)]
pub(super) struct Browser {
    pub(super) jar: Vec<(String, String)>,
}

impl House {
    pub(super) async fn open() -> Self {
        let settings = "[accounts]\nmemory_kib = 64\npasses = 1\n[[resource]]\npath = \"/mcp\"\nname = \"Team documents\"\n\
             scopes = [\"mcp:read\", \"mcp:write\"]\ndefault_scope = \"mcp:read\"\n\
             [[resource]]\npath = \"/other\"\nscopes = [\"mcp:read\"]\ndefault_scope = \"mcp:read\"\n";
        let (folder, clock, app) = crate::app::tests::open(settings, NOW).await;
        for name in ["alice", "bob"] {
            app.accounts.create(&Username::parse(name).unwrap(), Password::parse(PASSWORD).unwrap()).await.unwrap();
        }
        let house = Self { _folder: folder, clock, app };
        house.register(ClientRow { kind: ClientKind::Preregistered, ..row(KNOWN) }).await;
        house.register(row(STRANGER)).await;
        let local = ["http://localhost/callback", "cursor://anysphere.cursor-mcp/oauth/callback"];
        house.register(ClientRow { redirect_uris: local.map(|uri| RedirectUri::parse(uri).unwrap()).to_vec(), ..row("local") }).await;
        house
    }

    pub(super) async fn register(&self, row: ClientRow) {
        let audit = AuditEvent { event: "client.registered", ..AuditEvent::default() };
        self.app.store.register(NewClient { row, audit }).await.unwrap();
    }

    pub(super) async fn send(&self, browser: &mut Browser, request: TestRequest) -> Answer {
        let service = init_service(actix_web::App::new().configure(|services| routes::configure(self.app.clone())(services))).await;
        let jar = browser.jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let request = request.insert_header((header::HOST, "127.0.0.1:8080")).insert_header((header::COOKIE, jar));
        let response = call_service(&service, request.to_request()).await;
        let text = |name: header::HeaderName| -> Vec<String> {
            response.headers().get_all(name).map(|value| value.to_str().unwrap().to_owned()).collect()
        };
        let (status, location) = (response.status().as_u16(), text(header::LOCATION).pop().unwrap_or_default());
        let (cookies, csp) = (text(header::SET_COOKIE), text(header::CONTENT_SECURITY_POLICY).pop().unwrap_or_default());
        for cookie in &cookies {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            browser.jar.retain(|(known, _)| known != name);
            browser.jar.push((name.to_owned(), value.to_owned()));
        }
        Answer { status, location, cookies, csp, body: String::from_utf8(read_body(response).await.to_vec()).unwrap() }
    }

    pub(super) async fn get(&self, browser: &mut Browser, path: &str) -> Answer {
        self.send(browser, TestRequest::get().uri(path)).await
    }

    pub(super) async fn ask(&self, browser: &mut Browser, request: &[(&str, &str)]) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(request).finish();
        self.get(browser, &format!("/authorize?{query}")).await
    }

    /// Asks, follows to the page, presses a button there.
    pub(super) async fn answer(&self, browser: &mut Browser, request: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
        let asked = self.ask(browser, request).await;
        assert_eq!(asked.status, 303, "{asked:?}");
        let page = self.get(browser, &asked.location).await;
        assert_eq!(page.status, 200, "{page:?}");
        self.press(browser, &asked.location, &page, form).await
    }

    pub(super) async fn press(&self, browser: &mut Browser, path: &str, page: &Answer, form: &[(&str, &str)]) -> Answer {
        let mut fields = vec![("csrf_token", page.token())];
        fields.extend(form);
        let request = TestRequest::post().uri(path).insert_header(("sec-fetch-site", "same-origin")).insert_header((header::ORIGIN, HERE));
        self.send(browser, request.set_form(fields)).await
    }
}

impl Answer {
    pub(super) fn token(&self) -> &str {
        self.body.split("name=\"csrf_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default()
    }

    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let query = self.location.split_once('?').map(|(_, query)| query).unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(super) fn is_question(&self) -> bool {
        self.status == 303 && self.location.starts_with("/consent/")
    }
}

pub(super) fn request<'a>(client: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let usual = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("state", "s+/="),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let kept = usual.into_iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    kept.chain(more.iter().copied().filter(|(_, value)| *value != "ABSENT")).collect()
}

pub(super) const SIGN_IN: [(&str, &str); 3] = [("decision", "allow"), ("username", "alice"), ("password", PASSWORD)];
pub(super) const ALLOW: [(&str, &str); 1] = [("decision", "allow")];
