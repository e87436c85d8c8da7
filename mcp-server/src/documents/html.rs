//! The text of an HTML page: a single careful pass, no tree, nothing resolved or run.
//!
//! Not a browser: it needs to find words, so unknown or broken markup costs at most a stray space. It is linear in its
//! input, allocates only the text it returns, and what it returns is plain text that is escaped again wherever it is shown.

/// Elements whose content is never text for a reader.
const SILENT: [&str; 6] = ["script", "style", "template", "noscript", "svg", "head"];

/// A tag longer than this is text: keeps the pass linear when somebody never closes a quote.
const TAG_BYTES_MAX: usize = 16 * 1024;

/// Longest entity name we know: `&hellip;` and the numbers; beyond it an ampersand is an ampersand.
const ENTITY_CHARS_MAX: usize = 10;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) title: Option<String>,
    pub(crate) text: String,
}

/// Reads a page or a fragment.
pub(crate) fn read(source: &str) -> Page {
    let mut reader = Reader::default();
    let mut rest = source;
    while let Some(at) = rest.find('<') {
        reader.words(&rest[..at]);
        rest = reader.markup(&rest[at..]);
    }
    reader.words(rest);
    let title = reader.title.or(reader.heading).map(|title| decoded(title.trim())).filter(|title| !title.is_empty());
    Page { title, text: collapsed(&reader.text) }
}

#[derive(Default)]
struct Reader {
    text: String,
    title: Option<String>,
    heading: Option<String>,
    /// The silent element we are in, and how deep it is nested in itself.
    silent: Option<(&'static str, usize)>,
    in_title: bool,
    in_heading: bool,
}

impl Reader {
    fn words(&mut self, words: &str) {
        if self.in_title {
            self.title.get_or_insert_default().push_str(words);
        } else if self.silent.is_none() {
            if self.in_heading {
                self.heading.get_or_insert_default().push_str(words);
            }
            self.text.push_str(&decoded(words));
        }
    }

    /// `markup` begins with `<`; returns what follows the tag, comment or declaration.
    fn markup<'s>(&mut self, markup: &'s str) -> &'s str {
        if let Some(comment) = markup.strip_prefix("<!--") {
            return comment.find("-->").map_or("", |end| &comment[end + 3..]);
        }
        let Some(end) = end_of_tag(markup) else {
            // A `<` that opens nothing is a less-than sign.
            self.words("<");
            return &markup[1..];
        };
        let inside = &markup[1..end];
        let (closing, inside) = inside.strip_prefix('/').map_or((false, inside), |inside| (true, inside));
        let name_end = inside.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inside.len());
        let name = inside[..name_end].to_ascii_lowercase();
        let rest = &markup[end + 1..];
        if name.is_empty() {
            if !markup[1..].starts_with(['!', '?', '/']) {
                self.words("<");
                return &markup[1..];
            }
            return rest;
        }
        self.tag(&name, closing, inside.ends_with('/'));
        // Raw text: inside a script nothing is markup until its own end tag (HTML 13.2.5.4).
        if !closing && matches!(name.as_str(), "script" | "style") {
            return skip_raw(rest, &name);
        }
        rest
    }

    fn tag(&mut self, name: &str, closing: bool, self_closing: bool) {
        if name == "title" {
            self.in_title = !closing && self.title.is_none();
            return;
        }
        if let Some((silent, depth)) = &mut self.silent {
            if *silent == name {
                if closing {
                    *depth -= 1;
                } else if !self_closing {
                    *depth += 1;
                }
                if *depth == 0 {
                    self.silent = None;
                }
            } else if name == "body" {
                // A page that forgot to close its head is still a page.
                self.silent = None;
            }
            return;
        }
        if !closing
            && !self_closing
            && let Some(silent) = SILENT.iter().find(|silent| **silent == name)
        {
            if !matches!(*silent, "script" | "style") {
                self.silent = Some((silent, 1));
            }
            return;
        }
        if name == "h1" {
            self.in_heading = !closing && self.heading.is_none();
        }
        if is_block(name) {
            self.text.push('\n');
        } else if matches!(name, "td" | "th") {
            self.text.push(' ');
        }
    }
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "p" | "div"
            | "br"
            | "li"
            | "ul"
            | "ol"
            | "tr"
            | "table"
            | "section"
            | "article"
            | "header"
            | "footer"
            | "main"
            | "nav"
            | "aside"
            | "blockquote"
            | "pre"
            | "hr"
            | "dl"
            | "dt"
            | "dd"
            | "figure"
            | "figcaption"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
    )
}

/// Where the tag ends: the first `>` outside quotes.
fn end_of_tag(markup: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in markup.bytes().enumerate().take(TAG_BYTES_MAX).skip(1) {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'<') => return None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    None
}

/// What follows `</name>`, whatever case it is written in.
fn skip_raw<'s>(source: &'s str, name: &str) -> &'s str {
    let mut from = 0;
    while let Some(at) = source[from..].find("</") {
        let tag = from + at + 2;
        let matches = source.get(tag..tag + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
        if matches {
            return source[tag..].find('>').map_or("", |end| &source[tag + end + 1..]);
        }
        from = tag;
    }
    ""
}

/// Character references: the five of XML, the common few, and numbers.
fn decoded(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    let mut rest = words;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(ENTITY_CHARS_MAX + 2).position(|byte| byte == b';');
        match end.and_then(|end| entity(&rest[1..end]).map(|found| (found, end))) {
            Some((found, end)) => {
                text.push(found);
                rest = &rest[end + 1..];
            }
            None => {
                text.push('&');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
    text
}

fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|found| !found.is_control());
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "copy" => '©',
        "auml" => 'ä',
        "ouml" => 'ö',
        "uuml" => 'ü',
        "Auml" => 'Ä',
        "Ouml" => 'Ö',
        "Uuml" => 'Ü',
        "szlig" => 'ß',
        "eacute" => 'é',
        "egrave" => 'è',
        _ => return None,
    })
}

/// Lines trimmed, runs of space one space, runs of empty lines one.
fn collapsed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines() {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if empty > 0 { "\n\n" } else { "\n" });
        }
        empty = 0;
        out.push_str(&line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_its_title_and_its_words() {
        let page = read(
            "<!doctype html><html><head><title>A &amp; B</title><style>p{color:red}</style></head>\
             <body><h1>Hello</h1><p>one<br>two</p><script>alert('<p>no</p>')</script><p title=\"a>b\">three</p></body></html>",
        );
        assert_eq!(page.title.as_deref(), Some("A & B"));
        assert_eq!(page.text, "Hello\n\none\ntwo\n\nthree");
    }

    #[test]
    fn the_first_heading_is_the_title_of_a_fragment() {
        assert_eq!(read("<h1>Only <em>this</em></h1><p>x").title.as_deref(), Some("Only this"));
    }

    #[test]
    fn comments_and_scripts_stay_silent_whatever_they_contain() {
        assert_eq!(read("a<!-- <p>b</p> -->c").text, "ac");
        assert_eq!(read("a<SCRIPT>var x = '</p>';</Script >b").text, "ab");
        assert_eq!(read("a<script>never closed").text, "a");
    }

    #[test]
    fn broken_markup_is_text_and_never_a_panic() {
        assert_eq!(read("1 < 2 and 3 > 2").text, "1 < 2 and 3 > 2");
        assert_eq!(read("<").text, "<");
        assert_eq!(read("<p class='x").text, "<p class='x");
        assert_eq!(read("</>x").text, "x");
        assert_eq!(read("&#xD800;&#0;&bogus;&").text, "&#xD800;&#0;&bogus;&");
    }

    #[test]
    fn references_are_decoded_once() {
        assert_eq!(read("&amp;lt;script&amp;gt;").text, "&lt;script&gt;");
        assert_eq!(read("Gr&uuml;&szlig;e &#x2014; &#8230;").text, "Grüße — …");
    }

    proptest::proptest! {
        #[test]
        fn garbage_never_panics_and_never_grows(source in "[<>/!a-z\\-\"'&#;x ü]{0,60}") {
            let page = read(&source);
            proptest::prop_assert!(page.text.len() <= source.len() * 4 + 4);
        }
    }
}
