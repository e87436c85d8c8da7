//! What the writer does to a group: read the rows, and write what the plan says.
//!
//! The same statements on both databases in the same order; on PostgreSQL over all elements at once and under row locks, on SQLite one
//! element after the other, under the writer's hold of the file.

use std::collections::{HashMap, HashSet};

use oauth_types::{EndedEntry, GrantId, Timestamp};

use super::{
    GrantRow, StoreError,
    change::{Change, Ended},
    db::{Conn, Value},
    ended, grants,
    plan::Plan,
    statements::{Kind, RAISE, Walk},
};

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
    let ids: Vec<_> = members.iter().filter_map(reads).map(|id| id.text()).collect();
    if ids.is_empty() {
        return Ok((HashMap::new(), false));
    }
    conn.begin().await?;
    let looked = match conn {
        Conn::Sqlite(conn) => conn.ask_each(grants::GRANT, ids.iter().map(|id| [Value::Text(id)])).map(|(_, rows)| rows),
        Conn::Postgres(_) => {
            let json = format!("[[\"{}\"]]", ids.iter().map(|id| &**id).collect::<Vec<&str>>().join("\"],[\""));
            conn.ask(LOCK, &[Value::Text(&json)]).await.map(|(_, rows)| rows)
        }
    };
    let rows = looked.map_err(StoreError::when("read the rows of a group"))?;
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
    if plan.elements.is_empty() {
        if begun {
            conn.commit().await?;
        }
        return Ok(Vec::new());
    }
    if !begun {
        conn.begin().await?;
    }
    let json = if conn.is_sqlite() { String::new() } else { plan.elements.json() };
    let mut ended = Vec::new();
    for kind in plan.kinds() {
        if kind == Kind::Ended {
            conn.run(RAISE, &[Value::MaybeInt(plan.endings())]).await?;
        }
        let written = match conn {
            Conn::Sqlite(conn) => conn.ask_each(kind.sql(Walk::Row), plan.elements.values(kind.letters(), Value::Int(now.0))),
            Conn::Postgres(_) => conn.ask(kind.sql(Walk::Set), &[Value::Text(&json), Value::Int(now.0)]).await,
        };
        let (changed, rows) = written.map_err(StoreError::when("write a group"))?;
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
