//! Tokens that need no verifying any more: a signature is checked once here, and never where it was made.
//!
//! Owns nothing but the memory: whether a key still counts and whether a token ended early is asked each time, by others. Bounded in
//! number; spread over shards so that workers seldom wait for one another. What is remembered of a token is 128 bits of a hash of all of
//! its text, as hard to meet by chance or by work as the signature is to forge; and the hash begins with a secret of this process, so
//! that nobody can look for a second text that has it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest;

use crate::secret;

/// More than the cores that a small machine has.
const SHARDS: usize = 16;

/// What a token is known by, in this process alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 16]);

/// Takes fingerprints.
pub(super) struct Fingerprints([u8; 32]);

impl Fingerprints {
    /// With a secret of their own.
    pub(super) fn fresh() -> Self {
        Self(secret::fresh_bytes())
    }

    pub(super) fn of(&self, token: &str) -> Fingerprint {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(&self.0);
        hash.update(token.as_bytes());
        let mut print = [0; 16];
        print.copy_from_slice(&hash.finish().as_ref()[..16]);
        Fingerprint(print)
    }
}

/// Two generations a shard: when the young one is full it becomes the old one, and the old one is forgotten. No scan, no clock.
struct Shard<V> {
    young: HashMap<Fingerprint, V>,
    old: HashMap<Fingerprint, V>,
}

/// Something remembered about tokens.
pub(super) struct Remembered<V> {
    shards: [Mutex<Shard<V>>; SHARDS],
    generation_max: usize,
}

impl<V: Clone> Remembered<V> {
    /// Remembers at most twice sixteen times this many, and at least half of that.
    pub(super) fn with(generation_max: usize) -> Self {
        let shard = |_| Mutex::new(Shard { young: HashMap::new(), old: HashMap::new() });
        Self { shards: std::array::from_fn(shard), generation_max }
    }

    pub(super) fn recall(&self, print: Fingerprint) -> Option<V> {
        let mut shard = self.shard(print);
        if let Some(known) = shard.young.get(&print) {
            return Some(known.clone());
        }
        // Asked for again: it moves to the young, or it would be forgotten while in use.
        let known = shard.old.remove(&print)?;
        shard.remember(print, known.clone(), self.generation_max);
        Some(known)
    }

    pub(super) fn remember(&self, print: Fingerprint, known: V) {
        self.shard(print).remember(print, known, self.generation_max);
    }

    pub(super) fn forget(&self, print: Fingerprint) {
        let mut shard = self.shard(print);
        shard.young.remove(&print);
        shard.old.remove(&print);
    }

    fn shard(&self, print: Fingerprint) -> MutexGuard<'_, Shard<V>> {
        // A map of remembered facts cannot be left half-written by a panic elsewhere in this file: nothing here panics.
        self.shards[print.0[0] as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Shard<V> {
    fn remember(&mut self, print: Fingerprint, known: V, max: usize) {
        if self.young.len() >= max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(print, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 256;

    fn print(number: u32) -> Fingerprint {
        let mut print = [0; 16];
        print[1..5].copy_from_slice(&number.to_be_bytes());
        Fingerprint(print)
    }

    #[test]
    fn what_was_remembered_is_recalled_and_what_was_forgotten_is_not() {
        let verified = Remembered::with(MAX);
        verified.remember(print(1), "k1");
        assert_eq!(verified.recall(print(1)), Some("k1"));
        assert_eq!(verified.recall(print(2)), None);
        verified.forget(print(1));
        assert_eq!(verified.recall(print(1)), None);
    }

    #[test]
    fn memory_is_bounded_and_what_is_in_use_stays() {
        let verified = Remembered::with(MAX);
        verified.remember(print(0), "busy");
        for number in 1..10_000 {
            verified.remember(print(number), "k");
            assert!(verified.recall(print(0)).is_some(), "after {number}");
        }
        let shard = verified.shards[0].lock().unwrap();
        assert!(shard.young.len() + shard.old.len() <= 2 * MAX);
    }

    #[test]
    fn each_process_and_each_character_has_another_fingerprint() {
        let (ours, theirs) = (Fingerprints::fresh(), Fingerprints::fresh());
        assert_eq!(ours.of("a.b.c"), ours.of("a.b.c"));
        assert_ne!(ours.of("a.b.c"), ours.of("a.b.d"));
        assert_ne!(ours.of("a.b.c"), theirs.of("a.b.c"));
    }
}
