//! Opaque names: of people, sessions, flows; and of grants, which begin with their birth.

use crate::{
    RequestFault,
    text::{Parsed, textual},
};

/// Longest opaque name.
const CHARACTERS_MAX: usize = 64;

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Reads one: 1 to 64 letters, digits, `-` or `_`.
            ///
            /// # Errors
            /// Anything else cannot be a name that we gave.
            pub fn parse(text: &str) -> Result<Self, RequestFault> {
                let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
                if (1..=CHARACTERS_MAX).contains(&text.len()) && is_plain { Ok(Self(text.into())) } else { Err(RequestFault::MalformedParameter(stringify!($name))) }
            }

            /// From our own hand: the store, or a fresh value.
            pub fn from_trusted(text: impl Into<Box<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Parsed for $name {
            type Fault = RequestFault;
        }
        textual!($name);
    )* };
}

opaque! {
    /// Our stable name for a person.
    Subject;
    /// A person signed in with us in one browser.
    BrowserSessionId;
    /// One person's sign-in at one identity provider.
    UpstreamSessionId;
    /// One browser journey.
    FlowId;
}

/// Longest name of an identity provider: it stands in a path and in every row of its people.
const IDP_CHARACTERS_MAX: usize = 32;

/// The operator's name for one identity provider: 1 to 32 of `a` to `z`, digits and `-`. It stands in the callback's path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdpId(Box<str>);

impl IdpId {
    /// The name that no provider may have: accounts kept here.
    pub const LOCAL: &str = "local";

    /// Reads one.
    ///
    /// # Errors
    /// Anything else cannot be a name of the configuration.
    pub fn parse(text: &str) -> Result<Self, RequestFault> {
        let is_plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if (1..=IDP_CHARACTERS_MAX).contains(&text.len()) && is_plain {
            Ok(Self(text.into()))
        } else {
            Err(RequestFault::MalformedParameter("idp"))
        }
    }

    /// Accounts kept here.
    pub fn local() -> Self {
        Self(Self::LOCAL.into())
    }

    /// No provider at all, but the accounts kept here?
    pub fn is_local(&self) -> bool {
        *self.0 == *Self::LOCAL
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Parsed for IdpId {
    type Fault = RequestFault;
}
textual!(IdpId);

/// Crockford's alphabet: no letter that looks like a digit. It keeps the order of the bytes.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// What a subject allowed a client: 48 bits of birth in milliseconds, 80 random bits. Its text sorts by birth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId([u8; 16]);

impl GrantId {
    /// The length of its text: 128 bits in fives.
    pub const CHARACTERS: usize = 26;

    /// Born then, with this randomness.
    pub fn born(now_ms: i64, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&now_ms.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        Self(bytes)
    }

    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// When it was born, in milliseconds since the epoch.
    pub fn born_ms(self) -> i64 {
        self.0[..6].iter().fold(0, |value, byte| value << 8 | i64::from(*byte))
    }

    /// Reads its text.
    ///
    /// # Errors
    /// [`RequestFault::MalformedParameter`].
    pub fn parse(text: &str) -> Result<Self, RequestFault> {
        let wrong = RequestFault::MalformedParameter("grant_id");
        if text.len() != GrantId::CHARACTERS {
            return Err(wrong);
        }
        let mut value: u128 = 0;
        for (place, byte) in text.bytes().enumerate() {
            let digit = ALPHABET.iter().position(|letter| *letter == byte).ok_or(wrong)?;
            // 26 × 5 = 130 bits: the first character has three.
            if place == 0 && digit > 7 {
                return Err(wrong);
            }
            value = value << 5 | digit as u128;
        }
        Ok(Self(value.to_be_bytes()))
    }

    /// Its text, on the stack.
    pub fn text(self) -> GrantText {
        let mut value = u128::from_be_bytes(self.0);
        let mut text = [0; GrantId::CHARACTERS];
        for place in text.iter_mut().rev() {
            *place = ALPHABET[(value & 31) as usize];
            value >>= 5;
        }
        GrantText(text)
    }
}

/// The text of a [`GrantId`], without an allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct GrantText([u8; GrantId::CHARACTERS]);

impl std::ops::Deref for GrantText {
    type Target = str;
    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }
}

impl std::fmt::Display for GrantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text())
    }
}

impl std::fmt::Debug for GrantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GrantId({self})")
    }
}

impl std::str::FromStr for GrantId {
    type Err = RequestFault;
    fn from_str(text: &str) -> Result<Self, RequestFault> {
        Self::parse(text)
    }
}

impl serde::Serialize for GrantId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> serde::Deserialize<'de> for GrantId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_reads_as_it_shows(text in "[A-Za-z0-9_-]{1,64}") {
            let id = Subject::parse(&text).unwrap();
            prop_assert_eq!(id.to_string(), text);
        }

        #[test]
        fn what_we_never_make_is_refused(text in ".{0,70}") {
            let made = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            prop_assert_eq!(FlowId::parse(&text).is_ok(), made);
        }
    }

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
        fn garbage_is_no_grant_id(text in ".{0,40}") {
            if let Ok(id) = GrantId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn the_name_of_a_provider_fits_into_a_path() {
        assert_eq!(IdpId::parse("keycloak-2").unwrap().as_str(), "keycloak-2");
        for text in ["", "Keycloak", "a/b", "a_b", "a.b", "a b", "ä", &"a".repeat(33)] {
            assert!(IdpId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn one_name_has_one_text() {
        let text = GrantId::born(1_800_000_000_000, [7; 10]).to_string();
        for other in [text.to_uppercase(), format!("8{}", &text[1..]), format!("{text}0"), text[1..].to_owned(), text.replace('0', "o")] {
            assert_eq!(GrantId::parse(&other), Err(RequestFault::MalformedParameter("grant_id")), "{other}");
        }
    }
}
