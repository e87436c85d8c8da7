//! The schema: migrations, walked by `migrate`, checked by `open`.
//!
//! Two folders, one for each database, with the same numbers, names and columns. A released file is never edited: expand, move,
//! contract. Serving refuses a schema that it does not know; making one is a command of its own.

use std::borrow::Cow;

use sqlx::{
    SqlStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::{
    StoreError,
    db::{self, Conn, Value},
};
use crate::config::Database;

/// A step of the schema: number, name, and its text for each database.
pub(super) struct Step {
    pub(super) number: i64,
    pub(super) name: &'static str,
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

macro_rules! steps {
    ($($number:literal $file:literal),* $(,)?) => {
        &[$(Step {
            number: $number,
            name: $file,
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $file, ".sql")),
            postgres: include_str!(concat!("../../../migrations/postgres/", $file, ".sql")),
        }),*]
    };
}

/// Every step, in order.
pub(super) const STEPS: &[Step] = steps![1 "0001_first"];

fn migrator(database: &Database) -> Migrator {
    let migration = |step: &Step| {
        let sql = SqlStr::from_static(match database {
            Database::Sqlite(_) => step.sqlite,
            Database::Postgres(_) => step.postgres,
        });
        Migration::new(step.number, Cow::Borrowed(step.name), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(STEPS.iter().map(migration).collect())
}

/// Walks to the newest step.
pub(super) async fn migrate(database: &Database) -> Result<(), StoreError> {
    db::walk(database, &migrator(database), None).await.map_err(|error| match error {
        MigrateError::VersionMissing(number) => {
            StoreError::Schema(format!("the database has step {number}, which this program does not know: it was used by a newer one"))
        }
        MigrateError::VersionMismatch(number) => StoreError::Schema(format!(
            "step {number} of the database is not the one that this program has: another build made it; use that one, or an empty database"
        )),
        error => StoreError::Unavailable { operation: "migrate the database", source: Box::new(error) },
    })
}

/// Walks to an older step, to test the way from it.
#[cfg(test)]
pub(super) async fn migrate_to(database: &Database, step: i64) -> Result<(), MigrateError> {
    db::walk(database, &migrator(database), Some(step)).await
}

const NEWEST: &str = "SELECT version, success FROM _sqlx_migrations ORDER BY version DESC LIMIT $1";

/// Is the schema this program's?
pub(super) async fn check(conn: &mut Conn) -> Result<(), StoreError> {
    let unknown = |_| StoreError::Schema("the database has no schema of ours yet: run `migrate` first".to_owned());
    let rows = conn.rows(NEWEST, &[Value::Int(1)]).await.map_err(unknown)?;
    let newest = STEPS.last().map_or(0, |step| step.number);
    match rows.first() {
        Some(row) if row.int("version")? == newest && row.flag("success")? => Ok(()),
        Some(row) if row.int("version")? < newest => Err(StoreError::Schema(format!(
            "the database is at step {} and this program needs {newest}: run `migrate`",
            row.int("version")?
        ))),
        Some(row) => Err(StoreError::Schema(format!(
            "the database is at step {}, which this program ({newest}) does not know: it was used by a newer one",
            row.int("version")?
        ))),
        None => Err(unknown(StoreError::Closed)),
    }
}
