//! The realm itself: how long sessions last, its issuer, and what its operator may have meant.

use serde_json::json;

use super::super::judge;
use super::readings::*;
use crate::doctor::keycloak::finding::{Cure, Finding, Repair};
use crate::doctor::keycloak::realm::{Discovery, Realm};

#[test]
fn a_session_must_outlast_two_questions() {
    let with = |change: fn(&mut Realm)| {
        let mut reading = development_realm();
        change(&mut reading.realm);
        judge(&reading, &wanted())
    };
    for (findings, setting) in [
        (with(|realm| realm.sso_session_idle_timeout = 599), "ssoSessionIdleTimeout"),
        (with(|realm| realm.sso_session_max_lifespan = 60), "ssoSessionMaxLifespan"),
        (with(|realm| realm.client_session_idle_timeout = 60), "clientSessionIdleTimeout"),
        (with(|realm| realm.client_session_max_lifespan = 60), "clientSessionMaxLifespan"),
    ] {
        assert_eq!(only_wrong(&findings), ("lifetimes", Cure::Repair(Repair::Realm(json!({ setting: 1800 })))));
    }
    assert!(!with(|realm| realm.sso_session_idle_timeout = 600).iter().any(Finding::is_wrong));
    let change = json!({ "attributes": { "client.session.idle.timeout": "1800" } });
    is_wrong_by(&after(|client| set(client, "client.session.idle.timeout", "60")), "lifetimes", change);
}

/// Offline sessions are asked about only where they are used.
#[test]
fn an_offline_session_counts_where_it_is_asked_for() {
    let mut reading = development_realm();
    reading.realm.offline_session_idle_timeout = 60;
    assert!(!judge(&reading, &wanted()).iter().any(Finding::is_wrong));
    let mut offline = wanted();
    offline.scopes.push("offline_access".to_owned());
    assert_eq!(only_wrong(&judge(&reading, &offline)).0, "lifetimes");
}

#[test]
fn without_refresh_tokens_nobody_can_be_asked_about() {
    let change = json!({ "attributes": { "use.refresh.tokens": "true" } });
    is_wrong_by(&after(|client| set(client, "use.refresh.tokens", "false")), "refresh-tokens", change);
}

/// OpenID Connect Discovery 1.0 §4.3.
#[test]
fn the_issuer_is_compared_as_a_string() {
    let mut reading = development_realm();
    reading.discovery.issuer.push('/');
    let (check, cure) = only_wrong(&judge(&reading, &wanted()));
    assert_eq!(check, "issuer");
    assert!(matches!(cure, Cure::ByHand(_)));
}

#[test]
fn an_issuer_that_follows_the_host_header_is_told() {
    let mut reading = development_realm();
    reading.discovery_elsewhere = Some(Discovery { issuer: "https://portico-doctor.invalid/realms/portico".to_owned() });
    assert_eq!(notices(&judge(&reading, &wanted())), ["issuer-fixed"]);
    reading.discovery_elsewhere = Some(reading.discovery.clone());
    assert_eq!(notices(&judge(&reading, &wanted())), [""; 0]);
}

#[test]
fn a_disabled_realm_is_left_to_a_person() {
    let mut reading = development_realm();
    reading.realm.enabled = false;
    assert_eq!(only_wrong(&judge(&reading, &wanted())).0, "realm-enabled");
}

#[test]
fn what_an_operator_may_have_meant_is_a_notice() {
    assert_eq!(notices(&after(|client| client.service_accounts_enabled = true)), ["service-account"]);
    assert_eq!(notices(&after(|client| client.consent_required = true)), ["consent"]);
    assert_eq!(notices(&after(|client| client.full_scope_allowed = true)), ["role-scope"]);
    let mut reading = development_realm();
    reading.told_roles.clear();
    reading.realm.revoke_refresh_token = true;
    reading.account_roles.push("manage-users".to_owned());
    assert_eq!(notices(&judge(&reading, &wanted())), ["role-scope", "rotation", "account"]);
}

#[test]
fn plain_http_for_everybody_is_told() {
    let mut reading = development_realm();
    reading.realm.ssl_required = "none".to_owned();
    let mut plain = wanted();
    plain.issuer = "http://id.example.com/realms/portico".to_owned();
    reading.discovery.issuer.clone_from(&plain.issuer);
    assert_eq!(notices(&judge(&reading, &plain)), ["transport"]);
}
