//! The public half of a signing key as a JWK (RFC 7517), and the key set document.
//!
//! Owns what is published about a key: member by member, from its public half alone, so that no private one can slip out (attack 45).
//! josekit writes the document; what is computed with keys, here and anywhere, aws-lc-rs computes. So nothing calls the OpenSSL that
//! josekit brings along, and the linker leaves it out ([decision 133](../../../docs/decisions/0133-no-openssl-in-the-binary.md)).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use josekit::jwk::Jwk;
use serde_json::json;

use super::{KeyError, jwt::SigningKey};

/// The public half of a key, as it is stored and published.
pub(super) fn public_jwk(key: &SigningKey) -> Result<String, KeyError> {
    let half = key.public_half();
    let mut jwk = Jwk::new(half.kty);
    jwk.set_key_use("sig");
    jwk.set_algorithm(key.algorithm.as_str());
    jwk.set_key_id(&key.kid);
    if let Some(curve) = half.crv {
        jwk.set_curve(curve);
    }
    for (name, number) in half.numbers {
        let value = json!(URL_SAFE_NO_PAD.encode(number));
        jwk.set_parameter(name, Some(value)).map_err(|_| KeyError::Crypto("a signing key has no readable public half"))?;
    }
    Ok(jwk.to_string())
}

/// The key set document (RFC 7517 §5), written once for all who ask.
pub(super) fn key_set<'a>(public_jwks: impl Iterator<Item = &'a str>) -> Bytes {
    let mut document = String::from(r#"{"keys":["#);
    for (index, jwk) in public_jwks.enumerate() {
        if index > 0 {
            document.push(',');
        }
        document.push_str(jwk);
    }
    document.push_str("]}");
    Bytes::from(document)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;
    use crate::{config::SigningAlgorithm, keys::jwt};

    fn key(algorithm: SigningAlgorithm) -> SigningKey {
        SigningKey::from_pkcs8("k1".to_owned(), algorithm, &jwt::generate(algorithm).unwrap(), oauth_types::Timestamp(0), None).unwrap()
    }

    /// RFC 7517 §9.3; attack 45: private members never leave.
    #[test]
    fn only_public_members_are_published() {
        let expected = [
            (SigningAlgorithm::Es256, vec!["alg", "crv", "kid", "kty", "use", "x", "y"]),
            (SigningAlgorithm::EdDsa, vec!["alg", "crv", "kid", "kty", "use", "x"]),
            (SigningAlgorithm::Rs256, vec!["alg", "e", "kid", "kty", "n", "use"]),
        ];
        for (algorithm, members) in expected {
            let jwk = public_jwk(&key(algorithm)).unwrap();
            let jwk: Map<String, Value> = serde_json::from_str(&jwk).unwrap();
            let mut names: Vec<_> = jwk.keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, members, "{algorithm:?}");
        }
    }

    /// A stranger's library must be able to check our tokens with what we publish: josekit plays the stranger.
    #[test]
    fn what_is_published_verifies_what_is_signed() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
            let key = key(algorithm);
            let token = key.sign(&json!({"sub": "somebody"})).unwrap();
            let jwk = Jwk::from_bytes(public_jwk(&key).unwrap()).unwrap();
            let verifier: Box<dyn josekit::jws::JwsVerifier> = match algorithm {
                SigningAlgorithm::Es256 => Box::new(josekit::jws::ES256.verifier_from_jwk(&jwk).unwrap()),
                SigningAlgorithm::EdDsa => Box::new(josekit::jws::EdDSA.verifier_from_jwk(&jwk).unwrap()),
                SigningAlgorithm::Rs256 => Box::new(josekit::jws::RS256.verifier_from_jwk(&jwk).unwrap()),
            };
            let (payload, header) = josekit::jwt::decode_with_verifier(&token, verifier.as_ref()).unwrap();
            assert_eq!(payload.subject(), Some("somebody"));
            assert_eq!(header.token_type(), Some("at+jwt"));
        }
    }

    #[test]
    fn a_key_set_is_json_with_any_number_of_keys() {
        for number in 0..3 {
            let keys = vec![r#"{"kty":"EC"}"#; number];
            let document: Value = serde_json::from_slice(&key_set(keys.into_iter())).unwrap();
            assert_eq!(document["keys"].as_array().unwrap().len(), number);
        }
    }
}
