//! Secrets, each of its own type, none of which can be shown by accident: no `Display`, no `Serialize`, one `expose()`.

use std::fmt;

use crate::{TokenFault, TokenHash};

/// Longer than any token that a client of ours was ever given, and shorter than a header may be.
const PRESENTED_BYTES_MAX: usize = 8192;

macro_rules! secret {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone)]
        pub struct $name {
            text: String,
        }

        impl $name {
            /// For a text that was just made, or just arrived.
            pub fn new(text: String) -> Self {
                Self { text }
            }

            /// The secret itself: for the one answer that carries it, and for hashing.
            pub fn expose(&self) -> &str {
                &self.text
            }

            /// What is stored of it.
            pub fn hash(&self) -> TokenHash {
                TokenHash::of(self.text.as_bytes())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

secret! {
    /// The one-use receipt for a grant.
    CodeSecret
}
secret! {
    /// A signed access token.
    AccessTokenSecret
}
secret! {
    /// What keeps a grant alive.
    RefreshTokenSecret
}
secret! {
    /// A confidential client's password.
    ClientSecret
}
secret! {
    /// What a client manages its registration with (RFC 7592).
    RegistrationTokenSecret
}
secret! {
    /// What a browser's cookie holds.
    SessionSecret
}

/// A token as it came from outside: bounded, visible ASCII, and nothing more is known about it.
#[derive(Clone)]
pub struct PresentedToken {
    text: String,
}

impl PresentedToken {
    /// # Errors
    /// [`TokenFault::Malformed`] when it is empty, too long, or has characters that no token has (RFC 6749 Appendix A.12).
    pub fn parse(text: &str) -> Result<Self, TokenFault> {
        if (1..=PRESENTED_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self { text: text.to_owned() })
        } else {
            Err(TokenFault::Malformed)
        }
    }

    /// The token itself.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What would be stored of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.text.as_bytes())
    }
}

impl fmt::Debug for PresentedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = RefreshTokenSecret::new("prt_very-secret".to_owned());
        assert_eq!(format!("{secret:?}"), "RefreshTokenSecret(…)");
        assert_eq!(secret.hash(), TokenHash::of(b"prt_very-secret"));
        assert_eq!(format!("{:?}", PresentedToken::parse("abc").unwrap()), "PresentedToken(…)");
    }

    #[test]
    fn a_presented_token_is_bounded_visible_ascii() {
        for bad in ["", "a b", "a\n", "ä", "a\u{0}", &"a".repeat(8193)] {
            assert_eq!(PresentedToken::parse(bad).unwrap_err(), TokenFault::Malformed, "{bad:?}");
        }
        assert!(PresentedToken::parse(&"a".repeat(8192)).is_ok());
    }
}
