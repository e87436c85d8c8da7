//! `search` and `fetch` as ChatGPT's deep research asks for them (spec-and-clients 2.2, item 80), and the pages behind.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Stand, sent};

fn one_text(result: &Value) -> Value {
    let content = result["content"].as_array().unwrap();
    assert_eq!(content.len(), 1);
    assert_eq!(content[0]["type"], "text");
    serde_json::from_str(content[0]["text"].as_str().unwrap()).unwrap()
}

#[actix_web::test]
async fn search_answers_with_id_title_and_url_twice_over() {
    let stand = Stand::open().await;
    let result = stand.tool(&stand.alice(), "search", json!({ "query": "rotating keys" })).await;
    assert_eq!(one_text(&result), result["structuredContent"]);
    let hits = result["structuredContent"]["results"].as_array().unwrap();
    assert_eq!(hits[0]["title"], "Rotation of keys");
    for member in ["id", "title", "url"] {
        assert!(hits[0][member].as_str().is_some_and(|text| !text.is_empty()));
    }
    assert_eq!(hits[0].as_object().unwrap().len(), 3, "nothing more than the contract");
    assert_eq!(result["_meta"]["portico/snippets"][0], "Rotation of keys A key is published before it signs.");
    assert!(hits[0]["url"].as_str().unwrap().starts_with(&stand.origin));
    let nothing = stand.tool(&stand.alice(), "search", json!({ "query": "zebra" })).await;
    assert_eq!(nothing["structuredContent"], json!({ "results": [] }));
}

#[actix_web::test]
async fn fetch_gives_the_document_that_search_named_and_ids_stay() {
    let stand = Stand::open().await;
    let token = stand.alice();
    let found = stand.tool(&token, "search", json!({ "query": "darjeeling" })).await["structuredContent"]["results"][0].clone();
    let result = stand.tool(&token, "fetch", json!({ "id": found["id"] })).await;
    let document = &result["structuredContent"];
    assert_eq!(one_text(&result), *document);
    assert_eq!((&document["id"], &document["title"]), (&found["id"], &json!("Tea & more")));
    assert_eq!(document["text"], "Darjeeling first flush");
    assert_eq!(document["url"], found["url"]);
    assert!(document["metadata"].is_object());
    let again = stand.tool(&token, "search", json!({ "query": "first flush" })).await;
    assert_eq!(again["structuredContent"]["results"][0]["id"], found["id"]);
    let unknown = stand.tool(&token, "fetch", json!({ "id": "nothing" })).await;
    assert_eq!(unknown["isError"], true);
}

#[actix_web::test]
async fn both_tools_are_declared_read_only_with_their_schemas_and_logins() {
    let stand = Stand::open().await;
    let listed = sent(stand.modern(&stand.alice(), "tools/list", json!({}))).await.message();
    let tool = |name: &str| listed["result"]["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap().clone();
    for (name, argument) in [("search", "query"), ("fetch", "id")] {
        let tool = tool(name);
        assert_eq!(tool["annotations"]["readOnlyHint"], true);
        assert_eq!(tool["inputSchema"]["required"], json!([argument]));
        assert_eq!(tool["inputSchema"]["properties"].as_object().unwrap().len(), 1);
        assert_eq!(tool["inputSchema"]["properties"][argument]["type"], "string");
        assert!(tool["outputSchema"]["properties"].is_object());
        let schemes = json!([{ "type": "oauth2", "scopes": ["mcp:read"] }]);
        assert_eq!((&tool["securitySchemes"], &tool["_meta"]["securitySchemes"]), (&schemes, &schemes));
    }
    assert_eq!(tool("note_write")["securitySchemes"][0]["scopes"], json!(["mcp:write"]));
    // In a session the list is an event, and says the same.
    let session = stand.session(&stand.alice(), "2025-06-18").await;
    let in_session =
        sent(stand.post(&stand.alice(), &crate::support::call(5, "tools/list", json!({}))).header("mcp-session-id", session)).await;
    assert_eq!(in_session.message()["result"]["tools"], listed["result"]["tools"]);
}

#[actix_web::test]
async fn the_link_of_a_result_opens_a_plain_page_and_no_other_does() {
    let stand = Stand::open().await;
    let found = stand.tool(&stand.alice(), "search", json!({ "query": "rotation" })).await["structuredContent"]["results"][0].clone();
    let path = found["url"].as_str().unwrap().strip_prefix(&stand.origin).unwrap().to_owned();
    let page = sent(stand.request(Method::GET, &path)).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("A key is published before it signs."));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert_eq!(page.header("cache-control"), Some("private, no-store"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let forged = path.replace("signature=", "signature=A");
    let other = path.replacen(found["id"].as_str().unwrap(), "somethingelse", 1);
    for wrong in [forged, other, path.split('?').next().unwrap().to_owned()] {
        assert_eq!(sent(stand.request(Method::GET, &wrong)).await.status, 404, "{wrong}");
    }
}

#[actix_web::test]
async fn an_operators_own_site_is_linked_instead() {
    let stand = Stand::open_with(|config| config.documents_base_url = Some("https://docs.example/handbook".parse().unwrap())).await;
    let found = stand.tool(&stand.alice(), "search", json!({ "query": "rotation" })).await["structuredContent"]["results"][0].clone();
    assert_eq!(found["url"], "https://docs.example/handbook/keys.md");
}
