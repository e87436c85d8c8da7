//! The provider keeps its say: what it says of a person after their sign-in takes effect at our next refresh (decision 9).

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use oauth_types::Ttl;
use portico_tests::company::Company;
use portico_tests::expect;
use portico_tests::idp::{Fault, Idp, Refreshing};
use portico_tests::people::{Browser, PublicApp, Tokens};
use portico_tests::stage::{Stage, StageBuilder};

/// `upstream.recheck` by default.
const RECHECK: Ttl = Ttl::minutes(5);
/// Everybody may read; who has the role may write.
const ROLES: &str = "[[rule]]\nscopes = [\"mcp:read\"]\n[[rule]]\nrole = \"mcp-writer\"\nscopes = [\"mcp:write\"]";

/// An app that somebody of a company connected, and the browser they did it in.
struct Connected {
    company: Company,
    app: PublicApp,
    browser: Browser,
    tokens: Tokens,
}

impl Connected {
    async fn to(company: Company, scope: &str) -> Self {
        let app = company.stage.public_app().await;
        let mut journey = company.journey(&app).with("scope", scope);
        let code = journey.until_code().await;
        let tokens = Tokens::of(&app.redeem(&code).await);
        Self { browser: journey.into_browser(), company, app, tokens }
    }

    async fn rise() -> Self {
        Self::to(Company::rise().await, "mcp:read").await
    }

    /// With further lines in the provider's table.
    async fn with(stage: StageBuilder, upstream: &str) -> Self {
        let idp = Idp::rise(|| 0).await;
        let stage = stage.with_idp(&idp, upstream).rise().await;
        Self::to(Company { stage, idp }, "mcp:read mcp:write").await
    }

    fn idp(&self) -> &Idp {
        &self.company.idp
    }

    fn stage(&self) -> &Stage {
        &self.company.stage
    }

    /// Time passes until the provider is to be asked again.
    fn due(&self) {
        self.stage().advance(RECHECK);
    }

    /// How often the provider's token endpoint was asked.
    fn asked(&self) -> usize {
        self.idp().seen("token").len()
    }

    async fn refreshes(&mut self) {
        self.tokens = Tokens::of(&self.app.refresh(&self.tokens.refresh).await);
    }

    async fn is_refused(&self, reason: &str) {
        expect::refused(&self.app.refresh(&self.tokens.refresh).await, "invalid_grant", reason);
    }

    /// 503 with `Retry-After`, and the refresh token is as good as before.
    async fn is_told_to_come_again(&self) {
        let answer = self.app.refresh(&self.tokens.refresh).await;
        expect::refused_with(&answer, 503, "temporarily_unavailable", "unavailable");
        assert!(answer.header("retry-after").is_some(), "{}", expect::told(&answer));
    }
}

/// Portico decision 9: disabling a person sends no notice, so the recheck is what holds; it ends everything of theirs and nothing else.
#[actix_web::test]
async fn a_disabled_person_is_refused_at_the_next_recheck() {
    let mut alice = Connected::rise().await;
    alice.idp().signs_in("bob");
    let bob = alice.company.journey(&alice.app).until_code().await;
    let bob = Tokens::of(&alice.app.redeem(&bob).await);
    alice.idp().disable("alice");
    alice.refreshes().await;
    alice.due();
    assert!(alice.stage().documents().accepts(&alice.tokens.access).await, "nobody has asked yet");
    alice.is_refused("upstream_ended").await;
    assert!(!alice.stage().documents().accepts(&alice.tokens.access).await, "their access tokens end with it");
    let mut again = alice.app.journey().in_browser(alice.browser.clone());
    let (page, _) = again.until_page().await;
    assert!(!page.text().contains("Alice Example"), "nobody is signed in in their browser");
    alice.idp().change("alice", |person| person.disabled = false);
    alice.is_refused("upstream_ended").await;
    Tokens::of(&alice.app.refresh(&bob.refresh).await);
}

/// Portico decision 9: at most once every recheck; in between the provider is not asked.
#[actix_web::test]
async fn the_provider_is_asked_at_most_every_recheck() {
    let mut alice = Connected::rise().await;
    let before = alice.asked();
    for _ in 0..3 {
        alice.refreshes().await;
    }
    assert_eq!(alice.asked(), before);
    alice.due();
    for _ in 0..3 {
        alice.refreshes().await;
    }
    assert_eq!(alice.asked(), before + 1);
}

/// Portico decision 9, session = follow: what a person allowed ends with their session at the provider, idle time included.
#[actix_web::test]
async fn what_follows_ends_with_the_session_there() {
    let mut alice = Connected::with(Stage::builder(), "session = \"follow\"").await;
    alice.due();
    alice.refreshes().await;
    alice.idp().ends_session(&alice.idp().sid_of("alice"));
    alice.due();
    alice.is_refused("upstream_ended").await;
}

/// Portico decision 9, session = outlive: it lives past the session's idle time, and still not past the person.
#[actix_web::test]
async fn what_outlives_stays_until_the_person_goes() {
    let mut alice = Connected::with(Stage::builder(), "session = \"outlive\"").await;
    alice.idp().ends_session(&alice.idp().sid_of("alice"));
    alice.due();
    alice.refreshes().await;
    alice.idp().disable("alice");
    alice.due();
    alice.is_refused("upstream_ended").await;
}

/// RFC 6749 §5.1: a role that was lost takes its scopes out of the answer, which says so; one that was won back gives them back.
#[actix_web::test]
async fn a_lost_role_takes_its_scopes_with_it() {
    let mut alice = Connected::with(Stage::builder().table(ROLES), "").await;
    assert_eq!(alice.tokens.scope, "mcp:read mcp:write");
    let role = |has: bool| {
        alice.idp().change("alice", |person| person.roles = if has { vec!["mcp-writer".into()] } else { Vec::new() });
        alice.due();
    };
    role(false);
    alice.refreshes().await;
    assert_eq!(alice.tokens.scope, "mcp:read");
    let claims = portico_tests::jwt::unverified(&alice.tokens.access).claims;
    assert_eq!(claims["scope"], "mcp:read", "and out of the token");
    let answer = alice.app.refresh_with(&alice.tokens.refresh, &[("scope", "mcp:write")]).await;
    expect::refused(&answer, "invalid_scope", "scope_nothing_left");
    alice.idp().change("alice", |person| person.roles = vec!["mcp-writer".into()]);
    alice.due();
    alice.refreshes().await;
    assert_eq!(alice.tokens.scope, "mcp:read mcp:write");
}

/// Portico decision 9: when the rules leave nothing, or do not let the person in any more, the grant ends, and a role that comes back
/// does not bring it back.
#[actix_web::test]
async fn who_is_left_nothing_is_refused_for_good() {
    let nothing = "[[rule]]\nenter = true\n[[rule]]\nrole = \"mcp-writer\"\nscopes = [\"mcp:read\", \"mcp:write\"]";
    let barred = "[[rule]]\nrole = \"mcp-writer\"\nenter = true\nscopes = [\"mcp:read\", \"mcp:write\"]";
    for rules in [nothing, barred] {
        let alice = Connected::with(Stage::with("people.default", "\"deny\"").table(rules), "").await;
        alice.idp().change("alice", |person| person.roles.clear());
        alice.due();
        alice.is_refused("nothing_allowed").await;
        assert!(!alice.stage().documents().accepts(&alice.tokens.access).await, "{rules}");
        alice.idp().change("alice", |person| person.roles = vec!["mcp-writer".into()]);
        alice.due();
        alice.is_refused("grant_ended").await;
    }
}

/// RFC 6749 §5.2, attack 58: a provider that cannot be reached is an outage, never invalid_grant; recovery needs nobody.
#[actix_web::test]
async fn an_unreachable_provider_ends_nothing() {
    let mut alice = Connected::rise().await;
    alice.idp().stops().await;
    alice.refreshes().await;
    alice.due();
    for _ in 0..3 {
        alice.is_told_to_come_again().await;
    }
    assert!(alice.stage().documents().accepts(&alice.tokens.access).await);
    alice.idp().returns();
    alice.refreshes().await;
}

/// RFC 6749 §5.2, attack 58: only the provider's own invalid_grant says that somebody is gone. Anything else is no answer.
#[actix_web::test]
async fn only_a_refusal_of_the_person_is_one() {
    let mut alice = Connected::rise().await;
    alice.due();
    let faults = [
        Fault::Status(500),
        Fault::Status(404),
        Fault::Says(400, r#"{"error":"invalid_request"}"#.into()),
        Fault::Says(400, "<html>".into()),
        Fault::Says(401, r#"{"error":"unauthorized_client"}"#.into()),
        Fault::Says(503, r#"{"error":"invalid_grant"}"#.into()),
        Fault::Says(200, "{}".into()),
        Fault::Huge(1 << 20),
        Fault::Truncated,
        Fault::Redirect("https://evil.example/token".into()),
    ];
    for fault in faults {
        let told = format!("{fault:?}");
        alice.idp().breaks("token", fault);
        let answer = alice.app.refresh(&alice.tokens.refresh).await;
        assert_eq!(
            (answer.status, answer.member("error").as_str()),
            (503, "temporarily_unavailable"),
            "{told:.40}: {}",
            expect::told(&answer)
        );
        expect::logged(&answer, "unavailable");
    }
    alice.idp().has_secret("another secret, of the same length!");
    alice.idp().is_honest_again();
    alice.is_told_to_come_again().await;
    alice.idp().has_secret(portico_tests::idp::CLIENT_SECRET);
    alice.refreshes().await;
    alice.idp().breaks("token", Fault::Says(400, r#"{"error":"invalid_grant"}"#.into()));
    alice.due();
    alice.is_refused("upstream_ended").await;
}

/// RFC 6749 §5.2: a slow provider holds a request for five seconds at most; what it says late counts for who comes again.
#[actix_web::test]
async fn a_slow_provider_is_not_waited_for() {
    let mut alice = Connected::rise().await;
    alice.due();
    alice.idp().breaks("token", Fault::Slow(Duration::from_secs(6)));
    let before = alice.asked();
    let began = Instant::now();
    alice.is_told_to_come_again().await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    alice.idp().is_honest_again();
    alice.refreshes().await;
    assert_eq!(alice.asked(), before + 1, "the first question was answered, if late");
}

/// Portico decision 9: of any number of refreshes on one sign-in, one asks, and all hear the answer.
#[actix_web::test]
async fn thirty_two_refreshes_ask_once() {
    let mut alice = Connected::with(Stage::builder().workers(4), "").await;
    let mut apps = Vec::new();
    for _ in 0..4 {
        let app = alice.stage().public_app().await;
        let mut journey = app.journey().in_browser(alice.browser.clone());
        let code = journey.until_code().await;
        alice.browser = journey.into_browser();
        let tokens = Tokens::of(&app.redeem(&code).await);
        apps.push((app, tokens));
    }
    alice.due();
    let before = alice.asked();
    let answers = join_all((0..32).map(|number| {
        let (app, tokens) = &apps[number % apps.len()];
        app.refresh_with(&tokens.refresh, &[("resource", "https://portico.test/mcp")])
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{:?}", answers.iter().map(expect::told).collect::<Vec<_>>());
    assert_eq!(alice.asked(), before + 1);
}

/// Portico decision 9: two replicas ask once between them; what the provider says at one holds at the other.
#[actix_web::test]
async fn two_replicas_ask_once() {
    let alice = Connected::rise().await;
    let other = alice.stage().replica().await;
    let there = alice.app.at(&other);
    alice.due();
    let before = alice.asked();
    let token = &alice.tokens.refresh;
    let answers = join_all((0..16).map(|number| if number % 2 == 0 { alice.app.refresh(token) } else { there.refresh(token) })).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{:?}", answers.iter().map(expect::told).collect::<Vec<_>>());
    assert_eq!(alice.asked(), before + 1);
    alice.idp().disable("alice");
    alice.due();
    let newest = Tokens::of(&answers[0]).refresh;
    expect::refused(&alice.app.refresh(&newest).await, "invalid_grant", "upstream_ended");
    expect::refused(&there.refresh(&newest).await, "invalid_grant", "upstream_ended");
    assert_eq!(alice.asked(), before + 2);
}

/// Portico decision 9, grace: refreshes go on for so long while there is no answer, and no longer; a no needs no grace.
#[actix_web::test]
async fn grace_carries_over_an_outage() {
    let mut alice = Connected::with(Stage::builder(), "grace = \"10m\"").await;
    alice.idp().stops().await;
    alice.due();
    alice.refreshes().await;
    alice.stage().advance(Ttl::minutes(10) - Ttl(1));
    alice.refreshes().await;
    alice.stage().advance(Ttl(1));
    alice.is_told_to_come_again().await;
    alice.idp().returns();
    alice.refreshes().await;
    alice.idp().disable("alice");
    alice.due();
    alice.is_refused("upstream_ended").await;
}

/// RFC 9700 §4.14.2 at the provider: each of its refresh tokens is good once, and we keep up.
#[actix_web::test]
async fn a_provider_that_rotates_strictly_is_followed() {
    let mut alice = Connected::rise().await;
    alice.idp().refreshes(Refreshing::Rotating);
    for _ in 0..4 {
        alice.due();
        alice.refreshes().await;
    }
}

/// RFC 9700 §4.14.2 at the provider: a new token whose ID token is not believed is kept all the same, or the next question would come
/// with a spent one and end what never ended.
#[actix_web::test]
async fn a_new_token_is_kept_whatever_came_with_it() {
    let mut alice = Connected::rise().await;
    alice.idp().refreshes(Refreshing::Rotating);
    alice.idp().twists("id_token", |claims| claims["aud"] = "somebody-else".into());
    alice.due();
    for _ in 0..2 {
        alice.is_told_to_come_again().await;
    }
    alice.idp().is_honest_again();
    alice.refreshes().await;
}

/// OpenID Connect Core §12.2: the ID token of a refresh names the same person, or it is another's.
#[actix_web::test]
async fn a_provider_that_speaks_of_another_person_vouches_for_nobody() {
    let alice = Connected::rise().await;
    let bob = alice.idp().sub_of("bob");
    alice.idp().twists("id_token", move |claims| claims["sub"] = bob.clone().into());
    alice.due();
    alice.is_refused("upstream_ended").await;
}

/// Portico decision 9, max_age: a provider without refresh tokens is asked again by a fresh sign-in.
#[actix_web::test]
async fn without_refresh_tokens_a_sign_in_lasts_for_max_age() {
    let idp = Idp::rise(|| 0).await;
    idp.refreshes(Refreshing::Never);
    let stage = Stage::builder().with_idp(&idp, "max_age = \"1h\"").rise().await;
    let mut alice = Connected::to(Company { stage, idp }, "mcp:read").await;
    alice.idp().stops().await;
    alice.stage().advance(Ttl::hours(1) - Ttl(1));
    alice.refreshes().await;
    alice.stage().advance(Ttl(1));
    alice.is_refused("upstream_ended").await;
    alice.idp().returns();
    let code = alice.company.journey(&alice.app).until_code().await;
    Tokens::of(&alice.app.redeem(&code).await);
}

/// Portico 11a.2: a token that would be refused anyhow makes nobody ask the provider, and a replay ends its grant without it.
#[actix_web::test]
async fn nobody_can_make_us_ask_with_a_token_that_is_not_theirs() {
    let mut alice = Connected::rise().await;
    let old = alice.tokens.refresh.clone();
    alice.refreshes().await;
    alice.refreshes().await;
    let thief = alice.stage().public_app().await;
    alice.due();
    let before = alice.asked();
    expect::refused(&thief.refresh(&alice.tokens.refresh).await, "invalid_grant", "client_mismatch");
    let wider = alice.app.refresh_with(&alice.tokens.refresh, &[("scope", "mcp:write")]).await;
    expect::refused(&wider, "invalid_scope", "scope_wider");
    assert_eq!(alice.asked(), before);
    alice.refreshes().await;
    assert_eq!(alice.asked(), before + 1);
    alice.due();
    alice.idp().stops().await;
    expect::refused(&alice.app.refresh(&old).await, "invalid_grant", "refresh_reused");
    alice.is_refused("grant_ended").await;
}

/// Portico 11a: people with an account here are refreshed without a provider.
#[actix_web::test]
async fn an_account_here_asks_no_provider() {
    let idp = Idp::rise(|| 0).await;
    let stage = Stage::with("accounts.sign_in", "\"on\"").with_idp(&idp, "").rise().await;
    let app = stage.public_app().await;
    let code = app.journey().with("idp_hint", "local").until_code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    idp.stops().await;
    stage.advance(Ttl::hours(1));
    Tokens::of(&app.refresh(&tokens.refresh).await);
    assert!(idp.seen("token").is_empty());
}
