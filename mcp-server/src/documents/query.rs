//! From what a person typed to what FTS5 may be asked.
//!
//! FTS5 has a query language of its own; a person's words never reach it as such. Each word is quoted, so that `NOT`,
//! `*`, `:` and `"` are letters like any other.

/// More words than this say no more.
const WORDS_MAX: usize = 16;
/// Longest text that is looked at.
const CHARS_MAX: usize = 512;
/// The trigram table knows nothing shorter.
const TRIGRAM_CHARS: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    words: Vec<String>,
}

impl Query {
    /// The words of a text, or none when there is nothing to look for.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let text: String = text.chars().take(CHARS_MAX).collect();
        let words: Vec<String> = text
            .split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .take(WORDS_MAX)
            .map(str::to_owned)
            .collect();
        (!words.is_empty()).then_some(Self { words })
    }

    /// Every word, whole (stemmed by the table).
    pub(crate) fn all(&self) -> String {
        self.quoted(" ", 1)
    }

    /// Any word.
    pub(crate) fn any(&self) -> String {
        self.quoted(" OR ", 1)
    }

    /// Every word as a part of a word: German compounds, and scripts without spaces. None when all are too short.
    pub(crate) fn parts(&self) -> Option<String> {
        let parts = self.quoted(" ", TRIGRAM_CHARS);
        (!parts.is_empty()).then_some(parts)
    }

    fn quoted(&self, between: &str, chars_min: usize) -> String {
        let words = self.words.iter().filter(|word| word.chars().count() >= chars_min);
        words.map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect::<Vec<_>>().join(between)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_and_operators_are_letters() {
        let query = Query::of("title: NOT \"x\" OR y*").unwrap();
        assert_eq!(query.all(), r#""title" "NOT" "x" "OR" "y""#);
        assert_eq!(Query::of("a bee").unwrap().any(), r#""a" OR "bee""#);
    }

    #[test]
    fn parts_need_three_letters() {
        assert_eq!(Query::of("ab cde").unwrap().parts().as_deref(), Some(r#""cde""#));
        assert_eq!(Query::of("ab").unwrap().parts(), None);
    }

    #[test]
    fn nothing_to_look_for_is_no_query() {
        assert_eq!(Query::of("  *?!  "), None);
        assert_eq!(Query::of(""), None);
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "word ".repeat(1000);
        assert_eq!(Query::of(&long).unwrap().words.len(), WORDS_MAX);
    }
}
