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

    /// From our own hand: a row of the store, which holds only canonical text. Never for what came from outside.
    pub fn from_trusted(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    proptest! {
        #[test]
        fn a_scope_reads_as_it_shows(tokens in proptest::collection::vec("[a-z:]{1,8}", 0..20)) {
            let scope = Scope::parse(&tokens.join(" ")).unwrap();
            prop_assert_eq!(&Scope::parse(scope.as_str()).unwrap(), &scope);
            prop_assert!(tokens.iter().all(|token| scope.contains(token)));
        }

        #[test]
        fn garbage_never_panics(text in ".{0,200}") {
            if let Ok(scope) = Scope::parse(&text) {
                prop_assert_eq!(Scope::parse(scope.as_str()).unwrap(), scope);
            }
        }

        #[test]
        fn the_set_operations_are_those_of_sets(a in "([a-f] ){0,8}", b in "([a-f] ){0,8}") {
            let (a, b) = (scope(&a), scope(&b));
            prop_assert_eq!(a.covers(&b), b.iter().all(|token| a.contains(token)));
            prop_assert!(a.union(&b).covers(&a) && a.union(&b).covers(&b));
            let both = a.intersect(&b);
            prop_assert!(a.covers(&both) && b.covers(&both));
            prop_assert_eq!(both.iter().count() + a.union(&b).iter().count(), a.iter().count() + b.iter().count());
            prop_assert_eq!(a.difference(&b).union(&both), a);
            prop_assert!(!b.without("c").contains("c"));
        }
    }

    #[test]
    fn order_repetition_and_spaces_do_not_matter() {
        assert_eq!(scope("b a  b "), scope("a b"));
        assert_eq!(scope("mcp:write mcp:read").as_str(), "mcp:read mcp:write");
        assert!(scope("").is_empty() && scope("   ").is_empty());
        assert!(scope("a").covers(&Scope::default()) && !Scope::default().covers(&scope("a")));
    }

    /// RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ).
    #[test]
    fn quotes_backslashes_and_controls_are_no_scope() {
        for bad in ["a\"b", "a\\b", "a\tb", "a\nb", "ä", "\u{7f}"] {
            assert_eq!(Scope::parse(bad), Err(ScopeFault::Malformed), "{bad:?}");
        }
        assert!(Scope::parse("!#[]~").is_ok());
    }

    #[test]
    fn a_scope_is_bounded_in_tokens_and_bytes() {
        let many = |n: usize| (0..n).map(|i| format!("s{i}")).collect::<Vec<_>>().join(" ");
        assert!(Scope::parse(&many(64)).is_ok());
        assert_eq!(Scope::parse(&many(65)), Err(ScopeFault::TooLong));
        assert!(Scope::parse(&"a".repeat(1024)).is_ok());
        assert_eq!(Scope::parse(&"a".repeat(1025)), Err(ScopeFault::TooLong));
    }

    #[test]
    fn a_prefix_of_a_scope_is_another_scope() {
        assert!(!scope("mcp:read").covers(&scope("mcp")));
        assert!(!scope("mcp").covers(&scope("mcp:read")));
    }
}
