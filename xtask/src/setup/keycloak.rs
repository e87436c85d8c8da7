//! What comes from Maven Central: the official distribution of Keycloak.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};

use crate::run::must;
use crate::{Result, cache};

/// The release that the suite speaks for. Whoever raises it looks at `docs/guides/keycloak.md` again.
pub(crate) const VERSION: &str = "26.7.3";
/// What its archive must be, whoever serves it.
const ARCHIVE_SHA256: &str = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f";
/// 177 MB from a slow mirror, and Maven's own plugins before them.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(900);
/// 188 MB in some hundred files.
const UNPACK_LIMIT: Duration = Duration::from_secs(120);
/// Read at a time while the digest is made.
const CHUNK_BYTES: usize = 1 << 16;

/// The folder of the distribution, with `bin/kc.sh` in it.
pub(crate) fn install() -> Result<PathBuf> {
    let part = cache::part(&format!("keycloak-{VERSION}"), &[VERSION, ARCHIVE_SHA256], |folder| {
        let archive = folder.join(format!("keycloak-quarkus-dist-{VERSION}.zip"));
        let mut maven = Command::new("mvn");
        maven
            .args(["--batch-mode", "--quiet", "dependency:copy"])
            .arg(format!("-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"))
            .arg(format!("-DoutputDirectory={}", folder.display()))
            .current_dir(folder);
        must("Keycloak from Maven Central", &mut maven, DOWNLOAD_LIMIT)?;
        let digest = sha256(&archive)?;
        if digest != ARCHIVE_SHA256 {
            return Err(format!("the archive of Keycloak {VERSION} is not the one that was published: its SHA-256 is {digest}").into());
        }
        // Unlike most unpackers written in other languages this one keeps the right to execute.
        let mut unzip = Command::new("unzip");
        unzip.arg("-q").arg(&archive).arg("-d").arg(folder);
        must("unpacking Keycloak", &mut unzip, UNPACK_LIMIT)?;
        fs::remove_file(&archive)?;
        Ok(())
    })?;
    Ok(part.join(format!("keycloak-{VERSION}")))
}

fn sha256(file: &Path) -> Result<String> {
    let mut file = File::open(file)?;
    let mut context = Context::new(&SHA256);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        context.update(&chunk[..read]);
    }
    Ok(context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::sha256;

    #[test]
    fn the_digest_is_that_of_the_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(sha256(&file).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
