//! RFC 7009: a client hands back what it no longer needs.

use portico_tests::people::Tokens;
use portico_tests::stage::Stage;
use portico_tests::{expect, log};

/// RFC 7009 §2.1: revoking a refresh token ends the grant behind it, access tokens included.
#[actix_web::test]
async fn a_refresh_token_handed_back_ends_everything_of_its_grant() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    assert_eq!(app.revoke(&tokens.refresh).await.status, 200);
    assert!(!stage.documents().accepts(&tokens.access).await);
    expect::refused(&app.refresh(&tokens.refresh).await, "invalid_grant", "grant_ended");
}

/// RFC 7009 §2.1: revoking an access token ends that token; the grant lives on.
#[actix_web::test]
async fn an_access_token_handed_back_ends_alone() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let first = app.tokens().await;
    let second = Tokens::of(&app.refresh(&first.refresh).await);
    assert_eq!(app.revoke(&first.access).await.status, 200);
    assert!(!stage.documents().accepts(&first.access).await);
    assert!(stage.documents().accepts(&second.access).await);
    Tokens::of(&app.refresh(&second.refresh).await);
}

/// RFC 7009 §2.2: an invalid token is answered with 200 as well.
#[actix_web::test]
async fn an_unknown_token_is_answered_like_a_known_one() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    let known = app.revoke(&tokens.refresh).await;
    for unknown in ["garbage", "prt_AAAA", "a.b.c", tokens.refresh.as_str()] {
        let answer = app.revoke(unknown).await;
        assert_eq!((answer.status, &answer.body), (200, &known.body), "{unknown}");
    }
}

/// RFC 7009 §2.1: a token of another client is not revoked.
#[actix_web::test]
async fn a_token_of_another_client_lives_on() {
    let stage = Stage::rise().await;
    let (app, other) = (stage.public_app().await, stage.confidential_app("client_secret_basic").await);
    let tokens = app.tokens().await;
    for token in [&tokens.access, &tokens.refresh] {
        let answer = other.revoke(token).await;
        assert_eq!(answer.status, 200, "nobody learns that it exists");
        let is_told = log::lines_of(answer.reference()).iter().any(|line| line.text().contains("not_the_tokens_client"));
        assert!(is_told, "the operator is not told");
    }
    assert!(stage.documents().accepts(&tokens.access).await);
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

/// RFC 7009 §2.1: the client authenticates as at the token endpoint.
#[actix_web::test]
async fn who_cannot_prove_itself_revokes_nothing() {
    let stage = Stage::rise().await;
    let app = stage.confidential_app("client_secret_basic").await;
    let tokens = app.tokens().await;
    let wrong = stage.stranger().post("/revoke", &[("token", &tokens.refresh)]).basic(&app.id, "wrong").await;
    expect::refused(&wrong, "invalid_client", "secret_mismatch");
    let nobody = stage.stranger().post("/revoke", &[("token", &tokens.refresh)]).await;
    assert_eq!((nobody.status, nobody.json()["error"].as_str()), (401, Some("invalid_client")));
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

/// RFC 7009 §2.1: token is REQUIRED.
#[actix_web::test]
async fn a_revocation_of_nothing_is_invalid() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    expect::refused(&app.request("/revoke", &[("token_type_hint", "refresh_token")]).await, "invalid_request", "parameter_missing");
}

/// RFC 7009 §2.1: the hint is only a hint; a wrong one does not save a token.
#[actix_web::test]
async fn a_wrong_hint_does_not_save_a_token() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for hint in ["access_token", "nonsense"] {
        let tokens = app.tokens().await;
        let answer = app.request("/revoke", &[("token", tokens.refresh.as_str()), ("token_type_hint", hint)]).await;
        assert_eq!(answer.status, 200);
        expect::refused(&app.refresh(&tokens.refresh).await, "invalid_grant", "grant_ended");
    }
}

/// RFC 7009 §2: the endpoint takes POST.
#[actix_web::test]
async fn a_link_cannot_revoke() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    let target = format!("/revoke?client_id={}&token={}", app.id, tokens.refresh);
    assert_eq!(stage.stranger().get(&target).await.status, 405);
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

/// RFC 7009 §2.1: a code that was redeemed by a grant since revoked gives nothing more.
#[actix_web::test]
async fn a_revoked_grant_is_not_revived_by_its_code() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    assert_eq!(app.revoke(&tokens.refresh).await.status, 200);
    assert_eq!(app.redeem(&code).await.json()["error"], "invalid_grant");
}
