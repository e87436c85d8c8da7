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

/// What was read for a group.
#[derive(Default)]
pub(super) struct Looked {
    /// By grant; of an approval whose code was never redeemed, what would stand in its row.
    pub(super) rows: HashMap<GrantId, GrantRow>,
    /// A client among them was not marked as used today.
    pub(super) unmarked: bool,
    /// A transaction that is a write from its beginning was begun for it.
    pub(super) begun: bool,
}

/// Reads what the members are about.
pub(super) async fn look(conn: &mut Conn, members: &[Change], now: Timestamp) -> Result<Looked, StoreError> {
    let mut looked = Looked::default();
    let approvals: Vec<&Approval> = members.iter().filter_map(redeems).collect();
    let mut ids: Vec<GrantId> = members.iter().filter_map(reads).collect();
    looked.begun = !(approvals.is_empty() && ids.is_empty());
    if looked.begun {
        conn.begin().await?;
    }
    if !approvals.is_empty() {
        ids.extend(look_at_approvals(conn, &approvals, now, &mut looked).await?);
    }
    if !ids.is_empty() {
        look_at_grants(conn, &ids, &mut looked.rows).await?;
    }
    Ok(looked)
}

fn redeems(change: &Change) -> Option<&Approval> {
    match change {
        Change::Redeem(redemption, _) => Some(&redemption.approval),
        _ => None,
    }
}

fn reads(change: &Change) -> Option<GrantId> {
    match change {
        Change::Rotate(rotation, _) => Some(rotation.grant_id),
        Change::End(ending, _) => match ending.what {
            Ended::Grant(id) => Some(id),
            Ended::Token { .. } => None,
        },
        // Read as approvals; nobody knows a client before its registration.
        Change::Redeem(..) | Change::Register(..) => None,
    }
}

async fn look_at_grants(conn: &mut Conn, ids: &[GrantId], rows: &mut HashMap<GrantId, GrantRow>) -> Result<(), StoreError> {
    let ids: Vec<_> = ids.iter().map(|id| id.text()).collect();
    let found = match conn {
        Conn::Sqlite(conn) => conn.ask_each(grants::GRANT, ids.iter().map(|id| [Value::Text(id)])).map(|(_, rows)| rows),
        Conn::Postgres(_) => {
            let json = format!("[[\"{}\"]]", ids.iter().map(|id| &**id).collect::<Vec<&str>>().join("\"],[\""));
            conn.ask(LOCK, &[Value::Text(&json)]).await.map(|(_, rows)| rows)
        }
    };
    for row in &found.map_err(StoreError::when("read the rows of a group"))? {
        let row = grants::read(row)?;
        rows.insert(row.grant_id, row);
    }
    Ok(())
}

/// An approval has no row before its code is redeemed, but it hangs on things that may have ended. Answers those that have one.
async fn look_at_approvals(
    conn: &mut Conn,
    approvals: &[&Approval],
    now: Timestamp,
    looked: &mut Looked,
) -> Result<Vec<GrantId>, StoreError> {
    let found = match conn {
        Conn::Sqlite(conn) => {
            let ids: Vec<_> = approvals.iter().map(|approval| approval.grant_id.text()).collect();
            let asked = approvals.iter().zip(&ids).map(|(approval, id)| {
                let (client, person, session, born) = hangs_on(approval);
                [Value::Text(id), Value::Text(client), Value::Text(person), Value::MaybeText(session), Value::Int(born), Value::Int(now.0)]
            });
            conn.ask_each(grants::STANDING_ROW, asked).map(|(_, rows)| rows)
        }
        Conn::Postgres(_) => {
            let asked = approvals.iter().map(|approval| {
                let (client, person, session, born) = hangs_on(approval);
                (approval.grant_id, client, person, session, born)
            });
            let asked: Vec<_> = asked.collect();
            let json = serde_json::to_string(&asked).map_err(|_| StoreError::Corrupt { column: "client_id" })?;
            conn.ask(grants::STANDING_SET, &[Value::Text(&json), Value::Int(now.0)]).await.map(|(_, rows)| rows)
        }
    };
    let found = found.map_err(StoreError::when("read what approvals hang on"))?;
    let mut redeemed = Vec::new();
    for (place, row) in found.iter().enumerate() {
        let (id, standing) = (row.text(0)?, Hung::read(row, 1)?);
        let is_meant = |approval: &&&Approval| *approval.grant_id.text() == *id;
        // SQLite answers one after the other, PostgreSQL in whatever order.
        let approval = approvals.get(place).filter(is_meant).or_else(|| approvals.iter().find(is_meant));
        let approval = approval.ok_or(StoreError::Corrupt { column: "grant_id" })?;
        looked.unmarked |= standing.client_unmarked();
        if standing.redeemed() {
            redeemed.push(approval.grant_id);
        } else {
            looked.rows.insert(approval.grant_id, GrantRow::before(approval, standing));
        }
    }
    Ok(redeemed)
}

/// Client, person, sign-in and birth.
fn hangs_on(approval: &Approval) -> (&str, &str, Option<&str>, i64) {
    let session = approval.upstream_session.as_ref().map(|session| session.as_str());
    (approval.client_id.as_str(), approval.subject.as_str(), session, approval.created_at.0)
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
