//! Does the person still stand? Only the provider's own `invalid_grant` says no.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::upstream::{
    GoneWhy, Recheck, Standing, UpstreamToken,
    idp::{Fault, Refreshing, Signing},
};

/// Somebody who signed in, and what is kept of it.
async fn signed_in(scene: &Scene) -> (String, UpstreamToken) {
    let arrival = scene.signs_in().await.unwrap();
    (arrival.identity.subject, arrival.token.unwrap())
}

async fn asked(scene: &Scene, (subject, token): &(String, UpstreamToken)) -> Recheck {
    scene.provider().still_stands(subject, token).await
}

#[track_caller]
fn why(recheck: Recheck) -> &'static str {
    match recheck.standing {
        Ok(Standing::Gone(why)) => why.reason(),
        Ok(Standing::Stands(_)) => "stands",
        Err(error) => error.reason(),
    }
}

/// OpenID Connect Core §12: a refresh tells what holds now.
#[actix_web::test]
async fn a_lost_role_is_seen_at_the_next_recheck() {
    let scene = Scene::keycloak().await;
    let person = signed_in(&scene).await;
    scene.idp.change("alice", |alice| alice.roles.clear());
    let Ok(Standing::Stands(facts)) = asked(&scene, &person).await.standing else { panic!("alice stands") };
    assert!(!facts.roles.contains("mcp-writer"), "{:?}", facts.roles);
}

/// edge.md: "User disabled" is 400 invalid_grant; enabling again revives the same refresh token.
#[actix_web::test]
async fn a_disabled_person_is_gone() {
    let scene = Scene::keycloak().await;
    let person = signed_in(&scene).await;
    scene.idp.disable("alice");
    assert!(matches!(asked(&scene, &person).await.standing, Ok(Standing::Gone(GoneWhy::Refused))));
    scene.idp.change("alice", |alice| alice.disabled = false);
    assert_eq!(why(asked(&scene, &person).await), "stands");
}

/// `follow`: the session there is idle too long, and what stood on it is gone. `outlive`: it stands.
#[actix_web::test]
async fn an_ended_session_ends_what_follows_it_and_not_what_outlives_it() {
    for (life, expected) in [("follow", "upstream_refused"), ("outlive", "stands")] {
        let scene = Scene::with("keycloak", &format!("session = {life:?}")).await;
        let person = signed_in(&scene).await;
        scene.idp.ends_session(&scene.idp.sid_of("alice"));
        assert_eq!(why(asked(&scene, &person).await), expected, "{life}");
    }
}

/// Attack 58: what is no word about the person ends nothing.
#[actix_web::test]
async fn nothing_but_invalid_grant_says_that_somebody_is_gone() {
    for (fault, expected) in [
        (Fault::Status(500), "unavailable"),
        (Fault::Status(503), "unavailable"),
        (Fault::Status(429), "unavailable"),
        (Fault::Truncated, "unavailable"),
        (Fault::Says(503, json!({ "error": "invalid_grant" }).to_string()), "unavailable"),
        (Fault::Says(401, json!({ "error": "unauthorized_client" }).to_string()), "upstream_credentials_refused"),
        (Fault::Says(401, json!({ "error": "invalid_client" }).to_string()), "upstream_credentials_refused"),
        (Fault::Says(400, json!({ "error": "invalid_request" }).to_string()), "upstream_status_unexpected"),
        (Fault::Says(400, json!({ "error": "unsupported_grant_type" }).to_string()), "upstream_status_unexpected"),
        (Fault::Says(404, json!({ "error": "Realm does not exist" }).to_string()), "upstream_status_unexpected"),
        (Fault::Says(400, "invalid_grant".into()), "upstream_status_unexpected"),
        (Fault::Says(200, json!({ "error": "invalid_grant" }).to_string()), "upstream_malformed"),
        (Fault::Huge(300_000), "upstream_too_large"),
        (Fault::Redirect("https://evil.example".into()), "upstream_redirected"),
    ] {
        let scene = Scene::keycloak().await;
        let person = signed_in(&scene).await;
        scene.idp.breaks("token", fault.clone());
        assert_eq!(why(asked(&scene, &person).await), expected, "{fault:?}");
    }
    let scene = Scene::keycloak().await;
    let person = signed_in(&scene).await;
    scene.idp.stops().await;
    assert_eq!(why(asked(&scene, &person).await), "unavailable");
    scene.idp.returns();
    assert_eq!(why(asked(&scene, &person).await), "stands");
}

/// A rotated token is handed over whatever comes after it: the old one is spent.
#[actix_web::test]
async fn a_rotated_token_is_never_lost() {
    let scene = Scene::keycloak().await;
    scene.idp.refreshes(Refreshing::Rotating);
    let (subject, first) = signed_in(&scene).await;
    scene.idp.signs(Signing::Damaged);
    let recheck = scene.provider().still_stands(&subject, &first).await;
    let second = recheck.rotated.clone().expect("the new one");
    assert_eq!(why(recheck), "upstream_signature_mismatch");
    scene.idp.is_honest_again();
    assert_eq!(why(scene.provider().still_stands(&subject, &first).await), "upstream_refused", "the old one is spent");
    assert_eq!(why(scene.provider().still_stands(&subject, &second).await), "stands");
}

#[actix_web::test]
async fn a_token_that_stays_the_same_stays() {
    let scene = Scene::keycloak().await;
    scene.idp.refreshes(Refreshing::Same);
    let (subject, token) = signed_in(&scene).await;
    let rotated = scene.provider().still_stands(&subject, &token).await.rotated.expect("a new ID token to sign out with");
    assert_eq!(rotated.secret, token.secret);
    scene.idp.twists("token", |document| {
        document.as_object_mut().unwrap().remove("refresh_token");
    });
    let again = scene.provider().still_stands(&subject, &rotated).await;
    assert_eq!(again.rotated.expect("a new ID token").secret, token.secret);
}

/// OpenID Connect Core §12.2: its sub MUST be the same as in the ID token of the sign-in.
#[actix_web::test]
async fn a_refresh_that_speaks_of_another_person_ends_this_one() {
    let scene = Scene::keycloak().await;
    let person = signed_in(&scene).await;
    let bob = scene.idp.sub_of("bob");
    scene.idp.twists("id_token", move |claims| claims["sub"] = json!(bob));
    assert_eq!(why(asked(&scene, &person).await), "upstream_another_person");
}

/// OpenID Connect Core §12.2: the refresh might bring no ID token.
#[actix_web::test]
async fn userinfo_answers_where_a_refresh_brings_no_id_token() {
    let without = |document: &mut Value| drop(document.as_object_mut().unwrap().remove("id_token"));
    let scene = Scene::keycloak().await;
    let person = signed_in(&scene).await;
    scene.idp.twists("token", without);
    let Ok(Standing::Stands(facts)) = asked(&scene, &person).await.standing else { panic!("alice stands") };
    assert!(facts.roles.contains("mcp-writer"));
    scene.idp.twists("userinfo", |document| document["sub"] = json!("somebody-else"));
    assert_eq!(why(asked(&scene, &person).await), "upstream_another_person");
    scene.idp.twists("userinfo", |document| drop(document.as_object_mut().unwrap().remove("sub")));
    assert_eq!(why(asked(&scene, &person).await), "upstream_id_token_missing");
    scene.idp.breaks("userinfo", Fault::Status(401));
    assert_eq!(why(asked(&scene, &person).await), "upstream_status_unexpected", "UserInfo alone ends nobody");
}

/// OpenID Connect Core §12.2: issuer, audience and signature as before; no nonce is asked for.
#[actix_web::test]
async fn a_refreshed_id_token_is_judged_like_the_first() {
    for (claim, value, expected) in [
        ("iss", json!("https://evil.example"), "upstream_issuer_mismatch"),
        ("aud", json!("other"), "upstream_audience_mismatch"),
        ("azp", json!("other"), "upstream_azp_mismatch"),
        ("exp", json!(1), "upstream_expired"),
        ("nonce", json!("whatever"), "stands"),
    ] {
        let scene = Scene::keycloak().await;
        let person = signed_in(&scene).await;
        scene.idp.twists("id_token", move |claims| claims[claim] = value.clone());
        assert_eq!(why(asked(&scene, &person).await), expected, "{claim}");
    }
    for signing in [Signing::Unsigned, Signing::SharedSecret, Signing::StrangersKey] {
        let scene = Scene::keycloak().await;
        let person = signed_in(&scene).await;
        scene.idp.signs(signing);
        assert!(asked(&scene, &person).await.standing.is_err(), "{signing:?}");
    }
}

/// Who rechecks holds a lease: fifteen seconds, whatever the provider does.
#[actix_web::test]
async fn a_recheck_ends_within_its_bound() {
    let scene = Scene::keycloak().await;
    let person = signed_in(&scene).await;
    scene.idp.twists("token", |document| drop(document.as_object_mut().unwrap().remove("id_token")));
    scene.idp.breaks("userinfo", Fault::Slow(Duration::from_secs(60)));
    let began = Instant::now();
    let recheck = asked(&scene, &person).await;
    assert!(recheck.rotated.is_some(), "and the new token is not lost");
    assert_eq!(why(recheck), "unavailable");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
