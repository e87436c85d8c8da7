//! Which tokens open the door (RFC 9068 §4, RFC 8725, RFC 6750): the attacks on tokens, each with the reason that the operator reads.

use crate::issuer::{Issuer, NOW, RESOURCE, Signer, b64};
use aws_lc_rs::hmac;
use oauth_types::{Error, Scope, TokenFault};
use serde_json::{Value, json};

async fn refused(guard: &bearer_guard::Guard, token: &str) -> TokenFault {
    match guard.admit(token, &Scope::default()).await {
        Err(Error::InvalidToken(fault)) => fault,
        other => panic!("expected a refusal of the token, got {other:?}"),
    }
}

/// RFC 9068 §4; RFC 7518 §3.1: each algorithm with a key of its own.
#[actix_web::test]
async fn a_good_token_opens_the_door_and_tells_who_comes() {
    for signer in [Signer::es256(), Signer::eddsa(), Signer::rs256()] {
        let issuer = Issuer::start(signer).await;
        let guard = issuer.guard().await;
        let caller = guard.admit(&issuer.token(), &Scope::parse("mcp:read").unwrap()).await.unwrap();
        assert_eq!((caller.subject(), caller.client_id(), caller.grant_id()), ("ada", "client-1", "grant-1"));
        assert_eq!((caller.token_jti(), caller.scope().as_str(), caller.expires_at().0), ("token-1", "mcp:read", NOW + 600));
    }
}

/// RFC 6750 §3.1: insufficient_scope names everything that is needed.
#[actix_web::test]
async fn a_token_without_the_scope_is_good_and_not_enough() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let needed = Scope::parse("mcp:read mcp:write").unwrap();
    let error = guard.admit(&issuer.token(), &needed).await.unwrap_err();
    assert_eq!((error.code(), error.status(), error.reason()), ("insufficient_scope", 403, "scope_insufficient"));
    assert!(matches!(error, Error::InsufficientScope { needed: told } if told == needed));
    // A broader token passes.
    let broad = issuer.token_with("scope", json!("mcp:write offline_access mcp:read"));
    assert!(guard.admit(&broad, &needed).await.is_ok());
    // A scope whose name begins the same is another.
    assert!(guard.admit(&issuer.token_with("scope", json!("mcp:readers")), &Scope::parse("mcp:read").unwrap()).await.is_err());
}

/// Attack 28, token passthrough: a token of the identity provider, or of anybody else, whose signature is good where it comes from.
#[actix_web::test]
async fn a_token_of_another_issuer_is_refused() {
    let issuer = Issuer::start(Signer::es256()).await;
    let elsewhere = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    assert_eq!(refused(&guard, &elsewhere.token()).await, TokenFault::SignatureMismatch);
    assert_eq!(refused(&guard, &elsewhere.token_headed("kid", json!("theirs"))).await, TokenFault::KeyUnknown);
}

/// Attack 29, audience confusion. RFC 9068 §4: the resource indicator value corresponding to an identifier it expects for itself.
#[actix_web::test]
async fn a_token_for_another_audience_is_refused() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    for audience in [
        json!("https://rs.example/other"),
        json!("https://rs.example/mc"),
        json!("https://rs.example/mcp/"),
        json!("https://rs.example/mcp2"),
        json!("https://RS.example/mcp"),
        json!("https://rs.example"),
        json!("http://rs.example/mcp"),
        json!(issuer.url.as_str()),
        json!(""),
        json!([]),
        json!([RESOURCE, "https://other.example"]),
        json!([RESOURCE, RESOURCE]),
        json!(["https://other.example"]),
    ] {
        assert_eq!(refused(&guard, &issuer.token_with("aud", audience.clone())).await, TokenFault::AudienceMismatch, "{audience}");
    }
    assert_eq!(refused(&guard, &issuer.token_with("aud", Value::Null)).await, TokenFault::ClaimMissing("aud"));
    assert!(guard.admit(&issuer.token_with("aud", json!([RESOURCE])), &Scope::default()).await.is_ok());
}

/// Attack 30, type confusion. RFC 9068 §4: typ must be at+jwt or application/at+jwt.
#[actix_web::test]
async fn another_kind_of_jwt_is_no_access_token() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    for typ in [
        Value::Null,
        json!("JWT"),
        json!("jwt"),
        json!("logout+jwt"),
        json!("oauth-id-jag+jwt"),
        json!("rt+jwt"),
        json!("at+jwt "),
        json!("text/at+jwt"),
        json!(""),
    ] {
        assert_eq!(refused(&guard, &issuer.token_headed("typ", typ.clone())).await, TokenFault::TypeNotAccessToken, "{typ}");
    }
    for typ in ["application/at+jwt", "AT+JWT"] {
        assert!(guard.admit(&issuer.token_headed("typ", json!(typ)), &Scope::default()).await.is_ok(), "{typ}");
    }
}

/// Attack 31, algorithm confusion. RFC 8725 §3.1: the algorithm is the key's, never the header's.
#[actix_web::test]
async fn the_key_fixes_the_algorithm() {
    let issuer = Issuer::start(Signer::es256()).await;
    let rsa = Signer::rs256();
    issuer.book.keys.lock().unwrap().push(rsa.jwk("r1"));
    let guard = issuer.guard().await;
    let unsigned = |alg: &str| {
        let header = json!({"typ": "at+jwt", "alg": alg, "kid": "k1"});
        format!("{}.{}.", b64(header.to_string()), b64(issuer.claims().to_string()))
    };
    for alg in ["none", "None", "NONE", "nOnE", "HS256", "HS512", "RS256", "RS384", "PS256", "ES384", "ES256K", "es256", "EdDSA", ""] {
        assert_eq!(refused(&guard, &unsigned(alg)).await, TokenFault::AlgorithmMismatch, "{alg}");
        assert_eq!(refused(&guard, &issuer.token_headed("alg", json!(alg))).await, TokenFault::AlgorithmMismatch, "{alg}");
    }
    assert_eq!(refused(&guard, &issuer.token_headed("alg", Value::Null)).await, TokenFault::AlgorithmMismatch);
    // HS256 with the public key, which everybody has, as the secret.
    let public = issuer.book.keys.lock().unwrap()[0].to_string();
    let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": "k1"});
    let message = format!("{}.{}", b64(header.to_string()), b64(issuer.claims().to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes()), message.as_bytes());
    assert_eq!(refused(&guard, &format!("{message}.{}", b64(tag))).await, TokenFault::AlgorithmMismatch);
    // The right algorithm with the name of a key of another family, both ways.
    assert_eq!(refused(&guard, &issuer.token_headed("kid", json!("r1"))).await, TokenFault::AlgorithmMismatch);
    let header = json!({"typ": "at+jwt", "alg": "RS256", "kid": "k1"});
    assert_eq!(refused(&guard, &rsa.token(&header, &issuer.claims())).await, TokenFault::AlgorithmMismatch);
    // Its own key signs.
    let header = json!({"typ": "at+jwt", "alg": "RS256", "kid": "r1"});
    assert!(guard.admit(&rsa.token(&header, &issuer.claims()), &Scope::default()).await.is_ok());
}

/// Attack 31: no signature, somebody else's, a cut one, one over another text.
#[actix_web::test]
async fn a_signature_must_be_that_of_the_key_over_the_token() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let token = issuer.token();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    assert_eq!(refused(&guard, &format!("{message}.")).await, TokenFault::SignatureMismatch);
    assert_eq!(refused(&guard, &format!("{message}.{}", &signature[..84])).await, TokenFault::SignatureMismatch);
    assert_eq!(refused(&guard, &format!("{message}.{}", b64([0; 64]))).await, TokenFault::SignatureMismatch);
    let promoted = b64(issuer.claims().to_string().replace("mcp:read", "mcp:write"));
    assert_ne!(promoted, payload);
    assert_eq!(refused(&guard, &format!("{header}.{promoted}.{signature}")).await, TokenFault::SignatureMismatch);
    assert_eq!(refused(&guard, &Signer::es256().token(&issuer.header(), &issuer.claims())).await, TokenFault::SignatureMismatch);
    assert!(guard.admit(&token, &Scope::default()).await.is_ok());
}

/// Attack 31; RFC 7515 §4.1.11.
#[actix_web::test]
async fn what_is_critical_to_somebody_else_is_refused() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!("x")] {
        assert_eq!(refused(&guard, &issuer.token_headed("crit", crit.clone())).await, TokenFault::CriticalHeader, "{crit}");
    }
}

/// Attack 32, key name injection: a name is looked up, never followed.
#[actix_web::test]
async fn a_strange_key_name_is_an_unknown_key() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let stray = issuer.url.at("/elsewhere");
    let long = "k".repeat(700);
    for kid in ["../../etc/passwd", "' OR 1=1 --", "k1\u{0}", "K1", " k1", "k1 ", "", stray.as_str(), long.as_str()] {
        assert_eq!(refused(&guard, &issuer.token_headed("kid", json!(kid))).await, TokenFault::KeyUnknown, "{kid}");
    }
    assert_eq!(refused(&guard, &issuer.token_headed("kid", Value::Null)).await, TokenFault::KeyUnknown);
    assert_eq!(refused(&guard, &issuer.token_headed("kid", json!(7))).await, TokenFault::Malformed);
    assert_eq!(refused(&guard, &issuer.token_headed("kid", json!("k".repeat(4_000)))).await, TokenFault::Malformed);
    assert_eq!(refused(&guard, &issuer.token_headed("kid", json!("k".repeat(10_000)))).await, TokenFault::TooLong);
    assert_eq!(issuer.book.strayed.load(std::sync::atomic::Ordering::SeqCst), 0);
}

/// Attack 32: a key that the token brings along counts for nothing, and nothing is fetched.
#[actix_web::test]
async fn keys_in_the_header_are_not_read() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let own = Signer::es256();
    let stray = issuer.url.at("/elsewhere");
    for (member, value) in
        [("jwk", own.jwk("k1")), ("jku", json!(stray)), ("x5u", json!(stray)), ("x5c", json!(["MIIB"])), ("x5t", json!("AAAA"))]
    {
        let mut header = issuer.header();
        header[member] = value;
        assert_eq!(refused(&guard, &own.token(&header, &issuer.claims())).await, TokenFault::SignatureMismatch, "{member}");
        // The issuer's own token stays good with it: the member is nothing to us.
        assert!(guard.admit(&issuer.signer.token(&header, &issuer.claims()), &Scope::default()).await.is_ok(), "{member}");
    }
    assert_eq!(issuer.book.strayed.load(std::sync::atomic::Ordering::SeqCst), 0);
}

/// Attack 33, issuer confusion. RFC 9068 §4: must exactly match.
#[actix_web::test]
async fn the_issuer_is_compared_byte_for_byte() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let ours = issuer.url.as_str();
    for theirs in [format!("{ours}/"), ours.to_uppercase(), format!("{ours}/tenant"), ours.replace("http:", "https:"), String::new()] {
        assert_eq!(refused(&guard, &issuer.token_with("iss", json!(theirs))).await, TokenFault::IssuerMismatch, "{theirs}");
    }
    assert_eq!(refused(&guard, &issuer.token_with("iss", Value::Null)).await, TokenFault::ClaimMissing("iss"));
}

/// Attack 34, time. RFC 7519 §4.1.4 to §4.1.6, with a leeway of five seconds.
#[actix_web::test]
async fn a_token_is_good_in_its_time_only() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let rows = [
        ("exp", NOW - 5, Some(TokenFault::Expired)),
        ("exp", NOW - 4, None),
        ("nbf", NOW + 6, Some(TokenFault::NotYetValid)),
        ("nbf", NOW + 5, None),
        ("iat", NOW + 6, Some(TokenFault::IssuedInFuture)),
        ("iat", NOW + 5, None),
        ("exp", NOW + 3_601, Some(TokenFault::LivesTooLong)),
        ("exp", NOW + 3_600, None),
        ("exp", i64::MAX, Some(TokenFault::LivesTooLong)),
        ("exp", i64::MIN, Some(TokenFault::Expired)),
        ("iat", i64::MIN, Some(TokenFault::LivesTooLong)),
        ("nbf", i64::MAX, Some(TokenFault::NotYetValid)),
    ];
    for (claim, value, fault) in rows {
        let token = issuer.token_with(claim, json!(value));
        match fault {
            Some(fault) => assert_eq!(refused(&guard, &token).await, fault, "{claim} {value}"),
            None => assert!(guard.admit(&token, &Scope::default()).await.is_ok(), "{claim} {value}"),
        }
    }
}

/// RFC 9068 §2.2: iss, exp, aud, sub, client_id, iat and jti are REQUIRED.
#[actix_web::test]
async fn a_missing_or_misshapen_claim_is_named() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    for name in ["iss", "aud", "exp", "iat", "sub", "client_id", "jti", "grant_id"] {
        assert_eq!(refused(&guard, &issuer.token_with(name, Value::Null)).await, TokenFault::ClaimMissing(name));
    }
    for name in ["exp", "iat", "nbf"] {
        assert_eq!(refused(&guard, &issuer.token_with(name, json!("1800000600"))).await, TokenFault::Malformed, "{name}");
        assert_eq!(refused(&guard, &issuer.token_with(name, json!(1e300))).await, TokenFault::Malformed, "{name}");
    }
    for (name, value) in [("sub", "../ada"), ("client_id", "a b"), ("scope", "a\"b")] {
        assert_eq!(refused(&guard, &issuer.token_with(name, json!(value))).await, TokenFault::ClaimMalformed(name));
    }
}

#[actix_web::test]
async fn what_is_no_token_is_refused_without_panic() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    assert_eq!(refused(&guard, "").await, TokenFault::Missing);
    let token = issuer.token();
    let encrypted = format!("{token}.AAAA.BBBB");
    let array = format!("{}.{}.AAAA", b64("[]"), b64("{}"));
    let twice = format!("{}.e30.AAAA", b64("{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"k1\",\"alg\":\"none\"}"));
    let long_header = format!("{}.e30.AAAA", b64(format!("{{\"typ\":\"{}\"}}", "a".repeat(1_100))));
    let padded = token.replacen('.', "=.", 1);
    for garbage in
        [".", "..", "...", "a.b.c", "e30.e30.e30.", "not a token", "ä.ö.ü", &encrypted, &array, &twice, &long_header, &padded, &token[1..]]
    {
        assert_eq!(refused(&guard, garbage).await, TokenFault::Malformed, "{garbage}");
    }
    assert_eq!(refused(&guard, &"a".repeat(8_193)).await, TokenFault::TooLong);
}
