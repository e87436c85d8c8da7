//! Secrets, their hashes, and the names that our own tokens carry.
//!
//! A secret has a type that does not print, is not serialised, and has one way out: `expose`. What is stored is its hash.

use aws_lc_rs::{constant_time, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{GrantId, TokenFault};

macro_rules! secrets {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Box<str>);

        impl $name {
            /// Takes it over.
            pub fn new(text: impl Into<Box<str>>) -> Self { Self(text.into()) }
            /// The text: for the wire, once.
            pub fn expose(&self) -> &str { &self.0 }
            /// What may be stored of it.
            pub fn hash(&self) -> TokenHash { TokenHash::of(self.0.as_bytes()) }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(concat!(stringify!($name), "(…)")) }
        }
    )* };
}

secrets! {
    /// An authorization code.
    CodeSecret;
    /// An access token.
    AccessTokenSecret;
    /// A refresh token.
    RefreshTokenSecret;
    /// A client's secret.
    ClientSecret;
    /// The token that manages a registration (RFC 7592).
    RegistrationTokenSecret;
    /// What the cookie of a browser session holds.
    SessionSecret;
}

/// SHA-256 of a secret: the only form of it that is stored.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes.
    pub fn of(secret: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, secret).as_ref());
        Self(bytes)
    }

    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its text: 43 characters of base64url.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads its text.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        // The decoder wants room for the padding that it then finds absent.
        let mut room = [0; 33];
        let written = URL_SAFE_NO_PAD.decode_slice(text, &mut room).ok()?;
        (written == 32).then(|| bytes.copy_from_slice(&room[..32]))?;
        Some(Self(bytes))
    }
}

// In constant time: a hash is looked up by an index, and where it is compared the time must not tell how far it was right.
impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for TokenHash {}

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

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "TokenHash({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

/// Longest token that anybody presents to us: a JWT of ours has about 700 characters.
const PRESENTED_MAX: usize = 8192;

/// A token from outside, about which nothing is known yet.
#[derive(Clone)]
pub struct PresentedToken(Box<str>);

impl PresentedToken {
    /// Takes visible ASCII of a bounded length.
    ///
    /// # Errors
    /// [`TokenFault::TooLong`], [`TokenFault::Malformed`].
    pub fn parse(text: &str) -> Result<Self, TokenFault> {
        if text.len() > PRESENTED_MAX {
            return Err(TokenFault::TooLong);
        }
        let is_visible = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        if is_visible { Ok(Self(text.into())) } else { Err(TokenFault::Malformed) }
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PresentedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PresentedToken(…)")
    }
}

/// Key id, grant, generation, whether it hangs on a sign-in upstream, randomness.
const NAME_BYTES: usize = 1 + 16 + 4 + 1 + 16;
/// 128 bits.
const MAC_BYTES: usize = 16;
/// Name and MAC in base64url.
const SEALED_CHARACTERS: usize = ((NAME_BYTES + MAC_BYTES) * 4).div_ceil(3);

/// What a refresh token says of itself, under a MAC of ours: garbage is refused without touching the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealedName {
    /// Which key made the MAC.
    pub key_id: u8,
    /// The grant that the token belongs to.
    pub grant: GrantId,
    /// 1 for the first of its grant, and one more for each rotation.
    pub generation: u32,
    /// Does its grant hang on a sign-in at a provider, which is asked before anything comes of the token? Said here, so that nothing is
    /// looked up for those who sign in with us.
    pub upstream: bool,
    /// What makes it unguessable even to who knows the grant.
    pub random: [u8; 16],
}

impl SealedName {
    /// The text of the token: `prefix` and base64url of name and MAC. `mac` sees the prefix too, so no other kind of token is one.
    pub fn encode(&self, prefix: &str, mac: impl FnOnce(&[&[u8]]) -> [u8; MAC_BYTES]) -> String {
        let name = self.bytes();
        let mut sealed = [0; NAME_BYTES + MAC_BYTES];
        sealed[..NAME_BYTES].copy_from_slice(&name);
        sealed[NAME_BYTES..].copy_from_slice(&mac(&[prefix.as_bytes(), &name]));
        let mut text = String::with_capacity(prefix.len() + SEALED_CHARACTERS);
        text.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(sealed, &mut text);
        text
    }

    /// Reads a token's text. `verify` gets the key id, what the MAC covers, and the MAC, and compares in constant time.
    pub fn decode(prefix: &str, text: &str, verify: impl FnOnce(u8, &[&[u8]], &[u8; MAC_BYTES]) -> bool) -> Option<Self> {
        let body = text.strip_prefix(prefix)?;
        if body.len() != SEALED_CHARACTERS {
            return None;
        }
        let mut sealed = [0; NAME_BYTES + MAC_BYTES + 1];
        let written = URL_SAFE_NO_PAD.decode_slice(body, &mut sealed).ok()?;
        if written != NAME_BYTES + MAC_BYTES {
            return None;
        }
        let (name, rest) = sealed.split_at(NAME_BYTES);
        let mac: &[u8; MAC_BYTES] = rest[..MAC_BYTES].try_into().ok()?;
        let key_id = name[0];
        if !verify(key_id, &[prefix.as_bytes(), name], mac) {
            return None;
        }
        Some(Self {
            key_id,
            grant: GrantId::from_bytes(name[1..17].try_into().ok()?),
            generation: u32::from_be_bytes(name[17..21].try_into().ok()?),
            upstream: match name[21] {
                0 => false,
                1 => true,
                _ => return None,
            },
            random: name[22..38].try_into().ok()?,
        })
    }

    fn bytes(&self) -> [u8; NAME_BYTES] {
        let mut bytes = [0; NAME_BYTES];
        bytes[0] = self.key_id;
        bytes[1..17].copy_from_slice(&self.grant.to_bytes());
        bytes[17..21].copy_from_slice(&self.generation.to_be_bytes());
        bytes[21] = u8::from(self.upstream);
        bytes[22..].copy_from_slice(&self.random);
        bytes
    }
}

impl std::fmt::Debug for SealedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedName({}, generation {})", self.grant, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::hmac;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_hash_reads_as_it_is_stored(bytes: [u8; 32]) {
            let hash = TokenHash::from_bytes(bytes);
            prop_assert_eq!(hash.text().len(), 43);
            prop_assert_eq!(TokenHash::from_text(&hash.text()), Some(hash));
        }

        #[test]
        fn garbage_is_no_hash(text in ".{0,60}") {
            if let Some(hash) = TokenHash::from_text(&text) {
                prop_assert_eq!(hash.text(), text);
            }
        }
    }

    /// FIPS 180-4, the message "abc".
    #[test]
    fn the_hash_is_sha_256_and_a_log_shows_eight_digits_of_it() {
        let hash = TokenHash::of(b"abc");
        assert_eq!(hash.text(), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
        assert_eq!(format!("{hash:?}"), "TokenHash(ba7816bf…)");
        assert_ne!(hash, TokenHash::of(b"abd"));
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = RefreshTokenSecret::new("prt_very-secret");
        assert_eq!(format!("{secret:?}"), "RefreshTokenSecret(…)");
        assert_eq!(secret.hash(), TokenHash::of(b"prt_very-secret"));
        assert_eq!(format!("{:?}", PresentedToken::parse("abc").unwrap()), "PresentedToken(…)");
    }

    #[test]
    fn a_presented_token_is_bounded_visible_ascii() {
        for bad in ["", "a b", "a\n", "ä", "a\u{0}"] {
            assert_eq!(PresentedToken::parse(bad).unwrap_err(), TokenFault::Malformed, "{bad:?}");
        }
        assert_eq!(PresentedToken::parse(&"a".repeat(8193)).unwrap_err(), TokenFault::TooLong);
        assert!(PresentedToken::parse(&"a".repeat(8192)).is_ok());
    }

    fn mac(parts: &[&[u8]]) -> [u8; 16] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"a key of this test only");
        hmac::sign(&key, &parts.concat()).as_ref()[..16].try_into().unwrap()
    }

    fn decode(text: &str) -> Option<SealedName> {
        SealedName::decode("prt_", text, |_, bytes, tag| constant_time::verify_slices_are_equal(&mac(bytes), tag).is_ok())
    }

    proptest! {
        #[test]
        fn a_name_reads_as_it_was_written(key_id: u8, grant: [u8; 16], generation: u32, upstream: bool, random: [u8; 16]) {
            let name = SealedName { key_id, grant: GrantId::from_bytes(grant), generation, upstream, random };
            let text = name.encode("prt_", mac);
            prop_assert_eq!(text.len(), 76);
            prop_assert_eq!(decode(&text), Some(name));
        }

        #[test]
        fn one_changed_character_is_garbage(random: [u8; 16], place in 0_usize..76, letter in "[A-Za-z0-9_-]") {
            let name = SealedName { key_id: 1, grant: GrantId::from_bytes([5; 16]), generation: 3, upstream: false, random };
            let text = name.encode("prt_", mac);
            let mut changed = text.clone();
            changed.replace_range(place..place + 1, &letter);
            prop_assert_eq!(decode(&changed).is_some(), changed == text);
        }

        #[test]
        fn garbage_is_no_name(text in "(prt_)?.{0,90}") {
            prop_assert_eq!(decode(&text), None);
        }
    }

    #[test]
    fn a_name_with_another_prefix_is_garbage() {
        let name = SealedName { key_id: 1, grant: GrantId::from_bytes([5; 16]), generation: 3, upstream: true, random: [9; 16] };
        assert_eq!(decode(&name.encode("pco_", mac)), None);
        assert!(!format!("{name:?}").contains('9'), "the random bytes are not shown");
    }
}
