//! RFC 7592: a client reads, replaces and ends its own registration.

use portico_tests::expect;
use portico_tests::people::App;
use portico_tests::stage::{CALLBACK, ISSUER, Stage};
use portico_tests::wire::Answer;
use serde_json::{Value, json};

/// RFC 7592 §3: the registration answer carries the address and the token of the configuration endpoint.
#[actix_web::test]
async fn a_client_learns_where_to_manage_itself() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    assert_eq!(app.registration["registration_client_uri"], format!("{ISSUER}/register/{}", app.id));
    assert!(app.registration["registration_access_token"].as_str().is_some_and(|token| token.len() >= 43));
}

/// RFC 7592 §2.1: GET gives the current registration, 200, not to be stored.
#[actix_web::test]
async fn a_client_reads_its_registration() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let answer = app.manage("GET").await;
    let body = expect::ok(&answer);
    expect::no_store(&answer);
    for member in ["client_id", "redirect_uris", "client_name", "grant_types", "token_endpoint_auth_method", "registration_client_uri"] {
        assert_eq!(body[member], app.registration[member], "{member}");
    }
}

/// RFC 7592 §2.2: PUT replaces the registration; what is left out is gone.
#[actix_web::test]
async fn a_client_replaces_its_registration() {
    let stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["client_uri"] = "https://app.example/".into();
    let app = stage.public_app_from(&metadata).await;
    let replacement = json!({
        "client_id": app.id, "redirect_uris": ["https://app.example/new"], "client_name": "Renamed", "token_endpoint_auth_method": "none",
    });
    let body = expect::ok(&app.manage("PUT").json(&replacement).await);
    assert_eq!((&body["client_name"], &body["redirect_uris"]), (&json!("Renamed"), &json!(["https://app.example/new"])));
    assert!(body.get("client_uri").is_none(), "PUT is a full replacement");
    let old = app.journey().with("redirect_uri", CALLBACK).asks().await;
    expect::page(&old, 400, "redirect_not_registered");
    let code = app.journey().with("redirect_uri", "https://app.example/new").until_code().await;
    expect::ok(&app.redeem(&code).await);
}

/// RFC 7592 §2.2: the client_id in the body MUST match.
#[actix_web::test]
async fn a_client_cannot_rename_itself_into_another() {
    let stage = Stage::rise().await;
    let (app, victim) = (stage.public_app().await, stage.public_app().await);
    for id in [Some(victim.id.as_str()), Some("invented"), None] {
        let mut replacement = Stage::usual_registration();
        if let Some(id) = id {
            replacement["client_id"] = id.into();
        }
        let answer = app.manage("PUT").json(&replacement).await;
        expect::refused(&answer, "invalid_client_metadata", "client_id_mismatch");
    }
}

/// RFC 7592 §2.2: the request MUST NOT include the members that only the server writes.
#[actix_web::test]
async fn a_client_cannot_write_the_servers_members() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for (member, value) in [
        ("registration_access_token", json!("mine")),
        ("registration_client_uri", json!("https://evil.example/")),
        ("client_secret_expires_at", json!(0)),
        ("client_id_issued_at", json!(1)),
    ] {
        let mut replacement = replacement_of(&app);
        replacement[member] = value;
        expect::refused(&app.manage("PUT").json(&replacement).await, "invalid_client_metadata", "member_forbidden");
    }
    let answer = app.manage("PUT").json(&replacement_of(&app)).await;
    expect::ok(&answer);
}

/// RFC 7592 §2.2: a client cannot set its own secret.
#[actix_web::test]
async fn a_client_cannot_choose_a_secret_later() {
    let stage = Stage::rise().await;
    let app = stage.confidential_app("client_secret_post").await;
    let mut replacement = replacement_of(&app);
    replacement["token_endpoint_auth_method"] = "client_secret_post".into();
    replacement["client_secret"] = "a-secret-of-my-own-choice-that-is-long-enough".into();
    let answer = app.manage("PUT").json(&replacement).await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_client_metadata")), "{}", expect::told(&answer));
    replacement["client_secret"] = app.known_secret().into();
    expect::ok(&app.manage("PUT").json(&replacement).await);
}

/// RFC 7592 §2.2: the rules of registration hold for replacements as well.
#[actix_web::test]
async fn a_replacement_is_judged_like_a_registration() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut replacement = replacement_of(&app);
    replacement["redirect_uris"] = json!(["javascript:alert(1)"]);
    expect::refused(&app.manage("PUT").json(&replacement).await, "invalid_redirect_uri", "redirect_scheme_forbidden");
    assert_eq!(expect::ok(&app.manage("GET").await)["redirect_uris"], json!([CALLBACK]));
}

/// RFC 7592 §2.1: a wrong token is 401, and nothing tells an unknown client from a known one.
#[actix_web::test]
async fn a_wrong_token_and_an_unknown_client_look_alike() {
    let stage = Stage::rise().await;
    let (app, other) = (stage.public_app().await, stage.public_app().await);
    let foreign = other.registration["registration_access_token"].as_str().unwrap();
    for method in ["GET", "PUT", "DELETE"] {
        let known = ask(&stage, method, &app.id, foreign, &replacement_of(&app)).await;
        let unknown = ask(&stage, method, "no-such-client", foreign, &replacement_of(&app)).await;
        assert_eq!((known.status, unknown.status), (401, 401), "{method}");
        assert_eq!(without_reference(&known), without_reference(&unknown), "{method}");
    }
    expect::ok(&app.manage("GET").await);
    expect::ok(&other.manage("GET").await);
}

/// RFC 7592 §2.3: DELETE answers 204 and the client is gone, with its token.
#[actix_web::test]
async fn a_client_ends_itself() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let answer = app.manage("DELETE").await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    for method in ["GET", "DELETE"] {
        assert_eq!(app.manage(method).await.status, 401, "{method}");
    }
    assert_eq!(app.manage("PUT").json(&replacement_of(&app)).await.status, 401);
}

/// RFC 7592 §2.3: the server SHOULD invalidate all grants and tokens of a deleted client.
#[actix_web::test]
async fn a_deleted_client_keeps_nothing() {
    let stage = Stage::rise().await;
    let (app, neighbour) = (stage.public_app().await, stage.public_app().await);
    let (tokens, code, others) = (app.tokens().await, app.code().await, neighbour.tokens().await);
    assert_eq!(app.manage("DELETE").await.status, 204);
    assert!(!stage.documents().accepts(&tokens.access).await);
    expect::refused(&app.refresh(&tokens.refresh).await, "invalid_client", "client_deleted");
    expect::refused(&app.redeem(&code).await, "invalid_client", "client_deleted");
    assert!(stage.documents().accepts(&others.access).await, "a neighbour is not touched");
}

/// RFC 7592 §2.3: a deleted client that starts again is told so to the person, without a redirect.
#[actix_web::test]
async fn a_deleted_client_gets_a_page_at_authorize() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    assert_eq!(app.manage("DELETE").await.status, 204);
    expect::page(&app.journey().asks().await, 400, "client_deleted");
}

/// RFC 7592 §2.2: a replacement does not end what was granted before, as long as the client is the same.
#[actix_web::test]
async fn a_replacement_keeps_the_grants() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    let answer = app.manage("PUT").json(&replacement_of(&app)).await;
    expect::ok(&answer);
    expect::ok(&app.refresh(&tokens.refresh).await);
}

/// RFC 7592 §3: if the answer carries a new registration token, the old one is over and the new one works.
#[actix_web::test]
async fn the_newest_registration_token_works() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let old = app.registration["registration_access_token"].as_str().unwrap().to_owned();
    let body = expect::ok(&app.manage("PUT").json(&replacement_of(&app)).await);
    let newest = body["registration_access_token"].as_str().unwrap_or(&old).to_owned();
    let path = format!("/register/{}", app.id);
    assert_eq!(stage.stranger().get(&path).bearer(&newest).await.status, 200);
    if newest != old {
        assert_eq!(stage.stranger().get(&path).bearer(&old).await.status, 401);
    }
}

fn replacement_of(app: &App) -> Value {
    let mut replacement = Stage::usual_registration();
    replacement["client_id"] = app.id.as_str().into();
    replacement
}

async fn ask(stage: &Stage, method: &str, id: &str, token: &str, body: &Value) -> Answer {
    let request = stage.stranger().request(method, &format!("/register/{id}")).bearer(token);
    if method == "PUT" { request.json(body).await } else { request.await }
}

fn without_reference(answer: &Answer) -> String {
    answer.text().replace(answer.reference(), "")
}
