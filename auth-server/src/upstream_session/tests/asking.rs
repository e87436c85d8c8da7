//! When a provider is asked, by whom, and what its silence means.

use super::{super::*, house::*};
use crate::upstream::GoneWhy;

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_asked_when_it_is_due_and_not_before() {
    let house = House::open().await;
    assert_eq!(house.ask().await, stands(&["reader", "writer"]), "as it said at the sign-in");
    house.clock.advance(RECHECK - Ttl(1));
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader", "writer"]), 0));
    house.clock.advance(Ttl(1));
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader"]), 1), "what holds now");
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader"]), 1), "asked a moment ago");
    house.due();
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader"]), 2));
}

/// Issue 4, point 3: one at a time per upstream session, across replicas.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_at_two_replicas_ask_once_and_hear_the_same() {
    let house = Plan { waits: true, ..Plan::default() }.stands().await;
    let there = house.replica().await;
    house.due();
    let askers: Vec<_> = (0..32)
        .map(|number| {
            let (sessions, id) = (if number % 2 == 0 { house.sessions.clone() } else { there.clone() }, house.id.clone());
            tokio::spawn(async move { sessions.ask(&id).await.map_err(|error| error.code()) })
        })
        .collect();
    house.until_asked(1).await;
    house.lets_one_answer();
    for asker in askers {
        assert_eq!(asker.await.unwrap(), stands(&["reader"]));
    }
    assert_eq!(house.asked(), 1);
}

/// The same when there is no answer: the others do not queue up for the same silence.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_another_shares_its_silence() {
    let house = Plan { waits: true, ..Plan::default() }.stands().await;
    house.says(Says::Silent { rotates_to: None });
    house.due();
    let ask = || {
        let (sessions, id) = (house.sessions.clone(), house.id.clone());
        tokio::spawn(async move { sessions.ask(&id).await.map_err(|error| error.code()) })
    };
    let first = ask();
    house.until_asked(1).await;
    let others: Vec<_> = (0..8).map(|_| ask()).collect();
    // They have seen the lease by then, or they would ask themselves and find the gate closed.
    time::sleep(LOOK_EVERY * 4).await;
    house.lets_one_answer();
    assert_eq!(first.await.unwrap(), UNANSWERED);
    for other in others {
        assert_eq!(other.await.unwrap(), UNANSWERED);
    }
    assert_eq!(house.asked(), 1);
}

/// Attack 58: no answer and a lie end nothing; the next asking finds everything as it was.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_an_outage_and_changes_nothing() {
    let house = House::open().await;
    let before = house.store.upstream_session(&house.id).await.unwrap();
    house.due();
    for says in [Says::Silent { rotates_to: None }, Says::Lies] {
        house.says(says);
        assert_eq!(house.ask().await, UNANSWERED);
        assert_eq!(house.store.upstream_session(&house.id).await.unwrap(), before);
    }
    house.says(Says::Stands { roles: &["reader"], rotates_to: None });
    assert_eq!(house.ask().await, stands(&["reader"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn grace_carries_over_a_silence_and_no_longer() {
    let house = Plan { settings: UpstreamConfig { grace: Ttl(60), ..settings() }, ..Plan::default() }.stands().await;
    house.says(Says::Silent { rotates_to: None });
    house.due();
    assert_eq!(house.ask().await, stands(&["reader", "writer"]), "as it said last");
    house.clock.advance(Ttl(59));
    assert_eq!(house.ask().await, stands(&["reader", "writer"]));
    house.clock.advance(Ttl(1));
    assert_eq!(house.ask().await, UNANSWERED);
    house.says(Says::Gone(GoneWhy::Refused));
    assert_eq!(house.ask().await, Ok(Stand::Ended), "a no needs no grace");
}

/// A provider that takes its time: the request is told to come again within five seconds, the asking goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_provider_holds_nobody_up() {
    let house = Plan { waits: true, ..Plan::default() }.stands().await;
    house.due();
    let began = std::time::Instant::now();
    assert_eq!(house.ask().await, UNANSWERED);
    assert!(began.elapsed() < ANSWERED_WITHIN + Duration::from_secs(3), "{:?}", began.elapsed());
    house.lets_one_answer();
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader"]), 1), "the late answer is kept");
}

/// A process that died while it asked: its lease lapses, and somebody else asks with the token that is there.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_blocks_for_no_longer_than_its_lease() {
    let house = House::open().await;
    house.due();
    let now = house.clock.now();
    house.store.lease_upstream_session(&house.id, now - RECHECK, now, now + LEASE).await.unwrap().expect("it is due");
    assert_eq!((house.ask().await, house.asked()), (UNANSWERED, 0), "somebody seems to be asking");
    house.clock.advance(LEASE);
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader"]), 1));
    assert_eq!(house.asked_with(), ["rt-1"]);
}
