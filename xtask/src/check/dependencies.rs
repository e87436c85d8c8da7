//! What may not be in the tree, and what may be there only once.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Result, run, workspace};

/// Two of these are two connection pools, two runtimes, two SQLite libraries: a defect, or minutes of building.
const ONLY_ONCE: [&str; 9] = ["sqlx", "sqlx-core", "tokio", "libsqlite3-sys", "aws-lc-sys", "rustls", "reqwest", "actix-web", "hyper"];
/// A second TLS provider makes rustls panic at its start; the others are TLS stacks of their own.
const NEVER: [&str; 8] =
    ["ring", "native-tls", "tokio-native-tls", "tokio-openssl", "actix-tls-openssl", "hyper-openssl", "hyper-tls", "sqlx-macros"];
/// Names of hosts in other scripts are read by the smaller of the two backends that `idna` has (decision 138).
const IDNA_BACKEND: (&str, &str) = ("idna_adapter", "v1.1.0");
/// OpenSSL is there for josekit's documents, never for TLS.
const OPENSSL_USERS: [&str; 1] = ["josekit"];

pub(super) fn faults() -> Result<Vec<String>> {
    let words = ["tree", "--workspace", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
    let mut faults = judge(&run::read(&mut workspace::cargo(&words)?)?);
    let words =
        ["tree", "--workspace", "--edges", "normal,build", "--invert", "openssl", "--depth", "1", "--prefix", "none", "--format", "{p}"];
    for user in names(&run::read(&mut workspace::cargo(&words)?)?).keys().filter(|&&name| name != "openssl") {
        if !OPENSSL_USERS.contains(user) {
            faults.push(format!("{user} uses OpenSSL"));
        }
    }
    Ok(faults)
}

fn judge(tree: &str) -> Vec<String> {
    let packages = names(tree);
    let twice = ONLY_ONCE.iter().filter_map(|&name| {
        let versions = packages.get(name).filter(|versions| versions.len() > 1)?;
        Some(format!("{name} is there more than once: {versions:?}"))
    });
    let forbidden = NEVER.iter().filter(|&&name| packages.contains_key(name)).map(|name| format!("{name} may not be in the tree"));
    let (adapter, wanted) = IDNA_BACKEND;
    let larger = packages.get(adapter).filter(|versions| !versions.contains(wanted)).map(|versions| {
        format!("{adapter} is {versions:?}, not {wanted}: `cargo update -p {adapter} --precise {}`", wanted.trim_start_matches('v'))
    });
    twice.chain(forbidden).chain(larger).collect()
}

/// Package names with their versions, from `name vVERSION …` lines.
fn names(tree: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut packages: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in tree.lines() {
        let mut words = line.split_whitespace();
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            packages.entry(name).or_default().insert(version);
        }
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn one_of_each_is_good() {
        assert!(judge("tokio v1.50.0\ntokio v1.50.0 (*)\nbase64 v0.21.0\nbase64 v0.22.0\n").is_empty());
    }

    #[test]
    fn the_larger_backend_of_idna_is_a_fault() {
        assert!(judge("idna_adapter v1.1.0\n").is_empty());
        assert!(judge("idna_adapter v1.2.2\n")[0].contains("--precise 1.1.0"));
    }

    #[test]
    fn a_second_runtime_and_a_second_provider_are_faults() {
        let faults = judge("tokio v1.50.0\ntokio v2.0.0\nring v0.17.0\n");
        assert_eq!(faults.len(), 2, "{faults:?}");
    }
}
