//! `GET /ended`: how the guards of resources learn within a second what ended early (architecture 11a.3).

use oauth_types::{EndedKind, Ttl, ended_hash};
use portico_tests::people::Tokens;
use portico_tests::stage::Stage;
use portico_tests::{expect, jwt};
use serde_json::Value;

/// Portico 11a.3: an ending appears in the feed with number, kind, hash and when it may be forgotten.
#[actix_web::test]
async fn an_ended_grant_is_told_to_resources() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    let claims = jwt::unverified(&tokens.access).claims;
    let before = newest(&stage).await;
    assert_eq!(app.revoke(&tokens.refresh).await.status, 200);
    let entries = stage.documents().endings_after(before).await;
    let entry = only(&entries, "grant");
    assert!(entry["number"].as_i64().unwrap() > before);
    assert_eq!(entry["hash"], hash(EndedKind::Grant, claims["grant_id"].as_str().unwrap()));
    assert!(entry["until"].as_i64().unwrap() >= claims["exp"].as_i64().unwrap(), "forgotten while a token still lives");
    assert!(!entry.to_string().contains(claims["grant_id"].as_str().unwrap()), "the feed tells hashes, not ids");
}

/// Portico 11a.3: a single access token, a client and a person end in the feed as well, each as its own kind.
#[actix_web::test]
async fn every_kind_of_ending_is_told() {
    let stage = Stage::rise().await;
    let (app, other) = (stage.public_app().await, stage.public_app().await);
    let (tokens, _) = (app.tokens().await, other.tokens().await);
    let claims = jwt::unverified(&tokens.access).claims;
    let before = newest(&stage).await;
    app.revoke(&tokens.access).await;
    other.manage("DELETE").await;
    stage.operator().disables("alice").await;
    let entries = stage.documents().endings_after(before).await;
    assert_eq!(only(&entries, "token")["hash"], hash(EndedKind::Token, claims["jti"].as_str().unwrap()));
    assert_eq!(only(&entries, "client")["hash"], hash(EndedKind::Client, &other.id));
    assert_eq!(only(&entries, "subject")["hash"], hash(EndedKind::Subject, claims["sub"].as_str().unwrap()));
    assert!(only(&entries, "subject")["before"].is_i64(), "everything born before");
}

/// Portico 11a.3: numbers only grow, and the feed gives what came after the number that was asked.
#[actix_web::test]
async fn the_feed_is_read_by_its_numbers() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for _ in 0..3 {
        let tokens = app.tokens().await;
        app.revoke(&tokens.refresh).await;
    }
    let all = stage.documents().endings_after(0).await;
    let numbers: Vec<_> = all.iter().map(|entry| entry["number"].as_i64().unwrap()).collect();
    assert!(numbers.len() >= 3 && numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let rest = stage.documents().endings_after(numbers[0]).await;
    assert_eq!(rest.len(), all.len() - 1);
    assert!(stage.documents().endings_after(*numbers.last().unwrap()).await.is_empty());
}

/// Portico 11a.3: the feed is for resource servers only.
#[actix_web::test]
async fn a_stranger_does_not_read_the_feed() {
    let stage = Stage::rise().await;
    let app = stage.confidential_app("client_secret_basic").await;
    let stranger = stage.stranger();
    assert_eq!(stranger.get("/ended?after=0").await.status, 401);
    let documents = stage.documents();
    let wrong = stranger.get("/ended?after=0").basic(&documents.id, "wrong").await;
    expect::refused(&wrong, "invalid_client", "secret_mismatch");
    let client = stranger.get("/ended?after=0").basic(&app.id, app.known_secret()).await;
    expect::refused(&client, "unauthorized_client", "not_a_resource_server");
    assert_eq!(documents.ended_after(0).await.status, 200);
}

/// Portico 11a.3: a question without a number, or with nonsense, is invalid_request.
#[actix_web::test]
async fn the_feed_wants_a_number() {
    let stage = Stage::rise().await;
    let documents = stage.documents();
    for query in ["?after=x", "?after=-1", "?after=99999999999999999999", "?after=1&after=2"] {
        let answer = stage.stranger().get(&format!("/ended{query}")).basic(&documents.id, &documents.secret).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_request")), "{query}: {}", expect::told(&answer));
    }
}

/// Portico 11a.3: what no living token can carry any more is forgotten.
#[actix_web::test]
async fn old_endings_are_forgotten() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    app.revoke(&tokens.refresh).await;
    assert!(!stage.documents().endings_after(0).await.is_empty());
    stage.advance(Ttl::days(2));
    stage.operator().ticks().await;
    assert!(stage.documents().endings_after(0).await.is_empty());
    // The ending itself stands for good in the grant's own row.
    expect::refused(&app.refresh(&tokens.refresh).await, "invalid_grant", "grant_ended");
}

/// Portico 11a.3: an ending is known at once where it happened: the very next question is answered with it.
#[actix_web::test]
async fn an_ending_is_known_at_once() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for _ in 0..10 {
        let tokens = Tokens::of(&app.redeem(&app.code().await).await);
        assert!(stage.documents().accepts(&tokens.access).await);
        app.revoke(&tokens.access).await;
        assert!(!stage.documents().accepts(&tokens.access).await);
    }
}

async fn newest(stage: &Stage) -> i64 {
    stage.documents().endings_after(0).await.last().map_or(0, |entry| entry["number"].as_i64().unwrap())
}

#[track_caller]
fn only<'a>(entries: &'a [Value], kind: &str) -> &'a Value {
    let found: Vec<_> = entries.iter().filter(|entry| entry["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "expected one {kind} in {entries:?}");
    found[0]
}

fn hash(kind: EndedKind, id: &str) -> Value {
    serde_json::to_value(ended_hash(kind, id)).unwrap()
}
