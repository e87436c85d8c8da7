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
