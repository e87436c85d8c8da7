//! Two servers over one database behind one name: whatever one of them did, the other knows.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use portico_tests::expect;
use portico_tests::people::Tokens;
use portico_tests::stage::Stage;

/// Architecture 11a.3: replicas read what ended every second. Twice that, for a machine under load.
const KNOWN_EVERYWHERE_WITHIN: Duration = Duration::from_secs(3);

/// Portico decision 2: a flow begun at one replica is finished at the other.
#[actix_web::test]
async fn a_flow_may_change_replicas_at_every_step() {
    let stage = Stage::rise().await;
    let other = stage.replica().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    let mut browser = journey.clone().into_browser().at(&other);
    let answer = browser.says_yes(&page, &path).await;
    let answer = browser.agrees_until_the_end(answer, path).await;
    let tokens = Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
    assert!(stage.documents().at(&other).accepts(&tokens.access).await);
    Tokens::of(&app.at(&other).refresh(&tokens.refresh).await);
}

/// RFC 6749 §4.1.2: a code is good once, wherever it is redeemed.
#[actix_web::test]
async fn a_code_is_good_once_in_all_replicas() {
    let stage = Stage::rise().await;
    let other = stage.replica().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    let moved = app.at(&other);
    let answers =
        join_all((0..16).map(|number| if number % 2 == 0 { app.redeem_with(&code, "x", "y") } else { moved.redeem_with(&code, "x", "y") }))
            .await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_grant")), "{}", expect::told(answer));
    }
}

/// Portico decision 4: a retry at another replica gets the same successor.
#[actix_web::test]
async fn a_lost_answer_is_given_again_by_another_replica() {
    let stage = Stage::rise().await;
    let other = stage.replica().await;
    let app = stage.public_app().await;
    let first = app.tokens().await;
    let moved = app.at(&other);
    let answers =
        join_all((0..16).map(|number| if number % 2 == 0 { app.refresh(&first.refresh) } else { moved.refresh(&first.refresh) })).await;
    let successors: BTreeSet<_> = answers.iter().map(|answer| Tokens::of(answer).refresh).collect();
    assert_eq!(successors.len(), 1, "one line of descent, never two");
}

/// Portico 11a.3: what one replica ended, the other refuses within a second.
#[actix_web::test]
async fn an_ending_is_known_everywhere_within_a_second() {
    let stage = Stage::rise().await;
    let other = stage.replica().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    let documents = stage.documents().at(&other);
    assert!(documents.accepts(&tokens.access).await);
    app.revoke(&tokens.refresh).await;
    // The row itself is asked for a refresh: at once.
    expect::refused(&app.at(&other).refresh(&tokens.refresh).await, "invalid_grant", "grant_ended");
    let asked = Instant::now();
    while documents.accepts(&tokens.access).await {
        assert!(asked.elapsed() < KNOWN_EVERYWHERE_WITHIN, "the other replica still says that the token is good");
    }
}

/// Portico 11a: a deleted client is gone everywhere within a second.
#[actix_web::test]
async fn a_deleted_client_is_gone_everywhere_within_a_second() {
    let stage = Stage::rise().await;
    let other = stage.replica().await;
    let app = stage.public_app().await;
    let moved = app.at(&other);
    let tokens = app.tokens().await;
    let tokens = Tokens::of(&moved.refresh(&tokens.refresh).await);
    assert_eq!(app.manage("DELETE").await.status, 204);
    let asked = Instant::now();
    loop {
        let answer = moved.refresh(&tokens.refresh).await;
        assert_ne!(answer.status, 200, "a deleted client was refreshed");
        if answer.json()["error"] == "invalid_client" {
            break;
        }
        assert!(asked.elapsed() < KNOWN_EVERYWHERE_WITHIN, "the other replica still knows the client: {}", expect::told(&answer));
    }
}

/// RFC 7517 §5: a key made at one replica is published by the other before it signs.
#[actix_web::test]
async fn a_new_key_is_published_everywhere() {
    let stage = Stage::rise().await;
    let other = stage.replica().await;
    stage.operator().rotates_keys().await;
    other.ticks().await;
    let published = portico_tests::people::Stranger::at(&other).get("/jwks.json").await;
    assert_eq!(expect::ok(&published), stage.key_set().await);
}
