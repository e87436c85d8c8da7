//! One door to two databases.
//!
//! The SQL is the same text for both; what differs is here and nowhere else: how a connection is opened, how a write begins, and the
//! type of a row. A value goes in as [`Value`], comes out of [`Row`] by column, and nothing above this file names a driver.

use std::{path::Path, time::Duration};

use futures_util::TryStreamExt;
use oauth_types::BoxError;
use sqlx::{
    ColumnIndex, ConnectOptions, Connection, Either, PgConnection, PgPool, Row as _, SqliteConnection, SqlitePool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
    query::Query,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use super::{
    StoreError,
    sqlite::{Direct, DirectRow, Opening},
};
use crate::config::Database;

/// How long a statement waits for another process that holds the SQLite file.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// How long a request waits for a connection before it is answered 503.
const ACQUIRE_WAIT: Duration = Duration::from_secs(2);
/// Readers of a SQLite file: they never block the writer, and more of them only take memory.
const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL, beside the writer's own.
const POSTGRES_CONNECTIONS: u32 = 15;
/// Page cache of a reader, in KiB with a minus: what is read often is in caches of our own.
const READER_CACHE: &str = "-512";
/// Pages in the write-ahead log before they are copied into the file: a page that is written often is copied once for many times. 16 MiB.
const WAL_PAGES: &str = "4000";
/// Every text is a constant: the cache holds them all.
const STATEMENTS_CACHED: usize = 256;

/// How much a commit promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// On the disk before the answer.
    Full,
    /// May be lost with the power: facts that only mean "please start again".
    Normal,
}

/// A value that goes into a statement: the portable types and no others.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    MaybeText(Option<&'a str>),
    Int(i64),
    MaybeInt(Option<i64>),
}

/// A row of either database.
pub(crate) enum Row {
    Direct(DirectRow),
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A column by place (hot) or by name.
pub(crate) trait Column: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> + Copy {
    fn place_in(self, row: &DirectRow) -> Option<usize>;
}

impl Column for usize {
    fn place_in(self, _: &DirectRow) -> Option<usize> {
        Some(self)
    }
}

impl Column for &str {
    fn place_in(self, row: &DirectRow) -> Option<usize> {
        row.place_of(self)
    }
}

macro_rules! from_row {
    ($($name:ident: $type:ty;)*) => {
        impl Row { $(
            pub(crate) fn $name<I: Column>(&self, column: I) -> Result<$type, StoreError> {
                match self {
                    Self::Direct(row) => return row.read(column.place_in(row)).map_err(StoreError::when("read a column")),
                    Self::Sqlite(row) => row.try_get(column),
                    Self::Postgres(row) => row.try_get(column),
                }
                .map_err(StoreError::when("read a column"))
            }
        )* }
    };
}
from_row! {
    text: &str;
    maybe_text: Option<&str>;
    int: i64;
    maybe_int: Option<i64>;
    flag: bool;
}

/// A connection of its own.
pub(crate) enum Conn {
    Sqlite(Direct),
    Postgres(PgConnection),
}

/// How many rows a statement changed, and the rows it gave.
pub(crate) type Answer = (u64, Vec<Row>);

fn bound<'q>(sql: &'static str, values: &[Value<'_>]) -> Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
    values.iter().fold(sqlx::query(sql), |query, value| match *value {
        Value::Text(text) => query.bind(text.to_owned()),
        Value::MaybeText(text) => query.bind(text.map(str::to_owned)),
        Value::Int(number) => query.bind(number),
        Value::MaybeInt(number) => query.bind(number),
    })
}

fn bound_postgres<'q>(sql: &'static str, values: &[Value<'_>]) -> Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments> {
    values.iter().fold(sqlx::query(sql), |query, value| match *value {
        Value::Text(text) => query.bind(text.to_owned()),
        Value::MaybeText(text) => query.bind(text.map(str::to_owned)),
        Value::Int(number) => query.bind(number),
        Value::MaybeInt(number) => query.bind(number),
    })
}

impl Conn {
    /// Opens a connection for writing.
    pub(crate) async fn open(database: &Database, durability: Durability) -> Result<Self, StoreError> {
        let failed = "open the database";
        match database {
            Database::Sqlite(path) => {
                let (busy_wait, statements_cached, wal_pages) = (BUSY_WAIT, STATEMENTS_CACHED, WAL_PAGES);
                let opened = Direct::open(&Opening { path, durability, busy_wait, statements_cached, wal_pages });
                opened.map(Self::Sqlite).map_err(StoreError::when(failed))
            }
            Database::Postgres(url) => {
                let options = postgres_options(url).map_err(StoreError::when(failed))?;
                options.connect().await.map(Self::Postgres).map_err(StoreError::when(failed))
            }
        }
    }

    /// Runs a statement and collects everything it says. On SQLite it has run when this is first polled: the writer has a thread for it.
    pub(crate) async fn ask(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Answer, BoxError> {
        match self {
            Self::Sqlite(conn) => conn.ask(sql, values),
            Self::Postgres(conn) => {
                let (mut changed, mut rows) = (0, Vec::new());
                let mut stream = sqlx::Executor::fetch_many(conn, bound_postgres(sql, values));
                while let Some(step) = stream.try_next().await? {
                    match step {
                        Either::Left(done) => changed += done.rows_affected(),
                        Either::Right(row) => rows.push(Row::Postgres(row)),
                    }
                }
                Ok((changed, rows))
            }
        }
    }

    /// The rows of one statement.
    pub(crate) async fn rows(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        self.ask(sql, values).await.map(|(_, rows)| rows).map_err(StoreError::when("read from the database"))
    }

    /// One statement; how many rows it changed.
    pub(crate) async fn run(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        self.ask(sql, values).await.map(|(changed, _)| changed).map_err(StoreError::when("write to the database"))
    }

    /// Begins a write. SQLite must know at once that it is one, or the later upgrade fails under load.
    pub(crate) async fn begin(&mut self) -> Result<(), StoreError> {
        let text = if self.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" };
        self.ask(text, &[]).await.map(drop).map_err(StoreError::when("begin a transaction"))
    }

    /// Ends it: what this answered happened.
    pub(crate) async fn commit(&mut self) -> Result<(), StoreError> {
        self.ask("COMMIT", &[]).await.map(drop).map_err(StoreError::when("commit a transaction"))
    }

    /// Undoes it, if there is one. SQLite may have rolled back by itself; PostgreSQL only warns.
    pub(crate) async fn rollback(&mut self) {
        let _nothing_open = self.ask("ROLLBACK", &[]).await;
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Says goodbye; a broken connection need not.
    pub(crate) async fn close(self) {
        match self {
            Self::Sqlite(conn) => conn.close(),
            Self::Postgres(conn) => {
                let _broken = conn.close().await;
            }
        }
    }
}

/// Walks these migrations, on a connection for nothing else.
pub(crate) async fn walk(database: &Database, migrator: &Migrator, to: Option<i64>) -> Result<(), MigrateError> {
    match database {
        Database::Sqlite(path) => {
            let mut conn: SqliteConnection = sqlite_options(path, Durability::Full).connect().await?;
            let walked = match to {
                Some(step) => migrator.run_to(step, &mut conn).await,
                None => migrator.run(&mut conn).await,
            };
            conn.close().await?;
            walked
        }
        Database::Postgres(url) => {
            let mut conn = postgres_options(url)?.connect().await?;
            let walked = match to {
                Some(step) => migrator.run_to(step, &mut conn).await,
                None => migrator.run(&mut conn).await,
            };
            conn.close().await?;
            walked
        }
    }
}

/// A pool of connections.
#[derive(Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    /// Connections that only read. They are opened when first needed, so that opening costs nothing.
    pub(crate) fn readers(database: &Database) -> Result<Self, StoreError> {
        Ok(match database {
            Database::Sqlite(path) => Self::Sqlite(sqlite_pool(SQLITE_READERS).connect_lazy_with(
                sqlite_options(path, Durability::Full).create_if_missing(false).read_only(true).pragma("cache_size", READER_CACHE),
            )),
            Database::Postgres(url) => Self::postgres(url)?,
        })
    }

    /// Connections that also write, for facts whose loss is harmless.
    pub(crate) fn casual(database: &Database) -> Result<Self, StoreError> {
        Ok(match database {
            Database::Sqlite(path) => Self::Sqlite(sqlite_pool(2).connect_lazy_with(sqlite_options(path, Durability::Normal))),
            Database::Postgres(url) => Self::postgres(url)?,
        })
    }

    fn postgres(url: &str) -> Result<Self, StoreError> {
        let options = postgres_options(url).map_err(StoreError::when("read the address of the database"))?;
        let pool = PgPoolOptions::new().max_connections(POSTGRES_CONNECTIONS).acquire_timeout(ACQUIRE_WAIT);
        Ok(Self::Postgres(pool.connect_lazy_with(options)))
    }

    /// The rows of one statement.
    pub(crate) async fn rows(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(pool) => bound(sql, values).fetch_all(pool).await.map(|rows| rows.into_iter().map(Row::Sqlite).collect()),
            Self::Postgres(pool) => {
                bound_postgres(sql, values).fetch_all(pool).await.map(|rows| rows.into_iter().map(Row::Postgres).collect())
            }
        }
        .map_err(StoreError::when("read from the database"))
    }

    /// The row of one statement, if there is one.
    pub(crate) async fn row(&self, sql: &'static str, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        match self {
            Self::Sqlite(pool) => bound(sql, values).fetch_optional(pool).await.map(|row| row.map(Row::Sqlite)),
            Self::Postgres(pool) => bound_postgres(sql, values).fetch_optional(pool).await.map(|row| row.map(Row::Postgres)),
        }
        .map_err(StoreError::when("read from the database"))
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    // A connection to a file does not go bad: no test before each use, no retiring.
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_WAIT)
        .test_before_acquire(false)
        .max_lifetime(None)
        .idle_timeout(None)
}

fn sqlite_options(path: &Path, durability: Durability) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Normal => SqliteSynchronous::Normal,
        })
        .foreign_keys(true)
        .busy_timeout(BUSY_WAIT)
        .statement_cache_capacity(STATEMENTS_CACHED)
        .pragma("wal_autocheckpoint", WAL_PAGES)
        .disable_statement_logging()
}

fn postgres_options(url: &str) -> Result<PgConnectOptions, sqlx::Error> {
    Ok(url.parse::<PgConnectOptions>()?.statement_cache_capacity(STATEMENTS_CACHED).disable_statement_logging())
}
