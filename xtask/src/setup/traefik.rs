//! The real Traefik, built from its module by the Go module in `tests/traefik`: once, then found again in the cache folder.
//!
//! Ten processor minutes the first time. The flags are one fixed set: another set compiles all of it again.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::run::{find_program, must, read};
use crate::{Result, cache, workspace};

/// 2.4 GiB of modules and ten processor minutes, on two cores that others use too.
const BUILD_LIMIT: Duration = Duration::from_secs(3_600);
/// What the program says of itself; `go.mod` pins the module of the same version.
const VERSION: &str = "v3.6.12";
const PROGRAM: &str = "github.com/traefik/traefik/v3/cmd/traefik";
/// The Go that the module asks for.
const GO_MINOR: u32 = 25;
/// Where Go's own archive is unpacked, which is often not in the search path.
const GO_ARCHIVE: &str = "/usr/local/go/bin/go";

/// The program; built where it is missing.
pub(crate) fn traefik() -> Result<PathBuf> {
    let module = workspace::root().join("tests/traefik");
    let manifest = fs::read_to_string(module.join("go.mod"))?;
    let sums = fs::read_to_string(module.join("go.sum"))?;
    if !manifest.contains(&format!("github.com/traefik/traefik/v3 {VERSION}")) {
        return Err(format!("tests/traefik/go.mod does not pin {VERSION}").into());
    }
    let folder = cache::part("traefik", &[&manifest, &sums], |folder| {
        let mut build = Command::new(go()?);
        build
            .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags"])
            .arg(format!("-s -w -X github.com/traefik/traefik/v3/pkg/version.Version={VERSION}"))
            .arg("-o")
            .arg(folder.join("traefik"))
            .arg(PROGRAM)
            .current_dir(&module)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "");
        must(&format!("Traefik {VERSION}, ten minutes the first time"), &mut build, BUILD_LIMIT).map(|_| ())
    })?;
    Ok(folder.join("traefik"))
}

/// A Go that is new enough.
fn go() -> Result<PathBuf> {
    let candidates = [find_program("go"), Some(PathBuf::from(GO_ARCHIVE)).filter(|path| path.is_file())];
    for candidate in candidates.into_iter().flatten() {
        if minor_of(&read(Command::new(&candidate).arg("version"))?).is_some_and(|minor| minor >= GO_MINOR) {
            return Ok(candidate);
        }
    }
    Err(format!("Traefik is built by Go 1.{GO_MINOR} or newer; install the package golang-go, or Go's own archive").into())
}

/// `go version go1.26.8 linux/amd64` → 26.
fn minor_of(said: &str) -> Option<u32> {
    said.split_whitespace().find_map(|word| word.strip_prefix("go1."))?.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::minor_of;

    #[test]
    fn the_version_of_go_is_read() {
        assert_eq!(minor_of("go version go1.26.8 linux/amd64"), Some(26));
        assert_eq!(minor_of("go version go1.25rc1 linux/arm64"), Some(25));
        assert_eq!(minor_of("go version devel"), None);
    }
}
