//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.6), and signing out there.

use serde_json::{Value, json};

use super::*;
use crate::upstream::LogoutNotice;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

async fn read(scene: &Scene, sid: Option<&str>, sub: Option<&str>) -> Result<LogoutNotice, UpstreamError> {
    scene.provider().read_logout_notice(&scene.idp.logout_token(sid, sub)).await
}

async fn with_claim(name: &'static str, value: Value) -> Result<LogoutNotice, UpstreamError> {
    let scene = Scene::keycloak().await;
    scene.idp.twists("logout_token", move |claims| match value.clone() {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    });
    read(&scene, Some("session-1"), Some("somebody")).await
}

/// §2.4: who is signed out, and what must be remembered against a replay.
#[actix_web::test]
async fn a_notice_names_session_and_person() {
    let scene = Scene::keycloak().await;
    let notice = read(&scene, Some("session-1"), Some("somebody")).await.unwrap();
    assert_eq!((notice.sid.as_deref(), notice.subject.as_deref()), (Some("session-1"), Some("somebody")));
    assert_eq!((notice.issued_at, notice.jti.starts_with("logout-")), (BEGINNING, true));
    assert!(notice.expires_at.0 >= BEGINNING.0 + 120);
    assert_eq!(read(&scene, Some("session-1"), None).await.unwrap().subject, None);
    assert_eq!(read(&scene, None, Some("somebody")).await.unwrap().sid, None);
    let again = read(&scene, Some("session-1"), None).await.unwrap();
    assert_ne!(again.jti, notice.jti, "each has a name of its own; that one comes once is the store's to see");
}

/// §2.6 (5): sub, sid or both.
#[actix_web::test]
async fn a_notice_about_nobody_is_refused() {
    let scene = Scene::keycloak().await;
    assert_eq!(reason(read(&scene, None, None).await), "upstream_logout_of_nobody");
    assert_eq!(reason(read(&scene, Some(""), None).await), "upstream_logout_of_nobody");
    assert_eq!(reason(read(&scene, Some(&"x".repeat(300)), None).await), "upstream_logout_of_nobody");
    assert_eq!(reason(read(&scene, None, Some(&"x".repeat(300))).await), "upstream_subject_malformed");
}

/// §2.6 (6): the event, and nothing in its place.
#[actix_web::test]
async fn a_notice_without_the_event_is_refused() {
    for events in [Value::Null, json!({}), json!({ "http://schemas.openid.net/event/other": {} }), json!({ EVENT: "yes" })] {
        assert_eq!(reason(with_claim("events", events).await), "upstream_logout_event_missing");
    }
    assert_eq!(reason(with_claim("events", json!([EVENT])).await), "upstream_id_token_malformed");
}

/// §2.6 (7): a nonce makes it an ID token.
#[actix_web::test]
async fn a_notice_with_a_nonce_is_refused() {
    assert_eq!(reason(with_claim("nonce", json!("n")).await), "upstream_logout_with_nonce");
}

/// §2.6 (3) to (5): issuer and audience as for an ID token.
#[actix_web::test]
async fn a_notice_for_somebody_else_or_of_somebody_else_is_refused() {
    for audience in [json!("other"), json!([]), json!(["portico", "other"])] {
        assert_eq!(reason(with_claim("aud", audience).await), "upstream_audience_mismatch");
    }
    assert_eq!(reason(with_claim("azp", json!("other")).await), "upstream_azp_mismatch");
    assert_eq!(reason(with_claim("iss", json!("https://evil.example")).await), "upstream_issuer_mismatch");
    with_claim("aud", json!(["portico"])).await.expect("a list of us alone");
}

/// §2.6: it lives for minutes; an old one is a replay or a mistake.
#[actix_web::test]
async fn a_notice_out_of_its_time_is_refused() {
    let at = |seconds: i64| json!(BEGINNING.0 + seconds);
    assert_eq!(reason(with_claim("exp", at(-31)).await), "upstream_expired");
    assert_eq!(reason(with_claim("exp", at(86_400)).await), "upstream_issued_long_ago");
    assert_eq!(reason(with_claim("iat", at(31)).await), "upstream_issued_in_future");
    assert_eq!(reason(with_claim("iat", at(-400)).await), "upstream_issued_long_ago");
    for claim in ["iat", "exp", "iss", "aud"] {
        assert_eq!(reason(with_claim(claim, Value::Null).await), "upstream_id_token_malformed", "{claim}");
    }
}

/// §2.4: without a name a replay could not be seen.
#[actix_web::test]
async fn a_notice_without_a_name_is_refused() {
    for jti in [Value::Null, json!(""), json!("x".repeat(300))] {
        assert_eq!(reason(with_claim("jti", jti).await), "upstream_logout_unnamed");
    }
}

/// §2.6 (2): anybody may post here, so everything hangs on the signature.
#[actix_web::test]
async fn a_notice_that_is_not_signed_by_a_published_key_is_refused() {
    for (signing, why) in NOT_THE_PROVIDERS {
        let scene = Scene::keycloak().await;
        scene.idp.signs(signing);
        assert_eq!(reason(read(&scene, Some("session-1"), None).await), why, "{signing:?}");
    }
    let scene = Scene::keycloak().await;
    scene.idp.signs(Signing::Es256);
    read(&scene, Some("session-1"), None).await.expect("another published key");
}

/// §2.4 and RFC 8725 §3.11: no other kind of token passes for one, and it passes for no other kind.
#[actix_web::test]
async fn another_kind_of_token_is_no_notice() {
    let scene = Scene::keycloak().await;
    for (typ, is_taken) in [("logout+jwt", true), ("JWT", true), ("application/logout+jwt", true), ("at+jwt", false), ("x", false)] {
        scene.idp.twists("header", move |header| header["typ"] = json!(typ));
        let read = read(&scene, Some("session-1"), None).await;
        assert_eq!(read.map_err(|error| error.reason()).is_ok(), is_taken, "{typ}");
    }
    scene.idp.is_honest_again();
    let departure = scene.departs().await.unwrap();
    let callback = scene.comes_back(&departure).await;
    let arrival = scene.provider().arrive(callback, &departure.memory, REDIRECT_URI).await.unwrap();
    let id_token = arrival.token.and_then(|token| token.id_token).unwrap();
    assert_eq!(reason(scene.provider().read_logout_notice(&id_token).await), "upstream_logout_event_missing");
    for text in ["", "a.b.c", "x", &"a".repeat(70_000)] {
        assert!(scene.provider().read_logout_notice(text).await.is_err());
    }
}

/// OpenID Connect Core §10.1.1: a notice may be the first token that the new key signs.
#[actix_web::test]
async fn a_notice_may_be_the_first_to_use_a_new_key() {
    let scene = Scene::keycloak().await;
    scene.signs_in().await.unwrap();
    scene.idp.rotates_key();
    read(&scene, Some("session-1"), None).await.unwrap();
}

/// OpenID Connect RP-Initiated Logout 1.0 §2.
#[actix_web::test]
async fn signing_out_there_carries_the_hint_and_the_way_back() {
    let scene = Scene::keycloak().await;
    let token = scene.signs_in().await.unwrap().token.unwrap();
    let location = scene.provider().sign_out(&token, "https://portico.test/logout", "abc").await.unwrap();
    assert!(location.as_str().starts_with(&scene.idp.at("logout")));
    let said = |name: &str| location.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    assert_eq!(said("id_token_hint"), token.id_token);
    assert_eq!(said("post_logout_redirect_uri").as_deref(), Some("https://portico.test/logout"));
    assert_eq!((said("state").as_deref(), said("client_id").as_deref()), (Some("abc"), Some("portico")));
}

/// RFC 7009 §2.1: signing out there would leave an offline token alive, so it is handed back; what follows the session needs no more.
#[actix_web::test]
async fn a_token_that_outlives_the_session_is_handed_back() {
    for (life, times) in [("outlive", 1), ("follow", 0)] {
        let scene = Scene::with("keycloak", &format!("session = {life:?}")).await;
        let arrival = scene.signs_in().await.unwrap();
        let (subject, token) = (arrival.identity.subject, arrival.token.unwrap());
        scene.provider().sign_out(&token, "https://portico.test/logout", "abc").await.unwrap();
        assert_eq!(scene.idp.seen("revoke").len(), 0, "to ask where to sign out changes nothing");
        scene.provider().hand_back(&token).await;
        assert_eq!(scene.idp.seen("revoke").len(), times, "{life}");
        let stands = matches!(scene.provider().still_stands(&subject, &token).await.standing, Ok(crate::upstream::Standing::Stands(_)));
        assert_eq!(stands, times == 0, "{life}");
    }
}

/// A provider that cannot take it back keeps nobody from signing out.
#[actix_web::test]
async fn a_token_that_cannot_be_handed_back_keeps_nobody() {
    let scene = Scene::keycloak().await;
    let token = scene.signs_in().await.unwrap().token.unwrap();
    scene.idp.breaks("revoke", crate::upstream::idp::Fault::Slow(std::time::Duration::from_secs(30)));
    let began = std::time::Instant::now();
    scene.provider().hand_back(&token).await;
    assert!(began.elapsed() < std::time::Duration::from_secs(6), "{:?}", began.elapsed());
}

#[actix_web::test]
async fn a_provider_that_cannot_sign_out_is_left_alone() {
    let scene = Scene::keycloak().await;
    scene.idp.twists("discovery", |document| drop(document.as_object_mut().unwrap().remove("end_session_endpoint")));
    let token = scene.signs_in().await.unwrap().token.unwrap();
    assert_eq!(scene.provider().sign_out(&token, "https://portico.test/logout", "abc").await, None);
}
