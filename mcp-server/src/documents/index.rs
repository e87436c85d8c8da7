//! The full-text index: SQLite FTS5 in a file of its own that may be deleted.
//!
//! One table holds the texts, two FTS5 tables point to it: words (porter stems, no diacritics) and trigrams (compounds,
//! scripts without spaces). Deleting or replacing a row keeps both in step through triggers.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Row as _};

use super::Reader;
use super::query::Query;
use super::scan::{Delta, Known, Stamp};

/// Readers beside the writer; search takes 2 to 4 ms, so two are plenty.
const CONNECTIONS_MAX: u32 = 3;

/// Raised whenever the tables or the extraction change: an index of another number is thrown away and rebuilt.
const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE documents (
    number      INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    path        TEXT NOT NULL,
    owner       TEXT,
    media_type  TEXT NOT NULL,
    title       TEXT NOT NULL,
    text        TEXT NOT NULL,
    plain       TEXT NOT NULL,
    size        INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL
);
CREATE VIRTUAL TABLE words USING fts5(title, plain, content = 'documents', content_rowid = 'number', tokenize = 'porter unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE parts USING fts5(title, plain, content = 'documents', content_rowid = 'number', tokenize = 'trigram');
CREATE TRIGGER documents_insert AFTER INSERT ON documents BEGIN
    INSERT INTO words(rowid, title, plain) VALUES (new.number, new.title, new.plain);
    INSERT INTO parts(rowid, title, plain) VALUES (new.number, new.title, new.plain);
END;
CREATE TRIGGER documents_delete AFTER DELETE ON documents BEGIN
    INSERT INTO words(words, rowid, title, plain) VALUES ('delete', old.number, old.title, old.plain);
    INSERT INTO parts(parts, rowid, title, plain) VALUES ('delete', old.number, old.title, old.plain);
END;
";

/// Who may see a row: everybody, or the owner. `?2` is the reader's owner name.
const VISIBLE: &str = "(d.owner IS NULL OR d.owner = ?2)";

/// One hit of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) owner: Option<String>,
    pub(crate) title: String,
    pub(crate) snippet: String,
}

/// One document of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) media_type: String,
    pub(crate) size: i64,
}

/// One document, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) owner: Option<String>,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) media_type: String,
    pub(crate) modified_ns: i64,
}

#[derive(Clone)]
pub(crate) struct Index {
    pool: SqlitePool,
}

impl Index {
    pub(crate) async fn open(path: &Path) -> sqlx::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(std::time::Duration::from_secs(5));
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX).connect_with(options).await?;
        let index = Self { pool };
        index.prepare().await?;
        Ok(index)
    }

    async fn prepare(&self) -> sqlx::Result<()> {
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&self.pool).await?;
        if version == SCHEMA_VERSION {
            return Ok(());
        }
        let mut tx = self.pool.begin().await?;
        for old in ["TABLE IF EXISTS words", "TABLE IF EXISTS parts", "TABLE IF EXISTS documents"] {
            sqlx::raw_sql(AssertSqlSafe(format!("DROP {old}"))).execute(&mut *tx).await?;
        }
        sqlx::raw_sql(SCHEMA).execute(&mut *tx).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA user_version = {SCHEMA_VERSION}"))).execute(&mut *tx).await?;
        tx.commit().await
    }

    /// What is indexed already, so that a restart reads only what changed meanwhile.
    pub(crate) async fn known(&self) -> sqlx::Result<Known> {
        let rows = sqlx::query("SELECT id, size, modified_ns, owner FROM documents").fetch_all(&self.pool).await?;
        let mut known = Known::default();
        for row in rows {
            let stamp = Stamp { size: row.get::<i64, _>(1).unsigned_abs(), modified_ns: row.get(2), owner: row.get(3) };
            known.stamps.insert(row.get(0), stamp);
        }
        Ok(known)
    }

    pub(crate) async fn apply(&self, delta: &Delta) -> sqlx::Result<()> {
        let mut tx = self.pool.begin().await?;
        for id in delta.removed.iter().chain(delta.changed.iter().map(|changed| &changed.id)) {
            sqlx::query("DELETE FROM documents WHERE id = ?1").bind(id).execute(&mut *tx).await?;
        }
        for changed in &delta.changed {
            sqlx::query(
                "INSERT INTO documents (id, path, owner, media_type, title, text, plain, size, modified_ns)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )
            .bind(&changed.id)
            .bind(&changed.path)
            .bind(&changed.stamp.owner)
            .bind(changed.kind.media_type())
            .bind(&changed.extract.title)
            .bind(&changed.extract.text)
            .bind(&changed.extract.plain)
            .bind(i64::try_from(changed.stamp.size).unwrap_or(i64::MAX))
            .bind(changed.stamp.modified_ns)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await
    }

    /// All words; else all of them as parts of words; else any of them. The first that finds something answers.
    pub(crate) async fn search(&self, query: &Query, limit: usize, reader: &Reader) -> sqlx::Result<Vec<Found>> {
        let found = self.matching("words", &query.all(), limit, reader).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        if let Some(parts) = query.parts() {
            let found = self.matching("parts", &parts, limit, reader).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        self.matching("words", &query.any(), limit, reader).await
    }

    /// A word in the title weighs five times a word in the text.
    async fn matching(&self, table: &'static str, pattern: &str, limit: usize, reader: &Reader) -> sqlx::Result<Vec<Found>> {
        let sql = format!(
            "SELECT d.id, d.path, d.owner, d.title, snippet({table}, 1, '', '', ' … ', 24)
             FROM {table} JOIN documents d ON d.number = {table}.rowid
             WHERE {table} MATCH ?1 AND {VISIBLE}
             ORDER BY bm25({table}, 5.0, 1.0), d.number LIMIT ?3"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(pattern)
            .bind(reader.owner())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .iter()
            .map(|row| Found { id: row.get(0), path: row.get(1), owner: row.get(2), title: row.get(3), snippet: one_line(row.get(4)) })
            .collect())
    }

    /// `reader` none: whoever holds our signature over the id.
    pub(crate) async fn document(&self, id: &str, reader: Option<&Reader>) -> sqlx::Result<Option<Document>> {
        let row = sqlx::query(
            "SELECT id, path, owner, title, text, media_type, modified_ns FROM documents d
             WHERE id = ?1 AND (?3 OR d.owner IS NULL OR d.owner = ?2)",
        )
        .bind(id)
        .bind(reader.map(Reader::owner))
        .bind(reader.is_none())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Document {
            id: row.get(0),
            path: row.get(1),
            owner: row.get(2),
            title: row.get(3),
            text: row.get(4),
            media_type: row.get(5),
            modified_ns: row.get(6),
        }))
    }

    pub(crate) async fn list(&self, after: Option<&str>, limit: usize, reader: &Reader) -> sqlx::Result<Vec<Listed>> {
        let sql = format!("SELECT id, path, title, media_type, size FROM documents d WHERE id > ?1 AND {VISIBLE} ORDER BY id LIMIT ?3");
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(after.unwrap_or_default())
            .bind(reader.owner())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(listed).collect())
    }

    pub(crate) async fn beginning_with(&self, prefix: &str, limit: usize, reader: &Reader) -> sqlx::Result<Vec<Listed>> {
        let sql = format!(
            "SELECT id, path, title, media_type, size FROM documents d
             WHERE (substr(id, 1, length(?1)) = ?1 OR lower(substr(title, 1, length(?1))) = lower(?1)) AND {VISIBLE} ORDER BY title LIMIT ?3"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(prefix)
            .bind(reader.owner())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(listed).collect())
    }
}

fn listed(row: &SqliteRow) -> Listed {
    Listed { id: row.get(0), path: row.get(1), title: row.get(2), media_type: row.get(3), size: row.get(4) }
}

fn one_line(text: String) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
