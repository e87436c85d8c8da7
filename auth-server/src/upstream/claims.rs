//! What claims say about a person, as facts: the standard ones (OpenID Connect Core §5.1) and the groups and roles that providers add.
//!
//! Two sources, the ID token and UserInfo, each believed already. The ID token is heard first; UserInfo fills what it left open.

use std::collections::BTreeSet;

use oauth_types::UpstreamFault;
use serde_json::{Map, Value};

use super::Facts;

/// How a kind of provider tells roles.
pub(super) type Roles = fn(&Map<String, Value>) -> Result<Option<BTreeSet<String>>, UpstreamFault>;

/// The facts in the ID token and, beneath it, in UserInfo.
pub(super) fn facts(id_token: &Map<String, Value>, userinfo: &Map<String, Value>, roles: Roles) -> Result<Facts, UpstreamFault> {
    let text = |name: &str| said(id_token, name).or_else(|| said(userinfo, name)).map(str::to_owned);
    let full_name = || {
        let parts: Vec<String> = [text("given_name"), text("family_name")].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    let username = text("preferred_username");
    let mail = verified_mail(id_token).or_else(|| verified_mail(userinfo)).map(str::to_owned);
    let groups = match words(id_token.get("groups"))? {
        None => words(userinfo.get("groups"))?,
        groups => groups,
    };
    let roles = match roles(id_token)? {
        None => roles(userinfo)?,
        roles => roles,
    };
    let facts = Facts {
        display_name: text("name").or_else(full_name).or_else(|| username.clone()).or_else(|| mail.clone()).unwrap_or_default(),
        username,
        mail,
        groups: groups.unwrap_or_default(),
        roles: roles.unwrap_or_default(),
        organisations: BTreeSet::new(),
    };
    facts.bounded()
}

/// Does the ID token leave open what UserInfo may tell? Absent groups are no proof that there are none: Keycloak leaves an empty list
/// out, and others tell groups in UserInfo only.
pub(super) fn are_open(id_token: &Map<String, Value>, roles: Roles) -> bool {
    let is_named = said(id_token, "name").or_else(|| said(id_token, "preferred_username")).is_some();
    let has_groups = id_token.contains_key("groups") && !matches!(roles(id_token), Ok(None));
    !(is_named && id_token.contains_key("email") && has_groups)
}

/// Attack 61: an address counts when the same source says, in so many words, that it was verified.
fn verified_mail(claims: &Map<String, Value>) -> Option<&str> {
    said(claims, "email").filter(|_| claims.get("email_verified") == Some(&Value::Bool(true)))
}

fn said<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A list of words, or one word alone: Keycloak's mappers write either. Anything else is refused, for it cannot be told what it means.
pub(super) fn words(claim: Option<&Value>) -> Result<Option<BTreeSet<String>>, UpstreamFault> {
    match claim {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(word)) => Ok(Some(BTreeSet::from([word.clone()]))),
        Some(Value::Array(words)) => {
            words.iter().map(|word| word.as_str().map(str::to_owned).ok_or(UpstreamFault::Malformed)).collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(UpstreamFault::Malformed),
    }
}

/// The roles of a provider of no particular kind: a list of that name, as many write it.
pub(super) fn plain_roles(claims: &Map<String, Value>) -> Result<Option<BTreeSet<String>>, UpstreamFault> {
    words(claims.get("roles"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(id_token: Value, userinfo: Value) -> Result<Facts, UpstreamFault> {
        let map = |value: Value| value.as_object().cloned().unwrap();
        facts(&map(id_token), &map(userinfo), plain_roles)
    }

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_id_token_is_heard_before_userinfo() {
        let facts = read(json!({ "name": "Alice", "groups": [] }), json!({ "name": "Bob", "groups": ["b"], "roles": ["r"] })).unwrap();
        assert_eq!((facts.display_name.as_str(), &facts.groups, &facts.roles), ("Alice", &set(&[]), &set(&["r"])));
    }

    /// Attack 61: an unverified address grants nothing, whoever else has one.
    #[test]
    fn only_a_verified_address_is_a_fact() {
        let mail = |id_token, userinfo| read(id_token, userinfo).unwrap().mail;
        let none = json!({});
        assert_eq!(mail(json!({ "email": "a@b.example", "email_verified": true }), none.clone()).as_deref(), Some("a@b.example"));
        for verified in [json!(false), json!("true"), json!(1), json!(null)] {
            assert_eq!(mail(json!({ "email": "a@b.example", "email_verified": verified }), none.clone()), None, "{verified}");
        }
        assert_eq!(mail(json!({ "email": "a@b.example" }), none), None);
        // Each source speaks for its own address only.
        let mixed = mail(json!({ "email": "victim@b.example" }), json!({ "email_verified": true }));
        assert_eq!(mixed, None);
        let told = mail(json!({ "email": "victim@b.example" }), json!({ "email": "me@b.example", "email_verified": true }));
        assert_eq!(told.as_deref(), Some("me@b.example"));
    }

    #[test]
    fn a_person_without_a_name_is_called_by_what_there_is() {
        for (claims, name) in [
            (json!({ "given_name": "A", "family_name": "B", "preferred_username": "c" }), "A B"),
            (json!({ "preferred_username": "c", "name": "" }), "c"),
            (json!({ "email": "a@b.example", "email_verified": true }), "a@b.example"),
            (json!({ "email": "a@b.example" }), ""),
        ] {
            assert_eq!(read(claims, json!({})).unwrap().display_name, name);
        }
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        assert_eq!(read(json!({ "groups": "one" }), json!({})).unwrap().groups, set(&["one"]));
        for groups in [json!(7), json!([7]), json!({ "a": 1 }), json!(true), json!([["a"]])] {
            assert_eq!(read(json!({ "groups": groups }), json!({})), Err(UpstreamFault::Malformed));
        }
    }

    #[test]
    fn userinfo_is_asked_for_what_is_open() {
        let open = |claims: Value| are_open(claims.as_object().unwrap(), plain_roles);
        assert!(!open(json!({ "name": "A", "email": "a@b.example", "groups": [], "roles": [] })));
        assert!(open(json!({ "name": "A", "email": "a@b.example", "groups": [] })));
        assert!(open(json!({ "name": "A", "groups": [], "roles": [] })));
        assert!(open(json!({})));
    }
}
