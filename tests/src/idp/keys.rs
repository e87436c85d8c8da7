//! The provider's keys, and every wrong way to sign.

use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::State;

/// How tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// RS256 with the published key.
    Honest,
    /// ES256 with the other published key.
    Es256,
    /// `alg: none` and no signature.
    Unsigned,
    /// HS256 with the client secret.
    SharedSecret,
    /// HS256 with the public key as if it were a secret: the classic confusion.
    PublicKeyAsSecret,
    /// RS256 with a key that is not the provider's, under the name of one that is.
    StrangersKey,
    /// RS256 with a key that was never published, under its own name.
    UnpublishedKey,
    /// RS256 with the right key, and one bit of the signature changed.
    Damaged,
}

/// The name of the ES256 key.
const EC_KID: &str = "ec-1";

/// Making an RSA key is slow; all providers of a test run share these two. Which is which is what tests are about.
fn rsa(which: usize) -> &'static RsaKeyPair {
    static KEYS: [OnceLock<RsaKeyPair>; 2] = [OnceLock::new(), OnceLock::new()];
    KEYS[which].get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key"))
}

fn ec() -> &'static EcdsaKeyPair {
    static KEY: OnceLock<EcdsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("an EC key"))
}

/// The published key set.
pub(super) fn published(kid: &str) -> Value {
    let (n, e) = modulus_and_exponent(rsa(0).public_key().as_ref());
    let point = ec().public_key().as_ref();
    json!({ "keys": [
        { "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e) },
        { "kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "kid": "for-encryption", "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e) },
        { "kty": "EC", "use": "sig", "alg": "ES256", "kid": EC_KID, "crv": "P-256",
          "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]) },
    ] })
}

/// RFC 8017 A.1.1: SEQUENCE { INTEGER modulus, INTEGER exponent }.
fn modulus_and_exponent(der: &[u8]) -> (&[u8], &[u8]) {
    let (_, body) = element(der);
    let (rest, n) = element(body);
    let (_, e) = element(rest);
    (n.strip_prefix(&[0]).unwrap_or(n), e)
}

/// One DER element: what follows it, and what is in it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, start) = match usize::from(der[1]) {
        short @ 0..=127 => (short, 2),
        long => {
            let bytes = long - 128;
            (der[2..2 + bytes].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 2 + bytes)
        }
    };
    (&der[start + length..], &der[start..start + length])
}

impl State {
    /// Signs claims, as honestly as it is told to.
    pub(super) fn sign(&self, typ: &str, claims: Value) -> String {
        let (alg, kid) = match self.signing {
            Signing::Honest | Signing::StrangersKey | Signing::Damaged => ("RS256", self.kid.as_str()),
            Signing::UnpublishedKey => ("RS256", "key-unpublished"),
            Signing::Es256 => ("ES256", EC_KID),
            Signing::Unsigned => ("none", self.kid.as_str()),
            Signing::SharedSecret | Signing::PublicKeyAsSecret => ("HS256", self.kid.as_str()),
        };
        let mut header = json!({ "alg": alg, "typ": typ, "kid": kid });
        self.twist("header", &mut header);
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signature = self.signature(signed.as_bytes());
        if self.signing == Signing::Damaged {
            signature[100] ^= 1;
        }
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, signed: &[u8]) -> Vec<u8> {
        let with_rsa = |key: &RsaKeyPair| {
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut signature).expect("a signature");
            signature
        };
        let with_secret = |secret: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed).as_ref().to_vec();
        match self.signing {
            Signing::Honest | Signing::Damaged => with_rsa(rsa(0)),
            Signing::StrangersKey | Signing::UnpublishedKey => with_rsa(rsa(1)),
            Signing::Es256 => ec().sign(&SystemRandom::new(), signed).expect("a signature").as_ref().to_vec(),
            Signing::Unsigned => Vec::new(),
            Signing::SharedSecret => with_secret(self.client_secret.as_bytes()),
            Signing::PublicKeyAsSecret => with_secret(rsa(0).public_key().as_der().expect("a public key").as_ref()),
        }
    }
}

/// OpenID Connect Core §3.1.3.6: the left half of the hash, in base64url.
pub(super) fn half_hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..16])
}

/// RFC 7636 §4.2.
pub(super) fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}
