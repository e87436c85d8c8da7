//! May this person enter, and what may they grant? The operator's `[people]` and `[[rule]]`s, asked about one person.
//!
//! How several matching rules combine (decision 105):
//!
//! 1. **Entering** is decided by the first matching rule that speaks of it (`enter`); if none does, by `people.default`.
//! 2. **Scopes** are those of all matching rules together. A rule without `scopes` gives none and takes none.
//! 3. If no matching rule gives scopes, `people.default` decides once more: `allow` is everything that the resource offers, `deny` is
//!    nothing.
//!
//! So a rule for everybody (`[[rule]]` with scopes and no condition) sets what anybody gets, and each further rule adds to it. All that a
//! rule names must be true of the person; a fact that the provider did not give is never true (attack 61: an unverified mail address is
//! such a fact).

use oauth_types::{IdpId, Scope};

use crate::{
    config::{PeopleConfig, Rule},
    upstream::Facts,
};

/// Somebody who signed in, as far as rules may ask.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PersonFacts<'a> {
    /// With an account kept here.
    Local {
        /// What they typed.
        username: &'a str,
    },
    /// Elsewhere.
    Upstream {
        /// Where.
        idp: &'a IdpId,
        /// Who they are there.
        subject: &'a str,
        /// What is said of them there.
        facts: &'a Facts,
    },
}

/// How far somebody gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// Not in.
    Refused,
    /// In, and nothing is kept from them.
    Everything,
    /// In, with so much of what a resource offers.
    Only(Scope),
}

/// Asks the rules about a person.
pub(super) fn judge(people: &PeopleConfig, person: PersonFacts<'_>) -> Entry {
    let matching = || people.rules.iter().filter(|rule| matches(rule, person));
    let enters = matching().find_map(|rule| rule.enter).unwrap_or(people.default_allows);
    if !enters {
        return Entry::Refused;
    }
    let given = matching()
        .filter_map(|rule| rule.scopes.as_ref())
        .fold(None, |sum: Option<Scope>, scopes| Some(sum.map_or_else(|| scopes.clone(), |sum| sum.union(scopes))));
    match given {
        Some(scopes) => Entry::Only(scopes),
        None if people.default_allows => Entry::Everything,
        None => Entry::Only(Scope::default()),
    }
}

/// Is all that the rule names true of this person?
fn matches(rule: &Rule, person: PersonFacts<'_>) -> bool {
    let Rule { idp, subject, mail_domain, group, organisation, role, enter: _, scopes: _ } = rule;
    let holds = |asked: &Option<String>, is_so: &dyn Fn(&str) -> bool| asked.as_deref().is_none_or(is_so);
    match person {
        PersonFacts::Local { username } => {
            idp.as_ref().is_none_or(|idp| idp.as_str() == IdpId::LOCAL)
                && holds(subject, &|asked| asked == username)
                // An account kept here has no mail address, group, organisation or role.
                && [mail_domain, group, organisation, role].iter().all(|asked| asked.is_none())
        }
        PersonFacts::Upstream { idp: theirs, subject: name, facts } => {
            idp.as_ref().is_none_or(|idp| idp == theirs)
                && holds(subject, &|asked| asked == name)
                && holds(mail_domain, &|asked| facts.mail.as_deref().is_some_and(|mail| is_of_domain(mail, asked)))
                && holds(group, &|asked| facts.groups.contains(asked))
                && holds(organisation, &|asked| facts.organisations.contains(asked))
                && holds(role, &|asked| facts.roles.contains(asked))
        }
    }
}

/// Where people of this address sign in: the one provider that rules name together with its domain. A guess that saves a click; it
/// proves nothing about anybody.
pub(super) fn idp_of_mail<'a>(people: &'a PeopleConfig, mail: &str) -> Option<&'a IdpId> {
    let of_domain =
        |rule: &&Rule| rule.enter != Some(false) && rule.mail_domain.as_deref().is_some_and(|domain| is_of_domain(mail, domain));
    let mut named = people.rules.iter().filter(of_domain).filter_map(|rule| rule.idp.as_ref());
    let first = named.next()?;
    named.all(|other| other == first).then_some(first)
}

/// RFC 5321 §2.3.11: the domain is what stands behind the last `@`. A subdomain is another domain.
fn is_of_domain(mail: &str, domain: &str) -> bool {
    mail.rsplit_once('@').is_some_and(|(local, theirs)| !local.is_empty() && theirs.eq_ignore_ascii_case(domain))
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use super::*;

    pub(in crate::policy) fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn idp(text: &str) -> IdpId {
        IdpId::parse(text).unwrap()
    }

    /// Carol: of the company, in two groups, with one role.
    fn carol() -> Facts {
        Facts {
            display_name: "Carol".to_owned(),
            username: Some("carol".to_owned()),
            mail: Some("carol@Example.com".to_owned()),
            groups: set(&["/staff", "/staff/search"]),
            roles: set(&["mcp-reader", "portal:editor"]),
            organisations: set(&["acme"]),
        }
    }

    fn everybody() -> Rule {
        Rule::default()
    }

    fn enter(rule: Rule, enter: bool) -> Rule {
        Rule { enter: Some(enter), ..rule }
    }

    fn gives(rule: Rule, scopes: &str) -> Rule {
        Rule { scopes: Some(scope(scopes)), ..rule }
    }

    fn group(name: &str) -> Rule {
        Rule { group: Some(name.to_owned()), ..everybody() }
    }

    fn role(name: &str) -> Rule {
        Rule { role: Some(name.to_owned()), ..everybody() }
    }

    fn carol_under(default_allows: bool, rules: Vec<Rule>) -> Entry {
        let keycloak = idp("keycloak");
        let facts = carol();
        judge(&PeopleConfig { default_allows, rules }, PersonFacts::Upstream { idp: &keycloak, subject: "u-1", facts: &facts })
    }

    /// Each condition with its yes and its nearest no.
    #[test]
    fn a_rule_matches_who_is_all_that_it_names() {
        let text = |value: &str| Some(value.to_owned());
        for (rule, is_carol) in [
            (everybody(), true),
            (Rule { idp: Some(idp("keycloak")), ..everybody() }, true),
            (Rule { idp: Some(idp("github")), ..everybody() }, false),
            (Rule { idp: Some(idp(IdpId::LOCAL)), ..everybody() }, false),
            (Rule { idp: Some(idp("keycloak")), subject: text("u-1"), ..everybody() }, true),
            (Rule { idp: Some(idp("keycloak")), subject: text("U-1"), ..everybody() }, false),
            (Rule { idp: Some(idp("github")), subject: text("u-1"), ..everybody() }, false),
            (Rule { mail_domain: text("example.com"), ..everybody() }, true),
            (Rule { mail_domain: text("mail.example.com"), ..everybody() }, false),
            (Rule { mail_domain: text("ample.com"), ..everybody() }, false),
            (group("/staff"), true),
            (group("/staff/searc"), false),
            (group("staff"), false),
            (Rule { organisation: text("acme"), ..everybody() }, true),
            (Rule { organisation: text("Acme"), ..everybody() }, false),
            (role("mcp-reader"), true),
            (role("portal:editor"), true),
            (role("editor"), false),
            (role("mcp-read"), false),
            // A group is no role, and a role is no group.
            (role("/staff"), false),
            (group("mcp-reader"), false),
            (Rule { role: text("mcp-reader"), ..group("/staff") }, true),
            (Rule { role: text("mcp-reader"), ..group("/boss") }, false),
        ] {
            let entry = carol_under(false, vec![gives(enter(rule.clone(), true), "mcp:read")]);
            assert_eq!(entry != Entry::Refused, is_carol, "{rule:?}");
        }
    }

    /// Attack 61: what is not verified is dropped where it arrives, so there is nothing to match.
    #[test]
    fn a_fact_that_was_not_given_matches_nothing() {
        let facts = Facts { mail: None, groups: set(&[]), roles: set(&[]), organisations: set(&[]), ..carol() };
        let keycloak = idp("keycloak");
        let person = PersonFacts::Upstream { idp: &keycloak, subject: "u-1", facts: &facts };
        for rule in [Rule { mail_domain: Some("example.com".to_owned()), ..everybody() }, group("/staff"), role("mcp-reader")] {
            let people = PeopleConfig { default_allows: false, rules: vec![gives(enter(rule.clone(), true), "mcp:read")] };
            assert_eq!(judge(&people, person), Entry::Refused, "{rule:?}");
        }
    }

    #[test]
    fn an_address_has_one_domain_behind_its_last_at_sign() {
        assert!(is_of_domain("carol@example.com", "example.com") && is_of_domain("carol@EXAMPLE.com", "example.com"));
        assert!(is_of_domain("\"a@evil.example\"@example.com", "example.com"));
        for other in
            ["carol@example.com.evil.example", "carol@example.com@evil.example", "example.com", "@example.com", "carol@xexample.com"]
        {
            assert!(!is_of_domain(other, "example.com"), "{other}");
        }
    }

    /// The table of the module's first page, row by row.
    #[test]
    fn several_matching_rules_combine_as_the_manual_says() {
        let only = |text: &str| Entry::Only(scope(text));
        for (default_allows, rules, expected, why) in [
            (true, vec![], Entry::Everything, "no rule, allow"),
            (false, vec![], Entry::Refused, "no rule, deny"),
            (true, vec![enter(everybody(), false)], Entry::Refused, "a rule is stronger than the default"),
            (false, vec![enter(everybody(), true)], only(""), "in, but nothing was given"),
            (false, vec![gives(everybody(), "mcp:read")], Entry::Refused, "scopes alone let nobody in"),
            (true, vec![gives(everybody(), "mcp:read")], only("mcp:read"), "what anybody gets"),
            (true, vec![gives(everybody(), "mcp:read"), gives(role("mcp-reader"), "mcp:write")], only("mcp:read mcp:write"), "a role adds"),
            (
                true,
                vec![gives(everybody(), "mcp:read"), gives(role("mcp-admin"), "mcp:write")],
                only("mcp:read"),
                "another's role does not",
            ),
            (true, vec![gives(role("mcp-admin"), "mcp:write")], Entry::Everything, "no rule that gives matches"),
            (true, vec![enter(group("/staff"), true), enter(everybody(), false)], Entry::Everything, "the first that speaks decides"),
            (true, vec![enter(everybody(), false), enter(group("/staff"), true)], Entry::Refused, "the first that speaks decides"),
            (
                true,
                vec![gives(everybody(), "mcp:read"), enter(everybody(), false)],
                Entry::Refused,
                "who speaks of scopes does not speak of entering",
            ),
            (
                false,
                vec![gives(enter(group("/staff"), true), "mcp:read"), gives(role("mcp-reader"), "mcp:write")],
                only("mcp:read mcp:write"),
                "together",
            ),
            (
                false,
                vec![enter(group("/staff"), true), gives(role("mcp-reader"), "mcp:read")],
                only("mcp:read"),
                "let in by one, given by another",
            ),
            (true, vec![gives(everybody(), "")], only(""), "an empty list gives nothing, and says so"),
        ] {
            assert_eq!(carol_under(default_allows, rules.clone()), expected, "{why}: {rules:?}");
        }
    }

    #[test]
    fn a_mail_address_leads_to_the_one_provider_that_rules_name_for_its_domain() {
        let of =
            |id: &str, domain: &str| Rule { idp: Some(idp(id)), mail_domain: Some(domain.to_owned()), enter: Some(true), ..everybody() };
        let people = |rules| PeopleConfig { default_allows: true, rules };
        let two = people(vec![of("keycloak", "example.com"), of("github", "other.example"), of("keycloak", "example.com")]);
        assert_eq!(idp_of_mail(&two, "carol@Example.com").map(IdpId::as_str), Some("keycloak"));
        assert_eq!(idp_of_mail(&two, "carol@other.example").map(IdpId::as_str), Some("github"));
        assert_eq!(idp_of_mail(&two, "carol@mail.example.com"), None);
        assert_eq!(idp_of_mail(&two, "carol"), None);
        let torn = people(vec![of("keycloak", "example.com"), of("github", "example.com")]);
        assert_eq!(idp_of_mail(&torn, "carol@example.com"), None, "two providers are a choice");
        let shut = people(vec![Rule { enter: Some(false), ..of("keycloak", "example.com") }]);
        assert_eq!(idp_of_mail(&shut, "carol@example.com"), None);
    }

    /// Accounts kept here stand under the same rules.
    #[test]
    fn an_account_kept_here_matches_by_its_user_name_and_by_nothing_that_providers_say() {
        let judged = |rule: Rule| {
            let people = PeopleConfig { default_allows: false, rules: vec![gives(enter(rule, true), "mcp:read")] };
            judge(&people, PersonFacts::Local { username: "alice" }) != Entry::Refused
        };
        let text = |value: &str| Some(value.to_owned());
        assert!(judged(everybody()) && judged(Rule { idp: Some(idp(IdpId::LOCAL)), ..everybody() }));
        assert!(judged(Rule { idp: Some(idp(IdpId::LOCAL)), subject: text("alice"), ..everybody() }));
        assert!(!judged(Rule { idp: Some(idp(IdpId::LOCAL)), subject: text("bob"), ..everybody() }));
        assert!(!judged(Rule { idp: Some(idp("keycloak")), ..everybody() }));
        assert!(!judged(Rule { mail_domain: text("example.com"), ..everybody() }), "alice@example.com is only a user name here");
        assert!(!judged(group("/staff")) && !judged(role("mcp-reader")));
    }
}
