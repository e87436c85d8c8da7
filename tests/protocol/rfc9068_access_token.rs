//! RFC 9068: what stands in an access token, and who can prove it.

use std::collections::BTreeSet;

use oauth_types::Ttl;
use portico_tests::jwt;
use portico_tests::people::Tokens;
use portico_tests::stage::{BEGINNING, DOCUMENTS, ISSUER, Stage};

/// RFC 9068 §2.1: the header's typ is at+jwt, the algorithm asymmetric, the key named.
#[actix_web::test]
async fn the_header_says_what_it_is_and_which_key_signed() {
    let stage = Stage::rise().await;
    let tokens = stage.public_app().await.tokens().await;
    let header = jwt::verified(&tokens.access, &stage.key_set().await).header;
    assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("at+jwt"), Some("ES256")));
    let members: BTreeSet<_> = header.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, BTreeSet::from(["alg", "kid", "typ"]), "nothing that a reader could mistake for a key");
}

/// RFC 9068 §2.2: iss, exp, aud, sub, client_id, iat and jti are REQUIRED; §2.2.3: scope when scope was granted.
#[actix_web::test]
async fn the_claims_are_those_of_the_rfc() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let claims = jwt::unverified(&app.tokens().await.access).claims;
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["aud"], DOCUMENTS);
    assert_eq!(claims["client_id"], app.id);
    assert_eq!(claims["scope"], "mcp:read");
    assert_eq!(claims["iat"], BEGINNING.0);
    assert_eq!(claims["exp"], BEGINNING.0 + 600);
    assert!(claims["jti"].as_str().is_some_and(|jti| jti.len() >= 16), "{claims}");
    assert!(claims["sub"].as_str().is_some_and(|sub| !sub.is_empty()), "{claims}");
}

/// RFC 9068 §6: the token carries no more about the person than a resource needs.
#[actix_web::test]
async fn the_token_does_not_tell_who_alice_is() {
    let stage = Stage::rise().await;
    let claims = jwt::unverified(&stage.public_app().await.tokens().await.access).claims;
    let known = ["iss", "sub", "aud", "client_id", "exp", "iat", "jti", "scope", "grant_id", "sid", "auth_time"];
    let more: Vec<_> = claims.as_object().unwrap().keys().filter(|name| !known.contains(&name.as_str())).collect();
    assert!(more.is_empty(), "unexpected claims {more:?}");
    assert!(!claims.to_string().contains("alice"), "the user name is not the subject");
}

/// RFC 9068 §5: sub is the same person for every client and every sign-in.
#[actix_web::test]
async fn a_person_keeps_one_subject() {
    let stage = Stage::rise().await;
    let subject = |access: &str| jwt::unverified(access).claims["sub"].clone();
    let one = subject(&stage.public_app().await.tokens().await.access);
    stage.advance(Ttl::days(1));
    assert_eq!(subject(&stage.confidential_app("client_secret_basic").await.tokens().await.access), one);
}

/// RFC 9068 §2.2.1: auth_time tells when the person really signed in, also after refreshes.
#[actix_web::test]
async fn auth_time_stays_when_the_token_is_renewed() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let tokens = app.tokens().await;
    stage.advance(Ttl(300));
    let again = jwt::unverified(&Tokens::of(&app.refresh(&tokens.refresh).await).access).claims;
    assert_eq!((&again["auth_time"], &again["iat"]), (&BEGINNING.0.into(), &(BEGINNING.0 + 300).into()));
}

/// RFC 9068 §2.2: every token has a jti of its own.
#[actix_web::test]
async fn no_two_tokens_share_their_id() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let first = app.tokens().await;
    let second = Tokens::of(&app.refresh(&first.refresh).await);
    assert_ne!(jwt::unverified(&first.access).claims["jti"], jwt::unverified(&second.access).claims["jti"]);
}

/// RFC 9068 §5: a token of an unchanged grant names that grant, so that it can be ended.
#[actix_web::test]
async fn tokens_of_one_permission_name_one_grant() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (first, other) = (app.tokens().await, app.tokens().await);
    let second = Tokens::of(&app.refresh(&first.refresh).await);
    let grant = |tokens: &Tokens| jwt::unverified(&tokens.access).claims["grant_id"].clone();
    assert_eq!(grant(&first), grant(&second));
    assert_ne!(grant(&first), grant(&other));
}

/// RFC 7517 §4: published keys are public, named, and say what they are for.
#[actix_web::test]
async fn published_keys_hold_nothing_private() {
    let stage = Stage::rise().await;
    let key_set = stage.key_set().await;
    let keys = key_set["keys"].as_array().unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert!(key.get(private).is_none(), "a private member {private} is published");
        }
        assert_eq!((key["use"].as_str(), key["alg"].as_str(), key["kty"].as_str()), (Some("sig"), Some("ES256"), Some("EC")));
        assert!(key["kid"].as_str().is_some_and(|kid| !kid.is_empty()));
    }
}

/// RFC 9068 §4: after a rotation old tokens are still proven by the published keys, new ones by the new key.
#[actix_web::test]
async fn a_rotation_of_keys_loses_nobody() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let before = app.tokens().await;
    stage.operator().rotates_keys().await;
    stage.advance(Ttl::hours(2));
    stage.operator().ticks().await;
    let after = Tokens::of(&app.refresh(&before.refresh).await);
    let key_set = stage.key_set().await;
    let kid = |tokens: &Tokens| jwt::verified(&tokens.access, &key_set).header["kid"].clone();
    assert_ne!(kid(&before), kid(&after));
}

/// RFC 9068 §5: what a stolen key signed is believed no more, from the moment the operator says so.
#[actix_web::test]
async fn a_stolen_key_is_believed_no_more() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let before = app.tokens().await;
    stage.operator().replaces_a_stolen_key().await;
    assert!(!stage.documents().accepts(&before.access).await);
    let kid = jwt::unverified(&before.access).header["kid"].clone();
    assert!(stage.key_set().await["keys"].as_array().unwrap().iter().all(|key| key["kid"] != kid), "it is still published");
    let after = Tokens::of(&app.refresh(&before.refresh).await);
    assert!(stage.documents().accepts(&after.access).await);
}

/// RFC 9068 §2.1: the algorithm is the operator's choice among asymmetric ones.
#[actix_web::test]
async fn another_algorithm_is_used_when_it_is_set() {
    for algorithm in ["EdDSA", "RS256"] {
        let stage = Stage::with("keys.algorithm", &format!("{algorithm:?}")).rise().await;
        let tokens = stage.public_app().await.tokens().await;
        assert_eq!(jwt::unverified(&tokens.access).header["alg"], algorithm);
        assert!(stage.documents().accepts(&tokens.access).await);
    }
}
