//! What the judge finds: a sentence, what is and what should be, why it matters, and what to do about it.

use serde_json::Value;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    /// The name of the check; scripts may rely on it.
    pub(super) check: &'static str,
    /// What was found, for a person.
    pub(super) title: String,
    pub(super) state: State,
}

/// How good it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    Good,
    /// Worth knowing; nobody need act.
    Notice {
        why: &'static str,
    },
    Wrong(Wrong),
}

/// What is wrong, and its way out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wrong {
    /// What stands there now, a line each.
    pub(super) is: Vec<String>,
    /// What should stand there.
    pub(super) should: Vec<String>,
    pub(super) why: &'static str,
    pub(super) cure: Cure,
}

/// Who can put it right.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cure {
    /// `--fix`, by this.
    Repair(Repair),
    /// A person, by this.
    ByHand(&'static str),
}

/// One change of the realm.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Repair {
    /// Make the client of Portico, whole.
    CreateClient,
    /// Change these settings of the client and leave the rest.
    Client(Value),
    /// Write the client's secret, which stands in no diff.
    ClientSecret,
    /// Give the client one more mapper.
    AddMapper(Value),
    /// Change these settings of one of the client's own mappers.
    Mapper { id: String, config: Vec<(&'static str, String)> },
    /// Let the client have this client scope.
    Scope { id: String, kind: ScopeKind },
    /// Change these settings of the realm itself; the account may not be allowed to.
    Realm(Value),
}

/// How a client has a client scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopeKind {
    /// Always.
    Default,
    /// When it is asked for.
    Optional,
}

impl Finding {
    pub(super) fn good(check: &'static str, title: impl Into<String>) -> Self {
        Self { check, title: title.into(), state: State::Good }
    }

    pub(super) fn notice(check: &'static str, title: impl Into<String>, why: &'static str) -> Self {
        Self { check, title: title.into(), state: State::Notice { why } }
    }

    pub(super) fn wrong(check: &'static str, title: impl Into<String>, wrong: Wrong) -> Self {
        Self { check, title: title.into(), state: State::Wrong(wrong) }
    }

    pub(super) fn is_wrong(&self) -> bool {
        matches!(self.state, State::Wrong(_))
    }

    /// What `--fix` would do about it.
    pub(super) fn repair(&self) -> Option<&Repair> {
        match &self.state {
            State::Wrong(Wrong { cure: Cure::Repair(repair), .. }) => Some(repair),
            _ => None,
        }
    }
}
