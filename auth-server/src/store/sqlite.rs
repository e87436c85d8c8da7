//! A SQLite connection that works on the thread that asks.
//!
//! sqlx gives every SQLite connection a thread of its own and crosses over to it for each statement. The writer has a thread already:
//! there a crossing costs more than the statement does. So the writer, and nobody else, speaks to SQLite here. Readers stay with sqlx:
//! a read may wait for the disk, and whoever answers requests must not.

use std::{path::Path, sync::Arc, time::Duration};

use oauth_types::BoxError;
use rusqlite::{Connection, OpenFlags, Statement, types::ValueRef};

use super::db::{Durability, Value};

/// A connection of the thread that holds it.
pub(crate) struct Direct(Connection);

/// How a connection is opened.
pub(super) struct Opening<'a> {
    pub(super) path: &'a Path,
    pub(super) durability: Durability,
    pub(super) busy_wait: Duration,
    pub(super) statements_cached: usize,
    pub(super) wal_pages: &'static str,
}

impl Direct {
    /// Opens the file; makes it where there is none.
    pub(super) fn open(opening: &Opening<'_>) -> Result<Self, BoxError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(opening.path, flags)?;
        conn.busy_timeout(opening.busy_wait)?;
        conn.set_prepared_statement_cache_capacity(opening.statements_cached);
        let synchronous = match opening.durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
        };
        conn.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = {}",
            opening.wal_pages
        ))?;
        Ok(Self(conn))
    }

    /// Runs one statement: how many rows it changed, and what it says.
    pub(super) fn ask(&mut self, sql: &str, values: &[Value<'_>]) -> Result<(u64, Vec<DirectRow>), BoxError> {
        let mut statement = self.0.prepare_cached(sql)?;
        bind(&mut statement, values)?;
        let columns = statement.column_count();
        let names: Arc<str> = if columns == 0 { Arc::default() } else { statement.column_names().join("\n").into() };
        let mut read = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            read.push(DirectRow::copy(row, columns, Arc::clone(&names))?);
        }
        Ok((self.0.changes(), read))
    }

    /// Closes the file; the last to do so folds the write-ahead log into it.
    pub(super) fn close(self) {
        let _broken = self.0.close();
    }
}

/// SQLite numbers `$2` by where it stands in the text, we by its name.
fn bind(statement: &mut Statement<'_>, values: &[Value<'_>]) -> Result<(), BoxError> {
    for place in 1..=statement.parameter_count() {
        let name = statement.parameter_name(place).and_then(|name| name.strip_prefix('$'));
        let number: usize = name.ok_or("a parameter without a number")?.parse()?;
        match number.checked_sub(1).and_then(|index| values.get(index)).ok_or("a parameter without a value")? {
            Value::Text(text) => statement.raw_bind_parameter(place, text)?,
            Value::MaybeText(text) => statement.raw_bind_parameter(place, text)?,
            Value::Int(number) => statement.raw_bind_parameter(place, number)?,
            Value::MaybeInt(number) => statement.raw_bind_parameter(place, number)?,
        }
    }
    Ok(())
}

/// A row of ours: copied out, because SQLite's own is gone with the next step.
pub(crate) struct DirectRow {
    cells: Box<[Cell]>,
    /// The texts of all cells, one behind the other.
    text: String,
    /// The names of the columns, a line each.
    names: Arc<str>,
}

/// The portable types and no others.
#[derive(Clone, Copy)]
enum Cell {
    Null,
    Int(i64),
    Text(usize, usize),
}

impl DirectRow {
    fn copy(row: &rusqlite::Row<'_>, columns: usize, names: Arc<str>) -> Result<Self, BoxError> {
        let (mut text, mut cells) = (String::new(), Vec::with_capacity(columns));
        for place in 0..columns {
            cells.push(match row.get_ref(place)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(number) => Cell::Int(number),
                ValueRef::Text(bytes) => {
                    let begin = text.len();
                    text.push_str(std::str::from_utf8(bytes)?);
                    Cell::Text(begin, text.len())
                }
                ValueRef::Real(_) | ValueRef::Blob(_) => return Err("a column is neither text nor a whole number".into()),
            });
        }
        Ok(Self { cells: cells.into_boxed_slice(), text, names })
    }

    /// Where the column of this name stands.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        self.names.split('\n').position(|own| own == name)
    }

    /// What stands in this place, if it is what the asker takes it for.
    pub(super) fn read<'r, T: FromCell<'r>>(&'r self, place: Option<usize>) -> Result<T, BoxError> {
        let cell = place.and_then(|place| self.cells.get(place)).ok_or("no such column")?;
        let read = match *cell {
            Cell::Null => T::null(),
            Cell::Int(number) => T::int(number),
            Cell::Text(begin, end) => T::text(&self.text[begin..end]),
        };
        read.ok_or_else(|| "a column holds another type".into())
    }
}

/// What a cell can be read as.
pub(super) trait FromCell<'r>: Sized {
    fn null() -> Option<Self> {
        None
    }
    fn int(_: i64) -> Option<Self> {
        None
    }
    fn text(_: &'r str) -> Option<Self> {
        None
    }
}

impl<'r> FromCell<'r> for &'r str {
    fn text(text: &'r str) -> Option<Self> {
        Some(text)
    }
}

impl FromCell<'_> for i64 {
    fn int(number: i64) -> Option<Self> {
        Some(number)
    }
}

impl FromCell<'_> for bool {
    fn int(number: i64) -> Option<Self> {
        Some(number != 0)
    }
}

impl<'r, T: FromCell<'r>> FromCell<'r> for Option<T> {
    fn null() -> Option<Self> {
        Some(None)
    }
    fn int(number: i64) -> Option<Self> {
        T::int(number).map(Some)
    }
    fn text(text: &'r str) -> Option<Self> {
        T::text(text).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> (Direct, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let opening = Opening {
            path: &folder.path().join("direct.db"),
            durability: Durability::Full,
            busy_wait: Duration::from_secs(1),
            statements_cached: 8,
            wal_pages: "100",
        };
        (Direct::open(&opening).unwrap(), folder)
    }

    #[test]
    fn a_number_behind_the_dollar_names_its_value_wherever_it_stands() {
        let (mut conn, _folder) = fresh();
        let values = [Value::Text("one"), Value::Int(2), Value::MaybeText(None)];
        let (_, rows) = conn.ask("SELECT $2 AS second, $1 AS first, $3 AS third, $1 AS again", &values).unwrap();
        let row = &rows[0];
        assert_eq!(row.read::<i64>(row.place_of("second")).unwrap(), 2);
        assert_eq!(row.read::<&str>(row.place_of("first")).unwrap(), "one");
        assert_eq!(row.read::<Option<&str>>(Some(2)).unwrap(), None);
        assert_eq!(row.read::<&str>(row.place_of("again")).unwrap(), "one");
        assert!(conn.ask("SELECT $4", &values).is_err(), "an unbound parameter would silently be NULL");
        assert!(conn.ask("SELECT ?", &values).is_err());
    }

    #[test]
    fn a_cell_is_read_as_what_it_is_or_not_at_all() {
        let (mut conn, _folder) = fresh();
        let (_, rows) = conn.ask("SELECT 'ä' AS a, 7 AS b, NULL AS c", &[]).unwrap();
        let row = &rows[0];
        assert_eq!((row.read::<&str>(Some(0)).unwrap(), row.read::<bool>(Some(1)).unwrap()), ("ä", true));
        assert!(row.read::<i64>(Some(0)).is_err() && row.read::<&str>(Some(1)).is_err() && row.read::<&str>(Some(2)).is_err());
        assert!(row.read::<&str>(Some(3)).is_err() && row.read::<&str>(row.place_of("d")).is_err());
        assert!(conn.ask("SELECT 1.5", &[]).is_err() && conn.ask("SELECT x'00'", &[]).is_err());
    }

    #[test]
    fn it_counts_what_a_statement_changed() {
        let (mut conn, _folder) = fresh();
        conn.ask("CREATE TABLE t (a TEXT)", &[]).unwrap();
        assert_eq!(conn.ask("INSERT INTO t VALUES ('x'), ('y'), ('z')", &[]).unwrap().0, 3);
        let (changed, rows) = conn.ask("DELETE FROM t WHERE a > $1 RETURNING a", &[Value::Text("x")]).unwrap();
        assert_eq!((changed, rows.len()), (2, 2));
        assert_eq!(conn.ask("UPDATE t SET a = 'b' WHERE a = 'nobody'", &[]).unwrap().0, 0);
    }
}
