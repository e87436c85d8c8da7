//! Grants: what a person allowed a client, for a resource and a scope.
//!
//! One row a grant. It holds the one code that the approval made (used or not: the tombstone is `code_used_at`) and the whole refresh
//! family: the newest token's hash and, while the overlap lasts, the one before and its sealed successor. So a redemption and a
//! rotation are each one compare-and-set on one row found by its key, and nothing grows with use. The writes themselves are
//! [`Change`](super::change)s; here are the row and how it is read.

use oauth_types::{
    ClientId, CodeChallenge, GrantFault, GrantId, RedirectUri, ResourceUri, Scope, Subject, Timestamp, TokenHash, UpstreamSessionId,
};

use super::{
    Store, StoreError,
    clients::named,
    db::{Row, Value},
};

/// Why something ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// RFC 7009, by the client itself.
    RevokedByClient,
    /// By the person.
    RevokedByPerson,
    /// By an operator.
    RevokedByOperator,
    /// The code came a second time, with its proof (OAuth 2.1 §4.1.3).
    CodeReplayed,
    /// An old refresh token came again (RFC 9700 §4.14.2).
    RefreshReused,
    /// The person signed out at the provider.
    SignedOut,
    /// The rules leave the person nothing of what they allowed.
    NothingAllowed,
}
named!(pub EndReason {
    RevokedByClient = "revoked_by_client",
    RevokedByPerson = "revoked_by_person",
    RevokedByOperator = "revoked_by_operator",
    CodeReplayed = "code_replayed",
    RefreshReused = "refresh_reused",
    SignedOut = "signed_out",
    NothingAllowed = "nothing_allowed",
});

/// A grant as it stands in the store, and whether what it hangs on still stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the columns; migrations/ and docs/storage.md explain each")]
pub struct GrantRow {
    pub grant_id: GrantId,
    pub client_id: ClientId,
    pub subject: Subject,
    pub resource: ResourceUri,
    pub scope: Scope,
    pub redirect_uri: RedirectUri,
    pub redirect_uri_sent: bool,
    pub upstream_session: Option<UpstreamSessionId>,
    pub auth_time: Timestamp,
    pub nonce: Option<String>,
    pub code_hash: TokenHash,
    pub code_challenge: CodeChallenge,
    pub code_expires_at: Timestamp,
    pub code_used_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<EndReason>,
    /// 0 before the first refresh token, whose generation is 1.
    pub generation: u32,
    pub refresh_hash: Option<TokenHash>,
    pub refresh_expires_at: Option<Timestamp>,
    pub previous_hash: Option<TokenHash>,
    pub rotated_at: Option<Timestamp>,
    pub answered_again: i64,
    pub successor_sealed: Option<String>,
    /// The client was deleted.
    pub client_ended: bool,
    /// The person was disabled, or signed out everywhere, after this grant was born.
    pub subject_ended: bool,
    /// The sign-in upstream ended.
    pub upstream_ended: bool,
}

impl GrantRow {
    /// Did it end, by itself or with what it hangs on? Expiry is another question.
    pub fn is_ended(&self) -> bool {
        self.ended_at.is_some() || self.client_ended || self.subject_ended || self.upstream_ended
    }

    /// Nothing when it stands; expiry is another question.
    ///
    /// # Errors
    /// What ended: the grant itself, or what it hangs on.
    pub fn stands(&self) -> Result<(), GrantFault> {
        let endings = [
            (self.ended_at.is_some(), GrantFault::GrantEnded),
            (self.client_ended, GrantFault::ClientEnded),
            (self.subject_ended, GrantFault::SubjectDisabled),
            (self.upstream_ended, GrantFault::UpstreamEnded),
        ];
        endings.into_iter().find(|(ended, _)| *ended).map_or(Ok(()), |(_, fault)| Err(fault))
    }
}

/// Whose grants to list.
#[derive(Debug, Clone, Copy)]
pub enum GrantsOf<'a> {
    /// A person's.
    Subject(&'a Subject),
    /// A client's.
    Client(&'a ClientId),
}

/// The columns of a grant in the order of [`GrantReader::read`]; the last says in three bits what it hangs on that ended.
macro_rules! grant_columns {
    () => {
        "g.grant_id, g.client_id, g.subject, g.resource, g.scope, g.redirect_uri, g.redirect_uri_sent, g.upstream_session, g.auth_time,
    g.nonce, g.code_hash, g.code_challenge, g.code_expires_at, g.code_used_at, g.created_at, g.expires_at, g.last_used_at, g.ended_at,
    g.end_reason, g.generation, g.refresh_hash, g.refresh_expires_at, g.previous_hash, g.rotated_at, g.answered_again, g.successor_sealed,
    CAST(CASE WHEN c.ended_at IS NOT NULL OR c.ended_before >= g.created_at THEN 1 ELSE 0 END
       + CASE WHEN s.disabled_at IS NOT NULL OR s.ended_before >= g.created_at THEN 2 ELSE 0 END
       + CASE WHEN u.ended_at IS NOT NULL THEN 4 ELSE 0 END AS BIGINT)"
    };
}
/// What a grant hangs on.
macro_rules! grant_joins {
    () => {
        "LEFT JOIN clients AS c ON c.client_id = g.client_id
  LEFT JOIN subjects AS s ON s.subject = g.subject
  LEFT JOIN upstream_sessions AS u ON u.upstream_session = g.upstream_session"
    };
}
pub(super) use {grant_columns, grant_joins};

pub(super) const GRANT: &str = concat!("SELECT ", grant_columns!(), " FROM grants AS g ", grant_joins!(), " WHERE g.grant_id = $1");
const OF_SUBJECT: &str = concat!(
    "SELECT ",
    grant_columns!(),
    " FROM grants AS g ",
    grant_joins!(),
    " WHERE g.subject = $1 AND g.grant_id > $2 ORDER BY g.grant_id LIMIT $3"
);
const OF_CLIENT: &str = concat!(
    "SELECT ",
    grant_columns!(),
    " FROM grants AS g ",
    grant_joins!(),
    " WHERE g.client_id = $1 AND g.grant_id > $2 ORDER BY g.grant_id LIMIT $3"
);

impl Store {
    /// The grant of this id.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn grant(&self, id: &GrantId) -> Result<Option<GrantRow>, StoreError> {
        let row = self.0.readers.row(GRANT, &[Value::Text(&id.text())]).await?;
        row.map(|row| read(&row)).transpose()
    }

    /// A page of grants, oldest first, after this one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn grants_of(&self, whose: GrantsOf<'_>, after: Option<GrantId>, limit: i64) -> Result<Vec<GrantRow>, StoreError> {
        let after = after.map_or_else(String::new, |id| id.to_string());
        let (sql, of) = match whose {
            GrantsOf::Subject(subject) => (OF_SUBJECT, subject.as_str()),
            GrantsOf::Client(client) => (OF_CLIENT, client.as_str()),
        };
        self.0.readers.rows(sql, &[Value::Text(of), Value::Text(&after), Value::Int(limit)]).await?.iter().map(read).collect()
    }
}

/// Reads the columns of [`grant_columns`].
pub(super) fn read(row: &Row) -> Result<GrantRow, StoreError> {
    let corrupt = |column| StoreError::Corrupt { column };
    let hung = row.int(26)?;
    Ok(GrantRow {
        grant_id: GrantId::parse(row.text(0)?).map_err(|_| corrupt("grant_id"))?,
        client_id: ClientId::from_trusted(row.text(1)?),
        subject: Subject::from_trusted(row.text(2)?),
        resource: ResourceUri::from_trusted(row.text(3)?),
        scope: Scope::from_trusted(row.text(4)?),
        redirect_uri: RedirectUri::from_trusted(row.text(5)?),
        redirect_uri_sent: row.flag(6)?,
        upstream_session: row.maybe_text(7)?.map(UpstreamSessionId::from_trusted),
        auth_time: Timestamp(row.int(8)?),
        nonce: row.maybe_text(9)?.map(str::to_owned),
        code_hash: hash(row, 10, "code_hash")?.ok_or(corrupt("code_hash"))?,
        code_challenge: CodeChallenge::parse(row.text(11)?).map_err(|_| corrupt("code_challenge"))?,
        code_expires_at: Timestamp(row.int(12)?),
        code_used_at: row.maybe_int(13)?.map(Timestamp),
        created_at: Timestamp(row.int(14)?),
        expires_at: Timestamp(row.int(15)?),
        last_used_at: row.maybe_int(16)?.map(Timestamp),
        ended_at: row.maybe_int(17)?.map(Timestamp),
        end_reason: row.maybe_text(18)?.map(|name| EndReason::parse(name).ok_or(corrupt("end_reason"))).transpose()?,
        generation: u32::try_from(row.int(19)?).map_err(|_| corrupt("generation"))?,
        refresh_hash: hash(row, 20, "refresh_hash")?,
        refresh_expires_at: row.maybe_int(21)?.map(Timestamp),
        previous_hash: hash(row, 22, "previous_hash")?,
        rotated_at: row.maybe_int(23)?.map(Timestamp),
        answered_again: row.int(24)?,
        successor_sealed: row.maybe_text(25)?.map(str::to_owned),
        client_ended: hung & 1 != 0,
        subject_ended: hung & 2 != 0,
        upstream_ended: hung & 4 != 0,
    })
}

fn hash(row: &Row, place: usize, column: &'static str) -> Result<Option<TokenHash>, StoreError> {
    row.maybe_text(place)?.map(|text| TokenHash::from_text(text).ok_or(StoreError::Corrupt { column })).transpose()
}
