//! The suites that need a running Portico, each alone or all with one build.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::closing::Tally;
use crate::run::must;
use crate::{Result, setup, workspace};

/// A release build from nothing on a busy machine of two cores.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);

/// Runs one suite with the binary that somebody chose, else with the release binary.
pub(crate) fn alone(chosen: Option<&Path>, suite: impl FnOnce(&Path) -> Result<Tally>) -> Result<Tally> {
    setup::system()?;
    suite(&binary(chosen)?)
}

/// The chosen binary, else what `cargo run --release` builds.
pub(crate) fn binary(chosen: Option<&Path>) -> Result<PathBuf> {
    if let Some(chosen) = chosen {
        return Ok(chosen.canonicalize()?);
    }
    let mut build = workspace::cargo(&["build", "--release", "--package", "portico"])?;
    must("cargo build --release", &mut build, BUILD_LIMIT)?;
    Ok(workspace::target_folder()?.join("release/portico"))
}

/// Runs a suite so that its own breakdown is one failure and the next suite still runs.
pub(crate) fn counted(name: &str, suite: impl FnOnce() -> Result<Tally>) -> Tally {
    match suite() {
        Ok(tally) => tally.or_failed_for_nothing(name),
        Err(error) => {
            crate::closing::say(&format!("not ok {name}: {error}"));
            Tally::one_failure()
        }
    }
}
