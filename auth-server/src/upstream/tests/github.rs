//! GitHub, by a double that speaks its documented API.

use serde_json::{Value, json};

use super::*;
use crate::upstream::{
    GoneWhy, Standing, UpstreamToken,
    idp::{Fault, github::Github},
    journey::TokenKind,
};

struct Site {
    github: Github,
    upstreams: Upstreams,
}

impl Site {
    async fn rise() -> Self {
        Self::with("").await
    }

    async fn with(more: &str) -> Self {
        let github = Github::rise().await;
        let clock: Arc<dyn crate::clock::Clock> = Arc::new(FixedClock::at(BEGINNING));
        let upstreams = Upstreams::open(&config(&github.table("one", more)), &clock).unwrap();
        Self { github, upstreams }
    }

    fn provider(&self) -> &dyn UpstreamIdp {
        self.upstreams.all().next().unwrap().as_ref()
    }

    async fn goes(&self) -> (Departure, Callback) {
        let departure = self.provider().depart(&Asking { redirect_uri: REDIRECT_URI, ..Asking::default() }).await.unwrap();
        let url = url::Url::parse(&self.github.sends_back(departure.location.as_str()).await).unwrap();
        let said = |name: &str| url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
        let callback = Callback { state: said("state").unwrap_or_default(), code: said("code"), iss: said("iss"), error: said("error") };
        (departure, callback)
    }

    async fn signs_in(&self) -> Result<Arrival, UpstreamError> {
        let (departure, callback) = self.goes().await;
        self.provider().arrive(callback, &departure.memory, REDIRECT_URI).await
    }

    async fn asked(&self, token: &UpstreamToken) -> super::super::Recheck {
        self.provider().still_stands("583231", token).await
    }
}

/// GitHub docs, "Get the authenticated user", "List email addresses", "List organizations", "List teams".
#[actix_web::test]
async fn a_person_of_github_arrives_with_mail_organisations_and_teams() {
    let site = Site::rise().await;
    let arrival = site.signs_in().await.unwrap();
    let identity = arrival.identity;
    assert_eq!((identity.issuer, identity.subject.as_str(), identity.sid, identity.auth_time), (site.github.site(), "583231", None, None));
    assert_eq!((identity.facts.display_name.as_str(), identity.facts.username.as_deref()), ("The Octocat", Some("octocat")));
    assert_eq!(identity.facts.mail.as_deref(), Some("octocat@github.com"));
    assert_eq!(identity.facts.organisations.iter().collect::<Vec<_>>(), ["octo-org"]);
    assert_eq!(identity.facts.groups.iter().collect::<Vec<_>>(), ["octo-org/justice-league"]);
    assert_eq!(arrival.token.unwrap().kind, TokenKind::Access);
}

/// A login can be given up and taken by another person; the number cannot.
#[actix_web::test]
async fn a_renamed_person_is_the_same_and_a_namesake_is_not() {
    let site = Site::rise().await;
    let subject = site.signs_in().await.unwrap().identity.subject;
    site.github.state().user["login"] = json!("hexacat");
    assert_eq!(site.signs_in().await.unwrap().identity.subject, subject);
    site.github.state().user = json!({ "login": "octocat", "id": 999, "name": null });
    let namesake = site.signs_in().await.unwrap().identity;
    assert_ne!(namesake.subject, subject);
    assert_eq!(namesake.facts.display_name, "octocat");
}

/// Attack 61: only the primary address, and only when GitHub verified it; the public one proves nothing.
#[actix_web::test]
async fn an_unverified_address_of_github_is_not_known() {
    let site = Site::rise().await;
    site.github.state().emails[1]["verified"] = json!(false);
    assert_eq!(site.signs_in().await.unwrap().identity.facts.mail, None);
}

/// Nothing is asked that the operator's scopes do not cover.
#[actix_web::test]
async fn only_what_was_asked_for_is_asked() {
    let site = Site::with("scopes = \"read:user\"").await;
    let facts = site.signs_in().await.unwrap().identity.facts;
    assert_eq!((facts.mail, facts.groups.len(), facts.organisations.len()), (None, 0, 0));
    assert!(!site.github.state().seen.iter().any(|path| path.contains("/user/")));
}

/// Teams come in pages; who has more than can be told is refused, never judged by some of them.
#[actix_web::test]
async fn teams_are_read_to_the_end_or_refused() {
    let teams = |count: usize| -> Vec<Value> {
        (0..count).map(|number| json!({ "slug": format!("t{number}"), "organization": { "login": "o" } })).collect()
    };
    let site = Site::rise().await;
    site.github.state().teams = teams(230);
    assert_eq!(site.signs_in().await.unwrap().identity.facts.groups.len(), 230);
    for count in [257, 1000] {
        site.github.state().teams = teams(count);
        assert_eq!(reason(site.signs_in().await), "upstream_claims_too_large", "{count}");
    }
    let pages = site.github.state().seen.iter().filter(|path| path.contains("/user/teams")).count();
    assert_eq!(pages, 3 + 3 + 3, "and nobody pages for ever");
}

/// RFC 7636 §4.6: GitHub binds the code to the verifier.
#[actix_web::test]
async fn a_stolen_code_of_github_is_worth_nothing() {
    let site = Site::rise().await;
    let ((mine, _), (_, theirs)) = (site.goes().await, site.goes().await);
    let stolen = Callback { state: mine.memory.state().to_owned(), ..theirs };
    assert_eq!(reason(site.provider().arrive(stolen, &mine.memory, REDIRECT_URI).await), "upstream_code_refused");
}

/// Attacks 6 and 14.
#[actix_web::test]
async fn a_callback_of_github_must_be_the_answer() {
    for (query, why) in [
        (json!({ "state": "attacker" }), "upstream_state_unknown"),
        (json!({ "iss": "https://evil.example" }), "upstream_callback_issuer_mismatch"),
        (json!({ "code": null }), "upstream_callback_malformed"),
        (json!({ "code": null, "error": "access_denied" }), "refused_upstream"),
        (json!({ "code": null, "error": "application_suspended" }), "upstream_request_refused"),
    ] {
        let site = Site::rise().await;
        site.github.state().callback = query.clone();
        assert_eq!(reason(site.signs_in().await), why, "{query}");
    }
    let site = Site::rise().await;
    let named = json!({ "iss": format!("{}/login/oauth", site.github.site()) });
    site.github.state().callback = named;
    site.signs_in().await.expect("its own name");
}

/// GitHub never says when somebody signed in: a sign-in that must be fresh cannot be had there.
#[actix_web::test]
async fn github_cannot_prove_a_fresh_sign_in() {
    let site = Site::rise().await;
    let asking = Asking { redirect_uri: REDIRECT_URI, max_age: Some(oauth_types::Ttl(60)), ..Asking::default() };
    let departure = site.provider().depart(&asking).await.unwrap();
    let callback = Callback { state: departure.memory.state().to_owned(), code: Some("x".into()), ..Callback::default() };
    assert_eq!(reason(site.provider().arrive(callback, &departure.memory, REDIRECT_URI).await), "upstream_auth_time_missing");
}

#[actix_web::test]
async fn a_lying_github_is_not_believed() {
    let token = "/login/oauth/access_token";
    for (path, fault, why) in [
        (token, Fault::Says(200, json!({ "error": "incorrect_client_credentials" }).to_string()), "upstream_credentials_refused"),
        (token, Fault::Says(200, json!({ "error": "redirect_uri_mismatch" }).to_string()), "upstream_request_refused"),
        (token, Fault::Says(200, json!({ "access_token": "", "token_type": "bearer" }).to_string()), "upstream_malformed"),
        (token, Fault::Says(200, json!({ "access_token": "x", "token_type": "mac" }).to_string()), "upstream_malformed"),
        (token, Fault::Says(200, "access_token=x&token_type=bearer".into()), "upstream_malformed"),
        (token, Fault::Status(503), "unavailable"),
        ("/api/v3/user", Fault::Status(404), "upstream_status_unexpected"),
        ("/api/v3/user", Fault::Says(200, json!({ "id": "583231", "login": "octocat" }).to_string()), "upstream_malformed"),
        ("/api/v3/user", Fault::Huge(300_000), "upstream_too_large"),
        ("/api/v3/user", Fault::Redirect("https://evil.example".into()), "upstream_redirected"),
        ("/api/v3/user/emails", Fault::Status(403), "upstream_status_unexpected"),
        ("/api/v3/user/teams", Fault::Says(200, "{}".into()), "upstream_malformed"),
        ("/api/v3/user/orgs", Fault::Truncated, "unavailable"),
    ] {
        let site = Site::rise().await;
        site.github.state().faults.insert(path.into(), fault.clone());
        assert_eq!(reason(site.signs_in().await), why, "{path} {fault:?}");
    }
}

/// A person takes back what they allowed, changes, or is shut out by their administrator.
#[actix_web::test]
async fn a_recheck_at_github_sees_what_changed() {
    let site = Site::rise().await;
    let token = site.signs_in().await.unwrap().token.unwrap();
    site.github.state().teams.clear();
    let Ok(Standing::Stands(facts)) = site.asked(&token).await.standing else { panic!("octocat stands") };
    assert!(facts.groups.is_empty());
    site.github.state().user["suspended_at"] = json!("2027-01-15T00:00:00Z");
    assert!(matches!(site.asked(&token).await.standing, Ok(Standing::Gone(GoneWhy::Disabled))));
    site.github.state().user = json!({ "login": "octocat", "id": 999 });
    assert!(matches!(site.asked(&token).await.standing, Ok(Standing::Gone(GoneWhy::AnotherPerson))));
    site.github.takes_back_all_tokens();
    assert!(matches!(site.asked(&token).await.standing, Ok(Standing::Gone(GoneWhy::Refused))));
}

/// Attack 58: a limit of GitHub's, or an outage, says nothing about the person.
#[actix_web::test]
async fn nothing_but_bad_credentials_says_that_somebody_is_gone_from_github() {
    let site = Site::rise().await;
    let token = site.signs_in().await.unwrap().token.unwrap();
    for fault in [
        Fault::Status(403),
        Fault::Status(429),
        Fault::Status(500),
        Fault::Status(401),
        Fault::Says(401, json!({ "message": "Requires authentication" }).to_string()),
    ] {
        site.github.state().faults.insert("/api/v3/user".into(), fault.clone());
        assert!(site.asked(&token).await.standing.is_err(), "{fault:?}");
    }
    site.github.state().faults.clear();
    assert!(matches!(site.asked(&token).await.standing, Ok(Standing::Stands(_))));
}

/// A GitHub App: tokens expire, refresh tokens are good once.
#[actix_web::test]
async fn a_github_apps_refresh_token_is_kept_and_rotated() {
    let site = Site::rise().await;
    site.github.state().tokens_expire = true;
    let first = site.signs_in().await.unwrap().token.unwrap();
    assert_eq!(first.kind, TokenKind::Refresh);
    site.github.state().faults.insert("/api/v3/user".into(), Fault::Status(500));
    let recheck = site.asked(&first).await;
    assert!(recheck.standing.is_err());
    let second = recheck.rotated.expect("the new one is not lost");
    site.github.state().faults.clear();
    assert!(matches!(site.asked(&first).await.standing, Ok(Standing::Gone(GoneWhy::Refused))), "the old one is spent");
    assert!(matches!(site.asked(&second).await.standing, Ok(Standing::Stands(_))));
}

/// GitHub sends no notices, and signs nobody out for us.
#[actix_web::test]
async fn github_has_no_notices() {
    let site = Site::rise().await;
    assert_eq!(reason(site.provider().read_logout_notice("a.b.c").await), "upstream_logout_unsupported");
    let token = site.signs_in().await.unwrap().token.unwrap();
    assert_eq!(site.provider().sign_out(&token, "https://portico.test/logout", "abc").await, None);
}
