//! Four revisions on one endpoint, interleaved (item 76): the right behaviour of each, and their refusals (attack 49).

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{LEGACY, MODERN, OLD, Stand, call, initialize, meta, sent};

fn echo(id: u32) -> Value {
    call(id, "tools/call", json!({ "name": "echo", "arguments": { "message": "hi" } }))
}

fn heard(message: &Value) -> &Value {
    &message["result"]["structuredContent"]["message"]
}

#[actix_web::test]
async fn one_client_may_speak_every_revision_in_turn() {
    let stand = Stand::open().await;
    let token = stand.alice();
    let mut sessions = Vec::new();
    for version in [OLD, "2025-06-18", LEGACY] {
        sessions.push((version, stand.session(&token, version).await));
    }
    for (version, session) in &sessions {
        let modern = stand.tool(&token, "echo", json!({ "message": "hi" })).await;
        assert_eq!(modern["resultType"], "complete");
        let reply = sent(stand.post(&token, &echo(7)).header("mcp-session-id", session).header("mcp-protocol-version", *version)).await;
        assert_eq!(heard(&reply.message()), "hi", "{version}: {reply:?}");
        assert_eq!(reply.message()["result"].get("resultType"), None);
        let alone = sent(stand.post(&token, &echo(8)).header("mcp-protocol-version", *version)).await;
        assert_eq!(heard(&alone.message()), "hi", "without session, {version}: {alone:?}");
    }
}

/// Item 77: whatever instance is asked, the 2026-07-28 revision needs nothing but the request, and a session header of
/// another life is ignored.
#[actix_web::test]
async fn the_stateless_revision_ignores_session_headers() {
    let stand = Stand::open().await;
    let request = stand.modern(&stand.alice(), "tools/call", json!({ "name": "echo", "arguments": { "message": "hi" } }));
    let reply = sent(request.header("mcp-session-id", "nonsense")).await;
    assert_eq!(heard(&reply.message()), "hi");
    assert_eq!(reply.header("mcp-session-id"), None);
}

#[actix_web::test]
async fn discover_tells_the_true_list_of_versions() {
    let stand = Stand::open().await;
    let result = sent(stand.modern(&stand.alice(), "server/discover", json!({}))).await.message()["result"].clone();
    assert_eq!(result["supportedVersions"], json!([OLD, "2025-06-18", LEGACY, MODERN]));
    assert!(result["capabilities"]["tools"].is_object());
    assert!(result["instructions"].as_str().is_some_and(|words| words.chars().count() <= 512));
}

#[actix_web::test]
async fn get_and_delete_are_not_for_the_stateless_revision() {
    let stand = Stand::open().await;
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        let reply = sent(
            stand
                .request(method, "/mcp")
                .bearer_auth(stand.alice())
                .header("accept", "text/event-stream")
                .header("mcp-protocol-version", MODERN),
        )
        .await;
        assert_eq!(reply.status, 405);
        assert_eq!(reply.header("allow"), Some("POST"));
    }
    // A probe without version or session, as hosted clients send it.
    assert_eq!(sent(stand.request(Method::GET, "/mcp").bearer_auth(stand.alice())).await.status, 405);
}

/// Attack 49: 400 and -32020 whenever a mirrored header is missing, wrong or there twice.
#[actix_web::test]
async fn mirrored_headers_must_agree_with_the_body() {
    let stand = Stand::open().await;
    let token = stand.alice();
    let body = call(1, "tools/call", json!({ "name": "echo", "arguments": { "message": "hi" }, "_meta": meta() }));
    let with = |version: &str, method: &str, name: &str| {
        stand.post(&token, &body).header("mcp-protocol-version", version).header("mcp-method", method).header("mcp-name", name)
    };
    let wrong = [
        with(MODERN, "tools/list", "echo"),
        with(MODERN, "tools/call", "search"),
        with(LEGACY, "tools/call", "echo"),
        stand.post(&token, &body).header("mcp-protocol-version", MODERN).header("mcp-name", "echo"),
        with(MODERN, "tools/call", "echo").header("mcp-name", "echo"),
        with(MODERN, "tools/call", "echo").header("mcp-method", "tools/call"),
        with(MODERN, "tools/call", "echo").header("mcp-protocol-version", MODERN),
    ];
    for request in wrong {
        let reply = sent(request).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert_eq!(reply.message()["error"]["code"], -32020, "{reply:?}");
    }
    assert_eq!(heard(&sent(with(MODERN, "tools/call", "echo")).await.message()), "hi");
}

#[actix_web::test]
async fn unknown_versions_methods_and_capabilities_have_their_codes() {
    let stand = Stand::open().await;
    let token = stand.alice();
    let mut unknown = meta();
    unknown["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    let body = call(1, "tools/list", json!({ "_meta": unknown }));
    let reply = sent(stand.post(&token, &body).header("mcp-protocol-version", "2099-01-01").header("mcp-method", "tools/list")).await;
    assert_eq!((reply.status.as_u16(), &reply.message()["error"]["code"]), (400, &json!(-32022)));
    assert!(reply.message()["error"]["data"]["supported"].is_array());
    for removed in ["ping", "logging/setLevel", "resources/subscribe", "no/such"] {
        let reply = sent(stand.modern(&token, removed, json!({}))).await;
        assert_eq!((reply.status.as_u16(), &reply.message()["error"]["code"]), (404, &json!(-32601)), "{removed}");
    }
    let reply = sent(stand.modern(&token, "tools/call", json!({ "name": "summarize", "arguments": { "text": "x" } }))).await;
    assert_eq!((reply.status.as_u16(), &reply.message()["error"]["code"]), (400, &json!(-32021)));
    let unknown_tool = sent(stand.modern(&token, "tools/call", json!({ "name": "rm", "arguments": {} }))).await;
    assert_eq!(unknown_tool.message()["error"]["code"], -32602);
}

/// 2025-03-26 §Batching: answered together; every later revision refuses them (attack 52).
#[actix_web::test]
async fn batches_belong_to_the_oldest_revision_only() {
    let stand = Stand::open().await;
    let token = stand.alice();
    let batch = json!([echo(1), { "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 99 } }, echo(2)]);
    let alone = sent(stand.post(&token, &batch)).await;
    let answers: Vec<Value> = serde_json::from_str(&alone.text).unwrap();
    assert_eq!(answers.iter().map(|answer| answer["id"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
    assert!(answers.iter().all(|answer| heard(answer) == "hi"));

    let session = stand.session(&token, OLD).await;
    let woven = sent(stand.post(&token, &batch).header("mcp-session-id", &session)).await;
    let mut ids: Vec<u64> = woven.events().iter().filter_map(|event| event["id"].as_u64()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2], "{woven:?}");
    let silent = json!([{ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 99 } }]);
    assert_eq!(sent(stand.post(&token, &silent).header("mcp-session-id", &session)).await.status, 202);

    let newer = stand.session(&token, LEGACY).await;
    let refused = [
        stand.post(&token, &batch).header("mcp-protocol-version", "2025-06-18"),
        stand.post(&token, &batch).header("mcp-protocol-version", MODERN),
        stand.post(&token, &batch).header("mcp-session-id", &newer),
        stand.post(&token, &json!([])),
        stand.post(&token, &json!([initialize(OLD, json!({}))])),
        stand.post(&token, &Value::Array(vec![echo(1); 33])),
        stand.post(&token, &json!([call(1, "tools/list", json!({ "_meta": meta() }))])),
    ];
    for request in refused {
        let reply = sent(request).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert_eq!(stand.reason(&reply), "batch_refused");
    }
}

#[actix_web::test]
async fn the_scope_of_a_batch_is_that_of_all_its_calls() {
    let stand = Stand::open().await;
    let reader = stand.token("alice", "agent", "mcp:read").mint();
    let write = call(2, "tools/call", json!({ "name": "note_write", "arguments": { "title": "T", "text": "x" } }));
    let infer = call(3, "tools/call", json!({ "name": "summarize", "arguments": { "text": "x" } }));
    let reply = sent(stand.post(&reader, &json!([echo(1), write, infer]))).await;
    assert_eq!(reply.status, 403);
    assert!(reply.header("www-authenticate").unwrap().contains("scope=\"mcp:infer mcp:read mcp:write\""), "{reply:?}");
}

/// Some clients send nothing but `Accept: application/json`.
#[actix_web::test]
async fn a_client_that_reads_only_json_gets_json_even_in_a_session() {
    let stand = Stand::open().await;
    let token = stand.alice();
    let only_json = |body: &Value| stand.request(Method::POST, "/mcp").bearer_auth(&token).header("accept", "application/json").json(body);
    let opened = sent(only_json(&initialize(LEGACY, json!({})))).await;
    assert_eq!(opened.header("content-type"), Some("application/json"));
    let session = opened.header("mcp-session-id").unwrap();
    let reply = sent(only_json(&echo(4)).header("mcp-session-id", session)).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let message: Value = serde_json::from_str(&reply.text).unwrap();
    assert_eq!(heard(&message), "hi");
    let neither = stand.request(Method::POST, "/mcp").bearer_auth(&token).header("accept", "text/html").json(&echo(1));
    assert_eq!(sent(neither).await.status, 406);
}

#[actix_web::test]
async fn without_sessions_every_revision_is_answered_alone() {
    let stand = Stand::open_with(|config| config.sessions = false).await;
    let token = stand.alice();
    let opened = sent(stand.post(&token, &initialize(LEGACY, json!({})))).await;
    assert_eq!(opened.header("mcp-session-id"), None);
    assert_eq!(opened.message()["result"]["protocolVersion"], LEGACY);
    let reply = sent(stand.post(&token, &echo(1)).header("mcp-protocol-version", LEGACY)).await;
    assert_eq!(heard(&reply.message()), "hi");
    assert_eq!(sent(stand.request(Method::GET, "/mcp").bearer_auth(&token).header("mcp-session-id", "x")).await.status, 405);
}
