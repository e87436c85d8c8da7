//! The statements of a group: one text each, walked in two ways.
//!
//! A text says `{5}` for what stands in place 5 of an element (elements.rs), `{now}` for the time, and `{each}` where it begins to say
//! which elements it is about; what it inserts stands between `{rows}` and `{end}`, with `by 5` in that order. For PostgreSQL that becomes a set, `FROM json_each($1)`, for a call there is a journey. For SQLite it
//! becomes a parameter, and the prepared statement runs once an element: there a call costs less than reading JSON. The `WHERE` of
//! each repeats the compare-and-set. What it inserts it says with `VALUES`: behind a `SELECT` SQLite expects many rows and copies each
//! page beforehand, to take the first ones back if a later one fails.

use std::{fmt::Write as _, sync::OnceLock};

/// The kinds of statement, in the order in which they run. The counter of endings comes last: its row is held for the shortest time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Redeem,
    Touch,
    Rotate,
    Again,
    End,
    Register,
    Audit,
    Ended,
}

/// How a text is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    /// All elements at once: `$1` is their JSON, `$2` the time.
    Set,
    /// One element a run: `$1` is the time, then its places.
    Row,
}

/// Raises the counter by all endings of the group at once; each takes its own number back from the end.
pub(super) const RAISE: &str = "UPDATE counters SET value = value + $1 WHERE name = 'ended'";

impl Kind {
    pub(super) const ALL: [Self; 8] =
        [Self::Redeem, Self::Touch, Self::Rotate, Self::Again, Self::End, Self::Register, Self::Audit, Self::Ended];

    /// The letters of the elements that it is about.
    pub(super) fn letters(self) -> &'static str {
        match self {
            Self::Redeem | Self::Touch => "d",
            Self::Rotate => "r",
            Self::Again => "o",
            Self::End => "e",
            Self::Register => "c",
            Self::Ended => "ex",
            Self::Audit => "droecx",
        }
    }

    /// Its text for this walk. There are few, and each is made once.
    pub(super) fn sql(self, walk: Walk) -> &'static str {
        static TEXTS: OnceLock<[[String; 2]; Kind::ALL.len()]> = OnceLock::new();
        let texts = TEXTS.get_or_init(|| Self::ALL.map(|kind| [Walk::Set, Walk::Row].map(|walk| rendered(kind, walk))));
        &texts[self as usize][walk as usize]
    }

    fn text(self) -> &'static str {
        match self {
            // Once a day is enough to tell a client in use from one that never was.
            Self::Touch => {
                "UPDATE clients SET last_used_at = {now} {each} AND client_id = {3}
    AND (last_used_at IS NULL OR last_used_at < {now} - 86400)"
            }
            // Two replicas that insert the same grants insert them in the same order.
            Self::Redeem => {
                "INSERT INTO grants (grant_id, client_id, subject, resource, scope, redirect_uri, upstream_session, auth_time, created_at,
    redeemed_at, expires_at, last_used_at, generation, refresh_hash, refresh_expires_at, answered_again)
  {rows} {5}, {3}, {4}, {10}, {11}, {12}, {13}, CAST({14} AS BIGINT), CAST({15} AS BIGINT), {now},
    CAST({16} AS BIGINT), {now}, CAST({17} AS BIGINT), {18}, CAST({19} AS BIGINT), 0 {end by 5} ON CONFLICT (grant_id) DO NOTHING"
            }
            Self::Rotate => {
                "UPDATE grants SET previous_hash = refresh_hash, refresh_hash = {11}, successor_sealed = {12},
    refresh_expires_at = CAST({13} AS BIGINT), generation = generation + 1, rotated_at = {now}, answered_again = 0, last_used_at = {now}
  {each} AND grant_id = {5} AND refresh_hash = {10} AND ended_at IS NULL"
            }
            Self::Again => {
                "UPDATE grants SET answered_again = answered_again + 1, last_used_at = {now}
  {each} AND grant_id = {5} AND previous_hash = {10} AND ended_at IS NULL"
            }
            Self::End => "UPDATE grants SET ended_at = {now}, end_reason = {6} {each} AND grant_id = {5} AND ended_at IS NULL",
            Self::Register => {
                "INSERT INTO clients (client_id, kind, name, redirect_uris, auth_method, secret_hash, secret_expires_at, grant_types, scope,
    registration_token_hash, metadata, metadata_digest, created_at)
  {rows} {3}, {10}, {11}, {12}, {13}, {14}, CAST({15} AS BIGINT), {16}, {17}, {18}, {19}, {20}, CAST({21} AS BIGINT) {end}"
            }
            Self::Audit => {
                "INSERT INTO audit (audit_id, at, event, client_id, subject, grant_id, reason, reference, source_ip, detail)
  {rows} {1}, {now}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9} {end}"
            }
            Self::Ended => {
                "INSERT INTO ended (number, kind, hash, forget_after)
  {rows} (SELECT value FROM counters WHERE name = 'ended') - CAST({10} AS BIGINT), {11}, {12}, CAST({13} AS BIGINT) {end}
  RETURNING number, kind, hash, born_before, forget_after"
            }
        }
    }
}

fn rendered(kind: Kind, walk: Walk) -> String {
    let letters: Vec<String> = kind.letters().chars().map(|letter| format!("'{letter}'")).collect();
    let each = format!("FROM json_each($1) AS j WHERE $2 > 0 AND j.value->>0 IN ({})", letters.join(", "));
    let mut pieces = kind.text().split('{');
    let mut sql = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (word, rest) = piece.split_once('}').unwrap_or((piece, ""));
        match (word.parse::<usize>(), word, walk) {
            (Ok(place), _, Walk::Set) => {
                let _infallible = write!(sql, "(j.value->>{place})");
            }
            (Ok(place), _, Walk::Row) => {
                let _infallible = write!(sql, "${}", place + 1);
            }
            (_, "each", Walk::Set) => sql.push_str(&each),
            (_, "each", Walk::Row) => sql.push_str("WHERE true"),
            (_, "rows", Walk::Set) => sql.push_str("SELECT"),
            (_, "rows", Walk::Row) => sql.push_str("VALUES ("),
            (_, "end" | "end by 5", Walk::Row) => sql.push(')'),
            (_, "end", Walk::Set) => sql.push_str(&each),
            (_, "end by 5", Walk::Set) => {
                let _infallible = write!(sql, "{each} ORDER BY (j.value->>5)");
            }
            (_, _, Walk::Set) => sql.push_str("$2"),
            (_, _, Walk::Row) => sql.push_str("$1"),
        }
        sql.push_str(rest);
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_becomes_a_set_or_a_row() {
        assert_eq!(
            Kind::End.sql(Walk::Set),
            "UPDATE grants SET ended_at = $2, end_reason = (j.value->>6) FROM json_each($1) AS j WHERE $2 > 0 AND j.value->>0 IN ('e') \
             AND grant_id = (j.value->>5) AND ended_at IS NULL"
        );
        assert_eq!(
            Kind::End.sql(Walk::Row),
            "UPDATE grants SET ended_at = $1, end_reason = $7 WHERE true AND grant_id = $6 AND ended_at IS NULL"
        );
    }

    /// An element whose letter no statement names would be acknowledged and never written.
    #[test]
    fn every_event_is_written_down_and_does_something_besides() {
        for letter in Kind::Audit.letters().chars() {
            assert!(Kind::ALL.into_iter().any(|kind| kind != Kind::Audit && kind.letters().contains(letter)), "{letter}");
        }
        for kind in Kind::ALL {
            assert!(kind.letters().chars().all(|letter| Kind::Audit.letters().contains(letter)), "{kind:?}");
            for walk in [Walk::Set, Walk::Row] {
                assert!(!kind.sql(walk).contains(['{', '}']), "{}", kind.sql(walk));
            }
        }
    }
}
