//! Nothing that another replica or a restart needs lives in one process's memory (decision 2).

use oauth_types::Ttl;
use portico_tests::expect;
use portico_tests::people::Tokens;
use portico_tests::stage::Stage;
use serde_json::json;

/// Portico decision 2: a flow in progress is finished after a restart.
#[actix_web::test]
async fn a_flow_survives_a_restart() {
    let mut stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    stage.restarts().await;
    let answer = journey.browser().says_yes(&page, &path).await;
    let answer = journey.browser().agrees_until_the_end(answer, path).await;
    Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
}

/// Portico decision 2: codes, tokens, clients and keys are found again.
#[actix_web::test]
async fn what_was_given_is_good_after_a_restart() {
    let mut stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (code, tokens, ended) = (app.code().await, app.tokens().await, app.tokens().await);
    app.revoke(&ended.refresh).await;
    let keys = stage.key_set().await;
    stage.restarts().await;
    assert_eq!(stage.key_set().await, keys);
    assert!(stage.documents().accepts(&tokens.access).await);
    assert!(!stage.documents().accepts(&ended.access).await, "an ending is forgotten");
    Tokens::of(&app.redeem(&code).await);
    Tokens::of(&app.refresh(&tokens.refresh).await);
    expect::success(&app.manage("GET").await, 200);
}

/// Portico decision 2: a signed-in browser and what it allowed are remembered.
#[actix_web::test]
async fn a_session_survives_a_restart() {
    let mut stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["redirect_uris"] = json!(["https://claude.ai/api/mcp/auth_callback"]);
    let app = stage.public_app_from(&metadata).await;
    let mut journey = app.journey();
    journey.until_code().await;
    stage.restarts().await;
    app.journey().with("prompt", "none").in_browser(journey.into_browser()).until_code().await;
}

/// Portico decision 4: a lost answer is given again after a restart, and a replay is still seen.
#[actix_web::test]
async fn the_overlap_survives_a_restart() {
    let mut stage = Stage::rise().await;
    let app = stage.public_app().await;
    let old = app.tokens().await;
    let successor = Tokens::of(&app.refresh(&old.refresh).await);
    stage.restarts().await;
    assert_eq!(Tokens::of(&app.refresh(&old.refresh).await).refresh, successor.refresh);
    stage.advance(Ttl(121));
    expect::refused(&app.refresh(&old.refresh).await, "invalid_grant", "refresh_reused");
}

/// Portico decision 2: the tombstone of a code outlives the process that made it.
#[actix_web::test]
async fn a_used_code_is_used_after_a_restart() {
    let mut stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    Tokens::of(&app.redeem(&code).await);
    stage.restarts().await;
    expect::refused(&app.redeem(&code).await, "invalid_grant", "code_replayed");
}
