//! The road there and back, with a provider that keeps the rules.

use std::collections::{BTreeSet, HashMap};

use oauth_types::{Timestamp, Ttl};
use toml::Value;

use super::*;
use crate::upstream::{
    UpstreamToken,
    idp::{CLIENT_ID, Fault, Refreshing, Signing},
};

fn query(departure: &Departure) -> HashMap<String, String> {
    departure.location.query_pairs().into_owned().collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// OpenID Connect Core §3.1: from the departure to a person whom rules can judge.
#[actix_web::test]
async fn a_person_arrives_with_what_rules_may_ask() {
    let scene = Scene::keycloak().await;
    let arrival = scene.signs_in().await.unwrap();
    let identity = arrival.identity;
    assert_eq!((identity.idp.as_str(), identity.issuer), ("one", scene.idp.issuer()));
    assert_eq!((identity.subject, identity.sid), (scene.idp.sub_of("alice"), Some(scene.idp.sid_of("alice"))));
    assert_eq!(identity.auth_time, Some(BEGINNING));
    let facts = identity.facts;
    assert_eq!((facts.display_name.as_str(), facts.username.as_deref()), ("Alice Example", Some("alice")));
    assert_eq!((facts.mail.as_deref(), facts.groups), (Some("alice@portico.test"), set(&["/mcp/writers"])));
    assert_eq!(facts.roles, set(&["mcp-admin", "mcp-writer", "offline_access", "portico:approver"]));
    assert!(arrival.token.is_some());
}

/// A provider of no particular kind: the same road, and no roles of Keycloak's.
#[actix_web::test]
async fn any_openid_provider_will_do() {
    let scene = Scene::with("oidc", "").await;
    let facts = scene.signs_in().await.unwrap().identity.facts;
    assert_eq!((facts.groups, facts.roles), (set(&["/mcp/writers"]), set(&[])));
    scene.idp.twists("id_token", |claims| claims["roles"] = serde_json::json!(["writer"]));
    assert_eq!(scene.signs_in().await.unwrap().identity.facts.roles, set(&["writer"]));
}

/// RFC 7636 §4.3, OpenID Connect Core §3.1.2.1: every departure has secrets of its own.
#[actix_web::test]
async fn every_departure_is_bound_by_pkce_state_and_nonce() {
    let scene = Scene::keycloak().await;
    let (first, second) = (scene.departs().await.unwrap(), scene.departs().await.unwrap());
    let (one, other) = (query(&first), query(&second));
    assert!(first.location.as_str().starts_with(&scene.idp.at("auth")));
    assert_eq!((one["response_type"].as_str(), one["client_id"].as_str()), ("code", CLIENT_ID));
    assert_eq!((one["redirect_uri"].as_str(), one["code_challenge_method"].as_str()), (REDIRECT_URI, "S256"));
    assert_eq!(first.memory.state(), one["state"]);
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(one[name].len(), 43, "256 bits of {name}");
        assert_ne!(one[name], other[name], "{name}");
    }
    assert!(["max_age", "prompt", "login_hint", "ui_locales"].iter().all(|name| !one.contains_key(*name)));
    let shown = format!("{:?}", first.memory);
    assert!(!shown.contains(&one["state"]) && !shown.contains(&one["nonce"]), "{shown}");
}

/// OpenID Connect Core §3.1.2.1.
#[actix_web::test]
async fn what_is_asked_of_a_sign_in_is_asked() {
    let scene = Scene::keycloak().await;
    let asking =
        Asking { login_hint: Some("alice"), max_age: Some(Ttl(300)), prompt_login: true, ui_locales: Some("de en"), ..Asking::default() };
    let asked = query(&scene.departs_asking(&asking).await.unwrap());
    let said = ["login_hint", "max_age", "prompt", "ui_locales"].map(|name| asked[name].as_str());
    assert_eq!(said, ["alice", "300", "login", "de en"]);
}

/// OpenID Connect Core §11: `outlive` asks for offline access, `follow` does not; and who does not know it is not asked.
#[actix_web::test]
async fn only_what_shall_outlive_asks_for_offline_access() {
    let asks = async |scene: &Scene| query(&scene.departs().await.unwrap())["scope"].contains("offline_access");
    assert!(asks(&Scene::keycloak().await).await);
    assert!(!asks(&Scene::with("keycloak", "session = \"follow\"").await).await);
    let scene = Scene::keycloak().await;
    scene.idp.twists("discovery", |document| document["scopes_supported"] = serde_json::json!(["openid"]));
    assert!(!asks(&scene).await);
}

/// RFC 6749 §2.3.1: in a header where the provider takes one, in the form where it takes nothing else.
#[actix_web::test]
async fn the_secret_goes_where_the_provider_wants_it() {
    let scene = Scene::keycloak().await;
    scene.signs_in().await.unwrap();
    assert_eq!(scene.idp.seen("token")[0].scheme.as_deref(), Some("Basic"));
    let scene = Scene::keycloak().await;
    let methods = serde_json::json!(["client_secret_post", "private_key_jwt"]);
    scene.idp.twists("discovery", move |document| document["token_endpoint_auth_methods_supported"] = methods.clone());
    scene.signs_in().await.unwrap();
    let seen = &scene.idp.seen("token")[0];
    assert_eq!((seen.scheme.as_deref(), seen.fields["client_id"].as_str()), (None, CLIENT_ID));
}

/// OpenID Connect Core §3.1.3.7 (6): other algorithms of the operator's list verify as well.
#[actix_web::test]
async fn another_asymmetric_algorithm_will_do() {
    let scene = Scene::keycloak().await;
    scene.idp.signs(Signing::Es256);
    scene.signs_in().await.unwrap();
    let scene = Scene::with("keycloak", "algorithms = [\"RS256\"]").await;
    scene.idp.signs(Signing::Es256);
    assert_eq!(reason(scene.signs_in().await), "upstream_algorithm_forbidden");
}

/// OpenID Connect Core §5.3: what the ID token leaves open, UserInfo tells.
#[actix_web::test]
async fn userinfo_fills_what_the_id_token_leaves_open() {
    let scene = Scene::keycloak().await;
    scene.idp.twists("id_token", |claims| {
        for name in ["name", "preferred_username", "email", "email_verified", "groups", "realm_access", "resource_access"] {
            claims.as_object_mut().unwrap().remove(name);
        }
    });
    let facts = scene.signs_in().await.unwrap().identity.facts;
    assert_eq!((facts.display_name.as_str(), facts.mail.as_deref()), ("Alice Example", Some("alice@portico.test")));
    assert!(facts.roles.contains("mcp-writer") && facts.groups.contains("/mcp/writers"));
    assert_eq!(scene.idp.seen("userinfo").len(), 1);
}

#[actix_web::test]
async fn userinfo_is_not_asked_when_nothing_is_open() {
    let scene = Scene::keycloak().await;
    scene.signs_in().await.unwrap();
    assert!(scene.idp.seen("userinfo").is_empty());
}

/// Keycloak leaves out an empty list of groups.
#[actix_web::test]
async fn a_person_without_groups_arrives_all_the_same() {
    let scene = Scene::keycloak().await;
    scene.idp.signs_in("carol");
    let facts = scene.signs_in().await.unwrap().identity.facts;
    assert_eq!((facts.groups, facts.roles), (set(&[]), set(&["offline_access"])));
}

/// Attack 61: an unverified address equal to somebody's grants nothing; the person is issuer and sub.
#[actix_web::test]
async fn an_unverified_address_is_not_known() {
    let scene = Scene::keycloak().await;
    let alice = scene.signs_in().await.unwrap().identity;
    scene.idp.signs_in("carol");
    scene.idp.change("carol", |person| (person.email, person.email_verified) = ("alice@portico.test".into(), false));
    let carol = scene.signs_in().await.unwrap().identity;
    assert_eq!(carol.facts.mail, None);
    assert_ne!(carol.subject, alice.subject);
}

#[actix_web::test]
async fn a_provider_without_refresh_tokens_leaves_nothing_to_ask_with() {
    let scene = Scene::keycloak().await;
    scene.idp.refreshes(Refreshing::Never);
    assert_eq!(scene.signs_in().await.unwrap().token, None);
}

#[actix_web::test]
async fn what_is_kept_to_ask_again_reads_back_and_is_never_shown() {
    let scene = Scene::keycloak().await;
    let token = scene.signs_in().await.unwrap().token.unwrap();
    assert_eq!(UpstreamToken::from_json(&token.to_json()), Some(token.clone()));
    assert_eq!(UpstreamToken::from_json("{}"), None);
    assert!(!format!("{token:?}").contains("refresh-"), "{token:?}");
}

/// OpenID Connect Core §3.1.3.7 (13).
#[actix_web::test]
async fn a_sign_in_that_is_fresh_enough_is_taken() {
    let scene = Scene::keycloak().await;
    let asking = Asking { max_age: Some(Ttl(300)), ..Asking::default() };
    scene.signs_in_asking(&asking).await.unwrap();
    scene.idp.twists("id_token", |claims| claims["auth_time"] = (BEGINNING.0 - 400).into());
    assert_eq!(reason(scene.signs_in_asking(&asking).await), "upstream_auth_time_too_old");
    // Nobody asked: then it is only told.
    assert_eq!(scene.signs_in().await.unwrap().identity.auth_time, Some(Timestamp(BEGINNING.0 - 400)));
    scene.idp.twists("id_token", |claims| drop(claims.as_object_mut().unwrap().remove("auth_time")));
    assert_eq!(reason(scene.signs_in_asking(&asking).await), "upstream_auth_time_missing");
}

/// Documents are fetched once, for all who come together.
#[actix_web::test]
async fn a_crowd_asks_for_documents_once() {
    let scene = Scene::keycloak().await;
    let departures = futures_util::future::join_all((0..20).map(|_| scene.departs())).await;
    assert!(departures.iter().all(Result::is_ok));
    assert_eq!((scene.idp.seen("discovery").len(), scene.idp.seen("certs").len()), (1, 1));
}

/// Attack 58: a crowd that finds the provider down fails together, not one after the other.
#[actix_web::test]
async fn a_crowd_shares_a_failure() {
    let scene = Scene::keycloak().await;
    scene.idp.breaks("discovery", Fault::Status(503));
    let departures = futures_util::future::join_all((0..20).map(|_| scene.departs())).await;
    assert!(departures.iter().all(|departure| matches!(departure, Err(UpstreamError::Unavailable(_)))));
    assert_eq!(scene.idp.seen("discovery").len(), 1);
    scene.idp.is_honest_again();
    assert!(scene.departs().await.is_ok(), "and recovery needs nobody");
}

/// OpenID Connect Core §10.1.1: a new key is found when it is used; invented names are not a storm.
#[actix_web::test]
async fn an_unknown_key_is_looked_for_once_a_minute() {
    let scene = Scene::keycloak().await;
    scene.signs_in().await.unwrap();
    scene.idp.rotates_key();
    scene.signs_in().await.unwrap();
    assert_eq!(scene.idp.seen("certs").len(), 2);
    scene.idp.signs(Signing::UnpublishedKey);
    for _ in 0..3 {
        assert_eq!(reason(scene.signs_in().await), "upstream_key_unknown");
    }
    assert_eq!(scene.idp.seen("certs").len(), 2);
    scene.clock.advance(Ttl(60));
    assert_eq!(reason(scene.signs_in().await), "upstream_key_unknown");
    assert_eq!(scene.idp.seen("certs").len(), 3);
}

/// A retired key is followed within the hour, whoever signs with it then.
#[actix_web::test]
async fn documents_are_brought_up_to_date() {
    let scene = Scene::keycloak().await;
    scene.signs_in().await.unwrap();
    scene.provider().tend().await;
    assert_eq!(scene.idp.seen("discovery").len(), 1, "they are fresh");
    scene.clock.advance(Ttl::hours(1));
    scene.provider().tend().await;
    assert_eq!(scene.idp.seen("discovery").len(), 2);
    scene.idp.breaks("discovery", Fault::Status(500));
    scene.clock.advance(Ttl::hours(1));
    for _ in 0..3 {
        scene.provider().tend().await;
    }
    assert_eq!(scene.idp.seen("discovery").len(), 3, "a failure is not repeated at once");
    scene.signs_in().await.expect("the last good documents stay");
}

/// What an operator may write, and what cannot be meant.
#[test]
fn a_provider_that_cannot_be_meant_is_refused_at_start() {
    let good = r#"id = "one"
        issuer = "https://id.example/realms/x"
        client_id = "portico""#;
    let problems = |line: &str| {
        let name = line.split(' ').next().unwrap_or_default();
        let mut row: toml::Table = good.parse().unwrap();
        row.remove(name);
        row.extend(line.parse::<toml::Table>().unwrap());
        config_problems(Value::Array(vec![Value::Table(row)]))
    };
    assert_eq!(problems(""), "");
    assert_eq!(problems("kind = \"github\"\nissuer = \"\""), "");
    for wrong in [
        r#"id = "local""#,
        r#"id = "One""#,
        r#"kind = "saml""#,
        r#"issuer = "http://id.example""#,
        r#"issuer = "https://id.example/?x=1""#,
        r#"issuer = "https://ID.example/""#,
        r#"issuer = "https://u:p@id.example""#,
        r#"issuer = """#,
        r#"client_id = """#,
        r#"client_secret_file = "/nowhere/at/all""#,
        r#"scopes = "profile""#,
        r#"backchannel_origin = "http://keycloak:8080/""#,
        r#"endpoint_origins = ["http://id.example"]"#,
        r#"algorithms = ["HS256"]"#,
        r#"algorithms = ["none"]"#,
        r#"algorithms = []"#,
        r#"session = "forever""#,
        r#"recheck = "0s""#,
        r#"client_sekret = "x""#,
    ] {
        assert!(problems(wrong).contains("upstream"), "{wrong}: {}", problems(wrong));
    }
}

#[test]
fn all_that_is_wrong_with_providers_is_told_together() {
    let rows = r#"[{ id = "One", issuer = "http://a.example", client_id = "" }, { id = "two", kind = "x", issuer = "https://b.example", client_id = "y" }]"#;
    let rows: toml::Table = format!("rows = {rows}").parse().unwrap();
    let told = config_problems(rows["rows"].clone());
    for word in ["id of `One`", "issuer of `One`", "client_id of `One`", "kind of `two`"] {
        assert!(told.contains(word), "{word}: {told}");
    }
}

#[test]
fn one_name_and_one_issuer_have_one_table() {
    let row = |id: &str, issuer: &str| format!("[[upstream]]\nid = {id:?}\nissuer = {issuer:?}\nclient_id = \"x\"\n");
    let told = |text: String| config_problems(text.parse::<toml::Table>().unwrap()["upstream"].clone());
    assert_eq!(told(row("one", "https://a.example") + &row("two", "https://b.example")), "");
    assert!(told(row("one", "https://a.example") + &row("one", "https://b.example")).contains("the id `one` stands twice"));
    assert!(told(row("one", "https://a.example") + &row("two", "https://a.example")).contains("the issuer of `two` stands twice"));
}
