//! What comes from the system's own packages.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::run::{find_program, must, read, succeeds};

/// Chromium and PostgreSQL with all they pull in, from a slow mirror.
const INSTALL_LIMIT: Duration = Duration::from_secs(900);
/// Where Debian puts the programs of each major version of the server.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

/// Keycloak's own demand.
const JAVA_MAJOR_MIN: u32 = 17;

/// One thing that must be there, and the package that brings it.
struct Need {
    package: &'static str,
    is_there: fn() -> bool,
}

const NEEDS: [Need; 9] = [
    Need { package: "chromium", is_there: || chromium().is_some() },
    // A browser without a single font shows boxes, and boxes have other widths than words.
    Need { package: "fonts-liberation", is_there: || fs::read_dir("/usr/share/fonts").is_ok_and(|mut fonts| fonts.next().is_some()) },
    Need { package: "postgresql", is_there: || postgres_folder().is_some() },
    Need { package: "python3-venv", is_there: venv_works },
    Need { package: "make", is_there: || find_program("make").is_some() },
    Need { package: "perl", is_there: || find_program("perl").is_some() },
    // Debian's default is 17, Ubuntu's 21: Keycloak runs on both.
    Need { package: "default-jre-headless", is_there: || java_major().is_some_and(|major| major >= JAVA_MAJOR_MIN) },
    Need { package: "maven", is_there: || find_program("mvn").is_some() },
    Need { package: "unzip", is_there: || find_program("unzip").is_some() },
];

/// Installs the packages of everything that is missing, and only those.
pub(super) fn install_missing() -> Result<()> {
    let missing: Vec<&str> = NEEDS.iter().filter(|need| !(need.is_there)()).map(|need| need.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.join(", ");
    if find_program("apt-get").is_none() {
        return Err(format!("missing: {wanted}. There is no apt-get here: install them in this system's own way").into());
    }
    must("apt-get update", privileged("apt-get")?.arg("update"), INSTALL_LIMIT)?;
    let mut install = privileged("apt-get")?;
    install.args(["install", "--yes", "--no-install-recommends"]).args(&missing).env("DEBIAN_FRONTEND", "noninteractive");
    must(&format!("apt-get install {wanted}"), &mut install, INSTALL_LIMIT)?;
    match NEEDS.iter().find(|need| !(need.is_there)()) {
        Some(need) => Err(format!("{} was installed and is still not found", need.package).into()),
        None => Ok(()),
    }
}

/// The browser of the journeys: `PORTICO_CHROMIUM`, else what the system calls Chromium.
pub(crate) fn chromium() -> Option<PathBuf> {
    if let Some(chosen) = std::env::var_os("PORTICO_CHROMIUM") {
        return Some(PathBuf::from(chosen));
    }
    ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"].into_iter().find_map(find_program)
}

/// The folder with `initdb` and `postgres`: the newest of Debian's, else the search path's.
pub(crate) fn postgres_folder() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN_POSTGRES)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let version = folder.file_name()?.to_str()?.parse().ok()?;
            let programs = folder.join("bin");
            programs.join("initdb").is_file().then_some((version, programs))
        })
        .collect();
    versions.sort();
    let newest = versions.pop().map(|(_, folder)| folder);
    newest.or_else(|| Some(find_program("initdb")?.parent()?.to_path_buf()))
}

/// Whether this process may do everything: PostgreSQL refuses it, apt-get demands it.
pub(crate) fn is_root() -> bool {
    read(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn privileged(program: &str) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(program));
    }
    if find_program("sudo").is_none() {
        return Err(format!("{program} needs root and there is no sudo: run `cargo xtask setup` once as root").into());
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    Ok(command)
}

/// `openjdk version "17.0.15" 2025-04-15` → 17; it goes to standard error.
fn java_major() -> Option<u32> {
    let output = Command::new("java").arg("-version").output().ok()?;
    major_of(&String::from_utf8_lossy(&output.stderr))
}

fn major_of(banner: &str) -> Option<u32> {
    let version = banner.split('"').nth(1)?;
    version.split(['.', '-', '+']).next()?.parse().ok()
}

fn venv_works() -> bool {
    succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"]))
}

#[cfg(test)]
mod tests {
    use super::major_of;

    #[test]
    fn java_tells_its_version_between_quotes() {
        assert_eq!(major_of("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment"), Some(17));
        assert_eq!(major_of("openjdk version \"25\" 2025-09-16 LTS"), Some(25));
        // The last release that counted differently is too old by either count.
        assert_eq!(major_of("java version \"1.8.0_402\""), Some(1));
        assert_eq!(major_of("sh: java: not found"), None);
    }
}
