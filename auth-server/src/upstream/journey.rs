//! What goes to a provider and back: a departure with its memory, a callback, an arrival; and what is kept to ask again.

use oauth_types::{IdpId, Timestamp, Ttl};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Facts, Identity, UpstreamError};
use crate::secret;

/// Longest `code` or `error` of a callback; Keycloak's codes have 110 characters, some providers put a signed token there.
const CALLBACK_CHARACTERS_MAX: usize = 4096;

/// What a sign-in shall be like.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asking<'a> {
    /// Where the provider sends the browser back; the same text as at [`super::UpstreamIdp::arrive`].
    pub redirect_uri: &'a str,
    /// Whom the client expects.
    pub login_hint: Option<&'a str>,
    /// How long ago the person may have signed in at most.
    pub max_age: Option<Ttl>,
    /// Must they sign in anew?
    pub prompt_login: bool,
    /// In which languages.
    pub ui_locales: Option<&'a str>,
}

/// The browser leaves.
#[derive(Debug)]
pub(crate) struct Departure {
    /// Where to.
    pub location: Url,
    /// What must be remembered.
    pub memory: Memory,
}

/// What must be remembered of a departure to believe the answer. It holds the PKCE verifier: seal it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(super) idp: IdpId,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(super) max_age: Option<i64>,
    pub(super) began_at: i64,
}

impl Memory {
    /// Fresh secrets for one departure.
    pub(super) fn fresh(idp: &IdpId, asking: &Asking<'_>, now: Timestamp) -> Self {
        Self {
            idp: idp.clone(),
            state: secret::fresh_text::<32>(""),
            nonce: secret::fresh_text::<32>(""),
            // RFC 7636 §4.1: 43 characters, 256 bits.
            verifier: secret::fresh_text::<32>(""),
            max_age: asking.max_age.map(|age| age.0),
            began_at: now.0,
        }
    }

    /// The `state` under which the answer comes back.
    pub(crate) fn state(&self) -> &str {
        &self.state
    }

    /// Which provider the browser was sent to.
    pub(crate) fn idp(&self) -> &IdpId {
        &self.idp
    }

    /// When.
    pub(crate) fn began_at(&self) -> Timestamp {
        Timestamp(self.began_at)
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("idp", &self.idp).field("began_at", &self.began_at).finish_non_exhaustive()
    }
}

/// What the browser brings back (RFC 6749 §4.1.2, RFC 9207 §2). Nothing in it is believed yet.
#[derive(Clone, Default)]
pub(crate) struct Callback {
    /// Ours, if it is.
    pub state: String,
    /// The provider's code.
    pub code: Option<String>,
    /// Who says to answer.
    pub iss: Option<String>,
    /// In place of a code.
    pub error: Option<String>,
}

impl Callback {
    /// Is every part within its limit, and is there exactly one of code and error?
    pub(super) fn is_well_formed(&self) -> bool {
        let parts = [Some(&self.state), self.code.as_ref(), self.iss.as_ref(), self.error.as_ref()];
        let fits = |text: &&String| (1..=CALLBACK_CHARACTERS_MAX).contains(&text.len());
        parts.iter().flatten().all(fits) && self.code.is_some() != self.error.is_some()
    }
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback").field("iss", &self.iss).field("error", &self.error).finish_non_exhaustive()
    }
}

/// A person came back, and the provider was believed.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// Who.
    pub identity: Identity,
    /// What to ask again with; `None`: the provider gave nothing to ask with.
    pub token: Option<UpstreamToken>,
}

/// The answer to "does this person still stand?". A token that was rotated on the way is here whatever followed: the old one may be
/// spent.
#[derive(Debug)]
pub(crate) struct Recheck {
    /// Keep this one from now on.
    pub rotated: Option<UpstreamToken>,
    /// What the provider said; an error is no answer and ends nothing.
    pub standing: Result<Standing, UpstreamError>,
}

/// What the provider said about somebody who was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They stand; this is what holds now.
    Stands(Facts),
    /// They do not, or their session does not.
    Gone(GoneWhy),
}

/// Why somebody does not stand any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GoneWhy {
    /// `invalid_grant` at a refresh: disabled, signed out, or the session is past (RFC 6749 §5.2). The provider does not say which.
    Refused,
    /// The provider speaks about another person now.
    AnotherPerson,
    /// The provider says that the person is suspended.
    Disabled,
}

impl GoneWhy {
    /// The slug for logs.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Refused => "upstream_refused",
            Self::AnotherPerson => "upstream_another_person",
            Self::Disabled => "upstream_disabled",
        }
    }
}

/// What is kept to ask again: sealed with [`crate::keys::Purpose::Upstream`], never shown, never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UpstreamToken {
    /// The refresh token; for GitHub the access token, unless it expires.
    pub(super) secret: String,
    /// What it is.
    pub(super) kind: TokenKind,
    /// The last ID token, for `id_token_hint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id_token: Option<String>,
}

/// What a kept secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TokenKind {
    Refresh,
    Access,
}

impl UpstreamToken {
    /// As JSON, to be sealed.
    pub(crate) fn to_json(&self) -> String {
        // Strings and a unit variant: there is nothing in it that JSON cannot write.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From what was sealed. `None`: of another version.
    pub(crate) fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl std::fmt::Debug for UpstreamToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamToken").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A logout token that was believed (OpenID Connect Back-Channel Logout 1.0 §2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogoutNotice {
    /// Which session ended; none: all of the person's.
    pub sid: Option<String>,
    /// Whose.
    pub subject: Option<String>,
    /// Its own name: it may come once.
    pub jti: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Until when it could come again; remember `jti` so long.
    pub expires_at: Timestamp,
}
