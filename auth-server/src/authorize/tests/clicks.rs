//! What two clicks, two tabs and many flows do to one another.

use futures_util::future::join;

use super::house::{Browser, House, KNOWN, SIGN_IN, STRANGER, request};

/// Decision 42: of two clicks at once both end at the same code.
#[actix_web::test]
async fn two_clicks_at_once_end_at_the_same_code() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let asked = house.ask(&mut browser, &request(STRANGER, &[])).await;
    let page = house.get(&mut browser, &asked.location).await;
    let (mut one, mut two) = (browser.clone(), browser.clone());
    let (first, second) =
        join(house.press(&mut one, &asked.location, &page, &SIGN_IN), house.press(&mut two, &asked.location, &page, &SIGN_IN)).await;
    assert!(first.parameter("code").is_some(), "{first:?}");
    assert_eq!(first.parameter("code"), second.parameter("code"), "{second:?}");
    let late = house.press(&mut browser, &asked.location, &page, &SIGN_IN).await;
    assert_eq!(late.parameter("code"), first.parameter("code"));
    let back = house.get(&mut browser, &asked.location).await;
    assert!(back.status == 200 && back.body.contains("already answered"), "{back:?}");
}

/// Checklist 50: three flows of one browser, signed in on the first, answered in another order.
#[actix_web::test]
async fn three_flows_of_one_browser_do_not_disturb_one_another() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let mut tabs = Vec::new();
    for client in [STRANGER, KNOWN, STRANGER] {
        let asked = house.ask(&mut browser, &request(client, &[])).await;
        let page = house.get(&mut browser, &asked.location).await;
        tabs.push((asked.location, page));
    }
    for at in [1, 2, 0] {
        let (path, page) = &tabs[at];
        // Each page was drawn for a stranger, so each brings its own sign-in.
        assert!(house.press(&mut browser, path, page, &SIGN_IN).await.parameter("code").is_some(), "tab {at}");
    }
}

/// Lesson 28: cookies do not grow with flows, and one browser cannot begin flows without end.
#[actix_web::test]
async fn a_browser_has_one_flow_cookie_and_a_bounded_number_of_flows() {
    let house = House::open().await;
    let mut browser = Browser::default();
    for _ in 0..30 {
        assert!(house.ask(&mut browser, &request(STRANGER, &[])).await.is_question());
    }
    assert_eq!(browser.jar.len(), 1);
    assert_eq!(house.ask(&mut browser, &request(STRANGER, &[])).await.status, 429);
    assert!(house.ask(&mut Browser::default(), &request(STRANGER, &[])).await.is_question(), "another browser is not concerned");
}

/// RFC 6749 §10.12: a click that is slow to arrive finds the answer, and makes no second grant.
#[actix_web::test]
async fn a_late_click_among_many_makes_no_second_code() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let asked = house.ask(&mut browser, &request(STRANGER, &[])).await;
    let page = house.get(&mut browser, &asked.location).await;
    let clicks = (0..12).map(|_| {
        let mut browser = browser.clone();
        let (house, asked, page) = (&house, &asked, &page);
        async move { house.press(&mut browser, &asked.location, page, &SIGN_IN).await.parameter("code") }
    });
    let codes = futures_util::future::join_all(clicks).await;
    assert!(codes.iter().all(|code| code.is_some() && *code == codes[0]), "{codes:?}");
}

/// A wrong password in one tab does not bring back a flow that another tab has answered.
#[actix_web::test]
async fn a_wrong_password_does_not_revive_an_answered_flow() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let asked = house.ask(&mut browser, &request(STRANGER, &[])).await;
    let page = house.get(&mut browser, &asked.location).await;
    let wrong = [("decision", "allow"), ("username", "alice"), ("password", "wrong")];
    let mut other = browser.clone();
    let (right, _) =
        join(house.press(&mut browser, &asked.location, &page, &SIGN_IN), house.press(&mut other, &asked.location, &page, &wrong)).await;
    let again = house.press(&mut browser, &asked.location, &page, &SIGN_IN).await;
    assert!(right.parameter("code").is_some() && again.parameter("code") == right.parameter("code"), "{again:?}");
}
