//! `cargo xtask conformance`: the public MCP conformance suite (`tests/conformance`), through a real token.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::closing::Tally;
use crate::server::{House, stopped};
use crate::{Result, cache, e2e, setup};

/// The suite takes about half a minute; each of its three runs has a limit of its own.
const LIMIT: Duration = Duration::from_secs(900);

pub(crate) fn run(binary: &Path) -> Result<Tally> {
    let parts = setup::parts()?;
    let house = House::build("conformance", binary, &["--conformance-fixtures"])?;
    let portico = house.open()?;
    let mut suite = Command::new("node");
    suite
        .arg("tests/conformance/run.mjs")
        .env("PORTICO_SUITE", &parts.suite)
        .env("PORTICO_SUITE_NODE", &parts.suite_node)
        .env("PORTICO_RESULTS", cache::subfolder("conformance-results")?);
    let mut tally = e2e::script("conformance suite", &mut suite, &house, &parts, LIMIT)?;
    tally.add(stopped(portico));
    Ok(tally)
}
