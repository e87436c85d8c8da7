//! Forward-auth: what a proxy is told about the request in its hands, and what the client of a refused one reads.
//!
//! The proxy of these tests is a request from 127.0.0.1, which every stage here trusts. What the real Traefik does with the answers is
//! the suite at the edge (`cargo xtask edge`).

use oauth_types::{Challenge, Ttl};
use portico_tests::expect;
use portico_tests::people::Tokens;
use portico_tests::stage::{Stage, StageBuilder};
use portico_tests::wire::{Answer, Request};

const WEATHER: &str = "https://portico.test/weather/mcp";
const WEATHER_METADATA: &str = "https://portico.test/.well-known/oauth-protected-resource/weather/mcp";

fn edge() -> StageBuilder {
    Stage::with("server.trusted_proxies", "[\"127.0.0.1\"]")
        .table("[[service]]\nname = \"weather\"\nurl = \"http://127.0.0.1:1\"\ntitle = \"Weather\"\nscopes = [\"weather:read\", \"weather:write\"]")
        .table("[[service]]\nname = \"stocks\"\nurl = \"http://127.0.0.1:2\"\nscopes = [\"stocks:read\"]")
}

/// The question of a proxy that holds `POST https://portico.test/weather/mcp`.
fn question(stage: &Stage) -> Request {
    described(stage, "POST", "https", "portico.test", "/weather/mcp")
}

fn described(stage: &Stage, method: &str, proto: &str, host: &str, uri: &str) -> Request {
    stage
        .stranger()
        .get("/verify")
        .header("host", "auth-server:8080")
        .header("x-forwarded-method", method)
        .header("x-forwarded-proto", proto)
        .header("x-forwarded-host", host)
        .header("x-forwarded-uri", uri)
        .header("x-forwarded-for", "203.0.113.9")
}

async fn token(stage: &Stage, resource: &str, scope: &str) -> Tokens {
    let app = stage.public_app().await;
    let code = app.journey().with("resource", resource).with("scope", scope).until_code().await;
    Tokens::of(&app.redeem(&code).await)
}

/// A refusal that a client can act on: the challenge names the metadata of that service and the scope to ask for.
#[track_caller]
fn challenged(answer: &Answer, error: Option<&str>) {
    let challenges = answer.headers_named("www-authenticate");
    assert_eq!(challenges.len(), 1, "{}", expect::told(answer));
    let challenge = Challenge::parse(challenges[0]).expect("one challenge with quoted values");
    assert_eq!(challenge.parameter("resource_metadata"), Some(WEATHER_METADATA));
    assert_eq!(challenge.parameter("scope"), Some("weather:read"));
    assert_eq!(challenge.parameter("error"), error);
    assert_eq!(challenge.parameter("error_description").is_some(), error.is_some());
}

/// RFC 9068 §4: a token of the right audience and scope opens the service, and the service is told who calls.
#[actix_web::test]
async fn a_good_token_is_let_through_and_named() {
    let stage = edge().rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    let answer = question(&stage).bearer(&tokens.access).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{}", expect::told(&answer));
    let claims = portico_tests::jwt::unverified(&tokens.access).claims;
    for (header, claim) in [
        ("x-auth-sub", "sub"),
        ("x-auth-client-id", "client_id"),
        ("x-auth-scope", "scope"),
        ("x-auth-grant-id", "grant_id"),
        ("x-auth-token-id", "jti"),
    ] {
        assert_eq!(answer.headers_named(header), [claims[claim].as_str().unwrap()], "{header}");
    }
    assert_eq!(answer.header("x-auth-expires"), Some(claims["exp"].to_string().as_str()));
    assert_eq!(answer.header("x-auth-service"), Some("weather"));
    assert_eq!(answer.header("set-cookie"), None);
    expect::no_store(&answer);
}

/// RFC 6750 §3: a request without a token is challenged, without an error code; the challenge is that of the service (RFC 9728 §5.1).
#[actix_web::test]
async fn a_request_without_a_token_is_sent_to_the_services_metadata() {
    let stage = edge().rise().await;
    for request in
        [question(&stage), question(&stage).header("authorization", "Basic YTpi"), question(&stage).header("cookie", "access_token=x")]
    {
        let answer = request.await;
        expect::refused(&answer, "invalid_token", "token_missing");
        challenged(&answer, None);
    }
}

/// RFC 6750 §2.3: a token in the query of the described request is as good as none.
#[actix_web::test]
async fn a_token_in_the_query_opens_nothing() {
    let stage = edge().rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    let uri = format!("/weather/mcp?access_token={}", tokens.access);
    let answer = described(&stage, "GET", "https", "portico.test", &uri).await;
    expect::refused(&answer, "invalid_token", "token_missing");
    assert_eq!(described(&stage, "GET", "https", "portico.test", &uri).bearer(&tokens.access).await.status, 200);
}

/// RFC 6750 §3.1: garbage, a refresh token and a token with a changed byte are invalid_token.
#[actix_web::test]
async fn a_bad_token_is_told_so() {
    let stage = edge().rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    let (front, signature) = tokens.access.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    for (bad, reason) in [
        ("garbage".to_owned(), "token_malformed"),
        (tokens.refresh.clone(), "token_malformed"),
        (format!("{front}.{first}{}", &signature[1..]), "token_signature_mismatch"),
    ] {
        let answer = question(&stage).bearer(&bad).await;
        expect::refused(&answer, "invalid_token", reason);
        challenged(&answer, Some("invalid_token"));
    }
}

/// RFC 9068 §4: a token for another resource is refused, even for another service of the same origin.
#[actix_web::test]
async fn a_token_for_another_resource_is_refused() {
    let stage = edge().rise().await;
    let documents = stage.public_app().await.tokens().await;
    let stocks = token(&stage, "https://portico.test/stocks/mcp", "stocks:read").await;
    for other in [&documents.access, &stocks.access] {
        let answer = question(&stage).bearer(other).await;
        expect::refused(&answer, "invalid_token", "token_audience_mismatch");
        challenged(&answer, Some("invalid_token"));
    }
    let own_door = described(&stage, "POST", "https", "portico.test", "/stocks/mcp").bearer(&stocks.access).await;
    assert_eq!((own_door.status, own_door.header("x-auth-service")), (200, Some("stocks")));
}

/// RFC 6750 §3.1: a good token without the scope of the service is insufficient_scope, and the challenge says what to ask for.
#[actix_web::test]
async fn a_token_without_the_scope_is_told_which() {
    let stage = edge().rise().await;
    let narrow = token(&stage, WEATHER, "weather:write").await;
    assert_eq!(narrow.scope, "weather:write");
    let answer = question(&stage).bearer(&narrow.access).await;
    expect::refused(&answer, "insufficient_scope", "scope_insufficient");
    challenged(&answer, Some("insufficient_scope"));
    let wide = token(&stage, WEATHER, "weather:read weather:write").await;
    assert_eq!(question(&stage).bearer(&wide.access).await.status, 200);
}

/// RFC 9068 §4: an expired token is refused at its last second, not before.
#[actix_web::test]
async fn a_token_ends_when_it_says() {
    let stage = edge().rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    stage.advance(Ttl(599));
    assert_eq!(question(&stage).bearer(&tokens.access).await.status, 200);
    stage.advance(Ttl(1));
    expect::refused(&question(&stage).bearer(&tokens.access).await, "invalid_token", "token_expired");
}

/// RFC 7009 §2.1: a revoked token, and every token of a revoked grant, is refused with the next request.
#[actix_web::test]
async fn what_ended_early_opens_nothing() {
    let stage = edge().rise().await;
    let app = stage.public_app().await;
    let code = app.journey().with("resource", WEATHER).until_code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    assert_eq!(question(&stage).bearer(&tokens.access).await.status, 200);
    assert_eq!(app.revoke(&tokens.refresh).await.status, 200);
    let answer = question(&stage).bearer(&tokens.access).await;
    expect::refused(&answer, "invalid_token", "token_ended");
    challenged(&answer, Some("invalid_token"));
}

/// RFC 6750 §2: one token in one header; two are refused, whichever of them is good.
#[actix_web::test]
async fn two_authorizations_are_refused() {
    let stage = edge().rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    for (first, second) in [(tokens.access.as_str(), "other"), ("other", tokens.access.as_str()), (&tokens.access, &tokens.access)] {
        let answer = question(&stage).bearer(first).bearer(second).await;
        expect::refused(&answer, "invalid_request", "bearer_twice");
        challenged(&answer, Some("invalid_request"));
    }
    let two_in_one = question(&stage).header("authorization", format!("Bearer {}, Bearer {}", tokens.access, tokens.access)).await;
    expect::refused(&two_in_one, "invalid_request", "bearer_malformed");
}

/// Attack 18: who is not the proxy may describe no request; to a stranger there is nothing at this path.
#[actix_web::test]
async fn only_the_proxy_may_ask() {
    let stage =
        StageBuilder::default().table("[[service]]\nname = \"weather\"\nurl = \"http://w\"\nscopes = [\"weather:read\"]").rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    let answer = question(&stage).bearer(&tokens.access).await;
    let body = expect::refused_with(&answer, 404, "invalid_request", "not_the_proxy");
    let elsewhere = stage.stranger().get("/nothing-here").await.json();
    let text = |body: &serde_json::Value| body["error_description"].as_str().unwrap().split(" (reference").next().unwrap().to_owned();
    assert_eq!(text(&body), text(&elsewhere), "it is told what any unknown path tells");
    assert_eq!(answer.header("www-authenticate"), None);
    let trusted = edge().rise().await;
    let tokens = token(&trusted, WEATHER, "weather:read").await;
    assert_eq!(question(&trusted).bearer(&tokens.access).await.status, 200);
}

/// Attack 18: a forwarded address makes nobody a proxy.
#[actix_web::test]
async fn a_forged_forwarded_address_makes_no_proxy() {
    let stage = Stage::with("server.trusted_proxies", "[\"10.0.0.1\"]").rise().await;
    let answer = question(&stage).header("x-forwarded-for", "10.0.0.1").header("x-real-ip", "10.0.0.1").await;
    expect::refused_with(&answer, 404, "invalid_request", "not_the_proxy");
}

/// Portico decision 120: a description has four headers, each once: a question with fewer is not one of forward-auth's, one with more has two readings.
#[actix_web::test]
async fn an_incomplete_description_is_refused() {
    let stage = edge().rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    let bare = stage.stranger().get("/verify").bearer(&tokens.access).await;
    expect::refused(&bare, "invalid_request", "forwarded_malformed");
    for (name, value) in [
        ("x-forwarded-method", "POST"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "portico.test"),
        ("x-forwarded-uri", "/weather/mcp"),
    ] {
        let answer = question(&stage).bearer(&tokens.access).header(name, value).await;
        expect::refused(&answer, "invalid_request", "forwarded_malformed");
    }
}

/// Attack 18: a host that is not ours is misdirected; the same host in another spelling is ours.
#[actix_web::test]
async fn the_described_host_must_be_ours() {
    let stage = edge().rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    for ours in ["portico.test", "PORTICO.TEST", "portico.test.", "portico.test:443"] {
        assert_eq!(described(&stage, "GET", "https", ours, "/weather/mcp").bearer(&tokens.access).await.status, 200, "{ours}");
    }
    for other in
        ["evil.test", "portico.test:8443", "portico.test.evil.test", "xportico.test", "portico.test..", "", "portico.test, evil.test"]
    {
        let answer = described(&stage, "GET", "https", other, "/weather/mcp").bearer(&tokens.access).await;
        expect::refused_with(&answer, 421, "invalid_request", "host_not_ours");
    }
}

/// RFC 6750 §5.3: a token that crossed the net in the clear is not believed; over a secured web socket it is.
#[actix_web::test]
async fn the_described_scheme_must_be_ours() {
    let stage = edge().rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    assert_eq!(described(&stage, "GET", "wss", "portico.test", "/weather/mcp").bearer(&tokens.access).await.status, 200);
    for other in ["http", "ws"] {
        let answer = described(&stage, "GET", other, "portico.test", "/weather/mcp").bearer(&tokens.access).await;
        expect::refused_with(&answer, 421, "invalid_request", "scheme_not_ours");
    }
}

/// Portico decision 121: every method needs a token, a preflight too (the proxy answers those itself), and what no service is asked with is refused.
#[actix_web::test]
async fn no_method_is_a_way_around() {
    let stage = edge().rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let ask = || {
            described(&stage, method, "https", "portico.test", "/weather/mcp")
                .header("origin", "https://inspector.test")
                .header("access-control-request-method", "POST")
        };
        expect::refused(&ask().await, "invalid_token", "token_missing");
        assert_eq!(ask().bearer(&tokens.access).await.status, 200, "{method}");
    }
    for method in ["TRACE", "CONNECT", "TRACK", "PROPFIND", "get"] {
        let answer = described(&stage, method, "https", "portico.test", "/weather/mcp").bearer(&tokens.access).await;
        expect::refused_with(&answer, 405, "invalid_request", "method_not_allowed");
        assert!(answer.header_or_empty("allow").contains("POST"), "RFC 9110 §15.5.6");
    }
}

/// Portico decision 120: a path that the service may read in another way than we do is refused, with or without a token, whatever the proxy let through.
#[actix_web::test]
async fn a_path_with_two_readings_is_refused() {
    let stage = edge().rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    for path in [
        "/weather/..%2Ftoken",
        "/weather/%2e%2e/token",
        "/weather/../stocks/mcp",
        "/weather/..",
        "/weather/./mcp",
        "/weather//mcp",
        "//weather/mcp",
        "/weather%2Fmcp",
        "/weather/%5C..%5Cadmin",
        "/weather/\\..\\admin",
        "/weather/%00",
        "/weather/%252e%252e/x",
        "/weather/mcp%3Bx=y",
        "/weather/mcp;x=y",
        "/weather/%3Fx",
        "/weather/%23x",
        "/weather/%zz",
        "https://portico.test/weather/mcp",
        "weather/mcp",
    ] {
        for request in [
            described(&stage, "GET", "https", "portico.test", path),
            described(&stage, "GET", "https", "portico.test", path).bearer(&tokens.access),
        ] {
            expect::refused(&request.await, "invalid_request", "path_ambiguous");
        }
    }
    for path in ["/weather", "/weather/", "/weather/mcp", "/weather/a%20b", "/weather/mcp?x=%2F..%00"] {
        assert_eq!(described(&stage, "GET", "https", "portico.test", path).bearer(&tokens.access).await.status, 200, "{path}");
    }
}

/// Portico decision 123: a path of nobody is nobody's; a longer name, another case, our own paths.
#[actix_web::test]
async fn a_path_of_no_service_is_not_found() {
    let stage = edge().rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    for path in ["/", "/weatherx", "/Weather/mcp", "/weath", "/w%65ather/mcp", "/mcp", "/token", "/notes/mcp", "/.well-known/x"] {
        let answer = described(&stage, "GET", "https", "portico.test", path).bearer(&tokens.access).await;
        expect::refused_with(&answer, 404, "invalid_request", "service_unknown");
        assert_eq!(answer.header("www-authenticate"), None, "{path}");
    }
}

/// Portico decision 120: the question is a GET; anything else is no question of forward-auth.
#[actix_web::test]
async fn the_question_is_a_get() {
    let stage = edge().rise().await;
    for method in ["POST", "PUT", "DELETE"] {
        let answer = stage.stranger().request(method, "/verify").await;
        expect::refused_with(&answer, 405, "invalid_request", "method_not_allowed");
    }
}

/// RFC 9728 §3.1, §3.3: the metadata of a service stands behind its path and names exactly that resource.
#[actix_web::test]
async fn a_services_metadata_is_published_for_it() {
    let stage = edge().rise().await;
    let answer = stage.stranger().get("/.well-known/oauth-protected-resource/weather/mcp").await;
    assert_eq!(
        expect::ok(&answer),
        serde_json::json!({
            "resource": WEATHER,
            "authorization_servers": ["https://portico.test"],
            "scopes_supported": ["weather:read", "weather:write"],
            "bearer_methods_supported": ["header"],
            "resource_name": "Weather",
        })
    );
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "browser clients read it");
    let slash = stage.stranger().get("/.well-known/oauth-protected-resource/weather/mcp/").await;
    assert_eq!(expect::ok(&slash)["resource"], WEATHER);
    for nobody in ["", "/weather", "/weather/mcp/x", "/mcp", "/Weather/mcp", "/weather%2Fmcp"] {
        let answer = stage.stranger().get(&format!("/.well-known/oauth-protected-resource{nobody}")).await;
        expect::refused_with(&answer, 404, "invalid_request", "not_found");
    }
}

/// RFC 8414 §2 and checklist 15: the authorization server knows its services, at every path form that clients ask.
#[actix_web::test]
async fn the_server_lists_its_services() {
    let stage = edge().rise().await;
    let document = expect::ok(&stage.stranger().get("/.well-known/oauth-authorization-server").await);
    let listed = document["protected_resources"].as_array().unwrap();
    assert!(listed.contains(&WEATHER.into()) && listed.contains(&"https://portico.test/mcp".into()));
    assert!(document["scopes_supported"].as_array().unwrap().contains(&"weather:write".into()));
    expect::ok(&stage.stranger().get("/.well-known/oauth-authorization-server/weather/mcp").await);
}

/// RFC 8707 §2: a client that names no resource gets a token for the first one, never for a service.
#[actix_web::test]
async fn a_service_is_never_the_default() {
    let stage = edge().rise().await;
    let tokens = stage.public_app().await.tokens().await;
    expect::refused(&question(&stage).bearer(&tokens.access).await, "invalid_token", "token_audience_mismatch");
}

/// Portico 11a: a person who is disabled loses the services at once.
#[actix_web::test]
async fn a_disabled_person_reaches_no_service() {
    let stage = edge().rise().await;
    let tokens = token(&stage, WEATHER, "weather:read").await;
    assert_eq!(question(&stage).bearer(&tokens.access).await.status, 200);
    stage.operator().disables(portico_tests::stage::ALICE).await;
    expect::refused(&question(&stage).bearer(&tokens.access).await, "invalid_token", "token_ended");
}
