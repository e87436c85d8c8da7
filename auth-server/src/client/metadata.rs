//! What a client says of itself, judged: client metadata in, accepted metadata out. Every rule of RFC 7591 §2, once.
//!
//! Lenient where clients differ (unknown members, empty strings, scopes and grants that we do not offer are left out and the echo says
//! what was registered, §3.2.1), strict where a person could be deceived (names, links) or a code could leak (redirect URIs).

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_types::{ClientMetadata, Error, MetadataFault, RedirectUri, Scope, TokenHash};

use super::GrantType;
use crate::{
    policy::{Barred, OFFLINE_ACCESS, Policy},
    store::AuthMethod,
};

/// VS Code registers four, Cursor three.
const REDIRECT_URIS_MAX: usize = 16;
/// A name is one line on the consent page.
const NAME_CHARACTERS_MAX: usize = 100;
/// Longest link and the like.
const TEXT_BYTES_MAX: usize = 2048;
/// Longest id or version of a software, or contact.
const SHORT_TEXT_BYTES_MAX: usize = 256;
/// People to write to.
const CONTACTS_MAX: usize = 10;
/// Entries of a list that we only look into (grant and response types).
const LIST_MAX: usize = 32;

/// Metadata that may be registered.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) name: Option<String>,
    pub(crate) redirect_uris: Vec<RedirectUri>,
    pub(crate) auth_method: AuthMethod,
    pub(crate) grant_types: Vec<GrantType>,
    pub(crate) scope: Option<Scope>,
    /// What the client reads back: the registered values, not the wishes.
    pub(crate) echo: ClientMetadata,
}

impl Accepted {
    /// Judges what a stranger wishes to register. `offered` are the scopes that exist here.
    ///
    /// # Errors
    /// `invalid_redirect_uri` and `invalid_client_metadata` (RFC 7591 §3.2.2).
    pub(crate) fn judge(wish: ClientMetadata, policy: &Policy, offered: &Scope) -> Result<Self, Error> {
        let redirect_uris = redirect_uris(wish.redirect_uris.as_deref().unwrap_or_default(), policy)?;
        let accepted = Self::judge_rest(wish, redirect_uris, offered).map_err(Error::InvalidClientMetadata)?;
        let name = accepted.name.as_deref().unwrap_or_default();
        policy.name(name, &accepted.redirect_uris).map_err(Error::InvalidClientMetadata)?;
        Ok(accepted)
    }

    fn judge_rest(wish: ClientMetadata, redirect_uris: Vec<RedirectUri>, offered: &Scope) -> Result<Self, MetadataFault> {
        if wish.jwks.is_some() && wish.jwks_uri.is_some() {
            // RFC 7591 §2: jwks and jwks_uri MUST NOT both be present.
            return Err(MetadataFault::BothKeyMembers);
        }
        let name = name(wish.client_name)?;
        let auth_method = auth_method(wish.token_endpoint_auth_method.as_deref())?;
        let grant_types = grant_types(wish.grant_types.as_deref())?;
        response_types(wish.response_types.as_deref())?;
        let scope = scope(wish.scope.as_deref(), offered)?;
        let echo = ClientMetadata {
            redirect_uris: Some(redirect_uris.iter().map(ToString::to_string).collect()),
            token_endpoint_auth_method: Some(auth_method.as_str().to_owned()),
            grant_types: Some(grant_types.iter().map(|grant| grant.as_str().to_owned()).collect()),
            response_types: Some(vec!["code".to_owned()]),
            application_type: wish.application_type.filter(|kind| kind == "native" || kind == "web"),
            client_name: name.clone(),
            client_uri: link(wish.client_uri, "client_uri")?,
            logo_uri: link(wish.logo_uri, "logo_uri")?,
            tos_uri: link(wish.tos_uri, "tos_uri")?,
            policy_uri: link(wish.policy_uri, "policy_uri")?,
            scope: scope.as_ref().map(ToString::to_string),
            contacts: contacts(wish.contacts)?,
            software_id: short_text(wish.software_id, "software_id")?,
            software_version: short_text(wish.software_version, "software_version")?,
            // Keys prove nothing here yet, so we do not claim to have registered them.
            jwks: None,
            jwks_uri: None,
        };
        Ok(Self { name, redirect_uris, auth_method, grant_types, scope, echo })
    }

    /// What people call this client when it gave no name: where it calls back to.
    pub(crate) fn shown_name(&self) -> &str {
        let place = self.redirect_uris.first().and_then(|uri| uri.host().or(Some(uri.scheme())));
        self.name.as_deref().or(place).unwrap_or_default()
    }

    /// What a remembered consent binds to: change any of it, and the person is asked again.
    pub(crate) fn digest(&self) -> String {
        let mut text = String::new();
        let link = self.echo.client_uri.as_deref().unwrap_or_default();
        // Writing to a String does not fail. Lengths stand before texts, so no two clients read alike.
        for part in [self.name.as_deref().unwrap_or_default(), link, self.auth_method.as_str()] {
            let _ = write!(text, "{}:{part};", part.len());
        }
        for uri in &self.redirect_uris {
            let _ = write!(text, "{}:{uri};", uri.as_str().len());
        }
        URL_SAFE_NO_PAD.encode(TokenHash::of(text.as_bytes()).as_bytes())
    }
}

/// What can be registered of these. One dangerous URI refuses the request; one that is merely not allowed here is left out, which
/// keeps clients alive that list several (Cursor).
fn redirect_uris(wished: &[String], policy: &Policy) -> Result<Vec<RedirectUri>, Error> {
    if wished.len() > REDIRECT_URIS_MAX {
        return Err(Error::InvalidClientMetadata(MetadataFault::TooManyRedirectUris));
    }
    let mut kept: Vec<RedirectUri> = Vec::with_capacity(wished.len());
    let mut left_out = None;
    for text in wished {
        let uri = RedirectUri::parse(text).map_err(Error::InvalidRedirectUri)?;
        match policy.redirect(&uri) {
            Ok(_) if kept.contains(&uri) => {}
            Ok(_) => kept.push(uri),
            Err(Barred::Never(fault)) => return Err(Error::InvalidRedirectUri(fault)),
            Err(Barred::Unlisted(fault)) => left_out = Some(fault),
        }
    }
    match left_out {
        _ if !kept.is_empty() => Ok(kept),
        Some(fault) => Err(Error::InvalidRedirectUri(fault)),
        None => Err(Error::InvalidClientMetadata(MetadataFault::RedirectUrisMissing)),
    }
}

/// Attack 8: a name is shown to a person, so nothing in it may move, hide or reverse what stands around it.
fn name(wished: Option<String>) -> Result<Option<String>, MetadataFault> {
    let Some(name) = wished else { return Ok(None) };
    let name = name.trim();
    // Bytes first: a name of ten kilobytes is not counted character by character.
    if name.len() > NAME_CHARACTERS_MAX * 4 || name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(MetadataFault::NameTooLong);
    }
    if name.chars().any(is_unprintable) {
        return Err(MetadataFault::NameHasControlCharacters);
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

/// Controls, direction marks and overrides, zero-width and filler characters, tags, private use (Unicode TR 36 §3, TR 39 §3).
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{10ffff}')
}

/// RFC 7591 §2: client_secret_basic when omitted.
fn auth_method(wished: Option<&str>) -> Result<AuthMethod, MetadataFault> {
    match wished.filter(|method| !method.is_empty()) {
        None => Ok(AuthMethod::SecretBasic),
        Some(name) => AuthMethod::parse(name).ok_or(MetadataFault::AuthMethodUnknown),
    }
}

/// What both sides know (checklist 24). Grants that strangers may not have are not ours, so they fall out here too (attack 20).
/// Who names none gets all: a client that loses its refresh token after ten minutes helps nobody (decision 0031).
fn grant_types(wished: Option<&[String]>) -> Result<Vec<GrantType>, MetadataFault> {
    let wished = wished.unwrap_or_default();
    if wished.is_empty() {
        return Ok(GrantType::ALL.to_vec());
    }
    if wished.len() > LIST_MAX {
        return Err(MetadataFault::TooLong("grant_types"));
    }
    let common: Vec<GrantType> = GrantType::ALL.into_iter().filter(|grant| wished.iter().any(|name| name == grant.as_str())).collect();
    if common.contains(&GrantType::AuthorizationCode) { Ok(common) } else { Err(MetadataFault::GrantTypesUnusable) }
}

fn response_types(wished: Option<&[String]>) -> Result<(), MetadataFault> {
    let wished = wished.unwrap_or_default();
    if wished.len() > LIST_MAX {
        return Err(MetadataFault::TooLong("response_types"));
    }
    if wished.is_empty() || wished.iter().any(|kind| kind == "code") { Ok(()) } else { Err(MetadataFault::ResponseTypesUnusable) }
}

/// The scopes that exist here, of those that were named. What a client may ask later is not limited by it (checklist 31).
fn scope(wished: Option<&str>, offered: &Scope) -> Result<Option<Scope>, MetadataFault> {
    let wished = Scope::parse(wished.unwrap_or_default()).map_err(|_| MetadataFault::ScopeMalformed)?;
    let known: Vec<&str> = wished.iter().filter(|token| *token == OFFLINE_ACCESS || offered.contains(token)).collect();
    let known = Scope::parse(&known.join(" ")).map_err(|_| MetadataFault::ScopeMalformed)?;
    Ok((!known.is_empty()).then_some(known))
}

/// A link that a person may be shown: https or nothing (attack 8: `javascript:`, `data:`).
fn link(wished: Option<String>, member: &'static str) -> Result<Option<String>, MetadataFault> {
    let Some(text) = wished.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.len() > TEXT_BYTES_MAX {
        return Err(MetadataFault::TooLong(member));
    }
    let is_web = url::Url::parse(&text)
        .is_ok_and(|url| url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.password().is_none());
    let is_plain = text.starts_with("https://") && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    if is_web && is_plain { Ok(Some(text)) } else { Err(MetadataFault::UriNotHttps) }
}

fn contacts(wished: Option<Vec<String>>) -> Result<Option<Vec<String>>, MetadataFault> {
    let Some(contacts) = wished else { return Ok(None) };
    if contacts.len() > CONTACTS_MAX {
        return Err(MetadataFault::TooLong("contacts"));
    }
    let contacts: Vec<String> =
        contacts.into_iter().filter_map(|contact| short_text(Some(contact), "contacts").transpose()).collect::<Result<_, _>>()?;
    Ok((!contacts.is_empty()).then_some(contacts))
}

fn short_text(wished: Option<String>, member: &'static str) -> Result<Option<String>, MetadataFault> {
    let Some(text) = wished.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.len() > SHORT_TEXT_BYTES_MAX {
        return Err(MetadataFault::TooLong(member));
    }
    if text.chars().any(is_unprintable) {
        return Err(MetadataFault::MemberMalformed(member));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests;
