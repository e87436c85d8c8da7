//! The client of the realm: its switches, addresses, demands and secret.

use serde_json::json;

use super::super::judge;
use super::readings::*;
use crate::doctor::keycloak::finding::{Cure, Finding, Repair};
use crate::doctor::keycloak::realm::{Client, Secret};

#[test]
fn the_development_realm_is_sound() {
    let findings = judge(&development_realm(), &wanted());
    assert_eq!(findings.iter().filter(|finding| finding.is_wrong()).count(), 0, "{findings:#?}");
    assert_eq!(notices(&findings), [""; 0]);
}

#[test]
fn the_client_that_fix_makes_is_sound() {
    let mut reading = development_realm();
    let whole = reading.client.take().unwrap();
    let findings = judge(&reading, &wanted());
    assert_eq!(only_wrong(&findings), ("client", Cure::Repair(Repair::CreateClient)));

    let mut made: Client = serde_json::from_value(wanted().client()).unwrap();
    made.secret = whole.secret;
    made.default_client_scopes = whole.default_client_scopes;
    reading.client = Some(made);
    let findings = judge(&reading, &wanted());
    assert_eq!(findings.iter().filter(|finding| finding.is_wrong()).count(), 0, "{findings:#?}");
    assert_eq!(notices(&findings), ["role-scope"]);
}

#[test]
fn each_switch_has_its_place() {
    is_wrong_by(&after(|client| client.enabled = false), "enabled", json!({ "enabled": true }));
    is_wrong_by(&after(|client| client.public_client = true), "confidential", json!({ "publicClient": false }));
    is_wrong_by(&after(|client| client.bearer_only = true), "bearer-only", json!({ "bearerOnly": false }));
    is_wrong_by(&after(|client| client.standard_flow_enabled = false), "code-flow", json!({ "standardFlowEnabled": true }));
    is_wrong_by(&after(|client| client.implicit_flow_enabled = true), "implicit-flow", json!({ "implicitFlowEnabled": false }));
    is_wrong_by(
        &after(|client| client.direct_access_grants_enabled = true),
        "password-grant",
        json!({ "directAccessGrantsEnabled": false }),
    );
    is_wrong_by(&after(|client| client.frontchannel_logout = true), "frontchannel-logout", json!({ "frontchannelLogout": false }));
}

#[test]
fn a_client_of_another_protocol_is_left_to_a_person() {
    let (check, cure) = only_wrong(&after(|client| client.protocol = Some("saml".to_owned())));
    assert_eq!(check, "protocol");
    assert!(matches!(cure, Cure::ByHand(_)));
}

/// RFC 9700 §2.1.1: `plain` protects against nobody who reads the request.
#[test]
fn pkce_must_be_s256() {
    let change = json!({ "attributes": { "pkce.code.challenge.method": "S256" } });
    is_wrong_by(&after(|client| set(client, "pkce.code.challenge.method", "plain")), "pkce", change.clone());
    is_wrong_by(&after(|client| set(client, "pkce.code.challenge.method", "")), "pkce", change.clone());
    is_wrong_by(&after(|client| drop(client.attributes.remove("pkce.code.challenge.method"))), "pkce", change);
}

/// RFC 9700 §4.1: exact strings only. What an operator listed exactly stays.
#[test]
fn a_wildcard_goes_and_exact_addresses_stay() {
    let ours = format!("{ORIGIN}/callback/keycloak");
    let change = |uris: &[&str]| json!({ "redirectUris": uris });
    let with = |uris: &[&str]| after(|client| client.redirect_uris = uris.iter().map(|&uri| uri.to_owned()).collect());
    is_wrong_by(&with(&[&ours, "*"]), "redirect-uris", change(&[&ours]));
    is_wrong_by(&with(&["http://127.0.0.1:8080/*", "https://b.example/cb"]), "redirect-uris", change(&["https://b.example/cb", &ours]));
    is_wrong_by(&with(&[]), "redirect-uris", change(&[&ours]));
    is_wrong_by(
        &with(&["http://127.0.0.1:8080/callback/keycloak/"]),
        "redirect-uris",
        change(&["http://127.0.0.1:8080/callback/keycloak/", &ours]),
    );
    is_wrong_by(&with(&[&ours, "http://portico.example/callback/keycloak"]), "redirect-uris", change(&[&ours]));

    let two = with(&[&ours, "https://staging.example/callback/keycloak"]);
    assert!(!two.iter().any(Finding::is_wrong));
    assert_eq!(notices(&two), ["redirect-uris"]);
}

/// Keycloak resolves `/path` against the root URL.
#[test]
fn a_relative_redirect_uri_counts_as_what_it_means() {
    let relative = |root: &str| {
        after(|client| {
            client.root_url = Some(root.to_owned());
            client.redirect_uris = vec!["/callback/keycloak".to_owned()];
        })
    };
    assert!(!relative(ORIGIN).iter().any(Finding::is_wrong));
    assert_eq!(only_wrong(&relative("https://other.example")).0, "redirect-uris");
}

#[test]
fn a_logout_comes_back_to_us_and_nowhere_else() {
    let ours = format!("{ORIGIN}/logout");
    let with = |value: &str| after(|client| set(client, "post.logout.redirect.uris", value));
    let change = |value: &str| json!({ "attributes": { "post.logout.redirect.uris": value } });
    is_wrong_by(&with(""), "post-logout-uri", change(&ours));
    is_wrong_by(&with("+"), "post-logout-uri", change(&format!("+##{ours}")));
    is_wrong_by(&with(&format!("{ours}##https://*")), "post-logout-uri", change(&ours));
    assert!(!with(&format!("+##{ours}")).iter().any(Finding::is_wrong));
}

/// OpenID Connect Back-Channel Logout 1.0 §2.2.
#[test]
fn the_end_of_a_session_is_told_to_us_with_its_name() {
    let url = format!("{ORIGIN}/backchannel-logout/keycloak");
    let change = json!({ "attributes": { "backchannel.logout.url": url } });
    is_wrong_by(&after(|client| set(client, "backchannel.logout.url", "https://old.example/x")), "backchannel-url", change.clone());
    is_wrong_by(&after(|client| set(client, "backchannel.logout.url", "")), "backchannel-url", change);
    let change = json!({ "attributes": { "backchannel.logout.session.required": "true" } });
    is_wrong_by(&after(|client| set(client, "backchannel.logout.session.required", "false")), "backchannel-session", change);
}

#[test]
fn demands_that_we_do_not_meet_are_dropped() {
    for (setting, demanded, should) in [
        ("require.pushed.authorization.requests", "true", "false"),
        ("dpop.bound.access.tokens", "true", "false"),
        ("id.token.encrypted.response.alg", "RSA-OAEP", ""),
        ("user.info.response.signature.alg", "RS256", ""),
    ] {
        is_wrong_by(&after(|client| set(client, setting, demanded)), "demands", json!({ "attributes": { setting: should } }));
        assert!(!after(|client| set(client, setting, "false")).iter().any(Finding::is_wrong), "{setting}");
    }
}

/// OpenID Connect Core 1.0 §3.1.3.7.
#[test]
fn id_tokens_are_signed_by_the_realm_not_by_the_secret() {
    let change = json!({ "attributes": { "id.token.signed.response.alg": "RS256" } });
    is_wrong_by(&after(|client| set(client, "id.token.signed.response.alg", "HS256")), "signature", change);
    assert!(!after(|client| set(client, "id.token.signed.response.alg", "ES256")).iter().any(Finding::is_wrong));
    assert!(!after(|client| set(client, "id.token.signed.response.alg", "")).iter().any(Finding::is_wrong));
}

#[test]
fn a_wrong_secret_is_told_without_showing_either() {
    let findings = after(|client| client.secret = Some(Secret::new("something-else".to_owned())));
    assert_eq!(only_wrong(&findings), ("secret", Cure::Repair(Repair::ClientSecret)));
    let shown = crate::doctor::keycloak::report::text(&findings);
    assert!(!shown.contains("something-else") && !shown.contains("portico-dev-secret"), "{shown}");
    // Not every account sees secrets: then nothing is claimed.
    let findings = after(|client| client.secret = None);
    assert!(findings.iter().all(|finding| finding.check != "secret"));
}

#[test]
fn a_client_that_proves_itself_otherwise_is_told() {
    let change = json!({ "clientAuthenticatorType": "client-secret" });
    is_wrong_by(&after(|client| client.client_authenticator_type = "client-jwt".to_owned()), "authentication", change);
}
