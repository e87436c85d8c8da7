//! When a key is born, begins to sign, and is forgotten.
//!
//! Owns the times and nothing else: pure functions over what the store keeps. A key is published before it signs, so that every
//! resource has fetched it when its first token arrives, and it is kept after the last token it signed has expired
//! (spec-and-clients 3.4, item 70). Two replicas that ask at the same moment get the same answer.

use oauth_types::{Timestamp, Ttl};

/// Resources keep a key set about this long; a key stays published that much longer than the last token it made.
pub(super) const KEY_SET_CACHED: Ttl = Ttl(3_600);

/// The times that the operator chose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) rotate_after: Ttl,
    pub(super) publish_before: Ttl,
    /// Longest life of a token, and [`KEY_SET_CACHED`].
    pub(super) keep_after: Ttl,
}

/// A key in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) active_from: Timestamp,
    pub(super) retire_at: Option<Timestamp>,
}

/// Why a new key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// The usual way: published first, signing later, the old one kept until its last token is past.
    Announced,
    /// The old key is in wrong hands: the new one signs at once and nothing made with the old one is believed any more.
    Compromised,
}

impl Schedule {
    /// Must the next key be born now? The time from which it signs.
    pub(super) fn due(self, newest: Span, now: Timestamp) -> Option<Timestamp> {
        let takes_over = newest.active_from + self.rotate_after;
        (now >= takes_over - self.publish_before).then(|| takes_over.max(now + self.publish_before))
    }

    /// A new key because somebody said so: when it begins, and when the keys before it are forgotten.
    pub(super) fn ordered(self, urgency: Urgency, newest: Option<Span>, now: Timestamp) -> (Timestamp, Timestamp) {
        match urgency {
            Urgency::Announced => {
                // After every other key, announced ones too: of two keys the one that begins later signs.
                let after_others = newest.map_or(now, |newest| newest.active_from + Ttl(1));
                let begins = after_others.max(now + self.publish_before);
                (begins, self.forgotten(begins))
            }
            Urgency::Compromised => (now, now),
        }
    }

    /// When the predecessor of a key that begins then is forgotten.
    pub(super) fn forgotten(self, successor_begins: Timestamp) -> Timestamp {
        successor_begins + self.keep_after
    }
}

/// Which of these keys signs now: the one that began last, and lives. If all are yet to begin (a clock went back), the first.
pub(super) fn signer(spans: impl Iterator<Item = Span> + Clone, now: Timestamp) -> Option<usize> {
    let live = spans.enumerate().filter(|(_, span)| span.retire_at.is_none_or(|at| now < at));
    let begun = live.clone().filter(|(_, span)| span.active_from <= now).max_by_key(|(_, span)| span.active_from);
    begun.or_else(|| live.min_by_key(|(_, span)| span.active_from)).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCHEDULE: Schedule = Schedule { rotate_after: Ttl(1_000), publish_before: Ttl(100), keep_after: Ttl(50) };

    fn span(active_from: i64, retire_at: Option<i64>) -> Span {
        Span { active_from: Timestamp(active_from), retire_at: retire_at.map(Timestamp) }
    }

    #[test]
    fn a_key_is_born_before_it_is_needed() {
        assert_eq!(SCHEDULE.due(span(0, None), Timestamp(899)), None);
        assert_eq!(SCHEDULE.due(span(0, None), Timestamp(900)), Some(Timestamp(1_000)));
        // Asleep for a long time: it is still published first.
        assert_eq!(SCHEDULE.due(span(0, None), Timestamp(5_000)), Some(Timestamp(5_100)));
    }

    #[test]
    fn a_published_key_does_not_sign_before_its_time() {
        let keys = [span(0, Some(1_050)), span(1_000, None)];
        assert_eq!(signer(keys.into_iter(), Timestamp(999)), Some(0));
        assert_eq!(signer(keys.into_iter(), Timestamp(1_000)), Some(1));
    }

    #[test]
    fn a_retired_key_never_signs() {
        assert_eq!(signer([span(0, Some(10))].into_iter(), Timestamp(10)), None);
        assert_eq!(signer([span(0, Some(10)), span(10, None)].into_iter(), Timestamp(10)), Some(1));
    }

    #[test]
    fn a_key_in_wrong_hands_is_forgotten_at_once() {
        let announced = Some(span(50, None));
        assert_eq!(SCHEDULE.ordered(Urgency::Compromised, announced, Timestamp(7)), (Timestamp(7), Timestamp(7)));
        assert_eq!(SCHEDULE.ordered(Urgency::Announced, announced, Timestamp(7)), (Timestamp(107), Timestamp(157)));
    }

    #[test]
    fn a_key_that_is_ordered_begins_after_every_other() {
        let announced = Some(span(500, None));
        assert_eq!(SCHEDULE.ordered(Urgency::Announced, announced, Timestamp(7)).0, Timestamp(501));
        assert_eq!(SCHEDULE.ordered(Urgency::Announced, None, Timestamp(7)).0, Timestamp(107));
    }

    proptest! {
        /// Item 70: whoever looks, whenever: exactly one key signs, and every key that signed within the last token's life is published.
        #[test]
        fn a_schedule_that_is_followed_never_leaves_a_token_without_its_key(ticks in proptest::collection::vec(1i64..400, 1..200)) {
            let mut keys = vec![span(0, None)];
            let mut signed: Vec<(i64, usize)> = Vec::new();
            let mut now = 0;
            for tick in ticks {
                now += tick;
                let newest = keys.len() - 1;
                if let Some(begins) = SCHEDULE.due(keys[newest], Timestamp(now)) {
                    prop_assert!(begins.0 >= now + SCHEDULE.publish_before.0);
                    keys[newest].retire_at = Some(SCHEDULE.forgotten(begins));
                    keys.push(span(begins.0, None));
                }
                let signer = signer(keys.iter().copied(), Timestamp(now));
                prop_assert!(signer.is_some());
                signed.push((now, signer.unwrap()));
                for (at, place) in &signed {
                    let lives = now - at < SCHEDULE.keep_after.0;
                    prop_assert!(!lives || keys[*place].retire_at.is_none_or(|retire| now < retire.0));
                }
            }
        }
    }
}
