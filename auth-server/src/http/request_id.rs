//! The short reference of one request: what a person reads out and `portico explain` looks up.
//!
//! It is a name, not a secret. Ten characters of Crockford's base32 carry 50 bits and cannot be misread (no i, l, o, u).

use std::{cell::Cell, fmt};

use actix_web::{HttpMessage, HttpRequest};

use super::trace::Facts;

/// How long a reference is; 50 bits make a clash within one day's log unlikely, and still fit on a phone call.
const LENGTH: usize = 10;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Names one request, in the log, in the answer's `x-request-id` and on the error page.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RequestId([u8; LENGTH]);

impl RequestId {
    fn from_bits(mut bits: u64) -> Self {
        let mut text = [0; LENGTH];
        for place in text.iter_mut().rev() {
            *place = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
        }
        Self(text)
    }

    /// The reference of this request; all zeros where the trace middleware is not mounted.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Facts>().map_or(Self([b'0'; LENGTH]), |facts| facts.id)
    }

    pub(crate) fn as_str(&self) -> &str {
        // Only ASCII comes out of ALPHABET.
        std::str::from_utf8(&self.0).unwrap_or("0000000000")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One worker's row of references: splitmix64 from a random start, so no two workers share a lock or a cache line.
#[derive(Debug)]
pub(super) struct RequestIds(Cell<u64>);

impl RequestIds {
    pub(super) fn new() -> Self {
        Self(Cell::new(u64::from_le_bytes(crate::secret::fresh_bytes())))
    }

    pub(super) fn next(&self) -> RequestId {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        RequestId::from_bits(bits ^ (bits >> 31))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn references_are_short_readable_and_do_not_repeat() {
        let ids = RequestIds::new();
        let seen: HashSet<_> = (0..10_000).map(|_| ids.next()).collect();
        assert_eq!(seen.len(), 10_000);
        assert!(seen.iter().all(|id| id.as_str().len() == 10 && id.as_str().bytes().all(|byte| ALPHABET.contains(&byte))));
    }

    #[test]
    fn two_workers_walk_different_rows() {
        assert_ne!(RequestIds::new().next(), RequestIds::new().next());
    }
}
