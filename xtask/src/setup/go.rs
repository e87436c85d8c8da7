//! Programs in Go that the suites need, each built once from a module of `tests/` and found again in the cache folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::run::{find_program, must, read};
use crate::{Result, cache, workspace};

/// The newest Go that one of the modules asks for.
const GO_MINOR: u32 = 25;
/// Where Go's own archive is unpacked, which is often not in the search path.
const GO_ARCHIVE: &str = "/usr/local/go/bin/go";

/// One program: the folder below `tests/`, the package, and words for the linker.
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) package: &'static str,
    pub(super) linker: String,
    pub(super) limit: Duration,
}

/// Builds it where it is missing. One set of flags: another one compiles every module again.
pub(super) fn build(program: &Program) -> Result<PathBuf> {
    let module = workspace::root().join("tests").join(program.name);
    let read_text = |name: &str| fs::read_to_string(module.join(name));
    let (manifest, sums, own) = (read_text("go.mod")?, read_text("go.sum")?, read_text("main.go").unwrap_or_default());
    let folder = cache::part(program.name, &[&manifest, &sums, &own, &program.linker], |folder| {
        let mut build = Command::new(go()?);
        build
            .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", &program.linker, "-o"])
            .arg(folder.join(program.name))
            .arg(program.package)
            .current_dir(&module)
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "");
        must(&format!("go build {}", program.name), &mut build, program.limit).map(|_| ())
    })?;
    Ok(folder.join(program.name))
}

/// A Go that is new enough.
fn go() -> Result<PathBuf> {
    let candidates = [find_program("go"), Some(PathBuf::from(GO_ARCHIVE)).filter(|path| path.is_file())];
    for candidate in candidates.into_iter().flatten() {
        if minor_of(&read(Command::new(&candidate).arg("version"))?).is_some_and(|minor| minor >= GO_MINOR) {
            return Ok(candidate);
        }
    }
    Err(format!("Go 1.{GO_MINOR} or newer is needed; install the package golang-go, or Go's own archive").into())
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
