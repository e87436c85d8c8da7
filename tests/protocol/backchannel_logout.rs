//! OpenID Connect Back-Channel Logout 1.0: a provider says once that somebody signed out, and it is so everywhere.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use oauth_types::Ttl;
use portico_tests::company::Company;
use portico_tests::expect;
use portico_tests::idp::{Idp, Signing};
use portico_tests::people::{Browser, PublicApp, Stranger, Tokens};
use portico_tests::stage::{CALLBACK, Stage};
use portico_tests::wire::{Answer, Request};

const PATH: &str = "/backchannel-logout/keycloak";
/// Keycloak waits for five seconds.
const PROVIDER_WAITS: Duration = Duration::from_secs(5);
/// Architecture 11a.3: a second is promised, the rest is for a machine under load.
const KNOWN_EVERYWHERE_WITHIN: Duration = Duration::from_secs(3);

/// Alice of the company, with an app that she connected.
struct Alice {
    company: Company,
    app: PublicApp,
    browser: Browser,
    tokens: Tokens,
}

impl Alice {
    async fn connected() -> Self {
        Self::of(Company::rise().await).await
    }

    async fn of(company: Company) -> Self {
        let app = company.stage.public_app().await;
        let mut journey = company.journey(&app);
        let code = journey.until_code().await;
        let tokens = Tokens::of(&app.redeem(&code).await);
        Self { browser: journey.into_browser(), company, app, tokens }
    }

    fn idp(&self) -> &Idp {
        &self.company.idp
    }

    fn stage(&self) -> &Stage {
        &self.company.stage
    }

    /// The notice that Keycloak would send now.
    fn notice(&self) -> String {
        self.idp().logout_token(Some(&self.idp().sid_of("alice")), Some(&self.idp().sub_of("alice")))
    }

    fn sends(&self, logout_token: &str) -> Request {
        self.stage().stranger().post(PATH, &[("logout_token", logout_token)])
    }

    async fn is_refused_a_refresh(&self) {
        expect::refused(&self.app.refresh(&self.tokens.refresh).await, "invalid_grant", "upstream_ended");
    }

    async fn still_stands(&self) {
        assert!(self.stage().documents().accepts(&self.tokens.access).await);
    }
}

#[track_caller]
fn accepted(answer: &Answer) {
    assert_eq!((answer.status, answer.body.len()), (200, 0), "{}", expect::told(answer));
    expect::no_store(answer);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

/// OpenID Connect Back-Channel Logout §2.7, §2.8: 200, `no-store`, and what the notice names is over when it is answered.
#[actix_web::test]
async fn a_notice_ends_the_grants_and_the_browsers_of_its_session() {
    let alice = Alice::connected().await;
    let began = Instant::now();
    let answer = alice.sends(&alice.notice()).await;
    assert!(began.elapsed() < PROVIDER_WAITS / 2, "{:?}", began.elapsed());
    accepted(&answer);
    assert!(!alice.stage().documents().accepts(&alice.tokens.access).await, "at once");
    alice.is_refused_a_refresh().await;
    let mut again = alice.app.journey().in_browser(alice.browser.clone());
    let (page, _) = again.until_page().await;
    assert!(!page.text().contains("Alice Example"), "the browser is signed out");
    let before = alice.idp().seen("token").len();
    alice.is_refused_a_refresh().await;
    assert_eq!(alice.idp().seen("token").len(), before, "nobody needs to be asked");
}

/// Portico 11a.3: the other replica refuses a refresh at once and an access token within a second.
#[actix_web::test]
async fn a_notice_at_one_replica_is_known_at_the_other_within_a_second() {
    let alice = Alice::connected().await;
    let other = alice.stage().replica().await;
    let documents = alice.stage().documents().at(&other);
    assert!(documents.accepts(&alice.tokens.access).await);
    accepted(&alice.sends(&alice.notice()).await);
    expect::refused(&alice.app.at(&other).refresh(&alice.tokens.refresh).await, "invalid_grant", "upstream_ended");
    let since = Instant::now();
    while documents.accepts(&alice.tokens.access).await {
        assert!(since.elapsed() < KNOWN_EVERYWHERE_WITHIN, "the other replica still says that the token is good");
    }
    let since = Instant::now();
    loop {
        let mut there = alice.app.journey().in_browser(alice.browser.clone().at(&other));
        let (page, _) = there.until_page().await;
        if !page.text().contains("Alice Example") {
            break;
        }
        assert!(since.elapsed() < KNOWN_EVERYWHERE_WITHIN, "the browser is still signed in at the other replica");
    }
    let replayed = Stranger::at(&other).post(PATH, &[("logout_token", &alice.notice())]).await;
    accepted(&replayed);
}

/// OpenID Connect Back-Channel Logout §2.4: a session is that session, a person all of theirs, and nobody else's.
#[actix_web::test]
async fn a_notice_ends_no_more_than_it_names() {
    let first = Alice::connected().await;
    let first_sid = first.idp().sid_of("alice");
    let second = first.company.journey(&first.app).until_code().await;
    let second = Tokens::of(&first.app.redeem(&second).await);
    first.idp().signs_in("bob");
    let bob = first.company.journey(&first.app).until_code().await;
    let bob = Tokens::of(&first.app.redeem(&bob).await);
    assert_ne!(first.idp().sid_of("alice"), first_sid, "another session");
    accepted(&first.sends(&first.idp().logout_token(Some(&first_sid), None)).await);
    first.is_refused_a_refresh().await;
    let second = Tokens::of(&first.app.refresh(&second.refresh).await);
    accepted(&first.sends(&first.idp().logout_token(None, Some(&first.idp().sub_of("alice")))).await);
    expect::refused(&first.app.refresh(&second.refresh).await, "invalid_grant", "upstream_ended");
    Tokens::of(&first.app.refresh(&bob.refresh).await);
    accepted(&first.sends(&first.idp().logout_token(Some("a session that never was"), None)).await);
    Tokens::of(&first.app.refresh(&bob.refresh).await);
}

/// Portico decision 9: outlive lives past the session's idle time, not past a sign-out.
#[actix_web::test]
async fn a_notice_ends_what_outlives_its_session() {
    let idp = Idp::rise(|| 0).await;
    let stage = Stage::builder().with_idp(&idp, "session = \"outlive\"").rise().await;
    let alice = Alice::of(Company { stage, idp }).await;
    accepted(&alice.sends(&alice.notice()).await);
    alice.is_refused_a_refresh().await;
}

/// OpenID Connect Back-Channel Logout §2.6: a logout token is good once, at whichever replica.
#[actix_web::test]
async fn a_logout_token_is_good_once() {
    let alice = Alice::connected().await;
    let other = alice.stage().replica().await;
    let notice = alice.notice();
    accepted(&alice.sends(&notice).await);
    expect::refused(&alice.sends(&notice).await, "invalid_request", "upstream_logout_replayed");
    let there = Stranger::at(&other).post(PATH, &[("logout_token", &notice)]).await;
    expect::refused(&there, "invalid_request", "upstream_logout_replayed");
    accepted(&alice.sends(&alice.notice()).await);
}

/// OpenID Connect Back-Channel Logout §2.6, §2.8: anything wrong is 400 and changes nothing; only the operator learns what it was.
#[actix_web::test]
async fn a_wrong_logout_token_ends_nothing() {
    let alice = Alice::connected().await;
    let lie = |twist: fn(&mut serde_json::Value)| {
        alice.idp().twists("logout_token", twist);
        let notice = alice.notice();
        alice.idp().is_honest_again();
        notice
    };
    let forged = |signing| {
        alice.idp().signs(signing);
        let notice = alice.notice();
        alice.idp().is_honest_again();
        notice
    };
    let cases = [
        (lie(|claims| claims["aud"] = "somebody-else".into()), "upstream_audience_mismatch"),
        (lie(|claims| claims["iss"] = "https://evil.example".into()), "upstream_issuer_mismatch"),
        (lie(|claims| claims["exp"] = (claims["iat"].as_i64().unwrap_or_default() - 3_600).into()), "upstream_expired"),
        (lie(|claims| claims["iat"] = (claims["iat"].as_i64().unwrap_or_default() + 3_600).into()), "upstream_issued_in_future"),
        (lie(|claims| claims["events"] = serde_json::json!({})), "upstream_logout_event_missing"),
        (lie(|claims| claims["nonce"] = "n".into()), "upstream_logout_with_nonce"),
        (lie(|claims| drop(claims.as_object_mut().map(|claims| claims.remove("jti")))), "upstream_logout_unnamed"),
        (
            lie(|claims| {
                claims.as_object_mut().map(|claims| claims.remove("sid"));
                claims.as_object_mut().map(|claims| claims.remove("sub"));
            }),
            "upstream_logout_of_nobody",
        ),
        (forged(Signing::Unsigned), "upstream_id_token_unsigned"),
        (forged(Signing::SharedSecret), "upstream_algorithm_forbidden"),
        (forged(Signing::StrangersKey), "upstream_signature_mismatch"),
        (forged(Signing::UnpublishedKey), "upstream_key_unknown"),
    ];
    for (notice, reason) in cases {
        expect::refused(&alice.sends(&notice).await, "invalid_request", reason);
        alice.still_stands().await;
    }
    accepted(&alice.sends(&alice.notice()).await);
}

/// OpenID Connect Back-Channel Logout §2.5: one form parameter, by POST, to the provider that it is about.
#[actix_web::test]
async fn what_is_no_notice_is_refused() {
    let alice = Alice::connected().await;
    let stranger = alice.stage().stranger();
    let nothing: [(&str, &str); 0] = [];
    expect::refused(&stranger.post(PATH, &nothing).await, "invalid_request", "parameter_missing");
    let notice = alice.notice();
    let twice = [("logout_token", notice.as_str()), ("logout_token", notice.as_str())];
    expect::refused(&stranger.post(PATH, &twice).await, "invalid_request", "parameter_repeated");
    expect::refused_with(&stranger.get(PATH).await, 405, "invalid_request", "method_not_allowed");
    for elsewhere in ["/backchannel-logout/other", "/backchannel-logout/local", "/backchannel-logout/Keycloak", "/backchannel-logout/"] {
        expect::refused_with(&stranger.post(elsewhere, &[("logout_token", &notice)]).await, 404, "invalid_request", "not_found");
    }
    let long = "x".repeat(64 * 1024);
    expect::refused_with(&stranger.post(PATH, &[("logout_token", &long)]).await, 413, "invalid_request", "body_too_large");
    for garbage in ["x", "a.b.c", &"a".repeat(8_000)] {
        let answer = stranger.post(PATH, &[("logout_token", garbage)]).await;
        assert_eq!((answer.status, answer.member("error").as_str()), (400, "invalid_request"), "{}", expect::told(&answer));
    }
    alice.still_stands().await;
    accepted(&alice.sends(&notice).await);
}

/// OpenID Connect Back-Channel Logout §2.8: a provider whose keys cannot be read was not heard; its notice is not called done.
#[actix_web::test]
async fn a_notice_that_cannot_be_verified_now_is_not_called_done() {
    let alice = Alice::connected().await;
    alice.idp().rotates_key();
    let notice = alice.notice();
    alice.idp().stops().await;
    let answer = alice.sends(&notice).await;
    assert_ne!(answer.status, 200, "{}", expect::told(&answer));
    alice.still_stands().await;
}

/// OpenID Connect Back-Channel Logout §2.5: a notice may be sent to an internal name of ours; what it says is signed.
#[actix_web::test]
async fn a_provider_may_call_us_by_an_internal_name() {
    let alice = Alice::connected().await;
    accepted(&alice.sends(&alice.notice()).header("host", "auth-server:8080").await);
    alice.is_refused_a_refresh().await;
}

/// Portico decision 111: a notice that overtakes the browser: the session that it ended does not begin here.
#[actix_web::test]
async fn a_session_that_is_over_before_it_arrives_does_not_begin() {
    let company = Company::rise().await;
    let app = company.stage.public_app().await;
    let mut departure = company.departs(app.journey()).await;
    let callback = departure.callback(&company.idp).await;
    let notice = company.idp.logout_token(Some(&company.idp.sid_of("alice")), None);
    accepted(&company.stage.stranger().post(PATH, &[("logout_token", &notice)]).await);
    let path = callback.strip_prefix(company.stage.issuer()).expect("our own callback").to_owned();
    let (answer, _) = departure.journey.browser().open(&path).await;
    expect::redirected(&answer, CALLBACK, "access_denied", "upstream_signed_out");
    let code = company.journey(&app).until_code().await;
    Tokens::of(&app.redeem(&code).await);
}

/// OpenID Connect Back-Channel Logout §2.7: answered well within what the provider waits for, however busy the database is.
#[actix_web::test]
async fn a_busy_database_does_not_keep_a_provider_waiting() {
    let alice = Alice::connected().await;
    let crowd = join_all((0..200).map(|_| alice.stage().register(&REGISTRATION)));
    let began = Instant::now();
    let notice = async {
        let answer = alice.sends(&alice.notice()).await;
        (answer, began.elapsed())
    };
    let (registered, (answer, took)) = join(crowd, notice).await;
    assert!(registered.iter().all(|answer| answer.status == 201));
    accepted(&answer);
    assert!(took < PROVIDER_WAITS, "{took:?}");
    alice.stage().advance(Ttl(1));
    alice.is_refused_a_refresh().await;
}

static REGISTRATION: std::sync::LazyLock<serde_json::Value> = std::sync::LazyLock::new(Stage::usual_registration);
