//! The front channel over the real routes and a real store, with a clock that stands still.
//!
//! The table of checks row by row, what is asked of whom, and what two clicks, two tabs and two accounts do to one another. What a
//! stranger meets end to end is in the protocol tests.

use std::sync::Arc;

use actix_web::{
    http::header,
    test::{TestRequest, call_service, init_service, read_body},
};
use futures_util::future::join;
use oauth_types::{RedirectUri, Timestamp, Ttl};

use crate::{
    App,
    accounts::{Password, Username},
    client::tests::row,
    clock::FixedClock,
    config::{Layers, Override, resolve},
    routes,
    store::{AuditEvent, ClientKind, ClientRow, NewClient},
};

const NOW: Timestamp = Timestamp(1_800_000_000);
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const PASSWORD: &str = "correct horse";
const HERE: &str = "http://127.0.0.1:8080";
/// A client set up by the operator, so that approvals are remembered.
const KNOWN: &str = "known";
/// A client that registered itself, with an address nobody vouches for.
const STRANGER: &str = "stranger";
const CALLBACK: &str = "https://app.example/cb";

struct House {
    _folder: tempfile::TempDir,
    clock: Arc<FixedClock>,
    app: App,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    location: String,
    cookies: Vec<String>,
    body: String,
    csp: String,
}

/// What a browser keeps, and the page before it.
#[derive(Clone, Default)]
struct Browser {
    jar: Vec<(String, String)>,
}

impl House {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portico.toml");
        let settings = "[accounts]\nmemory_kib = 64\npasses = 1\n[[resource]]\npath = \"/mcp\"\nname = \"Team documents\"\n\
             scopes = [\"mcp:read\", \"mcp:write\"]\ndefault_scope = \"mcp:read\"\n\
             [[resource]]\npath = \"/other\"\nscopes = [\"mcp:read\"]\ndefault_scope = \"mcp:read\"\n";
        std::fs::write(&file, settings).unwrap();
        let data_dir = Override { key: "server.data_dir", value: folder.path().display().to_string().into(), flag: "--test" };
        let config = resolve(Layers::gather(Some(&file), std::iter::empty(), [data_dir]).unwrap()).unwrap();
        let clock = Arc::new(FixedClock::at(NOW));
        let app = App::open(config, clock.clone()).await.unwrap();
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

    async fn register(&self, row: ClientRow) {
        let audit = AuditEvent { event: "client.registered", ..AuditEvent::default() };
        self.app.store.register(NewClient { row, audit }).await.unwrap();
    }

    async fn send(&self, browser: &mut Browser, request: TestRequest) -> Answer {
        let service = init_service(actix_web::App::new().configure(routes::configure(self.app.clone()))).await;
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

    async fn get(&self, browser: &mut Browser, path: &str) -> Answer {
        self.send(browser, TestRequest::get().uri(path)).await
    }

    async fn ask(&self, browser: &mut Browser, request: &[(&str, &str)]) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(request).finish();
        self.get(browser, &format!("/authorize?{query}")).await
    }

    /// Asks, follows to the page, presses a button there.
    async fn answer(&self, browser: &mut Browser, request: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
        let asked = self.ask(browser, request).await;
        assert_eq!(asked.status, 303, "{asked:?}");
        let page = self.get(browser, &asked.location).await;
        assert_eq!(page.status, 200, "{page:?}");
        self.press(browser, &asked.location, &page, form).await
    }

    async fn press(&self, browser: &mut Browser, path: &str, page: &Answer, form: &[(&str, &str)]) -> Answer {
        let mut fields = vec![("csrf_token", page.token())];
        fields.extend(form);
        let request = TestRequest::post().uri(path).insert_header(("sec-fetch-site", "same-origin")).insert_header((header::ORIGIN, HERE));
        self.send(browser, request.set_form(fields)).await
    }
}

impl Answer {
    fn token(&self) -> &str {
        self.body.split("name=\"csrf_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default()
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let query = self.location.split_once('?').map(|(_, query)| query).unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn is_question(&self) -> bool {
        self.status == 303 && self.location.starts_with("/consent/")
    }
}

fn request<'a>(client: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
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

const SIGN_IN: [(&str, &str); 3] = [("decision", "allow"), ("username", "alice"), ("password", PASSWORD)];
const ALLOW: [(&str, &str); 1] = [("decision", "allow")];

/// RFC 6749 §4.1.2.1, attacks 10 and 17: before the address is proven nothing leaves but a page.
#[actix_web::test]
async fn without_a_proven_address_a_refusal_is_a_page() {
    let house = House::open().await;
    for more in [
        vec![("client_id", "ABSENT")],
        vec![("client_id", "nobody")],
        vec![("client_id", "a b")],
        vec![("redirect_uri", "https://app.example/cb/")],
        vec![("redirect_uri", "https://app.example/CB")],
        vec![("redirect_uri", "https://app.example.evil/cb")],
        vec![("redirect_uri", "https://app.example@evil.example/cb")],
        vec![("redirect_uri", "https://app.example/cb?x=1")],
        vec![("redirect_uri", "https://app.example/cb#x")],
        vec![("redirect_uri", "javascript:alert(1)")],
        vec![("client_id", "local"), ("redirect_uri", "ABSENT")],
        vec![("client_id", "local"), ("redirect_uri", "http://127.0.0.1/callback")],
        vec![("client_id", "local"), ("redirect_uri", "http://localhost:9/other")],
    ] {
        let mut asked = request(STRANGER, &more);
        let answer = house.ask(&mut Browser::default(), &asked).await;
        assert_eq!((answer.status, answer.location.as_str()), (400, ""), "{more:?}");
        assert!(answer.cookies.is_empty() && answer.body.contains("<!doctype html>"), "{more:?}");
        asked.reverse();
        assert_eq!(house.ask(&mut Browser::default(), &asked).await.status, 400, "{more:?} in another order");
    }
    for twice in [("client_id", STRANGER), ("redirect_uri", CALLBACK)] {
        let mut asked = request(STRANGER, &[]);
        asked.push(twice);
        assert_eq!(house.ask(&mut Browser::default(), &asked).await.status, 400, "{twice:?}");
    }
}

/// RFC 6749 §4.1.2.1, RFC 7636 §4.4.1, RFC 8707 §2, RFC 9207 §2; attacks 15, 17, 38: after it, a redirect with state and iss.
#[actix_web::test]
async fn with_a_proven_address_a_refusal_goes_to_the_client() {
    let house = House::open().await;
    let long = "x".repeat(600);
    for (more, code) in [
        (vec![("response_type", "ABSENT")], "invalid_request"),
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("response_type", "code id_token")], "unsupported_response_type"),
        (vec![("response_mode", "fragment")], "invalid_request"),
        (vec![("request", "e30.e30.")], "request_not_supported"),
        (vec![("request_uri", "https://app.example/r")], "request_uri_not_supported"),
        (vec![("code_challenge", "ABSENT")], "invalid_request"),
        (vec![("code_challenge", "short")], "invalid_request"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("code_challenge_method", "ABSENT")], "invalid_request"),
        (vec![("resource", "https://elsewhere.example/mcp")], "invalid_target"),
        (vec![("resource", "not a uri")], "invalid_target"),
        (vec![("resource", "http://127.0.0.1:8080/mcp"), ("resource", "http://127.0.0.1:8080/other")], "invalid_target"),
        (vec![("scope", "admin")], "invalid_scope"),
        (vec![("scope", "mcp:read \"")], "invalid_scope"),
        (vec![("prompt", "none login")], "invalid_request"),
        (vec![("prompt", "none")], "login_required"),
        (vec![("max_age", "soon")], "invalid_request"),
        (vec![("nonce", long.as_str())], "invalid_request"),
        (vec![("nonce", "a"), ("nonce", "b")], "invalid_request"),
    ] {
        let answer = house.ask(&mut Browser::default(), &request(STRANGER, &more)).await;
        assert_eq!((answer.status, answer.parameter("error").as_deref()), (303, Some(code)), "{more:?} {answer:?}");
        assert!(answer.location.starts_with("https://app.example/cb?"), "{more:?}");
        assert_eq!((answer.parameter("state").as_deref(), answer.parameter("iss").as_deref()), (Some("s+/="), Some(HERE)), "{more:?}");
        assert_eq!(answer.parameter("code"), None);
    }
}

/// RFC 6749 §4.1.2.1: a state that cannot be echoed byte for byte is not echoed at all.
#[actix_web::test]
async fn a_state_that_is_too_long_or_comes_twice_is_refused_without_it() {
    let house = House::open().await;
    let long = "s".repeat(4097);
    for more in [vec![("state", long.as_str())], vec![("state", "a"), ("state", "b")]] {
        let answer = house.ask(&mut Browser::default(), &request(STRANGER, &more)).await;
        assert_eq!((answer.parameter("error").as_deref(), answer.parameter("state")), (Some("invalid_request"), None));
    }
    let longest = "s".repeat(4096);
    assert!(house.ask(&mut Browser::default(), &request(STRANGER, &[("state", &longest)])).await.is_question());
}

/// RFC 6749 §3.1, RFC 8252 §7.3, checklist 39 to 46: what honest clients send is understood.
#[actix_web::test]
async fn what_honest_clients_send_is_understood() {
    let house = House::open().await;
    for more in [
        vec![],
        vec![("response_mode", "query"), ("audience", "x"), ("id_token_hint", "y"), ("nonce", "n"), ("login_hint", "alice")],
        vec![("redirect_uri", "ABSENT")],
        vec![("scope", "")],
        vec![("scope", "openid email profile")],
        vec![("scope", "offline_access")],
        vec![("scope", "mcp:read unheard-of")],
        vec![("prompt", "consent")],
        vec![("prompt", "unheard-of")],
        vec![("max_age", "")],
        vec![("resource", "http://127.0.0.1:8080/mcp/")],
        vec![("resource", "HTTP://127.0.0.1:8080/mcp")],
        vec![("resource", "http://127.0.0.1:8080/mcp"), ("resource", "http://127.0.0.1:8080/mcp/")],
        vec![("client_id", "local"), ("redirect_uri", "http://localhost:51234/callback")],
        vec![("client_id", "local"), ("redirect_uri", "cursor://anysphere.cursor-mcp/oauth/callback")],
    ] {
        let answer = house.ask(&mut Browser::default(), &request(STRANGER, &more)).await;
        assert!(answer.is_question(), "{more:?} {answer:?}");
    }
    let form = TestRequest::post().uri("/authorize").set_form(request(STRANGER, &[]));
    assert!(house.send(&mut Browser::default(), form).await.is_question(), "OpenID Connect Core §3.1.2.1: POST too");
}

/// RFC 6749 §3.3: what is granted is what there is of what was asked.
#[actix_web::test]
async fn the_page_shows_what_will_be_granted() {
    let house = House::open().await;
    let shown = async |scope: &str| {
        let mut browser = Browser::default();
        let asked = house.ask(&mut browser, &request(STRANGER, &[("scope", scope)])).await;
        let page = house.get(&mut browser, &asked.location).await.body;
        ["class=\"read\"", "class=\"write\"", "class=\"keep\""].map(|kind| page.contains(kind))
    };
    assert_eq!(shown("").await, [true, false, false]);
    assert_eq!(shown("openid email").await, [true, false, false]);
    assert_eq!(shown("mcp:write unheard-of offline_access").await, [false, true, true]);
}

/// Decision 3, attacks 1 and 3: an approval is remembered for the same person, client, address, resource and scope, and no further.
#[actix_web::test]
async fn an_approval_is_remembered_and_does_not_stretch() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let first = house.answer(&mut browser, &request(KNOWN, &[]), &SIGN_IN).await;
    assert!(first.parameter("code").is_some(), "{first:?}");
    let again = house.ask(&mut browser, &request(KNOWN, &[])).await;
    assert!(again.parameter("code").is_some() && again.parameter("code") != first.parameter("code"), "{again:?}");
    for more in [
        vec![("scope", "mcp:read mcp:write")],
        vec![("resource", "http://127.0.0.1:8080/other")],
        vec![("prompt", "consent")],
        vec![("prompt", "login")],
    ] {
        assert!(house.ask(&mut browser, &request(KNOWN, &more)).await.is_question(), "{more:?}");
    }
    let never = house.ask(&mut browser, &request(KNOWN, &[("scope", "mcp:write"), ("prompt", "none")])).await;
    assert_eq!(never.parameter("error").as_deref(), Some("consent_required"));
    assert!(house.ask(&mut Browser::default(), &request(KNOWN, &[])).await.is_question(), "another browser is not signed in");
    house.clock.advance(Ttl::hours(12));
    assert!(house.ask(&mut browser, &request(KNOWN, &[])).await.is_question(), "the session has ended");
}

/// Attacks 3 and 27: an address that any program can claim, or that nobody vouches for, is never approved in silence.
#[actix_web::test]
async fn loopback_private_use_and_unverified_addresses_are_asked_about_every_time() {
    let house = House::open().await;
    let local = [("client_id", "local"), ("redirect_uri", "http://localhost:4711/callback")];
    let cursor = [("client_id", "local"), ("redirect_uri", "cursor://anysphere.cursor-mcp/oauth/callback")];
    for more in [&[][..], &local[..], &cursor[..]] {
        let mut browser = Browser::default();
        assert!(house.answer(&mut browser, &request(STRANGER, more), &SIGN_IN).await.parameter("code").is_some(), "{more:?}");
        assert!(house.answer(&mut browser, &request(STRANGER, more), &ALLOW).await.parameter("code").is_some(), "{more:?}");
        assert!(house.ask(&mut browser, &request(STRANGER, more)).await.is_question(), "{more:?}");
    }
}

/// CSP3 §6.4.2 as Chromium reads it: the policy names the address that the form ends at.
#[actix_web::test]
async fn the_policy_of_the_page_names_where_its_form_ends() {
    let house = House::open().await;
    for (uri, source) in
        [("http://localhost:4711/callback", "http://localhost:4711"), ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor:")]
    {
        let mut browser = Browser::default();
        let asked = house.ask(&mut browser, &request(STRANGER, &[("client_id", "local"), ("redirect_uri", uri)])).await;
        let page = house.get(&mut browser, &asked.location).await;
        assert!(page.csp.ends_with(&format!("form-action 'self' {source}")), "{}", page.csp);
        assert!(page.csp.contains("frame-ancestors 'none'") && !page.csp.contains("unsafe"), "{}", page.csp);
    }
}

/// RFC 6749 §4.1.2.1: no is an answer too, and needs no password.
#[actix_web::test]
async fn denying_tells_the_client_and_needs_no_sign_in() {
    let house = House::open().await;
    let answer = house.answer(&mut Browser::default(), &request(STRANGER, &[]), &[("decision", "deny")]).await;
    assert_eq!((answer.status, answer.parameter("error").as_deref()), (303, Some("access_denied")));
    assert_eq!(answer.parameter("iss").as_deref(), Some(HERE));
}

/// Decision 42: of two clicks at once both end at the same code.
#[actix_web::test]
async fn two_clicks_at_once_end_at_the_same_code() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let asked = house.ask(&mut browser, &request(STRANGER, &[])).await;
    let page = house.get(&mut browser, &asked.location).await;
    let (mut one, mut two) = (browser.clone(), browser.clone());
    let (first, second) =
        join(house.press(&mut one, &asked.location, &page, &SIGN_IN), house.press(&mut two, &asked.location, &page, &SIGN_IN)).await;
    assert!(first.parameter("code").is_some(), "{first:?}");
    assert_eq!(first.parameter("code"), second.parameter("code"), "{second:?}");
    let late = house.press(&mut browser, &asked.location, &page, &SIGN_IN).await;
    assert_eq!(late.parameter("code"), first.parameter("code"));
    let back = house.get(&mut browser, &asked.location).await;
    assert!(back.status == 200 && back.body.contains("already answered"), "{back:?}");
}

/// Checklist 50: three flows of one browser, signed in on the first, answered in another order.
#[actix_web::test]
async fn three_flows_of_one_browser_do_not_disturb_one_another() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let mut tabs = Vec::new();
    for client in [STRANGER, KNOWN, STRANGER] {
        let asked = house.ask(&mut browser, &request(client, &[])).await;
        let page = house.get(&mut browser, &asked.location).await;
        tabs.push((asked.location, page));
    }
    for at in [1, 2, 0] {
        let (path, page) = &tabs[at];
        // Each page was drawn for a stranger, so each brings its own sign-in.
        assert!(house.press(&mut browser, path, page, &SIGN_IN).await.parameter("code").is_some(), "tab {at}");
    }
}

/// Attack 4: an "allow" meant for one account is not taken for another that signed in meanwhile.
#[actix_web::test]
async fn a_page_that_named_alice_does_not_answer_for_bob() {
    let house = House::open().await;
    let mut browser = Browser::default();
    house.answer(&mut browser, &request(STRANGER, &[]), &SIGN_IN).await;
    let asked = house.ask(&mut browser, &request(STRANGER, &[])).await;
    let alices = house.get(&mut browser, &asked.location).await;
    assert!(alices.body.contains("<bdi>alice</bdi>"));
    let other = house.ask(&mut browser, &request(KNOWN, &[])).await;
    let login = other.location.replace("/consent/", "/login/");
    let sign_in = house.get(&mut browser, &login).await;
    assert!(sign_in.body.contains("type=\"password\""), "GET /login offers to be somebody else");
    let as_bob = [("decision", "allow"), ("username", "bob"), ("password", PASSWORD)];
    assert!(house.press(&mut browser, &other.location, &sign_in, &as_bob).await.parameter("code").is_some());
    let stale = house.press(&mut browser, &asked.location, &alices, &ALLOW).await;
    assert_eq!((stale.status, stale.location.as_str()), (403, ""), "{stale:?}");
    let bobs = house.get(&mut browser, &asked.location).await;
    assert!(bobs.body.contains("<bdi>bob</bdi>"));
    assert!(house.press(&mut browser, &asked.location, &bobs, &ALLOW).await.parameter("code").is_some());
}

/// Attack 5: a sign-in makes a new session and ends the one before.
#[actix_web::test]
async fn the_session_changes_at_every_sign_in() {
    let house = House::open().await;
    let mut browser = Browser::default();
    house.answer(&mut browser, &request(KNOWN, &[]), &SIGN_IN).await;
    let mut before = browser.clone();
    let again = house.answer(&mut browser, &request(KNOWN, &[("prompt", "login")]), &SIGN_IN).await;
    assert!(again.cookies.iter().any(|cookie| cookie.starts_with("portico_session_")), "{:?}", again.cookies);
    assert!(house.ask(&mut before, &request(KNOWN, &[])).await.is_question(), "the old session still opens doors");
    assert!(house.ask(&mut browser, &request(KNOWN, &[])).await.parameter("code").is_some());
}

/// OpenID Connect Core §3.1.2.1: `max_age` asks for the password when the sign-in is older.
#[actix_web::test]
async fn max_age_asks_again_when_the_sign_in_is_too_old() {
    let house = House::open().await;
    let mut browser = Browser::default();
    house.answer(&mut browser, &request(KNOWN, &[]), &SIGN_IN).await;
    house.clock.advance(Ttl::minutes(5));
    assert!(house.ask(&mut browser, &request(KNOWN, &[("max_age", "300")])).await.parameter("code").is_some());
    let asked = house.ask(&mut browser, &request(KNOWN, &[("max_age", "299")])).await;
    let page = house.get(&mut browser, &asked.location).await;
    assert!(page.body.contains("type=\"password\""));
    assert!(house.press(&mut browser, &asked.location, &page, &SIGN_IN).await.parameter("code").is_some());
}

/// Attack 55: a wrong password and a name that does not exist are told in the same words, and end the same way.
#[actix_web::test]
async fn a_wrong_password_and_an_unknown_name_look_alike() {
    let house = House::open().await;
    let mut told = Vec::new();
    for name in ["alice", "nobody", "not a name"] {
        let mut browser = Browser::default();
        let form = [("decision", "allow"), ("username", name), ("password", "wrong")];
        let answer = house.answer(&mut browser, &request(STRANGER, &[]), &form).await;
        assert_eq!(answer.status, 403);
        let token = answer.token().to_owned();
        let flow = answer.body.split("action=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        told.push(answer.body.replace(&token, "T").replace(&flow, "F").replace(&format!("value=\"{name}\""), "N"));
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    assert!(!told[0].contains("wrong\""), "the password is not in the page");
}

/// Decision 44: ten wrong passwords on one page end the flow, and the account waits.
#[actix_web::test]
async fn wrong_passwords_have_an_end() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let asked = house.ask(&mut browser, &request(STRANGER, &[])).await;
    let mut page = house.get(&mut browser, &asked.location).await;
    for attempt in 0..9 {
        // Names differ, so that the account's limit is not what ends it.
        let name = format!("nobody{attempt}");
        page = house.press(&mut browser, &asked.location, &page, &[("decision", "allow"), ("username", &name), ("password", "x")]).await;
        assert_eq!(page.status, 403, "attempt {attempt}");
    }
    let last =
        house.press(&mut browser, &asked.location, &page, &[("decision", "allow"), ("username", "one-more"), ("password", "x")]).await;
    assert_eq!((last.status, last.parameter("error").as_deref()), (303, Some("access_denied")), "{last:?}");
}

/// Lesson 28: cookies do not grow with flows, and one browser cannot begin flows without end.
#[actix_web::test]
async fn a_browser_has_one_flow_cookie_and_a_bounded_number_of_flows() {
    let house = House::open().await;
    let mut browser = Browser::default();
    for _ in 0..30 {
        assert!(house.ask(&mut browser, &request(STRANGER, &[])).await.is_question());
    }
    assert_eq!(browser.jar.len(), 1);
    assert_eq!(house.ask(&mut browser, &request(STRANGER, &[])).await.status, 429);
    assert!(house.ask(&mut Browser::default(), &request(STRANGER, &[])).await.is_question(), "another browser is not concerned");
}

/// RFC 6749 §10.12: a click that is slow to arrive finds the answer, and makes no second grant.
#[actix_web::test]
async fn a_late_click_among_many_makes_no_second_code() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let asked = house.ask(&mut browser, &request(STRANGER, &[])).await;
    let page = house.get(&mut browser, &asked.location).await;
    let clicks = (0..12).map(|_| {
        let mut browser = browser.clone();
        let (house, asked, page) = (&house, &asked, &page);
        async move { house.press(&mut browser, &asked.location, page, &SIGN_IN).await.parameter("code") }
    });
    let codes = futures_util::future::join_all(clicks).await;
    assert!(codes.iter().all(|code| code.is_some() && *code == codes[0]), "{codes:?}");
}

/// A wrong password in one tab does not bring back a flow that another tab has answered.
#[actix_web::test]
async fn a_wrong_password_does_not_revive_an_answered_flow() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let asked = house.ask(&mut browser, &request(STRANGER, &[])).await;
    let page = house.get(&mut browser, &asked.location).await;
    let wrong = [("decision", "allow"), ("username", "alice"), ("password", "wrong")];
    let mut other = browser.clone();
    let (right, _) =
        join(house.press(&mut browser, &asked.location, &page, &SIGN_IN), house.press(&mut other, &asked.location, &page, &wrong)).await;
    let again = house.press(&mut browser, &asked.location, &page, &SIGN_IN).await;
    assert!(right.parameter("code").is_some() && again.parameter("code") == right.parameter("code"), "{again:?}");
}
