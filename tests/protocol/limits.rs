//! Everything that comes from outside has a limit, the limit has a named answer, and nobody else suffers.

use std::time::{Duration, Instant};

use oauth_types::Ttl;
use portico_tests::expect;
use portico_tests::people::Tokens;
use portico_tests::stage::{CALLBACK, Stage};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// RFC 9110 §15.5.14: a body over the limit is 413, at every endpoint that reads one.
#[actix_web::test]
async fn a_huge_body_is_refused() {
    let stage = Stage::rise().await;
    let form = format!("grant_type=refresh_token&refresh_token={}", "x".repeat(1 << 20));
    for path in ["/token", "/revoke", "/introspect"] {
        let answer = stage.stranger().request("POST", path).content("application/x-www-form-urlencoded", form.clone()).await;
        expect::refused_with(&answer, 413, "invalid_request", "body_too_large");
    }
    let metadata = json!({ "redirect_uris": [CALLBACK], "x": "x".repeat(1 << 20) });
    expect::refused_with(&stage.register(&metadata).await, 413, "invalid_request", "body_too_large");
}

/// RFC 9112 §7.1: a body that does not say its length is counted while it comes.
#[actix_web::test]
async fn a_huge_body_in_chunks_is_refused_too() {
    let stage = Stage::rise().await;
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    let body = format!("{}0\r\n\r\n", chunk.repeat(32));
    let request = stage.stranger().request("POST", "/token").header("transfer-encoding", "chunked");
    let answer = request.content("application/x-www-form-urlencoded", body).await;
    expect::refused_with(&answer, 413, "invalid_request", "body_too_large");
}

/// RFC 9110 §15.5.9: a request that does not arrive in its time is 408, be it the head or the body that drips; nobody waits for it longer.
#[actix_web::test]
async fn a_request_that_never_ends_is_given_up_on() {
    let stage = Stage::rise().await;
    let begun = Instant::now();
    let body = async {
        let request = stage.stranger().request("POST", "/token").header("content-length", "200");
        request.content("application/x-www-form-urlencoded", "grant_type=").await
    };
    let head = async {
        let mut stream = TcpStream::connect(stage.address()).await.unwrap();
        stream.write_all(b"GET /jwks.json HTTP/1.1\r\nhost: ").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    };
    let (body, head) = tokio::join!(body, head);
    expect::refused_with(&body, 408, "invalid_request", "body_too_slow");
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert!(begun.elapsed() > Duration::from_secs(8), "an honest client on a bad line has its time");
    assert_eq!(stage.stranger().get("/jwks.json").await.status, 200);
}

/// RFC 6749 §4.1.2: a code carries what was approved, and its size is bounded: what is too long for it is refused where it is asked, and
/// never as a code that no address can carry. What is as long as each limit alone allows goes through.
#[actix_web::test]
async fn what_is_too_long_for_a_code_is_refused_to_the_client() {
    let stage = Stage::rise().await;
    let redirect = format!("https://unknown.example/{}", "p".repeat(1_400));
    let mut metadata = Stage::usual_registration();
    metadata["redirect_uris"] = json!([redirect]);
    let app = stage.public_app_from(&metadata).await;
    let with_nonce = |nonce: &str| app.journey().with("redirect_uri", &redirect).with("nonce", nonce);
    let code = with_nonce(&"n".repeat(512)).until_code().await;
    assert!(code.code.len() < 6_000, "{}", code.code.len());
    Tokens::of(&app.redeem(&code).await);
    // Each of them takes six characters in the code.
    let answer = with_nonce(&"\u{1}".repeat(512)).until_answer().await;
    expect::redirected(&answer, &redirect, "invalid_request", "parameter_too_long");
}

/// RFC 9110 §5.4: header fields in any number are not taken.
#[actix_web::test]
async fn too_many_headers_are_refused() {
    let stage = Stage::rise().await;
    for count in [90, 2000] {
        let mut request = stage.stranger().get("/.well-known/oauth-authorization-server");
        for number in 0..count {
            request = request.header(&format!("x-{number}"), "y");
        }
        let answer = request.await;
        assert!(matches!(answer.status, 431 | 400 | 0), "{count} headers: {}", expect::told(&answer));
    }
    let huge = stage.stranger().get("/.well-known/oauth-authorization-server").header("x-huge", "y".repeat(1 << 20)).await;
    assert!(matches!(huge.status, 431 | 400 | 413 | 0), "{}", expect::told(&huge));
    assert_eq!(stage.stranger().get("/.well-known/oauth-authorization-server").await.status, 200);
}

/// RFC 9110 §4.1: an address of any length is not taken.
#[actix_web::test]
async fn a_huge_address_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let answer = app.journey().and("x", &"y".repeat(1 << 18)).asks().await;
    assert!(matches!(answer.status, 414 | 431 | 400 | 413 | 0), "{}", expect::told(&answer));
    assert_eq!(answer.header("location"), None);
}

/// RFC 6749 §3.1: parameters in any number or length are not taken.
#[actix_web::test]
async fn too_many_or_too_long_parameters_are_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let many: Vec<(String, String)> = (0..200).map(|number| (format!("p{number}"), "x".to_owned())).collect();
    expect::refused(&app.token_request(&many).await, "invalid_request", "parameters_too_many");
    let long = "x".repeat(10_000);
    let answer = app.refresh(&long).await;
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(answer.status == 400 && matches!(error.as_str(), "invalid_request" | "invalid_grant"), "{}", expect::told(&answer));
}

/// RFC 6749 §4.1.1: a state longer than the limit is refused instead of cut.
#[actix_web::test]
async fn a_state_has_a_limit() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let answer = app.journey().with("state", &"s".repeat(4097)).asks().await;
    assert!(!answer.header_or_empty("location").contains("code="));
    expect::logged(&answer, "state_too_long");
}

/// RFC 6749 §3.3: a scope of any size is not taken.
#[actix_web::test]
async fn a_scope_has_a_limit() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let many = (0..65).map(|number| format!("s{number}")).collect::<Vec<_>>().join(" ");
    for scope in [many, "s".repeat(1025)] {
        let answer = app.journey().with("scope", &scope).asks().await;
        expect::redirected(&answer, CALLBACK, "invalid_scope", "scope_too_long");
    }
}

/// RFC 7591 §5: lists and texts of a registration have limits, each with its own reason.
#[actix_web::test]
async fn a_registration_has_limits() {
    let stage = Stage::rise().await;
    let uris = |count: usize| (0..count).map(|number| format!("https://app.example/{number}")).collect::<Vec<_>>();
    for (member, value, code, reason) in [
        ("redirect_uris", json!(uris(1000)), "invalid_client_metadata", "redirect_uris_too_many"),
        ("redirect_uris", json!([format!("https://app.example/{}", "x".repeat(4000))]), "invalid_redirect_uri", "redirect_too_long"),
        ("client_name", json!("n".repeat(1000)), "invalid_client_metadata", "name_too_long"),
        ("client_uri", json!(format!("https://app.example/{}", "x".repeat(4000))), "invalid_client_metadata", "member_too_long"),
    ] {
        let mut metadata = Stage::usual_registration();
        metadata[member] = value;
        expect::refused(&stage.register(&metadata).await, code, reason);
    }
    let mut metadata = Stage::usual_registration();
    metadata["redirect_uris"] = json!(uris(8));
    expect::success(&stage.register(&metadata).await, 201);
}

/// RFC 8259 §9: JSON nested without end is refused without a fall.
#[actix_web::test]
async fn deep_json_is_refused() {
    let stage = Stage::rise().await;
    for depth in [64, 3_000] {
        let body = format!("{{\"redirect_uris\":[\"{CALLBACK}\"],\"x\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        let answer = stage.stranger().request("POST", "/register").content("application/json", body).await;
        expect::refused(&answer, "invalid_request", "json_too_deep");
    }
}

/// RFC 6585 §4: too many registrations of one source are 429 with Retry-After; other doors stay open.
#[actix_web::test]
async fn a_flood_of_registrations_is_slowed_down() {
    let stage = Stage::with("registration.per_source_hourly", "3").rise().await;
    let app = stage.public_app().await;
    for _ in 0..2 {
        stage.public_app().await;
    }
    let answer = stage.register(&Stage::usual_registration()).await;
    expect::refused_with(&answer, 429, "temporarily_unavailable", "rate_limited");
    let wait: u32 = answer.header_or_empty("retry-after").parse().expect("seconds");
    assert!((1..=3600).contains(&wait));
    assert_eq!(stage.stranger().get("/.well-known/oauth-authorization-server").await.status, 200);
    Tokens::of(&app.redeem(&app.code().await).await);
    stage.advance(Ttl::hours(1) + Ttl(1));
    stage.public_app().await;
}

/// RFC 7591 §5: clients that were registered and never used are kept up to a number.
#[actix_web::test]
async fn unused_clients_are_kept_up_to_a_number() {
    let stage = Stage::with("registration.pending_max", "3").rise().await;
    for _ in 0..3 {
        stage.public_app().await;
    }
    let answer = stage.register(&Stage::usual_registration()).await;
    assert_eq!(answer.json()["error"], "temporarily_unavailable", "{}", expect::told(&answer));
    assert!(matches!(answer.status, 429 | 503) && answer.header("retry-after").is_some(), "{}", expect::told(&answer));
}

/// RFC 7591 §5: a client that was used is no longer pending, so it makes room (the count is read again at the next purge).
#[actix_web::test]
async fn a_used_client_is_not_counted_as_pending() {
    let stage = Stage::with("registration.pending_max", "3").rise().await;
    for _ in 0..6 {
        stage.public_app().await.tokens().await;
        stage.operator().ticks().await;
    }
}

/// RFC 7591 §5: unused registrations expire after days, used ones stay.
#[actix_web::test]
async fn unused_clients_expire_and_used_ones_stay() {
    let stage = Stage::rise().await;
    let (used, unused) = (stage.public_app().await, stage.public_app().await);
    let tokens = used.tokens().await;
    stage.advance(Ttl::days(3) + Ttl(1));
    stage.operator().ticks().await;
    Tokens::of(&used.refresh(&tokens.refresh).await);
    let answer = unused.journey().asks().await;
    assert_eq!((answer.status, answer.header("location")), (400, None), "{}", expect::told(&answer));
    let at_token = unused.refresh("prt_x").await;
    assert_eq!((at_token.status, at_token.json()["error"].as_str()), (401, Some("invalid_client")));
}

/// RFC 9110 §9.1: methods that an endpoint does not know are 405 with Allow, in JSON.
#[actix_web::test]
async fn unknown_methods_are_told_which_are_known() {
    let stage = Stage::rise().await;
    for (method, path, allowed) in [
        ("GET", "/register", "POST"),
        ("PUT", "/token", "POST"),
        ("DELETE", "/authorize", "GET"),
        ("POST", "/.well-known/oauth-authorization-server", "GET"),
        ("PATCH", "/revoke", "POST"),
        ("POST", "/jwks.json", "GET"),
    ] {
        let answer = stage.stranger().request(method, path).await;
        assert_eq!(answer.status, 405, "{method} {path}: {}", expect::told(&answer));
        assert!(answer.header_or_empty("allow").contains(allowed), "{method} {path}: {:?}", answer.header("allow"));
    }
}

/// RFC 6749 §10.10: one browser may have several flows open, and not any number of them.
#[actix_web::test]
async fn flows_of_one_source_have_a_limit_that_people_do_not_meet() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut browser = stage.browser();
    for _ in 0..20 {
        let mut journey = app.journey().in_browser(browser);
        assert_eq!(journey.until_page().await.0.status, 200);
        browser = journey.into_browser();
    }
    let cookies = browser.cookies().iter().map(|cookie| cookie.name.len() + cookie.value.len()).sum::<usize>();
    assert!(cookies < 2048, "cookies grow with every flow: {cookies} bytes");
    let mut journey = app.journey().in_browser(browser);
    Tokens::of(&app.redeem(&journey.until_code().await).await);
}

/// RFC 6749 §5.2: a flood of dead refresh tokens never hides that they are dead, nor blocks the code that repairs it.
#[actix_web::test]
async fn dead_tokens_are_told_so_however_often() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for _ in 0..200 {
        let answer = app.refresh("prt_dead").await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_grant")));
    }
    Tokens::of(&app.redeem(&app.code().await).await);
}

/// RFC 9112 §6.1: a request whose framing contradicts itself is refused.
#[actix_web::test]
async fn contradicting_framing_is_refused() {
    let stage = Stage::rise().await;
    let request = stage.stranger().request("POST", "/token").header("transfer-encoding", "chunked").header("content-length", "5");
    let answer = request.content("application/x-www-form-urlencoded", "0\r\n\r\n").await;
    assert!(matches!(answer.status, 400 | 0 | 401), "{}", expect::told(&answer));
    let request = stage.stranger().request("POST", "/token").header("content-length", "5").header("content-length", "6");
    let answer = request.content("application/x-www-form-urlencoded", "a=b&c").await;
    assert!(matches!(answer.status, 400 | 0), "{}", expect::told(&answer));
}

/// RFC 8259 §4: a repeated member is not a way to say two things.
#[actix_web::test]
async fn a_repeated_json_member_has_one_meaning() {
    let stage = Stage::rise().await;
    let body = format!("{{\"redirect_uris\":[\"javascript:alert(1)\"],\"redirect_uris\":[\"{CALLBACK}\"]}}");
    let answer = stage.stranger().request("POST", "/register").content("application/json", body).await;
    if answer.status == 201 {
        assert_eq!(answer.json()["redirect_uris"], json!([CALLBACK]));
    } else {
        let error: Value = answer.json()["error"].clone();
        assert!(error == "invalid_request" || error == "invalid_client_metadata" || error == "invalid_redirect_uri", "{error}");
    }
}
