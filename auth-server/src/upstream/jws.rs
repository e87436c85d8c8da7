//! A signed token in compact form (RFC 7515 §3.1), before anybody looked at the signature.
//!
//! Owns what no token may have, whatever signed it: no `alg: none`, nothing but an algorithm of the operator's list, no critical
//! extension, no token inside a token.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_types::UpstreamFault;
use openidconnect::core::CoreJwsSigningAlgorithm;
use serde::{Deserialize, de::DeserializeOwned};

/// Longest token. An ID token with hundreds of roles has 30 KiB.
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// The header members that we read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    cty: Option<serde_json::Value>,
    crit: Option<serde_json::Value>,
}

/// A token whose header may be tried. Its payload is not believed yet.
pub(super) struct Unverified<'a> {
    /// An algorithm of the operator's list.
    pub(super) algorithm: CoreJwsSigningAlgorithm,
    /// Which key it says to be signed with.
    pub(super) kid: Option<String>,
    /// Which kind of token it says to be.
    pub(super) typ: Option<String>,
    /// The two parts that are signed.
    pub(super) signed: &'a str,
    /// The signature.
    pub(super) signature: Vec<u8>,
    payload: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    pub(super) fn read(token: &'a str, algorithms: &[String]) -> Result<Self, UpstreamFault> {
        let malformed = UpstreamFault::IdTokenMalformed;
        if token.len() > TOKEN_BYTES_MAX {
            return Err(UpstreamFault::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let (header, payload) = signed.split_once('.').filter(|(_, payload)| !payload.contains('.')).ok_or(malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed)?;
        // RFC 8725 §3.2: in whatever spelling.
        if header.alg.eq_ignore_ascii_case("none") {
            return Err(UpstreamFault::IdTokenUnsigned);
        }
        if !algorithms.contains(&header.alg) {
            return Err(UpstreamFault::AlgorithmForbidden);
        }
        if header.crit.is_some() || header.cty.is_some() {
            return Err(UpstreamFault::HeaderForbidden);
        }
        let algorithm = serde_json::from_value(header.alg.into()).map_err(|_| UpstreamFault::AlgorithmForbidden)?;
        Ok(Self { algorithm, kid: header.kid, typ: header.typ, signed, signature: decode(signature)?, payload: decode(payload)? })
    }

    /// The claims. Whoever reads them before the signature was verified must not believe them.
    pub(super) fn claims<T: DeserializeOwned>(&self) -> Result<T, UpstreamFault> {
        serde_json::from_slice(&self.payload).map_err(|_| UpstreamFault::IdTokenMalformed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn garbage_never_panics(text in ".{0,200}", header in ".{0,80}") {
            let algorithms = ["RS256".to_owned()];
            let _ = Unverified::read(&text, &algorithms).map(drop);
            let token = format!("{}.{text}.{text}", URL_SAFE_NO_PAD.encode(header));
            let _ = Unverified::read(&token, &algorithms).map(drop);
        }
    }

    fn read(header: &str) -> Result<(), UpstreamFault> {
        let token = format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode("x"));
        Unverified::read(&token, &["RS256".to_owned()]).map(drop)
    }

    /// RFC 8725 §3.1, §3.2: only algorithms of our list, and never none.
    #[test]
    fn the_header_chooses_nothing() {
        assert_eq!(read(r#"{"alg":"RS256"}"#), Ok(()));
        for none in ["none", "None", "NONE", "nOnE"] {
            assert_eq!(read(&format!(r#"{{"alg":"{none}"}}"#)), Err(UpstreamFault::IdTokenUnsigned));
        }
        for other in ["HS256", "ES256", "rs256", "RS256 ", "dir", ""] {
            assert_eq!(read(&format!(r#"{{"alg":"{other}"}}"#)), Err(UpstreamFault::AlgorithmForbidden), "{other}");
        }
        assert_eq!(read(r#"{"alg":"RS256","crit":["x"]}"#), Err(UpstreamFault::HeaderForbidden));
        assert_eq!(read(r#"{"alg":"RS256","cty":"JWT"}"#), Err(UpstreamFault::HeaderForbidden));
        assert_eq!(read(r#"{"alg":["RS256"]}"#), Err(UpstreamFault::IdTokenMalformed));
        assert_eq!(read(r#"{"alg":"RS256","alg":"none"}"#), Err(UpstreamFault::IdTokenMalformed));
    }

    #[test]
    fn three_parts_make_a_token() {
        let algorithms = ["RS256".to_owned()];
        for token in ["", ".", "..", "a", "a.b", "a.b.c.d", "a.b.c.d.e", "\u{fffd}.b.c"] {
            assert!(Unverified::read(token, &algorithms).is_err(), "{token}");
        }
        assert_eq!(Unverified::read(&"a".repeat(TOKEN_BYTES_MAX + 1), &algorithms).map(drop), Err(UpstreamFault::TooLarge));
    }
}
