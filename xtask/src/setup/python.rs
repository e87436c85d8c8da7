//! What comes from PyPI, each list of pins in an environment of its own: both lines of the official Python SDK, and the linter of
//! Dockerfiles.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::run::{must, read};
use crate::{Result, cache, workspace};

/// Thirty wheels.
const INSTALL_LIMIT: Duration = Duration::from_secs(600);

/// The interpreter that has every package of `tests/e2e/requirements-LINE.txt`.
pub(super) fn sdk(line: u8) -> Result<PathBuf> {
    install(&format!("python-{line}"), &format!("tests/e2e/requirements-{line}.txt")).map(|folder| folder.join("bin/python"))
}

/// hadolint, as `tests/containers/requirements.txt` pins it.
pub(super) fn hadolint() -> Result<PathBuf> {
    install("hadolint", "tests/containers/requirements.txt").map(|folder| folder.join("bin/hadolint"))
}

/// An environment with every package of this file.
fn install(name: &str, requirements: &str) -> Result<PathBuf> {
    let requirements = workspace::root().join(requirements);
    let pins = fs::read_to_string(&requirements)?;
    let version = read(Command::new("python3").arg("--version")).map_err(|error| format!("Python 3 is needed: {error}"))?;
    cache::part(name, &[&pins, &version], |folder| {
        must(&format!("Python environment {name}"), Command::new("python3").args(["-m", "venv"]).arg(folder), INSTALL_LIMIT)?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--requirement"]).arg(&requirements);
        must(&format!("Python packages {name}"), &mut pip, INSTALL_LIMIT).map(|_| ())
    })
}
