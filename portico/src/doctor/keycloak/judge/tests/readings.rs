//! The development realm as Keycloak tells it, changed in one place, and what the judge says of it.

use serde_json::Value;

use super::super::judge;
use crate::doctor::keycloak::finding::{Cure, Finding, Repair, State};
use crate::doctor::keycloak::realm::{Client, ClientScope, Discovery, Mapper, Reading, Secret};
use crate::doctor::keycloak::wanted::Wanted;

pub(super) const ORIGIN: &str = "http://127.0.0.1:8080";
pub(super) const ISSUER: &str = "https://id.example.com/realms/portico";

pub(super) fn wanted() -> Wanted {
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
pub(super) fn imported(text: &str) -> Value {
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
pub(super) fn development_realm() -> Reading {
    let file = imported(include_str!("../../../../../../keycloak/portico-realm.json"));
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
pub(super) fn after(change: impl FnOnce(&mut Client)) -> Vec<Finding> {
    let mut reading = development_realm();
    change(reading.client.as_mut().unwrap());
    judge(&reading, &wanted())
}

/// The one check that is wrong, and its repair.
#[track_caller]
pub(super) fn only_wrong(findings: &[Finding]) -> (&'static str, Cure) {
    let wrong: Vec<&Finding> = findings.iter().filter(|finding| finding.is_wrong()).collect();
    let [finding] = wrong[..] else { panic!("one thing should be wrong: {wrong:#?}") };
    let State::Wrong(what) = &finding.state else { unreachable!() };
    (finding.check, what.cure.clone())
}

#[track_caller]
pub(super) fn is_wrong_by(findings: &[Finding], check: &str, change: Value) {
    assert_eq!(only_wrong(findings), (check, Cure::Repair(Repair::Client(change))));
}

pub(super) fn notices(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().filter(|finding| matches!(finding.state, State::Notice { .. })).map(|finding| finding.check).collect()
}

pub(super) fn set(client: &mut Client, attribute: &str, value: &str) {
    client.attributes.insert(attribute.to_owned(), value.to_owned());
}

pub(super) fn mapper<'a>(client: &'a mut Client, kind: &str) -> &'a mut Mapper {
    client.protocol_mappers.iter_mut().find(|mapper| mapper.protocol_mapper == kind).unwrap()
}
