//! oxide-auth at arm's length: its state machines judge, and say nothing to anybody.
//!
//! Owns the views that the machines are shown and the translation of what they refuse. architecture.md §6 lists where the machines
//! and the RFCs differ; each difference is kept here:
//!
//! - The row is read before a machine starts, so an unknown code is `invalid_grant`, not `invalid_request` (RFC 6749 §5.2).
//! - The machine is shown the code's own `redirect_uri`; ours compared the presented one before, as text (OAuth 2.1 §10.2).
//! - Grants never expire in its eyes: it reads the wall clock, we ask our own.
//! - A failed proof leaves the loop as our error and never passes through the machine (RFC 7636 §4.6: `invalid_grant`).
//!
//! The client was authenticated before; the machines are told so. No type of oxide-auth leaves this file and the two grants.

use std::{
    borrow::Cow,
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use oauth_types::{Bug, ClientFault, Error, GrantFault, ScopeFault};
use oxide_auth::{
    code_grant::{accesstoken, error::AccessTokenErrorType, refresh},
    primitives::grant::{Extensions, Grant},
};

/// A refresh has no redirect; the machine's grant must have one.
static NOWHERE: LazyLock<url::Url> = LazyLock::new(|| url::Url::parse("https://portico.invalid/").expect("this URL is one"));

/// The last second of the year 9999.
const FAR: Duration = Duration::from_secs(253_402_300_799);
/// The machines ask for the code or token; they get a word, for they must compare it with nothing.
const PRESENTED: &str = "presented";

/// A request for a code's tokens, as the machine sees it.
pub(crate) struct CodeView<'a> {
    pub(crate) client_id: &'a str,
    /// The code's own, whatever was presented.
    pub(crate) redirect_uri: &'a str,
}

/// A request for fresh tokens, as the machine sees it. The token itself is none of its business.
pub(crate) struct RefreshView<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) scope: Option<&'a str>,
}

/// What was granted, as the machine sees it.
pub(crate) fn grant_of(client_id: &str, scope: &str, redirect_uri: Option<&str>) -> Result<Box<Grant>, Error> {
    let unreadable = |what| Error::ServerError(Bug::new(what));
    Ok(Box::new(Grant {
        owner_id: String::new(),
        client_id: client_id.to_owned(),
        scope: scope.parse().map_err(|_| unreadable("a stored scope is none"))?,
        redirect_uri: match redirect_uri {
            Some(uri) => uri.parse().map_err(|_| unreadable("a stored redirect_uri is none"))?,
            None => NOWHERE.clone(),
        },
        // Far beyond any life of ours: expiry is judged by our clock.
        until: (SystemTime::UNIX_EPOCH + FAR).into(),
        extensions: Extensions::new(),
    }))
}

impl accesstoken::Request for CodeView<'_> {
    fn valid(&self) -> bool {
        true
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(PRESENTED.into())
    }

    fn authorization(&self) -> accesstoken::Authorization<'_> {
        accesstoken::Authorization::Username(self.client_id.into())
    }

    /// Header and body were merged before; the machine would call them two authentications.
    fn client_id(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn redirect_uri(&self) -> Option<Cow<'_, str>> {
        Some(self.redirect_uri.into())
    }

    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some("authorization_code".into())
    }

    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

impl refresh::Request for RefreshView<'_> {
    fn valid(&self) -> bool {
        true
    }

    fn refresh_token(&self) -> Option<Cow<'_, str>> {
        Some(PRESENTED.into())
    }

    fn scope(&self) -> Option<Cow<'_, str>> {
        self.scope.map(Into::into)
    }

    fn grant_type(&self) -> Option<Cow<'_, str>> {
        Some("refresh_token".into())
    }

    /// With a name, so that the machine compares the client even if it is public: without one it does not.
    fn authorization(&self) -> Option<(Cow<'_, str>, Cow<'_, [u8]>)> {
        Some((self.client_id.into(), Cow::Borrowed(&[])))
    }

    fn extension(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}

/// What the machine for codes refused, in our words.
pub(crate) fn code_refusal(mut error: accesstoken::Error) -> Error {
    refusal(error.description().map(|description| description.kind()))
}

/// What the machine for refreshing refused, in our words.
pub(crate) fn refresh_refusal(mut error: refresh::Error) -> Error {
    refusal(error.description().map(|description| description.kind()))
}

/// A machine that leaves its path: our adapters are wrong, and nothing is given out.
pub(crate) fn off_the_path() -> Error {
    Error::ServerError(Bug::new("the referee asked in an order that it does not have"))
}

fn refusal(kind: Option<AccessTokenErrorType>) -> Error {
    match kind {
        // The one thing that a machine finds by itself in a grant that we showed it: it is another client's.
        Some(AccessTokenErrorType::InvalidGrant) => Error::InvalidGrant(GrantFault::ClientMismatch),
        Some(AccessTokenErrorType::InvalidScope) => Error::InvalidScope(ScopeFault::Wider),
        Some(AccessTokenErrorType::InvalidClient) => Error::InvalidClient(ClientFault::Unknown),
        Some(AccessTokenErrorType::UnauthorizedClient) => Error::UnauthorizedClient(ClientFault::GrantTypeNotRegistered),
        Some(AccessTokenErrorType::UnsupportedGrantType) => Error::UnsupportedGrantType,
        Some(AccessTokenErrorType::InvalidRequest) | None => off_the_path(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use oauth_types::{RedirectUri, Scope};
    use proptest::prelude::*;

    use super::*;

    /// A grant that the machine cannot read would be answered with 500 at its redemption: too late for anybody.
    #[test]
    fn every_kind_of_redirect_that_we_accept_can_be_shown_to_the_machine() {
        let kinds = [
            "https://app.example/cb",
            "https://app.example",
            "https://app.example:8443/cb?x=1&y=%20",
            "http://127.0.0.1:3118/callback",
            "http://[::1]:3118/callback",
            "http://localhost/callback",
            "cursor://anysphere.cursor-retrieval/oauth/user-demo/callback",
            "com.example.app:/cb",
            "com.example.app://cb",
        ];
        for uri in kinds {
            let uri = RedirectUri::parse(uri).unwrap_or_else(|fault| panic!("{uri}: {}", fault.reason()));
            assert!(grant_of("app", "mcp:read", Some(uri.as_str())).is_ok(), "{uri}");
        }
    }

    proptest! {
        /// RFC 6749 §3.3: the two read a scope alike, or the machine's word on it would be worth nothing.
        #[test]
        fn the_machine_reads_a_scope_as_we_do(text in "[ -~]{0,80}") {
            if let Ok(scope) = Scope::parse(&text) {
                let shown = grant_of("app", scope.as_str(), None).unwrap().scope;
                prop_assert_eq!(shown.iter().collect::<BTreeSet<_>>(), scope.iter().collect::<BTreeSet<_>>());
            }
        }
    }
}
