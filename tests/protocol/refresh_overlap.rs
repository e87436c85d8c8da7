//! Decision 4 of the architecture, sentence by sentence: rotation that survives a lost answer.
//!
//! Real clients refresh twice at once, from several processes or after a lost answer. FlowFuse's review (pull 8273) found
//! two traps in the obvious repair; both have their test here, by name.

use oauth_types::Ttl;
use portico_tests::expect;
use portico_tests::people::Tokens;
use portico_tests::stage::Stage;

/// Portico decision 4: a rotated refresh token keeps working until its successor is first used.
#[actix_web::test]
async fn a_lost_answer_is_given_again() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    let lost = Tokens::of(&app.refresh(&tokens.refresh).await);
    stage.advance(Ttl(119));
    let found = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert_eq!(found.refresh, lost.refresh, "one line of descent, never two");
    assert_ne!(found.access, lost.access, "the access token is fresh");
}

/// Portico decision 4: each such use returns the same successor, however often.
#[actix_web::test]
async fn every_retry_gets_the_same_successor() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    let first = Tokens::of(&app.refresh(&tokens.refresh).await);
    for _ in 0..5 {
        assert_eq!(Tokens::of(&app.refresh(&tokens.refresh).await).refresh, first.refresh);
    }
    Tokens::of(&app.refresh(&first.refresh).await);
}

/// Portico decision 4 (the first trap of FlowFuse pull 8273): the loser's call does not kill the winner's access token.
#[actix_web::test]
async fn the_winners_access_token_survives_the_losers_call() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    let winner = Tokens::of(&app.refresh(&tokens.refresh).await);
    let loser = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert!(stage.documents().accepts(&winner.access).await);
    assert!(stage.documents().accepts(&loser.access).await);
    assert!(stage.documents().accepts(&tokens.access).await, "nobody else's token dies of it");
}

/// Portico decision 4 (the second trap of FlowFuse pull 8273): the loser gets a refresh token that carries it into the next cycle.
#[actix_web::test]
async fn the_loser_of_a_race_can_refresh_in_the_next_cycle() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    Tokens::of(&app.refresh(&tokens.refresh).await);
    let loser = Tokens::of(&app.refresh(&tokens.refresh).await);
    stage.advance(Ttl::minutes(9));
    let next = Tokens::of(&app.refresh(&loser.refresh).await);
    assert!(stage.documents().accepts(&next.access).await);
}

/// Portico decision 4: at most refresh.overlap seconds; later use is a replay and ends the grant.
#[actix_web::test]
async fn a_token_replayed_after_the_overlap_ends_the_grant() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let old = app.tokens().await;
    let current = Tokens::of(&app.refresh(&old.refresh).await);
    stage.advance(Ttl(121));
    expect::refused(&app.refresh(&old.refresh).await, "invalid_grant", "refresh_reused");
    assert!(!stage.documents().accepts(&current.access).await);
    expect::refused(&app.refresh(&current.refresh).await, "invalid_grant", "grant_ended");
}

/// Portico decision 4: the successor's first use closes the overlap; the rotated token is a replay from then on.
#[actix_web::test]
async fn a_token_replayed_after_its_successor_was_used_ends_the_grant() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let old = app.tokens().await;
    let middle = Tokens::of(&app.refresh(&old.refresh).await);
    let newest = Tokens::of(&app.refresh(&middle.refresh).await);
    expect::refused(&app.refresh(&old.refresh).await, "invalid_grant", "refresh_reused");
    expect::refused(&app.refresh(&newest.refresh).await, "invalid_grant", "grant_ended");
    assert!(!stage.documents().accepts(&newest.access).await);
}

/// Portico decision 4: a replay ends only its own grant.
#[actix_web::test]
async fn a_replay_leaves_other_grants_of_the_same_client_alone() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (old, neighbour) = (app.tokens().await, app.tokens().await);
    Tokens::of(&app.refresh(&old.refresh).await);
    stage.advance(Ttl(121));
    expect::refused(&app.refresh(&old.refresh).await, "invalid_grant", "refresh_reused");
    assert!(stage.documents().accepts(&neighbour.access).await);
    Tokens::of(&app.refresh(&neighbour.refresh).await);
}

/// Portico decision 4: only the grant's own client can end it by a replay.
#[actix_web::test]
async fn another_client_cannot_end_a_grant_by_a_replay() {
    let stage = Stage::rise().await;
    let (app, thief) = (stage.public_app().await, stage.public_app().await);
    let old = app.tokens().await;
    let current = Tokens::of(&app.refresh(&old.refresh).await);
    expect::refused(&thief.refresh(&old.refresh).await, "invalid_grant", "client_mismatch");
    stage.advance(Ttl(121));
    expect::refused(&thief.refresh(&old.refresh).await, "invalid_grant", "client_mismatch");
    assert!(stage.documents().accepts(&current.access).await);
    Tokens::of(&app.refresh(&current.refresh).await);
}

/// Portico decision 4: refresh.overlap = 0 is strict rotation.
#[actix_web::test]
async fn an_overlap_of_zero_is_strict() {
    let stage = Stage::with("refresh.overlap", "\"0s\"").rise().await;
    let app = stage.public_app().await;
    let old = app.tokens().await;
    let current = Tokens::of(&app.refresh(&old.refresh).await);
    expect::refused(&app.refresh(&old.refresh).await, "invalid_grant", "refresh_reused");
    expect::refused(&app.refresh(&current.refresh).await, "invalid_grant", "grant_ended");
}

/// Portico decision 4: the overlap is a setting.
#[actix_web::test]
async fn the_overlap_is_as_long_as_it_was_set() {
    let stage = Stage::with("refresh.overlap", "\"10s\"").rise().await;
    let app = stage.public_app().await;
    let old = app.tokens().await;
    Tokens::of(&app.refresh(&old.refresh).await);
    stage.advance(Ttl(9));
    Tokens::of(&app.refresh(&old.refresh).await);
    stage.advance(Ttl(2));
    expect::refused(&app.refresh(&old.refresh).await, "invalid_grant", "refresh_reused");
}

/// Portico decision 4: at most refresh.overlap_answers a rotation; above that invalid_grant, without an ending.
#[actix_web::test]
async fn too_many_retries_are_refused_and_end_nothing() {
    let stage = Stage::with("refresh.overlap_answers", "2").rise().await;
    let app = stage.public_app().await;
    let old = app.tokens().await;
    let current = Tokens::of(&app.refresh(&old.refresh).await);
    for _ in 0..2 {
        Tokens::of(&app.refresh(&old.refresh).await);
    }
    expect::refused(&app.refresh(&old.refresh).await, "invalid_grant", "overlap_exhausted");
    assert!(stage.documents().accepts(&current.access).await);
    let next = Tokens::of(&app.refresh(&current.refresh).await);
    // The count belongs to one rotation: the next one has answers of its own.
    Tokens::of(&app.refresh(&current.refresh).await);
    assert!(stage.documents().accepts(&next.access).await);
}

/// Portico decision 4: an ended grant gives no answer, overlap or not.
#[actix_web::test]
async fn the_overlap_dies_with_the_grant() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let old = app.tokens().await;
    let current = Tokens::of(&app.refresh(&old.refresh).await);
    assert_eq!(app.revoke(&current.refresh).await.status, 200);
    expect::refused(&app.refresh(&old.refresh).await, "invalid_grant", "grant_ended");
}

/// Portico decision 4: a retry may not widen what the first answer gave.
#[actix_web::test]
async fn a_retry_is_judged_like_a_first_try() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let old = app.tokens().await;
    Tokens::of(&app.refresh(&old.refresh).await);
    expect::refused(&app.refresh_with(&old.refresh, &[("scope", "mcp:read mcp:write")]).await, "invalid_scope", "scope_wider");
    let foreign = app.refresh_with(&old.refresh, &[("resource", &stage.notes().uri)]).await;
    expect::refused(&foreign, "invalid_target", "resource_not_granted");
    Tokens::of(&app.refresh(&old.refresh).await);
}
