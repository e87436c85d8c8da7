//! `cargo xtask browser`: Chromium over the pages (`tests/browser`). Screenshots go to the cache folder.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::closing::{Tally, say};
use crate::server::{House, stopped};
use crate::{Result, cache, e2e, setup};

/// A few dozen page visits.
const LIMIT: Duration = Duration::from_secs(600);

pub(crate) fn run(binary: &Path) -> Result<Tally> {
    let parts = setup::parts()?;
    let house = House::build("browser", binary, &[])?;
    let portico = house.open()?;
    let screenshots = cache::subfolder("screenshots")?;
    let mut pages = Command::new("node");
    pages.arg("tests/browser/run.mjs").env("PORTICO_SCREENSHOTS", &screenshots);
    let mut tally = e2e::script("browser", &mut pages, &house, &parts, LIMIT)?;
    say(&format!("  screenshots: {}", screenshots.display()));
    tally.add(stopped(portico));
    Ok(tally)
}
