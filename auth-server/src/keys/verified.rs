//! Tokens whose signature was checked before: verifying costs sixty times what remembering does.
//!
//! Owns nothing but the memory: whether a key still counts and whether a token ended early is asked each time, by others. Bounded in
//! number; spread over shards so that workers seldom wait for one another; what is remembered is the SHA-256 of the whole token.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use oauth_types::AccessClaims;

/// More than the cores that a small machine has.
const SHARDS: usize = 16;
/// Per shard and generation; twice sixteen times this many tokens at most, about 700 bytes each: 6 MiB.
const GENERATION_MAX: usize = 256;

/// What is known of a token.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) kid: Arc<str>,
    pub(super) claims: Arc<AccessClaims>,
}

/// Two generations a shard: when the young one is full it becomes the old one, and the old one is forgotten. No scan, no clock.
#[derive(Default)]
struct Shard {
    young: HashMap<[u8; 32], Known>,
    old: HashMap<[u8; 32], Known>,
}

#[derive(Default)]
pub(super) struct Verified([Mutex<Shard>; SHARDS]);

impl Verified {
    pub(super) fn recall(&self, hash: &[u8; 32]) -> Option<Known> {
        let mut shard = self.shard(hash);
        if let Some(known) = shard.young.get(hash) {
            return Some(known.clone());
        }
        // Asked for again: it moves to the young, or it would be forgotten while in use.
        let known = shard.old.remove(hash)?;
        shard.remember(*hash, known.clone());
        Some(known)
    }

    pub(super) fn remember(&self, hash: [u8; 32], known: Known) {
        self.shard(&hash).remember(hash, known);
    }

    pub(super) fn forget(&self, hash: &[u8; 32]) {
        let mut shard = self.shard(hash);
        shard.young.remove(hash);
        shard.old.remove(hash);
    }

    fn shard(&self, hash: &[u8; 32]) -> std::sync::MutexGuard<'_, Shard> {
        // A map of remembered facts cannot be left half-written by a panic elsewhere in this file: nothing here panics.
        self.0[hash[0] as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn remember(&mut self, hash: [u8; 32], known: Known) {
        if self.young.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(kid: &str) -> Known {
        let claims = serde_json::json!({"iss": "", "sub": "", "aud": "", "client_id": "", "exp": 0, "iat": 0, "jti": "", "scope": "", "grant_id": ""});
        Known { kid: kid.into(), claims: Arc::new(serde_json::from_value(claims).unwrap()) }
    }

    fn hash(number: u32) -> [u8; 32] {
        let mut hash = [0; 32];
        hash[1..5].copy_from_slice(&number.to_be_bytes());
        hash
    }

    #[test]
    fn what_was_remembered_is_recalled_and_what_was_forgotten_is_not() {
        let verified = Verified::default();
        verified.remember(hash(1), known("k1"));
        assert_eq!(&*verified.recall(&hash(1)).unwrap().kid, "k1");
        assert!(verified.recall(&hash(2)).is_none());
        verified.forget(&hash(1));
        assert!(verified.recall(&hash(1)).is_none());
    }

    #[test]
    fn memory_is_bounded_and_what_is_in_use_stays() {
        let verified = Verified::default();
        verified.remember(hash(0), known("busy"));
        for number in 1..10_000 {
            verified.remember(hash(number), known("k"));
            assert!(verified.recall(&hash(0)).is_some(), "after {number}");
        }
        let shard = verified.0[0].lock().unwrap();
        assert!(shard.young.len() + shard.old.len() <= 2 * GENERATION_MAX);
    }
}
