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
