//! RFC 8414: what a client learns before it knows anything, and that all of it is true.

use portico_tests::stage::{DOCUMENTS, ISSUER, Stage};
use portico_tests::{expect, journeys};
use serde_json::{Value, json};

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// RFC 8414 §3.3: the issuer in the document MUST be identical to the issuer that was asked.
#[actix_web::test]
async fn the_document_names_exactly_its_issuer() {
    let stage = Stage::rise().await;
    let answer = stage.stranger().get(WELL_KNOWN).await;
    assert_eq!(expect::ok(&answer)["issuer"], ISSUER);
}

/// RFC 8414 §2: every member that clients of MCP look for is there, with what this server really does.
#[actix_web::test]
async fn the_document_lists_what_is_built() {
    let stage = Stage::rise().await;
    let document = expect::ok(&stage.stranger().get(WELL_KNOWN).await);
    for (member, path) in [
        ("authorization_endpoint", "/authorize"),
        ("token_endpoint", "/token"),
        ("registration_endpoint", "/register"),
        ("revocation_endpoint", "/revoke"),
        ("introspection_endpoint", "/introspect"),
        ("jwks_uri", "/jwks.json"),
    ] {
        assert_eq!(document[member], format!("{ISSUER}{path}"), "{member}");
    }
    assert_eq!(document["response_types_supported"], json!(["code"]));
    assert_eq!(document["response_modes_supported"], json!(["query"]));
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["grant_types_supported"], json!(["authorization_code", "refresh_token"]));
    let methods = ["none", "client_secret_basic", "client_secret_post"];
    assert_eq!(as_set(&document["token_endpoint_auth_methods_supported"]), methods.into());
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
}

/// RFC 8414 §2: what is not built is not listed.
#[actix_web::test]
async fn the_document_promises_nothing_that_is_not_built() {
    let stage = Stage::rise().await;
    let document = expect::ok(&stage.stranger().get(WELL_KNOWN).await);
    let unbuilt = [
        "client_id_metadata_document_supported",
        "pushed_authorization_request_endpoint",
        "device_authorization_endpoint",
        "userinfo_endpoint",
        "dpop_signing_alg_values_supported",
        "token_endpoint_auth_signing_alg_values_supported",
    ];
    for member in unbuilt {
        assert!(document.get(member).is_none(), "{member} is promised");
    }
}

/// RFC 8414 §2: scopes_supported lists scopes that can really be granted, and few of them (clients copy the list).
#[actix_web::test]
async fn every_listed_scope_can_be_granted() {
    let stage = Stage::rise().await;
    let document = expect::ok(&stage.stranger().get(WELL_KNOWN).await);
    let listed: Vec<_> = document["scopes_supported"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
    for scope in ["mcp:read", "mcp:write", "mcp:infer"] {
        assert!(listed.contains(&scope), "{scope} is missing");
    }
    for not_built in ["openid", "email", "profile"] {
        assert!(!listed.contains(&not_built), "{not_built} is listed and no ID token exists");
    }
    // Claude.ai asks for the whole list in one string.
    let app = stage.public_app().await;
    let code = app.journey().with("scope", &listed.join(" ")).until_code().await;
    let granted = expect::ok(&app.redeem(&code).await)["scope"].as_str().unwrap().to_owned();
    for scope in ["mcp:read", "mcp:write", "mcp:infer"] {
        assert!(granted.split(' ').any(|token| token == scope), "{scope} was not granted: {granted}");
    }
}

/// RFC 8414 §3.2: claims with zero elements or no value are omitted; the TypeScript SDK fails on null.
#[actix_web::test]
async fn no_member_is_null_or_empty() {
    let stage = Stage::rise().await;
    for path in [WELL_KNOWN, "/.well-known/openid-configuration"] {
        let document = expect::ok(&stage.stranger().get(path).await);
        for (member, value) in document.as_object().unwrap() {
            let is_empty = value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
            assert!(!is_empty, "{member} in {path} is {value}");
        }
    }
}

/// RFC 8414 §3: the same facts stand where OpenID Connect Discovery clients look, with the members they require.
#[actix_web::test]
async fn openid_clients_find_the_same_facts() {
    let stage = Stage::rise().await;
    let oauth = expect::ok(&stage.stranger().get(WELL_KNOWN).await);
    let openid = expect::ok(&stage.stranger().get("/.well-known/openid-configuration").await);
    for (member, value) in oauth.as_object().unwrap() {
        assert_eq!(&openid[member], value, "{member}");
    }
    assert_eq!(openid["jwks_uri"], format!("{ISSUER}/jwks.json"));
    assert_eq!(openid["subject_types_supported"], json!(["public"]));
    assert!(openid["id_token_signing_alg_values_supported"].as_array().is_some_and(|algorithms| !algorithms.is_empty()));
}

/// RFC 8414 §3.1: with an issuer without path there is one address; the /mcp forms that ChatGPT asks give the same document.
#[actix_web::test]
async fn the_forms_that_clients_ask_by_mistake_answer_alike() {
    let stage = Stage::rise().await;
    for (strange, proper) in [
        ("/.well-known/oauth-authorization-server/mcp", WELL_KNOWN),
        ("/.well-known/openid-configuration/mcp", "/.well-known/openid-configuration"),
    ] {
        assert_eq!(stage.stranger().get(strange).await.body, stage.stranger().get(proper).await.body);
    }
}

/// RFC 8414 §3.2: other addresses answer an error status; in JSON, never a page with 200.
#[actix_web::test]
async fn absent_documents_are_404_in_json() {
    let stage = Stage::rise().await;
    let absent = [
        "/.well-known/oauth-authorization-server/other",
        "/t1/.well-known/openid-configuration",
        "/token/.well-known/openid-configuration",
        "/.well-known/nothing",
        "/nothing",
        "/admin",
        "/metrics",
        "/.env",
    ];
    for path in absent {
        let answer = stage.stranger().get(path).header("accept", "text/html").await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.header_or_empty("content-type").starts_with("application/json"), "{path}: {}", expect::told(&answer));
        answer.json();
    }
}

/// RFC 8414 §3.2: the document is application/json and may be kept for minutes.
#[actix_web::test]
async fn discovery_is_kept_for_minutes_not_days() {
    let stage = Stage::rise().await;
    for path in [WELL_KNOWN, "/.well-known/openid-configuration", "/jwks.json"] {
        let answer = stage.stranger().get(path).await;
        let control = answer.header_or_empty("cache-control").to_owned();
        let seconds = control.split(',').find_map(|part| part.trim().strip_prefix("max-age=")).unwrap_or("none");
        let seconds: u32 = seconds.parse().unwrap_or_else(|_| panic!("{path}: {control}"));
        assert!((30..=3600).contains(&seconds), "{path}: {control}");
    }
}

/// RFC 8414 §7.3: endpoints come from configuration, whatever the request says about its host.
#[actix_web::test]
async fn forwarded_headers_do_not_poison_the_document() {
    let stage = Stage::rise().await;
    let clean = stage.stranger().get(WELL_KNOWN).await;
    let request = stage.stranger().get(WELL_KNOWN).header("x-forwarded-host", "evil.example").header("x-forwarded-proto", "http");
    let poisoned = request.header("x-forwarded-prefix", "/evil").header("forwarded", "host=evil.example").await;
    assert_eq!(poisoned.body, clean.body);
}

/// RFC 9110 §7.4: a request for a host that is not ours is misdirected.
#[actix_web::test]
async fn a_foreign_host_is_refused() {
    let stage = Stage::rise().await;
    for host in ["evil.example", "portico.test.evil.example", "portico.test:81", "127.0.0.1", ""] {
        for path in [WELL_KNOWN, "/authorize", "/token"] {
            let answer = stage.stranger().get(path).header("host", host).await;
            assert!(matches!(answer.status, 421 | 400), "{host} at {path}: {}", answer.status);
            assert!(!answer.text().contains("authorization_endpoint"));
        }
    }
    assert_eq!(stage.stranger().get(WELL_KNOWN).header("host", "PORTICO.test").await.status, 200);
}

/// RFC 8414 §2: a loopback server derives every URL from its own address.
#[actix_web::test]
async fn a_server_for_a_first_try_lives_on_loopback() {
    let stage = Stage::builder().issuer("http://127.0.0.1").rise().await;
    let document = expect::ok(&stage.stranger().get(WELL_KNOWN).await);
    assert_eq!(document["issuer"], format!("http://{}", stage.address()));
    let app = stage.public_app().await;
    let code = app.code().await;
    assert_eq!(expect::one(&code.query, "iss"), stage.issuer());
    expect::ok(&app.redeem(&code).await);
}

/// RFC 8414 §2: each authentication method that is listed works.
#[actix_web::test]
async fn every_listed_authentication_method_works() {
    let stage = Stage::rise().await;
    let document = expect::ok(&stage.stranger().get(WELL_KNOWN).await);
    for method in as_set(&document["token_endpoint_auth_methods_supported"]) {
        let mut metadata = Stage::usual_registration();
        metadata["token_endpoint_auth_method"] = method.into();
        let app = stage.public_app_from(&metadata).await;
        assert_eq!(app.auth_method, method);
        expect::ok(&app.redeem(&app.code().await).await);
    }
}

/// RFC 8414 §2: whoever discovers, registers and asks needs nothing that the document does not say.
#[actix_web::test]
async fn the_document_is_enough_to_get_a_token() {
    let stage = Stage::rise().await;
    let document = expect::ok(&stage.stranger().get(WELL_KNOWN).await);
    let path = |member: &str| document[member].as_str().unwrap().strip_prefix(ISSUER).unwrap().to_owned();
    let registered = expect::success(&stage.stranger().post_json(&path("registration_endpoint"), &Stage::usual_registration()).await, 201);
    let id = registered["client_id"].as_str().unwrap();
    let challenge = journeys::challenge_of(journeys::VERIFIER);
    let asked = [
        ("response_type", "code"),
        ("client_id", id),
        ("redirect_uri", portico_tests::stage::CALLBACK),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("resource", DOCUMENTS),
    ];
    let target = format!("{}?{}", path("authorization_endpoint"), portico_tests::wire::form_text(&asked));
    let mut browser = stage.browser();
    let (page, place) = browser.open(&target).await;
    let answer = browser.agrees_until_the_end(page, place).await;
    let code = expect::one(&answer.location_query(), "code");
    let pairs = [("grant_type", "authorization_code"), ("code", &code), ("client_id", id), ("code_verifier", journeys::VERIFIER)];
    expect::ok(&stage.stranger().post(&path("token_endpoint"), &pairs).await);
}

fn as_set(list: &Value) -> std::collections::BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}
