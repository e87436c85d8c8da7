//! What a group writes: a row of plain values for each change that was let through.
//!
//! Neither JSON nor SQL, but what both are made of. SQLite's statements take an element at a time, place by place; PostgreSQL's take
//! all of them at once, as one JSON text, for there each call is a journey. The values live in one text, so that a group costs a
//! handful of allocations.
//!
//! ```text
//! place 1: its audit id, the receipt   2 event   3 client_id   4 subject   5 grant_id
//!       6: reason   7: reference   8: source_ip   9: detail    10 and on: by letter (statements.rs)
//! ```

use std::fmt::Write as _;

use super::db::Value;

/// A value in its place.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Null,
    Int(i64),
    /// From here to there in the text.
    Text(usize, usize),
}

/// The elements of a group.
#[derive(Default)]
pub(super) struct Elements {
    text: String,
    cells: Vec<Cell>,
    /// The letter of each element, and where its cells begin.
    begins: Vec<(char, usize)>,
}

/// What an element has in texts and in places, a little more than most: a group grows its memory once.
const ELEMENT_BYTES: usize = 512;
const ELEMENT_PLACES: usize = 20;

impl Elements {
    /// With room for so many.
    pub(super) fn with_room_for(count: usize) -> Self {
        Self {
            text: String::with_capacity(count * ELEMENT_BYTES),
            cells: Vec::with_capacity(count * ELEMENT_PLACES),
            begins: Vec::with_capacity(count),
        }
    }

    /// Begins an element of this letter.
    pub(super) fn begin(&mut self, letter: char) {
        self.begins.push((letter, self.cells.len()));
    }

    /// Puts a text into the next place.
    pub(super) fn text(&mut self, text: Option<&str>) {
        self.cells.push(text.map_or(Cell::Null, |text| {
            let begin = self.text.len();
            self.text.push_str(text);
            Cell::Text(begin, self.text.len())
        }));
    }

    /// Puts a number into the next place.
    pub(super) fn number(&mut self, number: Option<i64>) {
        self.cells.push(number.map_or(Cell::Null, Cell::Int));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.begins.is_empty()
    }

    fn iter(&self) -> impl Iterator<Item = (char, &[Cell])> {
        let ends = self.begins.iter().skip(1).map(|(_, begin)| *begin).chain([self.cells.len()]);
        self.begins.iter().zip(ends).map(|((letter, begin), end)| (*letter, &self.cells[*begin..end]))
    }

    fn value(&self, cell: Cell) -> Value<'_> {
        match cell {
            Cell::Null => Value::MaybeText(None),
            Cell::Int(number) => Value::Int(number),
            Cell::Text(begin, end) => Value::Text(&self.text[begin..end]),
        }
    }

    /// The elements of these letters, each as the values of a statement: `first`, then what stands in its places.
    pub(super) fn values<'e>(&'e self, letters: &'e str, first: Value<'e>) -> impl Iterator<Item = Vec<Value<'e>>> {
        let wanted = self.iter().filter(move |(letter, _)| letters.contains(*letter));
        wanted.map(move |(_, cells)| std::iter::once(first).chain(cells.iter().map(|cell| self.value(*cell))).collect())
    }

    /// All of them as one array of arrays; place 0 is the letter.
    pub(super) fn json(&self) -> String {
        let mut json = String::with_capacity(self.text.len() + self.cells.len() * 8 + 2);
        for (letter, cells) in self.iter() {
            json.push_str(if json.is_empty() { "[[\"" } else { ",[\"" });
            json.push(letter);
            json.push('"');
            for cell in cells {
                json.push(',');
                match self.value(*cell) {
                    Value::Text(text) => push_quoted(&mut json, text),
                    Value::Int(number) => {
                        let _infallible = write!(json, "{number}");
                    }
                    Value::MaybeText(_) | Value::MaybeInt(_) => json.push_str("null"),
                }
            }
            json.push(']');
        }
        json.push_str(if json.is_empty() { "[]" } else { "]" });
        json
    }
}

fn push_quoted(json: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        let _infallible = write!(json, "{}", serde_json::Value::from(text));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn two() -> Elements {
        let mut elements = Elements::default();
        elements.begin('a');
        elements.text(Some("plain"));
        elements.text(None);
        elements.number(Some(-7));
        elements.begin('b');
        elements.text(Some("a \"quoted\" \\ line\nand ü"));
        elements.number(None);
        elements
    }

    #[test]
    fn both_databases_are_told_the_same() {
        let elements = two();
        let json: serde_json::Value = serde_json::from_str(&elements.json()).unwrap();
        assert_eq!(json, json!([["a", "plain", null, -7], ["b", "a \"quoted\" \\ line\nand ü", null]]));
        let told: Vec<_> = elements.values("ab", Value::Int(1)).collect();
        assert!(matches!(told[0][..], [Value::Int(1), Value::Text("plain"), Value::MaybeText(None), Value::Int(-7)]));
        assert!(matches!(told[1][..], [Value::Int(1), Value::Text("a \"quoted\" \\ line\nand ü"), Value::MaybeText(None)]));
    }

    #[test]
    fn a_statement_gets_the_elements_of_its_letters() {
        assert_eq!(two().values("b", Value::Int(1)).count(), 1);
        assert_eq!(two().values("xyz", Value::Int(1)).count(), 0);
        assert_eq!(Elements::default().json(), "[]");
    }
}
