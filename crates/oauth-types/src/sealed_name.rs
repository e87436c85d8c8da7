//! What a code or a refresh token says on the wire: which grant it belongs to, and that we made it.
//!
//! A prefix, then base64url of key id, grant id, generation, random bytes and a MAC of 128 bits. The name finds the grant by its
//! primary key; the MAC refuses garbage without a look into the store; the random bytes make it a secret even to who knows the grant.
//! The MAC's key is the caller's, so this crate stays pure. Authentic is not yet good: only the grant's row knows which is current.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::GrantId;

const NAME_BYTES: usize = 1 + 16 + 4 + 16;
const TAG_BYTES: usize = 16;
const BYTES: usize = NAME_BYTES + TAG_BYTES;
/// base64url of 53 bytes, without padding.
const CHARS: usize = 71;

/// The content of a code or a refresh token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealedName {
    /// Which of our keys made the MAC.
    pub key_id: u8,
    /// The grant that it belongs to.
    pub grant: GrantId,
    /// Which rotation of the grant made it; zero for a code.
    pub generation: u32,
    /// What makes it a secret.
    pub random: [u8; 16],
}

impl SealedName {
    /// The token's text. `mac` authenticates the bytes it is given.
    pub fn encode(&self, prefix: &str, mac: impl FnOnce(&[u8]) -> [u8; TAG_BYTES]) -> String {
        let mut bytes = [0; BYTES];
        bytes[0] = self.key_id;
        bytes[1..17].copy_from_slice(&self.grant.to_bytes());
        bytes[17..21].copy_from_slice(&self.generation.to_be_bytes());
        bytes[21..NAME_BYTES].copy_from_slice(&self.random);
        let tag = mac(&bytes[..NAME_BYTES]);
        bytes[NAME_BYTES..].copy_from_slice(&tag);
        let mut text = String::with_capacity(prefix.len() + CHARS);
        text.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        text
    }

    /// The name behind a token's text, when `verify` (key id, bytes, tag) says that we made it.
    pub fn decode(text: &str, prefix: &str, verify: impl FnOnce(u8, &[u8], &[u8; TAG_BYTES]) -> bool) -> Option<Self> {
        let encoded = text.strip_prefix(prefix).filter(|encoded| encoded.len() == CHARS)?;
        let mut bytes = [0; BYTES];
        if URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes) != Ok(BYTES) {
            return None;
        }
        let (name, tag) = bytes.split_at(NAME_BYTES);
        let tag = <&[u8; TAG_BYTES]>::try_from(tag).ok()?;
        if !verify(name[0], name, tag) {
            return None;
        }
        Some(Self {
            key_id: name[0],
            grant: GrantId::from_bytes(name[1..17].try_into().ok()?),
            generation: u32::from_be_bytes(name[17..21].try_into().ok()?),
            random: name[21..].try_into().ok()?,
        })
    }
}

impl std::fmt::Debug for SealedName {
    /// The grant and the generation; the random bytes are the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedName({}, generation {})", self.grant, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::{constant_time, hmac};
    use proptest::prelude::*;

    fn mac(bytes: &[u8]) -> [u8; 16] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"a key of this test only");
        hmac::sign(&key, bytes).as_ref()[..16].try_into().unwrap()
    }

    fn decode(text: &str) -> Option<SealedName> {
        SealedName::decode(text, "prt_", |_, bytes, tag| constant_time::verify_slices_are_equal(&mac(bytes), tag).is_ok())
    }

    proptest! {
        #[test]
        fn a_name_reads_as_it_was_written(key_id: u8, grant: [u8; 16], generation: u32, random: [u8; 16]) {
            let name = SealedName { key_id, grant: GrantId::from_bytes(grant), generation, random };
            let text = name.encode("prt_", mac);
            prop_assert_eq!(text.len(), 75);
            prop_assert_eq!(decode(&text), Some(name));
        }

        #[test]
        fn one_changed_character_is_garbage(random: [u8; 16], place in 0_usize..75, letter in "[A-Za-z0-9_-]") {
            let name = SealedName { key_id: 1, grant: GrantId::from_bytes([5; 16]), generation: 3, random };
            let text = name.encode("prt_", mac);
            let mut changed = text.clone();
            changed.replace_range(place..place + 1, &letter);
            prop_assert_eq!(decode(&changed).is_some(), changed == text);
        }

        #[test]
        fn garbage_never_panics(text in "(prt_)?.{0,90}") {
            prop_assert_eq!(decode(&text), None);
        }
    }

    #[test]
    fn a_name_with_another_prefix_is_garbage() {
        let name = SealedName { key_id: 1, grant: GrantId::from_bytes([5; 16]), generation: 3, random: [9; 16] };
        assert_eq!(decode(&name.encode("pco_", mac)), None);
        assert!(!format!("{name:?}").contains('9'), "the random bytes are not shown");
    }
}
