//! The SHA-256 of a secret: the only form of it that is ever stored.

use std::fmt;

use aws_lc_rs::{constant_time, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::RequestFault;

/// The SHA-256 of a secret.
#[derive(Clone, Copy, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of no secret, to compare with where there is nothing to compare with, so that both take as long.
    pub const NONE: Self = Self([0; 32]);

    /// The hash of these bytes.
    pub fn of(secret: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, secret).as_ref());
        Self(bytes)
    }

    /// From its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As it is stored: 43 characters of base64url.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// # Errors
    /// [`RequestFault::IdentifierMalformed`] when it is not the text of one.
    pub fn from_text(text: &str) -> Result<Self, RequestFault> {
        let mut bytes = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(32) => Ok(Self(bytes)),
            _ => Err(RequestFault::IdentifierMalformed),
        }
    }

    /// The same as [`TokenHash::from_text`].
    ///
    /// # Errors
    /// The same.
    pub fn parse(text: &str) -> Result<Self, RequestFault> {
        Self::from_text(text)
    }
}

// In constant time: a hash is looked up by an index, but it is also compared, and a comparison must not tell how far it came.
impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl std::hash::Hash for TokenHash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialOrd for TokenHash {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TokenHash {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl fmt::Debug for TokenHash {
    /// Eight hexadecimal digits: enough to find it again in a log, useless for anything else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "TokenHash({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl std::str::FromStr for TokenHash {
    type Err = RequestFault;
    fn from_str(text: &str) -> Result<Self, RequestFault> {
        Self::from_text(text)
    }
}

impl Serialize for TokenHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_text(&std::borrow::Cow::<'de, str>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_hash_reads_as_it_is_stored(bytes: [u8; 32]) {
            let hash = TokenHash::from_bytes(bytes);
            prop_assert_eq!(hash.to_text().len(), 43);
            prop_assert_eq!(TokenHash::from_text(&hash.to_text()), Ok(hash));
        }

        #[test]
        fn garbage_never_panics(text in ".{0,60}") {
            if let Ok(hash) = TokenHash::from_text(&text) {
                prop_assert_eq!(hash.to_text(), text);
            }
        }
    }

    /// FIPS 180-4, the message "abc".
    #[test]
    fn the_hash_is_sha_256_and_a_log_shows_eight_digits_of_it() {
        let hash = TokenHash::of(b"abc");
        assert_eq!(hash.to_text(), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        assert_eq!(format!("{hash:?}"), "TokenHash(ba7816bf…)");
        assert_ne!(hash, TokenHash::of(b"abd"));
    }
}
