//! RFC 6749 §3 and §4.1: a person's permission becomes a code, a code becomes tokens, once.

use oauth_types::Ttl;
use portico_tests::journeys::{STATE, challenge_of};
use portico_tests::people::Tokens;
use portico_tests::stage::{CALLBACK, Stage};
use portico_tests::{expect, html};
use serde_json::json;

/// RFC 6749 §5.1: access_token, token_type and expires_in come as JSON, with Cache-Control no-store.
#[actix_web::test]
async fn a_code_becomes_tokens() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    let answer = app.redeem(&code).await;
    let body = expect::ok(&answer);
    expect::no_store(&answer);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 600);
    assert_eq!(body["scope"], "mcp:read");
    assert!(body["refresh_token"].as_str().is_some_and(|token| token.len() >= 43), "{body}");
    assert!(stage.documents().accepts(body["access_token"].as_str().unwrap()).await);
}

/// RFC 6749 §4.1.2: the client MUST NOT use the authorization code more than once.
#[actix_web::test]
async fn a_code_is_good_once() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    expect::ok(&app.redeem(&code).await);
    expect::refused(&app.redeem(&code).await, "invalid_grant", "code_replayed");
}

/// RFC 6749 §4.1.2: if a code is used more than once, the tokens issued from it SHOULD be revoked.
#[actix_web::test]
async fn a_replayed_code_takes_its_tokens_with_it() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    assert!(stage.documents().accepts(&tokens.access).await);
    expect::refused(&app.redeem(&code).await, "invalid_grant", "code_replayed");
    assert!(!stage.documents().accepts(&tokens.access).await);
    expect::refused(&app.refresh(&tokens.refresh).await, "invalid_grant", "grant_ended");
}

/// RFC 6749 §10.5: a second use without the proof is no replay, so a thief cannot end what is not his.
#[actix_web::test]
async fn a_replay_without_the_proof_ends_nothing() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    let tokens = Tokens::of(&app.redeem(&code).await);
    let wrong = "another-verifier-that-was-never-sent-0123456789";
    let body = app.redeem_with(&code, "code_verifier", wrong).await;
    assert_eq!(body.json()["error"], "invalid_grant");
    assert!(stage.documents().accepts(&tokens.access).await);
    Tokens::of(&app.refresh(&tokens.refresh).await);
}

/// RFC 6749 §4.1.3: the server MUST ensure that the code was issued to this client.
#[actix_web::test]
async fn a_stranger_cannot_burn_a_code() {
    let stage = Stage::rise().await;
    let (app, thief) = (stage.public_app().await, stage.public_app().await);
    let code = app.code().await;
    expect::refused(&thief.redeem(&code).await, "invalid_grant", "client_mismatch");
    Tokens::of(&app.redeem(&code).await);
}

/// RFC 6749 §4.1.2: the code MUST expire shortly after it is issued.
#[actix_web::test]
async fn a_code_dies_after_a_minute() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (early, late) = (app.code().await, app.code().await);
    stage.advance(Ttl(59));
    expect::ok(&app.redeem(&early).await);
    stage.advance(Ttl(2));
    expect::refused(&app.redeem(&late).await, "invalid_grant", "code_expired");
}

/// RFC 6749 §4.1.3: redirect_uri, if sent, MUST be the one of the authorization request.
#[actix_web::test]
async fn a_code_comes_back_with_the_redirect_uri_it_was_sent_to() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    for other in ["http://127.0.0.1:33418/other", "http://127.0.0.1:33419/callback", "http://127.0.0.1:33418/callback/", "nonsense"] {
        expect::refused(&app.redeem_with(&code, "redirect_uri", other).await, "invalid_grant", "redirect_mismatch");
    }
    Tokens::of(&app.redeem(&code).await);
}

/// RFC 6749 §5.2: an invalid code is invalid_grant.
#[actix_web::test]
async fn a_made_up_code_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let real = app.code().await;
    let flipped = {
        let last = if real.code.ends_with('A') { 'B' } else { 'A' };
        format!("{}{last}", &real.code[..real.code.len() - 1])
    };
    for made_up in ["x", "pco_AAAA", "pco_", &flipped, &"A".repeat(512), "%00", "💥"] {
        expect::refused(&app.redeem_with(&real, "code", made_up).await, "invalid_grant", "code_malformed");
    }
    Tokens::of(&app.redeem(&real).await);
}

/// RFC 6749 §5.2: an unknown grant type is unsupported_grant_type.
#[actix_web::test]
async fn grants_that_portico_does_not_speak_are_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let grants = [
        "password",
        "implicit",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "Authorization_Code",
    ];
    for grant in grants {
        let answer = app.token_request(&[("grant_type", grant), ("username", "alice"), ("password", "x")]).await;
        expect::refused(&answer, "unsupported_grant_type", "grant_type_unsupported");
    }
}

/// RFC 6749 §5.2: a request without a required parameter is invalid_request.
#[actix_web::test]
async fn a_token_request_says_what_it_wants() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    expect::refused(&app.token_request(&[("code", "x")]).await, "invalid_request", "parameter_missing");
    expect::refused(&app.token_request(&[("grant_type", "authorization_code")]).await, "invalid_request", "parameter_missing");
    // §3.1: a parameter without a value is treated as if it were omitted.
    let empty = app.token_request(&[("grant_type", "authorization_code"), ("code", "")]).await;
    expect::refused(&empty, "invalid_request", "parameter_missing");
}

/// RFC 6749 §3.2: parameters MUST NOT be included more than once.
#[actix_web::test]
async fn a_repeated_token_parameter_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    for repeated in ["grant_type", "code", "code_verifier", "redirect_uri"] {
        let mut pairs = app.redemption(&code);
        let again = pairs.iter().find(|(name, _)| name == repeated).cloned().unwrap();
        pairs.push(again);
        expect::refused(&app.token_request(&pairs).await, "invalid_request", "parameter_repeated");
    }
    Tokens::of(&app.redeem(&code).await);
}

/// RFC 6749 §3.2: unrecognized request parameters MUST be ignored.
#[actix_web::test]
async fn unknown_token_parameters_are_ignored() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    let mut pairs = app.redemption(&code);
    pairs.push(("audience".into(), "anything".into()));
    pairs.push(("client_assertion_type".into(), String::new()));
    Tokens::of(&app.token_request(&pairs).await);
}

/// RFC 6749 §4.1.3: the body is application/x-www-form-urlencoded; a charset suffix changes nothing.
#[actix_web::test]
async fn a_form_may_name_its_charset() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    let mut pairs = app.redemption(&code);
    pairs.push(("client_id".into(), app.id.clone()));
    let text = portico_tests::wire::form_text(&pairs);
    let request = stage.stranger().request("POST", "/token");
    Tokens::of(&request.content("application/x-www-form-urlencoded; charset=UTF-8", text).await);
}

/// RFC 6749 §4.1.3: a body in another format is invalid_request.
#[actix_web::test]
async fn a_token_request_in_json_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let body = json!({ "grant_type": "authorization_code", "code": "x", "client_id": app.id });
    expect::refused(&stage.stranger().post_json("/token", &body).await, "invalid_request", "body_not_a_form");
}

/// RFC 6749 §3.2: the client MUST use POST at the token endpoint.
#[actix_web::test]
async fn the_token_endpoint_takes_nothing_from_the_address_bar() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.code().await;
    let mut pairs = app.redemption(&code);
    pairs.push(("client_id".into(), app.id.clone()));
    let target = format!("/token?{}", portico_tests::wire::form_text(&pairs));
    assert_eq!(stage.stranger().get(&target).await.status, 405);
    let body_less = stage.stranger().request("POST", &target).header("content-type", "application/x-www-form-urlencoded").await;
    assert_eq!(body_less.json()["error"], "invalid_request");
    Tokens::of(&app.redeem(&code).await);
}

/// RFC 6749 §3.1: the authorization endpoint MUST support GET and MAY support POST.
#[actix_web::test]
async fn a_client_may_ask_by_post() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.journey().posted().until_code().await;
    Tokens::of(&app.redeem(&code).await);
}

/// RFC 6749 §3.1: unrecognized request parameters MUST be ignored.
#[actix_web::test]
async fn parameters_of_other_specifications_are_ignored_at_authorize() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let journey = app.journey().and("audience", "x").and("nonce", "n-0S6_WzA2Mj").and("login_hint", "alice").and("id_token_hint", "e.y.j");
    let code = journey.and("prompt", "consent").and("access_type", "offline").until_code().await;
    Tokens::of(&app.redeem(&code).await);
}

/// RFC 6749 §4.1.2: state is returned with the exact value received from the client.
#[actix_web::test]
async fn state_comes_back_byte_by_byte() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let states = [STATE, "a", "eyJ1Ijoi/+==", "%2F%20", "<script>", "\u{1F680} ü", &"s".repeat(4096)];
    let mut browser = stage.browser();
    for state in states {
        let mut journey = app.journey().in_browser(browser).with("state", state);
        let code = journey.until_code().await;
        assert_eq!(expect::one(&code.query, "state"), state);
        browser = journey.into_browser();
    }
}

/// RFC 6749 §4.1.2: state is required in the answer if it was in the request, and only then.
#[actix_web::test]
async fn no_state_in_no_state_out() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.journey().without("state").until_code().await;
    assert!(code.query.iter().all(|(name, _)| name != "state"), "{:?}", code.query);
}

/// RFC 6749 §4.1.2.1: without a valid client the resource owner is informed, and not redirected.
#[actix_web::test]
async fn an_unknown_client_is_told_to_the_person() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for unknown in ["nobody", "../../etc/passwd", "a b", &"x".repeat(200)] {
        expect::page(&app.journey().with("client_id", unknown).asks().await, 400, "client_unknown");
    }
    expect::page(&app.journey().without("client_id").asks().await, 400, "parameter_missing");
}

/// RFC 6749 §4.1.2.1: with an invalid redirection URI the server MUST NOT redirect.
#[actix_web::test]
async fn a_foreign_redirect_uri_is_never_followed() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let page = expect::page(&app.journey().with("redirect_uri", "https://evil.example/cb").asks().await, 400, "redirect_not_registered");
    assert!(!page.contains("href=\"https://evil.example"), "the page links to the refused address");
    expect::page(&app.journey().with("redirect_uri", "javascript:alert(1)").asks().await, 400, "redirect_scheme_forbidden");
}

/// RFC 6749 §3.1.2.3: redirect URIs are compared as strings.
#[actix_web::test]
async fn a_redirect_uri_matches_to_the_last_character() {
    let stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["redirect_uris"] = json!(["https://app.example/cb"]);
    let app = stage.public_app_from(&metadata).await;
    let near = [
        "https://app.example/cb/",
        "https://app.example/CB",
        "https://app.example/cb?x=1",
        "https://app.example/cb?",
        "https://app.example/cb/../cb",
        "https://app.example/%63b",
        "https://app.example:443/cb",
        "https://app.example:8443/cb",
        "https://app.example.evil.example/cb",
        "https://evil.example/https://app.example/cb",
        "https://APP.example/cb",
        "https://app.example./cb",
        "http://app.example/cb",
        "https://xn--pp-8ia.example/cb",
        "//app.example/cb",
        "/cb",
    ];
    for uri in near {
        let answer = app.journey().with("redirect_uri", uri).asks().await;
        assert_eq!((answer.status, answer.header("location")), (400, None), "{uri}");
    }
    for (uri, reason) in [
        ("https://app.example/cb#x", "redirect_fragment"),
        ("https://app.example@evil.example/cb", "redirect_userinfo"),
        ("https://app.example\\@evil.example/cb", "redirect_backslash"),
        ("https://*.example/cb", "redirect_wildcard"),
    ] {
        expect::page(&app.journey().with("redirect_uri", uri).asks().await, 400, reason);
    }
    assert_eq!(app.journey().until_page().await.0.status, 200);
}

/// RFC 6749 §3.1.2.3: if one redirection URI is registered, the request may leave it out.
#[actix_web::test]
async fn the_only_redirect_uri_may_be_left_out() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.journey().without("redirect_uri").until_code().await;
    assert_eq!(code.redirect_uri, CALLBACK);
    Tokens::of(&app.redeem_with(&code, "redirect_uri", "").await);
}

/// RFC 6749 §3.1.2.3: if several redirection URIs are registered, the client MUST say which.
#[actix_web::test]
async fn one_of_several_redirect_uris_must_be_named() {
    let stage = Stage::rise().await;
    let mut metadata = Stage::usual_registration();
    metadata["redirect_uris"] = json!([CALLBACK, "https://app.example/cb"]);
    let app = stage.public_app_from(&metadata).await;
    expect::page(&app.journey().without("redirect_uri").asks().await, 400, "redirect_missing");
    let code = app.journey().with("redirect_uri", "https://app.example/cb").until_code().await;
    Tokens::of(&app.redeem(&code).await);
}

/// RFC 6749 §4.1.2.1: a missing response_type is invalid_request, told to the client.
#[actix_web::test]
async fn a_request_without_response_type_goes_back_as_invalid() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    expect::redirected(&app.journey().without("response_type").asks().await, CALLBACK, "invalid_request", "parameter_missing");
}

/// RFC 6749 §4.1.2.1: other response types are unsupported_response_type.
#[actix_web::test]
async fn only_codes_come_through_the_browser() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for asked in ["token", "id_token", "code token", "none", "CODE"] {
        let answer = app.journey().with("response_type", asked).asks().await;
        let query = expect::redirected(&answer, CALLBACK, "unsupported_response_type", "response_type_unsupported");
        assert_eq!(expect::one(&query, "state"), STATE);
    }
}

/// RFC 6749 §3.1: request parameters MUST NOT be included more than once.
#[actix_web::test]
async fn a_repeated_parameter_goes_back_as_invalid() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for (name, value) in [("code_challenge", challenge_of("other")), ("scope", "mcp:read".into()), ("response_type", "code".into())] {
        let journey = app.journey().with("scope", "mcp:read").and(name, &value);
        expect::redirected(&journey.clone().asks().await, CALLBACK, "invalid_request", "parameter_repeated");
    }
    // With two states nobody can tell which one to return: none is.
    let query = expect::redirected(&app.journey().and("state", "b").asks().await, CALLBACK, "invalid_request", "parameter_repeated");
    assert!(query.iter().filter(|(name, _)| name == "state").count() <= 1);
}

/// RFC 6749 §3.1: two client ids or two redirect URIs leave nobody to answer to, so the person is told.
#[actix_web::test]
async fn a_repeated_client_or_redirect_uri_is_told_to_the_person() {
    let stage = Stage::rise().await;
    let (app, other) = (stage.public_app().await, stage.public_app().await);
    expect::page(&app.journey().and("client_id", &other.id).asks().await, 400, "parameter_repeated");
    expect::page(&app.journey().and("redirect_uri", "https://evil.example/cb").asks().await, 400, "parameter_repeated");
    expect::page(&app.journey().and("redirect_uri", CALLBACK).asks().await, 400, "parameter_repeated");
}

/// RFC 6749 §4.1.2.1: if the resource owner denies, the client is told access_denied.
#[actix_web::test]
async fn a_person_may_say_no() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let answer = app.journey().until_denied().await;
    let query = expect::redirected(&answer, CALLBACK, "access_denied", "refused_by_person");
    assert_eq!(expect::one(&query, "state"), STATE);
}

/// RFC 6749 §3.3: an omitted scope is processed with a default value.
#[actix_web::test]
async fn no_scope_means_the_default_of_the_resource() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for journey in [app.journey(), app.journey().with("scope", "")] {
        let code = journey.clone().until_code().await;
        assert_eq!(Tokens::of(&app.redeem(&code).await).scope, "mcp:read");
    }
}

/// RFC 6749 §3.3: when the issued scope differs from the requested one, the answer says which it is.
#[actix_web::test]
async fn unknown_scopes_are_left_out_and_the_answer_says_so() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let code = app.journey().with("scope", "mcp:write moon:walk mcp:read").until_code().await;
    assert_eq!(sorted(&Tokens::of(&app.redeem(&code).await).scope), ["mcp:read", "mcp:write"]);
    // mcp-remote asks for these when nobody told it anything; it must not fail for that.
    let code = app.journey().with("scope", "openid email profile").until_code().await;
    assert_eq!(Tokens::of(&app.redeem(&code).await).scope, "mcp:read");
}

/// RFC 6749 §4.1.2.1: a malformed scope is invalid_scope.
#[actix_web::test]
async fn a_malformed_scope_is_refused() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    for scope in ["mcp:read\"x", "a\\b", "mcp:\u{e9}"] {
        expect::redirected(&app.journey().with("scope", scope).asks().await, CALLBACK, "invalid_scope", "scope_malformed");
    }
}

/// RFC 6749 §3.3: the issued scope is what the person saw and allowed.
#[actix_web::test]
async fn the_consent_page_names_every_scope_that_is_granted() {
    let stage = Stage::rise().await;
    let app = stage.public_app().await;
    let (read, change) = ("Search and read documents", "Create and change content");
    for (scope, shown, not_shown) in [("mcp:read mcp:write", vec![read, change], None), ("mcp:read", vec![read], Some(change))] {
        let (page, _) = app.journey().with("scope", scope).until_page().await;
        let text = html::words(&page.text());
        for sentence in shown.into_iter().chain(scope.split(' ')) {
            assert!(text.contains(sentence), "the page hides {sentence}: {text}");
        }
        assert!(not_shown.is_none_or(|sentence| !text.contains(sentence)), "the page shows what was not asked for: {text}");
    }
    // A scope that nobody put into words is shown as it is.
    let (page, _) = app.journey().with("resource", portico_tests::stage::NOTES).with("scope", "notes:write").until_page().await;
    assert!(page.text().contains("notes:write"), "{}", html::words(&page.text()));
}

fn sorted(scope: &str) -> Vec<&str> {
    let mut tokens: Vec<_> = scope.split(' ').collect();
    tokens.sort_unstable();
    tokens
}
