//! The table in `tests/README.md` is true: each test that it names exists, and each item of the checklist has its row.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|problem| panic!("{path}: {problem}"))
}

/// Portico tests/README.md: a test that the table names stands in the file that it names.
#[test]
fn every_test_in_the_table_exists() {
    let table = read("README.md");
    let named: Vec<_> = table
        .split('`')
        .filter_map(|word| word.split_once("::"))
        .filter(|(file, test)| !file.contains(' ') && !test.contains('('))
        .collect();
    assert!(named.len() > 100, "the table was not read");
    for (file, test) in named {
        let source = read(&format!("protocol/{file}.rs"));
        assert!(source.contains(&format!("fn {test}(")), "`{file}::{test}` is in the table and not in the source");
    }
}

/// Portico tests/README.md: every item from 1 to 71 has a row.
#[test]
fn every_item_of_the_checklist_has_a_row() {
    let table = read("README.md");
    let mut covered = Vec::new();
    for row in table.lines().filter_map(|line| line.strip_prefix("| ")).filter_map(|line| line.split_once(" |")) {
        let (first, last) = row.0.split_once('–').unwrap_or((row.0, row.0));
        if let (Ok(first), Ok(last)) = (first.trim().parse::<u32>(), last.trim().parse::<u32>()) {
            covered.extend(first..=last);
        }
    }
    let missing: Vec<_> = (1..=71).filter(|item| !covered.contains(item)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

/// Portico house-style TESTS: above each protocol test stands its clause, or nobody can look it up.
#[test]
fn every_protocol_test_stands_under_its_clause() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol");
    for entry in fs::read_dir(folder).expect("the protocol tests") {
        let path = entry.expect("an entry").path();
        let source = fs::read_to_string(&path).expect("a source");
        let lines: Vec<_> = source.lines().collect();
        for (index, _) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("#[actix_web::test]") || line.starts_with("#[test]"))
        {
            let above = lines[..index].iter().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
            let clause = above.filter(|line| line.starts_with("///")).last().copied().unwrap_or_default();
            assert!(clause.contains(": "), "{}:{}: no clause above the test", path.display(), index + 1);
        }
    }
}
