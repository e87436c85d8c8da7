//! Coming back from a provider, as an attacker would: states, browsers, codes and answers that are not one's own; and a provider that
//! fails on the way.

use std::time::Duration;

use oauth_types::Ttl;
use portico_tests::company::Company;
use portico_tests::expect;
use portico_tests::idp::{Fault, Idp, Signing};
use portico_tests::people::{App, Browser, Tokens};
use portico_tests::stage::{CALLBACK, Stage};
use portico_tests::wire::{Answer, query_of};

/// Attack 2: a flow approved in one browser and finished in another: 403, the pending state is burnt, and nobody gets a code.
#[actix_web::test]
async fn a_callback_handed_to_another_browser_is_refused_and_burnt() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut attacker = company.departs(app.journey()).await;
    let back = attacker.callback(&company.idp).await;
    let mut stranger = company.stage.browser();
    expect::page(&stranger.get(&back).await, 403, "flow_for_another_browser");
    assert!(stranger.cookies().iter().all(|cookie| !cookie.name.contains("session")), "nobody is signed in");
    // The victim has a session and flows of its own: that does not help the attacker.
    let mut journey = company.journey(&app);
    journey.until_code().await;
    let again = attacker.journey.until_answer().await;
    let second = company.idp.sends_back(&again.location()).await;
    expect::page(&journey.browser().get(&second).await, 403, "flow_for_another_browser");
    expect::page(&attacker.journey.browser().get(&back).await, 400, "upstream_state_unknown");
    assert_eq!(company.idp.seen("token").len(), 1, "only the honest journey redeemed a code");
}

/// Attacks 5 and 6: a state that is missing, unknown, used or past is a page that says to start again.
#[actix_web::test]
async fn a_state_is_good_once_for_ten_minutes_and_only_if_it_is_ours() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut browser = company.stage.browser();
    for query in ["", "code=x", "state=&code=x", "state=never-given&code=x", "state=never-given&error=access_denied"] {
        let answer = browser.get(&format!("/callback/keycloak?{query}")).await;
        let page = expect::page(&answer, 400, "upstream_state_unknown");
        assert!(page.contains("Please start again"), "{query}");
    }
    let mut departure = company.departs(app.journey()).await;
    let back = departure.callback(&company.idp).await;
    let doubled = format!("{back}&state={}", departure.state());
    expect::page(&departure.journey.browser().get(&doubled).await, 400, "parameter_repeated");
    let answer = departure.journey.browser().get(&back).await;
    departure.journey.code_of(&answer);
    expect::page(&departure.journey.browser().get(&back).await, 400, "upstream_state_unknown");
    let mut late = company.departs(app.journey()).await;
    let back = late.callback(&company.idp).await;
    company.stage.advance(Ttl::minutes(10));
    expect::page(&late.journey.browser().get(&back).await, 400, "upstream_state_unknown");
}

/// Attack 5: the attacker's code at the provider, put into the victim's callback, signs nobody in.
#[actix_web::test]
async fn a_code_of_another_sign_in_is_refused_by_its_nonce() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    company.idp.signs_in("bob");
    let attacker = company.departs(app.journey()).await;
    let stolen = query_of(&attacker.callback(&company.idp).await);
    let code = expect::one(&stolen, "code");
    company.idp.signs_in("alice");
    let mut victim = company.departs(app.journey()).await;
    let injected = format!("/callback/keycloak?state={}&code={code}&iss={}", victim.state(), company.idp.issuer());
    let answer = victim.journey.browser().get(&injected).await;
    // The provider itself refuses the code: its challenge is another flow's (RFC 9700 §2.1.1).
    expect::redirected(&answer, CALLBACK, "server_error", "upstream_code_refused");
    assert!(victim.journey.browser().cookies().iter().all(|cookie| !cookie.name.contains("session")));
    // One that does not check it is caught by the nonce.
    let mut victim = company.departs(app.journey()).await;
    company.idp.twists("id_token", |claims| claims["nonce"] = "of-another-sign-in".into());
    let back = victim.callback(&company.idp).await;
    expect::page(&victim.journey.browser().get(&back).await, 400, "upstream_nonce_mismatch");
    assert!(victim.journey.browser().cookies().iter().all(|cookie| !cookie.name.contains("session")));
}

/// RFC 9207 §2.4, attack 14: an answer of another provider, or at another's callback, is not taken.
#[actix_web::test]
async fn a_provider_cannot_answer_for_another() {
    let (first, second) = (Idp::rise(|| 0).await, Idp::rise(|| 0).await);
    let stage = Stage::builder().with_idp(&first, "").with_upstream(&second, second.table("partner", "oidc", "")).rise().await;
    let company = Company { stage, idp: first };
    let app = company.stage.public_app().await;
    let mut one = company.departs(app.journey().with("idp_hint", "keycloak")).await;
    let moved = one.callback(&company.idp).await.replace("/callback/keycloak", "/callback/partner");
    expect::page(&one.journey.browser().get(&moved).await, 400, "upstream_callback_issuer_mismatch");
    let mut two = company.departs(app.journey().with("idp_hint", "keycloak")).await;
    company.idp.twists("callback", move |query| query["iss"] = second.issuer().into());
    let back = two.callback(&company.idp).await;
    expect::page(&two.journey.browser().get(&back).await, 400, "upstream_callback_issuer_mismatch");
    expect::page(&company.stage.browser().get("/callback/nobody?state=x&code=y").await, 400, "upstream_state_unknown");
}

/// Attack 5: the session changes at a sign-in; one that was planted or left by somebody before opens nothing afterwards.
#[actix_web::test]
async fn a_sign_in_at_the_company_makes_a_new_session_and_ends_the_one_before() {
    let company = Company::rise().await;
    let app = company.hosted_app().await;
    let mut journey = company.journey(&app);
    journey.until_code().await;
    let before = journey.clone().into_browser();
    let session = |browser: &portico_tests::people::Browser| {
        browser.cookies().iter().find(|cookie| cookie.name.contains("session")).expect("a session").value.clone()
    };
    let mut again = app.journey().with("prompt", "login").in_browser(journey.into_browser());
    again.until_code().await;
    assert_ne!(session(&before), session(again.browser()));
    assert_eq!(app.journey().in_browser(before).until_page().await.0.status, 200, "the old session still opens doors");
    let mut planted = company.journey(&app);
    planted.browser().plant_cookie("__Host-portico_session", &"A".repeat(43));
    planted.until_code().await;
    assert_ne!(session(planted.browser()), "A".repeat(43));
}

/// RFC 6749 §4.1.2.1, attack 13: a refusal there becomes ours, in our words, at the client's own address and nowhere else.
#[actix_web::test]
async fn a_refusal_at_the_provider_reaches_the_client_without_the_providers_words() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    for (theirs, ours, reason) in
        [("access_denied", "access_denied", "refused_upstream"), ("invalid_scope", "server_error", "upstream_request_refused")]
    {
        let mut departure = company.departs(app.journey()).await;
        let query = format!(
            "state={}&error={theirs}&error_description=%3Cscript%3Ealert(1)%3C/script%3E&error_uri=https://evil.example&iss={}\
             &redirect_uri=https://evil.example/&return_to=https://evil.example/",
            departure.state(),
            company.idp.issuer()
        );
        let answer = departure.journey.browser().get(&format!("/callback/keycloak?{query}")).await;
        let told = expect::redirected(&answer, CALLBACK, ours, reason);
        assert_eq!(expect::one(&told, "iss"), "https://portico.test");
        assert!(!answer.location().contains("alert") && !answer.location().contains("evil"), "{}", answer.location());
    }
    let page = company.stage.browser().get("/callback/keycloak?state=x&error=%3Cb%3E&redirect_uri=https://evil.example/").await;
    assert!(!expect::page(&page, 400, "upstream_state_unknown").contains("evil.example"));
}

/// Attack 58: a provider that is down, slow or lies gives an error with `iss`, never a code; and recovery needs nobody.
#[actix_web::test]
async fn a_provider_that_fails_on_the_way_is_told_to_the_client_and_recovery_needs_nobody() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut failures = 0;
    for (fault, code) in [
        (Fault::Status(500), "temporarily_unavailable"),
        (Fault::Status(503), "temporarily_unavailable"),
        (Fault::Says(200, "not json".into()), "server_error"),
        (Fault::Huge(2 << 20), "server_error"),
    ] {
        let mut departure = company.departs(app.journey()).await;
        let back = departure.callback(&company.idp).await;
        company.idp.breaks("token", fault.clone());
        let answer = departure.journey.browser().get(&back).await;
        let query = expect::redirect_to(&answer, CALLBACK);
        assert_eq!(expect::one(&query, "error"), code, "{fault:?}");
        assert_eq!(expect::one(&query, "iss"), "https://portico.test");
        assert!(!query.iter().any(|(name, _)| name == "code"));
        company.idp.is_honest_again();
        failures += 1;
    }
    assert_eq!(failures, 4);
    company.idp.signs(Signing::Unsigned);
    let answer = company.journey(&app).until_answer().await;
    assert_eq!(expect::one(&expect::redirect_to(&answer, CALLBACK), "error"), "server_error");
    company.idp.is_honest_again();
    let code = company.journey(&app).until_code().await;
    Tokens::of(&app.redeem(&code).await);
}

/// Attack 58: a provider that is down when somebody wants to leave; and with another way, the other way.
#[actix_web::test]
async fn a_provider_that_is_down_is_one_way_less() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    company.idp.stops().await;
    let answer = company.stage.browser();
    let mut journey = app.journey().in_browser(answer);
    let told = journey.until_answer().await;
    let query = expect::redirected(&told, CALLBACK, "temporarily_unavailable", "unavailable");
    assert_eq!(expect::one(&query, "iss"), "https://portico.test");
    company.idp.returns();
    Tokens::of(&app.redeem(&company.journey(&app).until_code().await).await);

    let idp = Idp::rise(|| 0).await;
    let stage = Stage::with("accounts.sign_in", "\"on\"").with_idp(&idp, "").rise().await;
    idp.breaks("discovery", Fault::Slow(Duration::ZERO));
    idp.stops().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    let answer = journey.browser().says_yes(&page, &path).await;
    let (_, login) = journey.browser().walk(answer, path).await;
    let choice = journey.browser().get(&format!("{login}?idp=keycloak")).await;
    assert_eq!(choice.status, 503);
    let text = choice.text();
    assert!(text.contains("Company sign-in does not answer right now") && text.contains("?idp=local"), "{text}");
    let here = format!("{login}?idp=local");
    let sign_in = journey.browser().get(&here).await;
    let answer = journey.browser().says_yes(&sign_in, &here).await;
    Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
}

/// Attack 54: what is remembered of a departure is of no use to who reads the files.
#[actix_web::test]
async fn what_is_remembered_of_a_departure_cannot_be_read() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let departure = company.departs(app.journey()).await;
    let secrets = [departure.state(), departure.parameter("nonce").expect("a nonce")];
    let mut files = 0;
    for entry in std::fs::read_dir(company.stage.folder()).expect("the stage's folder").flatten() {
        if let Ok(bytes) = std::fs::read(entry.path()) {
            files += 1;
            let text = String::from_utf8_lossy(&bytes);
            assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())), "{}", entry.path().display());
        }
    }
    assert!(files >= 3, "the databases were read");
}

/// Portico decision 107: one flow cannot leave without end.
#[actix_web::test]
async fn a_flow_leaves_a_bounded_number_of_times() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut departure = company.departs(app.journey()).await;
    let from = departure.left_from().to_owned();
    for time in 2..=20 {
        assert_eq!(departure.journey.browser().get(&from).await.status, 303, "departure {time}");
    }
    expect::page(&departure.journey.browser().get(&from).await, 429, "flows_too_many");
    let back = departure.callback(&company.idp).await;
    let answer = departure.journey.browser().get(&back).await;
    departure.journey.code_of(&answer);
}

/// Attack 18: a foreign name in front does not change where the provider is told to send people back.
#[actix_web::test]
async fn a_poisoned_host_changes_neither_departure_nor_callback() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut departure = company.departs(app.journey()).await;
    let back = departure.callback(&company.idp).await;
    let path = back.strip_prefix("https://portico.test").expect("our own callback").to_owned();
    let evil = departure.journey.browser().dressed("GET", &path).header("host", "evil.example");
    let answer = departure.journey.browser().send(evil).await;
    assert_eq!(answer.status, 421, "{}", expect::told(&answer));
    let forwarded = departure
        .journey
        .browser()
        .dressed("GET", &path)
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-prefix", "/evil");
    let answer = departure.journey.browser().send(forwarded).await;
    departure.journey.code_of(&answer);
    let asked = company.idp.seen("token");
    assert_eq!(asked[0].fields.get("redirect_uri").map(String::as_str), Some("https://portico.test/callback/keycloak"));
}

/// Attack 7: the pages on the way cannot be framed, and none is kept.
#[actix_web::test]
async fn pages_on_the_way_cannot_be_framed_or_kept() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    let answer = journey.browser().says_yes(&page, &path).await;
    let leaving = journey.browser().get(&answer.location()).await;
    let departure = journey.browser().get(&format!("{}?idp=keycloak", answer.location())).await;
    let lost = journey.browser().get("/callback/keycloak").await;
    for answer in [&page, &leaving, &departure, &lost] {
        expect::no_store(answer);
        assert!(answer.header_or_empty("content-security-policy").contains("frame-ancestors 'none'"), "{}", expect::told(answer));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
    assert!(leaving.header_or_empty("refresh").starts_with("0; url=/login/"), "{}", expect::told(&leaving));
}

/// A browser whose person is signed in at the company, and the tokens of their application.
async fn signed_in(company: &Company, app: &App) -> (Browser, Tokens) {
    let mut journey = company.journey(app);
    let tokens = Tokens::of(&app.redeem(&journey.until_code().await).await);
    (journey.into_browser(), tokens)
}

/// The page of signing out, answered.
async fn signs_out(browser: &mut Browser, from: &str) -> Answer {
    let page = browser.get("/logout").await;
    let forms = portico_tests::html::forms(&page.text());
    browser.submit(&forms[0], "/logout", Some(("where", from)), &[]).await
}

/// OpenID Connect RP-Initiated Logout 1.0 §2, attack 13: signing out there is a choice, and the way back leads to our page alone.
#[actix_web::test]
async fn a_person_may_sign_out_at_the_company_too() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let (mut browser, tokens) = signed_in(&company, &app).await;
    let leaving = signs_out(&mut browser, "everywhere").await;
    let refresh = leaving.header_or_empty("refresh").to_owned();
    let to = refresh.strip_prefix("0; url=").expect("the page leads on");
    assert!(to.starts_with(&company.idp.at("logout")), "{to}");
    let asked = query_of(to);
    assert_eq!(expect::one(&asked, "post_logout_redirect_uri"), "https://portico.test/logout");
    let state = expect::one(&asked, "state");
    let home = browser.get("/").await;
    assert!(!home.text().contains("You are signed in as"), "signed out here before anybody leaves");
    expect::refused(&app.refresh(&tokens.refresh).await, "invalid_grant", "upstream_ended");
    let foreign = company.stage.browser().get(&format!("/logout?state={state}")).await;
    assert!(!foreign.text().contains("Company sign-in"), "another browser learns nothing");
    let back = browser.get(&format!("/logout?state={state}&post_logout_redirect_uri=https://evil.example/")).await;
    assert!(back.status == 200 && back.header("location").is_none() && back.header("refresh").is_none());
    assert!(back.text().contains("ended here and at Company sign-in") && !back.text().contains("evil"), "{}", back.text());
    let again = browser.get(&format!("/logout?state={state}")).await;
    assert!(!again.text().contains("Company sign-in"), "a state is good once");
}

/// OpenID Connect RP-Initiated Logout 1.0 §2, the nearest no: signing out here alone leaves for nowhere.
#[actix_web::test]
async fn signing_out_here_alone_stays_here() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let (mut browser, tokens) = signed_in(&company, &app).await;
    let answer = signs_out(&mut browser, "here").await;
    assert!(answer.status == 200 && answer.header("refresh").is_none() && answer.header("location").is_none());
    assert!(!browser.get("/").await.text().contains("You are signed in as"));
    Tokens::of(&app.refresh(&tokens.refresh).await);
}
