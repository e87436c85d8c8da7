//! The name of a grant, which tells when it was born.
//!
//! 48 bits of milliseconds, then 80 random bits, so that new rows land at the end of an index. Shown as 26 characters of
//! lower-case Crockford base32, which sort like the bytes and have no letters that people mistake for digits.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::RequestFault;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits in groups of five, the first of three.
const CHARS: usize = 26;

/// The name of a grant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId([u8; 16]);

impl GrantId {
    /// A name for a grant born now; the caller brings the time and the randomness.
    pub fn born(at_ms: i64, random: [u8; 10]) -> Self {
        // Before 1970 and after the year 10889 there are no grants.
        let birth = u64::try_from(at_ms).unwrap_or(0).min((1 << 48) - 1).to_be_bytes();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&birth[2..]);
        bytes[6..].copy_from_slice(&random);
        Self(bytes)
    }

    /// From its 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its 16 bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// When it was born, in milliseconds since 1970.
    pub fn born_ms(self) -> i64 {
        self.0[..6].iter().fold(0, |ms, byte| ms << 8 | i64::from(*byte))
    }

    /// # Errors
    /// [`RequestFault::IdentifierMalformed`] when it is not the text of one.
    pub fn parse(text: &str) -> Result<Self, RequestFault> {
        if text.len() != CHARS || !matches!(text.as_bytes()[0], b'0'..=b'7') {
            return Err(RequestFault::IdentifierMalformed);
        }
        let mut number = 0_u128;
        for byte in text.bytes() {
            let digit = ALPHABET.iter().position(|letter| *letter == byte).ok_or(RequestFault::IdentifierMalformed)?;
            number = number << 5 | digit as u128;
        }
        Ok(Self(number.to_be_bytes()))
    }

    fn text(self) -> [u8; CHARS] {
        let mut number = u128::from_be_bytes(self.0);
        let mut text = [b'0'; CHARS];
        for place in text.iter_mut().rev() {
            *place = ALPHABET[(number & 31) as usize];
            number >>= 5;
        }
        text
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The alphabet is ASCII.
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantId({self})")
    }
}

impl std::str::FromStr for GrantId {
    type Err = RequestFault;
    fn from_str(text: &str) -> Result<Self, RequestFault> {
        Self::parse(text)
    }
}

impl Serialize for GrantId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GrantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&std::borrow::Cow::<'de, str>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_grant_id_reads_as_it_shows(bytes: [u8; 16]) {
            let id = GrantId::from_bytes(bytes);
            prop_assert_eq!(GrantId::parse(&id.to_string()), Ok(id));
            prop_assert_eq!(id.to_string().len(), 26);
            prop_assert_eq!(serde_json::from_str::<GrantId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        }

        #[test]
        fn names_sort_by_birth(a in 0_i64..1 << 48, b in 0_i64..1 << 48, x: [u8; 10], y: [u8; 10]) {
            let (first, second) = (GrantId::born(a, x), GrantId::born(b, y));
            prop_assert_eq!(first.born_ms(), a);
            if a != b {
                prop_assert_eq!(first.to_string() < second.to_string(), a < b);
            }
        }

        #[test]
        fn garbage_never_panics(text in ".{0,40}") {
            if let Ok(id) = GrantId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn one_name_has_one_text() {
        let text = GrantId::born(1_800_000_000_000, [7; 10]).to_string();
        for other in [text.to_uppercase(), format!("8{}", &text[1..]), format!("{text}0"), text[1..].to_owned(), text.replace('0', "o")] {
            assert_eq!(GrantId::parse(&other), Err(RequestFault::IdentifierMalformed), "{other}");
        }
    }
}
