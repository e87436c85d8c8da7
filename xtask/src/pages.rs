//! `cargo xtask browser`: Chromium over the pages (`tests/browser`). Screenshots go to the cache folder.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::closing::{Tally, say};
use crate::server::{House, free_port, stopped};
use crate::{Result, cache, e2e, setup};

/// A few dozen page visits.
const LIMIT: Duration = Duration::from_secs(600);

/// Two ways to sign in, one of which is down: a provider at a port where nobody listens.
const PROVIDER: &str = "Company sign-in";

pub(crate) fn run(binary: &Path) -> Result<Tally> {
    let parts = setup::parts()?;
    let screenshots = cache::subfolder("screenshots")?;
    let mut tally = Tally::default();
    for (name, script) in [("browser", "tests/browser/run.mjs"), ("ways to sign in", "tests/browser/ways.mjs")] {
        let mut house = House::build("browser", binary, &[])?;
        if script.ends_with("ways.mjs") {
            house.configure(&two_ways(free_port()?))?;
        }
        let portico = house.open()?;
        let mut pages = Command::new("node");
        pages.arg(script).env("PORTICO_SCREENSHOTS", &screenshots).env("PORTICO_PROVIDER", PROVIDER);
        tally.add(e2e::script(name, &mut pages, &house, &parts, LIMIT)?);
        tally.add(stopped(portico));
    }
    say(&format!("  screenshots: {}", screenshots.display()));
    Ok(tally)
}

fn two_ways(silent_port: u16) -> String {
    format!(
        "[accounts]\nsign_in = \"on\"\n\n[[upstream]]\nid = \"company\"\nname = {PROVIDER:?}\nissuer = \"http://127.0.0.1:{silent_port}\"\n\
         client_id = \"portico\"\nclient_secret = \"nobody-will-ever-ask-for-this-one\"\n"
    )
}
