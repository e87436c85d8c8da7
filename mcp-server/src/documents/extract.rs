//! From a file's bytes to a title and plain text: what the index reads and `fetch` hands out.
//!
//! Markdown through pulldown-cmark; HTML through the small reader in `html`; everything else is taken as it is.
//! Nothing here runs, fetches or resolves anything: the text of a document is data.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::html;

/// Longest title that is kept; longer first headings are prose, not titles.
const TITLE_CHARS_MAX: usize = 200;

/// How a file is read, told by its ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Markdown,
    Html,
    Text,
}

impl Kind {
    /// The kind of a file name, or none when it is not a document.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let ending = name.rsplit_once('.')?.1.to_ascii_lowercase();
        match ending.as_str() {
            "md" | "markdown" | "mdx" => Some(Self::Markdown),
            "html" | "htm" => Some(Self::Html),
            "txt" | "text" | "rst" | "adoc" => Some(Self::Text),
            _ => None,
        }
    }

    /// The media type of the *text* we keep, which is never HTML again.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown",
            Self::Html | Self::Text => "text/plain",
        }
    }
}

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extract {
    pub(crate) title: String,
    /// What people read and `fetch` returns: Markdown stays Markdown.
    pub(crate) text: String,
    /// What is searched: without marks.
    pub(crate) plain: String,
}

/// Reads one document. Bytes that are not UTF-8 become replacement characters, never an error.
pub(crate) fn extract(kind: Kind, path: &str, bytes: &[u8]) -> Extract {
    let source = String::from_utf8_lossy(bytes);
    let source = source.strip_prefix('\u{feff}').unwrap_or(&source);
    let (title, text, plain) = match kind {
        Kind::Markdown => {
            let body = without_front_matter(source);
            let (title, plain) = markdown(body);
            (title, body.to_owned(), plain)
        }
        Kind::Html => {
            let page = html::read(source);
            (page.title, page.text.clone(), page.text)
        }
        Kind::Text => (None, source.to_owned(), source.to_owned()),
    };
    let title = title.map(|title| tidy(&title)).filter(|title| !title.is_empty());
    Extract { title: title.unwrap_or_else(|| title_of_path(path)), text, plain }
}

/// YAML between two `---` lines at the very start is for generators, not for readers.
fn without_front_matter(source: &str) -> &str {
    let Some(rest) = source.strip_prefix("---\n").or_else(|| source.strip_prefix("---\r\n")) else {
        return source;
    };
    match rest.find("\n---\n").map(|at| at + 5).or_else(|| rest.find("\n---\r\n").map(|at| at + 6)) {
        Some(end) => &rest[end..],
        None => source,
    }
}

fn markdown(source: &str) -> (Option<String>, String) {
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    let mut plain = String::with_capacity(source.len());
    let mut title: Option<String> = None;
    let mut in_title = false;
    for event in Parser::new_ext(source, options) {
        match event {
            Event::Start(Tag::Heading { level, .. }) if title.is_none() && level <= HeadingLevel::H2 => {
                title = Some(String::new());
                in_title = true;
            }
            Event::End(TagEnd::Heading(_)) => {
                in_title = false;
                plain.push('\n');
            }
            Event::Text(text) | Event::Code(text) => {
                if in_title && let Some(title) = &mut title {
                    title.push_str(&text);
                }
                plain.push_str(&text);
            }
            Event::Html(markup) | Event::InlineHtml(markup) => plain.push_str(&html::read(&markup).text),
            Event::SoftBreak | Event::HardBreak | Event::Rule => plain.push('\n'),
            Event::End(
                TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock | TagEnd::TableRow | TagEnd::TableHead | TagEnd::BlockQuote(_),
            ) => plain.push('\n'),
            Event::End(TagEnd::TableCell) => plain.push(' '),
            _ => {}
        }
    }
    (title, plain)
}

/// One line, single spaces, bounded.
fn tidy(title: &str) -> String {
    let line = title.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(TITLE_CHARS_MAX).collect()
}

/// `guides/first-steps.md` is called "first steps".
fn title_of_path(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let words = tidy(&stem.replace(['-', '_'], " "));
    if words.is_empty() { tidy(name) } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_keeps_its_text_and_loses_its_marks_for_the_search() {
        let read = extract(Kind::Markdown, "a.md", b"# The *narrow* way\n\nA `code` and a [link](https://x.example).\n");
        assert_eq!(read.title, "The narrow way");
        assert!(read.text.starts_with("# The *narrow* way"));
        assert!(read.plain.contains("A code and a link."));
        assert!(!read.plain.contains("x.example"));
    }

    #[test]
    fn front_matter_is_not_part_of_the_document() {
        let read = extract(Kind::Markdown, "a.md", b"---\nsecret: yes\n---\n# Title\nbody\n");
        assert_eq!(read.title, "Title");
        assert!(!read.text.contains("secret"));
    }

    #[test]
    fn a_document_without_a_heading_is_called_after_its_file() {
        assert_eq!(extract(Kind::Text, "guides/first-steps.txt", b"hello").title, "first steps");
        assert_eq!(extract(Kind::Markdown, "x/.md", b"no heading").title, ".md");
    }

    #[test]
    fn bytes_that_are_no_utf8_are_no_error() {
        assert!(extract(Kind::Text, "a.txt", b"caf\xe9").text.starts_with("caf"));
    }

    #[test]
    fn only_documents_are_read() {
        assert_eq!(Kind::of("README.MD"), Some(Kind::Markdown));
        assert_eq!(Kind::of("key.pem"), None);
        assert_eq!(Kind::of("Makefile"), None);
    }
}
