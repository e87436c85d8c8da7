//! What is asked of whom, what is remembered, and where the page leads.

use oauth_types::Ttl;

use super::house::{ALLOW, Browser, HERE, House, KNOWN, SIGN_IN, STRANGER, request};
use crate::{code, store::AuditFilter};

/// RFC 6749 §3.3: what is granted is what there is of what was asked.
#[actix_web::test]
async fn the_page_shows_what_will_be_granted() {
    let house = House::open().await;
    let shown = async |scope: &str| {
        let mut browser = Browser::default();
        let asked = house.ask(&mut browser, &request(STRANGER, &[("scope", scope)])).await;
        let page = house.get(&mut browser, &asked.location).await.body;
        ["class=\"read\"", "class=\"write\"", "class=\"keep\""].map(|kind| page.contains(kind))
    };
    assert_eq!(shown("").await, [true, false, false]);
    assert_eq!(shown("openid email").await, [true, false, false]);
    assert_eq!(shown("mcp:write unheard-of offline_access").await, [false, true, true]);
}

/// Decision 3, attacks 1 and 3: an approval is remembered for the same person, client, address, resource and scope, and no further.
#[actix_web::test]
async fn an_approval_is_remembered_and_does_not_stretch() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let first = house.answer(&mut browser, &request(KNOWN, &[]), &SIGN_IN).await;
    assert!(first.parameter("code").is_some(), "{first:?}");
    let again = house.ask(&mut browser, &request(KNOWN, &[])).await;
    assert!(again.parameter("code").is_some() && again.parameter("code") != first.parameter("code"), "{again:?}");
    for more in [
        vec![("scope", "mcp:read mcp:write")],
        vec![("resource", "http://127.0.0.1:8080/other")],
        vec![("prompt", "consent")],
        vec![("prompt", "login")],
    ] {
        assert!(house.ask(&mut browser, &request(KNOWN, &more)).await.is_question(), "{more:?}");
    }
    let never = house.ask(&mut browser, &request(KNOWN, &[("scope", "mcp:write"), ("prompt", "none")])).await;
    assert_eq!(never.parameter("error").as_deref(), Some("consent_required"));
    assert!(house.ask(&mut Browser::default(), &request(KNOWN, &[])).await.is_question(), "another browser is not signed in");
    house.clock.advance(Ttl::hours(12));
    assert!(house.ask(&mut browser, &request(KNOWN, &[])).await.is_question(), "the session has ended");
}

/// Decision 137: a yes on a page is written down when it is given; what is approved from memory leaves nothing before its code is redeemed.
#[actix_web::test]
async fn a_yes_on_a_page_is_in_the_audit_and_a_silent_one_is_not_yet() {
    let house = House::open().await;
    let mut browser = Browser::default();
    let asked = house.answer(&mut browser, &request(KNOWN, &[]), &SIGN_IN).await;
    let silent = house.ask(&mut browser, &request(KNOWN, &[])).await;
    let [asked, silent] = [asked, silent].map(|answer| {
        let code = answer.parameter("code").expect("both end with a code");
        code::open(house.app.keys.sealing(), &code).unwrap()
    });
    let filter = AuditFilter { event: Some("consent.given".to_owned()), ..AuditFilter::default() };
    let events = house.app.store.audit_events(&filter, None, 10).await.unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    let told = (events[0].subject.as_deref(), events[0].client_id.as_deref(), events[0].grant_id.as_deref());
    assert_eq!(told, (Some(asked.subject.as_str()), Some(KNOWN), Some(&*asked.grant_id.text())));
    assert!(events[0].detail.as_deref().is_some_and(|detail| detail.contains("mcp:read")), "{events:?}");
    for approval in [asked, silent] {
        assert_eq!(house.app.store.grant(&approval.grant_id).await.unwrap(), None, "no code was redeemed");
    }
}

/// Attacks 3 and 27: an address that any program can claim, or that nobody vouches for, is never approved in silence.
#[actix_web::test]
async fn loopback_private_use_and_unverified_addresses_are_asked_about_every_time() {
    let house = House::open().await;
    let local = [("client_id", "local"), ("redirect_uri", "http://localhost:4711/callback")];
    let cursor = [("client_id", "local"), ("redirect_uri", "cursor://anysphere.cursor-mcp/oauth/callback")];
    for more in [&[][..], &local[..], &cursor[..]] {
        let mut browser = Browser::default();
        assert!(house.answer(&mut browser, &request(STRANGER, more), &SIGN_IN).await.parameter("code").is_some(), "{more:?}");
        assert!(house.answer(&mut browser, &request(STRANGER, more), &ALLOW).await.parameter("code").is_some(), "{more:?}");
        assert!(house.ask(&mut browser, &request(STRANGER, more)).await.is_question(), "{more:?}");
    }
}

/// CSP3 §6.4.2 as Chromium reads it: the policy names the address that the form ends at.
#[actix_web::test]
async fn the_policy_of_the_page_names_where_its_form_ends() {
    let house = House::open().await;
    for (uri, source) in
        [("http://localhost:4711/callback", "http://localhost:4711"), ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor:")]
    {
        let mut browser = Browser::default();
        let asked = house.ask(&mut browser, &request(STRANGER, &[("client_id", "local"), ("redirect_uri", uri)])).await;
        let page = house.get(&mut browser, &asked.location).await;
        assert!(page.csp.ends_with(&format!("form-action 'self' {source}")), "{}", page.csp);
        assert!(page.csp.contains("frame-ancestors 'none'") && !page.csp.contains("unsafe"), "{}", page.csp);
    }
}

/// RFC 6749 §4.1.2.1: no is an answer too, and needs no password.
#[actix_web::test]
async fn denying_tells_the_client_and_needs_no_sign_in() {
    let house = House::open().await;
    let answer = house.answer(&mut Browser::default(), &request(STRANGER, &[]), &[("decision", "deny")]).await;
    assert_eq!((answer.status, answer.parameter("error").as_deref()), (303, Some("access_denied")));
    assert_eq!(answer.parameter("iss").as_deref(), Some(HERE));
}
