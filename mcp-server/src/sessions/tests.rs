//! What the sessions file keeps, and for how long.

use std::path::Path;

use super::events::Position;
use super::store::{EVENTS_PER_SESSION_MAX, EventRow, Row, SessionRows};
use super::*;

async fn rows(folder: &Path) -> SessionRows {
    SessionRows::open(&folder.join("sessions.db")).await.unwrap()
}

fn row(owner: &str, used_at: i64) -> Row {
    Row { owner: owner.into(), version: "2025-11-25".into(), state: "{}".into(), created_at: 100, used_at }
}

fn event(session: &str, event: u32) -> EventRow {
    let position = Position { epoch: "00000001".into(), stream: 1, event };
    EventRow { session: session.into(), position, is_last: false, message: format!("{{\"n\":{event}}}") }
}

#[tokio::test]
async fn a_session_nobody_used_for_too_long_is_purged_with_its_events() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(folder.path()).await;
    rows.save("old", row("alice", 1_000)).await.unwrap();
    rows.save("used", row("alice", 1_000)).await.unwrap();
    rows.append(event("old", 1)).await;
    rows.tend(vec![("used".into(), 5_000)], 2_000, 50, 5_000).await.unwrap();
    assert_eq!(rows.load("old").await.unwrap(), None);
    assert_eq!(rows.load("used").await.unwrap().unwrap().used_at, 5_000);
    assert!(rows.events_after("old", &event("old", 0).position).await.unwrap().is_empty());
    // However much it is used, no session outlives its age.
    rows.tend(vec![("used".into(), 9_000)], 2_000, 100, 9_000).await.unwrap();
    assert_eq!(rows.load("used").await.unwrap(), None);
}

#[tokio::test]
async fn events_come_back_in_order_after_a_place_and_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(folder.path()).await;
    let most = u32::try_from(EVENTS_PER_SESSION_MAX).unwrap();
    for number in 1..=most + 10 {
        rows.append(event("s", number)).await;
    }
    rows.append(event("other", 1)).await;
    let kept = rows.events_after("s", &event("s", 0).position).await.unwrap();
    assert_eq!(kept.len(), EVENTS_PER_SESSION_MAX as usize);
    assert_eq!(kept[0].position.event, 11, "the oldest made room");
    assert!(kept.is_sorted_by_key(|row| row.position.event));
    let rest = rows.events_after("s", &event("s", most + 9).position).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].message, format!("{{\"n\":{}}}", most + 10));
}

#[tokio::test]
async fn an_owner_keeps_only_the_newest_sessions_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(folder.path()).await;
    rows.save("bobs", row("bob", 1)).await.unwrap();
    for number in 0..=SESSIONS_PER_OWNER_MAX {
        rows.save(&format!("s{number}"), row("alice", 1_000 + i64::try_from(number).unwrap())).await.unwrap();
    }
    assert_eq!(rows.load("s0").await.unwrap(), None);
    assert!(rows.load("s1").await.unwrap().is_some());
    assert!(rows.load("bobs").await.unwrap().is_some());
}
