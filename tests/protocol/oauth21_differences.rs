//! OAuth 2.1 where it differs from OAuth 2.0: what was optional is required, what was dangerous is gone.

use portico_tests::expect;
use portico_tests::people::Tokens;
use portico_tests::stage::{CALLBACK, Stage};
use serde_json::json;

/// OAuth 2.1 §4.1.3: redirect_uri is no longer a parameter of the token request.
#[actix_web::test]
async fn the_token_request_needs_no_redirect_uri() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    Tokens::of(&app.redeem_with(&code, "redirect_uri", "").await);
}

/// OAuth 2.1 §10.1: the implicit grant is gone.
#[actix_web::test]
async fn no_token_comes_through_the_browser() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for mode in ["fragment", "form_post", "query.jwt"] {
        let answer = app.journey().with("response_mode", mode).asks().await;
        assert!(!answer.header_or_empty("location").contains('#'), "{}", expect::told(&answer));
        expect::redirected(&answer, CALLBACK, "invalid_request", "response_mode_unsupported");
    }
    let code = app.journey().with("response_mode", "query").until_code().await;
    Tokens::of(&app.redeem(&code).await);
}

/// OAuth 2.1 §7.5.2: parameters of an error stay in the query, where no fragment survives a redirect.
#[actix_web::test]
async fn an_error_comes_in_the_query() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let answer = app.journey().with("response_type", "token").asks().await;
    expect::redirected(&answer, CALLBACK, "unsupported_response_type", "response_type_unsupported");
    assert!(!answer.location().contains('#'));
}

/// OAuth 2.1 §4.1.1: code_challenge is required of every client.
#[actix_web::test]
async fn nobody_is_excused_from_pkce() {
    let stage = Stage::rise().await;
    for method in ["none", "client_secret_basic", "client_secret_post"] {
        let mut metadata = Stage::usual_registration();
        metadata["token_endpoint_auth_method"] = method.into();
        let app = stage.public_app_from(&metadata).await;
        let answer = app.journey().without("code_challenge").asks().await;
        expect::redirected(&answer, CALLBACK, "invalid_request", "challenge_missing");
    }
}

/// OAuth 2.1 §4.3.1: refresh tokens of public clients are rotated.
#[actix_web::test]
async fn a_public_client_gets_a_new_refresh_token_every_time() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut seen = vec![app.tokens().await.refresh];
    for _ in 0..3 {
        let next = Tokens::of(&app.refresh(seen.last().unwrap()).await).refresh;
        assert!(!seen.contains(&next), "a refresh token came twice");
        seen.push(next);
    }
}

/// OAuth 2.1 §4.1.3: the token endpoint refuses a second use of a code and revokes the tokens of the first.
#[actix_web::test]
async fn the_victim_of_a_stolen_code_takes_the_tokens_from_the_thief() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    // The thief somehow has code and verifier, and is first.
    let thief = Tokens::of(&app.redeem(&code).await);
    let newest = Tokens::of(&app.refresh(&thief.refresh).await);
    expect::refused(&app.redeem(&code).await, "invalid_grant", "code_replayed");
    expect::refused(&app.refresh(&newest.refresh).await, "invalid_grant", "grant_ended");
    assert!(!stage.documents().accepts(&newest.access).await);
}

/// OAuth 2.1 §7.12.2: after the login the browser is sent on with 303, so that no credentials are posted to the client.
#[actix_web::test]
async fn no_password_travels_on_with_the_redirect() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let answer = app.journey().until_answer().await;
    assert_eq!(answer.status, 303, "307 and 308 would repeat the POST at the client");
    assert!(answer.body.len() < 1024, "nothing that a browser would render");
}

/// OAuth 2.1 §4.1.2: the code is bound to client, redirect URI and challenge; it is long and URL-safe.
#[actix_web::test]
async fn a_code_is_long_and_survives_any_url() {
    let stage = Stage::rise().await;
    let code = stage.public_app().await.code().await.code;
    assert!(code.len() >= 43, "{code}");
    assert!(code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)), "{code}");
}

/// OAuth 2.1 §2.3.1: a redirect URI keeps its own query, and the answer is added to it.
#[actix_web::test]
async fn a_redirect_uri_keeps_its_query() {
    let stage = Stage::rise().await;
    let callback = "https://app.example/cb?tenant=a%20b&x=";
    let mut metadata = Stage::usual_registration();
    metadata["redirect_uris"] = json!([callback]);
    let app = stage.public_app_from(&metadata).await;
    let answer = app.journey().until_answer().await;
    assert!(answer.location().starts_with(&format!("{callback}&")), "{}", answer.location());
    assert_eq!(expect::one(&answer.location_query(), "tenant"), "a b");
    let code = app.journey().code_of(&answer);
    Tokens::of(&app.redeem(&code).await);
}
