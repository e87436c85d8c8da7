//! Sessions belong to person and client (attack 48), survive a refresh and a restart, and can be resumed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{LEGACY, Reply, Stand, call, initialize, sent};

fn echo(id: u32) -> Value {
    call(id, "tools/call", json!({ "name": "echo", "arguments": { "message": "hi" } }))
}

async fn in_session(stand: &Stand, token: &str, session: &str) -> Reply {
    sent(stand.post(token, &echo(3)).header("mcp-session-id", session)).await
}

#[actix_web::test]
async fn somebody_elses_session_looks_like_none() {
    let stand = Stand::open().await;
    let alice = stand.alice();
    let session = stand.session(&alice, LEGACY).await;
    let mallory = stand.token("mallory", "agent", "mcp:read").mint();
    let other_client = stand.token("alice", "other", "mcp:read").mint();
    let guessed = in_session(&stand, &alice, "guessed").await;
    assert_eq!((guessed.status.as_u16(), &*stand.reason(&guessed)), (404, "session_unknown"));
    for thief in [&mallory, &other_client] {
        let reply = in_session(&stand, thief, &session).await;
        assert_eq!(reply.status, 404);
        assert_eq!(reply.text, guessed.text);
        for method in [Method::GET, Method::DELETE] {
            let request =
                stand.request(method, "/mcp").bearer_auth(thief).header("accept", "text/event-stream").header("mcp-session-id", &session);
            assert_eq!(sent(request).await.status, 404);
        }
    }
    let no_token = sent(stand.request(Method::POST, "/mcp").header("mcp-session-id", &session).json(&echo(1))).await;
    assert_eq!(no_token.status, 401);
    assert_eq!(in_session(&stand, &alice, &session).await.status, 200);
}

#[actix_web::test]
async fn a_session_survives_a_refreshed_token_and_a_restart() {
    let mut stand = Stand::open().await;
    let session = stand.session(&stand.alice(), LEGACY).await;
    let refreshed = stand.token("alice", "agent", "mcp:read").with("jti", json!("another")).with("grant_id", json!("another")).mint();
    assert_eq!(in_session(&stand, &refreshed, &session).await.status, 200);
    stand.restart().await;
    let mallory = stand.token("mallory", "agent", "mcp:read").mint();
    assert_eq!(in_session(&stand, &mallory, &session).await.status, 404);
    let reply = in_session(&stand, &refreshed, &session).await;
    assert_eq!(reply.message()["result"]["structuredContent"]["message"], "hi", "{reply:?}");
}

#[actix_web::test]
async fn an_ended_session_is_gone_for_good() {
    let mut stand = Stand::open().await;
    let alice = stand.alice();
    let session = stand.session(&alice, LEGACY).await;
    let ended = sent(stand.request(Method::DELETE, "/mcp").bearer_auth(&alice).header("mcp-session-id", &session)).await;
    assert!(ended.status.is_success());
    assert_eq!(in_session(&stand, &alice, &session).await.status, 404);
    stand.restart().await;
    assert_eq!(in_session(&stand, &alice, &session).await.status, 404);
}

async fn resumed(stand: &Stand, token: &str, session: &str, last: &str) -> Reply {
    let request = stand.request(Method::GET, "/mcp").bearer_auth(token).header("accept", "text/event-stream");
    sent(request.header("mcp-session-id", session).header("last-event-id", last)).await
}

#[actix_web::test]
async fn a_broken_stream_is_resumed_in_its_own_session_only_even_after_a_restart() {
    let mut stand = Stand::open().await;
    let alice = stand.alice();
    let session = stand.session(&alice, LEGACY).await;
    let reply = in_session(&stand, &alice, &session).await;
    let ids = reply.event_ids();
    assert_eq!(ids.len(), 2, "a priming event and the answer: {reply:?}");
    assert!(reply.text.contains("retry:"));
    let missed = resumed(&stand, &alice, &session, &ids[0]).await;
    assert_eq!(missed.events(), [reply.message()]);
    assert_eq!(missed.event_ids(), [&*ids[1]]);
    assert!(resumed(&stand, &alice, &session, &ids[1]).await.events().is_empty());
    // Another session of the same caller sees nothing of it.
    let other = stand.session(&alice, LEGACY).await;
    assert!(resumed(&stand, &alice, &other, &ids[0]).await.events().is_empty());
    stand.restart().await;
    let missed = resumed(&stand, &alice, &session, &ids[0]).await;
    assert_eq!(missed.events(), [reply.message()]);
}

#[actix_web::test]
async fn one_caller_can_not_hold_sessions_without_end() {
    let stand = Stand::open().await;
    let alice = stand.alice();
    let first = stand.session(&alice, LEGACY).await;
    let bob = stand.token("bob", "agent", "mcp:read").mint();
    let bobs = stand.session(&bob, LEGACY).await;
    let mut last = String::new();
    for _ in 0..32 {
        let reply = sent(stand.post(&alice, &initialize(LEGACY, json!({})))).await;
        last = reply.header("mcp-session-id").unwrap().to_owned();
    }
    assert_eq!(in_session(&stand, &alice, &first).await.status, 404, "the least recently used made room");
    assert_eq!(in_session(&stand, &bob, &bobs).await.status, 200, "nobody else's did");
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(sent(stand.post(&alice, &initialized).header("mcp-session-id", &last)).await.status, 202);
    assert_eq!(in_session(&stand, &alice, &last).await.status, 200);
}
