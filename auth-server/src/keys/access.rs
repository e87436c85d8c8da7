//! Access tokens: signed with the key of the moment, and read back.
//!
//! RFC 9068 §2, §4. Owns what this process knows of tokens without asking a key again: which it signed, and what those say that it verified.
//! Not: did one end early (`access_token.rs`), and is it for whoever asks.

use std::sync::Arc;

use oauth_types::{AccessClaims, AccessClaimsRef, AccessTokenSecret, Error, Timestamp, TokenFault, Ttl};

use super::{
    KeyError, KeyStore, jwt,
    remembered::{Fingerprints, Remembered},
};

/// Verified tokens that are remembered with their claims: 8,192 at most, about 700 bytes each, 6 MiB.
const VERIFIED_GENERATION: usize = 256;
/// Signed tokens that are remembered: 229,376 at least, when so many were signed lately. A generation of a shard fills a table of 16,384
/// places of 17 bytes; all of them are 9 MiB.
const SIGNED_GENERATION: usize = 14_336;
/// The clocks of two replicas differ; a token is never from further ahead than this.
const CLOCKS_DIFFER: Ttl = Ttl(30);

/// What this process knows of tokens.
pub(super) struct KnownTokens {
    fingerprints: Fingerprints,
    /// Tokens whose signature was checked, with what they say.
    verified: Remembered<Known>,
    /// Tokens whose signature was made here, so that nobody must check it here.
    signed: Remembered<()>,
}

/// What is known of a token that was verified.
#[derive(Clone)]
struct Known {
    kid: Arc<str>,
    claims: Arc<AccessClaims>,
}

impl KnownTokens {
    /// Nothing yet.
    pub(super) fn none() -> Self {
        Self {
            fingerprints: Fingerprints::fresh(),
            verified: Remembered::with(VERIFIED_GENERATION),
            signed: Remembered::with(SIGNED_GENERATION),
        }
    }
}

impl KeyStore {
    /// Signs with the key of this moment.
    pub(crate) fn sign(&self, claims: &AccessClaimsRef<'_>) -> Result<AccessTokenSecret, Error> {
        let set = self.0.set.load();
        let signer = set.signer(self.0.clock.now()).ok_or(KeyError::NoSigningKey)?;
        let token = signer.sign(claims)?;
        self.0.tokens.signed.remember(self.0.tokens.fingerprints.of(&token), ());
        Ok(AccessTokenSecret::new(token))
    }

    /// Is this a living access token of ours? Not: did it end early (`access_token.rs` asks that each time).
    pub(crate) fn verify(&self, token: &str) -> Result<Arc<AccessClaims>, TokenFault> {
        let now = self.0.clock.now();
        let print = self.0.tokens.fingerprints.of(token);
        let set = self.0.set.load();
        if let Some(known) = self.0.tokens.verified.recall(print) {
            if set.keys.iter().any(|key| *key.kid == *known.kid && key.is_live(now)) && now.0 < known.claims.exp {
                return Ok(known.claims);
            }
            self.0.tokens.verified.forget(print);
        }
        let sealed = jwt::split(&set.keys, token, now).inspect_err(|fault| {
            if *fault == TokenFault::KeyUnknown {
                self.0.wanted.notify_one();
            }
        })?;
        // Character by character what this process signed, with a key that still counts: the signature is right.
        if self.0.tokens.signed.recall(print).is_none() {
            sealed.check(&set.keys)?;
        }
        let claims: AccessClaims = serde_json::from_slice(&sealed.claims()?).map_err(|_| TokenFault::Malformed)?;
        let claims = Arc::new(self.current(claims, now)?);
        self.0.tokens.verified.remember(print, Known { kid: set.keys[sealed.place].kid.as_str().into(), claims: Arc::clone(&claims) });
        Ok(claims)
    }

    /// RFC 9068 §4: issuer and time. The audience is the question of whoever asks.
    fn current(&self, claims: AccessClaims, now: Timestamp) -> Result<AccessClaims, TokenFault> {
        if claims.iss != self.0.settings.issuer.as_str() {
            return Err(TokenFault::IssuerMismatch);
        }
        if claims.exp <= now.0 {
            return Err(TokenFault::Expired);
        }
        if claims.iat > now.0 + CLOCKS_DIFFER.0 {
            return Err(TokenFault::IssuedInFuture);
        }
        Ok(claims)
    }
}
