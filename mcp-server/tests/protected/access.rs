//! Who comes in: tokens, scopes, Host, Origin, CORS, and what the log says of it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{LEGACY, Stand, call, sent};

fn list() -> Value {
    call(1, "tools/list", json!({}))
}

/// RFC 6750 §3, RFC 9728 §5.1; items 73 and 84: whatever the method, without a token there is the challenge, and its
/// URL comes from configuration.
#[actix_web::test]
async fn without_a_token_every_method_gets_the_challenge() {
    let stand = Stand::open().await;
    let expected = format!("Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\", scope=\"mcp:read\"", stand.origin);
    for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE] {
        for path in ["/mcp", "/mcp/"] {
            let reply = sent(stand.request(method.clone(), path)).await;
            assert_eq!(reply.status, 401, "{method} {path}");
            assert_eq!(reply.header("www-authenticate"), Some(&*expected));
            assert_eq!(stand.reason(&reply), "token_missing");
        }
    }
    let reply = sent(stand.post(&stand.alice(), &list())).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// RFC 9728 §3.1: the document is found at both places.
#[actix_web::test]
async fn the_resource_metadata_names_the_resource_as_entered() {
    let stand = Stand::open().await;
    for path in ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"] {
        let reply = sent(stand.request(Method::GET, path)).await;
        let document: Value = serde_json::from_str(&reply.text).unwrap();
        assert_eq!(document["resource"], format!("{}/mcp", stand.origin));
        assert_eq!(document["authorization_servers"], json!([stand.issuer.url]));
        assert_eq!(document["scopes_supported"], json!(["mcp:infer", "mcp:read", "mcp:write"]));
    }
}

/// Attacks 28 to 31, 33, 34; items 72 and 83: each wrong token differs from a right one in exactly one thing, looks like
/// every other from outside, and has its own reason in the log.
#[actix_web::test]
async fn a_wrong_token_is_refused_and_the_log_knows_why() {
    let stand = Stand::open().await;
    let right = || stand.token("alice", "agent", "mcp:read");
    let now = right().claims["iat"].as_i64().unwrap();
    let upper = stand.issuer.url.replace("http:", "HTTP:");
    let cases = [
        ("issuer_mismatch", right().with("iss", json!("https://keycloak.example/realms/a"))),
        ("issuer_mismatch", right().with("iss", json!(format!("{}/", stand.issuer.url)))),
        ("issuer_mismatch", right().with("iss", json!(upper))),
        ("audience_mismatch", right().with("aud", json!("https://other.example/mcp"))),
        ("audience_mismatch", right().with("aud", json!(stand.origin))),
        ("audience_mismatch", right().with("aud", json!(stand.issuer.url))),
        ("token_expired", right().with("exp", json!(now - 60)).with("iat", json!(now - 600))),
        ("token_type", right().header("typ", json!("JWT"))),
    ];
    let mut bodies = Vec::new();
    for (about, token) in cases {
        let reply = sent(stand.post(&token.mint(), &list())).await;
        assert_eq!(reply.status, 401, "{about}");
        assert!(reply.header("www-authenticate").unwrap().contains("error=\"invalid_token\""), "{about}");
        let reason = stand.reason(&reply);
        assert!(!reason.is_empty() && reason != "token_missing", "{about}");
        bodies.push((reason, reply.text));
    }
    assert!(bodies.windows(2).all(|pair| pair[0].1 == pair[1].1), "{bodies:?}");
    let reasons: std::collections::BTreeSet<_> = bodies.iter().map(|(reason, _)| reason).collect();
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    let none = right().header("alg", json!("none")).mint();
    let unsigned = format!("{}.", none.rsplit_once('.').unwrap().0);
    assert_eq!(sent(stand.post(&unsigned, &list())).await.status, 401);
    assert_eq!(sent(stand.post(&right().mint(), &list())).await.status, 200);
}

/// Attack 44: a token anywhere but in the header is no token.
#[actix_web::test]
async fn a_token_in_the_url_the_body_or_a_cookie_is_ignored() {
    let stand = Stand::open().await;
    let token = stand.alice();
    let in_url = stand.request(Method::POST, &format!("/mcp?access_token={token}")).json(&list());
    let in_cookie = stand.request(Method::POST, "/mcp").header("cookie", format!("access_token={token}")).json(&list());
    let in_form = stand
        .request(Method::POST, "/mcp")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("access_token={token}"));
    for request in [in_url, in_cookie, in_form] {
        let reply = sent(request).await;
        assert_eq!(reply.status, 401);
        assert!(!reply.header("www-authenticate").unwrap().contains("error="));
        assert_eq!(stand.reason(&reply), "token_missing");
    }
}

/// Items 74 and 75: one complete challenge before the tool runs; the same as a tool result for ChatGPT.
#[actix_web::test]
async fn a_missing_scope_is_named_in_one_complete_step_up_challenge() {
    let stand = Stand::open().await;
    let reader = stand.token("alice", "agent", "mcp:read").mint();
    let write = json!({ "name": "note_write", "arguments": { "title": "T", "text": "x" } });
    let reply = sent(stand.modern(&reader, "tools/call", write.clone())).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    assert_eq!(stand.reason(&reply), "scope_insufficient");
    let challenge = reply.header("www-authenticate").unwrap().to_owned();
    for part in ["error=\"insufficient_scope\"", "scope=\"mcp:write\"", "resource_metadata=\"", "error_description=\""] {
        assert!(challenge.contains(part), "{challenge}");
    }
    let result = &reply.message()["result"];
    assert_eq!(result["isError"], true);
    assert_eq!(result["_meta"]["mcp/www_authenticate"], json!([challenge]));
    assert!(!stand.folder.path().join("state/notes").read_dir().unwrap().any(|_| true), "the tool did not run");
    // A broader token passes.
    let broad = sent(stand.modern(&stand.alice(), "tools/call", write)).await;
    assert_eq!(broad.message()["result"]["isError"], false, "{broad:?}");
}

/// Attack 49: what is judged is the body, whatever the mirrored header says.
#[actix_web::test]
async fn a_header_can_not_smuggle_a_call_past_its_scope() {
    let stand = Stand::open().await;
    let reader = stand.token("alice", "agent", "mcp:read").mint();
    let body = json!({ "name": "note_write", "arguments": { "title": "T", "text": "x" }, "_meta": crate::support::meta() });
    let disguised = stand
        .post(&reader, &call(1, "tools/call", body))
        .header("mcp-protocol-version", crate::support::MODERN)
        .header("mcp-method", "tools/list")
        .header("mcp-name", "search");
    let reply = sent(disguised).await;
    assert_eq!(reply.status, 403);
    assert_eq!(stand.reason(&reply), "scope_insufficient");
}

/// Attack 46: a foreign Host or Origin is refused before anything else, even with a good token.
#[actix_web::test]
async fn a_foreign_host_or_origin_is_refused_before_any_dispatch() {
    let stand = Stand::open().await;
    let token = stand.alice();
    let foreign = sent(stand.post(&token, &list()).header("host", "evil.example")).await;
    assert_eq!((foreign.status.as_u16(), &*stand.reason(&foreign)), (421, "host_not_ours"));
    for origin in ["https://evil.example", "null"] {
        let reply = sent(stand.post(&token, &list()).header("origin", origin)).await;
        assert_eq!((reply.status.as_u16(), &*stand.reason(&reply)), (403, "origin_not_allowed"));
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    let ours = sent(stand.post(&token, &list()).header("origin", "http://localhost:6274")).await;
    assert_eq!(ours.status, 200);
    // The sandboxed and the remote page fail on plain HTTP as well.
    let tools = sent(stand.request(Method::GET, "/api/v1/tools").bearer_auth(&token).header("origin", "null")).await;
    assert_eq!(tools.status, 403);
}

/// Attack 47 and item 78: browser clients can read refusals; nothing is ever with credentials.
#[actix_web::test]
async fn browser_clients_can_read_every_answer_and_preflights_need_no_token() {
    let stand = Stand::open().await;
    let origin = "http://localhost:6274";
    let preflight = stand
        .request(Method::OPTIONS, "/mcp")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization, mcp-param-city, x-evil");
    let reply = sent(preflight).await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.header("access-control-allow-origin"), Some(origin));
    let allowed = reply.header("access-control-allow-headers").unwrap();
    for name in [
        "Authorization",
        "Content-Type",
        "Accept",
        "MCP-Protocol-Version",
        "Mcp-Session-Id",
        "Mcp-Method",
        "Mcp-Name",
        "Last-Event-ID",
        "mcp-param-city",
    ] {
        assert!(allowed.contains(name), "{name}");
    }
    assert!(!allowed.contains("x-evil"));
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    let refused = sent(stand.request(Method::POST, "/mcp").header("origin", origin)).await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), Some(origin));
    assert!(refused.header("access-control-expose-headers").unwrap().contains("WWW-Authenticate"));
}

/// Attack 51 and item 81: nothing that depends on a token may be shared.
#[actix_web::test]
async fn no_answer_may_be_kept_by_a_shared_cache() {
    let stand = Stand::open().await;
    let token = stand.alice();
    for method in ["tools/list", "resources/list", "resources/templates/list", "prompts/list"] {
        let reply = sent(stand.modern(&token, method, json!({}))).await;
        assert_eq!(reply.header("cache-control"), Some("private, no-store"));
        let result = &reply.message()["result"];
        assert_eq!(result["cacheScope"], "private", "{method}");
        assert!(result["ttlMs"].is_u64() && result["resultType"] == "complete", "{method}: {result}");
    }
    let session = sent(stand.post(&token, &crate::support::initialize(LEGACY, json!({})))).await;
    assert_eq!(session.header("cache-control"), Some("private, no-store"));
    assert_eq!(session.header("x-accel-buffering"), Some("no"));
}

/// Item 83: the log tells refusals apart and never holds a token.
#[actix_web::test]
async fn no_token_is_ever_in_the_log() {
    let stand = Stand::open().await;
    let token = stand.alice();
    stand.tool(&token, "echo", json!({ "message": "hello-from-the-test" })).await;
    sent(stand.post(&format!("{token}x"), &list())).await;
    let log = stand.log();
    assert!(log.contains("tool.called") && log.contains("access.refused"));
    assert!(!log.contains(&token) && !log.contains(token.rsplit_once('.').unwrap().1));
    // The SDK traces whole messages; what a server in production writes down begins at info.
    let written = log.lines().filter(|line| !line.starts_with("TRACE") && !line.starts_with("DEBUG"));
    assert!(!written.into_iter().any(|line| line.contains("hello-from-the-test")), "arguments are nobody's business");
}

/// Architecture 11a.3: a grant that ended is gone here within about a second.
#[actix_web::test]
async fn a_grant_that_ended_takes_its_tokens_along() {
    let stand = Stand::open().await;
    let token = stand.token("alice", "agent", "mcp:read").with("grant_id", json!("grant-9")).mint();
    assert_eq!(sent(stand.post(&token, &list())).await.status, 200);
    stand.issuer.end_grant("grant-9").await;
    let reply = sent(stand.post(&token, &list())).await;
    assert_eq!(reply.status, 401);
    assert_eq!(stand.reason(&reply), "token_ended");
}
