//! Signing in with an account kept here: whose answer counts, for how long, and how often one may try.

use oauth_types::Ttl;

use super::house::{ALLOW, Browser, House, KNOWN, PASSWORD, SIGN_IN, STRANGER, request};

/// Attack 4: an "allow" meant for one account is not taken for another that signed in meanwhile.
#[actix_web::test]
async fn a_page_that_named_alice_does_not_answer_for_bob() {
    let house = House::open().await;
    let mut browser = Browser::default();
    house.answer(&mut browser, &request(STRANGER, &[]), &SIGN_IN).await;
    let asked = house.ask(&mut browser, &request(STRANGER, &[])).await;
    let alices = house.get(&mut browser, &asked.location).await;
    assert!(alices.body.contains("<bdi>alice</bdi>"));
    let other = house.ask(&mut browser, &request(KNOWN, &[])).await;
    let login = other.location.replace("/consent/", "/login/");
    let sign_in = house.get(&mut browser, &login).await;
    assert!(sign_in.body.contains("type=\"password\""), "GET /login offers to be somebody else");
    let as_bob = [("decision", "allow"), ("username", "bob"), ("password", PASSWORD)];
    assert!(house.press(&mut browser, &other.location, &sign_in, &as_bob).await.parameter("code").is_some());
    let stale = house.press(&mut browser, &asked.location, &alices, &ALLOW).await;
    assert_eq!((stale.status, stale.location.as_str()), (403, ""), "{stale:?}");
    let bobs = house.get(&mut browser, &asked.location).await;
    assert!(bobs.body.contains("<bdi>bob</bdi>"));
    assert!(house.press(&mut browser, &asked.location, &bobs, &ALLOW).await.parameter("code").is_some());
}

/// Attack 5: a sign-in makes a new session and ends the one before.
#[actix_web::test]
async fn the_session_changes_at_every_sign_in() {
    let house = House::open().await;
    let mut browser = Browser::default();
    house.answer(&mut browser, &request(KNOWN, &[]), &SIGN_IN).await;
    let mut before = browser.clone();
    let again = house.answer(&mut browser, &request(KNOWN, &[("prompt", "login")]), &SIGN_IN).await;
    assert!(again.cookies.iter().any(|cookie| cookie.starts_with("portico_session_")), "{:?}", again.cookies);
    assert!(house.ask(&mut before, &request(KNOWN, &[])).await.is_question(), "the old session still opens doors");
    assert!(house.ask(&mut browser, &request(KNOWN, &[])).await.parameter("code").is_some());
}

/// OpenID Connect Core §3.1.2.1: `max_age` asks for the password when the sign-in is older.
#[actix_web::test]
async fn max_age_asks_again_when_the_sign_in_is_too_old() {
    let house = House::open().await;
    let mut browser = Browser::default();
    house.answer(&mut browser, &request(KNOWN, &[]), &SIGN_IN).await;
    house.clock.advance(Ttl::minutes(5));
    assert!(house.ask(&mut browser, &request(KNOWN, &[("max_age", "300")])).await.parameter("code").is_some());
    let asked = house.ask(&mut browser, &request(KNOWN, &[("max_age", "299")])).await;
    let page = house.get(&mut browser, &asked.location).await;
    assert!(page.body.contains("type=\"password\""));
    assert!(house.press(&mut browser, &asked.location, &page, &SIGN_IN).await.parameter("code").is_some());
}

/// Attack 55: a wrong password and a name that does not exist are told in the same words, and end the same way.
#[actix_web::test]
async fn a_wrong_password_and_an_unknown_name_look_alike() {
    let house = House::open().await;
    let mut told = Vec::new();
    for name in ["alice", "nobody", "not a name"] {
        let mut browser = Browser::default();
        let form = [("decision", "allow"), ("username", name), ("password", "wrong")];
        let answer = house.answer(&mut browser, &request(STRANGER, &[]), &form).await;
        assert_eq!(answer.status, 403);
        let token = answer.token().to_owned();
        let flow = answer.body.split("action=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        told.push(answer.body.replace(&token, "T").replace(&flow, "F").replace(&format!("value=\"{name}\""), "N"));
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    assert!(!told[0].contains("wrong\""), "the password is not in the page");
}

/// Decision 44: ten wrong passwords on one page end the flow, and the account waits.
#[actix_web::test]
async fn wrong_passwords_have_an_end() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let asked = house.ask(&mut browser, &request(STRANGER, &[])).await;
    let mut page = house.get(&mut browser, &asked.location).await;
    for attempt in 0..9 {
        // Names differ, so that the account's limit is not what ends it.
        let name = format!("nobody{attempt}");
        page = house.press(&mut browser, &asked.location, &page, &[("decision", "allow"), ("username", &name), ("password", "x")]).await;
        assert_eq!(page.status, 403, "attempt {attempt}");
    }
    let last =
        house.press(&mut browser, &asked.location, &page, &[("decision", "allow"), ("username", "one-more"), ("password", "x")]).await;
    assert_eq!((last.status, last.parameter("error").as_deref()), (303, Some("access_denied")), "{last:?}");
}
