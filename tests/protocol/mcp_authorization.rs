//! The authorization chapter of MCP, as the clients of today really walk it: their discovery, their bodies, their habits.
//!
//! Each body below is what that client sends, as docs and source of the client show; no client's name is special to the server.

use portico_tests::expect;
use portico_tests::people::{PublicApp, Tokens};
use portico_tests::stage::{DOCUMENTS, ISSUER, Stage};
use portico_tests::wire::Answer;
use serde_json::{Value, json};

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// MCP 2025-11-25 Authorization Server Metadata Discovery: every order in which a known client asks ends at the document.
#[actix_web::test]
async fn every_order_of_discovery_arrives() {
    let stage = Stage::rise().await;
    let orders: [(&str, &[&str]); 6] = [
        ("TypeScript SDK, Claude Code, Cursor, mcp-remote", &[OAUTH]),
        ("Python SDK, Claude.ai", &[OAUTH, OPENID]),
        ("rmcp: Goose, Codex", &[OAUTH, OPENID]),
        ("VS Code", &[OAUTH, OPENID]),
        ("Gemini CLI", &["/.well-known/oauth-authorization-server/mcp", OAUTH]),
        ("ChatGPT", &["/.well-known/oauth-authorization-server/mcp", OAUTH, "/.well-known/openid-configuration/mcp", OPENID]),
    ];
    for (client, order) in orders {
        for path in order {
            let answer = stage.stranger().get(path).header("mcp-protocol-version", "2025-11-25").header("accept", "application/json").await;
            assert_eq!(expect::ok(&answer)["issuer"], ISSUER, "{client} at {path}");
        }
    }
}

/// MCP 2025-03-26 Authorization Base URL: a client of that revision finds endpoints at the origin without metadata.
#[actix_web::test]
async fn the_oldest_clients_find_the_default_endpoints() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    assert_eq!(app.journey().until_page().await.0.status, 200);
    assert_eq!(stage.stranger().post("/token", &[("grant_type", "x"), ("client_id", &app.id)]).await.status, 400);
    assert_eq!(stage.register(&Stage::usual_registration()).await.status, 201);
}

/// MCP 2025-11-25 Authorization Server Metadata Discovery: a HEAD request is answered like GET, without a body.
#[actix_web::test]
async fn a_head_request_finds_the_document_as_well() {
    let stage = Stage::rise().await;
    for path in [OAUTH, OPENID, "/jwks.json"] {
        let answer = stage.stranger().request("HEAD", path).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

/// MCP 2025-11-25 Dynamic Client Registration: the bodies of known clients are accepted, and each gets through to a token.
#[actix_web::test]
async fn every_known_client_registers_and_gets_a_token() {
    let stage = Stage::rise().await;
    for (client, body) in known_registrations() {
        let answer = stage.register(&body).await;
        assert_eq!(answer.status, 201, "{client}: {}", expect::told(&answer));
        let registered = answer.json();
        assert_eq!(registered["redirect_uris"], body["redirect_uris"], "{client}: every callback is kept");
        let app = stage.public_app_from(&body).await;
        for callback in body["redirect_uris"].as_array().unwrap() {
            let callback = callback.as_str().unwrap();
            let journey = app.journey().with("redirect_uri", callback).with("resource", DOCUMENTS);
            let code = journey.clone().until_code().await;
            let tokens = Tokens::of(&app.redeem_with(&code, "resource", DOCUMENTS).await);
            assert!(!tokens.refresh.is_empty(), "{client} gets no refresh token");
            assert!(stage.documents().accepts(&tokens.access).await, "{client}");
        }
    }
}

/// MCP 2025-11-25 Resource Parameter: the resource goes to authorize and token, in the form URL.href gives it.
#[actix_web::test]
async fn the_typescript_sdk_names_the_resource_with_a_slash() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let resource = "https://portico.test/mcp/";
    let code = app.journey().with("resource", resource).with("scope", "mcp:read").with("prompt", "consent").until_code().await;
    let tokens = Tokens::of(&app.redeem_with(&code, "resource", resource).await);
    Tokens::of(&app.refresh_with(&tokens.refresh, &[("resource", resource)]).await);
}

/// MCP 2025-11-25 Refresh Tokens: rmcp refreshes with scope, offline_access and resource; Codex without resource.
#[actix_web::test]
async fn refreshes_of_known_clients_work() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    let habits: [&[(&str, &str)]; 4] = [
        &[],
        &[("scope", "mcp:read"), ("resource", DOCUMENTS)],
        &[("scope", "mcp:read offline_access"), ("resource", DOCUMENTS)],
        &[("resource", "https://portico.test/mcp/"), ("client_name", "ignored")],
    ];
    let mut refresh = tokens.refresh;
    for habit in habits {
        refresh = Tokens::of(&app.refresh_with(&refresh, habit).await).refresh;
    }
}

/// SEP-835: offline_access and scopes nobody knows do not stand in the way; a refresh token comes without offline_access too.
#[actix_web::test]
async fn offline_access_is_welcome_and_not_needed() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for scope in ["mcp:read offline_access", "mcp:read", "offline_access"] {
        let code = app.journey().with("scope", scope).until_code().await;
        let tokens = Tokens::of(&app.redeem(&code).await);
        assert!(!tokens.refresh.is_empty(), "{scope}");
        assert!(tokens.scope.split(' ').any(|token| token == "mcp:read"), "{scope} gave {}", tokens.scope);
    }
}

/// MCP 2025-11-25 Authorization Flow: the Inspector calls from a browser, so a preflight is answered without credentials.
#[actix_web::test]
async fn a_browser_client_may_ask_before_it_calls() {
    let stage = Stage::rise().await;
    let headers = "authorization, content-type, accept, mcp-protocol-version";
    for (path, method) in [
        (OAUTH, "GET"),
        ("/.well-known/oauth-authorization-server/mcp", "GET"),
        (OPENID, "GET"),
        ("/jwks.json", "GET"),
        ("/register", "POST"),
        ("/token", "POST"),
        ("/revoke", "POST"),
    ] {
        let answer = stage.stranger().preflight(path, "http://localhost:6274", method, headers).await;
        assert!(matches!(answer.status, 200 | 204), "{path}: {}", expect::told(&answer));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        let allowed = answer.header_or_empty("access-control-allow-headers").to_ascii_lowercase();
        for header in headers.split(", ") {
            assert!(allowed.contains(header), "{path} does not allow {header}: {allowed}");
        }
        assert!(answer.header_or_empty("access-control-allow-methods").contains(method), "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}");
    }
}

/// MCP 2025-11-25 Authorization Flow: a browser client must be able to read refusals, so they carry CORS headers too.
#[actix_web::test]
async fn a_browser_client_can_read_refusals() {
    let stage = Stage::rise().await;
    let stranger = stage.stranger();
    let origin = "http://localhost:6274";
    let answers = [
        stranger.get(OAUTH).header("origin", origin).await,
        stranger.get("/.well-known/nothing").header("origin", origin).await,
        stranger.post("/token", &[("grant_type", "x")]).header("origin", origin).await,
        stranger.post_json("/register", &json!([])).header("origin", origin).await,
        stranger.post("/revoke", &[("token", "x")]).header("origin", origin).await,
        stranger.request("GET", "/token").header("origin", origin).await,
    ];
    for answer in answers {
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{}", expect::told(&answer));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
}

/// MCP 2025-11-25 Session Hijacking: pages where a person decides are not readable from other origins.
#[actix_web::test]
async fn consent_is_not_readable_from_elsewhere() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    assert_eq!(page.header("access-control-allow-origin"), None);
    for target in [path, journey.target(), "/logout".into(), "/introspect".into(), "/ended".into()] {
        let answer = stage.stranger().preflight(&target, "https://evil.example", "POST", "content-type").await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{target}: {}", expect::told(&answer));
    }
}

/// MCP 2025-11-25 Dynamic Client Registration: ChatGPT registers without scope and later asks for what is listed.
#[actix_web::test]
async fn a_client_that_registered_without_scope_may_ask_for_any() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.journey().with("scope", "mcp:read mcp:write mcp:infer").until_code().await;
    let granted = Tokens::of(&app.redeem(&code).await).scope;
    assert_eq!(granted.split(' ').count(), 3, "{granted}");
}

/// MCP 2025-11-25 Dynamic Client Registration: Goose starts three flows at once, each with a registration and port of its own.
#[actix_web::test]
async fn three_flows_of_one_browser_do_not_disturb_each_other() {
    let stage = Stage::rise().await;
    let mut browser = stage.browser();
    let mut open = Vec::new();
    for _ in 0..3 {
        let app = stage.public_app().await;
        let mut journey = app.journey().in_browser(browser);
        let (page, path) = journey.until_page().await;
        browser = journey.clone().into_browser();
        open.push((app, journey, page, path));
    }
    for (app, journey, page, path) in open {
        let answer = browser.says_yes(&page, &path).await;
        let answer = browser.agrees_until_the_end(answer, path).await;
        Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
    }
}

/// MCP 2025-11-25 Authorization Code Protection: the errors that drive clients are the ones they understand.
#[actix_web::test]
async fn errors_tell_a_client_what_to_do_next() {
    let stage = Stage::rise().await;
    let (app, gone) = (stage.public_app().await, stage.public_app().await);
    // Sign in again: the token is dead, the client is known.
    let dead = app.refresh("prt_dead").await;
    assert_eq!((dead.status, dead.json()["error"].as_str()), (400, Some("invalid_grant")));
    // Register again: the client is unknown.
    gone.manage("DELETE").await;
    for answer in [gone.refresh("prt_dead").await, unknown_client(&stage).await] {
        assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("invalid_client")));
    }
}

async fn unknown_client(stage: &Stage) -> Answer {
    stage.stranger().post("/token", &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "never-registered")]).await
}

/// MCP 2025-11-25 Access Token Usage: nothing here asks for a bot check; any user agent and none is served.
#[actix_web::test]
async fn no_user_agent_is_turned_away() {
    let stage = Stage::rise().await;
    for agent in ["python-httpx/0.27.0", "node", "Bun/1.2", "openai-mcp/1.0.0", "curl/8", "Mozilla/5.0", ""] {
        assert_eq!(stage.stranger().get(OAUTH).header("user-agent", agent).await.status, 200, "{agent}");
    }
}

/// MCP 2025-11-25 Open Redirection: the code is bound to the callback that the person saw on the page.
#[actix_web::test]
async fn the_person_sees_where_the_answer_goes() {
    let stage = Stage::rise().await;
    for (callback, shown) in [
        ("https://claude.ai/api/mcp/auth_callback", "claude.ai"),
        ("https://unknown.example/cb", "unknown.example"),
        ("http://localhost:3118/callback", "localhost"),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor"),
    ] {
        let mut metadata = Stage::usual_registration();
        metadata["redirect_uris"] = json!([callback]);
        let app: PublicApp = stage.public_app_from(&metadata).await;
        let (page, _) = app.journey().until_page().await;
        assert!(page.text().contains(shown), "{shown} is not on the page");
    }
}

/// Client and registration body, as the client sends it.
fn known_registrations() -> Vec<(&'static str, Value)> {
    let both = json!(["authorization_code", "refresh_token"]);
    vec![
        (
            "ChatGPT",
            json!({ "client_name": "ChatGPT", "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"], "grant_types": both,
                "response_types": ["code"], "token_endpoint_auth_method": "none" }),
        ),
        (
            "ChatGPT, one connector",
            json!({ "client_name": "ChatGPT", "redirect_uris": ["https://chatgpt.com/connector/oauth/AbC123_-x"], "grant_types": both,
                "response_types": ["code"], "token_endpoint_auth_method": "none" }),
        ),
        (
            "ChatGPT, legacy callback",
            json!({ "redirect_uris": ["https://chatgpt.com/backend-api/aip/connectors/links/oauth/callback"], "token_endpoint_auth_method": "none" }),
        ),
        (
            "Claude.ai",
            json!({ "client_name": "Claude", "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"], "grant_types": both,
                "response_types": ["code"], "scope": "mcp:read", "token_endpoint_auth_method": "client_secret_post" }),
        ),
        (
            "Claude on claude.com",
            json!({ "client_name": "Claude", "redirect_uris": ["https://claude.com/api/mcp/auth_callback"], "grant_types": both,
                "response_types": ["code"], "token_endpoint_auth_method": "none" }),
        ),
        (
            "Claude Code",
            json!({ "client_name": "Claude Code (portico)", "redirect_uris": ["http://localhost:3118/callback"], "grant_types": both,
                "response_types": ["code"], "token_endpoint_auth_method": "none", "application_type": "native" }),
        ),
        (
            "VS Code",
            json!({ "client_name": "Visual Studio Code", "client_uri": "https://code.visualstudio.com", "grant_types": both,
                "response_types": ["code"], "redirect_uris": ["https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect",
                "http://127.0.0.1/", "http://127.0.0.1:33418/"], "token_endpoint_auth_method": "none", "application_type": "native" }),
        ),
        (
            "Cursor",
            json!({ "client_name": "Cursor", "redirect_uris": ["cursor://anysphere.cursor-mcp/oauth/callback",
                "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback"], "grant_types": both,
                "response_types": ["code"], "token_endpoint_auth_method": "none" }),
        ),
        (
            "mcp-remote",
            json!({ "client_name": "MCP CLI Client", "client_uri": "https://github.com/modelcontextprotocol/mcp-cli",
                "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d", "software_version": "0.1.29", "grant_types": both,
                "redirect_uris": ["http://localhost:15735/oauth/callback"], "response_types": ["code"],
                "scope": "openid email profile", "token_endpoint_auth_method": "none" }),
        ),
        (
            "MCP Inspector",
            json!({ "client_name": "MCP Inspector", "client_uri": "https://github.com/modelcontextprotocol/inspector", "grant_types": both,
                "redirect_uris": ["http://localhost:6274/oauth/callback", "http://localhost:6274/oauth/callback/debug"],
                "response_types": ["code"], "scope": "", "token_endpoint_auth_method": "none" }),
        ),
        (
            "Gemini CLI",
            json!({ "client_name": "Gemini CLI MCP Client", "redirect_uris": ["http://localhost:7777/oauth/callback"], "grant_types": both,
                "response_types": ["code"], "token_endpoint_auth_method": "none", "scope": "" }),
        ),
        (
            "Antigravity",
            json!({ "client_name": "Antigravity", "redirect_uris": ["https://antigravity.google/oauth-callback"], "grant_types": both,
                "token_endpoint_auth_method": "none" }),
        ),
        (
            "Goose",
            json!({ "client_name": "goose", "redirect_uris": ["http://localhost:49152/oauth_callback"], "grant_types": both,
                "token_endpoint_auth_method": "none", "response_types": ["code"], "application_type": "native" }),
        ),
        (
            "Codex",
            json!({ "client_name": "Codex", "redirect_uris": ["http://127.0.0.1:1455/callback/9f2c"], "grant_types": both,
                "token_endpoint_auth_method": "none", "response_types": ["code"], "scope": "mcp:read", "application_type": "native" }),
        ),
        (
            "Copilot CLI",
            json!({ "client_name": "GitHub Copilot CLI", "redirect_uris": ["http://127.0.0.1:51234/"], "grant_types": both,
                "response_types": ["code"], "token_endpoint_auth_method": "none" }),
        ),
        (
            "OpenCode",
            json!({ "client_name": "OpenCode", "client_uri": "https://opencode.ai", "redirect_uris": ["http://127.0.0.1:19876/mcp/oauth/callback"],
                "grant_types": both, "response_types": ["code"], "token_endpoint_auth_method": "none" }),
        ),
        (
            "Python SDK",
            json!({ "redirect_uris": ["http://localhost:3030/callback"], "token_endpoint_auth_method": "client_secret_post", "grant_types": both,
                "response_types": ["code"], "scope": "mcp:read", "client_name": "Simple Auth Client" }),
        ),
    ]
}
