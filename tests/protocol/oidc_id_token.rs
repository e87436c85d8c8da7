//! ID tokens: OpenID Connect Core, for clients that ask who somebody is, where the operator says so.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth_types::Ttl;
use portico_tests::expect;
use portico_tests::jwt::{self, Read};
use portico_tests::people::{App, PublicApp};
use portico_tests::stage::{BEGINNING, ISSUER, Stage, StageBuilder};
use portico_tests::wire::Answer;
use serde_json::{Value, json};

const OPENID: &str = "openid mcp:read";

fn on() -> StageBuilder {
    Stage::with("openid.enabled", "true")
}

fn pairwise() -> StageBuilder {
    on().setting("openid.subject", "\"pairwise\"")
}

/// Asks for this scope with a nonce, and redeems the code.
async fn asks(app: &App, scope: &str) -> Answer {
    let code = app.journey().with("scope", scope).with("nonce", "n-0S6_WzA2Mj").until_code().await;
    app.redeem(&code).await
}

/// The ID token of an answer, its signature checked.
async fn id_token(stage: &Stage, answer: &Answer) -> Read {
    let body = expect::ok(answer);
    let token = body["id_token"].as_str().unwrap_or_else(|| panic!("no ID token: {body}"));
    jwt::verified(token, &stage.key_set().await)
}

async fn app_at(stage: &Stage, callback: &str) -> PublicApp {
    let mut metadata = Stage::usual_registration();
    metadata["redirect_uris"] = json!([callback]);
    stage.public_app_from(&metadata).await
}

/// OpenID Connect Core §2, §3.1.3.3: exactly these claims; the audience is the client alone, so there is no azp.
#[actix_web::test]
async fn an_id_token_says_who_signed_in_when_and_for_whom() {
    let stage = on().rise().await;
    let app = stage.public_app().await;
    let answer = asks(&app, OPENID).await;
    let Read { header, claims } = id_token(&stage, &answer).await;
    assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("JWT"), Some("ES256")));
    let access = answer.member("access_token");
    let sub = jwt::unverified(&access).claims["sub"].clone();
    let half = URL_SAFE_NO_PAD.encode(&digest(&SHA256, access.as_bytes()).as_ref()[..16]);
    let expected = json!({
        "iss": ISSUER, "sub": sub, "aud": app.id, "iat": BEGINNING.0, "exp": BEGINNING.0 + 600, "auth_time": BEGINNING.0,
        "nonce": "n-0S6_WzA2Mj", "at_hash": half,
    });
    assert_eq!(claims, expected);
    assert_eq!(answer.member("scope"), "mcp:read openid");
}

/// OpenID Connect Core §3.1.2.1: only for who asks with openid; §3.1.3.6: nonce only if one was sent.
#[actix_web::test]
async fn who_does_not_ask_gets_none() {
    let stage = on().rise().await;
    let app = stage.public_app().await;
    let body = expect::ok(&asks(&app, "mcp:read").await);
    assert!(body.get("id_token").is_none(), "{body}");
    let body = expect::ok(&asks(&app, "mcp:read profile email").await);
    assert_eq!((body.get("id_token"), &body["scope"]), (None, &json!("mcp:read")), "without openid they mean nothing");
    let code = app.journey().with("scope", OPENID).until_code().await;
    let claims = id_token(&stage, &app.redeem(&code).await).await.claims;
    assert!(claims.get("nonce").is_none(), "{claims}");
}

/// Portico decision 45: where it is off, clients that ask all the same get what they can use, and no refusal.
#[actix_web::test]
async fn where_it_is_off_nobody_gets_one() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let body = expect::ok(&asks(&app, "openid profile mcp:read").await);
    assert_eq!((body.get("id_token"), &body["scope"]), (None, &json!("mcp:read")));
    let answer = stage.stranger().get("/userinfo").bearer(body["access_token"].as_str().unwrap_or_default()).await;
    expect::refused_with(&answer, 404, "invalid_request", "not_found");
}

/// OpenID Connect Core §12.2: at a refresh iss, sub, aud and auth_time are those of the first, iat is new, and there is no nonce.
#[actix_web::test]
async fn a_refreshed_id_token_names_the_same_sign_in() {
    let stage = on().rise().await;
    let app = stage.public_app().await;
    let first = asks(&app, OPENID).await;
    let before = id_token(&stage, &first).await.claims;
    stage.advance(Ttl::hours(1));
    let again = app.refresh(&first.member("refresh_token")).await;
    let after = id_token(&stage, &again).await.claims;
    for claim in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(after[claim], before[claim], "{claim}");
    }
    assert_eq!(after["iat"], BEGINNING.0 + 3_600);
    assert!(after.get("nonce").is_none() && after.get("azp").is_none(), "{after}");
    assert_ne!(after["at_hash"], before["at_hash"]);
    let narrowed = app.refresh_with(&again.member("refresh_token"), &[("scope", "mcp:read")]).await;
    assert!(expect::ok(&narrowed).get("id_token").is_none(), "who leaves openid out of a refresh asks for none");
}

/// RFC 8725 §3.11, RFC 9068 §4: an ID token is no access token, wherever it is shown.
#[actix_web::test]
async fn an_id_token_opens_nothing() {
    let stage = on().rise().await;
    let app = stage.public_app().await;
    let answer = asks(&app, OPENID).await;
    let id_token = answer.member("id_token");
    assert!(!stage.documents().accepts(&id_token).await);
    let refused = stage.stranger().get("/userinfo").bearer(&id_token).await;
    expect::refused(&refused, "invalid_token", "token_type_mismatch");
    assert!(stage.documents().accepts(&answer.member("access_token")).await);
}

/// OpenID Connect Core §8: public is the name that access tokens carry, for every client the same.
#[actix_web::test]
async fn a_public_subject_is_the_same_for_every_client() {
    let stage = on().rise().await;
    let (one, two) = (app_at(&stage, "https://one.example/cb").await, app_at(&stage, "https://two.example/cb").await);
    let sub = async |app: &PublicApp| id_token(&stage, &asks(app, OPENID).await).await.claims["sub"].clone();
    assert_eq!(sub(&one).await, sub(&two).await);
}

/// OpenID Connect Core §8.1: a pairwise subject is of its sector: the host of the redirect URI; of the client itself where no host is
/// anybody's. It is the same after a refresh and a restart, and nobody else's.
#[actix_web::test]
async fn a_pairwise_subject_is_of_its_sector() {
    let mut stage = pairwise().rise().await;
    stage.operator().adds_account("bob", "another correct horse").await;
    let (one, same) = (app_at(&stage, "https://one.example/cb").await, app_at(&stage, "https://one.example/other").await);
    let (two, native) = (app_at(&stage, "https://two.example/cb").await, app_at(&stage, "http://127.0.0.1:4711/cb").await);
    let other_native = app_at(&stage, "http://127.0.0.1:4711/cb").await;
    let mut subjects = Vec::new();
    for app in [&one, &same, &two, &native, &other_native] {
        subjects.push(id_token(&stage, &asks(app, OPENID).await).await.claims["sub"].as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(subjects[0], subjects[1], "one site");
    assert_eq!(subjects.iter().collect::<BTreeSet<_>>().len(), 4, "{subjects:?}");
    let answer = asks(&one, OPENID).await;
    assert_ne!(jwt::unverified(&answer.member("access_token")).claims["sub"], subjects[0], "the resource's name is another");
    stage.restarts().await;
    let again = one.refresh(&answer.member("refresh_token")).await;
    assert_eq!(id_token(&stage, &again).await.claims["sub"], subjects[0]);
    let mut bobs = one.journey().with("scope", OPENID).in_browser(stage.browser().typing("bob", "another correct horse"));
    let code = bobs.until_code().await;
    assert_ne!(id_token(&stage, &one.redeem(&code).await).await.claims["sub"], subjects[0]);
}

/// OpenID Connect Discovery §3, RFC 8414 §2: what is on stands in both documents, and only then.
#[actix_web::test]
async fn the_metadata_say_what_is_on() {
    let documents = async |stage: &Stage| {
        let mut documents = Vec::new();
        for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
            documents.push(expect::ok(&stage.stranger().get(path).await));
        }
        documents
    };
    let lists = |document: &Value, scope: &str| document["scopes_supported"].as_array().is_some_and(|all| all.contains(&scope.into()));
    for document in documents(&pairwise().rise().await).await {
        assert_eq!(document["userinfo_endpoint"], format!("{ISSUER}/userinfo"));
        assert!(["openid", "profile", "email"].iter().all(|scope| lists(&document, scope)), "{document}");
    }
    let stage = pairwise().rise().await;
    let openid = &documents(&stage).await[1];
    assert_eq!(openid["subject_types_supported"], json!(["pairwise"]));
    let claims = openid["claims_supported"].as_array().expect("a list of claims").clone();
    let told = id_token(&stage, &asks(&*stage.public_app().await, OPENID).await).await.claims;
    assert!(told.as_object().unwrap().keys().all(|claim| claims.contains(&claim.as_str().into())), "{told}");
    for document in documents(&Stage::rise().await).await {
        assert!(document.get("userinfo_endpoint").is_none() && document.get("claims_supported").is_none(), "{document}");
        assert!(!lists(&document, "openid"), "{document}");
    }
}
