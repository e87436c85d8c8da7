//! What happens in the person's browser: consent, sign-in, and everybody who would like to decide for the person.

use oauth_types::Ttl;
use portico_tests::html::{self, words};
use portico_tests::journeys::Journey;
use portico_tests::people::{Browser, Tokens};
use portico_tests::stage::{ALICE, CALLBACK, Stage};
use portico_tests::wire::Answer;
use portico_tests::{expect, wire};
use serde_json::json;

const HOSTED: &str = "https://claude.ai/api/mcp/auth_callback";

/// MCP 2025-11-25 Confused Deputy: a browser without a session sees who asks, for what, and where the answer goes.
#[actix_web::test]
async fn the_consent_page_tells_what_is_asked() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (page, _) = app.journey().until_page().await;
    let text = words(&page.text());
    for shown in ["Reading Assistant", "127.0.0.1", "Documents", "https://portico.test/mcp", "Search and read documents", "mcp:read"] {
        assert!(page.text().contains(shown), "{shown} is not shown: {text}");
    }
    expect::no_store(&page);
}

/// MCP 2025-11-25 Confused Deputy: a session of the person is no approval of a client.
#[actix_web::test]
async fn a_signed_in_person_is_asked_for_every_new_client() {
    let stage = Stage::rise().await;
    let browser = stage.signed_in_browser().await;
    let stranger = stage.public_app().await;
    let mut journey = stranger.journey().in_browser(browser);
    let first = journey.asks().await;
    assert!(!first.header_or_empty("location").contains("code="), "a code without a question");
    assert_eq!(journey.until_page().await.0.status, 200);
}

/// MCP 2025-11-25 Confused Deputy: a remembered approval is for the same person, client, redirect URI, scope and resource.
#[actix_web::test]
async fn a_known_client_is_not_asked_about_again() {
    let stage = Stage::rise().await;
    let app = hosted_app(&stage).await;
    let browser = allowed(app.journey().with("scope", "mcp:read mcp:write")).await;
    for scope in ["mcp:read mcp:write", "mcp:write", ""] {
        let mut journey = app.journey().with("scope", scope).in_browser(browser.clone());
        let answer = journey.asks().await;
        Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
    }
}

/// MCP 2025-11-25 Confused Deputy: more scope, another resource or another callback is a new question.
#[actix_web::test]
async fn a_remembered_approval_does_not_stretch() {
    let stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["redirect_uris"] = json!([HOSTED, "https://claude.com/api/mcp/auth_callback"]);
    let app = stage.public_app_from(&metadata).await;
    let browser = allowed(app.journey().with("scope", "mcp:read")).await;
    for wider in [
        app.journey().with("scope", "mcp:read mcp:write"),
        app.journey().with("resource", &stage.notes().uri),
        app.journey().with("redirect_uri", "https://claude.com/api/mcp/auth_callback"),
    ] {
        let mut journey = wider.in_browser(browser.clone());
        assert_eq!(journey.until_page().await.0.status, 200, "approved silently: {}", journey.target());
    }
}

/// MCP 2025-11-25 Confused Deputy: an approval belongs to the person and not to the browser or the client.
#[actix_web::test]
async fn another_person_is_asked_for_a_client_that_alice_knows() {
    let stage = Stage::rise().await;
    stage.operator().adds_account("bob", "another long password").await;
    let app = hosted_app(&stage).await;
    allowed(app.journey()).await;
    let bob = stage.browser().typing("bob", "another long password");
    assert_eq!(app.journey().in_browser(bob).until_page().await.0.status, 200);
}

/// MCP 2025-11-25 Confused Deputy: an unverified callback is never approved silently.
#[actix_web::test]
async fn an_unknown_host_is_asked_about_every_time_and_shown_as_unverified() {
    let stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["redirect_uris"] = json!(["https://unknown.example/cb"]);
    let app = stage.public_app_from(&metadata).await;
    let browser = allowed(app.journey()).await;
    let (page, _) = app.journey().in_browser(browser).until_page().await;
    let text = page.text();
    assert!(text.contains("unknown.example"));
    assert!(words(&text).to_lowercase().contains("verified"), "no warning: {}", words(&text));
}

/// Portico decision 8: a remembered approval is forgotten after ninety days.
#[actix_web::test]
async fn an_old_approval_is_asked_again() {
    let stage = Stage::with("lifetimes.browser_session", "\"100d\"").rise().await;
    let app = hosted_app(&stage).await;
    let browser = allowed(app.journey()).await;
    stage.advance(Ttl::days(89));
    let mut early = app.journey().in_browser(browser.clone());
    assert!(early.asks().await.header_or_empty("location").starts_with(HOSTED));
    stage.advance(Ttl::days(2));
    assert_eq!(app.journey().in_browser(browser).until_page().await.0.status, 200);
}

/// Portico decision 3: a client that changed its own description is a new question.
#[actix_web::test]
async fn a_client_that_changed_is_asked_about_again() {
    let stage = Stage::rise().await;
    let app = hosted_app(&stage).await;
    let browser = allowed(app.journey()).await;
    let replacement = json!({ "client_id": app.id, "client_name": "Another Name", "redirect_uris": [HOSTED], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"] });
    expect::ok(&app.manage("PUT").json(&replacement).await);
    assert_eq!(app.journey().in_browser(browser).until_page().await.0.status, 200);
}

/// OpenID Connect Core §3.1.2.1: prompt=consent asks even when the approval is known.
#[actix_web::test]
async fn prompt_consent_always_asks() {
    let stage = Stage::rise().await;
    let app = hosted_app(&stage).await;
    let browser = allowed(app.journey()).await;
    assert_eq!(app.journey().with("prompt", "consent").in_browser(browser).until_page().await.0.status, 200);
}

/// OpenID Connect Core §3.1.2.6: prompt=none never shows a page; without session login_required, without approval consent_required.
#[actix_web::test]
async fn prompt_none_never_shows_a_page() {
    let stage = Stage::rise().await;
    let app = hosted_app(&stage).await;
    let nobody = app.journey().with("prompt", "none").asks().await;
    expect::redirected(&nobody, HOSTED, "login_required", "login_required");
    let browser = stage.signed_in_browser().await;
    let unknown = app.journey().with("prompt", "none").in_browser(browser.clone()).asks().await;
    expect::redirected(&unknown, HOSTED, "consent_required", "consent_required");
    let browser = allowed(app.journey().in_browser(browser)).await;
    let mut known = app.journey().with("prompt", "none").in_browser(browser);
    let answer = known.asks().await;
    known.code_of(&answer);
}

/// OpenID Connect Core §3.1.2.1: prompt=login asks for the password although somebody is signed in.
#[actix_web::test]
async fn prompt_login_asks_for_the_password() {
    let stage = Stage::rise().await;
    let app = hosted_app(&stage).await;
    let browser = allowed(app.journey()).await;
    stage.advance(Ttl(1));
    let (page, _) = app.journey().with("prompt", "login").in_browser(browser).until_page().await;
    let asks = html::forms(&page.text()).iter().any(html::Form::asks_password);
    assert!(asks, "no password was asked: {}", words(&page.text()));
}

/// MCP 2025-11-25 Confused Deputy: the form carries a token of its own; without it nothing is decided and the flow lives on.
#[actix_web::test]
async fn a_decision_without_its_token_decides_nothing() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    let form = consent_form(&page);
    let hidden: Vec<_> = form.fields.iter().filter(|field| field.kind == "hidden").map(|field| field.name.clone()).collect();
    assert!(!hidden.is_empty(), "no hidden token in the form");
    for replaced in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let mut broken = form.clone();
        for field in &mut broken.fields {
            if field.kind == "hidden" {
                field.value = replaced.into();
            }
        }
        let answer = journey.browser().submit(&broken, &path, Some(("decision", "allow")), &login()).await;
        expect::page(&answer, 403, "csrf_mismatch");
    }
    let answer = journey.browser().says_yes(&page, &path).await;
    let answer = journey.browser().agrees_until_the_end(answer, path).await;
    Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
}

/// MCP 2025-11-25 Confused Deputy: the token of another browser's form is worth nothing here.
#[actix_web::test]
async fn a_token_of_another_browser_decides_nothing() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (mut victim, mut attacker) = (app.journey(), app.journey());
    let (page, path) = victim.until_page().await;
    let (other_page, _) = attacker.until_page().await;
    let other_form = consent_form(&other_page);
    let foreign: Vec<_> =
        other_form.fields.iter().filter(|field| field.kind == "hidden").map(|field| (field.name.as_str(), field.value.as_str())).collect();
    let mut fill = login().to_vec();
    fill.extend(foreign);
    let answer = victim.browser().submit(&consent_form(&page), &path, Some(("decision", "allow")), &fill).await;
    expect::page(&answer, 403, "csrf_mismatch");
}

/// Fetch Metadata §2: a decision that another site's page sends is refused by its headers alone.
#[actix_web::test]
async fn another_site_cannot_press_the_button() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for (name, value) in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example"), ("origin", "null")]
    {
        let mut journey = app.journey();
        let (page, path) = journey.until_page().await;
        let form = consent_form(&page);
        let mut pairs = form.resting_values();
        pairs.push(("decision".into(), "allow".into()));
        pairs.extend(login().map(|(name, value)| (name.to_owned(), value.to_owned())));
        let request = journey.browser().dressed("POST", action_of(&form, &path)).header(name, value).form(&pairs);
        expect::page(&journey.browser().send(request).await, 403, "cross_site");
        let answer = journey.browser().says_yes(&page, &path).await;
        journey.browser().agrees_until_the_end(answer, path).await;
    }
}

/// MCP 2025-11-25 Confused Deputy (FastMCP GHSA-rww4-4w9c-7733): a flow belongs to the browser that began it.
#[actix_web::test]
async fn a_flow_handed_to_another_browser_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut attacker = app.journey();
    let (page, path) = attacker.until_page().await;
    let mut victim = stage.browser();
    expect::page(&victim.get(&path).await, 403, "flow_for_another_browser");
    let answer = victim.says_yes(&page, &path).await;
    assert!(!answer.header_or_empty("location").contains("code="), "the victim's browser decided the attacker's flow");
    expect::page(&answer, 403, "flow_for_another_browser");
}

/// MCP 2025-11-25 Confused Deputy: a signed-in victim who is handed a flow decides nothing either.
#[actix_web::test]
async fn a_signed_in_victim_cannot_be_handed_a_flow() {
    let stage = Stage::rise().await;
    let (attacker_app, mut victim) = (stage.public_app().await, stage.signed_in_browser().await);
    let mut attacker = attacker_app.journey();
    let (page, path) = attacker.until_page().await;
    let answer = victim.says_yes(&page, &path).await;
    expect::page(&answer, 403, "flow_for_another_browser");
}

/// RFC 6749 §10.12: a flow that does not exist, is over or was decided is refused with a page that says start again.
#[actix_web::test]
async fn an_old_flow_is_told_to_start_again() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    expect::page(&stage.browser().get("/consent/AAAAAAAAAAAAAAAAAAAAAA").await, 400, "flow_unknown");
    let mut late = app.journey();
    let (page, path) = late.until_page().await;
    stage.advance(Ttl::minutes(10) + Ttl(1));
    expect::page(&late.browser().says_yes(&page, &path).await, 400, "flow_unknown");
}

/// RFC 6749 §10.12: a flow lives long enough for a person who looks for a password.
#[actix_web::test]
async fn a_person_has_nine_minutes() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    stage.advance(Ttl::minutes(9));
    let answer = journey.browser().says_yes(&page, &path).await;
    let answer = journey.browser().agrees_until_the_end(answer, path).await;
    Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
}

/// RFC 6749 §10.12: one approval makes one code; a second press makes none.
#[actix_web::test]
async fn a_decided_flow_gives_no_second_code() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    let first = journey.browser().says_yes(&page, &path).await;
    let first = journey.browser().agrees_until_the_end(first, path.clone()).await;
    let code = journey.code_of(&first).code;
    // An impatient person is sent the same way again, which gives nobody anything new.
    let second = journey.browser().says_yes(&page, &path).await;
    if second.status == 303 {
        assert_eq!(journey.code_of(&second).code, code);
    } else {
        expect::page(&second, 400, "flow_unknown");
    }
    Tokens::of(&app.redeem(&journey.code_of(&first)).await);
}

/// RFC 9110 §9.2.1: the consent page may be loaded twice (prefetch, reload, link scanner) and still works.
#[actix_web::test]
async fn looking_at_the_page_twice_changes_nothing() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let (first, path) = journey.until_page().await;
    let second = journey.browser().get(&path).await;
    let third = journey.browser().get(&path).await;
    assert_eq!((second.status, third.status), (200, 200));
    // The oldest copy of the form is as good as the newest.
    let answer = journey.browser().says_yes(&first, &path).await;
    let answer = journey.browser().agrees_until_the_end(answer, path).await;
    Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
}

/// RFC 9110 §9.2.1: nothing is decided by GET.
#[actix_web::test]
async fn a_link_cannot_decide() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    let (page, path) = journey.until_page().await;
    let mut pairs = consent_form(&page).resting_values();
    pairs.push(("decision".into(), "allow".into()));
    let answer = journey.browser().get(&format!("{path}?{}", wire::form_text(&pairs))).await;
    assert!(!answer.header_or_empty("location").contains("code="), "{}", expect::told(&answer));
}

/// RFC 6749 §10.13: every page forbids to be framed.
#[actix_web::test]
async fn no_page_can_be_framed() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let refused = app.journey().with("client_id", "nobody").asks().await;
    let (page, _) = app.journey().until_page().await;
    let home = stage.browser().get("/").await;
    let signed_out = stage.browser().get("/logout").await;
    for answer in [refused, page, home, signed_out] {
        assert_eq!(answer.header("x-frame-options").map(str::to_ascii_uppercase).as_deref(), Some("DENY"), "{}", expect::told(&answer));
        let policy = answer.header_or_empty("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(policy.contains("base-uri 'none'"), "{policy}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

/// RFC 9700 §4.2.4: no page tells its address to another site, and none loads anything from elsewhere.
#[actix_web::test]
async fn pages_tell_no_third_party() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (page, _) = app.journey().until_page().await;
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    for tag in html::tags(&page.text()) {
        for attribute in ["src", "href", "srcset", "data", "poster"] {
            let value = tag.attribute(attribute);
            let is_subresource = tag.name != "a" && !value.is_empty();
            assert!(!is_subresource || value.starts_with('/'), "<{} {attribute}={value}>", tag.name);
        }
    }
    let answer = app.journey().until_answer().await;
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
}

/// WCAG 2.2 §2.1.1: the pages need no script: there is none.
#[actix_web::test]
async fn pages_work_without_script() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (page, _) = app.journey().until_page().await;
    for tag in html::tags(&page.text()) {
        assert_ne!(tag.name, "script");
        let handlers: Vec<_> = tag.attribute_names().filter(|name| name.starts_with("on")).collect();
        assert!(handlers.is_empty(), "<{}> has {handlers:?}", tag.name);
        assert!(!tag.has("style"), "<{}> has inline style, which the policy blocks", tag.name);
    }
}

/// RFC 6749 §10.14: what a client says about itself is shown as text and never as markup.
#[actix_web::test]
async fn a_clients_words_are_never_markup() {
    let stage = Stage::rise().await;
    let payloads =
        ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "{{7*7}}", "</title><svg onload=alert(1)>", "' onmouseover='x"];
    for payload in payloads {
        let mut metadata = Stage::usual_registration();
        metadata["client_name"] = payload.into();
        let answer = stage.register(&metadata).await;
        if answer.status != 201 {
            assert_eq!(answer.json()["error"], "invalid_client_metadata");
            continue;
        }
        let app = stage.public_app_from(&metadata).await;
        let (page, _) = app.journey().with("state", payload).until_page().await;
        let text = page.text();
        assert!(words(&text).contains(payload), "the name is not shown as it is");
        for tag in html::tags(&text) {
            assert!(!matches!(tag.name.as_str(), "script" | "img"), "markup came through: <{}>", tag.name);
            assert!(!tag.attribute_names().any(|name| name.starts_with("on")), "a handler came through");
        }
    }
}

/// RFC 6749 §10.14: nothing of a refused request is reflected as markup.
#[actix_web::test]
async fn a_refusal_page_reflects_no_markup() {
    let stage = Stage::rise().await;
    let payload = "<script>alert(1)</script>";
    for (name, value) in [("client_id", payload), ("redirect_uri", "https://x.example/<script>alert(1)</script>")] {
        let answer = stage.public_app().await.journey().with(name, value).asks().await;
        assert_eq!(answer.status, 400);
        assert!(!answer.text().contains(payload), "{}", answer.text());
    }
}

/// RFC 6265bis §4.1.3.2: with an https issuer every cookie is __Host-, Secure, HttpOnly, SameSite=Lax, Path=/.
#[actix_web::test]
async fn cookies_are_bound_to_this_host() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for line in set_cookies(&mut app.journey()).await {
        let (name, rest) = line.split_once('=').unwrap();
        assert!(name.starts_with("__Host-"), "{line}");
        let attributes: Vec<_> = rest.split(';').skip(1).map(|part| part.trim().to_ascii_lowercase()).collect();
        for wanted in ["secure", "httponly", "samesite=lax", "path=/"] {
            assert!(attributes.iter().any(|attribute| attribute == wanted), "{name} lacks {wanted}");
        }
        assert!(!attributes.iter().any(|attribute| attribute.starts_with("domain")), "{line}");
    }
}

/// RFC 6265bis §4.1.3.2: on a plain loopback issuer no prefix is claimed that the browser would check, and names are the server's own.
#[actix_web::test]
async fn loopback_cookies_claim_no_prefix() {
    let stage = Stage::builder().issuer("http://127.0.0.1").rise().await;
    let other = Stage::builder().issuer("http://127.0.0.1").rise().await;
    let mut names = Vec::new();
    for stage in [&stage, &other] {
        let app = stage.public_app().await;
        for line in set_cookies(&mut app.journey()).await {
            let (name, rest) = line.split_once('=').unwrap();
            assert!(!name.starts_with("__"), "{line}");
            assert!(!rest.to_ascii_lowercase().contains("secure"), "{line}");
            assert!(rest.to_ascii_lowercase().contains("httponly") && rest.to_ascii_lowercase().contains("samesite=lax"), "{line}");
            names.push(name.to_owned());
        }
    }
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "two servers on one host share a cookie name, and cookies do not know ports");
}

/// RFC 6819 §4.4.1.9: the session gets a new secret at sign-in, so one that was planted before is worth nothing.
#[actix_web::test]
async fn a_planted_session_is_not_adopted() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let mut journey = app.journey();
    journey.browser().plant_cookie("__Host-portico_session", "planted-by-an-attacker-0123456789abcdefghijk");
    journey.until_code().await;
    let session = journey.browser().cookies().iter().find(|cookie| cookie.name == "__Host-portico_session").cloned();
    assert!(session.is_some_and(|cookie| !cookie.value.contains("planted")), "the planted session lives on");
    let mut attacker = stage.browser();
    attacker.plant_cookie("__Host-portico_session", "planted-by-an-attacker-0123456789abcdefghijk");
    let answer = app.journey().with("prompt", "none").in_browser(attacker).asks().await;
    expect::redirected(&answer, CALLBACK, "login_required", "login_required");
}

/// Portico decision 8: a signed-in browser is signed in for twelve hours.
#[actix_web::test]
async fn a_session_ends_after_twelve_hours() {
    let stage = Stage::rise().await;
    let app = hosted_app(&stage).await;
    let browser = allowed(app.journey()).await;
    stage.advance(Ttl::hours(12) - Ttl(1));
    app.journey().with("prompt", "none").in_browser(browser.clone()).until_code().await;
    stage.advance(Ttl(2));
    let answer = app.journey().with("prompt", "none").in_browser(browser).asks().await;
    expect::redirected(&answer, HOSTED, "login_required", "login_required");
}

/// RFC 6749 §10.10: a wrong password gives no code, and the flow lives on for the right one.
#[actix_web::test]
async fn a_wrong_password_is_asked_again() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let wrong = stage.browser().typing(ALICE, "not her password");
    let mut journey = app.journey().in_browser(wrong);
    let (mut page, mut path) = journey.until_page().await;
    while !html::forms(&page.text()).iter().any(html::Form::asks_password) {
        let next = journey.browser().says_yes(&page, &path).await;
        (page, path) = journey.browser().walk(next, path).await;
    }
    let answer = journey.browser().says_yes(&page, &path).await;
    let (answer, path) = journey.browser().walk(answer, path).await;
    assert!(answer.header("location").is_none(), "{}", expect::told(&answer));
    let again = answer.text();
    assert!(html::forms(&again).iter().any(html::Form::asks_password), "the form is gone: {}", words(&again));
    assert!(!again.contains("not her password"), "the password is echoed");
    let mut right = journey.clone().into_browser().typing(ALICE, portico_tests::stage::PASSWORD);
    let answer = right.says_yes(&answer, &path).await;
    let answer = right.agrees_until_the_end(answer, path).await;
    Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
}

/// RFC 6749 §10.10: passwords cannot be tried without end.
#[actix_web::test]
async fn guessing_a_password_is_slowed_down() {
    let stage = Stage::with("accounts.attempts", "3").rise().await;
    let app = stage.public_app().await;
    for _ in 0..3 {
        try_password(&stage, &app.journey(), "wrong").await;
    }
    // Even the right one waits now, or the answer would tell which one is right.
    let blocked = try_password(&stage, &app.journey(), portico_tests::stage::PASSWORD).await;
    assert!(!blocked.header_or_empty("location").contains("code="), "{}", expect::told(&blocked));
    stage.advance(Ttl::minutes(5) + Ttl(1));
    app.journey().until_code().await;
}

/// OpenID Connect RP-Initiated Logout §2: signing out ends the session in this browser, by POST of our own page.
#[actix_web::test]
async fn signing_out_ends_the_session() {
    let stage = Stage::rise().await;
    let app = hosted_app(&stage).await;
    let mut browser = allowed(app.journey()).await;
    let (page, path) = browser.open("/logout").await;
    let form = html::forms(&page.text()).into_iter().next().expect("a form to sign out with");
    let stale = browser.clone();
    let press = form.buttons().first().map(|button| (button.name.clone(), button.value.clone()));
    let press = press.as_ref().map(|(name, value)| (name.as_str(), value.as_str()));
    let answer = browser.submit(&form, &path, press, &[]).await;
    assert!(answer.status < 400, "{}", expect::told(&answer));
    for browser in [browser, stale] {
        let answer = app.journey().with("prompt", "none").in_browser(browser).asks().await;
        expect::redirected(&answer, HOSTED, "login_required", "login_required");
    }
}

/// OpenID Connect RP-Initiated Logout §2: a link or another site's form signs nobody out, and nobody is redirected from there.
#[actix_web::test]
async fn another_site_cannot_sign_a_person_out() {
    let stage = Stage::rise().await;
    let app = hosted_app(&stage).await;
    let mut browser = allowed(app.journey()).await;
    browser.get("/logout").await;
    let redirecting = browser.get("/logout?post_logout_redirect_uri=https://evil.example/").await;
    assert_eq!(redirecting.header("location"), None, "{}", expect::told(&redirecting));
    let request = browser.dressed("POST", "/logout").header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
    let answer = browser.send(request.form(&[("x", "y")])).await;
    assert_eq!(answer.status, 403, "{}", expect::told(&answer));
    app.journey().with("prompt", "none").in_browser(browser).until_code().await;
}

/// RFC 5646 §4.1: pages speak the language that the browser asks for.
#[actix_web::test]
async fn pages_speak_the_persons_language() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (english, _) = app.journey().until_page().await;
    let german_browser = stage.browser().reading("de-AT,de;q=0.9,en;q=0.5");
    let (german, _) = app.journey().in_browser(german_browser).until_page().await;
    let (asked, _) = app.journey().with("ui_locales", "de").until_page().await;
    let language =
        |page: &Answer| html::tags(&page.text()).iter().find(|tag| tag.name == "html").map(|tag| tag.attribute("lang")).unwrap_or_default();
    assert_eq!((language(&english).as_str(), language(&german).as_str(), language(&asked).as_str()), ("en", "de", "de"));
    let (unknown, _) = app.journey().in_browser(stage.browser().reading("tlh")).until_page().await;
    assert_eq!(language(&unknown), "en");
}

/// RFC 9101 §10.5: request objects are not taken, and that is said with the proper code.
#[actix_web::test]
async fn request_objects_are_not_taken() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let by_value = app.journey().and("request", "e30.e30.").asks().await;
    expect::redirected(&by_value, CALLBACK, "request_not_supported", "request_unsupported");
    let by_reference = app.journey().and("request_uri", "https://app.example/r").asks().await;
    expect::redirected(&by_reference, CALLBACK, "request_uri_not_supported", "request_uri_unsupported");
}

/// RFC 9700 §2.1: nothing is stored for a request that is refused at once.
#[actix_web::test]
async fn a_refused_request_leaves_no_cookie() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for journey in [app.journey().with("redirect_uri", "https://evil.example/"), app.journey().without("code_challenge")] {
        let answer = journey.clone().asks().await;
        assert_eq!(answer.headers_named("set-cookie"), Vec::<&str>::new());
    }
}

async fn hosted_app(stage: &Stage) -> portico_tests::people::PublicApp {
    let mut metadata = Stage::usual_registration();
    metadata["client_name"] = "Claude".into();
    metadata["redirect_uris"] = json!([HOSTED]);
    stage.public_app_from(&metadata).await
}

/// The browser after its person allowed this journey.
async fn allowed(mut journey: Journey) -> Browser {
    journey.until_code().await;
    journey.into_browser()
}

fn consent_form(page: &Answer) -> html::Form {
    let forms = html::forms(&page.text());
    let offers = |form: &html::Form| form.buttons().iter().any(|button| button.value == "allow");
    forms.into_iter().find(offers).unwrap_or_else(|| panic!("no form allows: {}", expect::told(page)))
}

fn action_of<'a>(form: &'a html::Form, path: &'a str) -> &'a str {
    if form.action.is_empty() { path } else { &form.action }
}

/// For forms that carry consent and password on one page; other forms ignore unknown fields.
fn login() -> [(&'static str, &'static str); 2] {
    [("username", ALICE), ("password", portico_tests::stage::PASSWORD)]
}

async fn set_cookies(journey: &mut Journey) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut answer, mut path) = (journey.asks().await, journey.target());
    for _ in 0..8 {
        lines.extend(answer.headers_named("set-cookie").into_iter().filter(|line| !line.contains("Max-Age=0")).map(str::to_owned));
        answer = match answer.header("location") {
            Some(next) if next.starts_with('/') => {
                path = next.to_owned();
                journey.browser().get(&path).await
            }
            Some(_) => break,
            None => journey.browser().says_yes(&answer, &path).await,
        };
    }
    let names = |line: &String| line.split_once('=').map(|(name, _)| name.to_owned());
    lines.sort();
    lines.dedup_by_key(|line| names(line));
    assert!(lines.len() >= 2, "a flow cookie and a session cookie: {lines:?}");
    lines
}

async fn try_password(stage: &Stage, journey: &Journey, password: &str) -> Answer {
    let mut journey = journey.clone().in_browser(stage.browser().typing(ALICE, password));
    let (mut page, mut path) = journey.until_page().await;
    for _ in 0..3 {
        let asked = html::forms(&page.text()).iter().any(html::Form::asks_password);
        let next = journey.browser().says_yes(&page, &path).await;
        (page, path) = journey.browser().walk(next, path).await;
        if asked || page.status != 200 {
            return page;
        }
    }
    page
}
