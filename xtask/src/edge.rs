//! `cargo xtask edge`: the real Traefik with the configuration that is shipped, in front of the release binary, over real TLS.
//!
//! Everything is loopback: Traefik on free ports with the files of `traefik/` (addresses and folders alone are replaced), a certificate of
//! `portico dev-ca`, services put there by `portico service add`. What is tried is in `tests/edge/`; this is the stage.

mod stage;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::closing::Tally;
use crate::e2e::script;
use crate::server::stopped;
use crate::{Result, setup};

use stage::Stage;

/// Two hundred tricks, a load, a stream of a minute.
const TRICKS_LIMIT: Duration = Duration::from_secs(900);
/// Seven journeys of at most two minutes.
const CLIENTS_LIMIT: Duration = Duration::from_secs(900);

/// Sets the stage, runs `tests/edge` and the real clients of `tests/e2e` through it.
pub(crate) fn run(binary: &Path) -> Result<Tally> {
    let parts = setup::parts()?;
    let services = setup::edge_services()?;
    let traefik = setup::traefik()?;
    let mut tally = Tally::default();
    let mut stage = Stage::set(binary, &traefik, &parts.chromium)?;
    tally.add(stage.commands()?);
    {
        let portico = stage.house.open()?;
        let proxy = stage.open_proxy()?;
        // First: the load leaves thousands of ports resting, and a bridge that wants one of them for its callback takes another.
        let mut clients = Command::new("node");
        clients.arg("tests/e2e/run.mjs").env("PORTICO_PYTHON_1", &parts.pythons[0]).env("PORTICO_PYTHON_2", &parts.pythons[1]);
        stage.dress(&mut clients, &proxy);
        tally.add(script("real clients through Traefik", &mut clients, &stage.house, &parts, CLIENTS_LIMIT)?);
        let mut tricks = Command::new("node");
        tricks.arg("tests/edge/run.mjs").env("EDGE_SERVICES", &services);
        stage.dress(&mut tricks, &proxy);
        tally.add(script("edge", &mut tricks, &stage.house, &parts, TRICKS_LIMIT)?);
        tally.add(stopped(portico));
        tally.add(stage.without_portico(&proxy));
        tally.add(proxy.stopped());
    }
    tally.add(stage.on_localhost()?);
    Ok(tally)
}
