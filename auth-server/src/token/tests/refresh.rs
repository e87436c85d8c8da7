//! Refresh tokens from rotation to end.

use futures_util::future::join_all;

use super::house::*;

/// Decision 4; attack 35: 32 refreshes at once inside the overlap all end with working tokens of one family.
#[actix_web::test]
async fn thirty_two_parallel_refreshes_end_with_one_family_that_works() {
    let house = House::open().await;
    let token = house.connected("app").await.text("refresh_token");
    let answers = join_all((0..32).map(|_| house.refresh("app", &token))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let next = answers[0].text("refresh_token");
    assert_ne!(next, token);
    assert!(answers.iter().all(|answer| answer.text("refresh_token") == next));
    for answer in &answers {
        assert!(house.is_active(&answer.text("access_token")).await);
    }
    assert_eq!(house.refresh("app", &next).await.status, 200);
}

/// OAuth 2.1 §4.3.1; attack 35: the old token after the overlap ends the family, and the access tokens with it.
#[actix_web::test]
async fn an_old_refresh_token_ends_everything_when_its_client_presents_it() {
    let house = House::open().await;
    let first = house.connected("app").await;
    let second = house.refresh("app", &first.text("refresh_token")).await;
    house.clock.advance(house.app.config.refresh.overlap);
    // A thief who is another client changes nothing.
    assert_eq!(house.refresh("other", &first.text("refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));
    assert!(house.is_active(&second.text("access_token")).await);
    assert_eq!(house.refresh("app", &first.text("refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));
    assert!(!house.is_active(&second.text("access_token")).await);
    assert_eq!(house.refresh("app", &second.text("refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));
}

/// RFC 6749 §6; attack 37.
#[actix_web::test]
async fn a_refresh_may_ask_for_less_and_keeps_the_rest_for_later() {
    let house = House::open().await;
    let token = house.connected("app").await.text("refresh_token");
    let with = |token: String, scope: &'static str| {
        let house = &house;
        async move {
            house
                .post("/token", None, &[("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", &token), ("scope", scope)])
                .await
        }
    };
    assert_eq!(with(token.clone(), "mcp:read mcp:admin").await.refusal(), (400, "invalid_scope".to_owned()));
    let narrow = with(token, "mcp:read offline_access").await;
    assert_eq!((narrow.text("scope"), claims(&narrow.text("access_token"))["scope"].clone()), ("mcp:read".to_owned(), "mcp:read".into()));
    assert_eq!(house.refresh("app", &narrow.text("refresh_token")).await.text("scope"), "mcp:read mcp:write");
}

/// Decision 8, attack 58: a disabled person's next refresh is refused, and their access tokens with it.
#[actix_web::test]
async fn nothing_works_for_a_person_who_was_disabled() {
    let house = House::open().await;
    let tokens = house.connected("app").await;
    house.app.store.disable_account("alice").await.unwrap();
    assert!(!house.is_active(&tokens.text("access_token")).await);
    assert_eq!(house.refresh("app", &tokens.text("refresh_token")).await.refusal(), (400, "invalid_grant".to_owned()));
}
