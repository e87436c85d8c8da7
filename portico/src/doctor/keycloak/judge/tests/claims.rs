//! What a token tells: mappers and scopes.

use serde_json::json;

use super::super::judge;
use super::readings::*;
use crate::doctor::keycloak::finding::{Cure, Finding, Repair};

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
    assert_eq!(notices(&judge(&reading, &offline)), ["offline"]);
    reading.client.as_mut().unwrap().optional_client_scopes.clear();
    assert_eq!(only_wrong(&judge(&reading, &offline)).0, "scopes");
    offline.scopes.push("nobody-has-it".to_owned());
    reading.client.as_mut().unwrap().optional_client_scopes.push("offline_access".to_owned());
    assert!(matches!(only_wrong(&judge(&reading, &offline)).1, Cure::ByHand(_)));
}
