//! `cargo xtask check`: what can be told without running anything and without the network.

mod dependencies;
mod licences;
mod manifests;

use std::fs;
use std::time::Duration;

use crate::closing::{Tally, say};
use crate::{Result, docs, run, workspace};

/// Clippy has to build every dependency's metadata when it is the first.
const LINT_LIMIT: Duration = Duration::from_secs(1800);
/// Lock files of the other languages; none may name a download address.
const FOREIGN_LOCKS: [&str; 3] = ["tests/e2e/package-lock.json", "tests/conformance/package-lock.json", "tests/edge/package-lock.json"];

pub(crate) fn run() -> Result<Tally> {
    let mut tally = Tally::default();
    tally.add(by_cargo("cargo fmt", &["fmt", "--all", "--check"])?);
    tally.add(by_cargo("cargo clippy", &["clippy", "--workspace", "--all-targets", "--all-features", "--", "--deny", "warnings"])?);
    tally.add(judged("versions stand in the root manifest only", manifests::faults()));
    tally.add(judged("nothing heavy is built twice, one TLS", dependencies::faults()));
    tally.add(judged("licences are on the list", licences::faults()));
    tally.add(judged("generated documents are fresh", stale_documents()));
    tally.add(judged("lock files name no download address", addresses_in_locks()));
    Ok(tally)
}

fn by_cargo(name: &str, words: &[&str]) -> Result<Tally> {
    let finished = run::step(name, &mut workspace::cargo(words)?, LINT_LIMIT)?;
    if !finished.is_good() {
        finished.show_tail();
        say(&format!("not ok {name}"));
    }
    Ok(Tally::of(finished.is_good()))
}

/// One rule: no faults is a pass; a rule that could not be judged is a failure.
fn judged(rule: &str, faults: Result<Vec<String>>) -> Tally {
    let faults = faults.unwrap_or_else(|error| vec![format!("could not be judged: {error}")]);
    for fault in &faults {
        say(&format!("not ok {rule}: {fault}"));
    }
    if faults.is_empty() {
        say(&format!("✓ {rule}"));
    }
    Tally::of(faults.is_empty())
}

fn stale_documents() -> Result<Vec<String>> {
    let mut stale = Vec::new();
    for document in docs::generated()? {
        let kept = fs::read_to_string(workspace::root().join(&document.path)).unwrap_or_default();
        if kept != document.text {
            stale.push(format!("{} is not what `cargo xtask docs` makes", document.path.display()));
        }
    }
    Ok(stale)
}

fn addresses_in_locks() -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for lock in FOREIGN_LOCKS {
        if fs::read_to_string(workspace::root().join(lock))?.contains("\"resolved\"") {
            faults.push(format!("{lock}: make it with `npm install --omit-lockfile-registry-resolved`"));
        }
    }
    Ok(faults)
}
