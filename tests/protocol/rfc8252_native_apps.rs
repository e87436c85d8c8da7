//! RFC 8252: apps on a person's own machine listen where they find a free port, or own a scheme.

use portico_tests::expect;
use portico_tests::people::Tokens;
use portico_tests::stage::Stage;
use serde_json::json;

/// RFC 8252 §7.3: the server MUST allow any port for loopback redirect URIs, with or without one registered.
#[actix_web::test]
async fn a_loopback_app_finds_its_port_at_run_time() {
    let stage = Stage::rise().await;
    for (registered, asked) in [
        ("http://127.0.0.1:33418/callback", "http://127.0.0.1:50123/callback"),
        ("http://127.0.0.1/callback", "http://127.0.0.1:50123/callback"),
        ("http://localhost/callback", "http://localhost:3118/callback"),
        ("http://localhost:3118/callback", "http://localhost/callback"),
        ("http://[::1]:1/callback", "http://[::1]:65535/callback"),
        ("http://127.0.0.1:33418/", "http://127.0.0.1:40000/"),
    ] {
        let mut metadata = Stage::usual_registration();
        metadata["redirect_uris"] = json!([registered]);
        let app = stage.public_app_from(&metadata).await;
        let code = app.journey().with("redirect_uri", asked).until_code().await;
        assert_eq!(code.redirect_uri, asked);
        Tokens::of(&app.redeem(&code).await);
    }
}

/// RFC 8252 §7.3: only the port is free; host, path, query and scheme are not.
#[actix_web::test]
async fn a_loopback_app_moves_nothing_but_its_port() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let near = [
        "http://localhost:33418/callback",
        "http://[::1]:33418/callback",
        "http://127.0.0.2:33418/callback",
        "http://127.0.0.1:33418/callback2",
        "http://127.0.0.1:33418/callback/",
        "http://127.0.0.1:33418/callback?a=b",
        "http://127.0.0.1:33418/",
        "http://127.0.0.1:33418",
        "https://127.0.0.1:33418/callback",
        "http://127.0.0.1.evil.example:33418/callback",
        "http://127.0.0.1@evil.example/callback",
        "http://localhost.evil.example/callback",
        "http://2130706433:33418/callback",
        "http://0x7f.0.0.1:33418/callback",
        "http://127.0.0.1:99999/callback",
        "http://127.0.0.1:/callback",
    ];
    for uri in near {
        let answer = app.journey().with("redirect_uri", uri).asks().await;
        assert_eq!((answer.status, answer.header("location")), (400, None), "{uri}");
    }
}

/// RFC 8252 §7.1: a private-use scheme is answered by a plain HTTP redirect.
#[actix_web::test]
async fn a_private_use_scheme_gets_its_redirect() {
    let stage = Stage::rise().await;
    let callback = "cursor://anysphere.cursor-mcp/oauth/callback";
    let mut metadata = Stage::usual_registration();
    metadata["redirect_uris"] = json!([callback]);
    let app = stage.public_app_from(&metadata).await;
    let code = app.code().await;
    assert_eq!(code.redirect_uri, callback);
    Tokens::of(&app.redeem(&code).await);
    let other = app.journey().with("redirect_uri", "cursor://anysphere.cursor-mcp/oauth/other").asks().await;
    expect::page(&other, 400, "redirect_not_registered");
}

/// RFC 8252 §8.6: a native app may be imitated, so it is never approved without the person.
#[actix_web::test]
async fn a_loopback_app_is_never_approved_silently() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut first = app.journey();
    first.until_code().await;
    let mut second = app.journey().in_browser(first.into_browser());
    let (page, _) = second.until_page().await;
    assert!(page.text().contains("Reading Assistant"), "the person is asked again");
}
