//! Tools that write, and tools that ask back: in a session, and by the input-required round trip (attack 50).

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{LEGACY, MODERN, Stand, call, initialize, meta, sent};

#[actix_web::test]
async fn a_note_is_found_at_once_by_its_writer_and_by_nobody_else() {
    let stand = Stand::open().await;
    let written = stand.tool(&stand.alice(), "note_write", json!({ "title": "Shopping", "text": "buy quinces" })).await;
    let note = &written["structuredContent"];
    let found = stand.tool(&stand.alice(), "search", json!({ "query": "quinces" })).await;
    assert_eq!(found["structuredContent"]["results"][0]["id"], note["id"]);
    let mallory = stand.token("mallory", "agent", "mcp:read").mint();
    assert_eq!(stand.tool(&mallory, "search", json!({ "query": "quinces" })).await["structuredContent"], json!({ "results": [] }));
    assert_eq!(stand.tool(&mallory, "fetch", json!({ "id": note["id"] })).await["isError"], true);
    let uri = format!("documents://{}", note["id"].as_str().unwrap());
    let read = sent(stand.modern(&mallory, "resources/read", json!({ "uri": uri }))).await;
    assert_eq!(read.message()["error"]["code"], -32602);
    let mine = sent(stand.modern(&stand.alice(), "resources/read", json!({ "uri": uri }))).await;
    assert_eq!(mine.message()["result"]["contents"][0]["text"], "# Shopping\n\nbuy quinces\n");
    assert_eq!(std::fs::read_dir(stand.folder.path().join("docs")).unwrap().count(), 2, "the operator's folder is untouched");
}

/// A 2026-07-28 call whose client can sample and be asked.
fn round(stand: &Stand, token: &str, name: &str, arguments: &Value, answer: Option<(&str, Value, &str)>) -> reqwest::RequestBuilder {
    let mut meta = meta();
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({ "sampling": {}, "elicitation": {} });
    let mut params = json!({ "name": name, "arguments": arguments, "_meta": meta });
    if let Some((key, response, state)) = answer {
        params["inputResponses"] = json!({ key: response });
        params["requestState"] = json!(state);
    }
    stand
        .post(token, &call(1, "tools/call", params))
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", "tools/call")
        .header("mcp-name", name)
}

#[actix_web::test]
async fn summarize_asks_the_clients_model_in_a_round_trip() {
    let stand = Stand::open().await;
    let token = stand.alice();
    let arguments = json!({ "text": "a long text" });
    let asked = sent(round(&stand, &token, "summarize", &arguments, None)).await.message()["result"].clone();
    assert_eq!(asked["resultType"], "input_required");
    assert_eq!(asked["inputRequests"]["summary"]["method"], "sampling/createMessage");
    let state = asked["requestState"].as_str().unwrap();
    let said = json!({ "role": "assistant", "content": { "type": "text", "text": "short" }, "model": "m" });
    let done = sent(round(&stand, &token, "summarize", &arguments, Some(("summary", said.clone(), state)))).await;
    assert_eq!(done.message()["result"]["structuredContent"], json!({ "summary": "short", "model": "m" }));

    // Attack 50: changed, of another person, of another client, of other arguments: refused, the tool does not run.
    let mut flipped = state.to_owned().into_bytes();
    let last = flipped.len() - 2;
    flipped[last] ^= 1;
    let flipped = String::from_utf8(flipped).unwrap();
    let mallory = stand.token("mallory", "agent", "mcp:infer mcp:read").mint();
    let other_client = stand.token("alice", "other", "mcp:infer mcp:read").mint();
    let others = json!({ "text": "another text" });
    for request in [
        round(&stand, &token, "summarize", &arguments, Some(("summary", said.clone(), &flipped))),
        round(&stand, &token, "summarize", &arguments, Some(("summary", said.clone(), "nonsense"))),
        round(&stand, &mallory, "summarize", &arguments, Some(("summary", said.clone(), state))),
        round(&stand, &other_client, "summarize", &arguments, Some(("summary", said.clone(), state))),
        round(&stand, &token, "summarize", &others, Some(("summary", said.clone(), state))),
    ] {
        let reply = sent(request).await;
        assert_eq!(reply.message()["error"]["code"], -32602, "{reply:?}");
    }
}

#[actix_web::test]
async fn a_note_is_replaced_only_after_a_yes() {
    let stand = Stand::open().await;
    let token = stand.alice();
    stand.tool(&token, "note_write", json!({ "title": "Plan", "text": "first" })).await;
    let arguments = json!({ "title": "Plan", "text": "second" });
    let asked = sent(round(&stand, &token, "note_write", &arguments, None)).await.message()["result"].clone();
    assert_eq!(asked["inputRequests"]["replace"]["method"], "elicitation/create", "{asked}");
    let state = asked["requestState"].as_str().unwrap();
    let no = json!({ "action": "decline" });
    let declined = sent(round(&stand, &token, "note_write", &arguments, Some(("replace", no, state)))).await;
    assert_eq!(declined.message()["result"]["isError"], true);
    // A client that cannot be asked has not said yes.
    assert_eq!(stand.tool(&token, "note_write", arguments.clone()).await["isError"], true);
    let yes = json!({ "action": "accept", "content": { "replace": true } });
    let replaced = sent(round(&stand, &token, "note_write", &arguments, Some(("replace", yes, state)))).await;
    assert_eq!(replaced.message()["result"]["structuredContent"]["replaced"], true);
}

#[actix_web::test]
async fn summarize_asks_inside_a_session_and_waits_for_the_answer() {
    let stand = Stand::open().await;
    let token = stand.alice();
    let opened = sent(stand.post(&token, &initialize(LEGACY, json!({ "sampling": {} })))).await;
    let session = opened.header("mcp-session-id").unwrap().to_owned();
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    sent(stand.post(&token, &initialized).header("mcp-session-id", &session)).await;

    let body = call(9, "tools/call", json!({ "name": "summarize", "arguments": { "text": "a long text" } }));
    let mut stream = stand.post(&token, &body).header("mcp-session-id", &session).send().await.unwrap();
    let mut seen = String::new();
    let question = loop {
        seen.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().expect("the stream goes on until the answer")).unwrap());
        let asked = seen.lines().filter_map(|line| line.strip_prefix("data: ")).filter_map(|data| serde_json::from_str::<Value>(data).ok());
        if let Some(question) = asked.into_iter().find(|message| message["method"] == "sampling/createMessage") {
            break question;
        }
    };
    let said = json!({ "jsonrpc": "2.0", "id": question["id"], "result": { "role": "assistant", "content": { "type": "text", "text": "short" }, "model": "m" } });
    // Nobody else can answer for this session.
    let mallory = stand.token("mallory", "agent", "mcp:infer").mint();
    assert_eq!(sent(stand.post(&mallory, &said).header("mcp-session-id", &session)).await.status, 404);
    assert_eq!(sent(stand.post(&token, &said).header("mcp-session-id", &session)).await.status, 202);
    while let Some(chunk) = stream.chunk().await.unwrap() {
        seen.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(seen.contains(r#""summary":"short""#), "{seen}");
    // Without a session nobody could answer, and the tool says so at once.
    let alone = sent(stand.post(&token, &body).header("mcp-protocol-version", LEGACY)).await;
    assert_eq!(alone.message()["result"]["isError"], true);
}

#[actix_web::test]
async fn wrong_arguments_are_told_to_the_model() {
    let stand = Stand::open().await;
    for (tool, arguments) in
        [("echo", json!({})), ("search", json!({ "query": 7 })), ("calculate", json!({ "expression": "1 +" })), ("summarize", json!({}))]
    {
        let result = stand.tool(&stand.alice(), tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}");
        assert!(result["content"][0]["text"].as_str().is_some_and(|words| !words.is_empty()));
    }
}

#[actix_web::test]
async fn fixtures_are_not_there_unless_asked_for() {
    let stand = Stand::open().await;
    let reply = sent(stand.modern(&stand.alice(), "tools/call", json!({ "name": "test_simple_text", "arguments": {} }))).await;
    assert_eq!(reply.message()["error"]["code"], -32602);
    let read = sent(stand.modern(&stand.alice(), "resources/read", json!({ "uri": "test://static-text" }))).await;
    assert_eq!(read.message()["error"]["code"], -32602);
}

#[actix_web::test]
async fn prompts_and_completion_know_the_documents() {
    let stand = Stand::open().await;
    let token = stand.alice();
    let completed = sent(stand.modern(
        &token,
        "completion/complete",
        json!({ "ref": { "type": "ref/prompt", "name": "explain_document" }, "argument": { "name": "id", "value": "rota" } }),
    ))
    .await
    .message();
    let id = completed["result"]["completion"]["values"][0].as_str().unwrap().to_owned();
    let prompt =
        sent(stand.modern(&token, "prompts/get", json!({ "name": "explain_document", "arguments": { "id": id } }))).await.message();
    assert_eq!(prompt["result"]["messages"][1]["content"]["resource"]["uri"], format!("documents://{id}"));
    let narrow = stand.token("alice", "agent", "mcp:write").mint();
    let refused = sent(stand.modern(&narrow, "prompts/get", json!({ "name": "research", "arguments": { "question": "x" } }))).await;
    assert_eq!(refused.status, 403);
    assert_eq!(sent(stand.request(Method::GET, "/documents/x")).await.status, 404);
}

/// The events of a stream until `enough` says so or time is up.
async fn heard_within(mut stream: reqwest::Response, time: std::time::Duration, enough: impl Fn(&str) -> bool) -> String {
    let mut seen = String::new();
    let listening = async {
        while let Some(chunk) = stream.chunk().await.unwrap() {
            seen.push_str(std::str::from_utf8(&chunk).unwrap());
            if enough(&seen) {
                return;
            }
        }
    };
    // Silence until the time is up is an answer, too.
    let _ = tokio::time::timeout(time, listening).await;
    seen
}

#[actix_web::test]
async fn listeners_hear_of_changes_they_may_see_in_both_lives() {
    const NEWS: &str = "notifications/resources/list_changed";
    let stand = Stand::open().await;
    let alice = stand.alice();
    let mallory = stand.token("mallory", "agent", "mcp:read").mint();
    let listen =
        |token: &str| stand.modern(token, "subscriptions/listen", json!({ "notifications": { "resourcesListChanged": true } })).send();
    let (mine, theirs) = (listen(&alice).await.unwrap(), listen(&mallory).await.unwrap());
    let session = stand.session(&alice, LEGACY).await;
    let standalone = stand.request(Method::GET, "/mcp").bearer_auth(&alice).header("accept", "text/event-stream");
    let standalone = standalone.header("mcp-session-id", session).send().await.unwrap();
    stand.tool(&alice, "note_write", json!({ "title": "News", "text": "x" })).await;
    let time = std::time::Duration::from_secs(10);
    assert!(heard_within(mine, time, |seen| seen.contains(NEWS)).await.contains(NEWS));
    assert!(heard_within(standalone, time, |seen| seen.contains(NEWS)).await.contains(NEWS));
    let quiet = heard_within(theirs, std::time::Duration::from_secs(1), |seen| seen.contains(NEWS)).await;
    assert!(!quiet.contains(NEWS), "somebody else's note is no news: {quiet}");
    std::fs::write(stand.folder.path().join("docs/new.txt"), "for everybody").unwrap();
    let shared = listen(&mallory).await.unwrap();
    assert!(heard_within(shared, time, |seen| seen.contains(NEWS)).await.contains(NEWS));
}
