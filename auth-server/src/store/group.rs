//! What the writer does to a group: read the rows, and write what the plan says.
//!
//! On SQLite a group is two calls: `BEGIN IMMEDIATE` with the reading, then every statement with the `COMMIT`. Each call to the
//! connection's thread costs more than a statement. On PostgreSQL the same texts go one after the other, under row locks.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use oauth_types::{EndedEntry, GrantId, Timestamp};
use sqlx::AssertSqlSafe;

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
const BEGIN_LOOK: &str = concat!(
    "BEGIN IMMEDIATE; SELECT ",
    grants::grant_columns!(),
    " FROM json_each($1) AS j JOIN grants AS g ON g.grant_id = j.value->>0 ",
    grants::grant_joins!()
);
const RECEIPTS: &str = "SELECT audit_id FROM json_each($1) AS j JOIN audit ON audit_id = j.value->>0";

/// Reads the rows that the members are about, in a transaction that is a write from its beginning. `false`: nothing to read, not begun.
pub(super) async fn look(conn: &mut Conn, members: &[Change]) -> Result<(HashMap<GrantId, GrantRow>, bool), StoreError> {
    let mut ids: Vec<GrantId> = members.iter().filter_map(reads).collect();
    if ids.is_empty() {
        return Ok((HashMap::new(), false));
    }
    // Two replicas that lock the same rows lock them in the same order.
    ids.sort_unstable();
    let mut json = String::with_capacity(ids.len() * 32);
    for id in ids {
        let _infallible = write!(json, "{}[\"{}\"]", if json.is_empty() { '[' } else { ',' }, &*id.text());
    }
    json.push(']');
    let rows = if conn.is_sqlite() {
        conn.ask(BEGIN_LOOK, &[Value::Text(&json)]).await
    } else {
        conn.begin().await?;
        // SQLite knows no row locks and needs none: its one writer holds the file.
        conn.ask(concat_lock(), &[Value::Text(&json)]).await
    };
    let (_, rows) = rows.map_err(StoreError::when("read the rows of a group"))?;
    rows.iter().map(|row| grants::read(row).map(|row| (row.grant_id, row))).collect::<Result<_, _>>().map(|rows| (rows, true))
}

fn concat_lock() -> AssertSqlSafe<&'static str> {
    static TEXT: OnceLock<String> = OnceLock::new();
    AssertSqlSafe(TEXT.get_or_init(|| format!("{LOOK} ORDER BY g.grant_id FOR UPDATE OF g")).as_str())
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
    let values = [Value::Text(&plan.json), Value::Int(now.0)];
    let failed = || StoreError::when("write a group");
    let rows = if conn.is_sqlite() {
        let (counts, rows) = conn.ask(AssertSqlSafe(text(plan, begun)), &values).await.map_err(failed())?;
        let counts = counts.into_iter().skip(usize::from(!begun));
        // Judged under the lock that still holds: only a bug of ours makes these differ, and then nobody may be told that it worked.
        if !plan.kinds().zip(counts).all(|(kind, changed)| plan.fits(kind, changed)) {
            return Err(StoreError::Disagreement);
        }
        rows
    } else {
        if !begun {
            conn.begin().await?;
        }
        let mut rows = Vec::new();
        for kind in plan.kinds() {
            let (counts, more) = conn.ask(kind.sql(), &values).await.map_err(failed())?;
            if !plan.fits(kind, counts.iter().sum()) {
                return Err(StoreError::Disagreement);
            }
            rows.extend(more);
        }
        conn.commit().await?;
        rows
    };
    rows.iter().map(ended::read).collect()
}

/// Every statement of a plan in one text. There are few combinations, and each is prepared once.
fn text(plan: &Plan, begun: bool) -> Arc<str> {
    static TEXTS: OnceLock<Mutex<HashMap<u16, Arc<str>>>> = OnceLock::new();
    let mask = plan.kinds().fold(u16::from(begun), |mask, kind| mask | 2 << kind as u16);
    let mut texts = TEXTS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let text = texts.entry(mask).or_insert_with(|| {
        let mut text = String::from(if begun { "" } else { "BEGIN IMMEDIATE; " });
        for kind in plan.kinds() {
            text.push_str(kind.sql());
            text.push_str("; ");
        }
        text.push_str("COMMIT");
        text.into()
    });
    Arc::clone(text)
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
