//! The resource's metadata as clients find it (RFC 9728 §3, spec: sections 2 and 3.1 of the clients' habits).

use actix_web::{
    App,
    body::{BoxBody, to_bytes},
    dev::ServiceResponse,
    http::{Method, StatusCode},
    test::{TestRequest, call_service, init_service},
};
use bearer_guard::{Guard, GuardConfig, actix};
use oauth_types::ResourceUri;
use serde_json::{Value, json};

use crate::issuer::{Issuer, Signer};

const PATHS: [&str; 2] = ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"];

async fn ask(guard: &Guard, request: TestRequest) -> ServiceResponse<BoxBody> {
    let app = App::new().configure(actix::configure(guard));
    call_service(&init_service(app).await, request.to_request()).await.map_into_boxed_body()
}

/// RFC 9728 §3.1 and §3.2; at the path-inserted URL and at the root, the same bytes, for everybody.
#[actix_web::test]
async fn the_document_is_the_same_at_both_paths_and_needs_no_token() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.idle_guard(issuer.config());
    let mut bodies = Vec::new();
    for path in PATHS {
        let response = ask(&guard, TestRequest::get().uri(path)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("access-control-allow-origin"), "*");
        assert_eq!(header("cache-control"), "public, max-age=300");
        bodies.push(to_bytes(response.into_body()).await.unwrap());
    }
    assert_eq!(bodies[0], bodies[1]);
    let document: Value = serde_json::from_slice(&bodies[0]).unwrap();
    let expected = json!({"resource": "https://rs.example/mcp", "authorization_servers": [issuer.url.as_str()],
        "scopes_supported": ["mcp:read", "mcp:write"], "bearer_methods_supported": ["header"]});
    assert_eq!(document, expected);
    assert_eq!(guard.resource_metadata_url(), "https://rs.example/.well-known/oauth-protected-resource/mcp");
}

#[actix_web::test]
async fn a_resource_that_is_a_whole_origin_has_one_path() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.idle_guard(GuardConfig { resource: ResourceUri::parse("https://rs.example").unwrap(), ..issuer.config() });
    assert_eq!(guard.resource_metadata_url(), "https://rs.example/.well-known/oauth-protected-resource");
    assert_eq!(ask(&guard, TestRequest::get().uri(PATHS[1])).await.status(), StatusCode::OK);
    assert_eq!(ask(&guard, TestRequest::get().uri(PATHS[0])).await.status(), StatusCode::NOT_FOUND);
}

/// A browser asks first, without credentials: it must not be answered 401.
#[actix_web::test]
async fn a_preflight_is_answered_without_a_token() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.idle_guard(issuer.config());
    for path in PATHS {
        let request = TestRequest::with_uri(path)
            .method(Method::OPTIONS)
            .insert_header(("origin", "http://localhost:6274"))
            .insert_header(("access-control-request-method", "GET"))
            .insert_header(("access-control-request-headers", "mcp-protocol-version"));
        let response = ask(&guard, request).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        let allowed = response.headers().get("access-control-allow-headers").unwrap().to_str().unwrap();
        for name in
            ["Authorization", "Content-Type", "Accept", "MCP-Protocol-Version", "Mcp-Session-Id", "Mcp-Method", "Mcp-Name", "Last-Event-ID"]
        {
            assert!(allowed.contains(name), "{name}");
        }
        assert_eq!(response.headers().get("access-control-allow-origin").unwrap(), "*");
        assert!(response.headers().get("access-control-allow-credentials").is_none());
    }
}

#[actix_web::test]
async fn the_document_is_read_and_never_written() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.idle_guard(issuer.config());
    assert_eq!(ask(&guard, TestRequest::with_uri(PATHS[0]).method(Method::HEAD)).await.status(), StatusCode::OK);
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let response = ask(&guard, TestRequest::with_uri(PATHS[0]).method(method)).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers().get("allow").unwrap(), "GET, HEAD, OPTIONS");
    }
}
