//! RFC 8707: a token is for one resource, named when it is asked for, and for no other.

use portico_tests::people::Tokens;
use portico_tests::stage::{CALLBACK, DOCUMENTS, NOTES, Stage};
use portico_tests::{expect, jwt};

/// RFC 8707 §2.2: the audience of the token is the resource that was asked for.
#[actix_web::test]
async fn a_token_is_for_the_resource_that_was_asked_for() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.journey().with("resource", NOTES).until_code().await;
    let tokens = Tokens::of(&app.redeem_with(&code, "resource", NOTES).await);
    assert_eq!(jwt::unverified(&tokens.access).claims["aud"], NOTES);
    assert_eq!(tokens.scope, "notes:read", "the default scope of that resource");
    assert!(stage.notes().accepts(&tokens.access).await);
    assert!(!stage.documents().accepts(&tokens.access).await);
}

/// RFC 8707 §2: without a resource the server may use a default, never all of them.
#[actix_web::test]
async fn no_resource_means_the_first_and_not_any() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    assert_eq!(jwt::unverified(&tokens.access).claims["aud"], DOCUMENTS);
    assert!(!stage.notes().accepts(&tokens.access).await);
}

/// MCP 2025-11-25 Canonical Server URI: both slash forms and any host case name the same resource; one audience is stored.
#[actix_web::test]
async fn a_resource_has_one_canonical_form() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for form in ["https://portico.test/mcp/", "HTTPS://PORTICO.TEST/mcp", "https://portico.test:443/mcp"] {
        let code = app.journey().with("resource", form).until_code().await;
        let tokens = Tokens::of(&app.redeem_with(&code, "resource", form).await);
        assert_eq!(jwt::unverified(&tokens.access).claims["aud"], DOCUMENTS, "{form}");
    }
}

/// RFC 8707 §2: a resource that the server does not know is invalid_target.
#[actix_web::test]
async fn an_unknown_resource_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for unknown in ["https://other.example/mcp", "https://portico.test/MCP", "https://portico.test/mcp2", "https://portico.test/mcp?x=1"] {
        expect::redirected(&app.journey().with("resource", unknown).asks().await, CALLBACK, "invalid_target", "resource_unknown");
    }
}

/// RFC 8707 §2: the value MUST be an absolute URI and MUST NOT include a fragment.
#[actix_web::test]
async fn a_malformed_resource_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for malformed in ["https://portico.test/mcp#part", "/mcp", "mcp", "https://", "urn:x:y", "not a uri"] {
        expect::redirected(&app.journey().with("resource", malformed).asks().await, CALLBACK, "invalid_target", "resource_malformed");
    }
}

/// RFC 8707 §2.2: the token request may not name a resource that was not granted.
#[actix_web::test]
async fn a_code_is_not_redeemed_for_another_resource() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.journey().with("resource", DOCUMENTS).until_code().await;
    for other in [NOTES, "https://other.example/mcp"] {
        expect::refused(&app.redeem_with(&code, "resource", other).await, "invalid_target", "resource_not_granted");
    }
    Tokens::of(&app.redeem_with(&code, "resource", DOCUMENTS).await);
}

/// RFC 8707 §2.2: a code without resource in the token request keeps the one of the authorization request.
#[actix_web::test]
async fn the_token_request_may_leave_the_resource_out() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.journey().with("resource", NOTES).until_code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    assert_eq!(jwt::unverified(&tokens.access).claims["aud"], NOTES);
}

/// RFC 8707 §2.2: the resource is kept through a refresh, named again or not.
#[actix_web::test]
async fn a_refresh_keeps_the_resource() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.journey().with("resource", NOTES).until_code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    let unnamed = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert_eq!(jwt::unverified(&unnamed.access).claims["aud"], NOTES);
    let named = Tokens::of(&app.refresh_with(&unnamed.refresh, &[("resource", "https://portico.test/notes/mcp/")]).await);
    assert_eq!(jwt::unverified(&named.access).claims["aud"], NOTES);
}

/// RFC 8707 §2.2: a refresh cannot move a grant to another resource.
#[actix_web::test]
async fn a_refresh_for_another_resource_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    expect::refused(&app.refresh_with(&tokens.refresh, &[("resource", NOTES)]).await, "invalid_target", "resource_not_granted");
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

/// RFC 8707 §2: two resources ask for a token that both accept; Portico makes none.
#[actix_web::test]
async fn two_resources_at_once_are_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let asked = app.journey().and("resource", DOCUMENTS).and("resource", NOTES).asks().await;
    expect::redirected(&asked, CALLBACK, "invalid_target", "resource_several");
    let code = app.code().await;
    let mut pairs = app.redemption(&code);
    pairs.extend([DOCUMENTS, NOTES].map(|uri| ("resource".to_owned(), uri.to_owned())));
    expect::refused(&app.token_request(&pairs).await, "invalid_target", "resource_several");
    Tokens::of(&app.redeem(&code).await);
}

/// RFC 8707 §3: scopes belong to the resource that was asked for.
#[actix_web::test]
async fn scopes_of_another_resource_are_not_granted() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.journey().with("resource", NOTES).with("scope", "notes:write mcp:write").until_code().await;
    assert_eq!(Tokens::of(&app.redeem(&code).await).scope, "notes:write");
}
