//! Our own tokens, in and out: JWS (RFC 7515) around the claims of RFC 9068 and of OpenID Connect Core §2.
//!
//! Owns key pairs that are parsed once and headers that are encoded once; knows no claim except by what it is told to sign, and
//! decides nothing about lifetimes. A token is ours only if its header is, byte for byte, one that we write: the algorithm is a
//! property of the key and is never read from a token (RFC 8725 §3.1).

use aws_lc_rs::{
    digest,
    encoding::{AsDer as _, Pkcs8V1Der},
    io::Positive,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_types::{Timestamp, TokenFault};
use serde::{Deserialize, Serialize};

use super::KeyError;
use crate::config::SigningAlgorithm;

/// RFC 9068 §2.1. Without it a token of another kind, signed by the same key, could pass for an access token.
pub(super) const TYPE: &str = "at+jwt";
/// RFC 7519 §5.1: of an ID token. Never read: nothing of ours accepts one.
const ID_TYPE: &str = "JWT";
/// Room for the claims of one token with a long client id, so that the vector grows once at most.
const CLAIMS_BYTES_TYPICAL: usize = 640;
/// A signature in base64url: 86 characters for ES256 and EdDSA, 342 for RS256 with 2,048 bits.
const SIGNATURE_CHARACTERS_TYPICAL: usize = 88;

/// A key pair in memory, with what signing and verifying need made once.
pub(super) struct SigningKey {
    pub(super) kid: String,
    pub(super) algorithm: SigningAlgorithm,
    /// From when it signs; it is published before.
    pub(super) active_from: Timestamp,
    /// From when nothing made with it is believed any more.
    pub(super) retire_at: Option<Timestamp>,
    pair: Pair,
    public: ParsedPublicKey,
    /// The header of an access token in base64url, and the dot behind it.
    prefix: String,
    /// The same for an ID token.
    id_prefix: String,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// The public half of a key: its type, its curve, and its numbers by their names, big-endian.
pub(super) struct PublicHalf {
    pub(super) kty: &'static str,
    pub(super) crv: Option<&'static str>,
    pub(super) numbers: Vec<(&'static str, Vec<u8>)>,
}

/// What a header may say; members that nobody here acts on (`jku`, `jwk`, `x5u`, `x5c`) are not even read.
#[derive(Deserialize)]
struct UnverifiedHeader {
    alg: Option<String>,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

/// A fresh private key, in the PKCS#8 form that every library reads.
pub(super) fn generate(algorithm: SigningAlgorithm) -> Result<Vec<u8>, KeyError> {
    let random = SystemRandom::new();
    let failed = |_| KeyError::Crypto("could not make a key pair");
    Ok(match algorithm {
        SigningAlgorithm::Es256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(failed)?.as_ref().to_vec()
        }
        // Version 1 of the form: OpenSSL does not read version 2.
        SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8v1(&random).map_err(failed)?.as_ref().to_vec(),
        SigningAlgorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            let der: Pkcs8V1Der<'static> = pair.as_der().map_err(failed)?;
            der.as_ref().to_vec()
        }
    })
}

impl SigningKey {
    /// Parses a private key, once for its whole life in this process.
    pub(super) fn from_pkcs8(
        kid: String,
        algorithm: SigningAlgorithm,
        pkcs8: &[u8],
        active_from: Timestamp,
        retire_at: Option<Timestamp>,
    ) -> Result<Self, KeyError> {
        let rejected = |_| KeyError::Crypto("a signing key is not of its algorithm");
        let (pair, public) = match algorithm {
            SigningAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(rejected)?;
                let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key()).map_err(rejected)?;
                (Pair::Ecdsa(pair), public)
            }
            SigningAlgorithm::EdDsa => {
                // "Maybe unchecked": version 1 carries no public half to compare with; the private half came out of our own seal.
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(rejected)?;
                let public = ParsedPublicKey::new(&ED25519, pair.public_key()).map_err(rejected)?;
                (Pair::Ed25519(pair), public)
            }
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(rejected)?;
                let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key()).map_err(rejected)?;
                (Pair::Rsa(pair), public)
            }
        };
        let header = |kind: &str| {
            let mut text = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{}","kid":"{kid}","typ":"{kind}"}}"#, algorithm.as_str()));
            text.push('.');
            text
        };
        let (prefix, id_prefix) = (header(TYPE), header(ID_TYPE));
        Ok(Self { kid, algorithm, active_from, retire_at, pair, public, prefix, id_prefix })
    }

    /// What everybody may know of it (RFC 7518 §6.2.1, §6.3.1, RFC 8037 §2).
    pub(super) fn public_half(&self) -> PublicHalf {
        let (kty, crv, numbers) = match &self.pair {
            Pair::Ecdsa(pair) => {
                // SEC 1 §2.3.3: one byte says "uncompressed", then both coordinates in 32 bytes each.
                let point = pair.public_key().as_ref();
                ("EC", Some("P-256"), vec![("x", point[1..33].to_vec()), ("y", point[33..65].to_vec())])
            }
            Pair::Ed25519(pair) => ("OKP", Some("Ed25519"), vec![("x", pair.public_key().as_ref().to_vec())]),
            Pair::Rsa(pair) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let bytes = |number: Positive<'_>| number.big_endian_without_leading_zero().to_vec();
                ("RSA", None, vec![("n", bytes(n)), ("e", bytes(e))])
            }
        };
        PublicHalf { kty, crv, numbers }
    }

    /// Does it still count at this moment?
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.retire_at.is_none_or(|at| now < at)
    }

    /// An access token: header, claims, signature.
    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<String, KeyError> {
        self.sign_behind(&self.prefix, claims)
    }

    /// An ID token that goes out beside this access token.
    pub(super) fn sign_id(&self, claims: &impl Serialize, access_token: &str) -> Result<String, KeyError> {
        #[derive(Serialize)]
        struct Bound<'a, C> {
            #[serde(flatten)]
            claims: &'a C,
            at_hash: String,
        }
        self.sign_behind(&self.id_prefix, &Bound { claims, at_hash: at_hash(self.algorithm, access_token) })
    }

    fn sign_behind(&self, prefix: &str, claims: &impl Serialize) -> Result<String, KeyError> {
        let mut payload = Vec::with_capacity(CLAIMS_BYTES_TYPICAL);
        serde_json::to_writer(&mut payload, claims).map_err(|_| KeyError::Crypto("could not write claims"))?;
        let mut token = String::with_capacity(prefix.len() + payload.len().div_ceil(3) * 4 + 1 + SIGNATURE_CHARACTERS_TYPICAL);
        token.push_str(prefix);
        URL_SAFE_NO_PAD.encode_string(&payload, &mut token);
        let failed = |_| KeyError::Crypto("could not sign");
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&SystemRandom::new(), token.as_bytes()).map_err(failed)?;
                append(&mut token, signature.as_ref());
            }
            Pair::Ed25519(pair) => {
                let signature = pair.sign(token.as_bytes());
                append(&mut token, signature.as_ref());
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature).map_err(failed)?;
                append(&mut token, &signature);
            }
        }
        Ok(token)
    }
}

/// OpenID Connect Core §3.1.3.6: the left half of the hash that the signature's own algorithm uses. Ed25519's is SHA-512 (RFC 8032 §5.1).
fn at_hash(algorithm: SigningAlgorithm, access_token: &str) -> String {
    let hash = match algorithm {
        SigningAlgorithm::Es256 | SigningAlgorithm::Rs256 => digest::digest(&digest::SHA256, access_token.as_bytes()),
        SigningAlgorithm::EdDsa => digest::digest(&digest::SHA512, access_token.as_bytes()),
    };
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

fn append(token: &mut String, signature: &[u8]) {
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, token);
}

/// A token that names a key of ours, in its parts.
pub(super) struct Sealed<'t> {
    /// The key's place among the keys.
    pub(super) place: usize,
    message: &'t str,
    payload: &'t str,
    signature: &'t str,
}

/// Takes a token apart and finds the key that wrote its header. Nothing is proven yet.
pub(super) fn split<'t>(keys: &[SigningKey], token: &'t str, now: Timestamp) -> Result<Sealed<'t>, TokenFault> {
    let (message, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(TokenFault::Malformed)?;
    // A fourth part is JWE or nothing (RFC 7516 §9); neither is ours.
    if payload.contains('.') {
        return Err(TokenFault::Malformed);
    }
    let place = keys.iter().position(|key| key.prefix[..key.prefix.len() - 1] == *header && key.is_live(now));
    let place = place.ok_or_else(|| why_not_ours(keys, header, now))?;
    Ok(Sealed { place, message, payload, signature })
}

impl Sealed<'_> {
    /// Is the signature right?
    pub(super) fn check(&self, keys: &[SigningKey]) -> Result<(), TokenFault> {
        let signature = URL_SAFE_NO_PAD.decode(self.signature).map_err(|_| TokenFault::Malformed)?;
        keys[self.place].public.verify_sig(self.message.as_bytes(), &signature).map_err(|_| TokenFault::SignatureMismatch)
    }

    /// The bytes of the claims, for who knows that the signature is right.
    pub(super) fn claims(&self) -> Result<Vec<u8>, TokenFault> {
        URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| TokenFault::Malformed)
    }
}

/// The token is refused already; this only finds the words for the operator.
fn why_not_ours(keys: &[SigningKey], header: &str, now: Timestamp) -> TokenFault {
    let Some(header) = URL_SAFE_NO_PAD.decode(header).ok().and_then(|bytes| serde_json::from_slice::<UnverifiedHeader>(&bytes).ok()) else {
        return TokenFault::Malformed;
    };
    // RFC 7515 §4.1.11: an extension that must be understood, and we understand none.
    if header.crit.is_some() {
        return TokenFault::CriticalHeader;
    }
    if !matches!(header.typ.as_deref(), Some(TYPE | "application/at+jwt")) {
        return TokenFault::TypeNotAccessToken;
    }
    let Some(key) = keys.iter().find(|key| header.kid.as_deref() == Some(&key.kid) && key.is_live(now)) else {
        return TokenFault::KeyUnknown;
    };
    if header.alg.as_deref() != Some(key.algorithm.as_str()) {
        return TokenFault::AlgorithmMismatch;
    }
    // Right in every member and yet not the header that we write: somebody else put it together.
    TokenFault::SignatureMismatch
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);
    const ALL: [SigningAlgorithm; 3] = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256];

    fn open(keys: &[SigningKey], token: &str, now: Timestamp) -> Result<(usize, Vec<u8>), TokenFault> {
        let sealed = split(keys, token, now)?;
        sealed.check(keys)?;
        Ok((sealed.place, sealed.claims()?))
    }

    fn key(algorithm: SigningAlgorithm, kid: &str) -> SigningKey {
        SigningKey::from_pkcs8(kid.to_owned(), algorithm, &generate(algorithm).unwrap(), NOW, None).unwrap()
    }

    fn header(of: &Value) -> String {
        URL_SAFE_NO_PAD.encode(of.to_string())
    }

    /// Puts another header on a token, signed by the same key, as only its owner could.
    fn resigned(key: &SigningKey, header_json: &Value) -> String {
        let foreign = SigningKey { prefix: format!("{}.", header(header_json)), ..rebuilt(key) };
        foreign.sign(&json!({"a": 1})).unwrap()
    }

    fn rebuilt(key: &SigningKey) -> SigningKey {
        let Pair::Ecdsa(pair) = &key.pair else { panic!("only ES256 here") };
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        SigningKey::from_pkcs8(key.kid.clone(), key.algorithm, pkcs8.as_ref(), NOW, None).unwrap()
    }

    #[test]
    fn what_a_key_signs_it_opens_in_every_algorithm() {
        for algorithm in ALL {
            let keys = [key(algorithm, "k1")];
            let token = keys[0].sign(&json!({"sub": "somebody"})).unwrap();
            let (place, claims) = open(&keys, &token, NOW).unwrap();
            assert_eq!(place, 0);
            assert_eq!(serde_json::from_slice::<Value>(&claims).unwrap(), json!({"sub": "somebody"}));
            let head: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
            assert_eq!(head, json!({"alg": algorithm.as_str(), "typ": "at+jwt", "kid": "k1"}));
        }
    }

    /// OpenID Connect Core, Appendix A.3: access token and at_hash of its example; RFC 9068 §4: an ID token is no access token.
    #[test]
    fn an_id_token_is_bound_to_its_access_token_and_is_none_itself() {
        const ACCESS: &str = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(at_hash(SigningAlgorithm::Rs256, ACCESS), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(at_hash(SigningAlgorithm::EdDsa, ACCESS).len(), 43, "half of SHA-512");
        for algorithm in ALL {
            let keys = [key(algorithm, "k1")];
            let token = keys[0].sign_id(&json!({"sub": "somebody"}), ACCESS).unwrap();
            assert_eq!(open(&keys, &token, NOW).unwrap_err(), TokenFault::TypeNotAccessToken);
            let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
            assert_eq!(claims, json!({"sub": "somebody", "at_hash": at_hash(algorithm, ACCESS)}));
        }
    }

    #[test]
    fn a_key_of_the_same_name_from_elsewhere_does_not_pass() {
        for algorithm in ALL {
            let token = key(algorithm, "k1").sign(&json!({})).unwrap();
            assert_eq!(open(&[key(algorithm, "k1")], &token, NOW).unwrap_err(), TokenFault::SignatureMismatch);
        }
    }

    /// RFC 8725 §3.1, §3.2; attack 31: the algorithm is the key's, whatever the header says.
    #[test]
    fn no_header_chooses_the_algorithm() {
        let keys = [key(SigningAlgorithm::Es256, "k1")];
        for alg in ["none", "None", "NONE", "HS256", "RS256", "ES384", ""] {
            let token = resigned(&keys[0], &json!({"alg": alg, "typ": "at+jwt", "kid": "k1"}));
            assert_eq!(open(&keys, &token, NOW).unwrap_err(), TokenFault::AlgorithmMismatch, "{alg}");
        }
        let unsigned = format!("{}.{}.", header(&json!({"alg": "none", "typ": "at+jwt", "kid": "k1"})), URL_SAFE_NO_PAD.encode("{}"));
        assert_eq!(open(&keys, &unsigned, NOW).unwrap_err(), TokenFault::AlgorithmMismatch);
    }

    /// RFC 9068 §4; attack 30.
    #[test]
    fn another_kind_of_token_signed_by_our_own_key_is_no_access_token() {
        let keys = [key(SigningAlgorithm::Es256, "k1")];
        for typ in [json!("JWT"), json!("logout+jwt"), Value::Null] {
            let token = resigned(&keys[0], &json!({"alg": "ES256", "typ": typ, "kid": "k1"}));
            assert_eq!(open(&keys, &token, NOW).unwrap_err(), TokenFault::TypeNotAccessToken, "{typ}");
        }
    }

    /// Attack 32: a header brings no key, and a strange `kid` is only a string that is not found.
    #[test]
    fn a_header_brings_no_key() {
        let keys = [key(SigningAlgorithm::Es256, "k1")];
        let long = "k".repeat(10_000);
        for kid in ["k2", "../k1", "k1' OR 1=1", "k1\0", "https://evil.example/jwks", &long] {
            let token = resigned(&keys[0], &json!({"alg": "ES256", "typ": "at+jwt", "kid": kid}));
            assert_eq!(open(&keys, &token, NOW).unwrap_err(), TokenFault::KeyUnknown, "{kid}");
        }
        let with_jku = resigned(&keys[0], &json!({"alg": "ES256", "typ": "at+jwt", "kid": "k1", "jku": "https://evil.example"}));
        assert_eq!(open(&keys, &with_jku, NOW).unwrap_err(), TokenFault::SignatureMismatch);
        let with_crit = resigned(&keys[0], &json!({"alg": "ES256", "typ": "at+jwt", "kid": "k1", "crit": ["exp"]}));
        assert_eq!(open(&keys, &with_crit, NOW).unwrap_err(), TokenFault::CriticalHeader);
    }

    /// Attack 45.
    #[test]
    fn a_retired_key_is_unknown_after_its_window() {
        let mut keys = [key(SigningAlgorithm::Es256, "k1")];
        keys[0].retire_at = Some(Timestamp(NOW.0 + 10));
        let token = keys[0].sign(&json!({})).unwrap();
        assert!(open(&keys, &token, Timestamp(NOW.0 + 9)).is_ok());
        assert_eq!(open(&keys, &token, Timestamp(NOW.0 + 10)).unwrap_err(), TokenFault::KeyUnknown);
    }

    #[test]
    fn no_changed_character_goes_unnoticed() {
        let keys = [key(SigningAlgorithm::Es256, "k1")];
        let token = keys[0].sign(&json!({"scope": "mcp:read"})).unwrap();
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(open(&keys, &String::from_utf8(bytes).unwrap(), NOW).is_err(), "character {at}");
        }
    }

    #[test]
    fn garbage_is_refused_without_a_panic() {
        let keys = [key(SigningAlgorithm::Es256, "k1")];
        for garbage in ["", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d.e", "🦀.🦀.🦀", &".".repeat(8000)] {
            assert_eq!(open(&keys, garbage, NOW).unwrap_err(), TokenFault::Malformed, "{garbage}");
        }
    }
}
