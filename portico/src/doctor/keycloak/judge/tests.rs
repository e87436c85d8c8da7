use serde_json::{Value, json};

use super::judge;
use crate::doctor::keycloak::finding::{Cure, Finding, Repair, State};
use crate::doctor::keycloak::realm::{Client, ClientScope, Discovery, Mapper, Reading, Realm, Secret};
use crate::doctor::keycloak::wanted::Wanted;

const ORIGIN: &str = "http://127.0.0.1:8080";
const ISSUER: &str = "https://id.example.com/realms/portico";

fn wanted() -> Wanted {
    Wanted {
        client_id: "portico".to_owned(),
        issuer: ISSUER.to_owned(),
        redirect_uri: format!("{ORIGIN}/callback/keycloak"),
        post_logout_uri: format!("{ORIGIN}/logout"),
        backchannel_url: format!("{ORIGIN}/backchannel-logout/keycloak"),
        scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
        recheck_secs: 300,
        secret: Some(Secret::new("portico-dev-secret".to_owned())),
    }
}

/// A file as Keycloak reads it at import, with the defaults of its placeholders.
fn imported(text: &str) -> Value {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${PORTICO_") {
        let (before, placeholder) = rest.split_at(at);
        let end = placeholder.find('}').unwrap();
        out.push_str(before);
        out.push_str(placeholder[..end].split_once(':').unwrap().1);
        rest = &placeholder[end + 1..];
    }
    serde_json::from_str(&(out + rest)).unwrap()
}

/// The development realm as a freshly started Keycloak tells it.
fn development_realm() -> Reading {
    let file = imported(include_str!("../../../../../keycloak/portico-realm.json"));
    let mut client: Client = serde_json::from_value(file["clients"][0].clone()).unwrap();
    client.id = "c".to_owned();
    client.default_client_scopes = ["web-origins", "acr", "profile", "roles", "basic", "email"].map(str::to_owned).to_vec();
    client.optional_client_scopes = ["offline_access"].map(str::to_owned).to_vec();
    for (number, mapper) in client.protocol_mappers.iter_mut().enumerate() {
        mapper.id = format!("m{number}");
    }
    let scope = |name: &str| ClientScope { id: format!("id-of-{name}"), name: name.to_owned(), protocol_mappers: Vec::new() };
    Reading {
        realm: serde_json::from_value(file.clone()).unwrap(),
        client: Some(client),
        scopes: ["profile", "roles", "basic", "email", "offline_access"].map(scope).to_vec(),
        told_roles: vec!["mcp-reader".to_owned()],
        discovery: Discovery { issuer: ISSUER.to_owned() },
        discovery_elsewhere: None,
        account_roles: ["view-realm", "view-clients", "manage-clients"].map(str::to_owned).to_vec(),
    }
}

/// What the judge says when only this is changed.
fn after(change: impl FnOnce(&mut Client)) -> Vec<Finding> {
    let mut reading = development_realm();
    change(reading.client.as_mut().unwrap());
    judge(&reading, &wanted())
}

/// The one check that is wrong, and its repair.
#[track_caller]
fn only_wrong(findings: &[Finding]) -> (&'static str, Cure) {
    let wrong: Vec<&Finding> = findings.iter().filter(|finding| finding.is_wrong()).collect();
    let [finding] = wrong[..] else { panic!("one thing should be wrong: {wrong:#?}") };
    let State::Wrong(what) = &finding.state else { unreachable!() };
    (finding.check, what.cure.clone())
}

#[track_caller]
fn is_wrong_by(findings: &[Finding], check: &str, change: Value) {
    assert_eq!(only_wrong(findings), (check, Cure::Repair(Repair::Client(change))));
}

fn notices(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().filter(|finding| matches!(finding.state, State::Notice { .. })).map(|finding| finding.check).collect()
}

fn set(client: &mut Client, attribute: &str, value: &str) {
    client.attributes.insert(attribute.to_owned(), value.to_owned());
}

fn mapper<'a>(client: &'a mut Client, kind: &str) -> &'a mut Mapper {
    client.protocol_mappers.iter_mut().find(|mapper| mapper.protocol_mapper == kind).unwrap()
}

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
    let shown = super::super::report::text(&findings);
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

#[test]
fn each_claim_needs_its_mapper() {
    for (kind, check) in [
        ("oidc-usermodel-realm-role-mapper", "realm-roles"),
        ("oidc-usermodel-client-role-mapper", "client-roles"),
        ("oidc-group-membership-mapper", "groups"),
    ] {
        let (found, cure) = only_wrong(&after(|client| client.protocol_mappers.retain(|mapper| mapper.protocol_mapper != kind)));
        let Cure::Repair(Repair::AddMapper(mapper)) = cure else { panic!("{cure:?}") };
        assert_eq!((found, &mapper["protocolMapper"]), (check, &json!(kind)));
    }
}

/// Keycloak's own mappers tell roles in the access token only.
#[test]
fn a_mapper_that_tells_too_little_is_changed_where_it_is() {
    let findings = after(|client| {
        let realm_roles = mapper(client, "oidc-usermodel-realm-role-mapper");
        realm_roles.config.insert("id.token.claim".to_owned(), "false".to_owned());
        realm_roles.config.remove("userinfo.token.claim");
    });
    let (check, cure) = only_wrong(&findings);
    let config = vec![("id.token.claim", "true".to_owned()), ("userinfo.token.claim", "true".to_owned())];
    assert_eq!((check, cure), ("realm-roles", Cure::Repair(Repair::Mapper { id: "m0".to_owned(), config })));

    let findings =
        after(|client| drop(mapper(client, "oidc-group-membership-mapper").config.insert("claim.name".to_owned(), "teams".to_owned())));
    let (check, cure) = only_wrong(&findings);
    let config = vec![("claim.name", "groups".to_owned())];
    assert_eq!((check, cure), ("groups", Cure::Repair(Repair::Mapper { id: "m2".to_owned(), config })));
}

#[test]
fn a_mapper_for_another_client_does_not_count() {
    let findings = after(|client| {
        let config = &mut mapper(client, "oidc-usermodel-client-role-mapper").config;
        config.insert("usermodel.clientRoleMapping.clientId".to_owned(), "billing".to_owned());
    });
    let (check, cure) = only_wrong(&findings);
    assert_eq!(check, "client-roles");
    assert!(matches!(cure, Cure::Repair(Repair::AddMapper(_))), "the other client's mapper stays as it is: {cure:?}");
}

/// Operators who repaired the shared scope `roles` have done enough.
#[test]
fn a_shared_mapper_counts_where_the_client_has_its_scope() {
    let mut reading = development_realm();
    let client = reading.client.as_mut().unwrap();
    let at = client.protocol_mappers.iter().position(|mapper| mapper.protocol_mapper == "oidc-usermodel-realm-role-mapper").unwrap();
    let moved = client.protocol_mappers.remove(at);
    reading.scopes.iter_mut().find(|scope| scope.name == "roles").unwrap().protocol_mappers.push(moved);
    assert!(!judge(&reading, &wanted()).iter().any(Finding::is_wrong));

    reading.client.as_mut().unwrap().default_client_scopes.retain(|scope| scope != "roles");
    assert_eq!(only_wrong(&judge(&reading, &wanted())).0, "realm-roles");
}

#[test]
fn every_scope_that_we_ask_for_is_the_clients() {
    let (check, cure) = only_wrong(&after(|client| client.default_client_scopes.retain(|scope| scope != "email")));
    assert_eq!(check, "scopes");
    assert!(matches!(cure, Cure::Repair(Repair::Scope { id, .. }) if id == "id-of-email"));
    let (check, _) = only_wrong(&after(|client| client.default_client_scopes.retain(|scope| scope != "basic")));
    assert_eq!(check, "scopes");

    let mut offline = wanted();
    offline.scopes.push("offline_access".to_owned());
    let mut reading = development_realm();
    assert!(!judge(&reading, &offline).iter().any(Finding::is_wrong));
    reading.client.as_mut().unwrap().optional_client_scopes.clear();
    assert_eq!(only_wrong(&judge(&reading, &offline)).0, "scopes");
    offline.scopes.push("nobody-has-it".to_owned());
    reading.client.as_mut().unwrap().optional_client_scopes.push("offline_access".to_owned());
    assert!(matches!(only_wrong(&judge(&reading, &offline)).1, Cure::ByHand(_)));
}

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
