//! The set-based statements of a group: one text for SQLite and PostgreSQL each.
//!
//! `$1` is the group's JSON (plan.rs says what stands in which place), `$2` the time. The `WHERE` of each repeats the compare-and-set.

/// The kinds of statement, in the order in which they run. Counters come last: their rows are held for the shortest time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Approve,
    Touch,
    Redeem,
    Rotate,
    Again,
    End,
    Register,
    Audit,
    Raise,
    Ended,
}

impl Kind {
    pub(super) const ALL: [Self; 10] = [
        Self::Approve,
        Self::Touch,
        Self::Redeem,
        Self::Rotate,
        Self::Again,
        Self::End,
        Self::Register,
        Self::Audit,
        Self::Raise,
        Self::Ended,
    ];

    /// Its text.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Approve => {
                "INSERT INTO grants (grant_id, client_id, subject, resource, scope, redirect_uri, redirect_uri_sent, upstream_session,
    auth_time, nonce, code_hash, code_challenge, code_expires_at, created_at, expires_at, generation, answered_again)
  SELECT j.value->>5, j.value->>3, j.value->>4, j.value->>10, j.value->>11, j.value->>12, j.value->>13 = '1', j.value->>14,
    CAST(j.value->>15 AS BIGINT), j.value->>16, j.value->>17, j.value->>18, CAST(j.value->>19 AS BIGINT), CAST(j.value->>20 AS BIGINT),
    CAST(j.value->>21 AS BIGINT), 0, 0
  FROM json_each($1) AS j WHERE j.value->>0 = 'a'"
            }
            // Once a day is enough to tell a client in use from one that never was.
            Self::Touch => {
                "UPDATE clients SET last_used_at = $2 FROM json_each($1) AS j
  WHERE j.value->>0 = 'a' AND client_id = j.value->>3 AND (last_used_at IS NULL OR last_used_at < $2 - 86400)"
            }
            Self::Redeem => {
                "UPDATE grants SET code_used_at = $2, last_used_at = $2, generation = CAST(j.value->>11 AS BIGINT),
    refresh_hash = j.value->>12, refresh_expires_at = CAST(j.value->>13 AS BIGINT)
  FROM json_each($1) AS j
  WHERE j.value->>0 = 'd' AND grant_id = j.value->>5 AND code_hash = j.value->>10 AND code_used_at IS NULL AND ended_at IS NULL"
            }
            Self::Rotate => {
                "UPDATE grants SET previous_hash = refresh_hash, refresh_hash = j.value->>11, successor_sealed = j.value->>12,
    refresh_expires_at = CAST(j.value->>13 AS BIGINT), generation = generation + 1, rotated_at = $2, answered_again = 0, last_used_at = $2
  FROM json_each($1) AS j
  WHERE j.value->>0 = 'r' AND grant_id = j.value->>5 AND refresh_hash = j.value->>10 AND ended_at IS NULL"
            }
            Self::Again => {
                "UPDATE grants SET answered_again = answered_again + 1, last_used_at = $2
  FROM json_each($1) AS j
  WHERE j.value->>0 = 'o' AND grant_id = j.value->>5 AND previous_hash = j.value->>10 AND ended_at IS NULL"
            }
            Self::End => {
                "UPDATE grants SET ended_at = $2, end_reason = j.value->>6
  FROM json_each($1) AS j WHERE j.value->>0 = 'e' AND grant_id = j.value->>5 AND ended_at IS NULL"
            }
            Self::Register => {
                "INSERT INTO clients (client_id, kind, name, redirect_uris, auth_method, secret_hash, secret_expires_at, grant_types, scope,
    registration_token_hash, metadata, metadata_digest, created_at)
  SELECT j.value->>3, j.value->>10, j.value->>11, j.value->>12, j.value->>13, j.value->>14, CAST(j.value->>15 AS BIGINT), j.value->>16,
    j.value->>17, j.value->>18, j.value->>19, j.value->>20, CAST(j.value->>21 AS BIGINT)
  FROM json_each($1) AS j WHERE j.value->>0 = 'c'"
            }
            Self::Audit => {
                "INSERT INTO audit (audit_id, at, event, client_id, subject, grant_id, reason, reference, source_ip, detail)
  SELECT j.value->>1, $2, j.value->>2, j.value->>3, j.value->>4, j.value->>5, j.value->>6, j.value->>7, j.value->>8, j.value->>9
  FROM json_each($1) AS j WHERE $2 > 0"
            }
            Self::Raise => {
                "UPDATE counters SET value = value + (SELECT count(*) FROM json_each($1) AS j WHERE j.value->>0 IN ('e', 'x'))
  WHERE name = 'ended' AND $2 > 0"
            }
            Self::Ended => {
                "INSERT INTO ended (number, kind, hash, forget_after)
  SELECT c.value - CAST(j.value->>10 AS BIGINT), j.value->>11, j.value->>12, CAST(j.value->>13 AS BIGINT)
  FROM json_each($1) AS j JOIN counters AS c ON c.name = 'ended' WHERE j.value->>0 IN ('e', 'x') AND $2 > 0
  RETURNING number, kind, hash, born_before, forget_after"
            }
        }
    }
}
