//! Nobody learns from an answer what exists: unknown, wrong, expired and stolen look alike outside and differ in the log.

use std::time::{Duration, Instant};

use oauth_types::Ttl;
use portico_tests::journeys::Journey;
use portico_tests::people::Tokens;
use portico_tests::stage::{ALICE, Stage};
use portico_tests::wire::Answer;
use portico_tests::{expect, html};

/// RFC 6749 §5.2: an unknown, an expired, a used and a foreign code are refused with the same words.
#[actix_web::test]
async fn all_bad_codes_look_alike() {
    let stage = Stage::rise().await;
    let (app, other) = (stage.public_app().await, stage.public_app().await);
    let (expired, used, foreign, unproven) = (app.code().await, app.code().await, other.code().await, app.code().await);
    Tokens::of(&app.redeem(&used).await);
    let answers = [
        (app.redeem_with(&used, "code", "pco_unknown").await, "code_malformed"),
        (app.redeem(&used).await, "code_replayed"),
        (app.redeem(&foreign).await, "client_mismatch"),
        (app.redeem_with(&unproven, "code_verifier", &"w".repeat(43)).await, "verifier_mismatch"),
        (app.redeem_with(&unproven, "code_verifier", "").await, "verifier_missing"),
        (app.redeem_with(&unproven, "redirect_uri", "http://127.0.0.1/other").await, "redirect_mismatch"),
    ];
    stage.advance(Ttl(61));
    let late = app.redeem(&expired).await;
    expect::refused(&late, "invalid_grant", "code_expired");
    for (answer, reason) in &answers {
        expect::refused(answer, "invalid_grant", reason);
        assert_eq!(outside(answer), outside(&late), "{reason} can be told apart");
    }
}

/// RFC 6749 §5.2: an unknown, an expired, a replayed, a foreign and an ended refresh token are refused with the same words.
#[actix_web::test]
async fn all_bad_refresh_tokens_look_alike() {
    let stage = Stage::rise().await;
    let (app, other) = (stage.public_app().await, stage.public_app().await);
    let (replayed, foreign, ended, expired) = (app.tokens().await, other.tokens().await, app.tokens().await, app.tokens().await);
    Tokens::of(&app.refresh(&replayed.refresh).await);
    app.revoke(&ended.refresh).await;
    stage.advance(Ttl(121));
    let mut answers = vec![
        (app.refresh("prt_unknown").await, "refresh_malformed"),
        (app.refresh(&replayed.refresh).await, "refresh_reused"),
        (app.refresh(&foreign.refresh).await, "client_mismatch"),
        (app.refresh(&ended.refresh).await, "grant_ended"),
    ];
    stage.advance(Ttl::days(31));
    answers.push((app.refresh(&expired.refresh).await, "refresh_expired"));
    for (answer, reason) in &answers {
        expect::refused(answer, "invalid_grant", reason);
        assert_eq!(outside(answer), outside(&answers[0].0), "{reason} can be told apart");
    }
}

/// RFC 6749 §5.2: an unknown client, a deleted one and a wrong secret are refused with the same words.
#[actix_web::test]
async fn all_bad_clients_look_alike() {
    let stage = Stage::rise().await;
    let (known, deleted) = (stage.confidential_app("client_secret_basic").await, stage.confidential_app("client_secret_basic").await);
    deleted.manage("DELETE").await;
    let mut answers = Vec::new();
    for (id, secret, reason) in [
        ("nobody", "wrong", "client_unknown"),
        (known.id.as_str(), "wrong", "secret_mismatch"),
        (deleted.id.as_str(), deleted.known_secret(), "client_deleted"),
    ] {
        let answer = stage.stranger().post("/token", &[("grant_type", "refresh_token"), ("refresh_token", "x")]).basic(id, secret).await;
        expect::refused(&answer, "invalid_client", reason);
        answers.push(outside(&answer));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

/// OWASP ASVS §6.3.8: an unknown name and a wrong password are answered with the same page.
#[actix_web::test]
async fn nobody_learns_which_accounts_exist() {
    let stage = Stage::rise().await;
    let mut pages = Vec::new();
    for name in [ALICE, "nobody-of-that-name"] {
        let app = stage.public_app().await;
        let mut journey = app.journey().in_browser(stage.browser().typing(name, "a wrong password"));
        let (page, path) = until_password(&mut journey).await;
        let answer = journey.browser().says_yes(&page, &path).await;
        let (answer, _) = journey.browser().walk(answer, path).await;
        pages.push((answer.status, html::words(&answer.text()).replace(name, "NAME").replace(answer.reference(), "")));
    }
    assert_eq!(pages[0], pages[1]);
}

/// OWASP ASVS §6.3.8: a name that does not exist costs what a wrong password costs, so a clock tells nobody which accounts there are. The
/// best of several tries of each is compared: whatever else the machine does only adds.
#[actix_web::test]
async fn no_clock_tells_which_accounts_exist() {
    let stage = Stage::with("accounts.memory_kib", "19456").setting("accounts.passes", "4").rise().await;
    let app = stage.public_app().await;
    let mut best = [Duration::MAX; 3];
    for _ in 0..5 {
        for (best, name) in best.iter_mut().zip([ALICE, "somebody", "no name at all"]) {
            let mut journey = app.journey().in_browser(stage.browser().typing(name, "wrong password"));
            let (page, path) = until_password(&mut journey).await;
            let begun = Instant::now();
            let answer = journey.browser().says_yes(&page, &path).await;
            *best = begun.elapsed().min(*best);
            assert_eq!(answer.header("location").filter(|location| location.contains("code=")), None);
        }
    }
    let [wrong, unknown, impossible] = best;
    for other in [unknown, impossible] {
        assert!(other * 2 > wrong && wrong * 2 > other, "wrong {wrong:?}, unknown {unknown:?}, impossible {impossible:?}");
    }
}

/// Says yes until a page asks for a password.
async fn until_password(journey: &mut Journey) -> (Answer, String) {
    let (mut page, mut path) = journey.until_page().await;
    while !html::forms(&page.text()).iter().any(html::Form::asks_password) {
        let next = journey.browser().says_yes(&page, &path).await;
        (page, path) = journey.browser().walk(next, path).await;
    }
    (page, path)
}

/// RFC 7662 §2.2: every inactive token is described with the same bytes.
#[actix_web::test]
async fn all_inactive_tokens_look_alike() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (ended, expired) = (app.tokens().await, app.tokens().await);
    app.revoke(&ended.refresh).await;
    let mut bodies = vec![
        stage.documents().introspect("garbage").await.body,
        stage.documents().introspect(&ended.access).await.body,
        stage.notes().introspect(&expired.access).await.body,
        stage.documents().introspect(&expired.refresh).await.body,
    ];
    stage.advance(Ttl(601));
    bodies.push(stage.documents().introspect(&expired.access).await.body);
    assert!(bodies.iter().all(|body| body == br#"{"active":false}"#), "{bodies:?}");
}

/// Status, headers and body, without what is the request's own.
fn outside(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let own = ["date", "x-request-id", "content-length"];
    let mut headers: Vec<_> = answer.headers.iter().filter(|(name, _)| !own.contains(&name.as_str())).cloned().collect();
    headers.sort();
    (answer.status, headers, answer.text().replace(answer.reference(), "REFERENCE"))
}
