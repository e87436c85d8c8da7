//! What the writer does to a group: read the rows, and write what the plan says.
//!
//! The same texts on both databases, one after the other. PostgreSQL holds row locks meanwhile; SQLite's one writer holds the file.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

use oauth_types::{EndedEntry, GrantId, Timestamp};

use super::{
    GrantRow, StoreError,
    change::{Change, Ended},
    db::{Conn, Value},
    ended, grants,
    plan::Plan,
};

const LOOK: &str = concat!(
    "SELECT ",
    grants::grant_columns!(),
    " FROM json_each($1) AS j JOIN grants AS g ON g.grant_id = j.value->>0 ",
    grants::grant_joins!()
);
/// PostgreSQL has other writers, the replicas. Two of them that lock the same rows lock them in the same order.
const LOCK: &str = concat!(
    "SELECT ",
    grants::grant_columns!(),
    " FROM json_each($1) AS j JOIN grants AS g ON g.grant_id = j.value->>0 ",
    grants::grant_joins!(),
    " ORDER BY g.grant_id FOR UPDATE OF g"
);
const RECEIPTS: &str = "SELECT audit_id FROM json_each($1) AS j JOIN audit ON audit_id = j.value->>0";

/// Reads the rows that the members are about, in a transaction that is a write from its beginning. `false`: nothing to read, not begun.
pub(super) async fn look(conn: &mut Conn, members: &[Change]) -> Result<(HashMap<GrantId, GrantRow>, bool), StoreError> {
    let mut json = String::with_capacity(members.len() * 32);
    for id in members.iter().filter_map(reads) {
        let _infallible = write!(json, "{}[\"{}\"]", if json.is_empty() { '[' } else { ',' }, &*id.text());
    }
    if json.is_empty() {
        return Ok((HashMap::new(), false));
    }
    json.push(']');
    conn.begin().await?;
    let sql = if conn.is_sqlite() { LOOK } else { LOCK };
    let (_, rows) = conn.ask(sql, &[Value::Text(&json)]).await.map_err(StoreError::when("read the rows of a group"))?;
    rows.iter().map(|row| grants::read(row).map(|row| (row.grant_id, row))).collect::<Result<_, _>>().map(|rows| (rows, true))
}

fn reads(change: &Change) -> Option<GrantId> {
    match change {
        Change::Redeem(redemption, _) => Some(redemption.grant_id),
        Change::Rotate(rotation, _) => Some(rotation.grant_id),
        Change::End(ending, _) => match ending.what {
            Ended::Grant(id) => Some(id),
            Ended::Token { .. } => None,
        },
        Change::Approve(..) | Change::Register(..) => None,
    }
}

/// Writes what the plan says and commits. Answers what ended, with its numbers.
pub(super) async fn set(conn: &mut Conn, plan: &Plan, begun: bool, now: Timestamp) -> Result<Vec<EndedEntry>, StoreError> {
    if plan.json.is_empty() {
        if begun {
            conn.commit().await?;
        }
        return Ok(Vec::new());
    }
    if !begun {
        conn.begin().await?;
    }
    let values = [Value::Text(&plan.json), Value::Int(now.0)];
    let mut ended = Vec::new();
    for kind in plan.kinds() {
        let (changed, rows) = conn.ask(kind.sql(), &values).await.map_err(StoreError::when("write a group"))?;
        // On SQLite only a bug of ours makes these differ; on PostgreSQL a row that moved before its lock.
        if !plan.fits(kind, changed) {
            return Err(StoreError::Disagreement);
        }
        ended.extend(rows);
    }
    conn.commit().await?;
    ended.iter().map(ended::read).collect()
}

/// Which receipts of this plan are in the database: an event is committed with what it tells, or not at all.
pub(super) async fn receipts(conn: &mut Conn, plan: &Plan) -> Result<HashSet<String>, StoreError> {
    let wanted: Vec<[&str; 1]> = plan.verdicts.iter().filter_map(|verdict| verdict.receipt.as_deref()).map(|receipt| [receipt]).collect();
    if wanted.is_empty() {
        return Ok(HashSet::new());
    }
    let json = serde_json::to_string(&wanted).map_err(|_| StoreError::Corrupt { column: "audit_id" })?;
    let rows = conn.rows(RECEIPTS, &[Value::Text(&json)]).await?;
    rows.iter().map(|row| row.text(0).map(str::to_owned)).collect()
}
