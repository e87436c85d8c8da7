//! Proof that who redeems the code is who asked for it.
//!
//! RFC 7636; OAuth 2.1 §4.1.1. Only S256 exists here: there is no `plain` to forget.

use aws_lc_rs::{constant_time, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{GrantFault, RequestFault, text::text_value};

/// base64url of 32 bytes.
const CHALLENGE_CHARS: usize = 43;

/// What the client shows when it asks: the SHA-256 of its verifier.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeChallenge {
    text: String,
}

impl CodeChallenge {
    /// # Errors
    /// [`RequestFault::ChallengeMalformed`] when it is not base64url of 32 bytes (RFC 7636 §4.2).
    pub fn parse(text: &str) -> Result<Self, RequestFault> {
        let decoded = URL_SAFE_NO_PAD.decode(text).map_err(|_| RequestFault::ChallengeMalformed)?;
        if text.len() == CHALLENGE_CHARS && decoded.len() == digest::SHA256_OUTPUT_LEN {
            Ok(Self { text: text.to_owned() })
        } else {
            Err(RequestFault::ChallengeMalformed)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Is this the verifier that the challenge was made of (RFC 7636 §4.6)? In constant time.
    pub fn matches(&self, verifier: &CodeVerifier) -> bool {
        constant_time::verify_slices_are_equal(self.text.as_bytes(), verifier.challenge().text.as_bytes()).is_ok()
    }
}

text_value!(CodeChallenge, RequestFault);

/// What the client shows when it redeems.
#[derive(Clone)]
pub struct CodeVerifier {
    text: String,
}

impl CodeVerifier {
    /// # Errors
    /// [`GrantFault::VerifierMalformed`] when it is not 43 to 128 unreserved characters (RFC 7636 §4.1).
    pub fn parse(text: &str) -> Result<Self, GrantFault> {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
            Ok(Self { text: text.to_owned() })
        } else {
            Err(GrantFault::VerifierMalformed)
        }
    }

    /// The text, which is a secret until it is redeemed.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Its S256 challenge.
    pub fn challenge(&self) -> CodeChallenge {
        let hash = digest::digest(&digest::SHA256, self.text.as_bytes());
        CodeChallenge { text: URL_SAFE_NO_PAD.encode(hash) }
    }
}

impl std::fmt::Debug for CodeVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeVerifier(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_verifier_matches_its_own_challenge_only(a in "[A-Za-z0-9._~-]{43,128}", b in "[A-Za-z0-9._~-]{43,128}") {
            let (first, second) = (CodeVerifier::parse(&a).unwrap(), CodeVerifier::parse(&b).unwrap());
            let challenge = CodeChallenge::parse(first.challenge().as_str()).unwrap();
            prop_assert!(challenge.matches(&first));
            prop_assert_eq!(challenge.matches(&second), a == b);
        }

        #[test]
        fn garbage_never_panics(text in ".{0,150}") {
            let _ = (CodeChallenge::parse(&text), CodeVerifier::parse(&text));
        }
    }

    /// RFC 7636 Appendix B.
    #[test]
    fn the_example_of_the_rfc_holds() {
        let verifier = CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        assert!(CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap().matches(&verifier));
        assert!(!CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cA").unwrap().matches(&verifier));
    }

    /// RFC 7636 §4.1 and §4.2.
    #[test]
    fn lengths_and_alphabets_are_those_of_the_rfc() {
        for bad in ["", &"a".repeat(42), &"a".repeat(44), &"=".repeat(43), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"] {
            assert_eq!(CodeChallenge::parse(bad), Err(RequestFault::ChallengeMalformed), "{bad}");
        }
        for bad in [&"a".repeat(42), &"a".repeat(129), &"+".repeat(43), &"ä".repeat(43)] {
            assert_eq!(CodeVerifier::parse(bad).unwrap_err(), GrantFault::VerifierMalformed, "{bad}");
        }
        assert!(CodeVerifier::parse(&"a".repeat(43)).is_ok() && CodeVerifier::parse(&"a".repeat(128)).is_ok());
    }

    #[test]
    fn a_verifier_is_not_printed() {
        let verifier = CodeVerifier::parse(&"a".repeat(43)).unwrap();
        assert_eq!(format!("{verifier:?}"), "CodeVerifier(…)");
    }
}
