//! Rare writes and the reads of every noun.

use std::time::{Duration, Instant};

use super::*;
use crate::store::{AuditFilter, ConsentKey, ConsentRow, KeyRow, NewAccount, NewBrowserSession, NewIdentity};

pub(super) async fn account(store: &Store, name: &str) {
    let new = NewAccount {
        subject: subject(name),
        username: name.into(),
        display_name: format!("{name} Müller"),
        password_phc: "$argon2id$".into(),
    };
    assert!(store.create_account(new).await.unwrap());
}

/// Waits for what another replica did; a second is promised, the rest is for a busy machine.
pub(super) async fn within_a_second<F: Future<Output = bool>>(what: &str, mut seen: impl FnMut() -> F) {
    let since = Instant::now();
    while !seen().await {
        assert!(since.elapsed() < Duration::from_millis(2_500), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_kept_as_it_registered() {
    for bench in benches().await {
        assert_eq!(bench.store.client(&client_id("app")).await.unwrap(), None);
        bench.store.register(new_client("app")).await.unwrap();
        let row = bench.store.client(&client_id("app")).await.unwrap().unwrap();
        assert_eq!(*row, client_row("app"));
        assert_eq!(bench.store.clients("", 10).await.unwrap(), [client_row("app")]);
        assert!(bench.store.clients("app", 10).await.unwrap().is_empty());
        let public = NewClient {
            row: ClientRow {
                auth_method: AuthMethod::None,
                secret_hash: None,
                scope: None,
                registration_token_hash: None,
                ..client_row("public")
            },
            ..new_client("public")
        };
        bench.store.register(public.clone()).await.unwrap();
        assert_eq!(*bench.store.client(&client_id("public")).await.unwrap().unwrap(), public.row);
        assert_eq!(bench.store.pending_clients().await.unwrap(), 2);
        bench.store.register(new_client("third")).await.unwrap();
        assert_eq!(bench.store.pending_clients().await.unwrap(), 3, "our own are counted at once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_or_deleted_client_is_known_everywhere_within_a_second() {
    for bench in benches().await {
        let there = bench.replica().await;
        let id = client_id("app");
        bench.store.register(new_client("app")).await.unwrap();
        assert!(there.client(&id).await.unwrap().is_some());
        let changed = NewClient { row: ClientRow { name: "Renamed".into(), ..client_row("app") }, ..new_client("app") };
        assert!(bench.store.replace_client(changed.clone()).await.unwrap());
        assert_eq!(bench.store.client(&id).await.unwrap().unwrap().name, "Renamed", "here, at once");
        within_a_second("renamed elsewhere", async || there.client(&id).await.unwrap().unwrap().name == "Renamed").await;
        let event = AuditEvent { at: START, event: "client.deleted", client_id: Some(id.clone()), ..AuditEvent::default() };
        assert!(bench.store.delete_client(&id, START, event.clone()).await.unwrap());
        assert_eq!(bench.store.client(&id).await.unwrap().unwrap().ended_at, Some(START), "a tombstone, at once");
        within_a_second("deleted elsewhere", async || there.client(&id).await.unwrap().unwrap().ended_at.is_some()).await;
        assert!(!bench.store.delete_client(&id, START, event).await.unwrap(), "deleting twice deletes once");
        assert!(!bench.store.replace_client(changed).await.unwrap(), "a tombstone is not changed");
        let filter = AuditFilter { client_id: Some(id), event: Some("client.deleted".into()), ..AuditFilter::default() };
        assert_eq!(bench.store.audit_events(&filter, None, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_session_ends_by_itself_by_hand_and_with_its_person() {
    for bench in benches().await {
        let there = bench.replica().await;
        account(&bench.store, "alice").await;
        let new = |text: &str| NewBrowserSession {
            id: hash(text),
            subject: subject("alice"),
            upstream_session: None,
            auth_time: START,
            created_at: START,
            expires_at: START + Ttl::hours(12),
        };
        let first = bench.store.create_browser_session(new("one")).await.unwrap();
        bench.store.create_browser_session(new("two")).await.unwrap();
        assert_eq!(bench.store.browser_session(&hash("one")).await.unwrap(), Some(first.clone()));
        assert_eq!(there.browser_session(&hash("one")).await.unwrap(), Some(first));
        assert_eq!(bench.store.browser_session(&hash("none")).await.unwrap(), None);
        assert!(bench.store.end_browser_session(&hash("one"), START).await.unwrap());
        assert!(!bench.store.end_browser_session(&hash("one"), START).await.unwrap());
        bench.store.create_browser_session(new("three")).await.unwrap();
        let ended = async |store: &Store, text: &str| store.browser_session(&hash(text)).await.unwrap().unwrap().ended_at.is_some();
        assert!(ended(&bench.store, "one").await);
        assert!(!ended(&bench.store, "two").await);
        assert!(!ended(&there, "two").await);
        assert!(bench.store.set_password("alice", "new").await.unwrap());
        assert!(ended(&bench.store, "two").await && ended(&bench.store, "three").await, "a new password signs out everywhere");
        bench.store.create_browser_session(new("two again")).await.unwrap();
        assert!(bench.store.disable_account("alice").await.unwrap());
        assert!(!bench.store.disable_account("alice").await.unwrap());
        assert!(ended(&bench.store, "two again").await, "here, at once");
        within_a_second("signed out elsewhere", async || ended(&there, "one").await && ended(&there, "two").await).await;
        assert!(bench.store.account("alice").await.unwrap().unwrap().disabled_at.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_one_name_and_one_person() {
    for bench in benches().await {
        account(&bench.store, "alice").await;
        let again =
            NewAccount { subject: subject("mallory"), username: "alice".into(), display_name: "M".into(), password_phc: "p".into() };
        assert!(!bench.store.create_account(again).await.unwrap(), "the name is taken");
        assert_eq!(bench.store.subject(&subject("mallory")).await.unwrap(), None, "and nobody was half made");
        let row = bench.store.account("alice").await.unwrap().unwrap();
        assert_eq!((row.subject.as_str(), row.display_name.as_str()), ("alice", "alice Müller"));
        assert!(bench.store.set_password("alice", "other").await.unwrap());
        assert_eq!(bench.store.account("alice").await.unwrap().unwrap().password_phc, "other");
        assert!(!bench.store.set_password("nobody", "other").await.unwrap());
        assert_eq!(bench.store.account("nobody").await.unwrap(), None);
        assert_eq!(bench.store.accounts().await.unwrap().len(), 1);
        assert!(!bench.store.disable_account("nobody").await.unwrap());
        assert_eq!(bench.store.subject(&subject("alice")).await.unwrap().unwrap().created_at, START);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_is_added_to_only_while_the_client_describes_itself_the_same() {
    for bench in benches().await {
        let key = ConsentKey { subject: subject("alice"), client_id: client_id("app"), redirect_uri: redirect(), resource: resource() };
        let row = |scope: &str, digest: &str| ConsentRow {
            scope: Scope::parse(scope).unwrap(),
            client_digest: digest.into(),
            expires_at: START + Ttl::days(90),
        };
        let store = &bench.store;
        assert_eq!(store.consent(&key).await.unwrap(), None);
        store.remember_consent(&key, row("a", "one")).await.unwrap();
        store.remember_consent(&key, row("b", "one")).await.unwrap();
        assert_eq!(store.consent(&key).await.unwrap(), Some(row("a b", "one")));
        store.remember_consent(&key, row("c", "two")).await.unwrap();
        assert_eq!(store.consent(&key).await.unwrap(), Some(row("c", "two")));
        bench.clock.advance(Ttl::days(91));
        store.remember_consent(&key, row("d", "two")).await.unwrap();
        assert_eq!(store.consent(&key).await.unwrap(), Some(row("d", "two")), "what had expired is not revived");
        let there = bench.replica().await;
        assert!(there.consent(&key).await.unwrap().is_some());
        assert_eq!(store.forget_consents(&key.subject, &key.client_id).await.unwrap(), 1);
        assert_eq!(store.consent(&key).await.unwrap(), None);
        within_a_second("forgotten elsewhere", async || there.consent(&key).await.unwrap().is_none()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_back_in_the_order_in_which_they_sign() {
    for bench in benches().await {
        let key = |kid: &str, from: i64| KeyRow {
            kid: kid.into(),
            alg: "ES256".into(),
            sealed_private: "sealed".into(),
            public_jwk: "{\"kty\":\"EC\"}".into(),
            created_at: START,
            active_from: START + Ttl(from),
            retire_at: None,
        };
        bench.store.insert_key(key("b", 5)).await.unwrap();
        bench.store.insert_key(key("a", 9)).await.unwrap();
        assert_eq!(bench.store.keys().await.unwrap(), [key("b", 5), key("a", 9)]);
        let changed = KeyRow { retire_at: Some(START + Ttl(20)), sealed_private: "again".into(), ..key("b", 5) };
        assert!(bench.store.update_key(changed.clone()).await.unwrap());
        assert_eq!(bench.store.keys().await.unwrap()[0], changed);
        assert!(!bench.store.update_key(key("none", 0)).await.unwrap());
        assert!(bench.store.insert_key(key("a", 1)).await.is_err(), "a key id is used once");
        assert_eq!(bench.store.keys().await.unwrap().len(), 2, "and a failed write leaves the writer whole");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_salt_is_made_once_and_never_changes_but_for_its_seal() {
    for bench in benches().await {
        let there = bench.replica().await;
        assert_eq!(bench.store.salt("pairwise", "one".into()).await.unwrap(), "one");
        assert_eq!(there.salt("pairwise", "two".into()).await.unwrap(), "one");
        assert_eq!(there.salt("another", "two".into()).await.unwrap(), "two");
        assert!(!there.reseal_salt("pairwise", "two".into(), "three".into()).await.unwrap());
        assert!(there.reseal_salt("pairwise", "one".into(), "one again".into()).await.unwrap());
        assert_eq!(bench.store.salt("pairwise", "four".into()).await.unwrap(), "one again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_come_first_one_is_told_so() {
    for bench in benches().await {
        let (here, there) = (bench.store.clone(), bench.replica().await);
        let tries: Vec<_> = (0..16)
            .map(|number| {
                let store = if number % 2 == 0 { here.clone() } else { there.clone() };
                tokio::spawn(async move { store.first_seen("jti", "x", START + Ttl(60)).await.unwrap() })
            })
            .collect();
        let mut firsts = 0;
        for one in tries {
            firsts += usize::from(one.await.unwrap());
        }
        assert_eq!(firsts, 1);
        assert!(here.first_seen("other", "x", START + Ttl(60)).await.unwrap(), "of another kind it is another thing");
        bench.clock.advance(Ttl(60));
        assert!(here.first_seen("jti", "x", START + Ttl(120)).await.unwrap(), "after its time it may come again");
        assert!(!here.first_seen("jti", "x", START + Ttl(120)).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_is_read_newest_first_in_pages() {
    for bench in benches().await {
        for number in 0..5 {
            bench.clock.advance(Ttl(1));
            let detail = if number == 0 { "ü".repeat(2_000) } else { format!("{{\"number\":{number}}}") };
            let event =
                AuditEvent { at: bench.clock.now(), event: "test.done", subject: Some(subject("alice")), detail, ..AuditEvent::default() };
            bench.store.audit(event).await.unwrap();
        }
        let filter = AuditFilter { subject: Some(subject("alice")), ..AuditFilter::default() };
        let page = bench.store.audit_events(&filter, None, 3).await.unwrap();
        assert_eq!(page.iter().map(|event| event.at.0 - START.0).collect::<Vec<_>>(), [5, 4, 3]);
        let rest = bench.store.audit_events(&filter, Some(&page[2].audit_id), 3).await.unwrap();
        assert_eq!(rest.iter().map(|event| event.at.0 - START.0).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(rest[1].detail.as_ref().map(String::len), Some(crate::store::DETAIL_BYTES_MAX), "a detail is cut, an event never");
        let nobody = AuditFilter { subject: Some(subject("bob")), ..AuditFilter::default() };
        assert!(bench.store.audit_events(&nobody, None, 3).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_purge_leaves_everything_from_which_something_lives() {
    for bench in benches().await {
        let (store, clock) = (&bench.store, &bench.clock);
        let living = redeemed(&bench).await;
        store.rotate(rotation(living, 1, "x")).await.unwrap();
        let once = approved(&bench).await;
        store.redeem(Redemption { refresh: None, ..redemption(once) }).await.unwrap();
        store.register(new_client("unused")).await.unwrap();
        store.first_seen("jti", "x", START + Ttl(60)).await.unwrap();
        assert_eq!(store.purge(START).await.unwrap().grants, 0);
        clock.advance(Ttl::minutes(3));
        let report = store.purge(clock.now()).await.unwrap();
        assert_eq!((report.successors, report.seen, report.clients, report.grants), (1, 1, 0, 0));
        assert_eq!(store.grant(&living).await.unwrap().unwrap().successor_sealed, None, "no seal beyond the overlap");
        clock.advance(Ttl::days(4));
        let report = store.purge(clock.now()).await.unwrap();
        assert_eq!((report.clients, report.grants), (1, 1), "what was never used, and the grant that had one access token");
        assert!(store.client(&client_id("unused")).await.unwrap().is_none());
        assert!(store.client(&client_id("app")).await.unwrap().is_some());
        assert!(store.grant(&once).await.unwrap().is_none());
        assert!(store.grant(&living).await.unwrap().is_some());
        clock.advance(Ttl::days(29));
        assert_eq!(store.purge(clock.now()).await.unwrap().grants, 1, "its refresh token is past");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_purge_of_endings_keeps_the_numbers_going() {
    for bench in benches().await {
        let store = &bench.store;
        for _ in 0..2 {
            let grant_id = redeemed(&bench).await;
            store.end(crate::store::Ending::grant(grant_id, crate::store::EndReason::RevokedByPerson, START)).await.unwrap();
        }
        bench.clock.advance(Ttl::hours(2));
        let report = store.purge(bench.clock.now()).await.unwrap();
        assert_eq!((report.ended, report.grants), (2, 0), "a tombstone outlives everything that was made");
        assert_eq!((store.ended_head().await.unwrap(), store.ended_after(0, 10).await.unwrap().len()), (2, 0));
        let grant_id = redeemed_later(&bench).await;
        store.end(crate::store::Ending::grant(grant_id, crate::store::EndReason::RevokedByPerson, START)).await.unwrap();
        assert_eq!(store.ended_after(2, 10).await.unwrap()[0].number, 3, "a guard that has 2 asks for what comes after");
    }
}

async fn redeemed_later(bench: &Bench) -> GrantId {
    let grant_id = fresh_grant(bench.clock.now());
    let now = bench.clock.now();
    let approval = Approval { created_at: now, code_expires_at: now + Ttl(60), ..approval(grant_id) };
    bench.store.redeem(Redemption { approval, ..redemption(grant_id) }).await.unwrap();
    grant_id
}

#[tokio::test(flavor = "multi_thread")]
async fn seeded_grants_can_be_refreshed() {
    for bench in benches().await {
        let what = crate::store::seed::Seed {
            clients: 3,
            grants: 4_500,
            resource: "https://mcp.example/mcp".into(),
            scope: "mcp:read".into(),
            subject: "person".into(),
            grants_per_subject: 10,
        };
        let name = |id: &GrantId| oauth_types::RefreshTokenSecret::new(format!("refresh {id} 1"));
        let seeded = crate::store::seed::seed(&bench.store, &what, name).await.unwrap();
        assert_eq!((seeded.clients.len(), seeded.grants.len()), (3, 4_500));
        let (grant_id, client) = seeded.grants[4_321].clone();
        let asked = Rotation { client_id: client_id(&client), ..rotation(grant_id, 1, "x") };
        assert_eq!(bench.store.rotate(asked).await.unwrap().row.generation, 2);
    }
}

fn identity(issuer: &str, upstream_subject: &str, fresh: &str, display_name: &str) -> NewIdentity {
    NewIdentity {
        issuer: issuer.into(),
        upstream_subject: upstream_subject.into(),
        subject: subject(fresh),
        display_name: display_name.into(),
        trail: Trail::default(),
    }
}

/// OpenID Connect Core §5.7, attack 61: issuer and subject name a person, nothing else does.
#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_one_person_by_issuer_and_subject_alone() {
    for bench in benches().await {
        let store = &bench.store;
        let met = store.person_of_identity(identity("https://idp.example", "u-1", "p1", "Carol")).await.unwrap();
        assert_eq!((met.subject.as_str(), met.display_name.as_str(), met.created_at), ("p1", "Carol", START));
        let again = store.person_of_identity(identity("https://idp.example", "u-1", "p2", "Carol Müller")).await.unwrap();
        assert_eq!((again.subject.as_str(), again.display_name.as_str()), ("p1", "Carol Müller"), "the name follows the provider");
        assert_eq!(store.subject(&subject("p1")).await.unwrap().unwrap().display_name, "Carol Müller");
        assert_eq!(store.subject(&subject("p2")).await.unwrap(), None, "nobody is made in vain");
        for (issuer, name) in [("https://idp.example", "U-1"), ("https://other.example", "u-1"), ("https://idp.example/", "u-1")] {
            let fresh = format!("fresh-{}-{name}", issuer.len());
            let other = store.person_of_identity(identity(issuer, name, &fresh, "Carol Müller")).await.unwrap();
            assert_eq!(other.subject.as_str(), fresh, "{issuer} {name} is somebody else");
        }
        let filter = AuditFilter { subject: Some(subject("p1")), event: Some("person.met".into()), ..AuditFilter::default() };
        assert_eq!(store.audit_events(&filter, None, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_that_meet_a_person_at_once_make_one() {
    for bench in benches().await {
        let there = bench.replica().await;
        let arrivals = (0..24).map(|number| {
            let store = if number % 2 == 0 { bench.store.clone() } else { there.clone() };
            let new = identity("https://idp.example", "u-1", &format!("p{number}"), "Carol");
            async move { store.person_of_identity(new).await.unwrap().subject }
        });
        let met = futures_util::future::join_all(arrivals).await;
        assert!(met.iter().all(|subject| *subject == met[0]), "{met:?}");
        let made = (0..24).map(|number| {
            let store = bench.store.clone();
            async move { store.subject(&subject(&format!("p{number}"))).await.unwrap().is_some() }
        });
        assert_eq!(futures_util::future::join_all(made).await.into_iter().filter(|is_there| *is_there).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_name_behind_a_subject_is_known_and_nobody_elses() {
    for bench in benches().await {
        account(&bench.store, "alice").await;
        assert_eq!(bench.store.username_of(&subject("alice")).await.unwrap().as_deref(), Some("alice"));
        assert_eq!(bench.store.username_of(&subject("nobody")).await.unwrap(), None);
    }
}
