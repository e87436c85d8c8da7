//! The one folder outside the clone for downloads and builds that outlive it.
//!
//! What is in it is found again by a digest of the file that pins it, so a changed lock file makes a new folder
//! and a half-finished install is never mistaken for a finished one. The folder may be deleted at any time.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

use crate::Result;

/// Written last into an installed part: without it the part is thrown away and made anew.
const FINISHED: &str = ".finished";
/// Enough of the digest to tell lock files apart.
const DIGEST_BYTES: usize = 8;

/// `PORTICO_CACHE`, else the user's cache folder.
pub(crate) fn folder() -> Result<PathBuf> {
    let chosen = env::var_os("PORTICO_CACHE")
        .map(PathBuf::from)
        .or_else(|| env::var_os("XDG_CACHE_HOME").map(|base| PathBuf::from(base).join("portico")))
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/portico")))
        .ok_or("no cache folder: set PORTICO_CACHE")?;
    fs::create_dir_all(&chosen).map_err(|error| format!("could not make {}: {error}", chosen.display()))?;
    Ok(chosen)
}

/// A folder below the cache, made if it is missing.
pub(crate) fn subfolder(name: &str) -> Result<PathBuf> {
    let folder = folder()?.join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The folder of one installed part, pinned by `pins`; `install` fills it when it is not there yet.
pub(crate) fn part(name: &str, pins: &[&str], install: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let folder = subfolder("parts")?.join(format!("{name}-{}", fingerprint(pins)));
    if folder.join(FINISHED).exists() {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    install(&folder)?;
    fs::write(folder.join(FINISHED), "")?;
    Ok(folder)
}

fn fingerprint(pins: &[&str]) -> String {
    let digest = digest(&SHA256, pins.join("\0").as_bytes());
    digest.as_ref()[..DIGEST_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn another_pin_is_another_folder() {
        assert_eq!(fingerprint(&["a", "b"]), fingerprint(&["a", "b"]));
        assert_ne!(fingerprint(&["a", "b"]), fingerprint(&["ab"]));
        assert_eq!(fingerprint(&["a"]).len(), 16);
    }
}
