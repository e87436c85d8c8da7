//! What a provider said about a person, within limits.
//!
//! A list that is too long is refused as a whole and never cut: a rule that shuts somebody out by their two-hundredth group must not be
//! outgrown by joining a few more.

use std::collections::BTreeSet;

use oauth_types::{IdpId, Timestamp, UpstreamFault};
use serde::{Deserialize, Serialize};

/// OpenID Connect Core §2: `sub` has at most 255 ASCII characters.
pub(crate) const SUBJECT_CHARACTERS_MAX: usize = 255;
/// Keycloak's `sid` is a UUID; others have up to twice as much.
pub(crate) const SID_CHARACTERS_MAX: usize = 255;
/// Longest name of a person; it stands on a page.
const NAME_CHARACTERS_MAX: usize = 128;
/// RFC 5321 §4.5.3.1: a path of 256 octets, with its brackets.
const MAIL_CHARACTERS_MAX: usize = 254;
/// Longest name of a group, role or organisation; Keycloak's group paths are the longest.
const WORD_CHARACTERS_MAX: usize = 255;
/// Groups, roles and organisations of each kind.
const WORDS_MAX: usize = 256;
/// All of it as JSON: it is kept with every sign-in.
const BYTES_MAX: usize = 8 * 1024;

/// What an upstream said about a person, once. Only an adapter that checked it builds one.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// Which provider.
    pub idp: IdpId,
    /// Its issuer, as configured.
    pub issuer: String,
    /// Its name for the person. With the issuer it is who they are; nothing else is.
    pub subject: String,
    /// Its name for the person's session there.
    pub sid: Option<String>,
    /// When they last signed in there, if it says so.
    pub auth_time: Option<Timestamp>,
    /// What rules may ask about them.
    pub facts: Facts,
}

/// What rules may ask about a person. Kept as JSON with their sign-in.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// What to call them on pages.
    pub display_name: String,
    /// What they type to sign in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A verified address; an unverified one is dropped at the door (attack 61).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// Groups, and GitHub teams as `org/team`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// Realm roles as they are, client roles as `client:role`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<String>,
    /// GitHub organisations.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub organisations: BTreeSet<String>,
}

/// Names, addresses and groups are about a person: the log has the counts.
impl std::fmt::Debug for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts")
            .field("groups", &self.groups.len())
            .field("roles", &self.roles.len())
            .field("organisations", &self.organisations.len())
            .finish_non_exhaustive()
    }
}

impl Facts {
    /// Holds them to their limits. Names are shortened, for they only label; what rules ask about is kept whole or refused.
    pub(crate) fn bounded(mut self) -> Result<Self, UpstreamFault> {
        self.display_name = label(&self.display_name);
        self.username = self.username.map(|name| label(&name)).filter(|name| !name.is_empty());
        self.mail = self.mail.filter(|mail| is_mail(mail)).map(|mail| mail.to_ascii_lowercase());
        let sets = [&self.groups, &self.roles, &self.organisations];
        let fits = |set: &&BTreeSet<String>| set.len() <= WORDS_MAX && set.iter().all(|word| word.chars().count() <= WORD_CHARACTERS_MAX);
        let bytes = serde_json::to_vec(&self).map_or(usize::MAX, |text| text.len());
        if sets.iter().all(fits) && bytes <= BYTES_MAX { Ok(self) } else { Err(UpstreamFault::ClaimsTooLarge) }
    }
}

/// What may stand on a page: no control characters, no marks that turn the direction of text, not too long.
fn label(text: &str) -> String {
    let is_shown = |c: &char| {
        !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(is_shown).take(NAME_CHARACTERS_MAX).collect::<String>().trim().to_owned()
}

/// One address whose domain a rule can compare: exactly one `@`, ASCII, nothing to quote.
fn is_mail(text: &str) -> bool {
    let is_plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"\"(),:;<>[\\]".contains(&b));
    let parts: Vec<&str> = text.split('@').collect();
    is_plain && text.len() <= MAIL_CHARACTERS_MAX && parts.len() == 2 && parts.iter().all(|part| !part.is_empty())
}

/// `sub`, within its limit.
pub(super) fn subject(text: &str) -> Result<String, UpstreamFault> {
    let is_good = !text.is_empty() && text.len() <= SUBJECT_CHARACTERS_MAX && text.bytes().all(|b| (0x20..=0x7e).contains(&b));
    if is_good { Ok(text.to_owned()) } else { Err(UpstreamFault::SubjectMalformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(count: usize) -> BTreeSet<String> {
        (0..count).map(|number| format!("g{number}")).collect()
    }

    #[test]
    fn facts_read_as_they_were_kept() {
        let facts = Facts { display_name: "Alice".into(), mail: Some("a@b.example".into()), groups: words(2), ..Facts::default() };
        let text = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<Facts>(&text).unwrap(), facts);
        assert_eq!(serde_json::from_str::<Facts>(r#"{"display_name":"x"}"#).unwrap().groups, BTreeSet::new());
    }

    #[test]
    fn too_many_groups_are_refused_and_never_cut() {
        assert_eq!(Facts { groups: words(WORDS_MAX), ..Facts::default() }.bounded().unwrap().groups.len(), WORDS_MAX);
        assert_eq!(Facts { groups: words(WORDS_MAX + 1), ..Facts::default() }.bounded(), Err(UpstreamFault::ClaimsTooLarge));
        let long = BTreeSet::from(["x".repeat(WORD_CHARACTERS_MAX + 1)]);
        assert_eq!(Facts { roles: long, ..Facts::default() }.bounded(), Err(UpstreamFault::ClaimsTooLarge));
        let wide: BTreeSet<_> = (0..60).map(|number| format!("{number:0>200}")).collect();
        assert_eq!(Facts { roles: wide, ..Facts::default() }.bounded(), Err(UpstreamFault::ClaimsTooLarge));
    }

    #[test]
    fn a_name_is_only_a_label() {
        let name = format!("Ali\u{202e}ce\n{}", "x".repeat(400));
        let bounded = Facts { display_name: name, ..Facts::default() }.bounded().unwrap();
        assert!(bounded.display_name.starts_with("Alicexx"), "{}", bounded.display_name);
        assert_eq!(bounded.display_name.chars().count(), NAME_CHARACTERS_MAX);
    }

    /// Attack 61: what a rule on domains compares must have exactly one domain.
    #[test]
    fn an_address_with_two_readings_is_no_address() {
        for mail in ["a@b@c.example", "@c.example", "a@", "\"a@b\"@c.example", "a b@c.example", "a@c.example\n", "ä@c.example", "a"] {
            assert_eq!(Facts { mail: Some(mail.into()), ..Facts::default() }.bounded().unwrap().mail, None, "{mail}");
        }
        let kept = Facts { mail: Some("Alice@Example.ORG".into()), ..Facts::default() }.bounded().unwrap();
        assert_eq!(kept.mail.as_deref(), Some("alice@example.org"));
    }

    /// OpenID Connect Core §2: sub must not exceed 255 ASCII characters in length.
    #[test]
    fn a_subject_is_bounded_ascii() {
        assert!(subject(&"a".repeat(255)).is_ok());
        for text in ["".to_owned(), "a".repeat(256), "ä".into(), "a\n".into()] {
            assert_eq!(subject(&text), Err(UpstreamFault::SubjectMalformed), "{text}");
        }
    }

    #[test]
    fn the_log_learns_nothing_about_a_person() {
        let facts = Facts { display_name: "Alice".into(), mail: Some("a@b.example".into()), groups: words(1), ..Facts::default() };
        let shown = format!("{facts:?}");
        assert!(!shown.contains("Alice") && !shown.contains("b.example") && !shown.contains("g0"), "{shown}");
    }
}
