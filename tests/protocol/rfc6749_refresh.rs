//! RFC 6749 §6: a refresh token keeps a permission alive without the person.

use oauth_types::Ttl;
use portico_tests::people::Tokens;
use portico_tests::stage::Stage;
use portico_tests::{expect, wire};

/// RFC 6749 §6: a valid refresh token gives a new access token, and a new refresh token when it rotates.
#[actix_web::test]
async fn a_refresh_token_gives_new_tokens() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let first = app.tokens().await;
    let answer = app.refresh(&first.refresh).await;
    expect::no_store(&answer);
    let second = Tokens::of(&answer);
    assert_ne!(second.access, first.access);
    assert!(!second.refresh.is_empty() && second.refresh != first.refresh, "a client that keeps the old one is lost");
    assert_eq!(second.scope, first.scope);
    assert!(stage.documents().accepts(&second.access).await);
}

/// RFC 6749 §6: a long line of refreshes stays one permission.
#[actix_web::test]
async fn refreshing_works_again_and_again() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut tokens = app.tokens().await;
    for _ in 0..10 {
        stage.advance(Ttl(500));
        tokens = Tokens::of(&app.refresh(&tokens.refresh).await);
        assert!(stage.documents().accepts(&tokens.access).await);
    }
}

/// RFC 6749 §6: an omitted scope is the scope that was granted.
#[actix_web::test]
async fn no_scope_at_refresh_means_the_granted_one() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.journey().with("scope", "mcp:read mcp:write").until_code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    let again = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert_eq!(again.scope, tokens.scope);
    assert_eq!(Tokens::of(&app.refresh_with(&again.refresh, &[("scope", "")]).await).scope, tokens.scope);
}

/// RFC 6749 §6: the access token may be narrowed; the new refresh token keeps the whole scope.
#[actix_web::test]
async fn a_narrower_access_token_does_not_narrow_the_grant() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.journey().with("scope", "mcp:read mcp:write").until_code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    let narrow = Tokens::of(&app.refresh_with(&tokens.refresh, &[("scope", "mcp:read")]).await);
    assert_eq!(narrow.scope, "mcp:read");
    assert_eq!(Tokens::of(&app.refresh(&narrow.refresh).await).scope, tokens.scope);
}

/// RFC 6749 §6: the requested scope MUST NOT include any scope not originally granted.
#[actix_web::test]
async fn a_wider_scope_at_refresh_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    for wider in ["mcp:read mcp:write", "mcp:write", "notes:read", "admin"] {
        expect::refused(&app.refresh_with(&tokens.refresh, &[("scope", wider)]).await, "invalid_scope", "scope_wider");
    }
    assert_eq!(Tokens::of(&app.refresh(&tokens.refresh).await).scope, "mcp:read");
}

/// RFC 6749 §6: offline_access beside the granted scope is no wider scope (rmcp adds it).
#[actix_web::test]
async fn offline_access_at_refresh_is_ignored() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    let again = Tokens::of(&app.refresh_with(&tokens.refresh, &[("scope", "mcp:read offline_access")]).await);
    assert!(again.scope.split(' ').any(|token| token == "mcp:read"));
}

/// RFC 6749 §6: the refresh token is bound to the client to which it was issued.
#[actix_web::test]
async fn a_refresh_token_of_another_client_is_refused_and_lives_on() {
    let stage = Stage::rise().await;
    let (app, thief) = (stage.public_app().await, stage.public_app().await);
    let tokens = app.tokens().await;
    expect::refused(&thief.refresh(&tokens.refresh).await, "invalid_grant", "client_mismatch");
    assert!(stage.documents().accepts(&tokens.access).await);
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

/// RFC 6749 §6: a confidential client MUST authenticate to refresh.
#[actix_web::test]
async fn a_confidential_client_refreshes_only_with_its_secret() {
    let stage = Stage::rise().await;
    let app = stage.confidential_app("client_secret_post").await;
    let tokens = app.tokens().await;
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh), ("client_id", &app.id)];
    expect::refused(&stage.stranger().post("/token", &pairs).await, "invalid_client", "secret_missing");
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

/// RFC 6749 §5.2: an invalid refresh token is invalid_grant.
#[actix_web::test]
async fn what_is_no_refresh_token_does_not_refresh() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    let flipped = {
        let last = if tokens.refresh.ends_with('A') { 'B' } else { 'A' };
        format!("{}{last}", &tokens.refresh[..tokens.refresh.len() - 1])
    };
    for wrong in ["x", "prt_", "prt_AAAAAAAA", &tokens.access, &code.code, &flipped, &"A".repeat(400)] {
        expect::refused(&app.refresh(wrong).await, "invalid_grant", "refresh_malformed");
    }
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

/// RFC 6749 §6: refresh_token is required.
#[actix_web::test]
async fn a_refresh_without_a_token_is_invalid() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    expect::refused(&app.token_request(&[("grant_type", "refresh_token")]).await, "invalid_request", "parameter_missing");
}

/// RFC 6749 §3.2: a repeated refresh_token is refused and not used.
#[actix_web::test]
async fn two_refresh_tokens_in_one_request_are_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    let answer = app.refresh_with(&tokens.refresh, &[("refresh_token", &tokens.refresh)]).await;
    expect::refused(&answer, "invalid_request", "parameter_repeated");
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

/// RFC 9700 §4.14.2: a refresh token expires when it has not been used for some time.
#[actix_web::test]
async fn a_refresh_token_sleeps_thirty_days_and_no_longer() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (used, forgotten) = (app.tokens().await, app.tokens().await);
    stage.advance(Ttl::days(30) - Ttl(1));
    let used = Tokens::of(&app.refresh(&used.refresh).await);
    stage.advance(Ttl(2));
    expect::refused(&app.refresh(&forgotten.refresh).await, "invalid_grant", "refresh_expired");
    Tokens::of(&app.refresh(&used.refresh).await);
}

/// RFC 9700 §4.14.2: a permission ends at last, however often it is refreshed.
#[actix_web::test]
async fn a_grant_lives_ninety_days_in_all() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut tokens = app.tokens().await;
    for _ in 0..4 {
        stage.advance(Ttl::days(22));
        tokens = Tokens::of(&app.refresh(&tokens.refresh).await);
    }
    stage.advance(Ttl::days(2) + Ttl(1));
    expect::refused(&app.refresh(&tokens.refresh).await, "invalid_grant", "refresh_expired");
}

/// RFC 6749 §1.5: what a disabled person allowed is refreshed no more.
#[actix_web::test]
async fn a_disabled_person_keeps_no_connection() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    stage.operator().disables("alice").await;
    expect::refused(&app.refresh(&tokens.refresh).await, "invalid_grant", "subject_disabled");
    assert!(!stage.documents().accepts(&tokens.access).await);
}

/// RFC 6749 §6: the token endpoint answers a refresh with 200 or an error in JSON, never with a redirect or a page.
#[actix_web::test]
async fn a_refresh_never_leads_to_a_page() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", &app.id)];
    let request = stage.stranger().request("POST", "/token").header("accept", "text/html");
    let answer = request.content("application/x-www-form-urlencoded", wire::form_text(&pairs)).await;
    expect::refused(&answer, "invalid_grant", "refresh_malformed");
}
