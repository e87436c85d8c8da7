//! No secret is left lying around: not in the log, not in the database.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oauth_types::Ttl;
use portico_tests::company::Company;
use portico_tests::idp::{CLIENT_SECRET, Fault, Refreshing};
use portico_tests::journeys::VERIFIER;
use portico_tests::people::Tokens;
use portico_tests::secrets::Secret;
use portico_tests::stage::{ALICE, Stage};
use portico_tests::{expect, log};

/// Shorter texts would be found by chance.
const SECRET_CHARACTERS_MIN: usize = 12;

/// RFC 6819 §5.1.6: no log line holds a secret, whatever succeeded or failed before.
#[actix_web::test]
async fn no_secret_is_ever_logged() {
    let stage = Stage::rise().await;
    let secrets = everything_happens(&stage).await;
    let lines: Vec<_> = log::lines().iter().map(log::Line::text).collect();
    assert!(lines.len() > 50, "the log was not captured");
    for secret in &secrets {
        let encoded = STANDARD.encode(&secret.text);
        for line in &lines {
            assert!(!line.contains(&secret.text) && !line.contains(&encoded), "the log tells {}: {line}", secret.what);
        }
    }
}

/// RFC 6819 §5.1.6: full query strings, bodies and cookies are not logged either.
#[actix_web::test]
async fn no_request_is_logged_whole() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let marker = "marker-of-the-state-0123456789";
    let journey = app.journey().with("state", marker).and("login_hint", "marker-of-a-person@portico.test");
    let code = journey.clone().until_code().await;
    app.redeem(&code).await;
    journey.without("code_challenge").asks().await;
    for line in log::lines() {
        let text = line.text();
        for marker in [marker, "marker-of-a-person", "code_challenge=", "code_verifier="] {
            assert!(!text.contains(marker), "{text}");
        }
    }
}

/// RFC 6819 §5.1.4.1.3: the database holds hashes of secrets and sealed keys, never the secrets.
#[actix_web::test]
async fn no_secret_is_ever_stored() {
    let stage = Stage::rise().await;
    let secrets = everything_happens(&stage).await;
    let mut files = Vec::new();
    collect(stage.folder(), &mut files);
    let total: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(total > 10_000, "the database was not found");
    for (name, bytes) in &files {
        for secret in &secrets {
            assert!(!contains(bytes, secret.text.as_bytes()), "{name} holds {}", secret.what);
        }
    }
}

/// RFC 6819 §5.1.4.1.3, §5.1.6: what we hold of a provider, and who its people are. Tokens are sealed; the log knows neither.
#[actix_web::test]
async fn nothing_of_a_provider_lies_around() {
    let company = Company::built(Stage::with("openid.enabled", "true")).await;
    let (stage, idp) = (&company.stage, &company.idp);
    let app = stage.public_app().await;
    let code = company.journey(&app).with("scope", "openid profile email mcp:read").until_code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    idp.refreshes(Refreshing::Rotating);
    stage.advance(Ttl::minutes(5));
    let tokens = Tokens::of(&app.refresh(&tokens.refresh).await);
    expect::ok(&stage.stranger().get("/userinfo").bearer(&tokens.access).await);
    idp.breaks("token", Fault::Status(500));
    stage.advance(Ttl::minutes(5));
    assert_eq!(app.refresh(&tokens.refresh).await.status, 503);
    let mut files = Vec::new();
    collect(stage.folder(), &mut files);
    let notice = idp.logout_token(Some(&idp.sid_of("alice")), None);
    for _ in 0..2 {
        stage.stranger().post("/backchannel-logout/keycloak", &[("logout_token", &notice)]).await;
    }
    collect(stage.folder(), &mut files);
    // Every token and code of this provider ends with these words.
    let of_provider = "-of-the-provider";
    assert!(idp.seen("token").iter().any(|seen| seen.fields.values().any(|value| value.ends_with(of_provider))));
    for (name, bytes) in &files {
        for secret in [of_provider, CLIENT_SECRET, &notice] {
            assert!(!contains(bytes, secret.as_bytes()), "{name} holds a secret of the provider");
        }
    }
    for line in log::lines() {
        let text = line.text();
        for marker in [of_provider, CLIENT_SECRET, &notice, "Alice Example", "alice@portico.test"] {
            assert!(!text.contains(marker), "{text}");
        }
    }
}

/// RFC 6819 §5.1.4.1.4: the key that seals signing keys is readable by its owner only.
#[cfg(unix)]
#[actix_web::test]
async fn the_sealing_key_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = Stage::rise().await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&stage.folder().join("sealing.key")), 0o600);
}

/// A life of a server in which every secret appears, in success and in failure.
async fn everything_happens(stage: &Stage) -> Vec<Secret> {
    let secrets = stage.secrets();
    secrets.learn("code_verifier", VERIFIER);
    let (app, basic) = (stage.public_app().await, stage.confidential_app("client_secret_basic").await);
    let post = stage.confidential_app("client_secret_post").await;
    post.tokens().await;
    let tokens = basic.tokens().await;
    let code = app.code().await;
    app.redeem_with(&code, "code_verifier", "a-wrong-verifier-that-is-a-secret-as-well-0123").await;
    secrets.learn("wrong code_verifier", "a-wrong-verifier-that-is-a-secret-as-well-0123");
    let own = Tokens::of(&app.redeem(&code).await);
    app.redeem(&code).await;
    let next = Tokens::of(&basic.refresh(&tokens.refresh).await);
    basic.refresh(&tokens.refresh).await;
    basic.refresh_with(&next.refresh, &[("scope", "admin")]).await;
    app.refresh(&next.refresh).await;
    stage.documents().introspect(&next.access).await;
    stage.documents().introspect(&own.access).await;
    stage.notes().introspect(&next.access).await;
    stage.documents().introspect(&next.refresh).await;
    stage.stranger().post("/token", &[("grant_type", "refresh_token")]).basic(&basic.id, "a-guessed-client-secret").await;
    secrets.learn("guessed secret", "a-guessed-client-secret");
    stage.stranger().get(&format!("/register/{}", app.id)).bearer("a-guessed-registration-token").await;
    secrets.learn("guessed registration token", "a-guessed-registration-token");
    let wrong = stage.browser().typing(ALICE, "a-mistyped-password-of-alice");
    secrets.learn("mistyped password", "a-mistyped-password-of-alice");
    let mut journey = app.journey().in_browser(wrong);
    let (page, path) = journey.until_page().await;
    let next_page = journey.browser().says_yes(&page, &path).await;
    let (page, path) = journey.browser().walk(next_page, path).await;
    if page.status == 200 {
        journey.browser().says_yes(&page, &path).await;
    }
    basic.revoke(&next.access).await;
    basic.revoke("a-made-up-token-that-could-be-real-elsewhere").await;
    secrets.learn("unknown token", "a-made-up-token-that-could-be-real-elsewhere");
    expect::success(&app.manage("GET").await, 200);
    app.manage("DELETE").await;
    stage.operator().rotates_keys().await;
    stage.advance(Ttl::days(40));
    stage.operator().ticks().await;
    stage.stranger().get("/authorize?code=a-code-where-none-belongs&state=x").await;
    secrets.learn("stray code", "a-code-where-none-belongs");
    let all: Vec<_> = secrets.all().into_iter().filter(|secret| secret.text.len() >= SECRET_CHARACTERS_MIN).collect();
    for what in ["access_token", "refresh_token", "client_secret", "registration_access_token", "code", "password", "code_verifier"] {
        assert!(all.iter().any(|secret| secret.what == what), "no {what} appeared");
    }
    assert!(all.iter().any(|secret| secret.what.starts_with("cookie ")), "no cookie appeared");
    all
}

fn collect(folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
