//! `cargo xtask e2e`: the real clients of `tests/e2e`, each from discovery to a tool call and a refresh.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::closing::{Tally, say};
use crate::run::step;
use crate::server::{House, stopped};
use crate::{Result, setup, workspace};

/// Seven journeys of at most two minutes.
const LIMIT: Duration = Duration::from_secs(900);

/// Starts a Portico and sends the journeys through it.
pub(crate) fn run(binary: &Path, journeys: &[String]) -> Result<Tally> {
    let parts = setup::parts()?;
    let house = House::build("e2e", binary, &[])?;
    let portico = house.open()?;
    let mut clients = Command::new("node");
    clients.arg("tests/e2e/run.mjs").args(journeys).env("PORTICO_PYTHON_1", &parts.pythons[0]).env("PORTICO_PYTHON_2", &parts.pythons[1]);
    let mut tally = script("real clients", &mut clients, &house, &parts, LIMIT)?;
    tally.add(stopped(portico));
    Ok(tally)
}

/// Runs a script of `tests/` against `house` and counts its lines; shows what failed.
pub(crate) fn script(name: &str, command: &mut Command, house: &House, parts: &setup::Parts, limit: Duration) -> Result<Tally> {
    command
        .current_dir(workspace::root())
        .env("PORTICO_ORIGIN", house.seen_as.clone().unwrap_or_else(|| house.origin()))
        .env("PORTICO_USER", house.username)
        .env("PORTICO_PASSWORD", &house.password)
        .env("PORTICO_CHROMIUM", house.browser.as_ref().unwrap_or(&parts.chromium));
    let finished = step(name, command, limit)?;
    for line in finished.output.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")) {
        say(&format!("  {line}"));
    }
    let mut tally = Tally::of_lines(&finished.output);
    if !finished.is_good() {
        finished.show_tail();
        say(&format!("--- the end of the server's log ({}) ---\n{}", house.log().display(), house.log_tail()));
        // A script that broke down after its last line must not count as passed.
        if tally.failed == 0 {
            tally.failed = 1;
        }
    }
    Ok(tally)
}
