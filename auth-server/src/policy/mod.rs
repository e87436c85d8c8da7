//! May they? Who may register with what, and who may grant what to whom.
//!
//! Pure and synchronous: the caller gathers the facts, so a decision is a function that a table tests. The rules come from Config and
//! from `rules.rs`; an engine from outside would take this place behind the same two questions.

mod people;
mod rules;

use std::sync::Arc;

use oauth_types::{IdpId, MetadataFault, RedirectFault, RedirectKind, RedirectUri, Refusal, Scope};

use crate::{
    config::{Config, PeopleConfig, Resource},
    openid,
    store::{ClientKind, ClientRow},
};

use self::people::Entry;
pub(crate) use self::people::PersonFacts;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Question<'a> {
    /// May a stranger register a client here (RFC 7591 §3)?
    Register,
    /// May this person enter, and how much of this may they grant for this resource?
    Authorize {
        /// What a client wants.
        asked: &'a Scope,
        /// Of what.
        resource: &'a Resource,
        /// From whom.
        person: PersonFacts<'a>,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// All of it.
    Allow,
    /// So much of it; the person is told.
    AllowLess(Scope),
    /// Nothing.
    Refuse(Refusal),
}

/// What we know about the place that an answer goes to. The consent page warns by it, and only the first kind is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A callback of a known client, or of one that the operator registered.
    Verified,
    /// Any other site: nobody has vouched for it.
    Unverified,
    /// A process on the person's computer; any of them can claim to be this client (attack 27).
    Loopback,
    /// An app that claimed the scheme; any app can.
    PrivateUse,
}

/// Why an answer may not go somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Barred {
    /// Dangerous whoever asks: the whole registration is refused.
    Never(RedirectFault),
    /// Not on the operator's list: left out of a registration that has others.
    Unlisted(RedirectFault),
}

impl Barred {
    pub(crate) fn fault(self) -> RedirectFault {
        match self {
            Self::Never(fault) | Self::Unlisted(fault) => fault,
        }
    }
}

/// The rules in force.
#[derive(Debug, Clone)]
pub(crate) struct Policy(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    registration_is_open: bool,
    other_https_is_allowed: bool,
    private_use_schemes: Vec<String>,
    people: PeopleConfig,
}

impl Policy {
    /// The operator's rules.
    pub(crate) fn new(config: &Config) -> Self {
        let registration = &config.registration;
        Self(Arc::new(Rules {
            registration_is_open: registration.open,
            other_https_is_allowed: registration.other_https_allowed,
            private_use_schemes: registration.private_use_schemes.iter().map(|scheme| scheme.to_ascii_lowercase()).collect(),
            people: config.people.clone(),
        }))
    }

    /// Is anything ever asked about a person?
    pub(crate) fn has_rules(&self) -> bool {
        !self.0.people.rules.is_empty()
    }

    /// Where people of this mail address sign in, if the rules name one provider for its domain and no other.
    pub(crate) fn idp_of_mail(&self, mail: &str) -> Option<&IdpId> {
        people::idp_of_mail(&self.0.people, mail)
    }

    /// Answers a question.
    pub(crate) fn decide(&self, question: Question<'_>) -> Decision {
        match question {
            Question::Register if self.0.registration_is_open => Decision::Allow,
            Question::Register => Decision::Refuse(Refusal::RegistrationClosed),
            Question::Authorize { asked, resource, person } => match people::judge(&self.0.people, person) {
                Entry::Refused => Decision::Refuse(Refusal::NotLetIn),
                Entry::Everything => grantable(asked, &resource.scopes),
                Entry::Only(given) => grantable(asked, &resource.scopes.intersect(&given)),
            },
        }
    }

    /// May an answer go there, and what is the place worth? Asked at registration and again at `/authorize`, because a row may be older
    /// than the rule (attack 11).
    pub(crate) fn redirect(&self, uri: &RedirectUri) -> Result<Standing, Barred> {
        match uri.kind() {
            RedirectKind::Loopback => Ok(Standing::Loopback),
            RedirectKind::PrivateUse if self.0.private_use_schemes.iter().any(|scheme| scheme == uri.scheme()) => Ok(Standing::PrivateUse),
            RedirectKind::PrivateUse => Err(Barred::Unlisted(RedirectFault::SchemeNotAllowed)),
            RedirectKind::Https if rules::is_known_callback(uri) => Ok(Standing::Verified),
            RedirectKind::Https if rules::is_no_public_host(uri) => Err(Barred::Never(RedirectFault::HostNotAllowed)),
            RedirectKind::Https if self.0.other_https_is_allowed => Ok(Standing::Unverified),
            RedirectKind::Https => Err(Barred::Unlisted(RedirectFault::HostNotAllowed)),
        }
    }

    /// The same for a client that may have been set up by the operator, who then vouches for its https callbacks.
    pub(crate) fn standing(&self, client: &ClientRow, uri: &RedirectUri) -> Result<Standing, Barred> {
        if client.kind == ClientKind::Preregistered && uri.kind() == RedirectKind::Https {
            return Ok(Standing::Verified);
        }
        self.redirect(uri)
    }

    /// May a client that calls back to these places bear this name?
    pub(crate) fn name(&self, name: &str, redirect_uris: &[RedirectUri]) -> Result<(), MetadataFault> {
        rules::name_is_free(name, redirect_uris)
    }
}

/// So much of what is offered to this person, and lasting access to it. Scopes that nobody here knows are taken away in silence (RFC 6749 §3.3 lets a
/// server do that if it says what was granted): clients copy lists from elsewhere.
fn grantable(asked: &Scope, offered: &Scope) -> Decision {
    let kept: Vec<_> = asked.iter().filter(|token| is_not_about_the_resource(token) || offered.contains(token)).collect();
    // Lasting access to nothing is nothing, and neither is a name.
    if kept.iter().all(|token| is_not_about_the_resource(token)) {
        return Decision::Refuse(Refusal::NothingAllowed);
    }
    match Scope::parse(&kept.join(" ")) {
        Ok(allowed) if allowed == *asked => Decision::Allow,
        Ok(allowed) => Decision::AllowLess(allowed),
        Err(_) => Decision::Refuse(Refusal::NothingAllowed),
    }
}

/// Lasting access, and who the person is: the rules are about resources, and the request has kept of these what is on.
fn is_not_about_the_resource(token: &str) -> bool {
    token == OFFLINE_ACCESS || openid::ABOUT_PERSON.contains(&token)
}

/// The scope that asks for lasting access (OpenID Connect Core §11); every resource knows it.
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

#[cfg(test)]
mod tests {
    use super::{people::tests::scope, *};
    use crate::config::Rule;

    fn policy(other_https_is_allowed: bool) -> Policy {
        with_people(other_https_is_allowed, PeopleConfig { default_allows: true, rules: Vec::new() })
    }

    fn with_people(other_https_is_allowed: bool, people: PeopleConfig) -> Policy {
        let private_use_schemes = vec!["cursor".to_owned()];
        Policy(Arc::new(Rules { registration_is_open: true, other_https_is_allowed, private_use_schemes, people }))
    }

    fn standing(uri: &str) -> Result<Standing, Barred> {
        policy(true).redirect(&RedirectUri::parse(uri).unwrap())
    }

    /// The table of spec section 6, first column known, second its nearest no.
    #[test]
    fn known_callbacks_are_verified_and_their_neighbours_are_not() {
        for known in [
            "https://claude.ai/api/mcp/auth_callback",
            "https://claude.com/api/mcp/auth_callback",
            "https://chatgpt.com/connector_platform_oauth_redirect",
            "https://chatgpt.com/connector/oauth/cb_4711-x",
            "https://chatgpt.com/backend-api/aip/connectors/links/oauth/callback",
            "https://vscode.dev/redirect",
            "https://insiders.vscode.dev/redirect",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "https://antigravity.google/oauth-callback",
        ] {
            assert_eq!(standing(known), Ok(Standing::Verified), "{known}");
        }
        for neighbour in [
            "https://claude.ai/api/mcp/auth_callback/",
            "https://claude.ai/api/mcp/auth_callback?x=1",
            "https://claude.ai:8443/api/mcp/auth_callback",
            "https://claude.ai.evil.example/api/mcp/auth_callback",
            "https://chatgpt.com/connector/oauth/",
            "https://chatgpt.com/connector/oauth/a/b",
            "https://chatgpt.com/connector/oauth/a?b",
            "https://www.vscode.dev/redirect",
            "https://somebody.example/cb",
        ] {
            assert_eq!(standing(neighbour), Ok(Standing::Unverified), "{neighbour}");
        }
    }

    #[test]
    fn loopback_is_loopback_with_any_path_and_port() {
        for uri in ["http://localhost:33418/callback", "http://127.0.0.1/", "http://[::1]:1/oauth/callback/debug?x"] {
            assert_eq!(standing(uri), Ok(Standing::Loopback), "{uri}");
        }
    }

    #[test]
    fn private_use_schemes_are_those_on_the_list() {
        assert_eq!(standing("cursor://anysphere.cursor-mcp/oauth/callback"), Ok(Standing::PrivateUse));
        assert_eq!(standing("vscode://x/callback"), Err(Barred::Unlisted(RedirectFault::SchemeNotAllowed)));
    }

    /// Checklist 28: addresses and names without a public meaning are no place for a code, whoever asks.
    #[test]
    fn https_to_addresses_and_private_names_is_never_allowed() {
        for uri in [
            "https://localhost/cb",
            "https://127.0.0.1/cb",
            "https://10.0.0.1/cb",
            "https://[::1]/cb",
            "https://a.localhost/cb",
            "https://93.184.216.34/cb",
        ] {
            assert_eq!(standing(uri), Err(Barred::Never(RedirectFault::HostNotAllowed)), "{uri}");
        }
    }

    #[test]
    fn an_operator_may_allow_known_callbacks_only() {
        let strict = policy(false);
        let judged = |uri: &str| strict.redirect(&RedirectUri::parse(uri).unwrap());
        assert_eq!(judged("https://somebody.example/cb"), Err(Barred::Unlisted(RedirectFault::HostNotAllowed)));
        assert_eq!(judged("https://claude.ai/api/mcp/auth_callback"), Ok(Standing::Verified));
    }

    fn resource() -> Resource {
        Resource {
            uri: oauth_types::ResourceUri::parse("https://mcp.example.com/mcp").unwrap(),
            path: "/mcp".to_owned(),
            name: "MCP".to_owned(),
            scopes: Scope::parse("mcp:read mcp:write").unwrap(),
            default_scope: Scope::parse("mcp:read").unwrap(),
        }
    }

    #[test]
    fn a_person_may_grant_what_the_resource_offers() {
        let resource = resource();
        let person = PersonFacts::Local { username: "alice" };
        let decide = |asked: &str| policy(true).decide(Question::Authorize { asked: &scope(asked), resource: &resource, person });
        assert_eq!(decide("mcp:read mcp:write offline_access"), Decision::Allow);
        assert_eq!(decide("mcp:read openid admin"), Decision::AllowLess(Scope::parse("mcp:read openid").unwrap()));
        assert_eq!(decide("admin"), Decision::Refuse(Refusal::NothingAllowed));
        assert_eq!(decide("offline_access"), Decision::Refuse(Refusal::NothingAllowed), "lasting access to nothing");
    }

    /// What a person may not grant is taken away; who may not enter is refused, whatever they could grant.
    #[test]
    fn a_person_may_grant_what_the_rules_give_them_of_what_the_resource_offers() {
        let resource = resource();
        let rule = |enter, scopes: &str| Rule { enter: Some(enter), scopes: Some(scope(scopes)), ..Rule::default() };
        let decide = |rule: Rule, asked: &str| {
            let person = PersonFacts::Local { username: "alice" };
            let people = PeopleConfig { default_allows: false, rules: vec![rule] };
            with_people(true, people).decide(Question::Authorize { asked: &scope(asked), resource: &resource, person })
        };
        assert_eq!(decide(rule(true, "mcp:read notes:read"), "mcp:read offline_access"), Decision::Allow);
        assert_eq!(
            decide(rule(true, "mcp:read"), "mcp:read mcp:write offline_access"),
            Decision::AllowLess(scope("mcp:read offline_access"))
        );
        assert_eq!(decide(rule(true, "notes:read"), "mcp:read offline_access"), Decision::Refuse(Refusal::NothingAllowed));
        assert_eq!(decide(rule(false, "mcp:read"), "mcp:read"), Decision::Refuse(Refusal::NotLetIn));
    }

    #[test]
    fn registration_is_open_or_closed() {
        assert_eq!(policy(true).decide(Question::Register), Decision::Allow);
        let closed = Policy(Arc::new(Rules {
            registration_is_open: false,
            other_https_is_allowed: true,
            private_use_schemes: Vec::new(),
            people: PeopleConfig::default(),
        }));
        assert_eq!(closed.decide(Question::Register), Decision::Refuse(Refusal::RegistrationClosed));
    }
}
