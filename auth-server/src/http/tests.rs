//! The HTTP layer as a stranger meets it: a small application behind the real middleware.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, Mutex},
};

use actix_web::{
    App, HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    test::{TestRequest, call_service, init_service, read_body},
    web,
};
use oauth_types::{ClientFault, Error, IssuerUrl, RequestFault, TokenFault, Ttl};
use serde_json::Value;
use tracing::{
    field::{Field, Visit},
    subscriber::DefaultGuard,
};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::{
    csrf,
    extract::{FrontParams, StrictForm},
    reply::{self, AsChallenge, AsJson, AsPage},
    route::{self, Endpoint},
    site::Site,
    trace::{self, Story, Trace},
};

/// Every event of a test, as name → text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<BTreeMap<String, String>>>>);

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if !event.metadata().target().starts_with("auth_server") {
            return;
        }
        let mut line = BTreeMap::from([("level".to_owned(), event.metadata().level().to_string())]);
        event.record(&mut Fields(&mut line));
        self.0.lock().unwrap().push(line);
    }
}

impl Log {
    fn listen() -> (Self, DefaultGuard) {
        let log = Self::default();
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(log.clone()));
        (log, guard)
    }

    /// The one line that was written.
    fn only(&self) -> BTreeMap<String, String> {
        let lines = self.0.lock().unwrap();
        assert_eq!(lines.len(), 1, "{lines:#?}");
        lines[0].clone()
    }
}

const ISSUER: &str = "https://mcp.example.com";

fn error_page(_: &HttpRequest, error: &Error, reference: &str) -> Option<String> {
    Some(format!("<p>page about {} {reference}</p>", error.code()))
}

fn site(issuer: &str) -> Site {
    Site::new(&IssuerUrl::parse(issuer).unwrap(), &[]).any_host(&["/probe"]).error_page(error_page)
}

fn shop(config: &mut web::ServiceConfig) {
    let json = || async { Err::<HttpResponse, AsJson>(Error::InvalidClient(ClientFault::Unknown).into()) };
    let page = |_: FrontParams| async { Err::<HttpResponse, AsPage>(Error::InvalidRequest(RequestFault::UnknownClient).into()) };
    let challenge = |query: web::Query<BTreeMap<String, String>>| async move {
        let fault = if query.contains_key("none") { TokenFault::Missing } else { TokenFault::Malformed };
        Err::<HttpResponse, AsChallenge>(Error::InvalidToken(fault).into())
    };
    let busy = || async { Err::<HttpResponse, AsJson>(Error::TooManyRequests { retry_after: Ttl(17) }.into()) };
    let form = |form: StrictForm| async move { reply::json(StatusCode::OK, &form.get("client_id")) };
    let redirect = |request: HttpRequest| async move {
        trace::refused(&request, &Error::InvalidRequest(RequestFault::ChallengeMissing));
        reply::see_other("https://client.example/cb?error=invalid_request")
    };
    let told = |request: HttpRequest| async move {
        trace::tell(&request, Story { event: Some("token.issued"), grant: Some("g1".to_owned()), ..Story::default() });
        reply::page(StatusCode::OK, "<p>hello</p>".to_owned())
    };
    let form_of_ours = |request: HttpRequest| async move { csrf::same_origin(&request).map(|()| reply::empty()).map_err(AsPage) };
    config
        .service(Endpoint::at("/token").open().refusals("token.refused").post(form))
        .service(Endpoint::at("/json").open().refusals("token.refused").get(json))
        .service(Endpoint::at("/page").page().get(page).post(page))
        .service(Endpoint::at("/challenge").open().get(challenge))
        .service(Endpoint::at("/busy").get(busy))
        .service(Endpoint::at("/redirect").page().get(redirect))
        .service(Endpoint::at("/told").page().get(told))
        .service(Endpoint::at("/form").page().post(form_of_ours))
        .service(Endpoint::at("/probe").quiet().get(|| async { reply::empty() }));
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path).insert_header((header::HOST, "mcp.example.com"))
}

fn with(method: Method, path: &str) -> TestRequest {
    get(path).method(method)
}

/// What came back: status, headers by name, body as text.
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(&self.body).unwrap()
    }

    fn reference(&self) -> &str {
        self.header("x-request-id").unwrap()
    }
}

async fn ask(request: TestRequest) -> Answer {
    ask_at(ISSUER, request).await
}

async fn ask_at(issuer: &str, request: TestRequest) -> Answer {
    let app = App::new().wrap(Trace::new(site(issuer))).configure(shop).default_service(web::to(route::not_found));
    let response = call_service(&init_service(app).await, request.to_request()).await;
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let status = response.status().as_u16();
    Answer { status, headers, body: String::from_utf8(read_body(response).await.to_vec()).unwrap() }
}

/// Architecture §7: client, person and operator share one reference; the reason is the operator's alone.
#[actix_web::test]
async fn a_refusal_is_logged_once_with_its_reason_and_its_reference() {
    let (log, _guard) = Log::listen();
    let answer = ask(get("/json")).await;
    assert_eq!(answer.status, 401);
    let (body, line) = (answer.json(), log.only());
    assert_eq!(body["error"], "invalid_client");
    let description = body["error_description"].as_str().unwrap();
    assert!(description.ends_with(&format!(" (reference {})", answer.reference())), "{description}");
    assert_eq!(line["event"], "token.refused");
    assert_eq!(line["code"], "invalid_client");
    assert_eq!(line["reason"], Error::InvalidClient(ClientFault::Unknown).reason());
    assert_eq!(line["request.id"], answer.reference());
    assert_eq!((line["status"].as_str(), line["level"].as_str()), ("401", "INFO"));
    assert!(!line["explanation"].is_empty());
    assert!(!answer.body.contains(&line["reason"]), "the reason stays inside");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[actix_web::test]
async fn a_redirect_that_carries_an_error_is_logged_as_a_refusal() {
    let (log, _guard) = Log::listen();
    let answer = ask(get("/redirect")).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("https://client.example/cb?error=invalid_request")));
    assert_eq!(log.only()["reason"], Error::InvalidRequest(RequestFault::ChallengeMissing).reason());
}

#[actix_web::test]
async fn a_good_answer_is_one_line_that_tells_its_story() {
    let (log, _guard) = Log::listen();
    let answer = ask(get("/told?secret=x")).await;
    let line = log.only();
    assert_eq!(
        (line["event"].as_str(), line["grant.id"].as_str(), line["request.id"].as_str()),
        ("token.issued", "g1", answer.reference())
    );
    assert!(!line.contains_key("reason"));
    assert!(!format!("{line:?}").contains("secret"), "queries are never logged");
}

#[actix_web::test]
async fn probes_are_logged_for_the_curious_only() {
    let (log, _guard) = Log::listen();
    assert_eq!(ask(get("/probe")).await.status, 200);
    assert_eq!(log.only()["level"], "DEBUG");
}

/// RFC 6749 §5.2: WWW-Authenticate only for a client that used the Authorization header.
#[actix_web::test]
async fn only_who_used_basic_is_challenged_with_basic() {
    assert_eq!(ask(get("/json")).await.header("www-authenticate"), None);
    assert_eq!(ask(get("/json").insert_header(("authorization", "Bearer x"))).await.header("www-authenticate"), None);
    let challenged = ask(get("/json").insert_header(("authorization", "Basic YTpi"))).await;
    assert!(challenged.header("www-authenticate").unwrap().starts_with("Basic realm="));
}

/// RFC 6750 §3, §3.1: no error code for a request that lacks any authentication.
#[actix_web::test]
async fn a_bearer_is_challenged_and_told_why_only_if_there_was_a_token() {
    assert_eq!(ask(get("/challenge")).await.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    assert_eq!(ask(get("/challenge?none=1")).await.header("www-authenticate"), Some("Bearer"));
}

#[actix_web::test]
async fn too_many_requests_say_when_to_come_back() {
    let (log, _guard) = Log::listen();
    let answer = ask(get("/busy")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("17")));
    assert_eq!(log.only()["level"], "WARN");
}

#[actix_web::test]
async fn a_person_gets_a_page_and_a_program_gets_json() {
    for accept in ["text/html,application/xhtml+xml,*/*;q=0.8", "*/*"] {
        let page = ask(get("/page").insert_header(("accept", accept))).await;
        assert_eq!((page.status, page.header("content-type")), (400, Some("text/html; charset=utf-8")), "{accept}");
        assert_eq!(page.body, format!("<p>page about invalid_request {}</p>", page.reference()));
    }
    let json = ask(get("/page").insert_header(("accept", "application/json"))).await;
    assert_eq!(json.json()["error"], "invalid_request");
    assert_eq!(json.header("location"), None);
}

/// Attacks 7 and 56, on a page, on its error and on its redirects.
#[actix_web::test]
async fn pages_cannot_be_framed_scripted_stored_or_referred_to() {
    for path in ["/told", "/page", "/redirect"] {
        let page = ask(get(path)).await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("script"),
            "{policy}"
        );
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("cross-origin-opener-policy"), None);
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
}

#[actix_web::test]
async fn hsts_is_said_over_https_and_never_on_loopback() {
    assert!(ask(get("/told")).await.header("strict-transport-security").is_some());
    let local = get("/told").insert_header((header::HOST, "127.0.0.1:8080"));
    let local = ask_at("http://127.0.0.1:8080", local).await;
    assert_eq!((local.status, local.header("strict-transport-security")), (200, None));
}

/// Attack 47: open endpoints answer any origin without credentials; pages answer none.
#[actix_web::test]
async fn scripts_of_other_origins_read_what_is_open_and_nothing_else() {
    let foreign = |path: &str| get(path).insert_header((header::ORIGIN, "http://localhost:6274"));
    let open = ask(foreign("/json")).await;
    assert_eq!(open.header("access-control-allow-origin"), Some("*"));
    assert!(open.header("access-control-expose-headers").unwrap().contains("WWW-Authenticate"));
    assert_eq!(open.header("access-control-allow-credentials"), None);
    for closed in ["/told", "/page", "/busy"] {
        let answer = ask(foreign(closed)).await;
        assert!(!answer.headers.keys().any(|name| name.starts_with("access-control")), "{closed}");
    }
}

/// Checklist 19: a preflight is never asked for authentication.
#[actix_web::test]
async fn a_preflight_is_answered_where_scripts_may_read() {
    let preflight = |path: &str| with(Method::OPTIONS, path).insert_header(("access-control-request-method", "POST"));
    let open = ask(preflight("/token")).await;
    assert_eq!(open.status, 204);
    assert_eq!(open.header("access-control-allow-methods"), Some("POST, OPTIONS"));
    assert_eq!(open.header("access-control-allow-origin"), Some("*"));
    for sent in
        ["Authorization", "Content-Type", "Accept", "MCP-Protocol-Version", "Mcp-Session-Id", "Mcp-Method", "Mcp-Name", "Last-Event-ID"]
    {
        assert!(open.header("access-control-allow-headers").unwrap().contains(sent), "{sent}");
    }
    let closed = ask(preflight("/page")).await;
    assert_eq!((closed.status, closed.header("access-control-allow-origin")), (405, None));
}

/// RFC 9110 §15.5.6: 405 with Allow; §9.3.2: HEAD where GET.
#[actix_web::test]
async fn a_wrong_method_is_told_the_right_ones_and_head_is_get_without_a_body() {
    let wrong = ask(get("/token")).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST, OPTIONS")));
    assert_eq!(wrong.json()["error"], "invalid_request");
    assert_eq!(ask(with(Method::DELETE, "/page")).await.header("allow"), Some("GET, HEAD, POST"));
    let head = ask(with(Method::HEAD, "/told")).await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/html; charset=utf-8")));
}

/// Checklist 3: 404 JSON elsewhere, never HTML; readable from a browser.
#[actix_web::test]
async fn an_unknown_path_is_json_for_everybody() {
    for path in ["/", "/nowhere", "/.well-known/oauth-authorization-server/t1", "/token/", "/told/../token"] {
        let answer = ask(get(path).insert_header(("accept", "text/html"))).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (404, Some("invalid_request")), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
}

/// Attack 18: 421, whatever the forwarded headers say.
#[actix_web::test]
async fn a_foreign_host_is_turned_away_before_anything_happens() {
    let (log, _guard) = Log::listen();
    let answer =
        ask(get("/told").insert_header((header::HOST, "evil.example")).insert_header(("x-forwarded-host", "mcp.example.com"))).await;
    assert_eq!((answer.status, answer.header("location")), (421, None));
    assert!(!answer.body.contains("evil"));
    assert_eq!(log.only()["reason"], "host_not_ours");
    let honest = ask(get("/told").insert_header(("x-forwarded-host", "evil.example"))).await;
    assert_eq!(honest.status, 200);
}

#[actix_web::test]
async fn a_refused_form_names_its_client_in_the_log_and_nothing_else_of_it() {
    let (log, _guard) = Log::listen();
    let form = with(Method::POST, "/token").insert_header(("content-type", "application/x-www-form-urlencoded"));
    let answer = ask(form.set_payload("client_id=abc&client_secret=geheim")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "\"abc\""));
    let line = log.only();
    assert_eq!(line["client.id"], "abc");
    assert!(!format!("{line:?}").contains("geheim"));
}

/// RFC 9110 §9.3.2: the server MUST NOT send content in the response to HEAD. Over a real connection, where the encoder decides.
#[actix_web::test]
async fn a_head_carries_headers_only() {
    use std::io::{Read as _, Write as _};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let issuer = format!("http://{address}");
    let server = actix_web::HttpServer::new(move || App::new().wrap(Trace::new(site(&issuer))).configure(shop))
        .workers(1)
        .listen(listener)
        .unwrap()
        .run();
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    let answer = actix_web::rt::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "HEAD /told HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    handle.stop(true).await;
    running.await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("content-length: 12\r\n"), "{answer}");
}

/// Attack 4: words of the browser that no page of another site can forge.
#[actix_web::test]
async fn a_form_comes_from_our_own_page() {
    let sent = |headers: &'static [(&'static str, &'static str)]| async move {
        let request = headers.iter().fold(with(Method::POST, "/form"), |request, header| request.append_header(*header));
        ask(request).await.status
    };
    for ours in [
        &[][..],
        &[("origin", "https://mcp.example.com")],
        &[("origin", "https://mcp.example.com"), ("sec-fetch-site", "same-origin")],
        // Chromium, because our pages forbid a referrer.
        &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
    ] {
        assert_eq!(sent(ours).await, 200, "{ours:?}");
    }
    for foreign in [
        &[("origin", "null")][..],
        &[("origin", "null"), ("sec-fetch-site", "none")],
        &[("origin", "null"), ("sec-fetch-site", "cross-site")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
        &[("origin", "http://mcp.example.com")],
        &[("origin", "https://mcp.example.com"), ("origin", "https://evil.example")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site")],
    ] {
        assert_eq!(sent(foreign).await, 403, "{foreign:?}");
    }
}
