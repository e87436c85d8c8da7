//! UserInfo: OpenID Connect Core §5.3. Who is this, for a client that was granted to know.

use oauth_types::Ttl;
use portico_tests::company::Company;
use portico_tests::expect;
use portico_tests::jwt;
use portico_tests::people::{App, Tokens};
use portico_tests::stage::{ALICE, NOTES, Stage, StageBuilder};
use portico_tests::wire::Answer;
use serde_json::{Value, json};

fn on() -> StageBuilder {
    Stage::with("openid.enabled", "true")
}

async fn granted(app: &App, scope: &str) -> Answer {
    let code = app.journey().with("scope", scope).until_code().await;
    app.redeem(&code).await
}

async fn told(stage: &Stage, access_token: &str) -> Value {
    let answer = stage.stranger().get("/userinfo").bearer(access_token).await;
    expect::no_store(&answer);
    expect::ok(&answer)
}

/// A company whose clients may ask who somebody is, and what is said of this person to who was granted this scope.
async fn at_the_company(company: &Company, scope: &str) -> (Tokens, Value) {
    let app = company.stage.public_app().await;
    let code = company.journey(&app).with("scope", scope).until_code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    let person = told(&company.stage, &tokens.access).await;
    (tokens, person)
}

/// OpenID Connect Core §5.3.2, §5.4: sub always; name with profile, mail with email, and a mail address only if it is verified.
#[actix_web::test]
async fn each_scope_opens_its_own_claims() {
    let company = Company::built(on()).await;
    let (tokens, person) = at_the_company(&company, "openid mcp:read").await;
    let sub = jwt::unverified(&tokens.access).claims["sub"].clone();
    assert_eq!(person, json!({ "sub": sub }));
    let (_, person) = at_the_company(&company, "openid profile mcp:read").await;
    assert_eq!(person, json!({ "sub": sub, "name": "Alice Example", "preferred_username": "alice" }));
    let (_, person) = at_the_company(&company, "openid email mcp:read").await;
    assert_eq!(person, json!({ "sub": sub, "email": "alice@portico.test", "email_verified": true }));
    company.idp.change("alice", |alice| alice.email_verified = false);
    let (_, person) = at_the_company(&company, "openid email mcp:read").await;
    assert_eq!(person, json!({ "sub": sub }), "attack 61: an address that nobody vouches for is not passed on");
}

/// OpenID Connect Core §5.3.2: what the provider says of somebody now, as far as it was asked.
#[actix_web::test]
async fn what_the_provider_said_last_is_told() {
    let company = Company::built(on()).await;
    let app = company.stage.public_app().await;
    let code = company.journey(&app).with("scope", "openid profile mcp:read").until_code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    company.idp.change("alice", |alice| alice.name = "Alice Renamed".into());
    assert_eq!(told(&company.stage, &tokens.access).await["name"], "Alice Example", "nobody has asked");
    company.stage.advance(Ttl::minutes(5));
    let tokens = Tokens::of(&app.refresh(&tokens.refresh).await);
    assert_eq!(told(&company.stage, &tokens.access).await["name"], "Alice Renamed");
}

/// OpenID Connect Core §5.3.2: somebody with an account here has a name, and no mail address that anybody verified.
#[actix_web::test]
async fn an_account_here_has_a_name_and_no_mail() {
    let stage = on().rise().await;
    let answer = granted(&*stage.public_app().await, "openid profile email mcp:read").await;
    let person = told(&stage, &answer.member("access_token")).await;
    assert_eq!(person["preferred_username"], ALICE);
    assert!(person["name"].as_str().is_some_and(|name| !name.is_empty()) && person.get("email").is_none(), "{person}");
}

/// OpenID Connect Core §5.3.2: sub is exactly the ID token's, pairwise ones too.
#[actix_web::test]
async fn the_subject_is_that_of_the_id_token() {
    for kind in ["\"public\"", "\"pairwise\""] {
        let stage = on().setting("openid.subject", kind).rise().await;
        let answer = granted(&*stage.public_app().await, "openid mcp:read").await;
        let claims = jwt::unverified(&answer.member("id_token")).claims;
        assert_eq!(told(&stage, &answer.member("access_token")).await["sub"], claims["sub"], "{kind}");
    }
}

/// OpenID Connect Core §5.3.1: GET and POST; RFC 6750 §2.1, attack 44: the token in the header, nowhere else.
#[actix_web::test]
async fn the_token_comes_in_the_header_by_get_or_post() {
    let stage = on().rise().await;
    let access = granted(&*stage.public_app().await, "openid mcp:read").await.member("access_token");
    let stranger = stage.stranger();
    let by_get = expect::ok(&stranger.get("/userinfo").bearer(&access).await);
    assert_eq!(expect::ok(&stranger.request("POST", "/userinfo").bearer(&access).await), by_get);
    for elsewhere in [
        stranger.get(&format!("/userinfo?access_token={access}")).await,
        stranger.post("/userinfo", &[("access_token", &access)]).await,
        stranger.get("/userinfo").await,
    ] {
        expect::refused(&elsewhere, "invalid_token", "token_missing");
        assert_eq!(elsewhere.header("www-authenticate"), Some("Bearer"));
    }
}

/// RFC 6750 §3.1: without the scope openid 403 and which scope it takes; profile alone is not enough.
#[actix_web::test]
async fn a_token_without_openid_learns_nothing() {
    let stage = on().rise().await;
    let access = granted(&*stage.public_app().await, "mcp:read profile").await.member("access_token");
    let answer = stage.stranger().get("/userinfo").bearer(&access).await;
    expect::refused(&answer, "insufficient_scope", "scope_insufficient");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"insufficient_scope\", scope=\"openid\""));
}

/// Portico decision 113: the scope is what was granted for this, whichever resource the token is for.
#[actix_web::test]
async fn a_token_for_any_resource_of_ours_is_good_here() {
    let stage = on().rise().await;
    let app = stage.public_app().await;
    let code = app.journey().with("scope", "openid notes:read").with("resource", NOTES).until_code().await;
    let access = app.redeem(&code).await.member("access_token");
    assert_eq!(jwt::unverified(&access).claims["aud"], NOTES);
    assert!(told(&stage, &access).await["sub"].is_string());
}

/// RFC 6750 §3.1: what ended or expired is invalid_token: a revoked grant, a signed-out person, an old token.
#[actix_web::test]
async fn what_ended_learns_nothing_more() {
    let stage = on().rise().await;
    let app = stage.public_app().await;
    let refused = async |access: &str, reason: &str| {
        let answer = stage.stranger().get("/userinfo").bearer(access).await;
        expect::refused(&answer, "invalid_token", reason);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    };
    let (one, two) = (granted(&app, "openid mcp:read").await, granted(&app, "openid mcp:read").await);
    app.revoke(&one.member("refresh_token")).await;
    refused(&one.member("access_token"), "token_ended").await;
    told(&stage, &two.member("access_token")).await;
    stage.advance(Ttl::minutes(10));
    refused(&two.member("access_token"), "token_expired").await;

    let company = Company::built(on()).await;
    let (tokens, _) = at_the_company(&company, "openid profile mcp:read").await;
    let notice = company.idp.logout_token(Some(&company.idp.sid_of("alice")), None);
    company.stage.stranger().post("/backchannel-logout/keycloak", &[("logout_token", &notice)]).await;
    let answer = company.stage.stranger().get("/userinfo").bearer(&tokens.access).await;
    expect::refused(&answer, "invalid_token", "token_ended");
}

/// OpenID Connect Core §5.3: scripts of any origin may ask, never with cookies.
#[actix_web::test]
async fn a_script_may_ask() {
    let stage = on().rise().await;
    let preflight = stage.stranger().preflight("/userinfo", "https://app.example", "GET", "authorization").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some("*")));
    assert_eq!(preflight.header("access-control-allow-credentials"), None);
}
