//! RFC 7591: a client that nobody knows introduces itself.

use portico_tests::expect;
use portico_tests::stage::{BEGINNING, CALLBACK, ISSUER, Stage};
use serde_json::{Value, json};

/// RFC 7591 §3.2.1: 201, JSON, no-store, all registered metadata, an id and when it was issued.
#[actix_web::test]
async fn a_stranger_becomes_a_client() {
    let stage = Stage::rise().await;
    let asked = Stage::usual_registration();
    let answer = stage.register(&asked).await;
    let body = expect::success(&answer, 201);
    expect::no_store(&answer);
    for (member, value) in asked.as_object().unwrap() {
        assert_eq!(&body[member], value, "{member}");
    }
    assert!(body["client_id"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(body["client_id_issued_at"], BEGINNING.0);
    assert!(body.get("client_secret").is_none(), "a public client gets no secret, not even an empty one");
    assert!(body.get("client_secret_expires_at").is_none());
    assert!(no_nulls(&body), "{body}");
}

/// RFC 7591 §3.2.1: client_secret_expires_at is REQUIRED if client_secret is issued.
#[actix_web::test]
async fn a_confidential_client_gets_a_secret_and_its_expiry() {
    let stage = Stage::rise().await;
    for method in ["client_secret_basic", "client_secret_post"] {
        let body = stage.confidential_app(method).await.registration.clone();
        assert!(body["client_secret"].as_str().is_some_and(|secret| secret.len() >= 43), "{body}");
        assert!(body["client_secret_expires_at"].is_i64());
    }
}

/// RFC 7591 §2: without token_endpoint_auth_method the client is a client_secret_basic client.
#[actix_web::test]
async fn an_unnamed_method_is_basic() {
    let stage = Stage::rise().await;
    let body = registered(&stage, &json!({ "redirect_uris": [CALLBACK] })).await;
    assert_eq!(body["token_endpoint_auth_method"], "client_secret_basic");
    assert!(body["client_secret"].is_string());
    assert_eq!(body["response_types"], json!(["code"]));
    assert!(body["grant_types"].as_array().unwrap().contains(&json!("authorization_code")));
}

/// RFC 7591 §2: the server MUST ignore any client metadata it does not understand.
#[actix_web::test]
async fn unknown_members_do_no_harm() {
    let stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    for (member, value) in [
        ("application_type", json!("native")),
        ("software_id", json!("2e6dc280-f3c3-4e01-99a7-8181dbd1d23d")),
        ("software_version", json!("0.0.0")),
        ("contacts", json!(["dev@app.example"])),
        ("x_unknown", json!({ "deep": [1, 2, { "deeper": null }] })),
        ("tls_client_certificate_bound_access_tokens", json!(true)),
    ] {
        metadata[member] = value;
    }
    registered(&stage, &metadata).await;
}

/// RFC 7591 §2: members may be empty or absent; Gemini CLI, Inspector and Copilot CLI send such bodies.
#[actix_web::test]
async fn sparse_bodies_are_enough() {
    let stage = Stage::rise().await;
    for body in [
        json!({ "redirect_uris": [CALLBACK] }),
        json!({ "redirect_uris": [CALLBACK], "scope": "", "token_endpoint_auth_method": "none" }),
        json!({ "redirect_uris": [CALLBACK], "client_name": "", "client_uri": "", "logo_uri": "", "tos_uri": "", "policy_uri": "" }),
        json!({ "redirect_uris": [CALLBACK], "client_name": null, "scope": null, "grant_types": null }),
        json!({ "redirect_uris": [CALLBACK], "grant_types": [], "response_types": [], "contacts": [] }),
    ] {
        let answer = registered(&stage, &body).await;
        assert!(no_nulls(&answer), "{answer}");
    }
}

/// RFC 7591 §3.2.1: the server may replace requested values; grants that it does not speak are left out and not echoed.
#[actix_web::test]
async fn the_grants_that_both_sides_speak_are_registered() {
    let stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["grant_types"] = json!([
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    ]);
    assert_eq!(registered(&stage, &metadata).await["grant_types"], json!(["authorization_code", "refresh_token"]));
}

/// RFC 7591 §5: privileged grants are not for strangers.
#[actix_web::test]
async fn a_stranger_does_not_get_privileged_grants() {
    let stage = Stage::rise().await;
    for grant in ["password", "implicit", "client_credentials"] {
        let mut metadata = Stage::usual_registration();
        metadata["grant_types"] = json!([grant]);
        expect::refused(&stage.register(&metadata).await, "invalid_client_metadata", "grant_types_unusable");
        metadata["grant_types"] = json!(["authorization_code", grant]);
        assert_eq!(registered(&stage, &metadata).await["grant_types"], json!(["authorization_code"]));
    }
    let mut metadata = Stage::usual_registration();
    metadata["response_types"] = json!(["token"]);
    expect::refused(&stage.register(&metadata).await, "invalid_client_metadata", "response_types_unusable");
}

/// RFC 7591 §3.1: the server assigns the id and the secrets, whatever the client suggests.
#[actix_web::test]
async fn a_client_does_not_choose_its_credentials() {
    let stage = Stage::rise().await;
    let victim = stage.public_app().await;
    let mut metadata = Stage::usual_registration();
    metadata["client_id"] = victim.id.as_str().into();
    metadata["client_secret"] = "chosen".into();
    metadata["registration_access_token"] = "chosen".into();
    metadata["client_id_issued_at"] = 1.into();
    metadata["registration_client_uri"] = "https://evil.example/".into();
    let answer = stage.register(&metadata).await;
    if answer.status == 201 {
        let body = answer.json();
        assert_ne!(body["client_id"], victim.id);
        assert!(body.get("client_secret").is_none());
        assert_ne!(body["registration_access_token"], "chosen");
        assert_eq!(body["client_id_issued_at"], BEGINNING.0);
        assert!(body["registration_client_uri"].as_str().unwrap().starts_with(ISSUER));
    } else {
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_client_metadata")));
    }
    expect::success(&victim.manage("GET").await, 200);
}

/// RFC 7591 §2: jwks and jwks_uri MUST NOT both be present.
#[actix_web::test]
async fn keys_come_from_one_place() {
    let stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["jwks_uri"] = "https://app.example/jwks.json".into();
    metadata["jwks"] = json!({ "keys": [] });
    expect::refused(&stage.register(&metadata).await, "invalid_client_metadata", "both_key_members");
}

/// RFC 7591 §3.2.2: a method that the server does not have is invalid_client_metadata.
#[actix_web::test]
async fn an_unknown_method_is_refused() {
    let stage = Stage::rise().await;
    for method in ["client_secret_jwt", "tls_client_auth", "NONE", "private_key_jwt"] {
        let mut metadata = Stage::usual_registration();
        metadata["token_endpoint_auth_method"] = method.into();
        expect::refused(&stage.register(&metadata).await, "invalid_client_metadata", "auth_method_unknown");
    }
}

/// RFC 7591 §2: redirect-based clients MUST register their redirection URIs.
#[actix_web::test]
async fn a_client_says_where_it_wants_its_answers() {
    let stage = Stage::rise().await;
    for body in [json!({}), json!({ "redirect_uris": [] }), json!({ "redirect_uris": null })] {
        let answer = stage.register(&body).await;
        let code = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(matches!(code.as_str(), "invalid_redirect_uri" | "invalid_client_metadata"), "{}", expect::told(&answer));
        expect::refused(&answer, &code, "redirect_uris_missing");
    }
}

/// RFC 7591 §3.2.2: a dangerous redirection URI is invalid_redirect_uri, whatever stands beside it.
#[actix_web::test]
async fn a_dangerous_redirect_uri_spoils_the_registration() {
    let stage = Stage::rise().await;
    for (uri, reason) in [
        ("http://app.example/cb", "redirect_http_off_loopback"),
        ("http://localhost.evil.example/cb", "redirect_http_off_loopback"),
        ("http://192.168.0.1/cb", "redirect_http_off_loopback"),
        ("https://app.example/cb#fragment", "redirect_fragment"),
        ("https://user:secret@app.example/cb", "redirect_userinfo"),
        ("http://127.0.0.1@evil.example/cb", "redirect_userinfo"),
        ("https://*.app.example/cb", "redirect_wildcard"),
        ("https://app.example\\@evil.example/cb", "redirect_backslash"),
        ("javascript:alert(1)", "redirect_scheme_forbidden"),
        ("data:text/html,x", "redirect_scheme_forbidden"),
        ("file:///etc/passwd", "redirect_scheme_forbidden"),
        ("vbscript:x", "redirect_scheme_forbidden"),
        ("blob:https://app.example/x", "redirect_scheme_forbidden"),
        ("about:blank", "redirect_scheme_forbidden"),
        ("ws://app.example/cb", "redirect_scheme_forbidden"),
        ("wss://app.example/cb", "redirect_scheme_forbidden"),
        ("intent://x#Intent;end", "redirect_scheme_forbidden"),
        ("JavaScript:alert(1)", "redirect_scheme_forbidden"),
    ] {
        for redirect_uris in [json!([uri]), json!([CALLBACK, uri])] {
            let mut metadata = Stage::usual_registration();
            metadata["redirect_uris"] = redirect_uris;
            let answer = stage.register(&metadata).await;
            assert_eq!(answer.json()["error"], "invalid_redirect_uri", "{uri}: {}", expect::told(&answer));
            expect::refused(&answer, "invalid_redirect_uri", reason);
        }
    }
}

/// RFC 7591 §3.2.2: what is no absolute URI is invalid_redirect_uri.
#[actix_web::test]
async fn a_redirect_uri_is_an_absolute_uri() {
    let stage = Stage::rise().await;
    for uri in [
        "/callback",
        "callback",
        "",
        "https://",
        "https:///cb",
        "//app.example/cb",
        "https://app.example/a b",
        "https://app.example/\u{202e}",
    ] {
        let mut metadata = Stage::usual_registration();
        metadata["redirect_uris"] = json!([uri]);
        let answer = stage.register(&metadata).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_redirect_uri")), "{uri}");
    }
}

/// RFC 7591 §3.2.1: an unlisted private-use scheme among good ones is left out and not echoed; alone it is refused.
#[actix_web::test]
async fn an_unlisted_scheme_does_not_lose_the_other_callbacks() {
    let stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["redirect_uris"] = json!(["com.unknown.app://cb", CALLBACK]);
    assert_eq!(registered(&stage, &metadata).await["redirect_uris"], json!([CALLBACK]));
    metadata["redirect_uris"] = json!(["com.unknown.app://cb"]);
    expect::refused(&stage.register(&metadata).await, "invalid_redirect_uri", "redirect_scheme_not_allowed");
}

/// RFC 7591 §5: an operator may close the door to callbacks of unknown hosts; known clients still come in.
#[actix_web::test]
async fn unknown_https_hosts_can_be_denied() {
    let stage = Stage::with("registration.other_https", "\"deny\"").rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["redirect_uris"] = json!(["https://app.example/cb"]);
    expect::refused(&stage.register(&metadata).await, "invalid_redirect_uri", "redirect_host_not_allowed");
    metadata["redirect_uris"] = json!(["https://claude.ai/api/mcp/auth_callback"]);
    registered(&stage, &metadata).await;
    metadata["redirect_uris"] = json!(["https://app.example/cb", CALLBACK]);
    assert_eq!(registered(&stage, &metadata).await["redirect_uris"], json!([CALLBACK]));
}

/// RFC 7591 §3: a server may take no registrations at all.
#[actix_web::test]
async fn registration_can_be_closed() {
    let stage = Stage::with("registration.mode", "\"closed\"").rise().await;
    let answer = stage.register(&Stage::usual_registration()).await;
    assert_eq!(answer.json()["error"], "access_denied", "{}", expect::told(&answer));
    let metadata = expect::ok(&stage.stranger().get("/.well-known/oauth-authorization-server").await);
    assert!(metadata.get("registration_endpoint").is_none(), "a door that is shut is not shown");
}

/// RFC 7591 §2: URIs of information pages are web pages, not scripts.
#[actix_web::test]
async fn information_uris_are_https() {
    let stage = Stage::rise().await;
    for member in ["client_uri", "logo_uri", "tos_uri", "policy_uri"] {
        for uri in ["javascript:alert(1)", "data:text/html,<script>", "http://app.example/", "ftp://app.example/", "not a uri"] {
            let mut metadata = Stage::usual_registration();
            metadata[member] = uri.into();
            expect::refused(&stage.register(&metadata).await, "invalid_client_metadata", "uri_not_https");
        }
        let mut metadata = Stage::usual_registration();
        metadata[member] = "https://app.example/about".into();
        assert_eq!(registered(&stage, &metadata).await[member], "https://app.example/about");
    }
}

/// RFC 7591 §5: a name that deceives the person is refused: control, bidi and zero-width characters.
#[actix_web::test]
async fn a_name_cannot_play_tricks_with_letters() {
    let stage = Stage::rise().await;
    for name in ["Clau\u{202e}ed", "A\u{0000}B", "A\nB", "A\u{200b}B", "\u{2066}x\u{2069}", "A\u{7}"] {
        let mut metadata = Stage::usual_registration();
        metadata["client_name"] = name.into();
        expect::refused(&stage.register(&metadata).await, "invalid_client_metadata", "name_has_control_characters");
    }
    let mut metadata = Stage::usual_registration();
    metadata["client_name"] = "Lesehilfe für Ärzte 读书".into();
    assert_eq!(registered(&stage, &metadata).await["client_name"], "Lesehilfe für Ärzte 读书");
}

/// RFC 7591 §5: a well-known product's name with a callback of somebody else is phishing.
#[actix_web::test]
async fn a_protected_name_needs_its_own_callback() {
    let stage = Stage::rise().await;
    for name in ["Claude", "claude", "CLAUDE ", "ChatGPT", "Claude.ai"] {
        let mut metadata = Stage::usual_registration();
        metadata["client_name"] = name.into();
        metadata["redirect_uris"] = json!(["https://evil.example/cb"]);
        expect::refused(&stage.register(&metadata).await, "invalid_client_metadata", "name_protected");
    }
    let mut metadata = Stage::usual_registration();
    metadata["client_name"] = "Claude".into();
    metadata["redirect_uris"] = json!(["https://claude.ai/api/mcp/auth_callback"]);
    registered(&stage, &metadata).await;
    metadata["client_name"] = "Claude Code".into();
    metadata["redirect_uris"] = json!(["http://localhost:3118/callback"]);
    registered(&stage, &metadata).await;
}

/// RFC 7591 §3: the request is application/json with an object.
#[actix_web::test]
async fn a_registration_is_a_json_object() {
    let stage = Stage::rise().await;
    let stranger = stage.stranger();
    let form = stranger.post("/register", &[("redirect_uris", CALLBACK)]).await;
    expect::refused(&form, "invalid_request", "body_not_json");
    for body in ["", "{", "\u{feff}{", "{\"redirect_uris\": [}", "nul"] {
        let answer = stranger.request("POST", "/register").content("application/json", body).await;
        expect::refused(&answer, "invalid_request", "body_not_json");
    }
    for body in [json!([]), json!("x"), json!(1), json!(null), json!([{ "redirect_uris": [CALLBACK] }])] {
        expect::refused(&stage.register(&body).await, "invalid_client_metadata", "metadata_not_an_object");
    }
}

/// RFC 7591 §3.2.2: members of the wrong type are invalid_client_metadata, never a fault of the server.
#[actix_web::test]
async fn members_of_the_wrong_type_are_refused() {
    let stage = Stage::rise().await;
    for (member, value) in [
        ("redirect_uris", json!("http://127.0.0.1/cb")),
        ("redirect_uris", json!([1])),
        ("redirect_uris", json!({})),
        ("client_name", json!({ "en": "x" })),
        ("grant_types", json!("authorization_code")),
        ("token_endpoint_auth_method", json!(["none"])),
        ("scope", json!(["mcp:read"])),
    ] {
        let mut metadata = Stage::usual_registration();
        metadata[member] = value;
        let answer = stage.register(&metadata).await;
        assert_eq!(answer.status, 400, "{member}: {}", expect::told(&answer));
        let code = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(matches!(code.as_str(), "invalid_client_metadata" | "invalid_redirect_uri"), "{member}: {code}");
    }
}

/// RFC 7591 §5: every registration is a client of its own; two of the same client seconds apart are normal (Claude.ai).
#[actix_web::test]
async fn the_same_client_may_register_twice() {
    let stage = Stage::rise().await;
    let (first, second) = (stage.public_app().await, stage.public_app().await);
    assert_ne!(first.id, second.id);
    assert_ne!(first.registration["registration_access_token"], second.registration["registration_access_token"]);
    first.tokens().await;
    second.tokens().await;
}

/// RFC 7591 §2: the scope of a registration does not fence in what may be asked later (ChatGPT registers without one).
#[actix_web::test]
async fn the_registered_scope_is_not_a_fence() {
    let stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["scope"] = "mcp:read".into();
    let app = stage.public_app_from(&metadata).await;
    let code = app.journey().with("scope", "mcp:read mcp:write").until_code().await;
    let granted = expect::ok(&app.redeem(&code).await)["scope"].clone();
    assert!(granted.as_str().unwrap().contains("mcp:write"), "{granted}");
}

/// RFC 7591 §2: a malformed scope is invalid_client_metadata.
#[actix_web::test]
async fn a_malformed_registered_scope_is_refused() {
    let stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["scope"] = "mcp:read \"quoted\"".into();
    expect::refused(&stage.register(&metadata).await, "invalid_client_metadata", "scope_malformed");
}

async fn registered(stage: &Stage, metadata: &Value) -> Value {
    expect::success(&stage.register(metadata).await, 201)
}

fn no_nulls(value: &Value) -> bool {
    value.as_object().is_some_and(|members| members.values().all(|member| !member.is_null()))
}
