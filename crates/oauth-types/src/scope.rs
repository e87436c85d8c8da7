//! `scope`: an ordered set of tokens (RFC 6749 §3.3).

use crate::{
    ScopeFault,
    text::{Parsed, textual},
};

/// Most tokens: no client asks for half as many.
const TOKENS_MAX: usize = 64;
/// Most characters.
const CHARACTERS_MAX: usize = 1024;

/// A set of scope tokens, kept as its canonical text: sorted, each once, one space between. Empty is possible.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Scope(Box<str>);

impl Scope {
    /// Reads one. Repeated spaces and tokens are forgiven, for clients send them.
    ///
    /// # Errors
    /// A character outside the alphabet, or more than the limits.
    pub fn parse(text: &str) -> Result<Self, ScopeFault> {
        if text.len() > CHARACTERS_MAX {
            return Err(ScopeFault::TooLong);
        }
        let tokens: Vec<&str> = text.split(' ').filter(|token| !token.is_empty()).collect();
        if tokens.len() > TOKENS_MAX {
            return Err(ScopeFault::TooLong);
        }
        // scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
        let allowed = |b: u8| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        if !tokens.iter().all(|token| token.bytes().all(allowed)) {
            return Err(ScopeFault::Malformed);
        }
        Ok(Self::of(tokens))
    }

    fn of(mut tokens: Vec<&str>) -> Self {
        tokens.sort_unstable();
        tokens.dedup();
        Self(tokens.join(" ").into())
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its tokens, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|token| !token.is_empty())
    }

    /// Nothing in it?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Is this token in it?
    pub fn contains(&self, token: &str) -> bool {
        self.iter().any(|own| own == token)
    }

    /// Is all of the other in it?
    pub fn covers(&self, needed: &Self) -> bool {
        needed.0 == self.0 || needed.iter().all(|token| self.contains(token))
    }

    /// What both have.
    pub fn intersect(&self, other: &Self) -> Self {
        Self::of(self.iter().filter(|token| other.contains(token)).collect())
    }

    /// What either has.
    pub fn union(&self, other: &Self) -> Self {
        Self::of(self.iter().chain(other.iter()).collect())
    }

    /// All but this token.
    pub fn without(&self, token: &str) -> Self {
        Self::of(self.iter().filter(|own| *own != token).collect())
    }

    /// What this has and the other lacks.
    pub fn difference(&self, other: &Self) -> Self {
        Self::of(self.iter().filter(|token| !other.contains(token)).collect())
    }
}

impl Parsed for Scope {
    type Fault = ScopeFault;
}
textual!(Scope);
