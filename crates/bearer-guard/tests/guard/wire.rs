//! What a client on the wire sees: where a token may stand, and what a refusal says (RFC 6750).

use actix_web::{
    App, HttpRequest, HttpResponse,
    body::{BoxBody, to_bytes},
    dev::ServiceResponse,
    http::{Method, StatusCode},
    test::{TestRequest, call_service, init_service},
    web,
};
use bearer_guard::{Caller, Guard, GuardConfig, actix};
use oauth_types::{Challenge, Scope};
use serde_json::{Value, json};

use crate::issuer::{Issuer, Signer};

const METADATA: &str = "https://rs.example/.well-known/oauth-protected-resource/mcp";

async fn whoami(caller: Caller) -> String {
    caller.subject().to_owned()
}

async fn write(request: HttpRequest, caller: Caller) -> Result<HttpResponse, actix::Refused> {
    let guard = request.app_data::<Guard>().unwrap();
    caller.require(&Scope::parse("mcp:read mcp:write").unwrap()).map_err(|error| actix::Refused::new(guard, error))?;
    Ok(HttpResponse::Ok().finish())
}

/// Asks a server that this guard protects.
async fn ask(guard: &Guard, request: TestRequest) -> ServiceResponse<BoxBody> {
    let app = App::new().configure(actix::configure(guard)).route("/mcp", web::to(whoami)).route("/write", web::to(write));
    call_service(&init_service(app).await, request.to_request()).await.map_into_boxed_body()
}

fn authorized(value: &str) -> TestRequest {
    TestRequest::post().uri("/mcp").insert_header(("authorization", value))
}

/// The one challenge of an answer.
fn challenge(response: &ServiceResponse<BoxBody>) -> Challenge {
    let headers: Vec<_> = response.headers().get_all("www-authenticate").collect();
    assert_eq!(headers.len(), 1, "one header");
    let text = headers[0].to_str().unwrap();
    assert!(text.starts_with("Bearer "), "{text}");
    Challenge::parse(text).unwrap()
}

async fn body(response: ServiceResponse<BoxBody>) -> Value {
    serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap()
}

/// RFC 6750 §3.1: without authentication information, no error; RFC 9728 §5.1: where the metadata is.
#[actix_web::test]
async fn who_shows_nothing_is_told_where_to_go_whatever_the_method() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE] {
        let response = ask(&guard, TestRequest::with_uri("/mcp").method(method)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenge = challenge(&response);
        assert_eq!((challenge.parameter("resource_metadata"), challenge.parameter("scope")), (Some(METADATA), Some("mcp:read")));
        assert_eq!((challenge.parameter("error"), challenge.parameter("error_description")), (None, None));
        assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
        assert_eq!(response.headers().get("access-control-allow-origin").unwrap(), "*");
        assert!(response.headers().get("access-control-expose-headers").unwrap().to_str().unwrap().contains("WWW-Authenticate"));
    }
}

/// Attack 44; RFC 6750 §2: one Authorization header, nothing else.
#[actix_web::test]
async fn a_token_anywhere_else_is_no_token() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let token = issuer.token();
    let elsewhere = [
        TestRequest::get().uri(&format!("/mcp?access_token={token}")),
        TestRequest::post().uri("/mcp").set_form([("access_token", &token)]),
        TestRequest::get().uri("/mcp").insert_header(("cookie", format!("access_token={token}"))),
        TestRequest::get().uri("/mcp").insert_header(("x-access-token", token.clone())),
        TestRequest::get().uri("/mcp").insert_header(("proxy-authorization", format!("Bearer {token}"))),
        authorized("Basic YTpi"),
        authorized(&format!("DPoP {token}")),
    ];
    for request in elsewhere {
        let response = ask(&guard, request).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(challenge(&response).parameter("error"), None);
    }
    assert_eq!(ask(&guard, authorized(&format!("Bearer {token}"))).await.status(), StatusCode::OK);
    assert_eq!(ask(&guard, authorized(&format!("bearer {token}"))).await.status(), StatusCode::OK, "schemes have no case");
}

/// RFC 6750 §3.1: invalid_request when a token is malformed or comes in more than one way.
#[actix_web::test]
async fn two_tokens_or_half_a_token_are_an_invalid_request() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let token = issuer.token();
    let twice = TestRequest::get()
        .uri("/mcp")
        .append_header(("authorization", format!("Bearer {token}")))
        .append_header(("authorization", format!("Bearer {token}")));
    for request in
        [twice, authorized("Bearer"), authorized("Bearer  "), authorized(&format!("Bearer {token} {token}")), authorized("Bearer a,b")]
    {
        let response = ask(&guard, request).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(challenge(&response).parameter("error"), Some("invalid_request"));
        assert_eq!(body(response).await["error"], "invalid_request");
    }
}

/// RFC 6750 §3.1: invalid_token, 401; every reason looks the same from outside.
#[actix_web::test]
async fn every_bad_token_gets_the_same_answer() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let mut answers = Vec::new();
    for token in [
        issuer.token_with("aud", json!("https://other.example")),
        issuer.token_with("exp", json!(1)),
        issuer.token_headed("typ", json!("JWT")),
        issuer.token_headed("kid", json!("nobody")),
        "nonsense".to_owned(),
    ] {
        let response = ask(&guard, authorized(&format!("Bearer {token}"))).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        let challenge = challenge(&response);
        assert_eq!((challenge.parameter("error"), challenge.parameter("resource_metadata")), (Some("invalid_token"), Some(METADATA)));
        answers.push((challenge.to_header_value(), body(response).await));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

/// MCP authorization, scope challenge: error, scope, resource_metadata and error_description, all scopes of the operation at once.
#[actix_web::test]
async fn a_step_up_is_complete_in_one_challenge() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let request = |token: &str| TestRequest::post().uri("/write").insert_header(("authorization", format!("Bearer {token}")));
    let response = ask(&guard, request(&issuer.token())).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let challenge = challenge(&response);
    assert_eq!(challenge.parameter("error"), Some("insufficient_scope"));
    assert_eq!(challenge.parameter("scope"), Some("mcp:read mcp:write"));
    assert_eq!(challenge.parameter("resource_metadata"), Some(METADATA));
    assert!(challenge.parameter("error_description").is_some_and(|text| !text.is_empty()));
    assert_eq!(ask(&guard, request(&issuer.token_with("scope", json!("mcp:write mcp:read admin")))).await.status(), StatusCode::OK);
}

/// A transient fault is 503 and never a challenge: clients would throw good tokens away.
#[actix_web::test]
async fn an_outage_is_503_without_a_challenge() {
    let issuer = Issuer::start(Signer::es256()).await;
    let feed = bearer_guard::EndedFeed { url: issuer.url.at("/nowhere"), ..issuer.feed() };
    let guard = issuer.idle_guard(GuardConfig { ended: Some(feed), ..issuer.config() });
    guard.follow();
    let response = ask(&guard, authorized(&format!("Bearer {}", issuer.token()))).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers().get("retry-after").unwrap(), "1");
    assert!(response.headers().get("www-authenticate").is_none());
    assert_eq!(body(response).await["error"], "temporarily_unavailable");
}

/// A handler behind no guard lets nobody in.
#[actix_web::test]
async fn a_forgotten_guard_is_a_mistake_and_not_an_open_door() {
    let app = init_service(App::new().route("/mcp", web::to(whoami))).await;
    let response = call_service(&app, TestRequest::get().uri("/mcp").insert_header(("authorization", "Bearer abc")).to_request()).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
