//! `cargo xtask setup`: what the suites need, by package name, only where it is missing.

mod apt;
mod go;
mod keycloak;
mod node;
mod python;
mod traefik;

use std::path::PathBuf;

use crate::Result;
use crate::closing::say;

pub(crate) use apt::{chromium, is_root, postgres_folder};
pub(crate) use keycloak::{VERSION as KEYCLOAK_VERSION, install as keycloak};
pub(crate) use traefik::{VERSION as TRAEFIK_VERSION, compose_reader, traefik};

/// The folder whose `node_modules` holds the public MCP server that stands behind forward-auth.
pub(crate) fn edge_services() -> Result<PathBuf> {
    node::install_edge()
}

/// Everything that is installed for the suites of other languages.
pub(crate) struct Parts {
    /// The folder whose `node_modules` holds the public conformance suite.
    pub(crate) suite: PathBuf,
    /// A Node new enough for that suite.
    pub(crate) suite_node: PathBuf,
    /// Interpreters that have the official Python SDK, 1.x and 2.x.
    pub(crate) pythons: [PathBuf; 2],
    /// The browser.
    pub(crate) chromium: PathBuf,
}

/// Installs what is missing.
pub(crate) fn all() -> Result<()> {
    system()?;
    let parts = parts()?;
    edge_services()?;
    traefik()?;
    compose_reader()?;
    hadolint()?;
    keycloak()?;
    say(&format!("ready: {} and {}", parts.chromium.display(), crate::cache::folder()?.display()));
    Ok(())
}

/// Debian's packages: the browser, the database server, what compiles C.
pub(crate) fn system() -> Result<()> {
    apt::install_missing()
}

/// The linter of Dockerfiles.
pub(crate) fn hadolint() -> Result<PathBuf> {
    python::hadolint()
}

/// The parts from npm and PyPI, each from its lock file, in the cache folder.
pub(crate) fn parts() -> Result<Parts> {
    node::install_clients()?;
    let suite = node::install_suite()?;
    Ok(Parts {
        suite_node: node::for_suite(&suite)?,
        suite,
        pythons: [python::sdk(1)?, python::sdk(2)?],
        chromium: chromium().ok_or("Chromium is missing: run `cargo xtask setup`")?,
    })
}
