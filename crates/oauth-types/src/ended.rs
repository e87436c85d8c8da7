//! What ended while an access token of its may still live, as the guards of resources follow it.
//!
//! Access tokens are not stored, so an early ending must be told. The authorization server publishes it as JSON lines, one
//! [`EndedEntry`] each, numbered without gaps in commit order; a guard keeps an [`EndedList`] and asks it at every request. Names
//! travel hashed: a resource learns about the tokens it is shown and about nobody else's. An entry is forgotten when the last access
//! token that it covers has run out; the ending itself stands in the authorization server's own rows.

use std::{collections::HashMap, fmt};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Timestamp;

/// What ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedKind {
    /// One grant, with everything that stands on it.
    Grant,
    /// One access token, by its `jti`.
    Token,
    /// Everything of a client up to a moment.
    Client,
    /// Everything of a person up to a moment.
    Subject,
    /// Everything that stands on one sign-in upstream, up to a moment.
    UpstreamSession,
}

impl EndedKind {
    const ALL: [Self; 5] = [Self::Grant, Self::Token, Self::Client, Self::Subject, Self::UpstreamSession];

    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Token => "token",
            Self::Client => "client",
            Self::Subject => "subject",
            Self::UpstreamSession => "upstream_session",
        }
    }

    /// From its name on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for EndedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The first 16 bytes of SHA-256(kind ":" id).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndedHash([u8; 16]);

/// The hash under which the ending of `id` is told.
pub fn ended_hash(kind: EndedKind, id: &str) -> EndedHash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(kind.as_str().as_bytes());
    context.update(b":");
    context.update(id.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&context.finish().as_ref()[..16]);
    EndedHash(bytes)
}

impl EndedHash {
    /// From 22 characters of base64url.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        (URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) == Ok(16)).then_some(Self(bytes))
    }
}

impl fmt::Display for EndedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for EndedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndedHash({self})")
    }
}

impl Serialize for EndedHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EndedHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_text(&text).ok_or_else(|| de::Error::custom("the hash must be 22 characters of base64url"))
    }
}

/// One ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedEntry {
    /// Its place in the order of endings.
    pub number: i64,
    /// What ended.
    pub kind: EndedKind,
    /// Which one.
    pub hash: EndedHash,
    /// For a client, a person or a sign-in: what was issued at this second or before it ended. Absent means everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// When the last token that it covers has run out.
    pub until: i64,
}

/// What of an access token can have ended.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the claims of the same names")]
pub struct AccessFacts<'a> {
    pub grant_id: &'a str,
    pub jti: &'a str,
    pub client_id: &'a str,
    pub sub: &'a str,
    pub sid: Option<&'a str>,
    pub iat: i64,
}

/// Everything that ended and may still matter. A plain value: who shares it brings the lock.
#[derive(Debug, Clone, Default)]
pub struct EndedList {
    by_kind: [HashMap<EndedHash, Span>; EndedKind::ALL.len()],
    last_number: i64,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    /// `i64::MAX` is everything.
    before: i64,
    until: i64,
}

impl EndedList {
    /// Nothing ended yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an ending in. Order does not matter, and twice is once: the wider of two endings of the same thing holds.
    pub fn apply(&mut self, entry: EndedEntry) {
        let new = Span { before: entry.before.unwrap_or(i64::MAX), until: entry.until };
        self.by_kind[entry.kind as usize]
            .entry(entry.hash)
            .and_modify(|span| *span = Span { before: span.before.max(new.before), until: span.until.max(new.until) })
            .or_insert(new);
        self.last_number = self.last_number.max(entry.number);
    }

    /// The highest number that was taken in; zero before the first.
    pub fn last_number(&self) -> i64 {
        self.last_number
    }

    /// Did something end that this token stands on? Nothing is hashed for kinds of which nothing ended.
    pub fn covers(&self, facts: &AccessFacts<'_>) -> bool {
        self.has(EndedKind::Grant, facts.grant_id, facts.iat)
            || self.has(EndedKind::Token, facts.jti, facts.iat)
            || self.has(EndedKind::Client, facts.client_id, facts.iat)
            || self.has(EndedKind::Subject, facts.sub, facts.iat)
            || facts.sid.is_some_and(|sid| self.has(EndedKind::UpstreamSession, sid, facts.iat))
    }

    /// Drops what no living token can stand on.
    pub fn forget(&mut self, now: Timestamp) {
        for ended in &mut self.by_kind {
            ended.retain(|_, span| span.until >= now.0);
        }
    }

    /// How many endings are kept.
    pub fn len(&self) -> usize {
        self.by_kind.iter().map(HashMap::len).sum()
    }

    /// Is nothing kept?
    pub fn is_empty(&self) -> bool {
        self.by_kind.iter().all(HashMap::is_empty)
    }

    fn has(&self, kind: EndedKind, id: &str, issued_at: i64) -> bool {
        let ended = &self.by_kind[kind as usize];
        // At the second of the ending itself we cannot tell which came first; a token refused too much is asked for again.
        !ended.is_empty() && ended.get(&ended_hash(kind, id)).is_some_and(|span| issued_at <= span.before)
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
        let mut list = EndedList::new();
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
            assert!(covers(ended(kind, id, None)), "{kind}");
            assert!(!covers(ended(kind, "another", None)), "{kind}");
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
            let mut list = EndedList::new();
            order.into_iter().for_each(|entry| list.apply(entry));
            assert!(list.covers(&FACTS));
            assert_eq!((list.len(), list.last_number()), (1, 7));
        }
    }

    #[test]
    fn an_ending_is_forgotten_when_its_last_token_is_past() {
        let mut list = EndedList::new();
        list.apply(ended(EndedKind::Grant, "g1", None));
        list.forget(Timestamp(2_000));
        assert!(list.covers(&FACTS));
        list.forget(Timestamp(2_001));
        assert!(!list.covers(&FACTS) && list.is_empty());
        assert_eq!(list.last_number(), 1, "what was read is not asked for again");
    }
}
