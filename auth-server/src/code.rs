//! An authorization code: what a person approved, sealed, for its client to bring back.
//!
//! RFC 6749 §4.1.2. Nothing is kept when a code is given out ([decision 137](../../docs/decisions/0137-a-code-carries-its-approval.md)):
//! until somebody redeems it, losing it only means "please start again". Owns the text of a code and what stands in it. Whether a code
//! was used already is the grant's row (`store/`), whether it may be used the judge's question (`token/authorization_code.rs`).
//!
//! ```text
//! pco_ 01mcc5rm00as47tdhq5gjw0qhh 3q2-7wEvRyC…
//!      grant_id, 26 characters     base64url of: key id, nonce, the approval as JSON under AES-256-GCM
//! ```
//! Each code is sealed under a key of its own, made of ours and its grant's id, so no number of codes is too many for one key. The id is
//! bound to the seal. An ordinary code has about 500 characters, the longest below 6,000; RFC 6749 §4.1.2 wants its size told.

use std::borrow::Cow;

use oauth_types::{
    ClientId, CodeChallenge, CodeSecret, Error, GrantFault, GrantId, RedirectUri, RequestFault, ResourceUri, Scope, Subject, Timestamp,
    UpstreamSessionId,
};
use serde::{Deserialize, Serialize};

use crate::{
    keys::{Purpose, SealingKeys},
    store::{Approval, Trail},
};

/// Tells people and secret scanners what was leaked.
const PREFIX: &str = "pco_";
/// With it a code stays below 6,000 characters: an address with it fits the 8 KiB that proxies take for a line.
const APPROVAL_BYTES_MAX: usize = 4 * 1024;

/// What stands in a code, beside the id of its grant. One letter a member: it travels in an address. Replicas of two versions may read
/// each other's, so a member that is new has a default.
#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    #[serde(rename = "c", borrow)]
    client_id: Cow<'a, str>,
    #[serde(rename = "p", borrow)]
    subject: Cow<'a, str>,
    #[serde(rename = "r", borrow)]
    resource: Cow<'a, str>,
    #[serde(rename = "s", borrow)]
    scope: Cow<'a, str>,
    #[serde(rename = "u", borrow)]
    redirect_uri: Cow<'a, str>,
    #[serde(rename = "k", borrow)]
    code_challenge: Cow<'a, str>,
    #[serde(rename = "b", borrow, default, skip_serializing_if = "Option::is_none")]
    upstream_session: Option<Cow<'a, str>>,
    #[serde(rename = "n", borrow, default, skip_serializing_if = "Option::is_none")]
    nonce: Option<Cow<'a, str>>,
    #[serde(rename = "t")]
    auth_time: i64,
    #[serde(rename = "a")]
    created_at: i64,
    #[serde(rename = "x")]
    code_expires_at: i64,
    #[serde(rename = "e")]
    expires_at: i64,
    #[serde(rename = "i", borrow, default, skip_serializing_if = "Option::is_none")]
    source_ip: Option<Cow<'a, str>>,
    #[serde(rename = "f", borrow, default, skip_serializing_if = "Option::is_none")]
    reference: Option<Cow<'a, str>>,
}

/// The code of this approval.
///
/// # Errors
/// `invalid_request` when what was asked is too long to travel in a code; `server_error` when nothing can be sealed.
pub(crate) fn seal(keys: &SealingKeys, approval: &Approval) -> Result<CodeSecret, Error> {
    let sealed = Sealed {
        client_id: approval.client_id.as_str().into(),
        subject: approval.subject.as_str().into(),
        resource: approval.resource.as_str().into(),
        scope: approval.scope.as_str().into(),
        redirect_uri: approval.redirect_uri.as_str().into(),
        code_challenge: approval.code_challenge.as_str().into(),
        upstream_session: approval.upstream_session.as_ref().map(|session| session.as_str().into()),
        nonce: approval.nonce.as_deref().map(Cow::Borrowed),
        auth_time: approval.auth_time.0,
        created_at: approval.created_at.0,
        code_expires_at: approval.code_expires_at.0,
        expires_at: approval.expires_at.0,
        source_ip: approval.trail.source_ip.as_deref().map(Cow::Borrowed),
        reference: approval.trail.reference.as_deref().map(Cow::Borrowed),
    };
    let plain = serde_json::to_vec(&sealed).map_err(|_| oauth_types::Bug::new("an approval is text and numbers"))?;
    if plain.len() > APPROVAL_BYTES_MAX {
        return Err(Error::InvalidRequest(RequestFault::ParameterTooLong));
    }
    let grant = approval.grant_id.to_bytes();
    let body = keys.seal_under(Purpose::Code, &grant, &grant, &plain)?;
    let mut text = String::with_capacity(PREFIX.len() + GrantId::CHARACTERS + body.len());
    text.push_str(PREFIX);
    text.push_str(&approval.grant_id.text());
    text.push_str(&body);
    Ok(CodeSecret::new(text))
}

/// What was approved with this code. It is authentic, which is not yet good: it may be used, old, or in the wrong hands.
///
/// # Errors
/// It is no code that we made.
pub(crate) fn open(keys: &SealingKeys, presented: &str) -> Result<Approval, GrantFault> {
    read(keys, presented).ok_or(GrantFault::CodeMalformed)
}

fn read(keys: &SealingKeys, presented: &str) -> Option<Approval> {
    let (grant, body) = presented.strip_prefix(PREFIX)?.split_at_checked(GrantId::CHARACTERS)?;
    let grant_id = GrantId::parse(grant).ok()?;
    let grant = grant_id.to_bytes();
    let plain = keys.open_under(Purpose::Code, &grant, &grant, body).ok()?;
    let sealed: Sealed<'_> = serde_json::from_slice(&plain).ok()?;
    Some(Approval {
        grant_id,
        client_id: ClientId::from_trusted(&*sealed.client_id),
        subject: Subject::from_trusted(&*sealed.subject),
        resource: ResourceUri::from_trusted(&*sealed.resource),
        scope: Scope::from_trusted(&*sealed.scope),
        redirect_uri: RedirectUri::from_trusted(&*sealed.redirect_uri),
        upstream_session: sealed.upstream_session.as_deref().map(UpstreamSessionId::from_trusted),
        auth_time: Timestamp(sealed.auth_time),
        nonce: sealed.nonce.map(Cow::into_owned),
        code_challenge: CodeChallenge::parse(&sealed.code_challenge).ok()?,
        code_expires_at: Timestamp(sealed.code_expires_at),
        expires_at: Timestamp(sealed.expires_at),
        created_at: Timestamp(sealed.created_at),
        trail: Trail { source_ip: sealed.source_ip.map(Cow::into_owned), reference: sealed.reference.map(Cow::into_owned) },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{keys::sealing_line, token::fixtures::approval};

    #[test]
    fn a_code_brings_back_what_was_approved() {
        let keys = SealingKeys::fresh();
        let full = Approval {
            upstream_session: Some(UpstreamSessionId::from_trusted("us_1")),
            nonce: Some("a \"quoted\" nonce\nand ünïcode".to_owned()),
            ..approval()
        };
        for approval in [full, Approval { trail: Trail::default(), ..approval() }] {
            let code = seal(&keys, &approval).unwrap();
            assert_eq!(open(&keys, code.expose()), Ok(approval));
        }
    }

    /// RFC 6749 §4.1.2, §10.10: nobody else makes one, and nobody reads one.
    #[test]
    fn a_code_shows_nothing_and_no_character_of_it_can_be_changed() {
        let keys = SealingKeys::fresh();
        let code = seal(&keys, &approval()).unwrap();
        let text = code.expose();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "it needs no escape in an address");
        for at in 0..text.len() {
            let mut bytes = text.to_owned().into_bytes();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            assert_eq!(open(&keys, std::str::from_utf8(&bytes).unwrap()), Err(GrantFault::CodeMalformed), "character {at}");
        }
        assert_ne!(seal(&keys, &approval()).unwrap().expose(), text, "sealed twice it is another text");
        assert!(open(&SealingKeys::fresh(), text).is_err(), "another server's");
    }

    #[test]
    fn two_codes_cannot_be_crossed() {
        let keys = SealingKeys::fresh();
        let (one, two) =
            (seal(&keys, &approval()).unwrap(), seal(&keys, &Approval { grant_id: GrantId::from_bytes([8; 16]), ..approval() }).unwrap());
        let head = PREFIX.len() + GrantId::CHARACTERS;
        let crossed = format!("{}{}", &one.expose()[..head], &two.expose()[head..]);
        assert_eq!(open(&keys, &crossed), Err(GrantFault::CodeMalformed));
    }

    #[test]
    fn after_a_change_of_sealing_keys_a_code_of_the_old_one_is_read() {
        let (old, new) = (sealing_line(1), sealing_line(2));
        let code = seal(&SealingKeys::parse(&old).unwrap(), &approval()).unwrap();
        assert_eq!(open(&SealingKeys::parse(&format!("{new}{old}")).unwrap(), code.expose()), Ok(approval()));
        assert_eq!(open(&SealingKeys::parse(&new).unwrap(), code.expose()), Err(GrantFault::CodeMalformed));
    }

    /// RFC 6749 §4.1.2: "the authorization server SHOULD document the size of any value it issues."
    #[test]
    fn a_code_is_as_long_as_it_is_said_to_be() {
        let keys = SealingKeys::fresh();
        assert!((400..600).contains(&seal(&keys, &approval()).unwrap().expose().len()));
        let with = |length: usize| Approval { nonce: Some("n".repeat(length)), ..approval() };
        let longest = (0..APPROVAL_BYTES_MAX).rev().find_map(|length| seal(&keys, &with(length)).ok()).unwrap();
        assert!((5_000..6_000).contains(&longest.expose().len()), "{}", longest.expose().len());
        assert_eq!(seal(&keys, &with(APPROVAL_BYTES_MAX)).unwrap_err().reason(), "parameter_too_long");
    }

    proptest! {
        #[test]
        fn garbage_is_no_code(text in "(pco_)?([0-9a-hjkmnp-tv-z]{26})?[ -~ä]{0,80}") {
            prop_assert_eq!(open(&SealingKeys::fresh(), &text), Err(GrantFault::CodeMalformed));
        }
    }
}
