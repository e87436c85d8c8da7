//! `cargo xtask docs`: documents that are made from the code, so that nobody types them.
//!
//! `docs/conformance.md` lists every clause that a test names. Nothing here invents text: a clause stands above its
//! test as `/// RFC 7636 §4.6: …`, and a MUST without a row is a gap that a reader can see.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::closing::say;
use crate::{Result, run, workspace};

/// Where tests stand.
const PLACES: [&str; 7] = ["auth-server", "mcp-server", "portico", "crates", "tests", "xtask/src", "migrations"];
/// How the name of a document begins that a test may cite.
const DOCUMENTS: [&str; 7] = ["RFC ", "OAuth 2.1 ", "OpenID ", "MCP ", "SEP-", "BCP ", "draft-"];

/// What `portico` says about itself, and where it is kept. Tests beside the code hold these fresh.
const BY_PORTICO: [(&[&str], &str); 2] =
    [(&["config", "manual"], "docs/configuration.md"), (&["config", "manual", "--schema"], "docs/config.schema.json")];

/// A generated document: where it is kept and what it must say.
pub(crate) struct Generated {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Writes every generated document.
pub(crate) fn write() -> Result<()> {
    let mut documents = generated()?;
    for (words, path) in BY_PORTICO {
        let mut command = workspace::cargo(&["run", "--quiet", "--package", "portico", "--"])?;
        documents.push(Generated { path: PathBuf::from(path), text: run::read(command.args(words))? });
    }
    for document in documents {
        let path = workspace::root().join(&document.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, document.text)?;
        say(&format!("wrote {}", document.path.display()));
    }
    Ok(())
}

/// The documents that are made here, as they should be now.
pub(crate) fn generated() -> Result<Vec<Generated>> {
    Ok(vec![Generated { path: PathBuf::from("docs/conformance.md"), text: conformance()? }])
}

/// One clause and the test that holds it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Clause {
    section: String,
    sentence: String,
    test: String,
}

fn conformance() -> Result<String> {
    let mut documents: BTreeMap<String, Vec<(Clause, String)>> = BTreeMap::new();
    for place in PLACES {
        for file in rust_files(&workspace::root().join(place))? {
            let name = file.strip_prefix(workspace::root())?.display().to_string();
            for (document, clause) in clauses(&fs::read_to_string(&file)?) {
                documents.entry(document).or_default().push((clause, name.clone()));
            }
        }
    }
    let mut text = String::from(
        "# Which clause is held by which test\n\n\
         Made by `cargo xtask docs` from the lines above the tests. The public MCP conformance suite runs beside these \
         (`cargo xtask conformance`).\n",
    );
    for (document, mut rows) in documents {
        rows.sort();
        text.push_str(&format!("\n## {document}\n\n| Clause | Rule | Test |\n| --- | --- | --- |\n"));
        for (clause, file) in rows {
            let section = if clause.section.is_empty() { "–" } else { &clause.section };
            text.push_str(&format!("| {section} | {} | `{}` in `{file}` |\n", clause.sentence.replace('|', "\\|"), clause.test));
        }
    }
    Ok(text)
}

/// The clauses above the tests of one file, each with the document it cites.
fn clauses(source: &str) -> Vec<(String, Clause)> {
    let mut found = Vec::new();
    let mut comment = String::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            let text = text.trim();
            // A new citation begins a new clause; anything else goes on with the sentence before.
            let separator = if comment.is_empty() {
                ""
            } else if is_citation(text) {
                "\n"
            } else {
                " "
            };
            comment = format!("{comment}{separator}{text}");
        } else if line.starts_with("#[") {
            is_test |= line.contains("test]") || line.contains("test(");
        } else if !line.is_empty() {
            if is_test && let Some(test) = function_name(line) {
                found.extend(comment.lines().filter_map(|citation| cited(citation, test)));
            }
            comment.clear();
            is_test = false;
        }
    }
    found
}

fn is_citation(text: &str) -> bool {
    DOCUMENTS.iter().any(|start| text.starts_with(start))
}

/// `RFC 7636 §4.6: the sentence.` → document, section and sentence.
fn cited(citation: &str, test: &str) -> Option<(String, Clause)> {
    if !is_citation(citation) {
        return None;
    }
    let (reference, sentence) = citation.split_once(": ")?;
    let (document, section) = document_and_section(reference);
    let clause = Clause { section: section.trim().to_owned(), sentence: sentence.trim().to_owned(), test: test.to_owned() };
    Some((document.trim().to_owned(), clause))
}

/// The MCP specification has dated revisions and named sections, the others have numbered ones.
fn document_and_section(reference: &str) -> (&str, String) {
    if let Some((document, section)) = reference.split_once('§') {
        return (document, format!("§{section}"));
    }
    match reference.strip_prefix("MCP ").and_then(|rest| rest.split_once(' ')) {
        Some((revision, section)) => (&reference[.."MCP ".len() + revision.len()], section.to_owned()),
        None => (reference, String::new()),
    }
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    if !before.split_whitespace().all(|word| matches!(word, "pub" | "pub(crate)" | "async")) {
        return None;
    }
    after.split(['(', '<']).next()
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::{Clause, clauses};

    #[test]
    fn a_clause_above_a_test_is_found_and_one_above_code_is_not() {
        let source = "
            /// RFC 7636 §4.6: a verifier that does not match
            /// is refused.
            /// RFC 6749 §5.2: as invalid_grant.
            /// MCP 2025-11-25 Token Handling: with 401.
            #[actix_web::test]
            async fn a_wrong_verifier_is_refused() {}

            /// RFC 6749 §4.1: this is only code.
            pub fn code() {}

            /// Nothing is cited here.
            #[test]
            fn a_test_without_a_clause() {}
        ";
        let clause = |section: &str, sentence: &str| Clause {
            section: section.to_owned(),
            sentence: sentence.to_owned(),
            test: "a_wrong_verifier_is_refused".to_owned(),
        };
        assert_eq!(
            clauses(source),
            [
                ("RFC 7636".to_owned(), clause("§4.6", "a verifier that does not match is refused.")),
                ("RFC 6749".to_owned(), clause("§5.2", "as invalid_grant.")),
                ("MCP 2025-11-25".to_owned(), clause("Token Handling", "with 401.")),
            ]
        );
    }
}
