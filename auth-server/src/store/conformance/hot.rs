//! Hot writes: redeeming, rotating, ending, registering; alone, in groups and in races.

use oauth_types::{AccessFacts, EndedKind};

use super::*;
use crate::store::{Answer, AuditFilter, EndReason, Ended, Ending};

fn facts<'a>(grant_id: &'a str, iat: Timestamp) -> AccessFacts<'a> {
    AccessFacts { grant_id, jti: "j1", client_id: "app", sub: "alice", sid: None, iat: iat.0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redemption_makes_of_an_approval_a_grant_and_begins_the_family() {
    for bench in benches().await {
        let grant_id = approved(&bench).await;
        assert_eq!(bench.store.grant(&grant_id).await.unwrap(), None, "a code that nobody redeems leaves nothing");
        let told = bench.store.redeem(redemption(grant_id)).await.unwrap();
        let row = bench.store.grant(&grant_id).await.unwrap().unwrap();
        assert_eq!(told, row, "what was answered is what is kept");
        let asked = approval(grant_id);
        row.stands().unwrap();
        assert_eq!((row.client_id, row.subject, row.resource, row.scope), (asked.client_id, asked.subject, asked.resource, asked.scope));
        assert_eq!((row.auth_time, row.created_at, row.expires_at), (asked.auth_time, asked.created_at, asked.expires_at));
        assert_eq!((row.redeemed_at, row.generation, row.refresh_hash), (Some(START), 1, Some(token(grant_id, 1))));
        let without = approved(&bench).await;
        let told = bench.store.redeem(Redemption { refresh: None, ..redemption(without) }).await.unwrap();
        assert_eq!((told.generation, told.refresh_hash), (0, None));
        let mine = bench.store.grants_of(&subject("alice"), None, 10).await.unwrap();
        assert_eq!(mine.len(), 2);
        assert_eq!(bench.store.grants_of(&subject("alice"), Some(mine[0].grant_id), 10).await.unwrap(), mine[1..]);
        // The client is in use from now on: the purge of unused registrations leaves it.
        bench.store.0.caches.forget_all();
        assert_eq!(bench.store.client(&client_id("app")).await.unwrap().unwrap().last_used_at, Some(START));
    }
}

/// OAuth 2.1 §4.1.3: what an approval hangs on is asked when its code is redeemed, for nothing else remembers it.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_what_ended_since_is_not_redeemed() {
    for bench in benches().await {
        let good = approved(&bench).await;
        let [by_client, by_person, by_session] = [0; 3].map(|_| fresh_grant(START));
        bench.store.register(new_client("other")).await.unwrap();
        rare::account(&bench.store, "bob").await;
        upstream::signed_in(&bench.store, "up1", "carol").await;
        let of = |grant_id, client: &str, person: &str, session: Option<&str>| Redemption {
            approval: Approval {
                client_id: client_id(client),
                subject: subject(person),
                upstream_session: session.map(oauth_types::UpstreamSessionId::from_trusted),
                ..approval(grant_id)
            },
            client_id: client_id(client),
            ..redemption(grant_id)
        };
        bench
            .store
            .delete_client(&client_id("other"), START, AuditEvent { event: "client.deleted", ..AuditEvent::default() })
            .await
            .unwrap();
        bench.store.disable_account("bob").await.unwrap();
        upstream::end(&bench.store, "up1").await;
        // At once, so that a refusal stands beside a redemption in one group.
        let (one, two, three, four) = tokio::join!(
            bench.store.redeem(of(by_client, "other", "alice", None)),
            bench.store.redeem(of(by_person, "app", "bob", None)),
            bench.store.redeem(of(by_session, "app", "alice", Some("up1"))),
            bench.store.redeem(redemption(good)),
        );
        assert_eq!((reason(one), reason(two), reason(three)), ("client_ended", "subject_disabled", "upstream_ended"));
        four.unwrap();
        for grant_id in [by_client, by_person, by_session] {
            assert_eq!(bench.store.grant(&grant_id).await.unwrap(), None);
        }
    }
}

/// RFC 6749 §4.1.2: the client MUST NOT use the authorization code more than once.
#[tokio::test(flavor = "multi_thread")]
async fn of_32_redemptions_at_once_one_wins() {
    for bench in benches().await {
        let (here, there) = (bench.store.clone(), bench.replica().await);
        let grant_id = approved(&bench).await;
        let tries: Vec<_> = (0..32)
            .map(|number| {
                let store = if number % 2 == 0 { here.clone() } else { there.clone() };
                tokio::spawn(async move { store.redeem(redemption(grant_id)).await })
            })
            .collect();
        let mut outcomes = Vec::new();
        for one in tries {
            outcomes.push(one.await.unwrap().map_or_else(|error| error.reason(), |_| "won"));
        }
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == "won").count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == "code_replayed").count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == "grant_ended").count(), 30, "{outcomes:?}");
        let row = bench.store.grant(&grant_id).await.unwrap().unwrap();
        assert_eq!(row.end_reason, Some(EndReason::CodeReplayed));
    }
}

/// OAuth 2.1 §4.1.3: whoever is overtaken by another process finds a replay, and never an outage.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_at_two_replicas_at_once_is_a_replay_at_one_of_them() {
    for bench in benches().await {
        let there = bench.replica().await;
        for _ in 0..40 {
            let grant_id = approved(&bench).await;
            let (one, two) = tokio::join!(bench.store.redeem(redemption(grant_id)), there.redeem(redemption(grant_id)));
            let mut outcomes = [one, two].map(|outcome| outcome.map_or_else(|error| error.reason(), |_| "won"));
            outcomes.sort_unstable();
            assert_eq!(outcomes, ["code_replayed", "won"]);
        }
    }
}

/// Decision 4: one line of descent, never two; nobody's token dies of a lost answer.
#[tokio::test(flavor = "multi_thread")]
async fn of_32_rotations_at_once_all_get_the_same_successor() {
    for bench in benches().await {
        let (here, there) = (bench.store.clone(), bench.replica().await);
        let grant_id = redeemed(&bench).await;
        let tries: Vec<_> = (0..32)
            .map(|number| {
                let store = if number % 2 == 0 { here.clone() } else { there.clone() };
                tokio::spawn(async move { store.rotate(rotation(grant_id, 1, &number.to_string())).await.map(|told| (number, told)) })
            })
            .collect();
        let (mut winners, mut again) = (Vec::new(), Vec::new());
        for one in tries {
            let (number, told) = one.await.unwrap().unwrap();
            assert_eq!((told.row.generation, told.row.refresh_hash), (2, Some(token(grant_id, 2))));
            match told.answer {
                Answer::New => winners.push(number),
                Answer::Again { successor_sealed, successor_hash } => again.push((successor_sealed, successor_hash)),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(again.len(), 31);
        let successor = (format!("sealed \"{}\"", winners[0]), token(grant_id, 2));
        assert!(again.iter().all(|given| *given == successor), "{again:?}");
        let row = bench.store.grant(&grant_id).await.unwrap().unwrap();
        assert_eq!((row.generation, row.answered_again, row.ended_at), (2, 31, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_use_of_a_successor_closes_the_overlap_of_the_token_before() {
    for bench in benches().await {
        let grant_id = redeemed(&bench).await;
        bench.store.rotate(rotation(grant_id, 1, "a")).await.unwrap();
        bench.clock.advance(Ttl(10));
        let told = bench.store.rotate(rotation(grant_id, 1, "b")).await.unwrap();
        assert!(matches!(told.answer, Answer::Again { .. }));
        let told = bench.store.rotate(rotation(grant_id, 2, "c")).await.unwrap();
        assert_eq!(told.answer, Answer::New);
        assert_eq!(told.row, bench.store.grant(&grant_id).await.unwrap().unwrap());
        assert_eq!(
            (told.row.rotated_at, told.row.previous_hash, told.row.answered_again),
            (Some(START + Ttl(10)), Some(token(grant_id, 2)), 0)
        );
        // Now the oldest is a replay: the family is over, for both holders.
        assert_eq!(reason(bench.store.rotate(rotation(grant_id, 1, "d")).await), "refresh_reused");
        assert_eq!(reason(bench.store.rotate(rotation(grant_id, 3, "e")).await), "grant_ended");
        let row = bench.store.grant(&grant_id).await.unwrap().unwrap();
        assert_eq!((row.end_reason, row.refresh_hash), (Some(EndReason::RefreshReused), Some(token(grant_id, 3))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_changes_nothing() {
    for bench in benches().await {
        let grant_id = approved(&bench).await;
        let stranger = Redemption { client_id: client_id("stranger"), ..redemption(grant_id) };
        assert_eq!(reason(bench.store.redeem(stranger).await), "client_mismatch");
        assert_eq!(bench.store.grant(&grant_id).await.unwrap(), None);
        assert_eq!(reason(bench.store.rotate(rotation(fresh_grant(START), 1, "x")).await), "refresh_unknown");
        // And the code is still good.
        bench.store.redeem(redemption(grant_id)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ending_is_known_here_at_once_and_elsewhere_within_a_second() {
    for bench in benches().await {
        let there = bench.replica().await;
        let (grant_id, other) = (redeemed(&bench).await, redeemed(&bench).await);
        let (text, other) = (grant_id.to_string(), other.to_string());
        assert!(bench.store.end(Ending::grant(grant_id, EndReason::RevokedByClient, START)).await.unwrap());
        assert!(bench.store.ended().is_ended(&facts(&text, START)).unwrap(), "here, at once");
        assert!(!bench.store.ended().is_ended(&facts(&other, START)).unwrap(), "its neighbour stands");
        let since = std::time::Instant::now();
        while !there.ended().is_ended(&facts(&text, START)).unwrap() {
            assert!(since.elapsed() < std::time::Duration::from_millis(2_500), "elsewhere, within a second or so on a busy machine");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(!bench.store.end(Ending::grant(grant_id, EndReason::RevokedByClient, START)).await.unwrap(), "ending twice ends once");
        assert!(!bench.store.end(Ending::grant(fresh_grant(START), EndReason::RevokedByClient, START)).await.unwrap());
        let entries = bench.store.ended_after(0, 10).await.unwrap();
        assert_eq!(entries.iter().map(|entry| (entry.number, entry.kind)).collect::<Vec<_>>(), [(1, EndedKind::Grant)]);
        assert_eq!(bench.store.ended_head().await.unwrap(), 1);
        assert!(entries[0].until > (START + Ttl::minutes(10)).0, "longer than any access token lives");
        // A process that starts later knows it before its first answer.
        assert!(bench.replica().await.ended().is_ended(&facts(&text, START)).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_alone() {
    for bench in benches().await {
        let grant_id = redeemed(&bench).await;
        let text = grant_id.to_string();
        let what = Ended::Token {
            jti: "j1".into(),
            grant_id: text.clone(),
            client_id: "app".into(),
            subject: "alice".into(),
            expires_at: START + Ttl::minutes(10),
        };
        let ending = Ending { what, reason: EndReason::RevokedByClient, now: START, trail: Trail::default() };
        assert!(bench.store.end(ending).await.unwrap());
        assert!(bench.store.ended().is_ended(&facts(&text, START)).unwrap());
        assert!(!bench.store.ended().is_ended(&AccessFacts { jti: "j2", ..facts(&text, START) }).unwrap());
        assert!(bench.store.grant(&grant_id).await.unwrap().unwrap().stands().is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_grant_hangs_on_ends_it() {
    for bench in benches().await {
        let by_client = redeemed(&bench).await;
        let by_person = fresh_grant(START);
        let by_session = fresh_grant(START);
        bench.store.register(new_client("other")).await.unwrap();
        rare::account(&bench.store, "bob").await;
        upstream::signed_in(&bench.store, "up1", "carol").await;
        for (grant_id, client, person, session) in [(by_person, "other", "bob", None), (by_session, "other", "carol", Some("up1"))] {
            let approval = Approval {
                client_id: client_id(client),
                subject: subject(person),
                upstream_session: session.map(oauth_types::UpstreamSessionId::from_trusted),
                ..approval(grant_id)
            };
            bench.store.redeem(Redemption { approval, client_id: client_id(client), ..redemption(grant_id) }).await.unwrap();
        }
        bench.store.delete_client(&client_id("app"), START, AuditEvent { event: "client.deleted", ..AuditEvent::default() }).await.unwrap();
        bench.store.disable_account("bob").await.unwrap();
        upstream::end(&bench.store, "up1").await;
        let other = |grant_id| Rotation { client_id: client_id("other"), ..rotation(grant_id, 1, "x") };
        assert_eq!(reason(bench.store.rotate(rotation(by_client, 1, "x")).await), "client_ended");
        assert_eq!(reason(bench.store.rotate(other(by_person)).await), "subject_disabled");
        assert_eq!(reason(bench.store.rotate(other(by_session)).await), "upstream_ended");
        let ended = bench.store.ended();
        let now = START + Ttl(1);
        let free = AccessFacts { grant_id: "g", jti: "j", client_id: "x", sub: "y", sid: None, iat: now.0 };
        assert!(ended.is_ended(&AccessFacts { client_id: "app", ..free }).unwrap());
        assert!(ended.is_ended(&AccessFacts { sub: "bob", ..free }).unwrap());
        assert!(ended.is_ended(&AccessFacts { sid: Some("up1"), ..free }).unwrap());
        assert!(!ended.is_ended(&free).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_leaves_one_event_with_its_source() {
    for bench in benches().await {
        let grant_id = redeemed(&bench).await;
        bench.store.rotate(rotation(grant_id, 1, "a")).await.unwrap();
        bench.store.rotate(rotation(grant_id, 1, "b")).await.unwrap();
        let replay = Rotation { presented_hash: hash("older"), ..rotation(grant_id, 1, "c") };
        assert_eq!(reason(bench.store.rotate(replay).await), "refresh_reused");
        let filter = AuditFilter { grant_id: Some(grant_id), ..AuditFilter::default() };
        let events = bench.store.audit_events(&filter, None, 10).await.unwrap();
        let told: Vec<_> =
            events.iter().rev().map(|event| (event.event.as_str(), event.reason.as_deref(), event.source_ip.as_deref())).collect();
        // Events of the same millisecond have no order among groups; these came one after the other, so compare as a set.
        for expected in [
            ("token.issued", None, None),
            ("token.refreshed", None, Some("192.0.2.8")),
            ("token.refreshed", Some("answered_again"), Some("192.0.2.8")),
            ("refresh.reused", Some("refresh_reused"), Some("192.0.2.8")),
        ] {
            assert_eq!(told.iter().filter(|event| **event == expected).count(), 1, "{expected:?} in {told:?}");
        }
        assert_eq!(told.len(), 4);
        let issued = events.iter().find(|event| event.event == "token.issued").unwrap();
        let detail: serde_json::Value = serde_json::from_str(issued.detail.as_deref().unwrap()).unwrap();
        assert_eq!(detail, serde_json::json!({ "approved_from": "192.0.2.7", "approval_reference": "REF0000001" }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_grants_at_once_each_get_their_own() {
    for bench in benches().await {
        approved(&bench).await;
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let store = bench.store.clone();
                let grant_id = fresh_grant(START);
                tokio::spawn(async move {
                    store.redeem(redemption(grant_id)).await.unwrap();
                    for generation in 1..4 {
                        let told = store.rotate(rotation(grant_id, generation, "x")).await.unwrap();
                        assert_eq!((told.row.grant_id, told.row.generation), (grant_id, generation + 1));
                    }
                    grant_id
                })
            })
            .collect();
        for task in tasks {
            let grant_id = task.await.unwrap();
            assert_eq!(bench.store.grant(&grant_id).await.unwrap().unwrap().refresh_hash, Some(token(grant_id, 4)));
        }
    }
}
