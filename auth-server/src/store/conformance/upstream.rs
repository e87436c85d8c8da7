//! Sign-ins at a provider: who may ask it again, what is kept of the answer, and what a notice ends.

use oauth_types::{AccessFacts, UpstreamSessionId};

use super::{rare::within_a_second, *};
use crate::store::{AuditFilter, NewBrowserSession, NewUpstreamSession, Settlement, SignIns, UpstreamEnding, UpstreamSessionRow};

const ISSUER: &str = "https://idp.example";

fn id(text: &str) -> UpstreamSessionId {
    UpstreamSessionId::from_trusted(text)
}

fn sign_in(name: &str, person: &str) -> NewUpstreamSession {
    NewUpstreamSession {
        id: id(name),
        subject: subject(person),
        idp: "company".into(),
        issuer: ISSUER.into(),
        upstream_subject: format!("u-{person}"),
        sid: Some(format!("sid-{name}")),
        facts: "{\"roles\":[\"reader\"]}".into(),
        sealed_token: Some("sealed 1".into()),
        ends_without_token: START + Ttl::hours(12),
        now: START,
    }
}

/// A person signs in at the provider.
pub(super) async fn signed_in(store: &Store, name: &str, person: &str) {
    let began = store.begin_upstream_session(sign_in(name, person)).await.unwrap();
    assert_eq!(began, Some(id(name)));
}

/// Ends a sign-in by its own name.
pub(super) async fn end(store: &Store, name: &str) {
    assert_eq!(store.end_upstream_sessions(UpstreamEnding::one(&id(name), "test", START)).await.unwrap(), Some(1));
}

async fn row(store: &Store, name: &str) -> UpstreamSessionRow {
    store.upstream_session(&id(name)).await.unwrap().expect("a sign-in of this name")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_is_kept_as_it_was_said() {
    for bench in benches().await {
        signed_in(&bench.store, "one", "alice").await;
        let new = sign_in("one", "alice");
        let kept = UpstreamSessionRow {
            id: new.id,
            subject: new.subject,
            idp: new.idp,
            issuer: new.issuer,
            upstream_subject: new.upstream_subject,
            sid: new.sid,
            facts: new.facts,
            sealed_token: new.sealed_token,
            created_at: START,
            checked_at: START,
            checking_until: None,
            ends_at: None,
            ended_at: None,
        };
        assert_eq!(row(&bench.store, "one").await, kept);
        assert!(!format!("{kept:?}").contains("reader"), "what a provider says of a person is in no log");
        assert_eq!(bench.store.upstream_session(&id("none")).await.unwrap(), None);
    }
}

/// The same browser signs in again: one session at the provider is one sign-in here, with the newest token. Its neighbours: another
/// session, another person in the same session, a provider that names no session, and a sign-in that had ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_sign_in_into_the_same_session_renews_the_first() {
    for bench in benches().await {
        let store = &bench.store;
        signed_in(store, "one", "alice").await;
        bench.clock.advance(Ttl(60));
        let again = NewUpstreamSession {
            id: id("two"),
            facts: "{}".into(),
            sealed_token: Some("sealed 2".into()),
            now: START + Ttl(60),
            ..sign_in("one", "alice")
        };
        assert_eq!(store.begin_upstream_session(again.clone()).await.unwrap(), Some(id("one")));
        let kept = row(store, "one").await;
        assert_eq!((kept.facts.as_str(), kept.sealed_token.as_deref()), ("{}", Some("sealed 2")));
        assert_eq!((kept.created_at, kept.checked_at), (START, START + Ttl(60)));
        let without = NewUpstreamSession { sealed_token: None, ..again.clone() };
        store.begin_upstream_session(without).await.unwrap();
        let kept = row(store, "one").await;
        assert_eq!(kept.sealed_token.as_deref(), Some("sealed 2"), "no token does not forget the one we have");
        assert_eq!(kept.ends_at, None);
        for (name, changed) in [
            ("three", NewUpstreamSession { sid: Some("another".into()), ..again.clone() }),
            ("four", NewUpstreamSession { upstream_subject: "u-bob".into(), subject: subject("bob"), ..again.clone() }),
            ("five", NewUpstreamSession { sid: None, ..again.clone() }),
            ("six", NewUpstreamSession { sid: None, ..again.clone() }),
            ("seven", NewUpstreamSession { issuer: "https://other.example".into(), ..again.clone() }),
        ] {
            let began = store.begin_upstream_session(NewUpstreamSession { id: id(name), ..changed }).await.unwrap();
            assert_eq!(began, Some(id(name)));
        }
        end(store, "one").await;
        let revived = store.begin_upstream_session(NewUpstreamSession { id: id("eight"), ..again }).await.unwrap();
        assert_eq!(revived, Some(id("eight")), "what had ended is not revived");
    }
}

/// A provider that gives nothing to ask it with is believed for so long; once it gives something, no longer than it says.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_without_a_token_ends_by_itself() {
    for bench in benches().await {
        let store = &bench.store;
        let bare = NewUpstreamSession { sealed_token: None, ..sign_in("one", "alice") };
        store.begin_upstream_session(bare.clone()).await.unwrap();
        assert_eq!(row(store, "one").await.ends_at, Some(START + Ttl::hours(12)));
        let again = NewUpstreamSession { ends_without_token: START + Ttl::hours(13), ..bare };
        store.begin_upstream_session(again).await.unwrap();
        assert_eq!(row(store, "one").await.ends_at, Some(START + Ttl::hours(13)), "a fresh sign-in stands anew");
        signed_in(store, "one", "alice").await;
        assert_eq!(row(store, "one").await.ends_at, None);
    }
}

/// Of 32 who come at once to two replicas one may ask the provider; until it is due again, nobody may.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_would_ask_one_may() {
    for bench in benches().await {
        signed_in(&bench.store, "one", "alice").await;
        let (here, there) = (bench.store.clone(), bench.replica().await);
        let (now, lapses) = (START + Ttl(300), START + Ttl(330));
        let tries: Vec<_> = (0..32)
            .map(|number| {
                let store = if number % 2 == 0 { here.clone() } else { there.clone() };
                tokio::spawn(async move { store.lease_upstream_session(&id("one"), START, now, lapses).await.unwrap().is_some() })
            })
            .collect();
        let mut leases = 0;
        for one in tries {
            leases += usize::from(one.await.unwrap());
        }
        assert_eq!(leases, 1);
        let said = Some(("{\"roles\":[]}".to_owned(), now));
        let settlement = Settlement { id: id("one"), lease: lapses, sealed_token: Some("sealed 2".into()), said };
        assert!(here.settle_upstream_session(settlement.clone()).await.unwrap());
        assert!(!here.settle_upstream_session(settlement).await.unwrap(), "a lease is given back once");
        let kept = row(&there, "one").await;
        assert_eq!((kept.facts.as_str(), kept.sealed_token.as_deref(), kept.checked_at), ("{\"roles\":[]}", Some("sealed 2"), now));
        assert_eq!(kept.checking_until, None);
        assert!(there.lease_upstream_session(&id("one"), START, now, lapses).await.unwrap().is_none(), "it was asked a moment ago");
        let leased = there.lease_upstream_session(&id("one"), now, now, lapses).await.unwrap().expect("it is due again");
        assert_eq!(leased.sealed_token.as_deref(), Some("sealed 2"), "the lease comes with the newest token");
    }
}

/// A process that died while it asked holds nobody up for longer than its lease; if it was only slow, what it brings late is not kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_lapsed_lease_is_taken_by_the_next_and_lost_by_the_first() {
    for bench in benches().await {
        let store = &bench.store;
        signed_in(store, "one", "alice").await;
        let at = |seconds: i64| START + Ttl(seconds);
        assert!(store.lease_upstream_session(&id("one"), START, at(300), at(330)).await.unwrap().is_some());
        assert!(store.lease_upstream_session(&id("one"), START, at(329), at(359)).await.unwrap().is_none());
        assert!(store.lease_upstream_session(&id("one"), START, at(330), at(360)).await.unwrap().is_some());
        let settlement = |lease: i64, token: &str| Settlement {
            id: id("one"),
            lease: at(lease),
            sealed_token: Some(token.into()),
            said: Some(("{}".into(), at(331))),
        };
        assert!(!store.settle_upstream_session(settlement(330, "late")).await.unwrap());
        assert_eq!(row(store, "one").await.sealed_token.as_deref(), Some("sealed 1"));
        assert!(store.settle_upstream_session(settlement(360, "in time")).await.unwrap());
        assert_eq!(row(store, "one").await.sealed_token.as_deref(), Some("in time"));
    }
}

/// The provider gave a new token and then no answer: the token is kept, the rest is as it was, and the next may ask at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_is_kept_even_without_an_answer() {
    for bench in benches().await {
        let store = &bench.store;
        signed_in(store, "one", "alice").await;
        let (now, lapses) = (START + Ttl(300), START + Ttl(330));
        store.lease_upstream_session(&id("one"), START, now, lapses).await.unwrap().unwrap();
        let silent = Settlement { id: id("one"), lease: lapses, sealed_token: Some("sealed 2".into()), said: None };
        assert!(store.settle_upstream_session(silent).await.unwrap());
        let kept = row(store, "one").await;
        assert_eq!((kept.sealed_token.as_deref(), kept.checked_at, kept.checking_until), (Some("sealed 2"), START, None));
        assert_eq!(kept.facts, sign_in("one", "alice").facts);
        assert!(store.lease_upstream_session(&id("one"), START, now, lapses).await.unwrap().is_some());
    }
}

/// What ended or was renewed while somebody asked is not overwritten by what the asking brings.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_neither_revives_nor_overwrites() {
    for bench in benches().await {
        let store = &bench.store;
        let (now, lapses) = (START + Ttl(300), START + Ttl(330));
        let late = |name: &str| Settlement {
            id: id(name),
            lease: lapses,
            sealed_token: Some("late".into()),
            said: Some(("{\"late\":1}".into(), now)),
        };
        for name in ["ended", "renewed"] {
            signed_in(store, name, "alice").await;
            store.lease_upstream_session(&id(name), START, now, lapses).await.unwrap().unwrap();
        }
        end(store, "ended").await;
        let renewed = NewUpstreamSession { sealed_token: Some("fresh".into()), now, ..sign_in("renewed", "alice") };
        store.begin_upstream_session(renewed).await.unwrap();
        assert!(!store.settle_upstream_session(late("ended")).await.unwrap());
        assert!(!store.settle_upstream_session(late("renewed")).await.unwrap());
        let ended = row(store, "ended").await;
        assert_eq!((ended.ended_at, ended.sealed_token, ended.facts.as_str()), (Some(START), None, ""), "what we knew went with it");
        assert_eq!(row(store, "renewed").await.sealed_token.as_deref(), Some("fresh"));
        assert!(store.lease_upstream_session(&id("ended"), now, now, lapses).await.unwrap().is_none());
        let gone = |lease| UpstreamEnding {
            which: SignIns::Asked { id: id("renewed"), lease },
            ..UpstreamEnding::one(&id("renewed"), "test", now)
        };
        assert_eq!(store.end_upstream_sessions(gone(lapses)).await.unwrap(), Some(0), "nor does an ending hit what was renewed");
        store.lease_upstream_session(&id("renewed"), now, now, lapses).await.unwrap().unwrap();
        assert_eq!(store.end_upstream_sessions(gone(lapses)).await.unwrap(), Some(1));
    }
}

/// OpenID Connect Back-Channel Logout 1.0 §2.7: one notice, one transaction; every replica knows within a second. What it does not name
/// stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_notice_ends_its_session_with_everything_that_stands_on_it() {
    for bench in benches().await {
        let (store, there) = (&bench.store, bench.replica().await);
        rare::account(store, "alice").await;
        store.register(new_client("app")).await.unwrap();
        let (mut grants, mut cookies) = (Vec::new(), Vec::new());
        for name in ["named", "other"] {
            signed_in(store, name, "alice").await;
            let grant_id = fresh_grant(START);
            let approval = Approval { upstream_session: Some(id(name)), ..approval(grant_id) };
            store.redeem(Redemption { approval, ..redemption(grant_id) }).await.unwrap();
            grants.push(grant_id);
            let cookie = NewBrowserSession {
                id: hash(name),
                subject: subject("alice"),
                upstream_session: Some(id(name)),
                auth_time: START,
                created_at: START,
                expires_at: START + Ttl::hours(12),
            };
            store.create_browser_session(cookie.clone()).await.unwrap();
            assert!(there.browser_session(&cookie.id).await.unwrap().unwrap().ended_at.is_none(), "copied at the other replica");
            cookies.push(cookie.id);
        }
        let notice = |name: &str| UpstreamEnding {
            which: SignIns::OfSession { issuer: ISSUER.into(), sid: "sid-named".into() },
            reason: "logout_notice",
            now: START,
            notice: Some((name.into(), START + Ttl(120))),
            trail: Trail::default(),
        };
        assert_eq!(store.end_upstream_sessions(notice("n1")).await.unwrap(), Some(1));
        assert_eq!(there.end_upstream_sessions(notice("n1")).await.unwrap(), None, "a notice comes once, to whichever replica");
        assert_eq!(there.end_upstream_sessions(notice("n2")).await.unwrap(), Some(0), "another one finds nothing left");
        assert_eq!(reason(there.rotate(rotation(grants[0], 1, "x")).await), "upstream_ended");
        assert_eq!(there.rotate(rotation(grants[1], 1, "x")).await.unwrap().row.generation, 2);
        let facts = |sid| AccessFacts { grant_id: "g", jti: "j", client_id: "c", sub: "alice", sid: Some(sid), iat: START.0 };
        assert!(store.ended().is_ended(&facts("named")).unwrap(), "here, at once");
        within_a_second("ended elsewhere", async || there.ended().is_ended(&facts("named")).unwrap()).await;
        within_a_second("signed out elsewhere", async || there.browser_session(&cookies[0]).await.unwrap().unwrap().ended_at.is_some())
            .await;
        assert!(!there.ended().is_ended(&facts("other")).unwrap());
        assert!(there.browser_session(&cookies[1]).await.unwrap().unwrap().ended_at.is_none());
        let filter = AuditFilter { event: Some("upstream_session.ended".into()), ..AuditFilter::default() };
        let told = store.audit_events(&filter, None, 10).await.unwrap();
        assert_eq!(told.iter().map(|event| event.reason.as_deref()).collect::<Vec<_>>(), [Some("logout_notice")]);
    }
}

/// §2.6: a notice without a session means every session of its person, at this provider and of this person only.
#[tokio::test(flavor = "multi_thread")]
async fn a_notice_about_a_person_ends_all_their_sessions() {
    for bench in benches().await {
        let store = &bench.store;
        for (name, person) in [("one", "alice"), ("two", "alice"), ("three", "bob")] {
            signed_in(store, name, person).await;
        }
        let elsewhere = NewUpstreamSession { issuer: "https://other.example".into(), ..sign_in("four", "alice") };
        store.begin_upstream_session(elsewhere).await.unwrap();
        let of_alice = UpstreamEnding {
            which: SignIns::OfPerson { issuer: ISSUER.into(), upstream_subject: "u-alice".into() },
            ..UpstreamEnding::one(&id("x"), "logout_notice", START)
        };
        let before = store.ended_head().await.unwrap();
        assert_eq!(store.end_upstream_sessions(of_alice).await.unwrap(), Some(2));
        assert_eq!(store.ended_after(before, 10).await.unwrap().len(), 2);
        let mut standing = Vec::new();
        for name in ["one", "two", "three", "four"] {
            if row(store, name).await.ended_at.is_none() {
                standing.push(name);
            }
        }
        assert_eq!(standing, ["three", "four"]);
    }
}

/// The notice overtook the browser: the session that it named does not begin here any more. Another one does, and so does one that is
/// called the same after the longest journey.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_over_before_it_began_does_not_begin() {
    for bench in benches().await {
        let store = &bench.store;
        let notice = UpstreamEnding {
            which: SignIns::OfSession { issuer: ISSUER.into(), sid: "sid-one".into() },
            notice: Some(("n".into(), START + Ttl(120))),
            ..UpstreamEnding::one(&id("x"), "logout_notice", START)
        };
        assert_eq!(store.end_upstream_sessions(notice).await.unwrap(), Some(0));
        assert_eq!(store.begin_upstream_session(sign_in("one", "alice")).await.unwrap(), None);
        assert_eq!(store.upstream_session(&id("one")).await.unwrap(), None);
        signed_in(store, "two", "alice").await;
        let later = NewUpstreamSession { now: START + Ttl::minutes(10), ..sign_in("one", "alice") };
        assert_eq!(store.begin_upstream_session(later).await.unwrap(), Some(id("one")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_go_long_after_they_ended_or_were_last_asked_about() {
    for bench in benches().await {
        let store = &bench.store;
        for name in ["ended", "forgotten", "used"] {
            signed_in(store, name, "alice").await;
        }
        end(store, "ended").await;
        let (now, lapses) = (START + Ttl::days(300), START + Ttl::days(301));
        store.lease_upstream_session(&id("used"), START, now, lapses).await.unwrap().unwrap();
        let said = Some(("{}".to_owned(), now));
        store.settle_upstream_session(Settlement { id: id("used"), lease: lapses, sealed_token: None, said }).await.unwrap();
        assert_eq!(store.purge(START + Ttl::days(399)).await.unwrap().upstream_sessions, 0);
        assert_eq!(store.purge(START + Ttl::days(400)).await.unwrap().upstream_sessions, 2);
        assert!(store.upstream_session(&id("used")).await.unwrap().is_some());
    }
}
