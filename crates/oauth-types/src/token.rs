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
#[derive(Clone, Copy, Hash, PartialOrd, Ord)]
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

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for TokenHash {}

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

/// Key id, grant, generation, randomness.
const NAME_BYTES: usize = 1 + 16 + 4 + 16;
/// 128 bits.
const MAC_BYTES: usize = 16;
/// Name and MAC in base64url.
const SEALED_CHARACTERS: usize = (NAME_BYTES + MAC_BYTES) * 4 / 3 + 1;

/// What a code or a refresh token says of itself, under a MAC of ours: garbage is refused without touching the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealedName {
    /// Which key made the MAC.
    pub key_id: u8,
    /// The grant that the token belongs to.
    pub grant: GrantId,
    /// How often the grant was rotated before this token; 0 for a code.
    pub generation: u32,
    /// What makes it unguessable even to who knows the grant.
    pub random: [u8; 16],
}

impl SealedName {
    /// The text of the token: `prefix` and base64url of name and MAC. `mac` sees the prefix too, so a code is no refresh token.
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
            random: name[21..37].try_into().ok()?,
        })
    }

    fn bytes(&self) -> [u8; NAME_BYTES] {
        let mut bytes = [0; NAME_BYTES];
        bytes[0] = self.key_id;
        bytes[1..17].copy_from_slice(&self.grant.to_bytes());
        bytes[17..21].copy_from_slice(&self.generation.to_be_bytes());
        bytes[21..].copy_from_slice(&self.random);
        bytes
    }
}

impl std::fmt::Debug for SealedName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedName({}, generation {})", self.grant, self.generation)
    }
}
