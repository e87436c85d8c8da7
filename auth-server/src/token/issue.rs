//! The only place where a token is born.
//!
//! RFC 9068 §2 says what stands in an access token, OpenID Connect Core §2 what in an ID token, RFC 6749 §5.1 what in the answer. Owns all; decides nothing: what was
//! granted comes in, text goes out. It runs after the commit and outside the writer, so that a signature never holds up another's
//! transaction. A token is never stored: it names its grant, and what ends is the grant.

use oauth_types::{AccessClaimsRef, AccessTokenSecret, Error, IdClaimsRef, RefreshTokenSecret, Scope, Timestamp, Ttl};

use crate::{
    keys::KeyStore,
    openid::{self, OPENID},
    secret,
    store::GrantRow,
};

/// 128 bits: two tokens never share a `jti`.
const JTI_BYTES: usize = 16;
/// Everything in the answer that is not a token or a scope.
const ENVELOPE_BYTES: usize = 120;

/// The result of any grant: what it allows, to whom, for what.
pub(super) struct Granted {
    pub(super) row: GrantRow,
    /// What this access token carries; a refresh may ask for less than was granted.
    pub(super) scope: Scope,
    /// `None` for a client that did not register for refreshing.
    pub(super) refresh: Option<RefreshTokenSecret>,
    /// What the ID token repeats of the authorization request. OpenID Connect Core §12.2: nothing at a refresh.
    pub(super) nonce: Option<String>,
}

/// Who issues, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) issuer: &'a str,
    pub(super) lifetime: Ttl,
    /// Does who was granted `openid` get an ID token?
    pub(super) openid: bool,
}

impl Terms<'_> {
    /// Nothing made from a grant outlives it.
    fn expires(&self, row: &GrantRow, now: Timestamp) -> Timestamp {
        (now + self.lifetime).min(row.expires_at)
    }
}

/// Signs an access token and writes the answer that carries it.
pub(super) fn answer(keys: &KeyStore, terms: Terms<'_>, granted: &Granted, now: Timestamp) -> Result<Vec<u8>, Error> {
    let row = &granted.row;
    let expires = terms.expires(row, now);
    let grant_id = row.grant_id.text();
    let jti = secret::fresh_text::<JTI_BYTES>("");
    let access = keys.sign(&AccessClaimsRef {
        iss: terms.issuer,
        sub: row.subject.as_str(),
        // RFC 8707 §2: one audience, the resource.
        aud: row.resource.as_str(),
        client_id: row.client_id.as_str(),
        exp: expires.0,
        iat: now.0,
        jti: &jti,
        scope: granted.scope.as_str(),
        grant_id: &grant_id,
        sid: row.upstream_session.as_ref().map(|session| session.as_str()),
        auth_time: Some(row.auth_time.0),
    })?;
    let is_asked = terms.openid && granted.scope.contains(OPENID);
    let id_token = if is_asked { Some(id_token(keys, terms, granted, &access, now)?) } else { None };
    Ok(envelope(access.expose(), expires.0 - now.0, granted.scope.as_str(), granted.refresh.as_ref(), id_token.as_deref()))
}

/// OpenID Connect Core §2, §3.1.3.6, §12.2. Its audience is the client, so it opens nothing anywhere.
fn id_token(keys: &KeyStore, terms: Terms<'_>, granted: &Granted, access: &AccessTokenSecret, now: Timestamp) -> Result<String, Error> {
    let claims = IdClaimsRef {
        iss: terms.issuer,
        sub: &openid::name_for_client(keys, &granted.row),
        aud: granted.row.client_id.as_str(),
        exp: terms.expires(&granted.row, now).0,
        iat: now.0,
        auth_time: granted.row.auth_time.0,
        nonce: granted.nonce.as_deref(),
    };
    keys.sign_id(&claims, access)
}

/// RFC 6749 §5.1. Written by hand: tokens are base64url with dots, a prefix and underscores; a scope's alphabet (§3.3) has neither
/// quote nor backslash; so nothing here needs an escape. A test holds that.
fn envelope(access: &str, expires_in: i64, scope: &str, refresh: Option<&RefreshTokenSecret>, id_token: Option<&str>) -> Vec<u8> {
    let refresh = refresh.map_or("", |token| token.expose());
    let id_token = id_token.unwrap_or_default();
    let mut body = String::with_capacity(ENVELOPE_BYTES + access.len() + refresh.len() + scope.len() + id_token.len());
    body.push_str(r#"{"access_token":""#);
    body.push_str(access);
    body.push_str(r#"","token_type":"Bearer","expires_in":"#);
    body.push_str(&expires_in.to_string());
    body.push_str(r#","scope":""#);
    body.push_str(scope);
    if !refresh.is_empty() {
        body.push_str(r#"","refresh_token":""#);
        body.push_str(refresh);
    }
    if !id_token.is_empty() {
        body.push_str(r#"","id_token":""#);
        body.push_str(id_token);
    }
    body.push_str("\"}");
    body.into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// RFC 6749 §5.1; spec-and-clients 3.4, item 58: `expires_in` is a number.
    #[test]
    fn an_answer_has_exactly_the_members_of_the_rfc() {
        let refresh = RefreshTokenSecret::new("prt_r".to_owned());
        let body: Value = serde_json::from_slice(&envelope("a.b.c", 600, "mcp:read mcp:write", Some(&refresh), None)).unwrap();
        assert_eq!(
            body,
            json!({"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 600, "scope": "mcp:read mcp:write", "refresh_token": "prt_r"})
        );
        let body: Value = serde_json::from_slice(&envelope("a.b.c", 600, "", None, None)).unwrap();
        assert_eq!(body, json!({"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 600, "scope": ""}));
        let body: Value = serde_json::from_slice(&envelope("a.b.c", 600, "openid", None, Some("d.e.f"))).unwrap();
        assert_eq!(body["id_token"], "d.e.f");
    }

    proptest! {
        #[test]
        fn no_scope_that_parses_breaks_the_answer(text in "[ -~]{0,60}") {
            if let Ok(scope) = Scope::parse(&text) {
                let body: Value = serde_json::from_slice(&envelope("a.b.c", 1, scope.as_str(), None, None)).unwrap();
                prop_assert_eq!(body["scope"].as_str(), Some(scope.as_str()));
            }
        }
    }
}
