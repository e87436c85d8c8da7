//! What a resource and a client learn about a token, and how one is given back.

use actix_web::{http::header, test::TestRequest};
use oauth_types::Ttl;

use super::house::*;
use crate::token::fixtures::VERIFIER;

/// RFC 7662 §2.2; attack 42.
#[actix_web::test]
async fn a_resource_learns_about_its_own_tokens_only() {
    let house = House::open().await;
    let tokens = house.connected("app").await;
    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    let mine = house.introspect("rs", &access).await;
    assert_eq!((mine["active"].as_bool(), mine["client_id"].as_str(), mine["aud"].as_str()), (Some(true), Some("app"), Some(RESOURCE)));
    let inactive = serde_json::json!({"active": false});
    assert_eq!(house.introspect("rs-other", &access).await, inactive);
    assert_eq!(house.introspect("rs", &refresh).await, inactive);
    assert_eq!(house.introspect("rs", "garbage").await, inactive);
    house.clock.advance(Ttl(600));
    assert_eq!(house.introspect("rs", &access).await, inactive);
}

/// RFC 7662 §2.1; attack 42: without credentials 401, with the token in a URL 405.
#[actix_web::test]
async fn nobody_introspects_without_a_proof() {
    let house = House::open().await;
    let access = house.connected("app").await.text("access_token");
    assert_eq!(house.post("/introspect", None, &[("token", &access)]).await.refusal(), (401, "invalid_client".to_owned()));
    assert_eq!(house.post("/introspect", None, &[("token", &access), ("client_id", "app")]).await.status, 401);
    assert_eq!(house.post("/introspect", Some(("rs", "wrong")), &[("token", &access)]).await.status, 401);
    let by_url =
        TestRequest::get().uri(&format!("/introspect?token={access}")).insert_header((header::AUTHORIZATION, authorization("rs", SECRET)));
    assert_eq!(house.send(by_url).await.status, 405);
}

#[actix_web::test]
async fn a_confidential_client_may_ask_about_its_own_tokens() {
    let house = House::open().await;
    let (_, code) = house.approve("keeper");
    let form = [("grant_type", "authorization_code"), ("code", code.expose()), ("code_verifier", VERIFIER)];
    let tokens = house.post("/token", Some(("keeper", SECRET)), &form).await;
    assert_eq!(tokens.status, 200, "{}", tokens.json());
    assert_eq!(house.introspect("keeper", &tokens.text("access_token")).await["active"], true);
    assert_eq!(house.introspect("keeper", &tokens.text("refresh_token")).await["active"], true);
    let foreign = house.connected("app").await;
    assert_eq!(house.introspect("keeper", &foreign.text("access_token")).await["active"], false);
    assert_eq!(house.introspect("keeper", &foreign.text("refresh_token")).await["active"], false);
}

/// RFC 7009 §2.1, §2.2; attack 43.
#[actix_web::test]
async fn a_client_gives_back_what_is_its_own_and_nothing_else() {
    let house = House::open().await;
    let (kept, given) = (house.connected("app").await, house.connected("app").await);
    for token in [kept.text("access_token"), kept.text("refresh_token"), "unknown".to_owned()] {
        assert_eq!(house.post("/revoke", None, &[("token", &token), ("client_id", "other")]).await.status, 200);
    }
    assert!(house.is_active(&kept.text("access_token")).await);
    // An access token alone, then the whole grant.
    assert_eq!(house.post("/revoke", None, &[("token", &kept.text("access_token")), ("client_id", "app")]).await.status, 200);
    assert!(!house.is_active(&kept.text("access_token")).await);
    assert_eq!(house.refresh("app", &kept.text("refresh_token")).await.status, 200);
    assert_eq!(house.post("/revoke", None, &[("token", &given.text("refresh_token")), ("client_id", "app")]).await.status, 200);
    assert!(!house.is_active(&given.text("access_token")).await);
    assert_eq!(house.refresh("app", &given.text("refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));
    assert_eq!(house.post("/revoke", Some(("keeper", "wrong")), &[("token", "x")]).await.status, 401);
}

/// architecture.md 11a.3.
#[actix_web::test]
async fn a_guard_follows_what_ended() {
    let house = House::open().await;
    let follow = |uri: &'static str, who: Option<(&'static str, &'static str)>| {
        let request = TestRequest::get().uri(uri);
        let request = match who {
            Some((id, secret)) => request.insert_header((header::AUTHORIZATION, authorization(id, secret))),
            None => request,
        };
        house.send(request)
    };
    let rs = Some(("rs", SECRET));
    assert_eq!(follow("/ended?after=0", None).await.status, 401);
    assert_eq!(follow("/ended?after=0", Some(("keeper", SECRET))).await.refusal(), (400, "unauthorized_client".to_owned()));
    assert_eq!(follow("/ended?after=x", rs).await.status, 400);
    let before = follow("/ended?after=0", rs).await;
    assert_eq!((before.status, before.body.len(), before.headers.get("x-ended-head").unwrap().to_str().unwrap()), (200, 0, "0"));
    let tokens = house.connected("app").await;
    house.post("/revoke", None, &[("token", &tokens.text("refresh_token")), ("client_id", "app")]).await;
    let after = follow("/ended?after=0", rs).await;
    assert_eq!(after.headers.get("x-ended-head").unwrap(), "1");
    let lines: Vec<&[u8]> = after.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let entry: oauth_types::EndedEntry = serde_json::from_slice(lines[0]).unwrap();
    assert_eq!((lines.len(), entry.number), (1, 1));
    assert_eq!(
        entry.hash,
        oauth_types::EndedHash::of(oauth_types::EndedKind::Grant, claims(&tokens.text("access_token"))["grant_id"].as_str().unwrap())
    );
    assert_eq!(follow("/ended?after=1", rs).await.body.len(), 0);
}
