//! RFC 6749 §2.3 and §3.2.1: which client is asking, and how it proves that.

use portico_tests::people::Tokens;
use portico_tests::stage::Stage;
use portico_tests::wire::Answer;
use portico_tests::{expect, wire};
use serde_json::json;

/// RFC 6749 §2.3.1: the client authenticates with HTTP Basic.
#[actix_web::test]
async fn a_client_registered_for_basic_uses_basic() {
    let stage = Stage::rise().await;
    let app = stage.confidential_app("client_secret_basic").await;
    assert_eq!(Tokens::of(&app.redeem(&app.code().await).await).scope, "mcp:read");
}

/// RFC 6749 §2.3.1: the client may authenticate with parameters in the body.
#[actix_web::test]
async fn a_client_registered_for_post_uses_the_body() {
    let stage = Stage::rise().await;
    let app = stage.confidential_app("client_secret_post").await;
    assert_eq!(Tokens::of(&app.redeem(&app.code().await).await).scope, "mcp:read");
}

/// RFC 6749 §2.3.1: id and secret in Basic are form-encoded first; clients that do not encode are understood as well.
#[actix_web::test]
async fn basic_credentials_may_be_form_encoded() {
    let stage = Stage::rise().await;
    let app = stage.confidential_app("client_secret_basic").await;
    let code = app.code().await;
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let request = stage.stranger().post("/token", &app.redemption(&code));
    Tokens::of(&request.basic(&encoded(&app.id), &encoded(app.known_secret())).await);
}

/// RFC 6749 §5.2: failed client authentication is invalid_client with 401.
#[actix_web::test]
async fn a_wrong_secret_is_refused() {
    let stage = Stage::rise().await;
    for method in ["client_secret_basic", "client_secret_post"] {
        let app = stage.confidential_app(method).await;
        let code = app.code().await;
        let answer = if method == "client_secret_basic" {
            stage.stranger().post("/token", &app.redemption(&code)).basic(&app.id, "wrong").await
        } else {
            stage.stranger().post("/token", &with_client(app.redemption(&code), &app.id, Some("wrong"))).await
        };
        expect::refused(&answer, "invalid_client", "secret_mismatch");
        Tokens::of(&app.redeem(&code).await);
    }
}

/// RFC 6749 §5.2: a client that used the Authorization header is answered with a matching WWW-Authenticate.
#[actix_web::test]
async fn only_who_used_basic_is_challenged_with_basic() {
    let stage = Stage::rise().await;
    let by_header = stage.stranger().post("/token", &[("grant_type", "refresh_token"), ("refresh_token", "x")]).basic("nobody", "x").await;
    expect::refused(&by_header, "invalid_client", "client_unknown");
    assert!(by_header.header_or_empty("www-authenticate").starts_with("Basic realm="), "{}", expect::told(&by_header));
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "nobody")];
    let by_body = stage.stranger().post("/token", &pairs).await;
    expect::refused(&by_body, "invalid_client", "client_unknown");
    assert_eq!(by_body.header("www-authenticate"), None);
}

/// RFC 6749 §3.2.1: a confidential client MUST authenticate.
#[actix_web::test]
async fn a_confidential_client_cannot_leave_its_secret_out() {
    let stage = Stage::rise().await;
    for method in ["client_secret_basic", "client_secret_post"] {
        let app = stage.confidential_app(method).await;
        let code = app.code().await;
        let answer = stage.stranger().post("/token", &with_client(app.redemption(&code), &app.id, None)).await;
        expect::refused(&answer, "invalid_client", "secret_missing");
    }
}

/// RFC 7591 §2: token_endpoint_auth_method is the method that the client uses, and no other.
#[actix_web::test]
async fn a_secret_counts_only_in_the_registered_place() {
    let stage = Stage::rise().await;
    let basic = stage.confidential_app("client_secret_basic").await;
    let pairs = with_client(basic.redemption(&basic.code().await), &basic.id, basic.secret.as_deref());
    expect::refused(&stage.stranger().post("/token", &pairs).await, "invalid_client", "method_mismatch");

    let post = stage.confidential_app("client_secret_post").await;
    let request = stage.stranger().post("/token", &post.redemption(&post.code().await));
    expect::refused(&request.basic(&post.id, post.known_secret()).await, "invalid_client", "method_mismatch");
}

/// RFC 6749 §2.3: a client registered without credentials has none to show.
#[actix_web::test]
async fn a_public_client_that_shows_a_secret_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    let answer = stage.stranger().post("/token", &with_client(app.redemption(&code), &app.id, Some("secret"))).await;
    expect::refused(&answer, "invalid_client", "public_client_sent_secret");
    Tokens::of(&app.redeem(&code).await);
}

/// RFC 6749 §3.1: an empty parameter is an omitted one, so an empty secret is no secret (rmcp sends one).
#[actix_web::test]
async fn an_empty_secret_is_no_secret() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let pairs = with_client(app.redemption(&app.code().await), &app.id, Some(""));
    Tokens::of(&stage.stranger().post("/token", &pairs).await);
}

/// RFC 6749 §2.3: the client MUST NOT use more than one authentication method in each request.
#[actix_web::test]
async fn two_authentications_at_once_are_refused() {
    let stage = Stage::rise().await;
    let app = stage.confidential_app("client_secret_basic").await;
    let pairs = with_client(app.redemption(&app.code().await), &app.id, app.secret.as_deref());
    let answer = stage.stranger().post("/token", &pairs).basic(&app.id, app.known_secret()).await;
    expect::refused(&answer, "invalid_request", "client_authentication_twice");
}

/// RFC 6749 §2.3.1: client_id in the body beside Basic is tolerated when it is the same client (the Python SDK sends it).
#[actix_web::test]
async fn a_client_id_beside_basic_must_be_the_same() {
    let stage = Stage::rise().await;
    let (app, other) = (stage.confidential_app("client_secret_basic").await, stage.public_app().await);
    let code = app.code().await;
    let foreign = with_client(app.redemption(&code), &other.id, None);
    let answer = stage.stranger().post("/token", &foreign).basic(&app.id, app.known_secret()).await;
    expect::refused(&answer, "invalid_client", "client_names_differ");
    let own = with_client(app.redemption(&code), &app.id, None);
    Tokens::of(&stage.stranger().post("/token", &own).basic(&app.id, app.known_secret()).await);
}

/// RFC 6749 §3.2.1: a public client MUST send its client_id.
#[actix_web::test]
async fn a_request_of_nobody_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let answer = stage.stranger().post("/token", &app.redemption(&app.code().await)).await;
    expect::refused(&answer, "invalid_client", "client_not_named");
}

/// RFC 7617 §2: credentials that cannot be read are refused as such.
#[actix_web::test]
async fn unreadable_basic_credentials_are_refused() {
    let stage = Stage::rise().await;
    for value in ["Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Basic /////w=="] {
        let answer = refresh_with_header(&stage, value).await;
        expect::refused(&answer, "invalid_client", "basic_malformed");
    }
}

/// RFC 6749 §5.2: a client may use only the grants it registered: unauthorized_client.
#[actix_web::test]
async fn a_client_uses_only_the_grants_it_registered() {
    let stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["grant_types"] = json!(["authorization_code"]);
    let app = stage.public_app_from(&metadata).await;
    let other = stage.public_app().await.tokens().await;
    let answer = app.refresh(&other.refresh).await;
    expect::refused(&answer, "unauthorized_client", "grant_type_not_registered");
    assert!(app.redeem(&app.code().await).await.json().get("refresh_token").is_none(), "a refresh token that cannot be used");
}

/// RFC 6749 §2.3.1: the secret is compared as a whole.
#[actix_web::test]
async fn a_part_of_the_secret_is_not_the_secret() {
    let stage = Stage::rise().await;
    let app = stage.confidential_app("client_secret_post").await;
    let secret = app.known_secret();
    for wrong in [&secret[..secret.len() - 1], &format!("{secret}x"), &secret.to_uppercase(), &format!(" {secret}")] {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", &app.id), ("client_secret", wrong)];
        expect::refused(&stage.stranger().post("/token", &pairs).await, "invalid_client", "secret_mismatch");
    }
}

async fn refresh_with_header(stage: &Stage, authorization: &str) -> Answer {
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let body = wire::form_text(&pairs);
    let request = stage.stranger().request("POST", "/token").header("authorization", authorization);
    request.content("application/x-www-form-urlencoded", body).await
}

fn with_client(mut pairs: Vec<(String, String)>, id: &str, secret: Option<&str>) -> Vec<(String, String)> {
    pairs.push(("client_id".into(), id.into()));
    pairs.extend(secret.map(|secret| ("client_secret".to_owned(), secret.to_owned())));
    pairs
}
