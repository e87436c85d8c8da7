//! A form becomes a request: one variant a grant.
//!
//! RFC 6749 §4.1.3, §6; RFC 7636 §4.5; RFC 8707 §2.2. Owns the parsing of parameters. Values that only say which grant is meant are
//! parsed so far that nothing strange goes further; whether they are right is the judge's question, who has the grant before them.

use oauth_types::{CodeVerifier, Error, ResourceUri, Scope, TargetFault};

use crate::{client::GrantType, http::extract::StrictForm};

/// Asking for it is not asking for more: refresh tokens are given anyhow.
const OFFLINE_ACCESS: &str = "offline_access";

/// Which grant is presented.
///
/// # Errors
/// None is, or one that we do not have.
pub(super) fn grant_type(form: &StrictForm) -> Result<GrantType, Error> {
    GrantType::parse(form.require("grant_type")?).ok_or(Error::UnsupportedGrantType)
}

/// What a client asks of `POST /token`.
pub(super) enum TokenRequest<'a> {
    AuthorizationCode(CodeRequest<'a>),
    RefreshToken(RefreshRequest<'a>),
}

/// RFC 6749 §4.1.3.
pub(super) struct CodeRequest<'a> {
    pub(super) code: &'a str,
    /// Compared as text with the code's own; OAuth 2.1 clients send none (§10.2).
    pub(super) redirect_uri: Option<&'a str>,
    pub(super) verifier: Option<CodeVerifier>,
    pub(super) resource: Option<ResourceUri>,
}

/// RFC 6749 §6.
pub(super) struct RefreshRequest<'a> {
    pub(super) token: &'a str,
    /// `None`: what was granted.
    pub(super) scope: Option<Scope>,
    pub(super) resource: Option<ResourceUri>,
}

impl<'a> TokenRequest<'a> {
    /// # Errors
    /// A parameter of this grant is missing or malformed.
    pub(super) fn parse(grant: GrantType, form: &'a StrictForm) -> Result<Self, Error> {
        match grant {
            GrantType::AuthorizationCode => Ok(Self::AuthorizationCode(CodeRequest {
                code: form.require("code")?,
                redirect_uri: form.get("redirect_uri"),
                verifier: verifier(form.get("code_verifier"))?,
                resource: resource(form)?,
            })),
            GrantType::RefreshToken => Ok(Self::RefreshToken(RefreshRequest {
                token: form.require("refresh_token")?,
                scope: scope(form.get("scope"))?,
                resource: resource(form)?,
            })),
        }
    }
}

/// RFC 7636 §4.6: what can be no verifier at all proves as little as a wrong one.
fn verifier(text: Option<&str>) -> Result<Option<CodeVerifier>, Error> {
    text.map(CodeVerifier::parse).transpose().map_err(Error::InvalidGrant)
}

fn scope(text: Option<&str>) -> Result<Option<Scope>, Error> {
    let Some(text) = text else { return Ok(None) };
    let asked = Scope::parse(text).map_err(Error::InvalidScope)?.without(OFFLINE_ACCESS);
    Ok((!asked.is_empty()).then_some(asked))
}

/// RFC 8707 §2: the parameter may be repeated. A grant is for one resource, so two cannot both be meant.
fn resource(form: &StrictForm) -> Result<Option<ResourceUri>, Error> {
    let mut all = form.all("resource");
    let Some(first) = all.next() else { return Ok(None) };
    let first = ResourceUri::parse(first).map_err(Error::InvalidTarget)?;
    for other in all {
        if ResourceUri::parse(other).map_err(Error::InvalidTarget)? != first {
            return Err(Error::InvalidTarget(TargetFault::Several));
        }
    }
    Ok(Some(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pairs: &[(&str, &str)]) -> (&'static str, &'static str) {
        let form = StrictForm::of(pairs);
        let error = grant_type(&form).and_then(|grant| TokenRequest::parse(grant, &form)).err().expect("a refusal");
        (error.code(), error.reason())
    }

    const REFRESH: [(&str, &str); 2] = [("grant_type", "refresh_token"), ("refresh_token", "prt_x")];

    fn refresh(more: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let form = StrictForm::of(&[&REFRESH[..], more].concat());
        let Ok(TokenRequest::RefreshToken(asked)) = TokenRequest::parse(GrantType::RefreshToken, &form) else { panic!("not a refresh") };
        (asked.scope.map(|scope| scope.to_string()), asked.resource.map(|resource| resource.to_string()))
    }

    /// RFC 6749 §5.2; attack 40: a grant that we do not have is `unsupported_grant_type`, and none at all is `invalid_request`.
    #[test]
    fn only_grants_that_are_built_are_known() {
        for name in ["password", "implicit", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code", "Refresh_Token"] {
            assert_eq!(refused(&[("grant_type", name)]).0, "unsupported_grant_type", "{name}");
        }
        assert_eq!(refused(&[]).0, "invalid_request");
        for grant in GrantType::ALL {
            assert_eq!(GrantType::parse(grant.as_str()), Some(grant));
        }
    }

    /// RFC 6749 §4.1.3, §6: `code` and `refresh_token` are required.
    #[test]
    fn a_grant_without_its_token_is_an_invalid_request() {
        assert_eq!(refused(&[("grant_type", "authorization_code")]).0, "invalid_request");
        assert_eq!(refused(&[("grant_type", "refresh_token"), ("refresh_token", "")]).0, "invalid_request");
    }

    /// RFC 7636 §4.6; attack 15.
    #[test]
    fn what_can_be_no_verifier_is_an_invalid_grant() {
        let with = |verifier: &str| refused(&[("grant_type", "authorization_code"), ("code", "pco_x"), ("code_verifier", verifier)]);
        assert_eq!(with("short"), ("invalid_grant", "verifier_malformed"));
        assert_eq!(with(&"a".repeat(129)), ("invalid_grant", "verifier_malformed"));
        assert_eq!(with(&format!("{}!", "a".repeat(43))), ("invalid_grant", "verifier_malformed"));
    }

    /// RFC 6749 §6; spec-and-clients 3.4, item 63: absent means the same, and `offline_access` is not more.
    #[test]
    fn no_scope_and_offline_access_both_ask_for_what_was_granted() {
        assert_eq!(refresh(&[]).0, None);
        assert_eq!(refresh(&[("scope", "")]).0, None);
        assert_eq!(refresh(&[("scope", "offline_access")]).0, None);
        assert_eq!(refresh(&[("scope", "mcp:read offline_access")]).0.as_deref(), Some("mcp:read"));
    }

    /// RFC 8707 §2; attack 38.
    #[test]
    fn one_resource_at_most_is_meant_and_it_is_one() {
        let uri = "https://mcp.example.com/mcp";
        assert_eq!(refresh(&[("resource", uri)]).1.as_deref(), Some(uri));
        assert_eq!(refresh(&[("resource", uri), ("resource", uri)]).1.as_deref(), Some(uri));
        let with = |more: &[(&str, &str)]| refused(&[&REFRESH[..], more].concat());
        assert_eq!(with(&[("resource", uri), ("resource", "https://other.example.com/mcp")]).0, "invalid_target");
        assert_eq!(with(&[("resource", "https://mcp.example.com/mcp#x")]).0, "invalid_target");
        assert_eq!(with(&[("resource", "mcp")]).0, "invalid_target");
    }
}
