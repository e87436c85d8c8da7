//! What becomes of the provider's token.

use super::{super::*, house::*};
use crate::upstream::GoneWhy;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_is_kept_and_asked_with_next() {
    let house = House::open().await;
    house.says(Says::Stands { roles: &["reader"], rotates_to: Some("rt-2") });
    house.due();
    house.ask().await.unwrap();
    assert_eq!(house.token().await, "rt-2");
    let row = house.store.upstream_session(&house.id).await.unwrap().unwrap();
    assert!(!row.sealed_token.unwrap().contains("rt-2"), "sealed");
    house.says(Says::Stands { roles: &["reader"], rotates_to: None });
    house.due();
    house.ask().await.unwrap();
    assert_eq!(house.asked_with(), ["rt-1", "rt-2"]);
    assert_eq!(house.token().await, "rt-2", "no new one leaves the one there is");
}

/// The provider replaced its token and then said nothing that we can use: the old one may be spent, so the new one is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_outlives_a_silence() {
    let house = House::open().await;
    house.says(Says::Silent { rotates_to: Some("rt-2") });
    house.due();
    assert_eq!(house.ask().await, UNANSWERED);
    assert_eq!(house.token().await, "rt-2");
    house.says(Says::Stands { roles: &["reader"], rotates_to: None });
    assert_eq!(house.ask().await, stands(&["reader"]));
    assert_eq!(house.asked_with(), ["rt-1", "rt-2"]);
}

/// A client that leaves while the provider is asked: the asking goes on, and its token is not lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_costs_no_token() {
    let house = Plan { waits: true, ..Plan::default() }.stands().await;
    house.says(Says::Stands { roles: &["reader"], rotates_to: Some("rt-2") });
    house.due();
    let (sessions, id) = (house.sessions.clone(), house.id.clone());
    let leaves = tokio::spawn(async move { sessions.ask(&id).await });
    house.until_asked(1).await;
    leaves.abort();
    assert!(leaves.await.unwrap_err().is_cancelled());
    house.lets_one_answer();
    assert_eq!(house.ask().await, stands(&["reader"]), "who comes next finds the answer");
    assert_eq!((house.token().await.as_str(), house.asked()), ("rt-2", 1));
}

/// The person signs in again while their old token is refused: the new sign-in stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_old_token_does_not_hit_the_new_sign_in() {
    let house = Plan { waits: true, ..Plan::default() }.stands().await;
    house.says(Says::Gone(GoneWhy::Refused));
    house.due();
    let (sessions, id) = (house.sessions.clone(), house.id.clone());
    let asking = tokio::spawn(async move { sessions.ask(&id).await.unwrap() });
    house.until_asked(1).await;
    let arrival = Arrival { identity: identity(&house.provider.settings), token: Some(token_of("rt-9")) };
    assert_eq!(house.sessions.begin(&Subject::from_trusted("alice"), &arrival).await.unwrap(), house.id);
    house.lets_one_answer();
    assert_eq!(Ok(asking.await.unwrap()), stands(&["reader", "writer"]));
    assert_eq!(house.token().await, "rt-9");
}

/// A token is sealed for its person: put into another person's row it does not open, and that is no ending.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_another_persons_row_does_not_open() {
    let house = House::open().await;
    let row = house.store.upstream_session(&house.id).await.unwrap().unwrap();
    let moved = NewUpstreamSession {
        id: UpstreamSessionId::from_trusted("us_moved"),
        subject: Subject::from_trusted("bob"),
        idp: row.idp,
        issuer: row.issuer,
        upstream_subject: "u-2".into(),
        sid: None,
        facts: row.facts,
        sealed_token: row.sealed_token,
        ends_without_token: START,
        now: START,
    };
    let id = house.store.begin_upstream_session(moved).await.unwrap().unwrap();
    house.due();
    assert_eq!(house.sessions.ask(&id).await.unwrap_err().code(), "server_error");
    let row = house.store.upstream_session(&id).await.unwrap().unwrap();
    assert_eq!((row.ended_at, row.checking_until), (None, None), "the lease is given back");
    assert_eq!(house.asked(), 0);
}

/// What an older sealing key sealed is sealed with the newer one when the provider is asked, so that the older one may go.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_moves_to_the_newest_sealing_key() {
    let house = House::open().await;
    let sealed_by = async || {
        let row = house.store.upstream_session(&house.id).await.unwrap().unwrap();
        SealingKeys::sealed_by(&row.sealed_token.unwrap())
    };
    assert_eq!(sealed_by().await, Some(1));
    let both = SealingKeys::parse(&format!("{NEW_KEY}\n{OLD_KEY}")).unwrap();
    let (_, newer) = server(&house.folder, &house.clock, &both, &house.provider).await;
    house.due();
    assert!(newer.ask(&house.id).await.is_ok_and(|stand| stand != Stand::Ended));
    assert_eq!((sealed_by().await, house.asked_with()), (Some(2), vec!["rt-1".to_owned()]));
}
