//! When the database fails: nobody is told that something happened that did not, nor twice.

use futures_util::future::join_all;

use super::*;
use crate::store::StoreError;

/// Makes every COMMIT of a transaction fail that writes an event from the address `boom`: a constraint that is looked at last.
async fn plant_a_late_fault(bench: &Bench) {
    let mut conn = bench.aside().await;
    let statements: &[&'static str] = if bench.is_sqlite() {
        &[
            "CREATE TABLE nobody (id TEXT PRIMARY KEY)",
            "CREATE TABLE late (id TEXT REFERENCES nobody (id) DEFERRABLE INITIALLY DEFERRED)",
            "CREATE TRIGGER boom AFTER INSERT ON audit WHEN NEW.source_ip = 'boom' BEGIN INSERT INTO late (id) VALUES ('x'); END",
        ]
    } else {
        &[
            "CREATE TABLE nobody (id TEXT PRIMARY KEY)",
            "CREATE TABLE late (id TEXT REFERENCES nobody (id) DEFERRABLE INITIALLY DEFERRED)",
            "CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN IF NEW.source_ip = 'boom' THEN INSERT INTO late (id) VALUES ('x'); END IF; RETURN NEW; END $$",
            "CREATE TRIGGER boom AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION boom()",
        ]
    };
    for sql in statements {
        conn.run(sql, &[]).await.unwrap();
    }
    conn.close().await;
}

fn boom() -> Trail {
    Trail { source_ip: Some("boom".into()), reference: None }
}

/// What is not committed did not happen; and one bad member fails only itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_commit_harms_only_the_member_that_failed_it() {
    for bench in benches().await {
        let good = redeemed(&bench).await;
        let bad = redeemed(&bench).await;
        let code = approved(&bench).await;
        plant_a_late_fault(&bench).await;
        // Polled together, so they are queued together and meet in one group.
        let (first, second, third) = tokio::join!(
            bench.store.rotate(rotation(good, 1, "good")),
            bench.store.rotate(Rotation { trail: boom(), ..rotation(bad, 1, "bad") }),
            bench.store.redeem(redemption(code)),
        );
        assert_eq!(first.unwrap().row.generation, 2);
        let refused = second.unwrap_err();
        assert_eq!((refused.code(), refused.status()), ("temporarily_unavailable", 503));
        assert_eq!(third.unwrap().generation, 1);
        let generation = async |id: GrantId| bench.store.grant(&id).await.unwrap().unwrap().generation;
        assert_eq!((generation(good).await, generation(bad).await, generation(code).await), (2, 1, 1));
        // The client tries again, and nothing was burnt.
        assert_eq!(bench.store.rotate(rotation(bad, 1, "again")).await.unwrap().row.generation, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_id_harms_only_its_own_registration() {
    for bench in benches().await {
        bench.store.register(new_client("taken")).await.unwrap();
        let grant_id = redeemed(&bench).await;
        let (taken, free, rotated) = tokio::join!(
            bench.store.register(NewClient { row: ClientRow { name: "Thief".into(), ..client_row("taken") }, ..new_client("taken") }),
            bench.store.register(new_client("free")),
            bench.store.rotate(rotation(grant_id, 1, "x")),
        );
        assert_eq!(taken.unwrap_err().status(), 503);
        free.unwrap();
        rotated.unwrap();
        assert_eq!(*bench.store.client(&client_id("taken")).await.unwrap().unwrap(), client_row("taken"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judge_that_panics_or_lies_refuses_alone() {
    fn panics(_: &GrantRow, _: &Rotation, _: Timestamp) -> Result<Rotate, Error> {
        panic!("a bug in a judge")
    }
    fn lies(_: &GrantRow, _: &Rotation, _: Timestamp) -> Result<Rotate, Error> {
        Ok(Rotate::Next)
    }
    for bench in benches().await {
        let (one, two, three) = (redeemed(&bench).await, redeemed(&bench).await, redeemed(&bench).await);
        let (first, second, third) = tokio::join!(
            bench.store.rotate(Rotation { judge: panics, ..rotation(one, 1, "x") }),
            bench.store.rotate(Rotation { judge: lies, presented_hash: hash("forged"), ..rotation(two, 1, "x") }),
            bench.store.rotate(rotation(three, 1, "x")),
        );
        assert_eq!(first.unwrap_err().code(), "server_error");
        assert_eq!(second.unwrap_err().code(), "server_error");
        third.unwrap();
        for grant_id in [one, two] {
            assert_eq!(bench.store.grant(&grant_id).await.unwrap().unwrap().generation, 1);
        }
    }
}

/// A quick 503 is kinder than a long wait: the queue is bounded.
#[tokio::test(flavor = "current_thread")]
async fn a_full_queue_is_an_outage_at_once() {
    for bench in benches().await {
        // A neighbour holds SQLite's file, so its writer takes one group and waits; PostgreSQL's writer has to wait for our own thread.
        let mut neighbour = bench.aside().await;
        neighbour.begin().await.unwrap();
        let tries = (0..6_000).map(|_| bench.store.redeem(redemption(fresh_grant(START))));
        let mut tries = std::pin::pin!(join_all(tries));
        tokio::select! {
            biased;
            _ = &mut tries => panic!("nobody is answered before the file is free"),
            () = std::future::ready(()) => {}
        }
        neighbour.rollback().await;
        let outcomes = tries.await;
        let refused: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert!(!refused.is_empty() && refused.len() < 6_000, "{}", refused.len());
        assert!(refused.iter().all(|error| error.status() == 503), "never a refusal");
        // And it is open again.
        redeemed(&bench).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_writes_what_was_queued_and_takes_no_more() {
    for bench in benches().await {
        approved(&bench).await;
        let ids: Vec<_> = (0..50).map(|_| fresh_grant(START)).collect();
        let writes: Vec<_> = ids
            .iter()
            .map(|id| {
                let (store, id) = (bench.store.clone(), *id);
                tokio::spawn(async move { store.redeem(redemption(id)).await })
            })
            .collect();
        tokio::task::yield_now().await;
        bench.store.close().await;
        let there = bench.replica().await;
        for (id, write) in ids.iter().zip(writes) {
            let told = write.await.unwrap();
            assert_eq!(there.grant(id).await.unwrap().is_some(), told.is_ok(), "told and kept agree");
        }
        assert_eq!(bench.store.redeem(redemption(fresh_grant(START))).await.unwrap_err().status(), 503);
        assert!(matches!(bench.store.first_seen("k", "x", START).await, Err(StoreError::Closed)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_is_an_outage_and_never_a_refusal() {
    for bench in benches().await {
        let grant_id = redeemed(&bench).await;
        let mut conn = bench.aside().await;
        conn.run("ALTER TABLE grants RENAME TO gone", &[]).await.unwrap();
        assert_eq!(bench.store.rotate(rotation(grant_id, 1, "x")).await.unwrap_err().status(), 503);
        assert_eq!(bench.store.redeem(redemption(grant_id)).await.unwrap_err().code(), "temporarily_unavailable");
        assert!(bench.store.grant(&grant_id).await.is_err());
        conn.run("ALTER TABLE gone RENAME TO grants", &[]).await.unwrap();
        conn.close().await;
        assert_eq!(bench.store.rotate(rotation(grant_id, 1, "x")).await.unwrap().row.generation, 2, "and it recovers by itself");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endings_that_cannot_be_read_are_an_outage_after_five_seconds() {
    for bench in benches().await {
        let facts = oauth_types::AccessFacts { grant_id: "g", jti: "j", client_id: "c", sub: "s", sid: None, iat: START.0 };
        assert!(!bench.store.ended().is_ended(&facts).unwrap());
        let mut conn = bench.aside().await;
        conn.run("ALTER TABLE ended RENAME TO gone", &[]).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(6_200)).await;
        assert!(bench.store.ended().is_ended(&facts).is_err(), "never open");
        assert!(bench.store.health().await.is_err());
        conn.run("ALTER TABLE gone RENAME TO ended", &[]).await.unwrap();
        conn.close().await;
        bench.store.follow_once().await.unwrap();
        assert!(!bench.store.ended().is_ended(&facts).unwrap());
        bench.store.health().await.unwrap();
    }
}
