//! Who is signed in, and what the rules may ask about them.
//!
//! A browser session of ours stands on a sign-in elsewhere, or on an account kept here. Before it speaks for anybody the sign-in is
//! asked whether it still stands (decision 9): whoever was shut out there approves nothing here, silently or by hand.

use oauth_types::{Error, IdpId};

use crate::{
    App,
    browser::Signed,
    policy::PersonFacts,
    upstream::{Facts, Identity},
    upstream_session::{Stand, Vouched},
};

/// Somebody signed in here whose sign-in stands.
#[derive(Clone)]
pub(super) struct Present {
    pub(super) signed: Signed,
    pub(super) known: Known,
}

/// What we know of a person beside their name.
#[derive(Clone)]
pub(super) enum Known {
    /// They have an account here.
    Local { username: String },
    /// They signed in elsewhere.
    Upstream { idp: IdpId, subject: String, facts: Facts },
}

impl Known {
    /// As a provider said it a moment ago.
    pub(super) fn of(identity: &Identity) -> Self {
        Self::Upstream { idp: identity.idp.clone(), subject: identity.subject.clone(), facts: identity.facts.clone() }
    }

    /// As the rules ask for it.
    pub(super) fn facts(&self) -> PersonFacts<'_> {
        match self {
            Self::Local { username } => PersonFacts::Local { username },
            Self::Upstream { idp, subject, facts } => PersonFacts::Upstream { idp, subject, facts },
        }
    }

    /// Where they signed in.
    pub(super) fn idp(&self) -> Option<&IdpId> {
        match self {
            Self::Local { .. } => None,
            Self::Upstream { idp, .. } => Some(idp),
        }
    }
}

/// Whoever this session speaks for; nobody, when what it stands on has ended or is not offered any more.
///
/// # Errors
/// The store or the provider gives no answer. That says nothing about the person, so nobody is signed out by it.
pub(super) async fn behind(app: &App, signed: &Signed) -> Result<Option<Known>, Error> {
    let Some(id) = &signed.row.upstream_session else { return at_home(app, signed).await };
    Ok(match app.upstream_sessions.ask(id).await? {
        Stand::Stands(Vouched { idp, subject, facts }) => Some(Known::Upstream { idp, subject, facts }),
        Stand::Ended => None,
    })
}

/// Accounts kept here stand as long as the person does, which the session's own row knows.
async fn at_home(app: &App, signed: &Signed) -> Result<Option<Known>, Error> {
    if !app.config.accounts.offered {
        return Ok(None);
    }
    // Only rules ask for the name.
    let username =
        if app.policy.has_rules() { app.store.username_of(&signed.row.subject).await?.unwrap_or_default() } else { String::new() };
    Ok(Some(Known::Local { username }))
}
