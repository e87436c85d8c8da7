//! Versions are written once: in the root `Cargo.toml`.

use std::fs;

use toml::{Table, Value};

use crate::{Result, workspace};

/// Every kind of dependency table a member may have.
const DEPENDENCY_TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
/// What every member takes from the root.
const INHERITED: [&str; 4] = ["version", "edition", "rust-version", "license"];

/// Members that write a version, or do not take the shared lints.
pub(super) fn faults() -> Result<Vec<String>> {
    let root: Table = fs::read_to_string(workspace::root().join("Cargo.toml"))?.parse()?;
    let members = root["workspace"]["members"].as_array().ok_or("the workspace has no members")?;
    let mut faults = Vec::new();
    for member in members.iter().filter_map(Value::as_str) {
        let manifest: Table = fs::read_to_string(workspace::root().join(member).join("Cargo.toml"))?.parse()?;
        faults.extend(of_member(&manifest).into_iter().map(|fault| format!("{member}: {fault}")));
    }
    Ok(faults)
}

fn of_member(manifest: &Table) -> Vec<String> {
    let mut faults = Vec::new();
    for table in DEPENDENCY_TABLES {
        for (name, dependency) in manifest.get(table).and_then(Value::as_table).into_iter().flatten() {
            if !is_inherited(dependency) {
                faults.push(format!("{name} in [{table}] must say `workspace = true`"));
            }
        }
    }
    let package = manifest.get("package").and_then(Value::as_table);
    for member in INHERITED {
        if !package.and_then(|package| package.get(member)).is_some_and(is_inherited) {
            faults.push(format!("package.{member} must say `workspace = true`"));
        }
    }
    if !manifest.get("lints").is_some_and(is_inherited) {
        faults.push("[lints] must say `workspace = true`".to_owned());
    }
    faults
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true) && value.get("version").is_none()
}

#[cfg(test)]
mod tests {
    use super::of_member;

    const GOOD: &str = "
        [package]
        version.workspace = true
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        [lints]
        workspace = true
        [dependencies]
        serde = { workspace = true, features = [\"derive\"] }
    ";

    #[test]
    fn a_member_that_takes_everything_from_the_root_is_good() {
        assert!(of_member(&GOOD.parse().unwrap()).is_empty());
    }

    #[test]
    fn a_version_in_a_member_is_a_fault() {
        let faults = of_member(&format!("{GOOD}\nserde_json = \"1\"").parse().unwrap());
        assert_eq!(faults, ["serde_json in [dependencies] must say `workspace = true`"]);
        let faults = of_member(&GOOD.replace("edition.workspace = true", "edition = \"2024\"").parse().unwrap());
        assert_eq!(faults, ["package.edition must say `workspace = true`"]);
    }
}
