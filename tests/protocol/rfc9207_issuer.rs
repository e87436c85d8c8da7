//! RFC 9207: every answer that comes through the browser says who gave it.

use portico_tests::expect;
use portico_tests::stage::{CALLBACK, ISSUER, Stage};

/// RFC 9207 §2: iss is in the successful response, once, with the issuer of the metadata.
#[actix_web::test]
async fn a_code_says_who_gave_it() {
    let stage = Stage::rise().await;
    let code = stage.public_app().await.code().await;
    assert_eq!(expect::one(&code.query, "iss"), ISSUER);
    let metadata = expect::ok(&stage.stranger().get("/.well-known/oauth-authorization-server").await);
    assert_eq!(metadata["issuer"], ISSUER);
    expect::one(&code.query, "code");
    expect::one(&code.query, "state");
}

/// RFC 9207 §2: iss is in error responses as well.
#[actix_web::test]
async fn every_refusal_says_who_gave_it() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let refusals = [
        ("invalid_request", "challenge_missing", app.journey().without("code_challenge")),
        ("invalid_request", "parameter_missing", app.journey().without("response_type")),
        ("unsupported_response_type", "response_type_unsupported", app.journey().with("response_type", "token")),
        ("invalid_scope", "scope_malformed", app.journey().with("scope", "a\"b")),
        ("invalid_target", "resource_unknown", app.journey().with("resource", "https://other.example/mcp")),
        ("invalid_request", "parameter_repeated", app.journey().and("response_type", "code")),
        ("request_not_supported", "request_unsupported", app.journey().and("request", "e30.e30.")),
        ("request_uri_not_supported", "request_uri_unsupported", app.journey().and("request_uri", "urn:x")),
        ("login_required", "login_required", app.journey().and("prompt", "none")),
    ];
    for (code, reason, mut journey) in refusals {
        let query = expect::redirected(&journey.asks().await, CALLBACK, code, reason);
        assert_eq!(expect::one(&query, "iss"), ISSUER, "{code}");
    }
    let denied = app.journey().until_denied().await;
    let query = expect::redirected(&denied, CALLBACK, "access_denied", "refused_by_person");
    assert_eq!(expect::one(&query, "iss"), ISSUER);
}

/// RFC 9207 §2.3: a server that sends iss advertises it.
#[actix_web::test]
async fn the_metadata_promises_the_issuer() {
    let stage = Stage::rise().await;
    let metadata = expect::ok(&stage.stranger().get("/.well-known/oauth-authorization-server").await);
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
}

/// RFC 9207 §2.4: clients compare the issuer as a string, so it never depends on how the request came in.
#[actix_web::test]
async fn the_issuer_does_not_follow_forwarded_headers() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey().without("code_challenge");
    let target = journey.target();
    let request = journey.browser().dressed("GET", &target);
    let answer = request
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-prefix", "/evil")
        .header("forwarded", "host=evil.example;proto=http")
        .await;
    let query = expect::redirected(&answer, CALLBACK, "invalid_request", "challenge_missing");
    assert_eq!(expect::one(&query, "iss"), ISSUER);
}
