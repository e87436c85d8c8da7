//! Reads an access token the way a protected resource does: signature first, against the published keys.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A token whose signature the published key confirmed.
#[derive(Debug, Clone)]
pub struct Read {
    /// The JOSE header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
}

/// Header and claims without asking who signed them.
#[track_caller]
pub fn unverified(token: &str) -> Read {
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "not a compact JWS");
    Read { header: json_part(parts[0]), claims: json_part(parts[1]) }
}

/// Header and claims, proven with the ES256 key of this set that the header names.
#[track_caller]
pub fn verified(token: &str, key_set: &Value) -> Read {
    let read = unverified(token);
    let kid = read.header["kid"].as_str().expect("the header names its key");
    let keys = key_set["keys"].as_array().expect("a key set");
    let key = keys.iter().find(|key| key["kid"] == kid).expect("the key is published");
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().expect("an EC key")).expect("base64url");
    let mut point = vec![4];
    point.extend(coordinate("x"));
    point.extend(coordinate("y"));
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), &signature).expect("signed by the published key");
    read
}

fn json_part(text: &str) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
    serde_json::from_slice(&bytes).expect("a JSON part")
}
