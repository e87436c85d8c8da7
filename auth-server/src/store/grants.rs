//! Grants: what a person allowed a client, for a resource and a scope.
//!
//! One row a grant, born when its code is redeemed: that it is there is how a second redemption is seen. It holds the whole refresh
//! family: the newest token's hash and, while the overlap lasts, the one before and its sealed successor. So a redemption is one
//! insert, a rotation one compare-and-set on one row found by its key, and nothing grows with use. The writes themselves are
//! [`Change`](super::change)s; here are the row and how it is read.

use oauth_types::{ClientId, GrantFault, GrantId, RedirectUri, ResourceUri, Scope, Subject, Timestamp, TokenHash, UpstreamSessionId};

use super::{
    Approval, Store, StoreError,
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
    pub upstream_session: Option<UpstreamSessionId>,
    pub auth_time: Timestamp,
    /// When it was approved.
    pub created_at: Timestamp,
    /// `None`: only its code speaks of it yet. Every row in the table has one.
    pub redeemed_at: Option<Timestamp>,
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
    /// What would stand in the row of this approval before its code is redeemed.
    pub(crate) fn before(approval: &Approval, hung: Hung) -> Self {
        Self {
            grant_id: approval.grant_id,
            client_id: approval.client_id.clone(),
            subject: approval.subject.clone(),
            resource: approval.resource.clone(),
            scope: approval.scope.clone(),
            redirect_uri: approval.redirect_uri.clone(),
            upstream_session: approval.upstream_session.clone(),
            auth_time: approval.auth_time,
            created_at: approval.created_at,
            redeemed_at: None,
            expires_at: approval.expires_at,
            last_used_at: None,
            ended_at: None,
            end_reason: None,
            generation: 0,
            refresh_hash: None,
            refresh_expires_at: None,
            previous_hash: None,
            rotated_at: None,
            answered_again: 0,
            successor_sealed: None,
            client_ended: hung.client(),
            subject_ended: hung.subject(),
            upstream_ended: hung.upstream(),
        }
    }

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

/// What a grant hangs on that ended, as three bits; of an approval two more.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hung(i64);

impl Hung {
    pub(super) fn read(row: &Row, place: usize) -> Result<Self, StoreError> {
        row.int(place).map(Self)
    }

    fn client(self) -> bool {
        self.0 & 1 != 0
    }

    fn subject(self) -> bool {
        self.0 & 2 != 0
    }

    fn upstream(self) -> bool {
        self.0 & 4 != 0
    }

    /// The code of this approval was redeemed: there is a row.
    pub(super) fn redeemed(self) -> bool {
        self.0 & 8 != 0
    }

    /// The client was not marked as used today.
    pub(super) fn client_unmarked(self) -> bool {
        self.0 & 16 != 0
    }
}

/// The columns of a grant in the order of [`read`]; the last says in three bits what it hangs on that ended.
macro_rules! grant_columns {
    () => {
        concat!(
            "g.grant_id, g.client_id, g.subject, g.resource, g.scope, g.redirect_uri, g.upstream_session, g.auth_time, g.created_at,
    g.redeemed_at, g.expires_at, g.last_used_at, g.ended_at, g.end_reason, g.generation, g.refresh_hash, g.refresh_expires_at, g.previous_hash,
    g.rotated_at, g.answered_again, g.successor_sealed, ",
            $crate::store::grants::hung!()
        )
    };
}
/// What a grant hangs on that ended: one bit each for the client, the person, the sign-in upstream.
macro_rules! hung {
    () => {
        "CAST(CASE WHEN c.ended_at IS NOT NULL OR c.ended_before >= g.created_at THEN 1 ELSE 0 END
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
pub(super) use {grant_columns, grant_joins, hung};

/// More of an approval: was its code redeemed, and is its client due to be marked as used? Once a day is enough for that.
macro_rules! standing {
    ($now:literal) => {
        concat!(
            "SELECT g.grant_id, ",
            $crate::store::grants::hung!(),
            " + CAST(CASE WHEN EXISTS (SELECT 1 FROM grants AS r WHERE r.grant_id = g.grant_id) THEN 8 ELSE 0 END
       + CASE WHEN c.last_used_at IS NULL OR c.last_used_at < ",
            $now,
            " - 86400 THEN 16 ELSE 0 END AS BIGINT)"
        )
    };
}
/// What an approval hangs on, before it has a row: each of `$1` is grant, client, person, sign-in and birth; `$2` is the time.
pub(super) const STANDING_SET: &str = concat!(
    standing!("$2"),
    " FROM (SELECT j.value->>0 AS grant_id, j.value->>1 AS client_id, j.value->>2 AS subject, j.value->>3 AS upstream_session,
    CAST(j.value->>4 AS BIGINT) AS created_at FROM json_each($1) AS j) AS g ",
    grant_joins!()
);
/// The same for one; the time comes last.
pub(super) const STANDING_ROW: &str = concat!(
    standing!("$6"),
    " FROM (SELECT $1 AS grant_id, $2 AS client_id, $3 AS subject, $4 AS upstream_session, $5 AS created_at) AS g ",
    grant_joins!()
);

pub(super) const GRANT: &str = concat!("SELECT ", grant_columns!(), " FROM grants AS g ", grant_joins!(), " WHERE g.grant_id = $1");
const OF_SUBJECT: &str = concat!(
    "SELECT ",
    grant_columns!(),
    " FROM grants AS g ",
    grant_joins!(),
    " WHERE g.subject = $1 AND g.grant_id > $2 ORDER BY g.grant_id LIMIT $3"
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

    /// A page of this person's grants, oldest first, after this one.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn grants_of(&self, person: &Subject, after: Option<GrantId>, limit: i64) -> Result<Vec<GrantRow>, StoreError> {
        let after = after.map_or_else(String::new, |id| id.to_string());
        let values = [Value::Text(person.as_str()), Value::Text(&after), Value::Int(limit)];
        self.0.readers.rows(OF_SUBJECT, &values).await?.iter().map(read).collect()
    }
}

/// Reads the columns of [`grant_columns`].
pub(super) fn read(row: &Row) -> Result<GrantRow, StoreError> {
    let corrupt = |column| StoreError::Corrupt { column };
    let hung = Hung::read(row, 21)?;
    Ok(GrantRow {
        grant_id: GrantId::parse(row.text(0)?).map_err(|_| corrupt("grant_id"))?,
        client_id: ClientId::from_trusted(row.text(1)?),
        subject: Subject::from_trusted(row.text(2)?),
        resource: ResourceUri::from_trusted(row.text(3)?),
        scope: Scope::from_trusted(row.text(4)?),
        redirect_uri: RedirectUri::from_trusted(row.text(5)?),
        upstream_session: row.maybe_text(6)?.map(UpstreamSessionId::from_trusted),
        auth_time: Timestamp(row.int(7)?),
        created_at: Timestamp(row.int(8)?),
        redeemed_at: Some(Timestamp(row.int(9)?)),
        expires_at: Timestamp(row.int(10)?),
        last_used_at: row.maybe_int(11)?.map(Timestamp),
        ended_at: row.maybe_int(12)?.map(Timestamp),
        end_reason: row.maybe_text(13)?.map(|name| EndReason::parse(name).ok_or(corrupt("end_reason"))).transpose()?,
        generation: u32::try_from(row.int(14)?).map_err(|_| corrupt("generation"))?,
        refresh_hash: hash(row, 15, "refresh_hash")?,
        refresh_expires_at: row.maybe_int(16)?.map(Timestamp),
        previous_hash: hash(row, 17, "previous_hash")?,
        rotated_at: row.maybe_int(18)?.map(Timestamp),
        answered_again: row.int(19)?,
        successor_sealed: row.maybe_text(20)?.map(str::to_owned),
        client_ended: hung.client(),
        subject_ended: hung.subject(),
        upstream_ended: hung.upstream(),
    })
}

fn hash(row: &Row, place: usize, column: &'static str) -> Result<Option<TokenHash>, StoreError> {
    row.maybe_text(place)?.map(|text| TokenHash::from_text(text).ok_or(StoreError::Corrupt { column })).transpose()
}
