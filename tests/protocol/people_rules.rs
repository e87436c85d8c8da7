//! Who may enter, and with what: `[people]` and `[[rule]]`, seen by the client.

use portico_tests::company::{Company, HOSTED};
use portico_tests::expect;
use portico_tests::html::words;
use portico_tests::people::Tokens;
use portico_tests::stage::{Stage, StageBuilder};

const EVERYTHING: &str = "mcp:infer mcp:read mcp:write";

fn deny_but(rules: &str) -> StageBuilder {
    Stage::with("people.default", "\"deny\"").table(rules)
}

/// Portico decision 105: each condition lets in whom it names and nobody else.
#[actix_web::test]
async fn a_rule_lets_in_whom_it_names() {
    // Alice is writer and admin, in a group; bob is a writer; carol is nobody in particular.
    for (condition, in_is, out_is) in [
        ("role = \"mcp-admin\"", "alice", "bob"),
        ("role = \"portico:approver\"", "alice", "bob"),
        ("group = \"/mcp/writers\"", "bob", "carol"),
        ("mail_domain = \"portico.test\"", "carol", "dave"),
        ("idp = \"keycloak\"\nsubject = \"SUB\"", "alice", "bob"),
    ] {
        let sub = "00000000-0000-4000-8000-0000000alice";
        let rule = format!("[[rule]]\n{}\nenter = true\nscopes = [\"mcp:read\"]", condition.replace("SUB", sub));
        let company = Company::built(deny_but(&rule)).await;
        assert_eq!(company.idp.sub_of("alice"), sub);
        assert_eq!(company.tokens_of(in_is, "mcp:read").await.scope, "mcp:read", "{condition}");
        let outsider = if out_is == "dave" {
            company.idp.change("bob", |person| person.email = "bob@mail.portico.test".into());
            "bob"
        } else {
            out_is
        };
        let answer = company.answer_to(outsider, "mcp:read").await;
        let query = expect::redirected(&answer, HOSTED, "access_denied", "person_not_let_in");
        assert!(expect::one(&query, "error_description").contains(answer.reference()), "the person gets a reference");
    }
}

/// OpenID Connect Core §5.7, attack 61: a mail address that nobody verified opens no door.
#[actix_web::test]
async fn an_unverified_mail_address_opens_no_door() {
    let rule = "[[rule]]\nmail_domain = \"portico.test\"\nenter = true\nscopes = [\"mcp:read\"]";
    let company = Company::built(deny_but(rule)).await;
    assert_eq!(company.tokens_of("alice", "mcp:read").await.scope, "mcp:read");
    company.idp.change("alice", |person| person.email_verified = false);
    expect::redirected(&company.answer_to("alice", "mcp:read").await, HOSTED, "access_denied", "person_not_let_in");
}

/// RFC 6749 §3.3, decision 3: what a person may not grant is taken away after the sign-in, shown, and said in the token answer.
#[actix_web::test]
async fn what_a_person_may_not_grant_is_taken_away_and_shown_and_said() {
    let rules = "[[rule]]\nscopes = [\"mcp:read\"]\n[[rule]]\nrole = \"mcp-writer\"\nscopes = [\"mcp:write\"]\n\
                 [[rule]]\nrole = \"mcp-admin\"\nscopes = [\"mcp:infer\"]";
    let company = Company::with(rules).await;
    let app = company.stage.public_app().await;
    for (person, granted, taken) in [("carol", "mcp:read", "mcp:write"), ("bob", "mcp:read mcp:write", "mcp:infer")] {
        company.idp.signs_in(person);
        let mut journey = company.journey(&app).with("scope", EVERYTHING);
        let (page, path) = journey.until_page().await;
        assert!(page.text().contains(taken), "before the sign-in nobody is known");
        let back = journey.browser().says_yes(&page, &path).await;
        let (confirm, path) = journey.browser().walk(back, path).await;
        let text = confirm.text();
        assert!(words(&text).contains("Not everything the app asked for") && !text.contains(taken), "{person}: {text}");
        let answer = journey.browser().says_yes(&confirm, &path).await;
        let tokens = Tokens::of(&app.redeem(&journey.code_of(&answer)).await);
        assert_eq!(tokens.scope, granted, "{person}");
    }
    // The nearest no: from whom nothing is taken, nothing is asked twice.
    company.idp.signs_in("alice");
    let mut journey = company.journey(&app).with("scope", EVERYTHING);
    let (page, path) = journey.until_page().await;
    let back = journey.browser().says_yes(&page, &path).await;
    let (answer, _) = journey.browser().walk(back, path).await;
    assert_eq!(Tokens::of(&app.redeem(&journey.code_of(&answer)).await).scope, EVERYTHING);
}

/// RFC 6749 §4.1.2.1: somebody who may enter, and of what the client wants may grant nothing.
#[actix_web::test]
async fn a_person_who_may_grant_nothing_of_it_is_refused() {
    let company = Company::with("[[rule]]\nscopes = [\"mcp:read\"]").await;
    expect::redirected(&company.answer_to("alice", "mcp:write").await, HOSTED, "access_denied", "policy_nothing_allowed");
    assert_eq!(company.tokens_of("alice", "mcp:read").await.scope, "mcp:read");
}

/// Portico decision 105: a rule that shuts out is stronger than the default, and the first that speaks decides.
#[actix_web::test]
async fn the_first_rule_that_speaks_of_entering_decides() {
    let rules = "[[rule]]\nrole = \"mcp-admin\"\nenter = true\n[[rule]]\ngroup = \"/mcp/writers\"\nenter = false";
    let company = Company::with(rules).await;
    for (person, may_enter) in [("alice", true), ("bob", false), ("carol", true)] {
        let answer = company.answer_to(person, "mcp:read").await;
        assert_eq!(answer.location().contains("code="), may_enter, "{person}: {}", answer.location());
    }
}

/// Portico decision 106: who could not enter is asked who they are the next time; their provider would answer with the same account
/// for ever.
#[actix_web::test]
async fn who_was_turned_away_may_come_back_as_somebody_else() {
    let company = Company::built(deny_but("[[rule]]\nrole = \"mcp-admin\"\nenter = true\nscopes = [\"mcp:read\"]")).await;
    let app = company.hosted_app().await;
    company.idp.signs_in("bob");
    let mut journey = company.journey(&app);
    expect::redirected(&journey.until_answer().await, HOSTED, "access_denied", "person_not_let_in");
    assert!(!company.idp.seen("auth")[0].fields.contains_key("prompt"));
    company.idp.signs_in("alice");
    let mut again = app.journey().in_browser(journey.into_browser());
    again.until_code().await;
    assert_eq!(company.idp.seen("auth")[1].fields.get("prompt").map(String::as_str), Some("login"));
}

/// Portico decision 105: accounts kept here stand under the same rules, under their user name.
#[actix_web::test]
async fn accounts_kept_here_stand_under_the_same_rules() {
    let rules = "[[rule]]\nidp = \"local\"\nsubject = \"alice\"\nenter = true\nscopes = [\"mcp:read\"]";
    let stage = deny_but(rules).rise().await;
    stage.app().add_account("bob", "a password of his own").await.expect("an account");
    let app = stage.public_app().await;
    let tokens = Tokens::of(&app.redeem(&app.journey().with("scope", "mcp:read").until_code().await).await);
    assert_eq!(tokens.scope, "mcp:read");
    let mut bobs = app.journey().in_browser(stage.browser().typing("bob", "a password of his own"));
    let answer = bobs.until_answer().await;
    expect::redirected(&answer, &app.redirect_uri, "access_denied", "person_not_let_in");
}
