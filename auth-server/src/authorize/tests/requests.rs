//! What is read, and how it is refused: the table of checks row by row.

use actix_web::test::TestRequest;

use super::house::{Browser, CALLBACK, HERE, House, STRANGER, request};

/// RFC 6749 §4.1.2.1, attacks 10 and 17: before the address is proven nothing leaves but a page.
#[actix_web::test]
async fn without_a_proven_address_a_refusal_is_a_page() {
    let house = House::open().await;
    for more in [
        vec![("client_id", "ABSENT")],
        vec![("client_id", "nobody")],
        vec![("client_id", "a b")],
        vec![("redirect_uri", "https://app.example/cb/")],
        vec![("redirect_uri", "https://app.example/CB")],
        vec![("redirect_uri", "https://app.example.evil/cb")],
        vec![("redirect_uri", "https://app.example@evil.example/cb")],
        vec![("redirect_uri", "https://app.example/cb?x=1")],
        vec![("redirect_uri", "https://app.example/cb#x")],
        vec![("redirect_uri", "javascript:alert(1)")],
        vec![("client_id", "local"), ("redirect_uri", "ABSENT")],
        vec![("client_id", "local"), ("redirect_uri", "http://127.0.0.1/callback")],
        vec![("client_id", "local"), ("redirect_uri", "http://localhost:9/other")],
    ] {
        let mut asked = request(STRANGER, &more);
        let answer = house.ask(&mut Browser::default(), &asked).await;
        assert_eq!((answer.status, answer.location.as_str()), (400, ""), "{more:?}");
        assert!(answer.cookies.is_empty() && answer.body.contains("<!doctype html>"), "{more:?}");
        asked.reverse();
        assert_eq!(house.ask(&mut Browser::default(), &asked).await.status, 400, "{more:?} in another order");
    }
    for twice in [("client_id", STRANGER), ("redirect_uri", CALLBACK)] {
        let mut asked = request(STRANGER, &[]);
        asked.push(twice);
        assert_eq!(house.ask(&mut Browser::default(), &asked).await.status, 400, "{twice:?}");
    }
}

/// RFC 6749 §4.1.2.1, RFC 7636 §4.4.1, RFC 8707 §2, RFC 9207 §2; attacks 15, 17, 38: after it, a redirect with state and iss.
#[actix_web::test]
async fn with_a_proven_address_a_refusal_goes_to_the_client() {
    let house = House::open().await;
    let long = "x".repeat(600);
    for (more, code) in [
        (vec![("response_type", "ABSENT")], "invalid_request"),
        (vec![("response_type", "token")], "unsupported_response_type"),
        (vec![("response_type", "code id_token")], "unsupported_response_type"),
        (vec![("response_mode", "fragment")], "invalid_request"),
        (vec![("request", "e30.e30.")], "request_not_supported"),
        (vec![("request_uri", "https://app.example/r")], "request_uri_not_supported"),
        (vec![("code_challenge", "ABSENT")], "invalid_request"),
        (vec![("code_challenge", "short")], "invalid_request"),
        (vec![("code_challenge_method", "plain")], "invalid_request"),
        (vec![("code_challenge_method", "ABSENT")], "invalid_request"),
        (vec![("resource", "https://elsewhere.example/mcp")], "invalid_target"),
        (vec![("resource", "not a uri")], "invalid_target"),
        (vec![("resource", "http://127.0.0.1:8080/mcp"), ("resource", "http://127.0.0.1:8080/other")], "invalid_target"),
        (vec![("scope", "admin")], "invalid_scope"),
        (vec![("scope", "mcp:read \"")], "invalid_scope"),
        (vec![("prompt", "none login")], "invalid_request"),
        (vec![("prompt", "none")], "login_required"),
        (vec![("max_age", "soon")], "invalid_request"),
        (vec![("nonce", long.as_str())], "invalid_request"),
        (vec![("nonce", "a"), ("nonce", "b")], "invalid_request"),
    ] {
        let answer = house.ask(&mut Browser::default(), &request(STRANGER, &more)).await;
        assert_eq!((answer.status, answer.parameter("error").as_deref()), (303, Some(code)), "{more:?} {answer:?}");
        assert!(answer.location.starts_with("https://app.example/cb?"), "{more:?}");
        assert_eq!((answer.parameter("state").as_deref(), answer.parameter("iss").as_deref()), (Some("s+/="), Some(HERE)), "{more:?}");
        assert_eq!(answer.parameter("code"), None);
    }
}

/// RFC 6749 §4.1.2.1: a state that cannot be echoed byte for byte is not echoed at all.
#[actix_web::test]
async fn a_state_that_is_too_long_or_comes_twice_is_refused_without_it() {
    let house = House::open().await;
    let long = "s".repeat(4097);
    for more in [vec![("state", long.as_str())], vec![("state", "a"), ("state", "b")]] {
        let answer = house.ask(&mut Browser::default(), &request(STRANGER, &more)).await;
        assert_eq!((answer.parameter("error").as_deref(), answer.parameter("state")), (Some("invalid_request"), None));
    }
    let longest = "s".repeat(4096);
    assert!(house.ask(&mut Browser::default(), &request(STRANGER, &[("state", &longest)])).await.is_question());
}

/// RFC 6749 §3.1, RFC 8252 §7.3, checklist 39 to 46: what honest clients send is understood.
#[actix_web::test]
async fn what_honest_clients_send_is_understood() {
    let house = House::open().await;
    for more in [
        vec![],
        vec![("response_mode", "query"), ("audience", "x"), ("id_token_hint", "y"), ("nonce", "n"), ("login_hint", "alice")],
        vec![("redirect_uri", "ABSENT")],
        vec![("scope", "")],
        vec![("scope", "openid email profile")],
        vec![("scope", "offline_access")],
        vec![("scope", "mcp:read unheard-of")],
        vec![("prompt", "consent")],
        vec![("prompt", "unheard-of")],
        vec![("max_age", "")],
        vec![("resource", "http://127.0.0.1:8080/mcp/")],
        vec![("resource", "HTTP://127.0.0.1:8080/mcp")],
        vec![("resource", "http://127.0.0.1:8080/mcp"), ("resource", "http://127.0.0.1:8080/mcp/")],
        vec![("client_id", "local"), ("redirect_uri", "http://localhost:51234/callback")],
        vec![("client_id", "local"), ("redirect_uri", "cursor://anysphere.cursor-mcp/oauth/callback")],
    ] {
        let answer = house.ask(&mut Browser::default(), &request(STRANGER, &more)).await;
        assert!(answer.is_question(), "{more:?} {answer:?}");
    }
    let form = TestRequest::post().uri("/authorize").set_form(request(STRANGER, &[]));
    assert!(house.send(&mut Browser::default(), form).await.is_question(), "OpenID Connect Core §3.1.2.1: POST too");
}
