//! What comes from PyPI: both lines of the official Python SDK, each in an environment of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::run::{must, read};
use crate::{Result, cache, workspace};

/// Thirty wheels.
const INSTALL_LIMIT: Duration = Duration::from_secs(600);

/// The interpreter that has every package of `tests/e2e/requirements-LINE.txt`.
pub(super) fn install(line: u8) -> Result<PathBuf> {
    let requirements = workspace::root().join(format!("tests/e2e/requirements-{line}.txt"));
    let pins = fs::read_to_string(&requirements)?;
    let version = read(Command::new("python3").arg("--version")).map_err(|error| format!("Python 3 is needed: {error}"))?;
    let folder = cache::part(&format!("python-{line}"), &[&pins, &version], |folder| {
        must(&format!("Python environment {line}.x"), Command::new("python3").args(["-m", "venv"]).arg(folder), INSTALL_LIMIT)?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--requirement"]).arg(&requirements);
        must(&format!("Python packages {line}.x"), &mut pip, INSTALL_LIMIT).map(|_| ())
    })?;
    Ok(folder.join("bin/python"))
}
