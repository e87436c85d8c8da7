//! Proof Key for Code Exchange (RFC 7636), S256 only: there is no `plain` variant to forget.

use aws_lc_rs::{constant_time, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    GrantFault, RequestFault,
    text::{Parsed, textual},
};

/// 32 bytes in base64url.
const CHALLENGE_CHARACTERS: usize = 43;

/// `code_challenge`: the SHA-256 of the verifier, in base64url.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CodeChallenge(Box<str>);

impl CodeChallenge {
    /// Reads one (RFC 7636 §4.2).
    ///
    /// # Errors
    /// Not the base64url of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, RequestFault> {
        let is_digest = text.len() == CHALLENGE_CHARACTERS && URL_SAFE_NO_PAD.decode(text).is_ok();
        if is_digest { Ok(Self(text.into())) } else { Err(RequestFault::ChallengeMalformed) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Was it made from this verifier (§4.6)? In constant time.
    pub fn matches(&self, verifier: &CodeVerifier) -> bool {
        let hash = digest::digest(&digest::SHA256, verifier.0.as_bytes());
        let mut text = [0; CHALLENGE_CHARACTERS];
        let written = URL_SAFE_NO_PAD.encode_slice(hash.as_ref(), &mut text);
        written.is_ok() && constant_time::verify_slices_are_equal(&text, self.0.as_bytes()).is_ok()
    }
}

impl Parsed for CodeChallenge {
    type Fault = RequestFault;
}
textual!(CodeChallenge);

/// `code_verifier`: 43 to 128 unreserved characters (§4.1). A secret until it is presented.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeVerifier(Box<str>);

impl CodeVerifier {
    /// Reads one.
    ///
    /// # Errors
    /// [`GrantFault::VerifierMalformed`].
    pub fn parse(text: &str) -> Result<Self, GrantFault> {
        let is_unreserved = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        if (43..=128).contains(&text.len()) && is_unreserved { Ok(Self(text.into())) } else { Err(GrantFault::VerifierMalformed) }
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
            let hash = digest::digest(&digest::SHA256, a.as_bytes());
            let challenge = CodeChallenge::parse(&URL_SAFE_NO_PAD.encode(hash)).unwrap();
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
