//! What the writer does to a group: read the rows, and write what the plan says.
//!
//! The same statements on both databases in the same order; on PostgreSQL over all elements at once and under row locks, on SQLite one
//! element after the other, under the writer's hold of the file.

use std::collections::{HashMap, HashSet};

use oauth_types::{EndedEntry, GrantId, Timestamp};

use super::{
    Approval, GrantRow, StoreError,
    change::{Change, Ended},
    db::{Conn, Value},
    ended,
    grants::{self, Hung},
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
    let mut rows: HashMap<_, _> =
        rows.iter().map(|row| grants::read(row).map(|row| (row.grant_id, row))).collect::<Result<_, StoreError>>()?;
    look_before(conn, members, &mut rows).await?;
    Ok((rows, true))
}

/// An approval whose code was never redeemed has no row, but it hangs on things that may have ended.
async fn look_before(conn: &mut Conn, members: &[Change], rows: &mut HashMap<GrantId, GrantRow>) -> Result<(), StoreError> {
    let redeemed = members.iter().filter_map(|member| match member {
        Change::Redeem(redemption, _) => Some(&redemption.approval),
        _ => None,
    });
    let fresh: Vec<&Approval> = redeemed.filter(|approval| !rows.contains_key(&approval.grant_id)).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let looked = match conn {
        Conn::Sqlite(conn) => {
            let ids: Vec<_> = fresh.iter().map(|approval| approval.grant_id.text()).collect();
            conn.ask_each(grants::HUNG_ROW, fresh.iter().zip(&ids).map(|(approval, id)| hangs_on(approval, id))).map(|(_, rows)| rows)
        }
        Conn::Postgres(_) => {
            let asked: Vec<_> = fresh
                .iter()
                .map(|approval| {
                    let session = approval.upstream_session.as_ref().map(|session| session.as_str());
                    (approval.grant_id, approval.client_id.as_str(), approval.subject.as_str(), session, approval.created_at.0)
                })
                .collect();
            let json = serde_json::to_string(&asked).map_err(|_| StoreError::Corrupt { column: "client_id" })?;
            conn.ask(grants::HUNG_SET, &[Value::Text(&json)]).await.map(|(_, rows)| rows)
        }
    };
    let looked = looked.map_err(StoreError::when("read what approvals hang on"))?;
    let hung: HashMap<&str, Hung> = looked.iter().map(|row| Ok((row.text(0)?, Hung::read(row, 1)?))).collect::<Result<_, StoreError>>()?;
    for approval in fresh {
        // Every one was asked about; one without an answer is left out, and its judge is never asked.
        if let Some(hung) = hung.get(&*approval.grant_id.text()) {
            rows.insert(approval.grant_id, GrantRow::before(approval, *hung));
        }
    }
    Ok(())
}

fn hangs_on<'a>(approval: &'a Approval, id: &'a str) -> [Value<'a>; 5] {
    let session = approval.upstream_session.as_ref().map(|session| session.as_str());
    let (client, person) = (approval.client_id.as_str(), approval.subject.as_str());
    [Value::Text(id), Value::Text(client), Value::Text(person), Value::MaybeText(session), Value::Int(approval.created_at.0)]
}

fn reads(change: &Change) -> Option<GrantId> {
    match change {
        Change::Redeem(redemption, _) => Some(redemption.approval.grant_id),
        Change::Rotate(rotation, _) => Some(rotation.grant_id),
        Change::End(ending, _) => match ending.what {
            Ended::Grant(id) => Some(id),
            Ended::Token { .. } => None,
        },
        Change::Register(..) => None,
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
