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
use crate::setup::Parts;
use crate::{Result, keycloak, setup};

use stage::Stage;

/// Two hundred tricks, a load, a stream of a minute.
const TRICKS_LIMIT: Duration = Duration::from_secs(900);
/// Seven journeys of at most two minutes.
const CLIENTS_LIMIT: Duration = Duration::from_secs(900);

/// A handful of sign-ins at a Keycloak that has just started.
const IDENTITY_LIMIT: Duration = Duration::from_secs(300);
/// The word that chooses the journey with Keycloak alone.
const IDENTITY: &str = "keycloak";

/// Sets the stage, runs `tests/edge` and the real clients of `tests/e2e` through it; or what `chosen` names of it.
pub(crate) fn run(binary: &Path, chosen: Option<&str>) -> Result<Tally> {
    let parts = setup::parts()?;
    match chosen {
        None => {}
        Some(IDENTITY) => return with_keycloak(binary, &setup::traefik()?, &parts),
        Some(other) => return Err(format!("the suite at the edge has no part `{other}`").into()),
    }
    let services = setup::edge_services()?;
    let traefik = setup::traefik()?;
    let mut tally = Tally::default();
    let mut stage = Stage::set("edge", binary, &traefik, &parts.chromium)?;
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
    tally.add(with_keycloak(binary, &traefik, &parts)?);
    Ok(tally)
}

/// The whole of a deployment in one journey: the real Keycloak at a host of its own and Portico at another, behind one Traefik.
fn with_keycloak(binary: &Path, traefik: &Path, parts: &Parts) -> Result<Tally> {
    let mut stage = Stage::set("edge-keycloak", binary, traefik, &parts.chromium)?;
    let proxy = stage.open_proxy()?;
    let (keycloak, settings) = keycloak::behind(stage.front()?, &stage.origin())?;
    stage.settle(&settings)?;
    let portico = stage.house.open()?;
    let mut people = Command::new("node");
    people.arg("tests/edge/keycloak.mjs");
    keycloak.introduce(&mut people);
    stage.dress(&mut people, &proxy);
    let mut tally = script("Keycloak behind Traefik", &mut people, &stage.house, parts, IDENTITY_LIMIT)?;
    tally.add(stopped(portico));
    tally.add(proxy.stopped());
    Ok(tally)
}
