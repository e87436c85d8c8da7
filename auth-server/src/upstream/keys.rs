//! A provider's public keys (RFC 7517 §5), and only those that may prove something.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_types::UpstreamFault;
use openidconnect::{JsonWebKey as _, JsonWebKeySet, core::CoreJsonWebKey};
use serde::Deserialize;
use serde_json::Value;

/// Keys in one set. Keycloak publishes two for each realm key provider; a tenth of this is much.
const KEYS_MAX: usize = 64;
/// RFC 7518 §3.3: a key of size 2048 bits or larger must be used.
const RSA_BYTES_MIN: usize = 2048 / 8;
/// The verifier reads no larger ones, and a longer one only burns time.
const RSA_BYTES_MAX: usize = 4096 / 8;

/// The keys that may verify.
#[derive(Debug, Clone)]
pub(super) struct Keys(JsonWebKeySet<CoreJsonWebKey>);

impl Keys {
    /// Reads a set; leaves out what is for encryption, symmetric, too weak, or of a kind that we do not know.
    pub(super) fn read(body: &Value) -> Result<Self, UpstreamFault> {
        let listed = body["keys"].as_array().ok_or(UpstreamFault::Malformed)?;
        if listed.len() > KEYS_MAX {
            return Err(UpstreamFault::KeySetUnusable);
        }
        let keys: Vec<_> = listed.iter().filter(|key| may_verify(key)).filter_map(|key| CoreJsonWebKey::deserialize(key).ok()).collect();
        if keys.is_empty() { Err(UpstreamFault::KeySetUnusable) } else { Ok(Self(JsonWebKeySet::new(keys))) }
    }

    /// For the verifier of ID tokens.
    pub(super) fn set(&self) -> JsonWebKeySet<CoreJsonWebKey> {
        self.0.clone()
    }

    /// The keys of this name; all of them where a token names none (OpenID Connect Core §10.1).
    pub(super) fn named<'a>(&'a self, kid: Option<&'a str>) -> impl Iterator<Item = &'a CoreJsonWebKey> {
        self.0.keys().iter().filter(move |key| kid.is_none_or(|kid| key.key_id().is_some_and(|known| known.as_str() == kid)))
    }
}

fn may_verify(key: &Value) -> bool {
    let is_for_signatures = key["use"].as_str().is_none_or(|usage| usage == "sig");
    // A symmetric key in a published document is everybody's key; a token "signed" with it is signed by nobody.
    let is_asymmetric = match key["kty"].as_str() {
        Some("RSA") => key["n"].as_str().and_then(|n| URL_SAFE_NO_PAD.decode(n).ok()).is_some_and(|n| {
            let length = n.iter().skip_while(|byte| **byte == 0).count();
            (RSA_BYTES_MIN..=RSA_BYTES_MAX).contains(&length)
        }),
        Some("EC" | "OKP") => true,
        _ => false,
    };
    is_for_signatures && is_asymmetric
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rsa(bytes: usize) -> Value {
        json!({ "kty": "RSA", "kid": "a", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(vec![0xc1; bytes]) })
    }

    #[test]
    fn only_keys_that_may_prove_something_are_kept() {
        let kept = |key: Value| Keys::read(&json!({ "keys": [key] })).map(|keys| keys.named(None).count());
        assert_eq!(kept(rsa(256)), Ok(1));
        for (key, why) in [
            (rsa(128), "RFC 7518 §3.3: too short"),
            (rsa(1024), "longer than the verifier reads"),
            (json!({ "kty": "oct", "kid": "a", "k": "c2VjcmV0" }), "symmetric"),
            (json!({ "kty": "EC", "kid": "a", "use": "enc", "crv": "P-256", "x": "AA", "y": "AA" }), "for encryption"),
            (json!({ "kty": "XYZ", "kid": "a" }), "unknown"),
            (json!("key"), "no object"),
        ] {
            assert_eq!(kept(key), Err(UpstreamFault::KeySetUnusable), "{why}");
        }
    }

    #[test]
    fn a_set_is_bounded() {
        let set = |count: usize| Keys::read(&json!({ "keys": vec![rsa(256); count] }));
        assert!(set(KEYS_MAX).is_ok());
        assert!(matches!(set(KEYS_MAX + 1), Err(UpstreamFault::KeySetUnusable)));
        assert!(matches!(set(0), Err(UpstreamFault::KeySetUnusable)));
        assert!(matches!(Keys::read(&json!({ "keys": {} })), Err(UpstreamFault::Malformed)));
    }

    #[test]
    fn a_key_is_found_by_its_name() {
        let keys = Keys::read(&json!({ "keys": [rsa(256)] })).unwrap();
        assert_eq!((keys.named(Some("a")).count(), keys.named(Some("b")).count(), keys.named(None).count()), (1, 0, 1));
    }
}
