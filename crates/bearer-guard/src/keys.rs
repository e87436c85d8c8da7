//! The issuer's public keys, each with its one algorithm.
//!
//! RFC 7517, RFC 7518 §6, RFC 8037. josekit reads the document; what is kept is parsed once for aws-lc-rs. A key that we cannot use
//! (another use, another curve, no name) is left out and the others are kept (RFC 7517 §5).

use std::{collections::HashMap, sync::Arc};

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use josekit::jwk::Jwk;
use serde_json::{Map, Value};

use crate::fetch::FetchError;

/// An issuer publishes a key before it signs and keeps it after: two or three at a time.
const KEYS_MAX: usize = 32;
/// Longest name of a key; longer ones are no name of ours.
pub(crate) const KID_CHARACTERS_MAX: usize = 128;

/// The algorithms that access tokens may be signed with: asymmetric only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Es256,
    EdDsa,
    Rs256,
}

impl Algorithm {
    /// RFC 7518 §3.1, RFC 8037 §3.1; exactly these spellings.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            "RS256" => Some(Self::Rs256),
            _ => None,
        }
    }
}

/// A public key and the one algorithm that it is for.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) kid: String,
    pub(crate) algorithm: Algorithm,
    public: ParsedPublicKey,
}

impl Key {
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }

    fn is_same(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.public.as_ref() == other.public.as_ref()
    }

    fn read(document: &Map<String, Value>) -> Option<Self> {
        let jwk = Jwk::from_map(document.clone()).ok()?;
        let kid = jwk.key_id().filter(|kid| (1..=KID_CHARACTERS_MAX).contains(&kid.len()))?.to_owned();
        if jwk.key_use().is_some_and(|usage| usage != "sig") || jwk.key_operations().is_some_and(|ops| !ops.contains(&"verify")) {
            return None;
        }
        let (algorithm, public) = match (jwk.key_type(), jwk.curve()) {
            ("EC", Some("P-256")) => (Algorithm::Es256, ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, ec_point(&jwk)?).ok()?),
            ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, ParsedPublicKey::new(&signature::ED25519, bytes(&jwk, "x")?).ok()?),
            // The size is judged when it verifies: 2048 bits or more.
            ("RSA", _) => {
                let components = RsaPublicKeyComponents { n: bytes(&jwk, "n")?, e: bytes(&jwk, "e")? };
                (Algorithm::Rs256, components.to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256).ok()?)
            }
            _ => return None,
        };
        // A key that says it is for another algorithm is not for ours.
        if jwk.algorithm().is_some_and(|named| Algorithm::parse(named) != Some(algorithm)) {
            return None;
        }
        Some(Self { kid, algorithm, public })
    }
}

/// What the issuer published at one moment.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: HashMap<String, Arc<Key>>,
}

impl KeySet {
    /// Reads a document. A key that stayed the same stays the same object, so that what was verified with it stays remembered.
    pub(crate) fn read(document: &[u8], before: Option<&KeySet>) -> Result<Self, FetchError> {
        #[derive(serde::Deserialize)]
        struct Document {
            keys: Vec<Map<String, Value>>,
        }
        let document: Document = serde_json::from_slice(document).map_err(|_| FetchError::Malformed("no JSON Web Key Set"))?;
        let mut keys = HashMap::new();
        for key in document.keys.iter().take(KEYS_MAX).filter_map(Key::read) {
            let known = before.and_then(|before| before.find(&key.kid)).filter(|known| known.is_same(&key));
            // Of two keys with one name the first counts: which one is meant cannot depend on the token.
            keys.entry(key.kid.clone()).or_insert_with(|| known.unwrap_or_else(|| Arc::new(key)));
        }
        if keys.is_empty() { Err(FetchError::Malformed("no key in it can be used")) } else { Ok(Self { keys }) }
    }

    pub(crate) fn find(&self, kid: &str) -> Option<Arc<Key>> {
        self.keys.get(kid).cloned()
    }

    pub(crate) fn holds(&self, key: &Arc<Key>) -> bool {
        self.keys.get(&key.kid).is_some_and(|own| Arc::ptr_eq(own, key))
    }
}

fn bytes(jwk: &Jwk, member: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.parameter(member)?.as_str()?).ok()
}

/// SEC 1 §2.3.3: an uncompressed point.
fn ec_point(jwk: &Jwk) -> Option<Vec<u8>> {
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    (x.len() == 32 && y.len() == 32).then(|| [&[0x04], x.as_slice(), y.as_slice()].concat())
}
