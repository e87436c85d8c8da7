//! People sign in elsewhere: from consent to the provider and back, seen from the browser and the client.

use oauth_types::Ttl;
use portico_tests::company::{Company, HOSTED, KEYCLOAK};
use portico_tests::expect;
use portico_tests::html;
use portico_tests::idp::Idp;
use portico_tests::people::Tokens;
use portico_tests::stage::{CALLBACK, Stage};

/// OpenID Connect Core §3.1.2: the whole way, from a client's question to its tokens.
#[actix_web::test]
async fn who_signs_in_at_the_company_brings_the_client_its_tokens() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let code = company.journey(&app).until_code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    assert_eq!(tokens.scope, "mcp:read");
    assert!(company.stage.documents().accepts(&tokens.access).await);
    assert_eq!(company.idp.seen("token").len(), 1, "the code is redeemed once, by us");
}

/// MCP 2025-11-25 Confused Deputy, attack 1: consent comes before any redirect to the provider.
#[actix_web::test]
async fn nobody_leaves_for_the_provider_before_they_allowed() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    let text = page.text();
    assert!(text.contains("Allow and sign in at Company sign-in") && !text.contains("type=\"password\""), "{text}");
    let login = path.replace("/consent/", "/login/");
    for early in [login.clone(), format!("{login}?idp={KEYCLOAK}")] {
        let answer = journey.browser().get(&early).await;
        assert_eq!(answer.status, 200, "{}", expect::told(&answer));
        assert!(answer.text().contains("name=\"csrf_token\"") && answer.header("refresh").is_none(), "{}", expect::told(&answer));
    }
    assert!(company.idp.seen("auth").is_empty());
    let refused = journey.browser().says_no(&page, &path).await;
    expect::redirected(&refused, CALLBACK, "access_denied", "refused_by_person");
    assert!(company.idp.seen("auth").is_empty(), "who refuses never leaves");
}

/// Attack 1: a live session and an approval of one client say nothing about another.
#[actix_web::test]
async fn a_session_at_the_company_opens_no_door_for_another_client() {
    let company = Company::rise().await;
    let (known, other) = (company.hosted_app().await, company.stage.public_app().await);
    let mut journey = company.journey(&known);
    journey.until_code().await;
    let departures = company.idp.seen("auth").len();
    let mut attack = other.journey().in_browser(journey.into_browser());
    let (page, _) = attack.until_page().await;
    assert!(page.text().contains("Alice Example"), "the page names the account");
    assert_eq!(company.idp.seen("auth").len(), departures, "nobody was sent away");
}

/// RFC 7636 §4.2, OpenID Connect Core §3.1.2.1, RFC 9700 §4.7: what a departure says, fresh each time.
#[actix_web::test]
async fn a_departure_carries_fresh_state_nonce_and_challenge_and_our_own_callback() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let one = company.departs(app.journey().with("login_hint", "carol@portico.test").with("ui_locales", "de")).await;
    let two = company.departs(app.journey()).await;
    for name in ["state", "nonce", "code_challenge"] {
        let (first, second) = (one.parameter(name).expect(name), two.parameter(name).expect(name));
        assert!(first.len() >= 43 && first != second, "{name}");
    }
    assert_eq!(one.parameter("redirect_uri").as_deref(), Some("https://portico.test/callback/keycloak"));
    assert_eq!(one.parameter("code_challenge_method").as_deref(), Some("S256"));
    assert_eq!(one.parameter("login_hint").as_deref(), Some("carol@portico.test"));
    assert_eq!(two.parameter("login_hint"), None);
    assert_eq!(one.parameter("prompt"), None, "nobody asked for a new sign-in");
}

/// Portico decision 3: an approval is remembered through the provider; the next time nobody is asked and nobody leaves.
#[actix_web::test]
async fn a_remembered_approval_needs_no_second_sign_in() {
    let company = Company::rise().await;
    let app = company.hosted_app().await;
    let mut journey = company.journey(&app);
    journey.until_code().await;
    let mut again = app.journey().in_browser(journey.into_browser());
    let answer = again.asks().await;
    Tokens::of(&app.redeem(&again.code_of(&answer)).await);
    assert_eq!(company.idp.seen("auth").len(), 1);
    let mut wider = app.journey().with("scope", "mcp:write").in_browser(again.into_browser());
    assert_eq!(wider.until_page().await.0.status, 200, "more is asked about");
}

/// Portico decision 3: who was still signed in at the provider, and was asked nothing, sees the account before anything is given.
#[actix_web::test]
async fn a_silent_sign_in_is_confirmed_on_a_page_that_names_the_account() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    company.idp.twists("id_token", |claims| claims["auth_time"] = (claims["auth_time"].as_i64().unwrap_or_default() - 600).into());
    let mut journey = company.journey(&app);
    let (page, path) = journey.until_page().await;
    let back = journey.browser().says_yes(&page, &path).await;
    let (confirm, path) = journey.browser().walk(back, path).await;
    let text = confirm.text();
    assert!(text.contains("Is this your account?") && text.contains("Alice Example") && text.contains("Company sign-in"), "{text}");
    let answer = journey.browser().says_yes(&confirm, &path).await;
    Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
}

/// Portico decision 3, the nearest no: a provider that does not say when somebody signed in may have asked nobody.
#[actix_web::test]
async fn a_sign_in_without_a_time_is_confirmed_too_and_a_fresh_one_is_not() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let pages = async |company: &Company| {
        let mut journey = company.journey(&app);
        let (page, path) = journey.until_page().await;
        let back = journey.browser().says_yes(&page, &path).await;
        journey.browser().walk(back, path).await.0.status
    };
    assert_eq!(pages(&company).await, 303, "fresh: the code follows at once");
    company.idp.twists("id_token", |claims| {
        claims.as_object_mut().and_then(|claims| claims.remove("auth_time"));
    });
    assert_eq!(pages(&company).await, 200, "no auth_time: a page");
}

/// OpenID Connect Core §3.1.2.1: prompt=login is passed on, and a provider that did not heed it is not believed.
#[actix_web::test]
async fn a_client_that_wants_a_new_sign_in_gets_one_or_a_refusal() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let departure = company.departs(app.journey().with("prompt", "login")).await;
    assert_eq!(departure.parameter("prompt").as_deref(), Some("login"));
    assert!(company.journey(&app).with("prompt", "login").until_answer().await.location().contains("code="));
    company.idp.twists("id_token", |claims| claims["auth_time"] = (claims["auth_time"].as_i64().unwrap_or_default() - 600).into());
    let answer = company.journey(&app).with("prompt", "login").until_answer().await;
    expect::redirected(&answer, CALLBACK, "access_denied", "sign_in_not_fresh");
}

/// OpenID Connect Core §3.1.2.1: max_age is passed on, and checked when the person is back.
#[actix_web::test]
async fn max_age_holds_at_the_provider_too() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    assert_eq!(company.departs(app.journey().with("max_age", "900")).await.parameter("max_age").as_deref(), Some("900"));
    company.idp.twists("id_token", |claims| claims["auth_time"] = (claims["auth_time"].as_i64().unwrap_or_default() - 600).into());
    assert!(company.journey(&app).with("max_age", "900").until_answer().await.location().contains("code="));
    let answer = company.journey(&app).with("max_age", "300").until_answer().await;
    assert!(answer.location().contains("error=") && !answer.location().contains("code="), "{}", answer.location());
}

/// OpenID Connect Core §3.1.2.1: prompt=none never leaves for a provider.
#[actix_web::test]
async fn prompt_none_never_departs() {
    let company = Company::rise().await;
    let app = company.hosted_app().await;
    let answer = company.journey(&app).with("prompt", "none").asks().await;
    expect::redirected(&answer, HOSTED, "login_required", "login_required");
    assert!(company.idp.seen("auth").is_empty());
    let mut journey = company.journey(&app);
    journey.until_code().await;
    let mut silent = app.journey().with("prompt", "none").in_browser(journey.into_browser());
    assert!(silent.asks().await.location().contains("code="), "known and approved: it may be silent");
}

/// Checklist 50: two tabs of one browser leave and come back in the other order; each ends at its own client answer.
#[actix_web::test]
async fn two_tabs_may_be_away_at_once() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut first = app.journey().with("state", "first");
    let (page, path) = first.until_page().await;
    let mut second = app.journey().with("state", "second").in_browser(first.clone().into_browser());
    let (other_page, other_path) = second.until_page().await;
    let away = first.browser().says_yes(&page, &path).await;
    let (away, _) = first.browser().walk(away, path).await;
    let other_away = second.browser().says_yes(&other_page, &other_path).await;
    let (other_away, _) = second.browser().walk(other_away, other_path).await;
    let mut browser = second.clone().into_browser();
    for (departure, state) in [(other_away, "second"), (away, "first")] {
        let back = company.idp.sends_back(&departure.location()).await;
        let answer = browser.get(&back).await;
        let query = expect::redirect_to(&answer, CALLBACK);
        assert_eq!(expect::one(&query, "state"), state);
        assert!(!expect::one(&query, "code").is_empty());
    }
}

/// Portico decision 42: of two callbacks of one flow at once both end at the same code.
#[actix_web::test]
async fn two_callbacks_at_once_end_at_the_same_code() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut one = company.departs(app.journey()).await;
    let login = one.left_from().to_owned();
    let again = one.journey.browser().get(&login).await.location();
    let (first, second) = (one.callback(&company.idp).await, company.idp.sends_back(&again).await);
    assert_ne!(first, second, "two departures of one flow");
    let (mut here, mut there) = (one.journey.clone().into_browser(), one.journey.clone().into_browser());
    let (one_answer, other_answer) = futures_util::future::join(here.get(&first), there.get(&second)).await;
    let code = one.journey.code_of(&one_answer).code;
    assert_eq!(code, one.journey.code_of(&other_answer).code);
}

/// Portico decision 107: somebody who turned back at the provider may still say no, or go again.
#[actix_web::test]
async fn who_turns_back_at_the_provider_finds_the_question_again() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut departure = company.departs(app.journey()).await;
    let consent = departure.left_from().replace("/login/", "/consent/").replace("?idp=keycloak", "");
    let page = departure.journey.browser().get(&consent).await;
    assert!(page.status == 200 && page.text().contains("Allow and sign in at Company sign-in"), "{}", expect::told(&page));
    let again = departure.journey.browser().says_yes(&page, &consent).await;
    let (again, _) = departure.journey.browser().walk(again, consent.clone()).await;
    assert!(again.location().starts_with(&company.idp.origin()));
    let page = departure.journey.browser().get(&consent).await;
    let refused = departure.journey.browser().says_no(&page, &consent).await;
    expect::redirected(&refused, CALLBACK, "access_denied", "refused_by_person");
    let late = departure.callback(&company.idp).await;
    let answer = departure.journey.browser().get(&late).await;
    assert!(answer.status == 200 && answer.text().contains("already answered"), "a no stays a no: {}", expect::told(&answer));
}

/// OpenID Connect Core §3.1.2.1: who wants to be somebody else is asked by their provider, and consent comes before it once more.
#[actix_web::test]
async fn who_wants_to_be_somebody_else_is_asked_who_they_are() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut first = company.journey(&app);
    first.until_code().await;
    let mut journey = app.journey().in_browser(first.into_browser());
    let (page, path) = journey.until_page().await;
    assert!(page.text().contains("Alice Example"));
    let another = path.replace("/consent/", "/login/");
    let (page, at) = journey.browser().open(&another).await;
    assert!(!page.text().contains("Alice Example") && page.text().contains("Allow and sign in"), "{}", page.text());
    company.idp.signs_in("bob");
    let answer = journey.browser().says_yes(&page, &at).await;
    let (answer, _) = journey.browser().walk(answer, at).await;
    Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
    assert_eq!(company.idp.seen("auth")[1].fields.get("prompt").map(String::as_str), Some("login"));
    assert!(journey.browser().get("/").await.text().contains("Bob Example"));
}

/// Attack 6, Portico decision 2: a restart between departure and callback loses nothing.
#[actix_web::test]
async fn a_restart_while_somebody_is_away_loses_nothing() {
    let mut company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut departure = company.departs(app.journey()).await;
    let back = departure.callback(&company.idp).await;
    company.stage.restarts().await;
    let answer = departure.journey.browser().get(&back).await;
    Tokens::of(&app.redeem(&departure.journey.code_of(&answer)).await);
}

/// Portico decision 2: the callback may arrive at another replica than the departure left from.
#[actix_web::test]
async fn another_replica_may_take_the_callback() {
    let company = Company::rise().await;
    let other = company.stage.replica().await;
    let app = company.stage.public_app().await;
    let departure = company.departs(app.journey()).await;
    let back = departure.callback(&company.idp).await;
    let mut there = departure.journey.clone().into_browser().at(&other);
    let answer = there.get(&back).await;
    Tokens::of(&app.redeem(&departure.journey.code_of(&answer)).await);
}

/// OpenID Connect Core §5.7, attack 61: the same person is the same subject, whatever their name; another one with their mail is not.
#[actix_web::test]
async fn a_person_is_issuer_and_subject_and_never_a_mail_address() {
    let company = Company::rise().await;
    let subject = async |person: &str| {
        let tokens = company.tokens_of(person, "mcp:read").await;
        portico_tests::jwt::unverified(&tokens.access).claims["sub"].as_str().expect("a subject").to_owned()
    };
    let alice = subject("alice").await;
    assert_ne!(alice, company.idp.sub_of("alice"), "our name for her, not theirs");
    company.idp.change("alice", |person| {
        person.name = "Alice Married".into();
        person.email = "married@portico.test".into();
    });
    assert_eq!(subject("alice").await, alice);
    company.idp.change("bob", |person| {
        person.email = "married@portico.test".into();
        person.username = "alice".into();
    });
    assert_ne!(subject("bob").await, alice);
}

/// Portico decision 107: several ways to sign in are offered on one page; it is a list of links, so that it needs no script.
#[actix_web::test]
async fn several_providers_are_a_choice_and_one_is_none() {
    let (first, second) = (Idp::rise(|| 0).await, Idp::rise(|| 0).await);
    let partner = second.table("partner", "oidc", "").replace("Company sign-in", "Partner sign-in");
    let stage = Stage::with("accounts.sign_in", "\"on\"").with_idp(&first, "").with_upstream(&second, partner).rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    assert!(page.text().contains(">Allow and sign in<"), "{}", page.text());
    let answer = journey.browser().says_yes(&page, &path).await;
    let (choice, login) = journey.browser().walk(answer, path).await;
    let text = choice.text();
    assert!(choice.status == 200 && choice.header("refresh").is_none(), "{}", expect::told(&choice));
    for way in ["Company sign-in", "Partner sign-in", "An account of Portico"] {
        assert!(text.contains(way), "{way}: {text}");
    }
    assert!(html::forms(&text).is_empty() && !text.contains("<script"));
    let partner = journey.browser().get(&format!("{login}?idp=partner")).await;
    assert!(partner.location().starts_with(&second.origin()));
    let answer = journey.browser().get(&second.sends_back(&partner.location()).await).await;
    Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
}

/// Portico decision 107: with accounts beside providers the choice leads to name and password, and an account's answer counts.
#[actix_web::test]
async fn an_account_kept_here_is_one_of_the_ways() {
    let idp = Idp::rise(|| 0).await;
    let stage = Stage::with("accounts.sign_in", "\"on\"").with_idp(&idp, "").rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    let answer = journey.browser().says_yes(&page, &path).await;
    let (_, login) = journey.browser().walk(answer, path).await;
    let here = format!("{login}?idp=local");
    let sign_in = journey.browser().get(&here).await;
    assert!(sign_in.text().contains("type=\"password\""));
    let answer = journey.browser().says_yes(&sign_in, &here).await;
    Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
    assert!(idp.seen("auth").is_empty());
}

/// Portico decision 107, the nearest no: while a provider is configured, accounts kept here open nothing unless the operator says so.
#[actix_web::test]
async fn accounts_kept_here_are_off_beside_a_provider_unless_they_are_switched_on() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    let answer = journey.browser().says_yes(&page, &path).await;
    let login = answer.location();
    let local = journey.browser().get(&format!("{login}?idp=local")).await;
    assert!(!local.text().contains("type=\"password\""), "{}", local.text());
    assert!(local.header_or_empty("refresh").contains("idp=keycloak"), "the only way is taken");
}

/// OpenID Connect Core §3.1.2.1: `idp_hint` and a `login_hint` of a domain that belongs to one provider choose the way.
#[actix_web::test]
async fn a_hint_chooses_the_provider() {
    let (first, second) = (Idp::rise(|| 0).await, Idp::rise(|| 0).await);
    let rule = "[[rule]]\nidp = \"partner\"\nmail_domain = \"partner.example\"\nenter = true";
    let stage = Stage::builder().table(rule).with_idp(&first, "").with_upstream(&second, second.table("partner", "oidc", "")).rise().await;
    let app = stage.public_app().await;
    for (name, value, chosen) in [
        ("idp_hint", "partner", Some(&second)),
        ("idp_hint", "keycloak", Some(&first)),
        ("login_hint", "carol@partner.example", Some(&second)),
        ("idp_hint", "nobody", None),
        ("login_hint", "carol@elsewhere.example", None),
        ("login_hint", "carol", None),
    ] {
        let mut journey = app.journey().with(name, value);
        let (page, path) = journey.until_page().await;
        let answer = journey.browser().says_yes(&page, &path).await;
        let (answer, _) = journey.browser().walk(answer, path).await;
        match chosen {
            Some(idp) => assert!(answer.location().starts_with(&idp.origin()), "{name}={value}: {}", expect::told(&answer)),
            None => assert!(answer.status == 200 && answer.text().contains("Where do you want to sign in?"), "{name}={value}"),
        }
    }
}

/// Portico decision 9: a session whose sign-in has ended approves nothing in silence.
#[actix_web::test]
async fn a_session_of_somebody_who_was_disabled_approves_nothing() {
    let company = Company::rise().await;
    let app = company.hosted_app().await;
    let mut journey = company.journey(&app);
    journey.until_code().await;
    company.idp.disable("alice");
    company.stage.advance(Ttl::minutes(6));
    let mut again = app.journey().in_browser(journey.into_browser());
    let (page, _) = again.until_page().await;
    assert!(page.text().contains("Allow and sign in at Company sign-in"), "{}", page.text());
}
