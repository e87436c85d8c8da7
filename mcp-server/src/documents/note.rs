//! Notes: documents that people write through a tool, each person in a folder of their own under the state directory.
//!
//! Written whole or not at all: a temporary file in the same folder, synced, then renamed over the old one.

use std::io::Write as _;
use std::path::Path;

use crate::secret;

/// Longest title of a note.
pub(crate) const NOTE_TITLE_CHARS_MAX: usize = 120;
/// Largest note: a page or twenty, not a data set.
pub(crate) const NOTE_BYTES_MAX: usize = 64 * 1024;
/// Most notes of one person, so that a looping agent cannot fill the disk.
pub(crate) const NOTES_PER_PERSON_MAX: usize = 1_000;

/// Why a note was not written.
#[derive(Debug)]
pub(crate) enum NoteFault {
    TitleEmpty,
    TitleTooLong,
    TextTooLong,
    TooMany,
    Storage(std::io::Error),
}

impl NoteFault {
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::TitleEmpty => "note_title_empty",
            Self::TitleTooLong => "note_title_too_long",
            Self::TextTooLong => "note_text_too_long",
            Self::TooMany => "note_too_many",
            Self::Storage(_) => "note_storage",
        }
    }

    /// For the model and its person.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::TitleEmpty => "title must contain a letter or a digit".into(),
            Self::TitleTooLong => format!("title must have at most {NOTE_TITLE_CHARS_MAX} characters"),
            Self::TextTooLong => format!("text must have at most {NOTE_BYTES_MAX} bytes"),
            Self::TooMany => format!("there are {NOTES_PER_PERSON_MAX} notes already; replace one instead"),
            Self::Storage(_) => "the note could not be stored; try again later".into(),
        }
    }
}

/// A note as it will be written.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    title: String,
    text: String,
    name: String,
}

/// Where it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) replaced: bool,
}

impl Note {
    /// Checks what was asked; the file name is made from letters and digits of the title, so no title can leave the folder.
    pub(crate) fn parse(title: &str, text: &str) -> Result<Self, NoteFault> {
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        if title.chars().count() > NOTE_TITLE_CHARS_MAX {
            return Err(NoteFault::TitleTooLong);
        }
        if text.len() > NOTE_BYTES_MAX {
            return Err(NoteFault::TextTooLong);
        }
        let name = slug(&title);
        if name.is_empty() {
            return Err(NoteFault::TitleEmpty);
        }
        Ok(Self { title, text: text.to_owned(), name })
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    pub(crate) fn file_name(&self) -> String {
        format!("{}.md", self.name)
    }

    /// Returns the path inside the folder, and whether an older note was replaced.
    pub(crate) fn write(&self, folder: &Path) -> Result<(String, bool), NoteFault> {
        std::fs::create_dir_all(folder).map_err(NoteFault::Storage)?;
        let name = self.file_name();
        let target = folder.join(&name);
        let replaced = target.exists();
        if !replaced && count(folder) >= NOTES_PER_PERSON_MAX {
            return Err(NoteFault::TooMany);
        }
        let content = format!("# {}\n\n{}\n", self.title, self.text.trim_end());
        replace(folder, &target, content.as_bytes()).map_err(NoteFault::Storage)?;
        Ok((name, replaced))
    }
}

fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, |entries| entries.take(NOTES_PER_PERSON_MAX + 1).count())
}

fn replace(folder: &Path, target: &Path, content: &[u8]) -> std::io::Result<()> {
    // A leading dot: the scan never takes a half-written note for a document.
    let temporary = folder.join(format!(".{}.tmp", secret::fresh_name()));
    let written = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, target)
    })();
    if written.is_err() {
        // The first error is the one worth telling.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Lower-case letters and digits of any script, hyphens between.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for letter in title.chars().flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        // A file name has at most 255 bytes; leave room for the ending.
        if slug.len() > 180 {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_can_not_leave_the_folder() {
        assert_eq!(Note::parse("../../etc/passwd", "x").unwrap().file_name(), "etc-passwd.md");
        assert_eq!(Note::parse("a\0b/c\\d", "x").unwrap().file_name(), "a-b-c-d.md");
        assert!(matches!(Note::parse("../..", "x"), Err(NoteFault::TitleEmpty)));
    }

    #[test]
    fn a_note_is_written_whole_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let first = Note::parse("Grüße aus Köln", "one").unwrap().write(folder.path()).unwrap();
        assert_eq!(first, ("grüße-aus-köln.md".into(), false));
        let second = Note::parse("Grüße aus Köln", "two").unwrap().write(folder.path()).unwrap();
        assert!(second.1);
        let kept: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(kept, ["grüße-aus-köln.md"]);
        assert_eq!(std::fs::read_to_string(folder.path().join("grüße-aus-köln.md")).unwrap(), "# Grüße aus Köln\n\ntwo\n");
    }

    #[test]
    fn limits_have_their_own_reasons() {
        assert!(matches!(Note::parse(&"x".repeat(NOTE_TITLE_CHARS_MAX + 1), ""), Err(NoteFault::TitleTooLong)));
        assert!(Note::parse(&"x".repeat(NOTE_TITLE_CHARS_MAX), "").is_ok());
        assert!(matches!(Note::parse("x", &"y".repeat(NOTE_BYTES_MAX + 1)), Err(NoteFault::TextTooLong)));
    }
}
