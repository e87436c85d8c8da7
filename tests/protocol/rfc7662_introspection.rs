//! RFC 7662: a resource asks whether a token is good, and learns nothing about tokens that are not its own.

use oauth_types::Ttl;
use portico_tests::expect;
use portico_tests::people::Tokens;
use portico_tests::stage::{BEGINNING, DOCUMENTS, ISSUER, Stage};
use serde_json::json;

/// RFC 7662 §2.2: an active token is described.
#[actix_web::test]
async fn a_resource_learns_what_its_token_says() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    let answer = stage.documents().introspect(&tokens.access).await;
    expect::no_store(&answer);
    let body = expect::ok(&answer);
    assert_eq!(body["active"], true);
    assert_eq!(body["iss"], ISSUER);
    assert_eq!(body["aud"], DOCUMENTS);
    assert_eq!(body["client_id"], app.id);
    assert_eq!(body["scope"], "mcp:read");
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!((&body["iat"], &body["exp"]), (&BEGINNING.0.into(), &(BEGINNING.0 + 600).into()));
    assert!(body["sub"].is_string() && body["jti"].is_string());
}

/// RFC 7662 §2.1: the endpoint MUST require authorization.
#[actix_web::test]
async fn a_stranger_may_not_ask() {
    let stage = Stage::rise().await;
    let tokens = stage.public_app().await.tokens().await;
    let stranger = stage.stranger();
    let answer = stranger.post("/introspect", &[("token", &tokens.access)]).await;
    assert_eq!((answer.status, &answer.json()["error"]), (401, &json!("invalid_client")));
    let wrong = stranger.post("/introspect", &[("token", &tokens.access)]).basic("documents", "wrong").await;
    expect::refused(&wrong, "invalid_client", "secret_mismatch");
    assert!(wrong.header_or_empty("www-authenticate").starts_with("Basic"));
    // §2.1: the token itself is no permission to ask about it.
    let by_bearer = stranger.post("/introspect", &[("token", &tokens.access)]).bearer(&tokens.access).await;
    assert_eq!(by_bearer.status, 401);
}

/// RFC 7662 §2.1: a confidential client may ask about its own tokens and learns nothing about others.
#[actix_web::test]
async fn a_client_learns_only_about_its_own_tokens() {
    let stage = Stage::rise().await;
    let (app, other) = (stage.confidential_app("client_secret_basic").await, stage.confidential_app("client_secret_post").await);
    let (own, foreign) = (app.tokens().await, other.tokens().await);
    assert_eq!(expect::ok(&app.request("/introspect", &[("token", &own.access)]).await)["active"], true);
    for token in [&foreign.access, &foreign.refresh] {
        assert_eq!(expect::ok(&app.request("/introspect", &[("token", token)]).await), json!({ "active": false }));
    }
}

/// RFC 7662 §2.1: naming oneself is no authorization, so a public client may not ask.
#[actix_web::test]
async fn a_public_client_may_not_ask() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    expect::refused(&app.request("/introspect", &[("token", &tokens.access)]).await, "invalid_client", "not_a_resource_server");
}

/// RFC 7662 §2.2: a token that is not for the asking resource is inactive, with no other member.
#[actix_web::test]
async fn a_resource_learns_nothing_about_tokens_of_another() {
    let stage = Stage::rise().await;
    let tokens = stage.public_app().await.tokens().await;
    assert_eq!(expect::ok(&stage.notes().introspect(&tokens.access).await), json!({ "active": false }));
}

/// RFC 7662 §2.2: what is not an access token is inactive: refresh tokens, codes, garbage.
#[actix_web::test]
async fn everything_else_is_inactive() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    let forged = {
        let (front, signature) = tokens.access.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        format!("{front}.{first}{}", &signature[1..])
    };
    for token in [&tokens.refresh, &code.code, &forged, "garbage", "a.b.c", "e30.e30.", &"x".repeat(8000)] {
        assert_eq!(expect::ok(&stage.documents().introspect(token).await), json!({ "active": false }), "{token}");
    }
}

/// RFC 7662 §2.2: an expired token is inactive.
#[actix_web::test]
async fn an_expired_token_is_inactive() {
    let stage = Stage::rise().await;
    let tokens = stage.public_app().await.tokens().await;
    stage.advance(Ttl(599));
    assert!(stage.documents().accepts(&tokens.access).await);
    stage.advance(Ttl(2));
    assert_eq!(expect::ok(&stage.documents().introspect(&tokens.access).await), json!({ "active": false }));
}

/// RFC 7662 §2.1: the token comes in a POST body, never in a URL.
#[actix_web::test]
async fn a_token_in_the_url_is_not_asked_about() {
    let stage = Stage::rise().await;
    let tokens = stage.public_app().await.tokens().await;
    let target = format!("/introspect?token={}", tokens.access);
    let documents = stage.documents();
    assert_eq!(stage.stranger().get(&target).basic(&documents.id, &documents.secret).await.status, 405);
}

/// RFC 7662 §2.1: token is REQUIRED.
#[actix_web::test]
async fn a_question_about_nothing_is_invalid() {
    let stage = Stage::rise().await;
    let documents = stage.documents();
    let answer = stage.stranger().post("/introspect", &[("token_type_hint", "access_token")]).basic(&documents.id, &documents.secret).await;
    expect::refused(&answer, "invalid_request", "parameter_missing");
}

/// RFC 7662 §2.1: a hint that is wrong or unknown changes nothing.
#[actix_web::test]
async fn a_hint_is_only_a_hint() {
    let stage = Stage::rise().await;
    let tokens = stage.public_app().await.tokens().await;
    let documents = stage.documents();
    for hint in ["refresh_token", "access_token", "nonsense"] {
        let pairs = [("token", tokens.access.as_str()), ("token_type_hint", hint)];
        let answer = stage.stranger().post("/introspect", &pairs).basic(&documents.id, &documents.secret).await;
        assert_eq!(expect::ok(&answer)["active"], true, "{hint}");
    }
}

/// RFC 6749 §2.3: a resource's credentials open no other door.
#[actix_web::test]
async fn a_resource_is_no_client() {
    let stage = Stage::rise().await;
    let documents = stage.documents();
    let tokens = stage.public_app().await.tokens().await;
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
    let answer = stage.stranger().post("/token", &pairs).basic(&documents.id, &documents.secret).await;
    assert!(
        matches!(answer.json()["error"].as_str(), Some("unauthorized_client" | "invalid_grant" | "invalid_client")),
        "{}",
        expect::told(&answer)
    );
    let asked = stage.public_app().await.journey().with("client_id", &documents.id).asks().await;
    assert_eq!((asked.status, asked.header("location")), (400, None));
    assert!(stage.documents().accepts(&tokens.access).await);
}
