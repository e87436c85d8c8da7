//! The real Traefik, built from its module by the Go module in `tests/traefik`: ten processor minutes the first time.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::go::{self, Program};
use crate::{Result, workspace};

/// 2.4 GiB of modules and ten processor minutes, on two cores that others use too.
const BUILD_LIMIT: Duration = Duration::from_secs(3_600);
/// Reading compose files takes a dozen small modules.
const COMPOSE_LIMIT: Duration = Duration::from_secs(600);
/// What the program says of itself; `go.mod` pins the module of the same version, and compose.yaml the image.
pub(crate) const VERSION: &str = "v3.6.12";

/// The program; built where it is missing.
pub(crate) fn traefik() -> Result<PathBuf> {
    let manifest = fs::read_to_string(workspace::root().join("tests/traefik/go.mod"))?;
    if !manifest.contains(&format!("github.com/traefik/traefik/v3 {VERSION}")) {
        return Err(format!("tests/traefik/go.mod does not pin {VERSION}").into());
    }
    go::build(&Program {
        name: "traefik",
        package: "github.com/traefik/traefik/v3/cmd/traefik",
        linker: format!("-s -w -X github.com/traefik/traefik/v3/pkg/version.Version={VERSION}"),
        limit: BUILD_LIMIT,
    })
}

/// What reads compose files as `docker compose config` does.
pub(crate) fn compose_reader() -> Result<PathBuf> {
    go::build(&Program { name: "compose", package: ".", linker: "-s -w".to_owned(), limit: COMPOSE_LIMIT })
}
