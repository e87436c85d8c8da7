//! Fresh random values, and comparison that tells nothing by its duration.
//!
//! Nothing else in the crate makes randomness (`clippy.toml` holds that).

use aws_lc_rs::{constant_time, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Bytes that nobody can guess.
#[expect(clippy::disallowed_methods, reason = "the one place that makes randomness")]
pub(crate) fn fresh_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // aws-lc-rs fails here only if the operating system refuses randomness; going on would mean guessable tokens.
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A secret in text: `prefix` and N random bytes in base64url.
pub(crate) fn fresh_text<const N: usize>(prefix: &str) -> String {
    let mut text = String::with_capacity(prefix.len() + N.div_ceil(3) * 4);
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(fresh_bytes::<N>(), &mut text);
    text
}

/// Equal? The time taken depends on the lengths only.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_secrets_differ_and_carry_their_prefix() {
        let (a, b) = (fresh_text::<32>("pcs_"), fresh_text::<32>("pcs_"));
        assert_ne!(a, b);
        assert!(a.starts_with("pcs_"));
        assert_eq!(a.len(), 4 + 43);
    }

    #[test]
    fn sameness_needs_equal_length_and_content() {
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd"));
        assert!(!same(b"abc", b"abcd"));
    }
}
