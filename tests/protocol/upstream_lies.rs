//! A provider that lies, seen from outside: what the client is told, what the operator reads, and that nobody is signed in by it.
//! Every single lie is a unit test of `auth-server/src/upstream/tests/`; here stands one of each kind on the whole road.

use std::time::Duration;

use oauth_types::Ttl;
use portico_tests::company::{Company, HOSTED};
use portico_tests::idp::github::Github;
use portico_tests::idp::{CLIENT_SECRET, Fault, Signing};
use portico_tests::people::Tokens;
use portico_tests::stage::{CALLBACK, Stage};
use portico_tests::{expect, log};
use serde_json::{Value, json};

/// Which document, how it is changed, and the reason that the operator reads.
type Lie = (&'static str, fn(&mut Value), &'static str);

/// Attacks 14, 58 and 61: an answer that is not believed is a server_error with iss for the client, and a reason for the operator.
#[actix_web::test]
async fn a_lie_signs_nobody_in_and_is_told_to_the_client() {
    let lies: [Lie; 9] = [
        ("id_token", |claims| claims["aud"] = json!("another-client"), "upstream_audience_mismatch"),
        ("id_token", |claims| claims["azp"] = json!("another-client"), "upstream_azp_mismatch"),
        ("id_token", |claims| claims["iss"] = json!("https://evil.example"), "upstream_issuer_mismatch"),
        ("id_token", |claims| claims["exp"] = json!(1), "upstream_expired"),
        ("id_token", |claims| claims["at_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAA"), "upstream_access_token_mismatch"),
        ("id_token", |claims| claims["groups"] = json!(vec!["x".repeat(200); 400]), "upstream_too_large"),
        ("header", |header| header["crit"] = json!(["b64"]), "upstream_header_forbidden"),
        ("token", |document| drop(document.as_object_mut().unwrap().remove("id_token")), "upstream_id_token_missing"),
        ("token", |document| document["token_type"] = json!("mac"), "upstream_malformed"),
    ];
    for (document, twist, reason) in lies {
        let company = Company::rise().await;
        company.idp.twists(document, twist);
        let told = company.answer_to("alice", "mcp:read").await;
        let query = expect::redirected(&told, HOSTED, "server_error", reason);
        assert_eq!(expect::one(&query, "iss"), "https://portico.test");
        assert!(told.headers_named("set-cookie").iter().all(|cookie| !cookie.contains("session=")), "somebody was signed in: {reason}");
    }
}

/// RFC 8725 §3.1, §3.2: unsigned, signed with what everybody knows, or with a key of somebody else.
#[actix_web::test]
async fn a_forged_id_token_signs_nobody_in() {
    for (signing, reason) in [
        (Signing::Unsigned, "upstream_id_token_unsigned"),
        (Signing::SharedSecret, "upstream_algorithm_forbidden"),
        (Signing::PublicKeyAsSecret, "upstream_algorithm_forbidden"),
        (Signing::StrangersKey, "upstream_signature_mismatch"),
        (Signing::UnpublishedKey, "upstream_key_unknown"),
    ] {
        let company = Company::rise().await;
        company.idp.signs(signing);
        expect::redirected(&company.answer_to("alice", "mcp:read").await, HOSTED, "server_error", reason);
    }
}

/// Attack 61: UserInfo of a writer does not make a writer of somebody who signed in as nobody in particular.
#[actix_web::test]
async fn facts_of_another_person_are_not_borrowed() {
    let company = Company::rise().await;
    let alice = company.idp.sub_of("alice");
    company.idp.twists("userinfo", move |document| {
        document["sub"] = json!(alice);
        document["realm_access"] = json!({ "roles": ["mcp-writer"] });
    });
    expect::redirected(&company.answer_to("carol", "mcp:write").await, HOSTED, "server_error", "upstream_subject_changed");
}

/// Attack 58: not now is temporarily_unavailable, at every call, and the next try succeeds without anybody's help.
#[actix_web::test]
async fn an_outage_is_told_as_one_and_passes() {
    for endpoint in ["discovery", "certs", "token"] {
        let company = Company::rise().await;
        company.idp.breaks(endpoint, Fault::Status(503));
        let told = company.answer_to("alice", "mcp:read").await;
        let query = expect::redirected(&told, HOSTED, "temporarily_unavailable", "unavailable");
        assert_eq!(expect::one(&query, "iss"), "https://portico.test", "{endpoint}");
        company.idp.is_honest_again();
        assert!(!company.tokens_of("alice", "mcp:read").await.access.is_empty());
    }
}

/// Attack 58: a slow provider costs a person seconds, not minutes.
#[actix_web::test]
async fn a_slow_provider_is_given_up_on() {
    let company = Company::rise().await;
    company.idp.breaks("token", Fault::Slow(Duration::from_secs(60)));
    let began = std::time::Instant::now();
    expect::redirected(&company.answer_to("alice", "mcp:read").await, HOSTED, "temporarily_unavailable", "unavailable");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

/// Attack 59: a discovery document that moves an endpoint is not followed, and what was believed before stays in force.
#[actix_web::test]
async fn a_moved_endpoint_is_not_followed() {
    let company = Company::rise().await;
    company.tokens_of("alice", "mcp:read").await;
    company.idp.twists("discovery", |document| document["token_endpoint"] = json!("https://evil.example/token"));
    company.stage.advance(Ttl::hours(2));
    company.stage.app().tick().await;
    assert_eq!(company.idp.seen("discovery").len(), 2, "the lie was read");
    company.tokens_of("bob", "mcp:read").await;
    let distrusted =
        |line: &log::Line| line.field("event") == Some("upstream.distrusted") && line.field("cause") == Some("upstream_endpoint_foreign");
    assert!(log::lines().iter().any(distrusted), "the operator reads why");
}

/// Attack 59: one that was never believed gets neither our secret nor the person.
#[actix_web::test]
async fn a_first_document_that_lies_gets_nothing() {
    let company = Company::rise().await;
    company.idp.twists("discovery", |document| document["token_endpoint"] = json!("https://evil.example/token"));
    let told = company.answer_to("alice", "mcp:read").await;
    assert!(told.location().starts_with(HOSTED), "{}", told.location());
    assert!(company.idp.seen("auth").is_empty() && company.idp.seen("token").is_empty());
}

/// OpenID Connect Core §10.1.1: a key that the provider retired is forgotten, and the new one is found when it is first used.
#[actix_web::test]
async fn a_provider_may_rotate_its_keys() {
    let company = Company::rise().await;
    company.tokens_of("alice", "mcp:read").await;
    company.idp.rotates_key();
    company.tokens_of("bob", "mcp:read").await;
}

/// RFC 6819 §5.1.6: nothing of a provider's secrets, nor of its words about people, is in the log or in the database.
#[actix_web::test]
async fn what_providers_tell_stays_with_us() {
    let company = Company::rise().await;
    let tokens = company.tokens_of("alice", "mcp:read").await;
    assert!(!tokens.refresh.is_empty());
    company.stage.advance(Ttl::minutes(6));
    company.idp.signs(Signing::Damaged);
    company.answer_to("bob", "mcp:read").await;
    company.idp.breaks("token", Fault::Says(400, json!({ "error": "x", "error_description": "words-of-the-provider" }).to_string()));
    company.answer_to("carol", "mcp:read").await;
    for secret in [CLIENT_SECRET, "of-the-provider", "alice@portico.test", "Alice Example", "/mcp/writers"] {
        for line in log::lines() {
            assert!(!line.text().contains(secret), "the log tells {secret}: {}", line.text());
        }
    }
    let mut read = 0;
    for entry in std::fs::read_dir(company.stage.folder()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        read += bytes.len();
        for secret in [CLIENT_SECRET, "-of-the-provider"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{} holds {secret}", path.display());
        }
    }
    assert!(read > 10_000, "the database was not found");
}

/// GitHub, end to end: consent, sign-in there, a code, tokens, and an end when the person takes their consent back.
#[actix_web::test]
async fn a_person_of_github_gets_in_and_may_take_it_back() {
    let github = Github::rise().await;
    let stage = Stage::builder().table(&github.table("github", "")).rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let departure = journey.until_answer().await.location();
    assert!(departure.starts_with(&format!("{}/login/oauth/authorize", github.site())), "{departure}");
    let back = github.sends_back(&departure).await;
    let (page, path) = {
        let answer = journey.browser().get(&back).await;
        journey.browser().walk(answer, back.clone()).await
    };
    // GitHub does not say when somebody signed in, so the account is confirmed by name.
    let answer = if page.status == 200 { journey.browser().says_yes(&page, &path).await } else { page };
    let tokens = Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
    stage.advance(Ttl::minutes(6));
    let next = Tokens::of(&app.refresh(&tokens.refresh).await);
    github.takes_back_all_tokens();
    stage.advance(Ttl::minutes(6));
    expect::refused(&app.refresh(&next.refresh).await, "invalid_grant", "upstream_ended");
    assert!(
        journey.browser().cookies().iter().any(|cookie| cookie.name.contains("session")),
        "and {CALLBACK} was never told GitHub's words"
    );
}
