//! Keycloak: OpenID Connect, and how it tells roles.
//!
//! Realm roles stand in `realm_access.roles`, roles of a client in `resource_access.CLIENT.roles`; both are in the ID token and in
//! UserInfo only when the realm has mappers for that (`portico doctor keycloak` sees to it). Composite roles come expanded, in no order,
//! with built-in ones among them. Groups are paths; a person in none has no claim at all.

use std::collections::BTreeSet;

use oauth_types::UpstreamFault;
use serde_json::{Map, Value};

use super::claims::words;

/// Realm roles as they are, client roles as `client:role`.
pub(super) fn roles(claims: &Map<String, Value>) -> Result<Option<BTreeSet<String>>, UpstreamFault> {
    let mut found: Option<BTreeSet<String>> = None;
    if let Some(realm) = object(claims.get("realm_access"))? {
        found.get_or_insert_default().extend(words(realm.get("roles"))?.into_iter().flatten());
    }
    if let Some(clients) = object(claims.get("resource_access"))? {
        for (client, access) in clients {
            let roles = object(Some(access))?.map(|access| words(access.get("roles"))).transpose()?.flatten();
            found.get_or_insert_default().extend(roles.into_iter().flatten().map(|role| format!("{client}:{role}")));
        }
    }
    Ok(found)
}

/// Keycloak says in every token of its which kind it is: an access token must not pass for an ID token, although `typ` of both headers is
/// `JWT`.
pub(super) fn is_id_token(claims: &Map<String, Value>) -> bool {
    claims.get("typ").is_none_or(|typ| typ == "ID")
}

fn object(claim: Option<&Value>) -> Result<Option<&Map<String, Value>>, UpstreamFault> {
    match claim {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(_) => Err(UpstreamFault::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(claims: Value) -> Result<Option<BTreeSet<String>>, UpstreamFault> {
        roles(claims.as_object().unwrap())
    }

    #[test]
    fn a_client_role_carries_its_client() {
        let found = read(json!({
            "realm_access": { "roles": ["mcp-reader", "offline_access"] },
            "resource_access": { "portico": { "roles": ["approver"] }, "account": { "roles": [] } },
        }));
        let expected = ["mcp-reader", "offline_access", "portico:approver"].map(str::to_owned);
        assert_eq!(found.unwrap().unwrap(), BTreeSet::from(expected));
    }

    #[test]
    fn nothing_said_is_not_the_same_as_no_roles() {
        assert_eq!(read(json!({})), Ok(None));
        assert_eq!(read(json!({ "realm_access": {} })), Ok(Some(BTreeSet::new())));
    }

    #[test]
    fn what_is_no_role_claim_is_refused() {
        for claims in [
            json!({ "realm_access": ["mcp-admin"] }),
            json!({ "realm_access": { "roles": { "mcp-admin": true } } }),
            json!({ "resource_access": { "portico": ["mcp-admin"] } }),
            json!({ "resource_access": "portico" }),
        ] {
            assert_eq!(read(claims), Err(UpstreamFault::Malformed));
        }
    }

    #[test]
    fn an_access_token_is_no_id_token() {
        let is_one = |claims: Value| is_id_token(claims.as_object().unwrap());
        assert!(is_one(json!({ "typ": "ID" })) && is_one(json!({})));
        assert!(!is_one(json!({ "typ": "Bearer" })) && !is_one(json!({ "typ": "Logout" })) && !is_one(json!({ "typ": 1 })));
    }
}
