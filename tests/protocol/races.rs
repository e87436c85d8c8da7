//! Many at once: what happens when honest clients and thieves arrive in the same moment.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use portico_tests::people::Tokens;
use portico_tests::stage::Stage;
use portico_tests::wire::Answer;
use portico_tests::{expect, jwt};

/// How many arrive together.
const AT_ONCE: usize = 32;

/// RFC 6749 §4.1.2: of many redemptions at once exactly one wins.
#[actix_web::test]
async fn one_of_many_redemptions_wins() {
    let stage = Stage::builder().workers(4).rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    let answers = join_all((0..AT_ONCE).map(|_| app.redeem(&code))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    for answer in &lost {
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_grant")), "{}", expect::told(answer));
    }
    // The others were replays with the proof: the winner cannot be told from a thief, so its tokens are gone.
    let winner = Tokens::of(&won[0]);
    assert!(!stage.documents().accepts(&winner.access).await);
}

/// RFC 6749 §4.1.3: redemptions without the proof disturb the one that has it.
#[actix_web::test]
async fn many_thieves_do_not_disturb_the_owner() {
    let stage = Stage::builder().workers(4).rise().await;
    let (app, thief) = (stage.public_app().await, stage.public_app().await);
    let code = app.code().await;
    let thieves =
        join_all((0..AT_ONCE).map(|number| {
            let (app, thief, code) = (app.clone(), thief.clone(), code.clone());
            async move {
                if number % 2 == 0 { thief.redeem(&code).await } else { app.redeem_with(&code, "code_verifier", &"w".repeat(43)).await }
            }
        }));
    let (answers, owner) = futures_util::future::join(thieves, app.redeem(&code)).await;
    assert!(answers.iter().all(|answer| answer.status == 400));
    let tokens = Tokens::of(&owner);
    assert!(stage.documents().accepts(&tokens.access).await);
}

/// Portico decision 4: many refreshes at once inside the overlap all end with working tokens, in one line of descent.
#[actix_web::test]
async fn many_refreshes_at_once_all_end_with_working_tokens() {
    let stage = Stage::builder().workers(4).rise().await;
    let app = stage.public_app().await;
    let first = app.tokens().await;
    let answers = join_all((0..AT_ONCE).map(|_| app.refresh(&first.refresh))).await;
    let tokens: Vec<_> = answers.iter().map(Tokens::of).collect();
    let successors: BTreeSet<_> = tokens.iter().map(|tokens| tokens.refresh.clone()).collect();
    assert_eq!(successors.len(), 1, "one line of descent, never two");
    let grants: BTreeSet<_> = tokens.iter().map(|tokens| jwt::unverified(&tokens.access).claims["grant_id"].to_string()).collect();
    assert_eq!(grants.len(), 1);
    let ids: BTreeSet<_> = tokens.iter().map(|tokens| jwt::unverified(&tokens.access).claims["jti"].to_string()).collect();
    assert_eq!(ids.len(), AT_ONCE, "every caller has an access token of its own");
    for access in tokens.iter().map(|tokens| &tokens.access) {
        assert!(stage.documents().accepts(access).await);
    }
    Tokens::of(&app.refresh(successors.first().unwrap()).await);
}

/// Portico decision 4: with strict rotation one of many refreshes wins, and the replay is seen.
#[actix_web::test]
async fn many_strict_refreshes_at_once_are_a_replay() {
    let stage = Stage::with("refresh.overlap", "\"0s\"").workers(4).rise().await;
    let app = stage.public_app().await;
    let first = app.tokens().await;
    let answers = join_all((0..AT_ONCE).map(|_| app.refresh(&first.refresh))).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    assert!(!stage.documents().accepts(&Tokens::of(won[0]).access).await);
}

/// RFC 7009 §2.1: a refresh and a revocation at once leave nothing alive.
#[actix_web::test]
async fn a_revocation_beats_refreshes_of_the_same_moment() {
    let stage = Stage::builder().workers(4).rise().await;
    let app = stage.public_app().await;
    let first = app.tokens().await;
    let refreshes = join_all((0..8).map(|_| app.refresh(&first.refresh)));
    let (answers, revoked) = futures_util::future::join(refreshes, app.revoke(&first.refresh)).await;
    assert_eq!(revoked.status, 200);
    for answer in answers.iter().filter(|answer| answer.status == 200) {
        let tokens = Tokens::of(answer);
        assert!(!stage.documents().accepts(&tokens.access).await);
        expect::refused(&app.refresh(&tokens.refresh).await, "invalid_grant", "grant_ended");
    }
}

/// RFC 7591 §3: many registrations at once make as many clients.
#[actix_web::test]
async fn many_registrations_at_once_make_as_many_clients() {
    let stage = Stage::builder().workers(4).rise().await;
    let metadata = Stage::usual_registration();
    let answers = join_all((0..AT_ONCE).map(|_| stage.register(&metadata))).await;
    let ids: BTreeSet<_> = answers.iter().map(|answer| answer.member("client_id")).collect();
    assert_eq!(ids.len(), AT_ONCE);
}

/// RFC 6749 §10.12: two presses of one button at once make at most one code.
#[actix_web::test]
async fn two_presses_make_one_code() {
    let stage = Stage::builder().workers(4).rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    let presses = (0..8).map(|_| {
        let (mut browser, page, path) = (journey.clone().into_browser(), page.clone(), path.clone());
        async move {
            let answer = browser.says_yes(&page, &path).await;
            browser.agrees_until_the_end(answer, path).await
        }
    });
    let answers: Vec<Answer> = join_all(presses).await;
    let sent = answers.iter().filter(|answer| answer.header_or_empty("location").contains("code="));
    let codes: BTreeSet<_> = sent.map(|answer| journey.code_of(answer).code).collect();
    assert_eq!(codes.len(), 1);
}
