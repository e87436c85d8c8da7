//! One suite for every implementation: do they really mean the same?

use std::sync::Arc;

use oauth_types::{Timestamp, Ttl};

use super::{Ephemeral, Key, Slot, open};
use crate::{
    clock::{Clock, FixedClock},
    config::Database,
    secret,
};

const START: Timestamp = Timestamp(1_800_000_000);

/// An implementation under test, with its clock; the folder lives as long as the test.
struct Bench {
    store: Arc<dyn Ephemeral>,
    clock: Arc<FixedClock>,
    _folder: tempfile::TempDir,
}

async fn every() -> Vec<Bench> {
    let mut benches = Vec::new();
    let postgres = postgres_url();
    for url in [None, postgres] {
        let folder = tempfile::tempdir().unwrap();
        let database = match url {
            None if benches.is_empty() => Database::Sqlite(folder.path().join("portico.db")),
            None => continue,
            Some(url) => Database::Postgres(url),
        };
        let clock = Arc::new(FixedClock::at(START));
        let store = open(&database, clock.clone() as Arc<dyn Clock>).await.unwrap();
        benches.push(Bench { store, clock, _folder: folder });
    }
    benches
}

#[expect(clippy::disallowed_methods, reason = "the test runner names its PostgreSQL in the environment")]
fn postgres_url() -> Option<String> {
    std::env::var("TEST_POSTGRES_URL").ok()
}

/// Tests share a PostgreSQL; nobody shares a key.
fn key() -> Key {
    Key::new("test", &secret::fresh_text::<12>(""))
}

#[tokio::test]
async fn what_is_put_is_there_until_it_is_past() {
    for bench in every().await {
        let key = key();
        bench.store.put(&key, "one".to_owned(), Ttl(60)).await.unwrap();
        assert_eq!(bench.store.peek(&key).await.unwrap().as_deref(), Some("one"));
        bench.store.put(&key, "two".to_owned(), Ttl(60)).await.unwrap();
        assert_eq!(bench.store.peek(&key).await.unwrap().as_deref(), Some("two"));
        bench.clock.advance(Ttl(60));
        assert_eq!(bench.store.peek(&key).await.unwrap(), None);
        assert_eq!(bench.store.take(&key).await.unwrap(), None);
    }
}

#[tokio::test]
async fn of_many_who_take_one_gets_it() {
    for bench in every().await {
        let key = key();
        bench.store.put(&key, "prize".to_owned(), Ttl(60)).await.unwrap();
        let tries: Vec<_> = (0..16)
            .map(|_| {
                let (store, key) = (bench.store.clone(), key.clone());
                tokio::spawn(async move { store.take(&key).await.unwrap().is_some() })
            })
            .collect();
        let mut winners = 0;
        for one in tries {
            winners += usize::from(one.await.unwrap());
        }
        assert_eq!(winners, 1);
    }
}

#[tokio::test]
async fn a_count_begins_anew_when_its_window_is_over() {
    for bench in every().await {
        let key = key();
        for expected in 1..=3 {
            assert_eq!(bench.store.count(&key, Ttl(60)).await.unwrap(), expected);
            bench.clock.advance(Ttl(10));
        }
        bench.clock.advance(Ttl(30));
        assert_eq!(bench.store.count(&key, Ttl(60)).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_purge_takes_only_what_is_past() {
    for bench in every().await {
        let (short, long) = (key(), key());
        bench.store.put(&short, "s".to_owned(), Ttl(10)).await.unwrap();
        bench.store.put(&long, "l".to_owned(), Ttl(100)).await.unwrap();
        bench.clock.advance(Ttl(50));
        bench.store.purge().await.unwrap();
        assert_eq!(bench.store.peek(&short).await.unwrap(), None);
        assert_eq!(bench.store.peek(&long).await.unwrap().as_deref(), Some("l"));
    }
}

#[tokio::test]
async fn a_slot_gives_back_what_it_was_given() {
    const PAIRS: Slot<(u32, String)> = Slot::new("pair", Ttl(60));
    for bench in every().await {
        let id = secret::fresh_text::<12>("");
        PAIRS.put(&*bench.store, &id, &(7, "seven".to_owned())).await.unwrap();
        assert_eq!(PAIRS.peek(&*bench.store, &id).await.unwrap(), Some((7, "seven".to_owned())));
        assert_eq!(PAIRS.take(&*bench.store, &id).await.unwrap(), Some((7, "seven".to_owned())));
        assert_eq!(PAIRS.take(&*bench.store, &id).await.unwrap(), None);
    }
}
