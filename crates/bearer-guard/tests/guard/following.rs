//! What a guard knows of its issuer, and what it does when it knows nothing: keys that come and go, endings, outages, restarts.

use std::sync::atomic::Ordering;

use crate::issuer::{CLIENT, FACTS, Issuer, NOW, Signer, until};
use bearer_guard::{EndedFeed, Guard, GuardConfig};
use oauth_types::{ClientSecret, EndedKind, Error, Scope, TokenFault};
use serde_json::{Value, json};

async fn verdict(guard: &Guard, token: &str) -> &'static str {
    match guard.admit(token, &Scope::default()).await {
        Ok(_) => "admitted",
        Err(error) => error.reason(),
    }
}

/// Waits until a token gets this verdict, since a background task brings the news.
async fn becomes(guard: &Guard, token: &str, expected: &str) {
    for _ in 0..500 {
        if verdict(guard, token).await == expected {
            return;
        }
        actix_web::rt::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(verdict(guard, token).await, expected);
}

/// Attack 32, a storm of unknown key names: one request an interval, whoever asks.
#[actix_web::test]
async fn a_storm_of_unknown_keys_costs_one_request_an_interval() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    assert_eq!(issuer.keys_asked(), 1);
    let storm = |from: usize| {
        let tokens: Vec<_> = (from..from + 50).map(|n| issuer.token_headed("kid", json!(format!("unknown-{n}")))).collect();
        let guard = guard.clone();
        async move {
            let nothing = Scope::default();
            let requests = tokens.iter().map(|token| guard.admit(token, &nothing));
            for answer in all_at_once(requests).await {
                assert!(matches!(answer, Err(Error::InvalidToken(TokenFault::KeyUnknown))));
            }
        }
    };
    storm(0).await;
    assert_eq!(issuer.keys_asked(), 1, "the set was read within the interval");
    issuer.advance(31);
    storm(100).await;
    assert_eq!(issuer.keys_asked(), 2);
    storm(200).await;
    assert_eq!(issuer.keys_asked(), 2);
    // A good token meanwhile costs nothing.
    assert_eq!(verdict(&guard, &issuer.token()).await, "admitted");
    assert_eq!(issuer.keys_asked(), 2);
}

/// A key is published before it signs; a guard that has not seen it asks once and lets the token in.
#[actix_web::test]
async fn a_new_key_is_found_when_its_first_token_comes() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let new = Signer::eddsa();
    issuer.book.keys.lock().unwrap().push(new.jwk("k2"));
    issuer.advance(31);
    let token = new.token(&json!({"typ": "at+jwt", "alg": "EdDSA", "kid": "k2"}), &issuer.claims());
    let nothing = Scope::default();
    let requests = (0..20).map(|_| guard.admit(&token, &nothing));
    for answer in all_at_once(requests).await {
        assert!(answer.is_ok());
    }
    assert_eq!(issuer.keys_asked(), 2, "twenty requests waited for one reading");
}

/// Attack 45: a retired key is refused, also for tokens that were verified with it before.
#[actix_web::test]
async fn a_retired_key_takes_its_tokens_along() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let token = issuer.token();
    assert_eq!(verdict(&guard, &token).await, "admitted");
    *issuer.book.keys.lock().unwrap() = vec![Signer::es256().jwk("k2")];
    issuer.advance(31);
    // Somebody's unknown key makes the guard read the set again.
    assert_eq!(verdict(&guard, &issuer.token_headed("kid", json!("other"))).await, "token_key_unknown");
    assert_eq!(verdict(&guard, &token).await, "token_key_unknown");
}

/// The same name for another key: what the old one signed counts for nothing.
#[actix_web::test]
async fn a_key_that_was_replaced_under_its_name_is_another_key() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let token = issuer.token();
    assert_eq!(verdict(&guard, &token).await, "admitted");
    *issuer.book.keys.lock().unwrap() = vec![Signer::es256().jwk("k1")];
    issuer.advance(31);
    assert_eq!(verdict(&guard, &issuer.token_headed("kid", json!("other"))).await, "token_key_unknown");
    assert_eq!(verdict(&guard, &token).await, "token_signature_mismatch");
}

/// When the issuer is away the last good keys stay; a redirect, a page of HTML, an endless or an empty answer is "away".
#[actix_web::test]
async fn the_last_good_keys_stay_when_the_issuer_answers_nonsense() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let endless = format!("{{\"keys\": [{}]}}", "{},".repeat(40_000));
    let rows = [
        (500, "{}"),
        (302, ""),
        (200, "<html>"),
        (200, "{\"keys\": []}"),
        (200, "{\"keys\": [{\"kty\": \"EC\"}]}"),
        (200, endless.as_str()),
    ];
    for (place, (status, body)) in rows.into_iter().enumerate() {
        *issuer.book.keys_answer.lock().unwrap() = Some((status, body.to_owned()));
        issuer.advance(31);
        let asked = issuer.keys_asked();
        assert_eq!(verdict(&guard, &issuer.token_headed("kid", json!(format!("x{place}")))).await, "token_key_unknown", "{status}");
        assert_eq!(issuer.keys_asked(), asked + 1);
        assert_eq!(verdict(&guard, &issuer.token_with("jti", json!(format!("t{place}")))).await, "admitted", "{status}");
    }
    assert_eq!(issuer.book.strayed.load(Ordering::SeqCst), 0, "a redirect is not followed");
}

/// Keys that we cannot use do not spoil the others (RFC 7517 §5).
#[actix_web::test]
async fn keys_of_other_kinds_are_left_out() {
    let issuer = Issuer::start(Signer::es256()).await;
    let with = |member: &str, value: Value| {
        let mut jwk = issuer.signer.jwk("k1");
        jwk[member] = value;
        jwk
    };
    let (short_x, secret) = (with("x", json!("AAAA")), json!({"kty": "oct", "k": "AAAA", "kid": "k1"}));
    for unusable in [
        with("use", json!("enc")),
        with("alg", json!("ES384")),
        with("crv", json!("P-384")),
        with("key_ops", json!(["sign"])),
        short_x,
        secret,
    ] {
        *issuer.book.keys.lock().unwrap() = vec![unusable.clone(), Signer::eddsa().jwk("k2")];
        let guard = issuer.guard().await;
        assert_eq!(verdict(&guard, &issuer.token()).await, "token_key_unknown", "{unusable}");
    }
}

/// A guard that has read no keys yet cannot know: 503, never an opinion about the token.
#[actix_web::test]
async fn a_guard_without_keys_is_closed_and_says_so() {
    let issuer = Issuer::start(Signer::es256()).await;
    *issuer.book.keys_answer.lock().unwrap() = Some((503, String::new()));
    let guard = issuer.idle_guard(issuer.config());
    assert_eq!(verdict(&guard, &issuer.token()).await, "unavailable", "follow() was not called");
    guard.follow();
    assert_eq!(verdict(&guard, &issuer.token()).await, "unavailable");
    assert!(guard.ready().is_err());
    // What is no token at all stays that.
    assert_eq!(verdict(&guard, "nonsense").await, "token_malformed");
    *issuer.book.keys_answer.lock().unwrap() = None;
    becomes(&guard, &issuer.token(), "admitted").await;
    assert!(guard.ready().is_ok());
}

/// architecture 11a: an ending is known everywhere within a second or two, though the token was verified before.
#[actix_web::test]
async fn a_token_ends_with_what_it_stands_on() {
    for (kind, id) in [
        (EndedKind::Grant, FACTS.grant_id),
        (EndedKind::Token, FACTS.jti),
        (EndedKind::Client, FACTS.client_id),
        (EndedKind::Subject, FACTS.sub),
        (EndedKind::UpstreamSession, "session-1"),
    ] {
        let issuer = Issuer::start(Signer::es256()).await;
        let guard = issuer.following_guard().await;
        let token = issuer.token();
        assert_eq!(verdict(&guard, &token).await, "admitted");
        issuer.end(kind, "somebody-elses", None);
        issuer.end(kind, id, Some(NOW));
        becomes(&guard, &token, "token_ended").await;
        let later = issuer.token_with("iat", json!(NOW + 1));
        assert_eq!(verdict(&guard, &later).await, "admitted", "what was issued after the ending of a {kind:?} lives");
    }
}

/// Everything that ended before the guard started counts, however many pages it takes.
#[actix_web::test]
async fn a_new_guard_reads_every_page_before_its_first_answer() {
    let issuer = Issuer::start(Signer::es256()).await;
    issuer.book.page_lines_max.store(3, Ordering::SeqCst);
    for n in 0..10 {
        issuer.end(EndedKind::Token, &format!("other-{n}"), None);
    }
    issuer.end(EndedKind::Grant, FACTS.grant_id, None);
    let guard = issuer.following_guard().await;
    assert_eq!(verdict(&guard, &issuer.token()).await, "token_ended");
    assert_eq!(issuer.book.ended_asked.lock().unwrap()[..4], [0, 3, 6, 9]);
}

/// Never open in doubt: when the endings are older than five seconds the answer is 503, and it heals by itself.
#[actix_web::test]
async fn a_guard_that_cannot_see_endings_closes_after_five_seconds() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.following_guard().await;
    let token = issuer.token();
    assert_eq!(verdict(&guard, &token).await, "admitted");
    *issuer.book.ended_answer.lock().unwrap() = Some((500, String::new()));
    let asked = issuer.book.ended_asked.lock().unwrap().len();
    until("a reading failed", || issuer.book.ended_asked.lock().unwrap().len() > asked + 1).await;
    issuer.advance(5);
    assert_eq!(verdict(&guard, &token).await, "admitted");
    issuer.advance(1);
    let error = guard.admit(&token, &Scope::default()).await.unwrap_err();
    assert_eq!((error.code(), error.status(), error.reason()), ("temporarily_unavailable", 503, "unavailable"));
    assert!(guard.ready().is_err());
    // A bad token is a bad token all the same.
    assert_eq!(verdict(&guard, &issuer.token_with("aud", json!("https://x.example"))).await, "token_audience_mismatch");
    *issuer.book.ended_answer.lock().unwrap() = None;
    becomes(&guard, &token, "admitted").await;
}

/// The same for answers that are no endings, and for wrong credentials: before the first good reading nobody comes in.
#[actix_web::test]
async fn a_guard_that_never_saw_the_endings_is_closed() {
    let issuer = Issuer::start(Signer::es256()).await;
    let wrong = EndedFeed { client_secret: ClientSecret::new("wrong".to_owned()), client_id: CLIENT.to_owned(), ..issuer.feed() };
    let guard = issuer.idle_guard(GuardConfig { ended: Some(wrong), ..issuer.config() });
    guard.follow();
    until("the keys are read", || issuer.keys_asked() > 0).await;
    becomes(&guard, &issuer.token(), "unavailable").await;
    for body in ["<html>", "{\"number\":1}", ""] {
        *issuer.book.ended_answer.lock().unwrap() = Some((200, body.to_owned()));
        let guard = issuer.idle_guard(GuardConfig { ended: Some(issuer.feed()), ..issuer.config() });
        guard.follow();
        let asked = issuer.book.ended_asked.lock().unwrap().len();
        until("it was asked", || issuer.book.ended_asked.lock().unwrap().len() > asked).await;
        becomes(&guard, &issuer.token(), "unavailable").await;
        assert!(guard.ready().is_err());
    }
}

/// A resource that has just started knows nothing yet, but will in a moment: its first caller waits instead of being sent away.
#[actix_web::test]
async fn a_call_in_the_first_moment_waits_for_the_first_reading() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.idle_guard(GuardConfig { ended: Some(issuer.feed()), ..issuer.config() });
    guard.follow();
    assert!(guard.ready().is_err(), "nothing has been read yet");
    assert_eq!(verdict(&guard, &issuer.token()).await, "admitted");
}

/// An issuer that was restored from a backup counts again from below: everything is read anew, and what was known stays.
#[actix_web::test]
async fn a_restored_issuer_is_read_from_the_beginning() {
    let issuer = Issuer::start(Signer::es256()).await;
    issuer.end(EndedKind::Token, "old-1", None);
    issuer.end(EndedKind::Token, "old-2", None);
    issuer.end(EndedKind::Token, FACTS.jti, None);
    let guard = issuer.following_guard().await;
    assert_eq!(verdict(&guard, &issuer.token()).await, "token_ended");
    issuer.book.ended.lock().unwrap().clear();
    issuer.book.ended_head.store(0, Ordering::SeqCst);
    issuer.end(EndedKind::Grant, "grant-2", None);
    let token = issuer.signer.token(&issuer.header(), &{
        let mut claims = issuer.claims();
        claims["grant_id"] = json!("grant-2");
        claims["jti"] = json!("token-2");
        claims
    });
    becomes(&guard, &token, "token_ended").await;
    assert_eq!(verdict(&guard, &issuer.token()).await, "token_ended", "an ending is not taken back");
}

/// The follower ends with the last clone of its guard.
#[actix_web::test]
async fn a_dropped_guard_asks_no_more() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.following_guard().await;
    let clone = guard.clone();
    drop(guard);
    let asked = issuer.book.ended_asked.lock().unwrap().len();
    until("the clone follows", || issuer.book.ended_asked.lock().unwrap().len() > asked).await;
    drop(clone);
    actix_web::rt::time::sleep(std::time::Duration::from_millis(100)).await;
    let asked = issuer.book.ended_asked.lock().unwrap().len();
    actix_web::rt::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(issuer.book.ended_asked.lock().unwrap().len(), asked);
}

/// A token that expires while it is remembered is refused all the same.
#[actix_web::test]
async fn a_remembered_token_expires() {
    let issuer = Issuer::start(Signer::es256()).await;
    let guard = issuer.guard().await;
    let token = issuer.token();
    assert_eq!(verdict(&guard, &token).await, "admitted");
    issuer.advance(604);
    assert_eq!(verdict(&guard, &token).await, "admitted", "within the leeway");
    issuer.advance(1);
    assert_eq!(verdict(&guard, &token).await, "token_expired");
}

/// Bounded memory: a flood of good tokens pushes others out, and everybody still comes in.
#[actix_web::test]
async fn a_small_memory_is_no_refusal() {
    let issuer = Issuer::start(Signer::es256()).await;
    for verified_max in [0, 1, 16] {
        let guard = issuer.guard_with(GuardConfig { verified_max, ..issuer.config() }).await;
        for n in 0..100 {
            let token = issuer.token_with("jti", json!(format!("t{n}")));
            assert_eq!(verdict(&guard, &token).await, "admitted");
            assert_eq!(verdict(&guard, &token).await, "admitted");
        }
    }
    issuer.stop().await;
}

/// All at once, on this thread.
async fn all_at_once<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in &mut waiting {
            if answer.is_none()
                && let std::task::Poll::Ready(done) = future.as_mut().poll(context)
            {
                *answer = Some(done);
            }
        }
        if waiting.iter().all(|(_, answer)| answer.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, answer)| answer).collect()
}
