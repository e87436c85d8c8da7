//! The same tools over plain HTTP: same tokens, same scopes, problems instead of JSON-RPC errors.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Reply, Stand, sent};

fn body(reply: &Reply) -> Value {
    serde_json::from_str(&reply.text).unwrap()
}

#[actix_web::test]
async fn a_tool_answers_plain_http_with_its_output() {
    let stand = Stand::open().await;
    let call = |name: &str, arguments: Value| {
        stand.request(Method::POST, &format!("/api/v1/tools/{name}")).bearer_auth(stand.alice()).json(&arguments)
    };
    let sum = sent(call("calculate", json!({ "expression": "6 * 7" }))).await;
    assert_eq!((sum.status.as_u16(), body(&sum)["value"].as_f64()), (200, Some(42.0)));
    let listed = sent(stand.request(Method::GET, "/api/v1/tools").bearer_auth(stand.alice())).await;
    assert_eq!(body(&listed)["tools"].as_array().unwrap().len(), 8);
    let me = sent(call("whoami", json!({}))).await;
    assert_eq!((&body(&me)["subject"], &body(&me)["client_id"]), (&json!("alice"), &json!("agent")));
}

#[actix_web::test]
async fn refusals_are_problems_with_the_same_challenges() {
    let stand = Stand::open().await;
    let reader = stand.token("alice", "agent", "mcp:read").mint();
    let post = |name: &str| stand.request(Method::POST, &format!("/api/v1/tools/{name}"));
    let none = sent(post("echo").json(&json!({ "message": "x" }))).await;
    assert_eq!(none.status, 401);
    assert!(none.header("www-authenticate").unwrap().starts_with("Bearer resource_metadata="));
    let narrow = sent(post("note_write").bearer_auth(&reader).json(&json!({ "title": "a", "text": "b" }))).await;
    assert_eq!(narrow.status, 403);
    assert!(narrow.header("www-authenticate").unwrap().contains("scope=\"mcp:write\""));
    assert_eq!(body(&narrow)["code"], "insufficient_scope");
    let cases = [
        (404, post("rm").bearer_auth(&reader).json(&json!({}))),
        (422, post("echo").bearer_auth(&reader).json(&json!({ "message": 7 }))),
        (422, post("calculate").bearer_auth(&reader).json(&json!({ "expression": "1 +" }))),
        (404, post("fetch").bearer_auth(&reader).json(&json!({ "id": "nothing" }))),
        (400, post("echo").bearer_auth(&reader).json(&json!([1]))),
        (409, post("summarize").bearer_auth(stand.alice()).json(&json!({ "text": "x" }))),
        (405, stand.request(Method::GET, "/api/v1/tools/echo").bearer_auth(&reader)),
    ];
    for (status, request) in cases {
        let reply = sent(request).await;
        assert_eq!(reply.status.as_u16(), status, "{reply:?}");
        if status != 405 {
            assert_eq!(reply.header("content-type"), Some("application/problem+json"));
            assert_eq!(body(&reply)["status"], status);
        }
    }
}

#[actix_web::test]
async fn the_description_needs_no_token_and_names_every_tool() {
    let stand = Stand::open().await;
    let reply = sent(stand.request(Method::GET, "/api/v1/openapi.json")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(body(&reply)["servers"][0]["url"], stand.origin);
    assert_eq!(body(&reply)["paths"].as_object().unwrap().len(), 9);
}
