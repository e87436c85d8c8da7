//! What a token allows: a set of scope tokens, shown in one canonical way.
//!
//! RFC 6749 §3.3. A set has no order of its own, so ours is sorted: two scopes are equal when their texts are, and a stored text can
//! be compared by a database. Empty is a scope too: what "nothing in particular" means is the resource's to say.

use std::cmp::Ordering;

use crate::{ScopeFault, text::text_value};

/// No client asks for more tokens than a resource has, and no resource has more.
const TOKENS_MAX: usize = 64;
/// Fits into a header, a cookie-sized token and a consent page.
const BYTES_MAX: usize = 1024;

/// A set of scope tokens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Scope {
    /// Sorted tokens with one space between.
    text: String,
}

impl Scope {
    /// Reads a `scope` parameter. Repeated tokens and spaces are one; order does not matter; empty is empty.
    ///
    /// # Errors
    /// Characters outside RFC 6749 §3.3, or more than the limits.
    pub fn parse(text: &str) -> Result<Self, ScopeFault> {
        if text.len() > BYTES_MAX {
            return Err(ScopeFault::TooLong);
        }
        Self::from_tokens(text.split(' ').filter(|token| !token.is_empty()))
    }

    /// The set of these tokens.
    ///
    /// # Errors
    /// As for [`Scope::parse`]; an empty token is malformed.
    pub fn from_tokens<I, T>(tokens: I) -> Result<Self, ScopeFault>
    where
        I: IntoIterator<Item = T>,
        T: AsRef<str>,
    {
        let tokens: Vec<T> = tokens.into_iter().take(TOKENS_MAX + 1).collect();
        if tokens.len() > TOKENS_MAX {
            return Err(ScopeFault::TooLong);
        }
        let mut sorted: Vec<&str> = tokens.iter().map(AsRef::as_ref).collect();
        if !sorted.iter().all(|token| is_token(token)) {
            return Err(ScopeFault::Malformed);
        }
        sorted.sort_unstable();
        sorted.dedup();
        let scope = Self { text: sorted.join(" ") };
        if scope.text.len() > BYTES_MAX { Err(ScopeFault::TooLong) } else { Ok(scope) }
    }

    /// Nothing in particular.
    pub const fn empty() -> Self {
        Self { text: String::new() }
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its tokens, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split(' ').filter(|token| !token.is_empty())
    }

    /// How many tokens.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Is there nothing in it?
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Is this token in it?
    pub fn contains(&self, token: &str) -> bool {
        self.iter().any(|own| own == token)
    }

    /// Is everything that is needed in it? Both are sorted, so one walk answers; nothing is allocated.
    pub fn covers(&self, needed: &Scope) -> bool {
        let mut own = self.iter();
        needed.iter().all(|token| {
            own.by_ref().map(|own| own.cmp(token)).find(|order| *order != Ordering::Less).is_some_and(|order| order == Ordering::Equal)
        })
    }

    /// What is in both.
    #[must_use]
    pub fn intersect(&self, other: &Scope) -> Scope {
        self.keep(|token| other.contains(token))
    }

    /// What is in either. The limits are for what comes from outside; a union of two parsed scopes may pass them.
    #[must_use]
    pub fn union(&self, other: &Scope) -> Scope {
        let mut tokens: Vec<&str> = self.iter().chain(other.iter()).collect();
        tokens.sort_unstable();
        tokens.dedup();
        Scope { text: tokens.join(" ") }
    }

    /// All but this token.
    #[must_use]
    pub fn without(&self, token: &str) -> Scope {
        self.keep(|own| own != token)
    }

    /// Its tokens as documents list them.
    pub fn to_list(&self) -> Vec<String> {
        self.iter().map(str::to_owned).collect()
    }

    fn keep(&self, wanted: impl Fn(&str) -> bool) -> Scope {
        Scope { text: self.iter().filter(|token| wanted(token)).collect::<Vec<_>>().join(" ") }
    }
}

text_value!(Scope, ScopeFault);

/// RFC 6749 §3.3: `1*( %x21 / %x23-5B / %x5D-7E )`.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'"' && b != b'\\')
}

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
            let scope = Scope::from_tokens(&tokens).unwrap();
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
            prop_assert!(both.iter().count() + a.union(&b).len() == a.len() + b.len());
            prop_assert!(!a.without("c").contains("c"));
        }
    }

    #[test]
    fn order_repetition_and_spaces_do_not_matter() {
        assert_eq!(scope("b a  b "), scope("a b"));
        assert_eq!(scope("mcp:write mcp:read").as_str(), "mcp:read mcp:write");
        assert!(scope("").is_empty() && scope("   ").is_empty());
        assert!(scope("a").covers(&Scope::empty()) && !Scope::empty().covers(&scope("a")));
    }

    /// RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ).
    #[test]
    fn quotes_backslashes_and_controls_are_no_scope() {
        for bad in ["a\"b", "a\\b", "a\tb", "a\nb", "ä", "\u{7f}"] {
            assert_eq!(Scope::parse(bad), Err(ScopeFault::Malformed), "{bad:?}");
        }
        assert!(Scope::parse("!#[]~").is_ok());
        assert_eq!(Scope::from_tokens(["a b"]), Err(ScopeFault::Malformed));
    }

    #[test]
    fn a_scope_is_bounded_in_tokens_and_bytes() {
        let many = |n: usize| (0..n).map(|i| format!("s{i}")).collect::<Vec<_>>();
        assert!(Scope::from_tokens(many(64)).is_ok());
        assert_eq!(Scope::from_tokens(many(65)), Err(ScopeFault::TooLong));
        assert!(Scope::parse(&"a".repeat(1024)).is_ok());
        assert_eq!(Scope::parse(&"a".repeat(1025)), Err(ScopeFault::TooLong));
    }

    #[test]
    fn a_prefix_of_a_scope_is_another_scope() {
        assert!(!scope("mcp:read").covers(&scope("mcp")));
        assert!(!scope("mcp").covers(&scope("mcp:read")));
    }
}
