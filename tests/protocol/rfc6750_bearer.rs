//! RFC 6750: bearer tokens at the one endpoint of the authorization server that takes them, the client configuration endpoint.
//!
//! Bearer tokens at protected resources are the tests of `bearer-guard` and `mcp-server`.

use portico_tests::expect;
use portico_tests::stage::Stage;

/// RFC 6750 §3: a request without a token is challenged, without an error code.
#[actix_web::test]
async fn a_request_without_a_token_is_challenged() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let answer = stage.stranger().get(&format!("/register/{}", app.id)).await;
    assert_eq!(answer.status, 401);
    let challenges = answer.headers_named("www-authenticate");
    assert_eq!(challenges.len(), 1, "{challenges:?}");
    assert!(challenges[0].starts_with("Bearer"), "{challenges:?}");
    assert!(!challenges[0].contains("error="), "{challenges:?}");
}

/// RFC 6750 §3.1: a wrong token is invalid_token with 401.
#[actix_web::test]
async fn a_wrong_token_is_named_in_the_challenge() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let answer = stage.stranger().get(&format!("/register/{}", app.id)).bearer("wrong").await;
    assert_eq!(answer.status, 401);
    assert!(answer.header_or_empty("www-authenticate").contains("error=\"invalid_token\""), "{}", expect::told(&answer));
    expect::logged(&answer, "registration_token_mismatch");
}

/// RFC 6750 §2.3: a token in the query is not looked at.
#[actix_web::test]
async fn a_token_in_the_url_opens_nothing() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let token = app.registration["registration_access_token"].as_str().unwrap();
    let answer = stage.stranger().get(&format!("/register/{}?access_token={token}", app.id)).await;
    assert_eq!(answer.status, 401);
    expect::success(&app.manage("GET").await, 200);
}

/// RFC 6750 §2: the client MUST NOT use more than one method; two headers are two methods.
#[actix_web::test]
async fn two_tokens_are_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let answer = app.manage("GET").bearer("another").await;
    assert!(matches!(answer.status, 400 | 401), "{}", expect::told(&answer));
}

/// RFC 6750 §2.1: the scheme's name is case-insensitive (RFC 9110 §11.1), and another scheme is no bearer token.
#[actix_web::test]
async fn the_scheme_is_bearer_in_any_case() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let token = app.registration["registration_access_token"].as_str().unwrap();
    let path = format!("/register/{}", app.id);
    assert_eq!(stage.stranger().get(&path).header("authorization", format!("bearer {token}")).await.status, 200);
    for scheme in ["Token", "Basic", "DPoP"] {
        assert_eq!(stage.stranger().get(&path).header("authorization", format!("{scheme} {token}")).await.status, 401, "{scheme}");
    }
    assert_eq!(stage.stranger().get(&path).header("authorization", token).await.status, 401);
}

/// RFC 6750 §5.2: an access token is no registration token.
#[actix_web::test]
async fn an_access_token_manages_no_registration() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    for token in [&tokens.access, &tokens.refresh] {
        assert_eq!(stage.stranger().get(&format!("/register/{}", app.id)).bearer(token).await.status, 401);
    }
}
