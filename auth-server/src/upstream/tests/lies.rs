//! A provider that lies, in every way that we could think of. Each lie has the reason that the operator reads.

use std::time::{Duration, Instant};

use oauth_types::Ttl;
use serde_json::{Value, json};

use super::*;
use crate::upstream::idp::{CLIENT_ID, Fault, Signing};

/// Signs in at a provider whose ID tokens are twisted like this.
async fn with_id_token(twist: impl Fn(&mut Value) + Send + Sync + 'static) -> Result<Arrival, UpstreamError> {
    let scene = Scene::keycloak().await;
    scene.idp.twists("id_token", twist);
    scene.signs_in().await
}

async fn with_claim(name: &'static str, value: Value) -> Result<Arrival, UpstreamError> {
    with_id_token(move |claims| match value.clone() {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    })
    .await
}

/// Attack 14, attack 5; OpenID Connect Core §3.1.3.7 (11): the code of another sign-in brings another nonce.
#[actix_web::test]
async fn a_foreign_nonce_is_refused() {
    for nonce in [json!("attacker"), json!(""), Value::Null] {
        assert_eq!(reason(with_claim("nonce", nonce).await), "upstream_nonce_mismatch");
    }
}

/// Attack 14; OpenID Connect Core §3.1.3.7 (3).
#[actix_web::test]
async fn a_token_for_somebody_else_is_refused() {
    for audience in [json!("other"), json!(["other"]), json!([]), json!([CLIENT_ID, "other"]), json!("Portico")] {
        assert_eq!(reason(with_claim("aud", audience.clone()).await), "upstream_audience_mismatch", "{audience}");
    }
    // Some providers leave it out altogether.
    assert_eq!(reason(with_claim("aud", Value::Null).await), "upstream_audience_mismatch");
    let trusting = Scene::with("keycloak", "trusted_audiences = [\"other\"]").await;
    trusting.idp.twists("id_token", |claims| claims["aud"] = json!([CLIENT_ID, "other"]));
    trusting.signs_in().await.expect("an audience that the operator trusts");
    trusting.idp.twists("id_token", |claims| {
        claims["aud"] = json!([CLIENT_ID, "other"]);
        claims.as_object_mut().unwrap().remove("azp");
    });
    assert_eq!(reason(trusting.signs_in().await), "upstream_azp_mismatch", "§3.1.3.7 (4): then azp must be there");
}

/// Attack 14; OpenID Connect Core §3.1.3.7 (5).
#[actix_web::test]
async fn a_token_given_to_another_client_is_refused() {
    for party in [json!("other"), json!(""), json!("Portico")] {
        assert_eq!(reason(with_claim("azp", party).await), "upstream_azp_mismatch");
    }
    with_claim("azp", Value::Null).await.expect("one audience needs no azp");
}

/// OpenID Connect Core §3.1.3.7 (2): exactly; a slash more is another issuer.
#[actix_web::test]
async fn a_token_of_another_issuer_is_refused() {
    let scene = Scene::keycloak().await;
    let right = scene.idp.issuer();
    for wrong in [format!("{right}/"), right.to_uppercase(), right.replace("portico", "other"), "https://evil.example".into()] {
        let lie = wrong.clone();
        scene.idp.twists("id_token", move |claims| claims["iss"] = json!(lie));
        assert_eq!(reason(scene.signs_in().await), "upstream_issuer_mismatch", "{wrong}");
    }
}

/// RFC 8725 §3.1, §3.2; OpenID Connect Core §2: ID tokens must be signed.
#[actix_web::test]
async fn whatever_is_not_signed_by_a_published_key_is_refused() {
    for (signing, why) in [
        (Signing::Unsigned, "upstream_id_token_unsigned"),
        (Signing::SharedSecret, "upstream_algorithm_forbidden"),
        (Signing::PublicKeyAsSecret, "upstream_algorithm_forbidden"),
        (Signing::StrangersKey, "upstream_signature_mismatch"),
        (Signing::UnpublishedKey, "upstream_key_unknown"),
        (Signing::Damaged, "upstream_signature_mismatch"),
    ] {
        let scene = Scene::keycloak().await;
        scene.idp.signs(signing);
        assert_eq!(reason(scene.signs_in().await), why, "{signing:?}");
    }
}

/// RFC 8725 §3.1: the key is chosen by the algorithm, never the algorithm by the key.
#[actix_web::test]
async fn the_header_cannot_choose_another_key() {
    for (name, value, why) in [
        ("kid", json!("ec-1"), "upstream_key_unknown"),
        ("kid", json!("for-encryption"), "upstream_key_unknown"),
        ("kid", json!("../../etc/passwd"), "upstream_key_unknown"),
        ("alg", json!("ES256"), "upstream_key_unknown"),
        ("alg", json!("PS256"), "upstream_key_unknown"),
        ("alg", json!("None"), "upstream_id_token_unsigned"),
        ("alg", json!("RS512"), "upstream_algorithm_forbidden"),
        ("alg", json!(7), "upstream_id_token_malformed"),
        ("typ", json!("at+jwt"), "upstream_header_forbidden"),
        ("typ", json!("logout+jwt"), "upstream_header_forbidden"),
        ("cty", json!("JWT"), "upstream_header_forbidden"),
        ("crit", json!(["b64"]), "upstream_header_forbidden"),
    ] {
        let scene = Scene::keycloak().await;
        let lie = value.clone();
        scene.idp.twists("header", move |header| header[name] = lie.clone());
        assert_eq!(reason(scene.signs_in().await), why, "{name}: {value}");
    }
}

/// RFC 7515 §6: a key that the token brings along is nobody's.
#[actix_web::test]
async fn a_key_that_comes_with_the_token_is_not_used() {
    let scene = Scene::keycloak().await;
    scene.idp.signs(Signing::StrangersKey);
    scene.idp.twists("header", |header| {
        header["jku"] = json!("https://evil.example/keys");
        header["jwk"] = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" });
        header["x5u"] = json!("https://evil.example/chain");
    });
    assert_eq!(reason(scene.signs_in().await), "upstream_signature_mismatch");
}

/// RFC 7518 §3.2: a symmetric key in a published set would make everybody a signer.
#[actix_web::test]
async fn keys_that_anybody_has_verify_nothing() {
    let scene = Scene::keycloak().await;
    scene.idp.twists("certs", |document| document["keys"] = json!([{ "kty": "oct", "kid": "key-1", "k": "c2VjcmV0", "alg": "HS256" }]));
    assert_eq!(reason(scene.signs_in().await), "upstream_key_set_unusable");
}

/// OpenID Connect Core §10.1: two keys of one name prove nothing.
#[actix_web::test]
async fn a_name_of_two_keys_is_no_name() {
    let scene = Scene::keycloak().await;
    scene.idp.twists("certs", |document| {
        let twin = document["keys"][0].clone();
        document["keys"].as_array_mut().unwrap().push(twin);
    });
    assert_eq!(reason(scene.signs_in().await), "upstream_key_unknown");
}

/// OpenID Connect Core §3.1.3.7 (9), (10): with half a minute for clocks that differ.
#[actix_web::test]
async fn a_token_out_of_its_time_is_refused() {
    let at = |seconds: i64| json!(BEGINNING.0 + seconds);
    assert_eq!(reason(with_claim("exp", at(-31)).await), "upstream_expired");
    with_claim("exp", at(-29)).await.expect("within the leeway");
    assert_eq!(reason(with_claim("iat", at(31)).await), "upstream_issued_in_future");
    with_claim("iat", at(29)).await.expect("within the leeway");
    assert_eq!(reason(with_claim("iat", at(-700)).await), "upstream_issued_long_ago");
    for claim in ["exp", "iat", "sub"] {
        assert_eq!(reason(with_claim(claim, Value::Null).await), "upstream_id_token_malformed", "{claim}");
    }
    assert_eq!(reason(with_claim("exp", json!("tomorrow")).await), "upstream_id_token_malformed");
}

/// OpenID Connect Core §3.1.3.8.
#[actix_web::test]
async fn an_access_token_of_another_answer_is_refused() {
    assert_eq!(reason(with_claim("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")).await), "upstream_access_token_mismatch");
    with_claim("at_hash", Value::Null).await.expect("it is optional in the code flow");
}

/// OpenID Connect Core §2: at most 255 ASCII characters.
#[actix_web::test]
async fn a_subject_that_is_no_name_is_refused() {
    for subject in [json!(""), json!("x".repeat(256)), json!("zoë"), json!("a\nb")] {
        assert_eq!(reason(with_claim("sub", subject).await), "upstream_subject_malformed");
    }
    assert_eq!(reason(with_claim("sid", json!("x".repeat(300))).await), "upstream_id_token_malformed");
    assert_eq!(reason(with_claim("sid", json!(7)).await), "upstream_id_token_malformed");
}

/// An access token of Keycloak's has the same header, the same issuer and a signature by the same key.
#[actix_web::test]
async fn an_access_token_is_no_id_token() {
    assert_eq!(reason(with_claim("typ", json!("Bearer")).await), "upstream_header_forbidden");
}

/// Attack 61; OpenID Connect Core §5.3.2: UserInfo of another person must not be used.
#[actix_web::test]
async fn userinfo_of_another_person_is_refused() {
    for lie in [json!("00000000-0000-4000-8000-000000000bob"), Value::Null, json!(7)] {
        let scene = Scene::keycloak().await;
        scene.idp.signs_in("carol");
        scene.idp.twists("userinfo", move |document| document["sub"] = lie.clone());
        assert_eq!(reason(scene.signs_in().await), "upstream_subject_changed");
    }
}

/// A person with more groups than a rule can be sure about is refused, never judged by some of them.
#[actix_web::test]
async fn claims_without_end_are_refused() {
    let many = |count: usize| json!((0..count).map(|number| format!("/group-{number}")).collect::<Vec<_>>());
    with_claim("groups", many(200)).await.expect("two hundred groups are many, and told");
    assert_eq!(reason(with_claim("groups", many(300)).await), "upstream_claims_too_large");
    assert_eq!(reason(with_claim("groups", json!(["x".repeat(300)])).await), "upstream_claims_too_large");
    assert_eq!(reason(with_claim("groups", json!({ "admin": true })).await), "upstream_malformed");
    assert_eq!(reason(with_claim("realm_access", json!("mcp-admin")).await), "upstream_malformed");
    assert_eq!(reason(with_claim("filler", json!("x".repeat(70_000))).await), "upstream_too_large");
}

/// RFC 9207 §2.4, attack 14: the answer says who gave it, and it is whom we asked.
#[actix_web::test]
async fn an_answer_of_another_provider_is_refused() {
    let scene = Scene::keycloak().await;
    let right = scene.idp.issuer();
    for (iss, why) in [
        (json!("https://evil.example"), "upstream_callback_issuer_mismatch"),
        (json!(format!("{right}/")), "upstream_callback_issuer_mismatch"),
        (Value::Null, "upstream_callback_issuer_missing"),
    ] {
        scene.idp.twists("callback", move |query| match iss.clone() {
            Value::Null => drop(query.as_object_mut().unwrap().remove("iss")),
            iss => query["iss"] = iss,
        });
        assert_eq!(reason(scene.signs_in().await), why);
    }
    assert!(scene.idp.seen("token").is_empty(), "and its code is shown to nobody");
    // Errors too: a stranger's error must not end a sign-in.
    scene
        .idp
        .twists("callback", |query| *query = json!({ "state": query["state"], "error": "access_denied", "iss": "https://evil.example" }));
    assert_eq!(reason(scene.signs_in().await), "upstream_callback_issuer_mismatch");
}

/// A provider that does not advertise `iss` may leave it out; one that is there must still be right.
#[actix_web::test]
async fn iss_is_required_where_it_was_promised() {
    let scene = Scene::keycloak().await;
    scene.idp.twists("discovery", |document| document["authorization_response_iss_parameter_supported"] = json!(false));
    scene.idp.twists("callback", |query| drop(query.as_object_mut().unwrap().remove("iss")));
    scene.signs_in().await.unwrap();
    scene.idp.twists("callback", |query| query["iss"] = json!("https://evil.example"));
    assert_eq!(reason(scene.signs_in().await), "upstream_callback_issuer_mismatch");
}

/// Attack 6: the state of another flow, or none.
#[actix_web::test]
async fn a_state_that_is_not_ours_is_refused_before_anything_is_asked() {
    for state in [json!("attacker"), json!(""), Value::Null] {
        let scene = Scene::keycloak().await;
        scene.idp.twists("callback", move |query| match state.clone() {
            Value::Null => drop(query.as_object_mut().unwrap().remove("state")),
            state => query["state"] = state,
        });
        assert_eq!(reason(scene.signs_in().await), "upstream_state_unknown");
        assert!(scene.idp.seen("token").is_empty());
    }
}

/// RFC 6749 §4.1.2: a code or an error, once, of a reasonable length.
#[actix_web::test]
async fn a_callback_that_is_no_answer_is_refused() {
    let scene = Scene::keycloak().await;
    let departure = scene.departs().await.unwrap();
    let right = scene.comes_back(&departure).await;
    for wrong in [
        Callback { code: None, ..right.clone() },
        Callback { error: Some("access_denied".into()), ..right.clone() },
        Callback { code: Some(String::new()), ..right.clone() },
        Callback { code: Some("x".repeat(5000)), ..right.clone() },
    ] {
        assert_eq!(reason(scene.provider().arrive(wrong, &departure.memory, REDIRECT_URI).await), "upstream_callback_malformed");
    }
}

/// RFC 6749 §4.1.2.1: each error of a provider has its own meaning.
#[actix_web::test]
async fn an_error_of_the_provider_is_told_by_who_can_mend_it() {
    for (error, why) in [
        ("access_denied", "refused_upstream"),
        ("login_required", "refused_upstream"),
        ("temporarily_unavailable", "unavailable"),
        ("server_error", "unavailable"),
        ("invalid_scope", "upstream_request_refused"),
        ("unauthorized_client", "upstream_request_refused"),
        ("<script>", "upstream_request_refused"),
    ] {
        let scene = Scene::keycloak().await;
        scene.idp.twists("callback", move |query| {
            query.as_object_mut().unwrap().remove("code");
            query["error"] = json!(error);
        });
        assert_eq!(reason(scene.signs_in().await), why, "{error}");
    }
}

/// RFC 7636 §4.6, RFC 6749 §4.1.2: a code is good once, for the verifier and redirect URI that asked for it.
#[actix_web::test]
async fn a_stolen_code_is_worth_nothing() {
    let scene = Scene::keycloak().await;
    let (mine, theirs) = (scene.departs().await.unwrap(), scene.departs().await.unwrap());
    let stolen = Callback { state: mine.memory.state().to_owned(), ..scene.comes_back(&theirs).await };
    assert_eq!(reason(scene.provider().arrive(stolen, &mine.memory, REDIRECT_URI).await), "upstream_code_refused");
    let departure = scene.departs().await.unwrap();
    let callback = scene.comes_back(&departure).await;
    scene.provider().arrive(callback.clone(), &departure.memory, REDIRECT_URI).await.unwrap();
    assert_eq!(reason(scene.provider().arrive(callback, &departure.memory, REDIRECT_URI).await), "upstream_code_refused");
}

/// edge.md: Keycloak says 401 `unauthorized_client` for a wrong secret, where RFC 6749 §5.2 says `invalid_client`.
#[actix_web::test]
async fn a_wrong_secret_is_the_operators_fault() {
    let scene = Scene::keycloak().await;
    scene.idp.has_secret("another");
    assert_eq!(reason(scene.signs_in().await), "upstream_credentials_refused");
    for (status, error) in [(401, "invalid_client"), (400, "invalid_client"), (400, "unauthorized_client"), (401, "")] {
        scene.idp.breaks("token", Fault::Says(status, json!({ "error": error }).to_string()));
        assert_eq!(reason(scene.signs_in().await), "upstream_credentials_refused", "{status} {error}");
    }
}

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
