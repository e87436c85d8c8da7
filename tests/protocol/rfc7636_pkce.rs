//! RFC 7636: the code is useless to whoever did not ask for it.

use portico_tests::expect;
use portico_tests::journeys::{VERIFIER, challenge_of};
use portico_tests::people::Tokens;
use portico_tests::stage::{CALLBACK, Stage};

/// RFC 7636 §4.6: the verifier of Appendix B proves the challenge of Appendix B.
#[actix_web::test]
async fn the_example_of_the_rfc_works() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_eq!(challenge_of(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let code = app.journey().verifier(verifier).until_code().await;
    Tokens::of(&app.redeem(&code).await);
}

/// RFC 7636 §4.6: if the values are not equal, invalid_grant; and the code still belongs to who can prove it.
#[actix_web::test]
async fn a_wrong_verifier_is_refused_and_burns_nothing() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    for wrong in ["another-verifier-that-was-never-sent-0123456789", &VERIFIER.to_lowercase(), &challenge_of(VERIFIER)] {
        expect::refused(&app.redeem_with(&code, "code_verifier", wrong).await, "invalid_grant", "verifier_mismatch");
    }
    Tokens::of(&app.redeem(&code).await);
}

/// RFC 7636 §4.5: the token request carries the verifier.
#[actix_web::test]
async fn a_missing_verifier_is_refused_and_burns_nothing() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    expect::refused(&app.redeem_with(&code, "code_verifier", "").await, "invalid_grant", "verifier_missing");
    Tokens::of(&app.redeem(&code).await);
}

/// RFC 7636 §4.1: a verifier has 43 to 128 unreserved characters.
#[actix_web::test]
async fn a_verifier_of_the_wrong_shape_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for length in [43, 128] {
        let code = app.journey().verifier(&"v".repeat(length)).until_code().await;
        Tokens::of(&app.redeem(&code).await);
    }
    let code = app.code().await;
    for wrong in ["short", &"v".repeat(42), &"v".repeat(129), &format!("{}!", "v".repeat(50)), &format!("{}ü", "v".repeat(50))] {
        expect::refused(&app.redeem_with(&code, "code_verifier", wrong).await, "invalid_grant", "verifier_malformed");
    }
}

/// RFC 7636 §4.4.1: a request without code_challenge is invalid_request.
#[actix_web::test]
async fn a_request_without_challenge_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for journey in [app.journey().without("code_challenge"), app.journey().with("code_challenge", "")] {
        expect::redirected(&journey.clone().asks().await, CALLBACK, "invalid_request", "challenge_missing");
    }
}

/// RFC 7636 §4.4.1: an unsupported transformation is invalid_request; plain is one.
#[actix_web::test]
async fn plain_is_refused_said_or_implied() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for method in ["plain", "s256", "S512", "none"] {
        let answer = app.journey().with("code_challenge_method", method).asks().await;
        expect::redirected(&answer, CALLBACK, "invalid_request", "challenge_method_not_s256");
    }
    // §4.3: an absent method means plain.
    let answer = app.journey().without("code_challenge_method").asks().await;
    expect::redirected(&answer, CALLBACK, "invalid_request", "challenge_method_not_s256");
}

/// RFC 7636 §4.2: an S256 challenge is 43 characters of base64url.
#[actix_web::test]
async fn a_challenge_of_the_wrong_shape_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let good = challenge_of(VERIFIER);
    for wrong in ["x", &good[..42], &format!("{good}A"), &format!("{good}="), &good.replace(&good[..1], "+"), &"é".repeat(43)] {
        let answer = app.journey().with("code_challenge", wrong).asks().await;
        expect::redirected(&answer, CALLBACK, "invalid_request", "challenge_malformed");
    }
}

/// RFC 9700 §2.1.1: confidential clients use PKCE as well.
#[actix_web::test]
async fn a_secret_does_not_replace_the_challenge() {
    let stage = Stage::rise().await;
    let app = stage.confidential_app("client_secret_basic").await;
    let answer = app.journey().without("code_challenge").without("code_challenge_method").asks().await;
    expect::redirected(&answer, CALLBACK, "invalid_request", "challenge_missing");
    let code = app.code().await;
    expect::refused(&app.redeem_with(&code, "code_verifier", "").await, "invalid_grant", "verifier_missing");
}

/// RFC 9700 §4.5: a code injected into another session of the same client fails for want of its verifier.
#[actix_web::test]
async fn an_injected_code_needs_its_own_verifier() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let victims = app.journey().verifier(&"victim-".repeat(8)).until_code().await;
    let own = app.journey().verifier(&"attacker-".repeat(6)).until_code().await;
    let answer = app.redeem_with(&victims, "code_verifier", &own.verifier).await;
    expect::refused(&answer, "invalid_grant", "verifier_mismatch");
    Tokens::of(&app.redeem(&victims).await);
}
