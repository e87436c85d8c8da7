//! A SQLite connection that works on the thread that asks.
//!
//! sqlx gives every SQLite connection a thread of its own and crosses over to it for each statement. The writer has a thread already:
//! there a crossing costs more than the statement does. So the writer, and nobody else, speaks to SQLite here. Readers stay with sqlx:
//! a read may wait for the disk, and whoever answers requests must not.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use oauth_types::BoxError;
use rusqlite::{CachedStatement, Connection, OpenFlags, Statement, types::ValueRef};

use super::db::{Answer, Durability, Row, Value};

/// The texts of a row by the number of its columns, so that they grow once at most.
const CELL_BYTES_TYPICAL: usize = 32;

/// A connection of the thread that holds it.
pub(crate) struct Direct {
    conn: Connection,
    /// What is known of a text, by where it stands in memory: texts are constants.
    shapes: HashMap<(usize, usize), Arc<Shape>>,
}

/// What a prepared statement takes and gives.
struct Shape {
    /// Which value goes into each of SQLite's own parameter numbers.
    takes: Box<[usize]>,
    /// The names of its columns.
    gives: Box<[Box<str>]>,
}

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
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; \
             PRAGMA wal_autocheckpoint = {}",
            opening.wal_pages
        ))?;
        Ok(Self { conn, shapes: HashMap::new() })
    }

    /// Runs a statement: how many rows it changed, and what it says.
    pub(super) fn ask(&mut self, sql: &'static str, values: &[Value<'_>]) -> Result<Answer, BoxError> {
        self.ask_each(sql, std::iter::once(values))
    }

    /// Runs a statement with each of these rows of values in turn: how many rows it changed in all, and everything it says.
    pub(super) fn ask_each<'v, V: AsRef<[Value<'v>]>>(
        &mut self,
        sql: &'static str,
        each: impl Iterator<Item = V>,
    ) -> Result<Answer, BoxError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let shape = shape(&mut self.shapes, sql, &statement)?;
        let (mut changed, mut read) = (0, Vec::new());
        for values in each {
            bind(&mut statement, &shape, values.as_ref())?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                read.push(Row::Direct(DirectRow::copy(row, &shape)?));
            }
            drop(rows);
            if !statement.readonly() {
                changed += self.conn.changes();
            }
        }
        Ok((changed, read))
    }

    /// Closes the file; the last to do so folds the write-ahead log into it.
    pub(super) fn close(self) {
        let _broken = self.conn.close();
    }
}

/// SQLite numbers `$2` by where it stands in the text, we by its name.
fn shape(shapes: &mut HashMap<(usize, usize), Arc<Shape>>, sql: &'static str, statement: &Statement<'_>) -> Result<Arc<Shape>, BoxError> {
    let place = (sql.as_ptr() as usize, sql.len());
    if let Some(shape) = shapes.get(&place) {
        return Ok(Arc::clone(shape));
    }
    let taken = |number| {
        let name = statement.parameter_name(number).and_then(|name| name.strip_prefix('$')).ok_or("a parameter without a number")?;
        name.parse::<usize>()?.checked_sub(1).ok_or_else(|| BoxError::from("parameters begin with $1"))
    };
    let takes = (1..=statement.parameter_count()).map(taken).collect::<Result<_, _>>()?;
    let shape = Arc::new(Shape { takes, gives: statement.column_names().into_iter().map(Into::into).collect() });
    shapes.insert(place, Arc::clone(&shape));
    Ok(shape)
}

fn bind(statement: &mut CachedStatement<'_>, shape: &Shape, values: &[Value<'_>]) -> Result<(), BoxError> {
    for (number, index) in (1..).zip(&shape.takes) {
        match values.get(*index).ok_or("a parameter without a value")? {
            Value::Text(text) => statement.raw_bind_parameter(number, text)?,
            Value::MaybeText(text) => statement.raw_bind_parameter(number, text)?,
            Value::Int(value) => statement.raw_bind_parameter(number, value)?,
            Value::MaybeInt(value) => statement.raw_bind_parameter(number, value)?,
        }
    }
    Ok(())
}

/// A row of ours: copied out, because SQLite's own is gone with the next step.
pub(crate) struct DirectRow {
    cells: Box<[Cell]>,
    /// The texts of all cells, one behind the other.
    text: String,
    shape: Arc<Shape>,
}

/// The portable types and no others.
#[derive(Clone, Copy)]
enum Cell {
    Null,
    Int(i64),
    Text(usize, usize),
}

impl DirectRow {
    fn copy(row: &rusqlite::Row<'_>, shape: &Arc<Shape>) -> Result<Self, BoxError> {
        let (mut text, mut cells) = (String::with_capacity(shape.gives.len() * CELL_BYTES_TYPICAL), Vec::with_capacity(shape.gives.len()));
        for place in 0..shape.gives.len() {
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
        Ok(Self { cells: cells.into_boxed_slice(), text, shape: Arc::clone(shape) })
    }

    /// Where the column of this name stands.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        self.shape.gives.iter().position(|own| **own == *name)
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
        assert_eq!((row.int("second").unwrap(), row.text("first").unwrap()), (2, "one"));
        assert_eq!((row.maybe_text(2).unwrap(), row.text("again").unwrap()), (None, "one"));
        assert!(conn.ask("SELECT $4", &values).is_err(), "an unbound parameter would silently be NULL");
        assert!(conn.ask("SELECT ?", &values).is_err());
    }

    #[test]
    fn a_cell_is_read_as_what_it_is_or_not_at_all() {
        let (mut conn, _folder) = fresh();
        let (_, rows) = conn.ask("SELECT 'ä' AS a, 7 AS b, NULL AS c", &[]).unwrap();
        let row = &rows[0];
        assert_eq!((row.text(0).unwrap(), row.flag(1).unwrap(), row.maybe_int(2).unwrap()), ("ä", true, None));
        assert!(row.int(0).is_err() && row.text(1).is_err() && row.text(2).is_err(), "another type");
        assert!(row.text(3).is_err() && row.text("d").is_err(), "no such column");
        assert!(conn.ask("SELECT 1.5", &[]).is_err() && conn.ask("SELECT x'00'", &[]).is_err());
    }

    #[test]
    fn it_counts_what_a_statement_changed() {
        let (mut conn, _folder) = fresh();
        conn.ask("CREATE TABLE t (a TEXT)", &[]).unwrap();
        assert_eq!(conn.ask("INSERT INTO t VALUES ('x'), ('y'), ('z')", &[]).unwrap().0, 3);
        let (changed, rows) = conn.ask("DELETE FROM t WHERE a > $1 RETURNING a", &[Value::Text("x")]).unwrap();
        assert_eq!((changed, rows.len()), (2, 2));
        assert_eq!(conn.ask("SELECT count(*) FROM t", &[]).unwrap().0, 0);
        let each = [[Value::Text("b")], [Value::Text("c")]];
        assert_eq!(conn.ask_each("INSERT INTO t VALUES ($1)", each.iter()).unwrap().0, 2);
    }
}
