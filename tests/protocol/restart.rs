//! Nothing that another replica or a restart needs lives in one process's memory (decision 2).

use std::path::{Path, PathBuf};

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

/// Portico 11a: a generation above the row's means that rotations were lost, as by a restored backup. It is refused, and nothing ends.
#[actix_web::test]
async fn after_a_restored_backup_newer_tokens_are_refused_and_the_grant_lives() {
    let mut stage = Stage::rise().await;
    let app = stage.public_app().await;
    let known = app.tokens().await;
    let backup = tempfile::tempdir().unwrap();
    stage.restarts_after(|folder| copy_databases(folder, backup.path())).await;
    let lost = Tokens::of(&app.refresh(&known.refresh).await);
    let newest = Tokens::of(&app.refresh(&lost.refresh).await);
    stage.restarts_after(|folder| copy_databases(backup.path(), folder)).await;
    for token in [&newest.refresh, &lost.refresh] {
        expect::refused(&app.refresh(token).await, "invalid_grant", "rotation_lost");
    }
    Tokens::of(&app.refresh(&known.refresh).await);
}

/// Puts the database files of one folder into another, in place of those that are there.
fn copy_databases(from: &Path, to: &Path) {
    let databases = |folder: &Path| -> Vec<PathBuf> {
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".db"))).collect()
    };
    databases(to).iter().for_each(|path| std::fs::remove_file(path).unwrap());
    let found = databases(from);
    assert!(!found.is_empty(), "there are databases to copy");
    for path in found {
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// RFC 6749 §5.2, lesson: a database that gives no answer is an outage, never the end of somebody's grant.
#[actix_web::test]
async fn a_database_that_gives_no_answer_is_an_outage() {
    let mut stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (code, tokens) = (app.code().await, app.tokens().await);
    stage.app().close().await;
    for answer in [app.refresh(&tokens.refresh).await, app.redeem(&code).await] {
        expect::refused(&answer, "temporarily_unavailable", "unavailable");
    }
    stage.restarts().await;
    Tokens::of(&app.refresh(&tokens.refresh).await);
    Tokens::of(&app.redeem(&code).await);
}
