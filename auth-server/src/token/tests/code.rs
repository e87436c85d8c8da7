//! The code grant, and who may ask for tokens.

use actix_web::http::header;
use futures_util::future::join_all;

use super::house::*;
use crate::{
    client::{GrantType, tests::row},
    store::ClientRow,
};

/// RFC 6749 §5.1, RFC 9068 §2.2; spec-and-clients 3.4, items 58 and 68.
#[actix_web::test]
async fn a_code_becomes_an_access_token_for_its_resource_and_a_refresh_token() {
    let house = House::open().await;
    let (grant, code) = house.approve("app");
    let answer = house.redeem("app", &code).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers.get(header::CACHE_CONTROL).unwrap(), "no-store");
    assert_eq!(answer.headers.get(header::CONTENT_TYPE).unwrap(), "application/json");
    let body = answer.json();
    assert_eq!(
        (body["token_type"].as_str(), body["expires_in"].as_i64(), body["scope"].as_str()),
        (Some("Bearer"), Some(600), Some("mcp:read mcp:write"))
    );
    let claims = claims(&answer.text("access_token"));
    for (name, wanted) in
        [("iss", "http://127.0.0.1:8080"), ("aud", RESOURCE), ("sub", "alice"), ("client_id", "app"), ("scope", "mcp:read mcp:write")]
    {
        assert_eq!(claims[name], wanted, "{name}");
    }
    assert_eq!((claims["iat"].as_i64(), claims["exp"].as_i64()), (Some(NOW.0), Some(NOW.0 + 600)));
    assert_eq!(claims["grant_id"], grant.to_string());
}

/// RFC 6749 §4.1.2; attack 16: of parallel redemptions exactly one wins, and the others do not look like an outage.
#[actix_web::test]
async fn of_thirty_two_parallel_redemptions_one_wins() {
    let house = House::open().await;
    let (_, code) = house.approve("app");
    let answers = join_all((0..32).map(|_| house.redeem("app", &code))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.refusal() == (400, "invalid_grant".to_owned())));
}

/// OAuth 2.1 §4.1.3; attack 16: the tokens of the first use are revoked.
#[actix_web::test]
async fn a_replayed_code_ends_what_was_made_from_it() {
    let house = House::open().await;
    let (_, code) = house.approve("app");
    let first = house.redeem("app", &code).await;
    assert!(house.is_active(&first.text("access_token")).await);
    assert_eq!(house.redeem("app", &code).await.refusal(), (400, "invalid_grant".to_owned()));
    assert!(!house.is_active(&first.text("access_token")).await);
    assert_eq!(house.refresh("app", &first.text("refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));
}

/// Attack 16: without the proof nothing is burnt.
#[actix_web::test]
async fn a_stranger_cannot_burn_a_code() {
    let house = House::open().await;
    let (_, code) = house.approve("app");
    assert_eq!(house.redeem("other", &code).await.refusal(), (400, "invalid_grant".to_owned()));
    let wrong = [("grant_type", "authorization_code"), ("client_id", "app"), ("code", code.expose()), ("code_verifier", &"x".repeat(43))];
    assert_eq!(house.post("/token", None, &wrong).await.refusal(), (400, "invalid_grant".to_owned()));
    assert_eq!(house.redeem("app", &code).await.status, 200);
}

/// RFC 6749 §5.2; attack 40.
#[actix_web::test]
async fn a_client_uses_only_the_grants_it_registered() {
    let house = House::open().await;
    house.register(ClientRow { grant_types: vec![GrantType::AuthorizationCode.as_str().to_owned()], ..row("once") }).await;
    let first = house.connected("once").await;
    assert_eq!(first.json().get("refresh_token"), None);
    assert_eq!(house.refresh("once", "prt_x").await.refusal(), (400, "unauthorized_client".to_owned()));
    let unknown = house.post("/token", None, &[("grant_type", "password"), ("client_id", "app")]).await;
    assert_eq!(unknown.refusal(), (400, "unsupported_grant_type".to_owned()));
}

/// RFC 6749 §5.2; attack 39.
#[actix_web::test]
async fn a_client_that_proves_nothing_is_answered_in_the_way_it_came() {
    let house = House::open().await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", "prt_x")];
    let by_header = house.post("/token", Some(("keeper", "wrong")), &form).await;
    assert_eq!(by_header.refusal(), (401, "invalid_client".to_owned()));
    assert!(by_header.headers.get(header::WWW_AUTHENTICATE).unwrap().to_str().unwrap().starts_with("Basic"));
    let by_body = house.post("/token", None, &[&form[..], &[("client_id", "keeper"), ("client_secret", "wrong")]].concat()).await;
    assert_eq!(by_body.refusal(), (401, "invalid_client".to_owned()));
    assert_eq!(by_body.headers.get(header::WWW_AUTHENTICATE), None);
    let twice = house.post("/token", Some(("keeper", SECRET)), &[&form[..], &[("client_secret", SECRET)]].concat()).await;
    assert_eq!(twice.refusal(), (400, "invalid_request".to_owned()));
    let nobody = house.post("/token", None, &[&form[..], &[("client_id", "nobody")]].concat()).await;
    assert_eq!(nobody.refusal(), (401, "invalid_client".to_owned()));
}
