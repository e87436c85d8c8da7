//! A provider that lies, in every way that we could think of. Each lie has the reason that the operator reads.

use serde_json::{Value, json};

use super::*;
use crate::upstream::idp::{CLIENT_ID, Fault};

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
    for (signing, why) in NOT_THE_PROVIDERS {
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
