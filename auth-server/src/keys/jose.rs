//! josekit at arm's length: the public half of a signing key as a JWK (RFC 7517), and the key set document.
//!
//! Owns what is published about a key: members from a list, each by name, so that no private or unknown member can slip out
//! (attack 45). Strangers' assertions, when they come, are checked here too.

use bytes::Bytes;
use josekit::{
    jwk::Jwk,
    jwk::alg::{ec::EcKeyPair, ed::EdKeyPair, rsa::RsaKeyPair},
};
use serde_json::{Map, Value, json};

use super::KeyError;
use crate::config::SigningAlgorithm;

/// RFC 7518 §6.2.1, §6.3.1, RFC 8037 §2: everything public that a key of our three kinds has.
const PUBLIC_MEMBERS: [&str; 6] = ["kty", "crv", "x", "y", "n", "e"];

/// The public half of a private key, as it is stored and published.
pub(super) fn public_jwk(kid: &str, algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Result<String, KeyError> {
    let unreadable = |_| KeyError::Crypto("a signing key has no readable public half");
    let jwk: Jwk = match algorithm {
        SigningAlgorithm::Es256 => EcKeyPair::from_der(pkcs8, None).map_err(unreadable)?.to_jwk_public_key(),
        SigningAlgorithm::EdDsa => EdKeyPair::from_der(pkcs8).map_err(unreadable)?.to_jwk_public_key(),
        SigningAlgorithm::Rs256 => RsaKeyPair::from_der(pkcs8).map_err(unreadable)?.to_jwk_public_key(),
    };
    let members: &Map<String, Value> = jwk.as_ref();
    let mut public = Map::new();
    for name in PUBLIC_MEMBERS {
        if let Some(value) = members.get(name) {
            public.insert(name.to_owned(), value.clone());
        }
    }
    public.insert("use".to_owned(), json!("sig"));
    public.insert("alg".to_owned(), json!(algorithm.as_str()));
    public.insert("kid".to_owned(), json!(kid));
    Ok(Value::Object(public).to_string())
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
    use super::*;
    use crate::keys::jwt;

    /// RFC 7517 §9.3; attack 45: private members never leave.
    #[test]
    fn only_public_members_are_published() {
        let expected = [
            (SigningAlgorithm::Es256, vec!["alg", "crv", "kid", "kty", "use", "x", "y"]),
            (SigningAlgorithm::EdDsa, vec!["alg", "crv", "kid", "kty", "use", "x"]),
            (SigningAlgorithm::Rs256, vec!["alg", "e", "kid", "kty", "n", "use"]),
        ];
        for (algorithm, members) in expected {
            let jwk = public_jwk("k1", algorithm, &jwt::generate(algorithm).unwrap()).unwrap();
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
            let pkcs8 = jwt::generate(algorithm).unwrap();
            let key = jwt::SigningKey::from_pkcs8("k1".to_owned(), algorithm, &pkcs8, oauth_types::Timestamp(0), None).unwrap();
            let token = key.sign(&json!({"sub": "somebody"})).unwrap();
            let jwk = Jwk::from_bytes(public_jwk("k1", algorithm, &pkcs8).unwrap()).unwrap();
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
