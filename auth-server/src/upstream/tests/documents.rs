//! Documents and answers of a provider that lies, or that somebody else gave: where they lead, how large, how slow, how often.

use std::time::{Duration, Instant};

use oauth_types::Ttl;
use serde_json::{Value, json};

use super::*;
use crate::upstream::idp::Fault;

/// Attack 59, the class of CVE-2025-6514: a document that sends us, or the browser, elsewhere.
#[actix_web::test]
async fn endpoints_elsewhere_are_refused() {
    for endpoint in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint"] {
        for (address, why) in [
            ("https://evil.example/x", "upstream_endpoint_foreign"),
            ("http://evil.example/x", "upstream_endpoint_insecure"),
            ("http://127.0.0.1:1/x", "upstream_endpoint_insecure"),
            ("http://user@127.0.0.1/x", "upstream_malformed"),
            ("javascript:alert(1)", "upstream_endpoint_insecure"),
            ("file:///etc/passwd", "upstream_endpoint_insecure"),
            ("/relative", "upstream_malformed"),
            ("", "upstream_malformed"),
        ] {
            let scene = Scene::keycloak().await;
            scene.idp.twists("discovery", move |document| document[endpoint] = json!(address));
            assert_eq!(reason(scene.departs().await), why, "{endpoint} {address}");
        }
    }
    for endpoint in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        let scene = Scene::keycloak().await;
        scene.idp.twists("discovery", move |document| drop(document.as_object_mut().unwrap().remove(endpoint)));
        assert_eq!(reason(scene.departs().await), "upstream_endpoint_missing", "{endpoint}");
    }
}

/// Attack 59: what was believed last stays in force when the newer document is a lie.
#[actix_web::test]
async fn a_lie_does_not_displace_what_was_believed() {
    for twist in [
        (|document: &mut Value| document["token_endpoint"] = json!("https://evil.example/token")) as fn(&mut Value),
        |document| document["issuer"] = json!("https://evil.example"),
        |document| *document = json!([]),
    ] {
        let scene = Scene::keycloak().await;
        scene.signs_in().await.unwrap();
        scene.idp.twists("discovery", twist);
        scene.clock.advance(Ttl::hours(2));
        scene.provider().tend().await;
        assert_eq!(scene.idp.seen("discovery").len(), 2, "the lie was read");
        scene.signs_in().await.expect("the last good documents stay");
    }
}

/// OpenID Connect Discovery §4.3: MUST exactly match.
#[actix_web::test]
async fn a_document_of_another_issuer_is_refused() {
    let scene = Scene::keycloak().await;
    let right = scene.idp.issuer();
    // edge.md: in development mode Keycloak takes the issuer from the Host header.
    for wrong in [format!("{right}/"), right.replace("127.0.0.1", "evil.test"), String::new()] {
        let lie = wrong.clone();
        scene.idp.twists("discovery", move |document| document["issuer"] = json!(lie));
        assert_eq!(reason(scene.departs().await), "upstream_issuer_mismatch", "{wrong}");
    }
}

/// Attack 58: not now is not never, and nothing is believed meanwhile.
#[actix_web::test]
async fn a_provider_that_cannot_answer_is_an_outage() {
    for endpoint in ["discovery", "certs", "token"] {
        for fault in [Fault::Status(500), Fault::Status(503), Fault::Status(429), Fault::Truncated] {
            let scene = Scene::keycloak().await;
            scene.idp.breaks(endpoint, fault.clone());
            assert_eq!(reason(scene.signs_in().await), "unavailable", "{endpoint} {fault:?}");
        }
    }
    let scene = Scene::keycloak().await;
    scene.idp.stops().await;
    assert_eq!(reason(scene.departs().await), "unavailable");
    scene.idp.returns();
    scene.signs_in().await.expect("recovery needs nobody");
}

/// Attack 58: answers that no honest provider gives.
#[actix_web::test]
async fn an_answer_that_is_none_is_refused() {
    for endpoint in ["discovery", "certs", "token"] {
        for (fault, why) in [
            (Fault::Huge(300_000), "upstream_too_large"),
            (Fault::Says(200, "x".repeat(300_000)), "upstream_too_large"),
            (Fault::Huge(100), "upstream_malformed"),
            (Fault::Redirect("https://evil.example/".into()), "upstream_redirected"),
            (Fault::Says(200, "[".repeat(10_000)), "upstream_malformed"),
            (Fault::Says(200, "<html>".into()), "upstream_malformed"),
            (Fault::Says(200, String::new()), "upstream_malformed"),
            (Fault::Status(404), "upstream_status_unexpected"),
            (Fault::Status(204), "upstream_status_unexpected"),
        ] {
            let scene = Scene::keycloak().await;
            scene.idp.breaks(endpoint, fault.clone());
            assert_eq!(reason(scene.signs_in().await), why, "{endpoint} {fault:?}");
        }
    }
}

/// RFC 6749 §5.1, OpenID Connect Core §3.1.3.3.
#[actix_web::test]
async fn a_token_answer_without_its_parts_is_refused() {
    for (name, value, why) in [
        ("id_token", Value::Null, "upstream_id_token_missing"),
        ("id_token", json!("a.b"), "upstream_id_token_malformed"),
        ("id_token", json!(""), "upstream_id_token_malformed"),
        ("access_token", Value::Null, "upstream_malformed"),
        ("access_token", json!(""), "upstream_malformed"),
        ("access_token", json!("x".repeat(20_000)), "upstream_malformed"),
        ("token_type", json!("DPoP"), "upstream_malformed"),
        ("refresh_token", json!("x".repeat(20_000)), "upstream_malformed"),
    ] {
        let scene = Scene::keycloak().await;
        scene.idp.twists("token", move |document| document[name] = value.clone());
        assert_eq!(reason(scene.signs_in().await), why, "{name}");
    }
}

/// Attack 58: somebody waits, so the bound is ours and not the provider's.
#[actix_web::test]
async fn a_slow_provider_is_waited_for_within_a_bound() {
    let scene = Scene::keycloak().await;
    scene.departs().await.unwrap();
    scene.idp.breaks("token", Fault::Slow(Duration::from_secs(30)));
    let began = Instant::now();
    assert_eq!(reason(scene.signs_in().await), "unavailable");
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
}

/// Where browsers and we reach the provider at two addresses, only the one that the operator named is spoken to.
#[actix_web::test]
async fn only_the_named_origin_is_spoken_to_behind_the_scenes() {
    // Browsers know it as https://id.example; we reach it on loopback.
    let scene = Scene::keycloak().await;
    let issuer = "https://id.example/realms/portico";
    let public = |scene: &Scene| {
        let origin = scene.idp.origin();
        move |document: &mut Value| *document = serde_json::from_str(&document.to_string().replace(&origin, "https://id.example")).unwrap()
    };
    let behind = |origin: &str| {
        let rows = format!(
            "[[upstream]]\nid = \"one\"\nkind = \"keycloak\"\nissuer = {issuer:?}\nclient_id = \"portico\"\nclient_secret = \"scripted-provider-client-secret!\"\nbackchannel_origin = {origin:?}\n"
        );
        Upstreams::open(&config(&rows), &(scene.clock.clone() as _)).unwrap()
    };
    let ours = behind(&scene.idp.origin());
    let provider = ours.all().next().unwrap();
    let asking = Asking { redirect_uri: REDIRECT_URI, ..Asking::default() };

    scene.idp.twists("discovery", public(&scene));
    let departure = provider.depart(&asking).await.unwrap();
    assert!(departure.location.as_str().starts_with("https://id.example/realms/portico/"), "browsers go to the issuer");
    // The browser walks to the public name, which ends at the same machine.
    let walked = departure.location.as_str().replace("https://id.example", &scene.idp.origin());
    let back = url::Url::parse(&scene.idp.sends_back(&walked).await).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").map(|(_, value)| value.into_owned());
    scene.idp.twists("id_token", move |claims| claims["iss"] = json!(issuer));
    let callback = Callback { state: departure.memory.state().to_owned(), code, iss: Some(issuer.into()), error: None };
    provider.arrive(callback, &departure.memory, REDIRECT_URI).await.expect("the code is redeemed behind the scenes");

    // Keycloak may name its back-channel address itself: that is the same word twice.
    for (endpoint, path) in [("token_endpoint", "token"), ("jwks_uri", "certs"), ("userinfo_endpoint", "userinfo")] {
        let (make_public, inner) = (public(&scene), scene.idp.at(path));
        scene.idp.twists("discovery", move |document| {
            make_public(document);
            document[endpoint] = json!(inner);
        });
        let fresh = behind(&scene.idp.origin());
        fresh.all().next().unwrap().depart(&asking).await.expect(endpoint);
    }
    // Any third address is refused, and browsers are never sent behind the scenes.
    for (endpoint, address, why) in [
        ("token_endpoint", "http://127.0.0.1:1/token".to_owned(), "upstream_endpoint_insecure"),
        ("jwks_uri", "https://evil.example/keys".to_owned(), "upstream_endpoint_foreign"),
        ("authorization_endpoint", scene.idp.at("auth"), "upstream_endpoint_insecure"),
        ("end_session_endpoint", scene.idp.at("logout"), "upstream_endpoint_insecure"),
    ] {
        let make_public = public(&scene);
        scene.idp.twists("discovery", move |document| {
            make_public(document);
            document[endpoint] = json!(address);
        });
        let fresh = behind(&scene.idp.origin());
        assert_eq!(reason(fresh.all().next().unwrap().depart(&asking).await), why, "{endpoint}");
    }
}
