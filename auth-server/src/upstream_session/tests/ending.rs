//! What ends a session.

use super::{super::*, house::*};
use crate::upstream::GoneWhy;

/// Grace is for silence: within it, what the provider does say holds.
#[tokio::test(flavor = "multi_thread")]
async fn grace_does_not_keep_who_is_gone() {
    let house = Plan { settings: UpstreamConfig { grace: Ttl::hours(1), ..settings() }, ..Plan::default() }.stands().await;
    house.says(Says::Gone(GoneWhy::Disabled));
    house.due();
    assert_eq!(house.ask().await, Ok(Stand::Ended));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_is_gone_for_good() {
    for why in [GoneWhy::Refused, GoneWhy::AnotherPerson, GoneWhy::Disabled] {
        let house = House::open().await;
        house.says(Says::Gone(why));
        assert!(house.ask().await.is_ok_and(|stand| stand != Stand::Ended), "not due yet");
        house.due();
        assert_eq!(house.ask().await, Ok(Stand::Ended));
        house.says(Says::Stands { roles: &["reader"], rotates_to: None });
        assert_eq!((house.ask().await, house.asked()), (Ok(Stand::Ended), 1), "nobody is asked about what ended");
        let row = house.store.upstream_session(&house.id).await.unwrap().unwrap();
        assert_eq!((row.ended_at, row.sealed_token, row.facts.as_str()), (Some(START + RECHECK), None, ""));
        assert_eq!(house.sessions.facts(&house.id).await.unwrap(), None);
    }
}

/// Issue 4, point 3: a provider without refresh tokens is asked again by a fresh sign-in after max_age.
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_cannot_be_asked_about_ends_after_max_age() {
    let house = Plan { has_token: false, ..Plan::default() }.stands().await;
    house.clock.advance(Ttl::hours(12) - Ttl(1));
    assert_eq!((house.ask().await, house.asked()), (stands(&["reader", "writer"]), 0));
    house.clock.advance(Ttl(1));
    assert_eq!((house.ask().await, house.asked()), (Ok(Stand::Ended), 0));
    assert!(house.store.upstream_session(&house.id).await.unwrap().unwrap().ended_at.is_some(), "and what stands on it");
}

/// A provider that was taken out of the configuration vouches for nobody, but nothing ends for good: it may be a mistake.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_gone_from_the_configuration_vouches_for_nobody() {
    let house = House::open().await;
    for settings in [
        UpstreamConfig { id: IdpId::parse("other").unwrap(), ..settings() },
        UpstreamConfig { issuer: "https://other.example".into(), ..settings() },
    ] {
        let provider = Arc::new(Provider::that_knows(settings, &[]));
        let (_, elsewhere) = server(&house.folder, &house.clock, &house.sealing, &provider).await;
        assert_eq!(elsewhere.ask(&house.id).await.unwrap(), Stand::Ended);
    }
    assert_eq!(house.ask().await, stands(&["reader", "writer"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_was_does_not_stand() {
    let house = House::open().await;
    assert_eq!(house.sessions.ask(&UpstreamSessionId::from_trusted("us_none")).await.unwrap(), Stand::Ended);
}

/// OpenID Connect Back-Channel Logout 1.0 §2.6: a notice of one session, once; of a person without a session, all of theirs.
#[tokio::test(flavor = "multi_thread")]
async fn a_notice_ends_what_it_names_once() {
    let notice = |sid: Option<&str>, subject: Option<&str>, jti: &str| LogoutNotice {
        sid: sid.map(str::to_owned),
        subject: subject.map(str::to_owned),
        jti: jti.into(),
        issued_at: START,
        expires_at: START + Ttl(120),
    };
    let house = House::open().await;
    let end = async |issuer: &str, notice: LogoutNotice| house.sessions.end_by_notice(issuer, &notice, Trail::default()).await.unwrap();
    assert_eq!(end("https://other.example", notice(Some("s-1"), None, "a")).await, Some(0), "another provider's session");
    assert_eq!(end(ISSUER, notice(Some("s-2"), Some("u-1"), "b")).await, Some(0), "another session of the same person");
    assert_eq!(end(ISSUER, notice(None, Some("u-2"), "c")).await, Some(0), "another person");
    assert!(house.ask().await.is_ok_and(|stand| stand != Stand::Ended));
    assert_eq!(end(ISSUER, notice(Some("s-1"), Some("u-1"), "d")).await, Some(1));
    assert_eq!(end(ISSUER, notice(Some("s-1"), Some("u-1"), "d")).await, None, "it came before");
    assert_eq!(house.ask().await, Ok(Stand::Ended));
    let arrival = Arrival { identity: identity(&house.provider.settings), token: None };
    let refused = house.sessions.begin(&Subject::from_trusted("alice"), &arrival).await.unwrap_err();
    assert_eq!((refused.code(), refused.reason()), ("access_denied", "upstream_signed_out"), "it overtook a browser");

    let house = House::open().await;
    let count = house.sessions.end_by_notice(ISSUER, &notice(None, Some("u-1"), "e"), Trail::default()).await.unwrap();
    assert_eq!((count, house.ask().await), (Some(1), Ok(Stand::Ended)));
}
