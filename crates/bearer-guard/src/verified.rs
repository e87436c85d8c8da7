//! Tokens whose signature and claims were found good, so that the next request with one costs a hash and a look.
//!
//! Remembered by the SHA-256 of the whole token, which holds its `kid`, with the key that verified it: when the key is no longer
//! published the memory counts for nothing. What can change before a token expires (its key, its grant) is asked each time; what
//! cannot (signature, issuer, audience) is not. Bounded: a full shard first drops what expired, then somebody at random.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::digest;
use oauth_types::Timestamp;

use crate::{caller::Caller, keys::Key};

/// Enough that as many cores seldom meet at one lock.
const SHARDS: usize = 16;

/// The SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name([u8; 32]);

impl Name {
    pub(crate) fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }
}

// The name is a hash already: nobody can choose it without finding collisions of SHA-256, so eight bytes of it are a fine hash.
impl std::hash::Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_ne_bytes(first));
    }
}

#[derive(Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

struct Memory {
    caller: Caller,
    key: Arc<Key>,
}

type Shard = HashMap<Name, Memory, BuildHasherDefault<AsItIs>>;

pub(crate) struct Verified {
    shards: [Mutex<Shard>; SHARDS],
    shard_max: usize,
}

impl Verified {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), shard_max: entries_max.div_ceil(SHARDS) }
    }

    /// The caller of a token that was verified before, if it has not expired and `holds` its key.
    pub(crate) fn find(&self, name: &Name, now: Timestamp, holds: impl FnOnce(&Arc<Key>) -> bool) -> Option<Caller> {
        let mut shard = self.shard(name);
        let memory = shard.get(name)?;
        if now < memory.caller.expires_at() && holds(&memory.key) {
            return Some(memory.caller.clone());
        }
        // The long way tells why.
        shard.remove(name);
        None
    }

    pub(crate) fn remember(&self, name: Name, caller: Caller, key: Arc<Key>) {
        if self.shard_max == 0 {
            return;
        }
        let mut shard = self.shard(&name);
        if shard.len() >= self.shard_max && !shard.contains_key(&name) {
            // The newcomer's own issue time stands for now: what expired before it was made is surely past.
            let now = caller.issued_at();
            shard.retain(|_, memory| now < memory.caller.expires_at());
            // Names are random, so the first one met is somebody at random.
            while shard.len() >= self.shard_max {
                let Some(victim) = shard.keys().next().copied() else { break };
                shard.remove(&victim);
            }
        }
        shard.insert(name, Memory { caller, key });
    }

    /// Drops what expired and what was verified with a key that is gone.
    pub(crate) fn forget(&self, now: Timestamp, holds: impl Fn(&Arc<Key>) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, memory| now < memory.caller.expires_at() && holds(&memory.key));
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }

    fn shard(&self, name: &Name) -> MutexGuard<'_, Shard> {
        // The last byte: the first eight choose the place within the shard.
        let place = usize::from(name.0[31]) % SHARDS;
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use oauth_types::{ClientId, Scope, Subject};

    use super::*;
    use crate::{caller::Facts, keys::KeySet};

    /// RFC 8037 Appendix A.2.
    const SET: &[u8] = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    fn key() -> Arc<Key> {
        KeySet::read(SET, None).unwrap().find("k1").unwrap()
    }

    fn caller(issued_at: i64) -> Caller {
        Caller::new(Facts {
            subject: Subject::parse("ada").unwrap(),
            client_id: ClientId::parse("c1").unwrap(),
            scope: Scope::default(),
            grant_id: "g".to_owned(),
            token_jti: "t".to_owned(),
            sid: None,
            auth_time: None,
            issued_at: Timestamp(issued_at),
            expires_at: Timestamp(issued_at + 600),
            unended_at: 0.into(),
        })
    }

    #[test]
    fn the_memory_is_bounded_and_expired_tokens_leave_first() {
        let verified = Verified::new(160);
        let key = key();
        for n in 0..2_000 {
            verified.remember(Name::of(&format!("old-{n}")), caller(0), Arc::clone(&key));
        }
        assert_eq!(verified.len(), 160);
        let newcomers: Vec<_> = (0..16).map(|n| Name::of(&format!("new-{n}"))).collect();
        for name in &newcomers {
            verified.remember(*name, caller(600), Arc::clone(&key));
        }
        let found = newcomers.iter().filter(|name| verified.find(name, Timestamp(700), |_| true).is_some()).count();
        assert_eq!(found, 16, "the expired ones made room");
    }

    #[test]
    fn a_token_is_found_while_it_lives_and_its_key_is_published() {
        let (verified, name) = (Verified::new(16), Name::of("token"));
        verified.remember(name, caller(0), key());
        assert!(verified.find(&name, Timestamp(599), |_| true).is_some());
        assert!(verified.find(&Name::of("other"), Timestamp(0), |_| true).is_none());
        assert!(verified.find(&name, Timestamp(600), |_| true).is_none());
        assert_eq!(verified.len(), 0, "who expired leaves");
        verified.remember(name, caller(0), key());
        assert!(verified.find(&name, Timestamp(0), |_| false).is_none());
        verified.remember(name, caller(0), key());
        verified.forget(Timestamp(0), |_| true);
        assert_eq!(verified.len(), 1);
        verified.forget(Timestamp(0), |_| false);
        assert_eq!(verified.len(), 0);
    }

    /// A set that is read again keeps its objects, or every refresh would forget every token.
    #[test]
    fn a_key_that_stayed_the_same_stays_the_same_object() {
        let first = KeySet::read(SET, None).unwrap();
        let again = KeySet::read(SET, Some(&first)).unwrap();
        assert!(again.holds(&first.find("k1").unwrap()));
        assert!(!again.holds(&key()), "another reading without the first is another object");
    }
}
