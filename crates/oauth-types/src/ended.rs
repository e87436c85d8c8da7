//! What ended while an access token of it may still live.
//!
//! An ending always also stands in the row that ended, for good. This list only tells every process quickly, and forgets when the last
//! access token is past. Guards follow it over HTTP as JSON lines of [`EndedEntry`].

use std::collections::HashMap;

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What an ending is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedKind {
    /// One grant.
    Grant,
    /// One access token, by `jti`.
    Token,
    /// Everything of a client.
    Client,
    /// Everything of a person.
    Subject,
    /// Everything of one sign-in.
    UpstreamSession,
}

impl EndedKind {
    /// Every kind there is.
    pub const ALL: [Self; 5] = [Self::Grant, Self::Token, Self::Client, Self::Subject, Self::UpstreamSession];

    /// Its name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Token => "token",
            Self::Client => "client",
            Self::Subject => "subject",
            Self::UpstreamSession => "upstream_session",
        }
    }

    /// Reads its name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The first half of the SHA-256 of kind and id: a reader of the feed learns no ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EndedHash([u8; 16]);

impl EndedHash {
    /// Of this thing.
    pub fn of(kind: EndedKind, id: &str) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(kind.as_str().as_bytes());
        context.update(b":");
        context.update(id.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&context.finish().as_ref()[..16]);
        Self(bytes)
    }

    /// Its text.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads its text.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl Serialize for EndedHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for EndedHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::from_text(&text).ok_or_else(|| serde::de::Error::custom("not 16 bytes of base64url"))
    }
}

/// The hash under which an ending of this thing is listed.
pub fn ended_hash(kind: EndedKind, id: &str) -> EndedHash {
    EndedHash::of(kind, id)
}

/// One line of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedEntry {
    /// Where in the feed. Raised in the transaction that ended the thing, so no number appears late.
    pub number: i64,
    /// What it is about.
    pub kind: EndedKind,
    /// Which one.
    pub hash: EndedHash,
    /// For a client, person or sign-in: tokens made at or before this second ended; later ones are good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// When it may be forgotten: the last token that it concerns has expired.
    pub until: i64,
}

/// What of a token an ending may be about.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "as in AccessClaims")]
pub struct AccessFacts<'a> {
    pub grant_id: &'a str,
    pub jti: &'a str,
    pub client_id: &'a str,
    pub sub: &'a str,
    pub sid: Option<&'a str>,
    pub iat: i64,
}

#[derive(Debug, Clone, Copy)]
struct Ending {
    before: i64,
    until: i64,
}

/// The endings that still matter. A plain value: who shares it brings the lock.
#[derive(Debug, Clone, Default)]
pub struct EndedList {
    last: i64,
    kinds: [HashMap<EndedHash, Ending>; 5],
}

impl EndedList {
    /// Takes a line of the feed; in any order, and again.
    pub fn apply(&mut self, entry: EndedEntry) {
        self.last = self.last.max(entry.number);
        let before = entry.before.unwrap_or(i64::MAX);
        let ending = self.kinds[entry.kind as usize].entry(entry.hash).or_insert(Ending { before, until: entry.until });
        ending.before = ending.before.max(before);
        ending.until = ending.until.max(entry.until);
    }

    /// The highest number seen.
    pub fn last_number(&self) -> i64 {
        self.last
    }

    /// Has this token ended? Hashes nothing for a kind of which nothing ended.
    pub fn covers(&self, facts: &AccessFacts<'_>) -> bool {
        let ids = [Some(facts.grant_id), Some(facts.jti), Some(facts.client_id), Some(facts.sub), facts.sid];
        EndedKind::ALL.into_iter().zip(ids).any(|(kind, id)| {
            let endings = &self.kinds[kind as usize];
            let Some(id) = id.filter(|_| !endings.is_empty()) else { return false };
            endings.get(&EndedHash::of(kind, id)).is_some_and(|ending| facts.iat <= ending.before)
        })
    }

    /// Drops what concerns only expired tokens.
    pub fn forget(&mut self, now: Timestamp) {
        for endings in &mut self.kinds {
            endings.retain(|_, ending| ending.until >= now.0);
        }
    }

    /// How many endings are remembered.
    pub fn len(&self) -> usize {
        self.kinds.iter().map(HashMap::len).sum()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FACTS: AccessFacts<'_> = AccessFacts { grant_id: "g1", jti: "t1", client_id: "c1", sub: "ada", sid: Some("s1"), iat: 1_000 };

    fn ended(kind: EndedKind, id: &str, before: Option<i64>) -> EndedEntry {
        EndedEntry { number: 1, kind, hash: ended_hash(kind, id), before, until: 2_000 }
    }

    fn covers(entry: EndedEntry) -> bool {
        let mut list = EndedList::default();
        list.apply(entry);
        list.covers(&FACTS)
    }

    proptest! {
        #[test]
        fn an_entry_reads_as_it_is_told(number: i64, kind in 0_usize..5, id in ".{0,20}", before: Option<i64>, until: i64) {
            let kind = EndedKind::ALL[kind];
            let entry = EndedEntry { number, kind, hash: ended_hash(kind, &id), before, until };
            let line = serde_json::to_string(&entry).unwrap();
            prop_assert!(!line.contains("null"));
            prop_assert_eq!(serde_json::from_str::<EndedEntry>(&line).unwrap(), entry);
            prop_assert_eq!(EndedKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn a_token_ends_with_everything_that_it_stands_on() {
        for (kind, id) in [
            (EndedKind::Grant, "g1"),
            (EndedKind::Token, "t1"),
            (EndedKind::Client, "c1"),
            (EndedKind::Subject, "ada"),
            (EndedKind::UpstreamSession, "s1"),
        ] {
            assert!(covers(ended(kind, id, None)), "{kind:?}");
            assert!(!covers(ended(kind, "another", None)), "{kind:?}");
        }
        assert!(!covers(ended(EndedKind::Grant, "t1", None)), "kinds are not mixed up");
    }

    #[test]
    fn what_was_issued_after_an_ending_lives() {
        assert!(covers(ended(EndedKind::Subject, "ada", Some(1_001))));
        assert!(covers(ended(EndedKind::Subject, "ada", Some(1_000))));
        assert!(!covers(ended(EndedKind::Subject, "ada", Some(999))));
    }

    #[test]
    fn the_wider_of_two_endings_holds_in_any_order() {
        let (early, late) =
            (ended(EndedKind::Client, "c1", Some(500)), EndedEntry { number: 7, ..ended(EndedKind::Client, "c1", Some(1_500)) });
        for order in [[early, late], [late, early]] {
            let mut list = EndedList::default();
            order.into_iter().for_each(|entry| list.apply(entry));
            assert!(list.covers(&FACTS));
            assert_eq!((list.len(), list.last_number()), (1, 7));
        }
    }

    #[test]
    fn an_ending_is_forgotten_when_its_last_token_is_past() {
        let mut list = EndedList::default();
        list.apply(ended(EndedKind::Grant, "g1", None));
        list.forget(Timestamp(2_000));
        assert!(list.covers(&FACTS));
        list.forget(Timestamp(2_001));
        assert!(!list.covers(&FACTS) && list.is_empty());
        assert_eq!(list.last_number(), 1, "what was read is not asked for again");
    }
}
