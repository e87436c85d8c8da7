//! Randomness, sealing and the key file: the only place this program draws a random byte.
//!
//! One key of 32 bytes lives in the state directory (mode 0600, made on first start). Two independent keys are derived
//! from it, one per purpose, so that a document link can never pass as a `requestState` or the other way round.

use std::io::Write as _;
use std::path::Path;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::OpenError;

/// Bytes of the key file: the block that HMAC-SHA256 gains nothing beyond.
const KEY_BYTES: usize = 32;

/// Why a sealed text was not believed. All three look alike to the caller; the log tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealFault {
    Malformed,
    Forged,
    Expired,
}

impl SealFault {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "seal_malformed",
            Self::Forged => "seal_forged",
            Self::Expired => "seal_expired",
        }
    }
}

/// A key for one purpose: signs short texts and recognises its own signature.
#[derive(Clone)]
pub(crate) struct Seal(hmac::Key);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    fn derived(master: &[u8], purpose: &str) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, master);
        let derived = hmac::sign(&master, purpose.as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()))
    }

    /// The signature over `text` as base64url.
    pub(crate) fn sign(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, text.as_bytes()).as_ref())
    }

    /// Whether `signature` is ours over `text`, compared in constant time.
    pub(crate) fn recognises(&self, text: &str, signature: &str) -> bool {
        URL_SAFE_NO_PAD.decode(signature).is_ok_and(|bytes| hmac::verify(&self.0, text.as_bytes(), &bytes).is_ok())
    }
}

/// The keys of this server, one per purpose.
#[derive(Debug, Clone)]
pub(crate) struct Seals {
    pub(crate) links: Seal,
    pub(crate) states: Seal,
}

impl Seals {
    /// Reads the key file of the state directory, or makes it when this is the first start.
    pub(crate) fn open(state_dir: &Path) -> Result<Self, OpenError> {
        let path = state_dir.join("mcp-server.key");
        let master = match std::fs::read(&path) {
            Ok(bytes) if bytes.len() == KEY_BYTES => bytes,
            Ok(_) => {
                return Err(OpenError::state(&path, std::io::Error::other("the key file does not hold 32 bytes")));
            }
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
                create(&path).map_err(|source| OpenError::state(&path, source))?
            }
            Err(source) => return Err(OpenError::state(&path, source)),
        };
        Ok(Self {
            links: Seal::derived(&master, "portico mcp-server document links v1"),
            states: Seal::derived(&master, "portico mcp-server request states v1"),
        })
    }
}

/// Writes a fresh key that only this account can read; loses gracefully against a process that starts beside us.
fn create(path: &Path) -> std::io::Result<Vec<u8>> {
    let key = fresh::<KEY_BYTES>().to_vec();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(mut file) => {
            file.write_all(&key)?;
            file.sync_all()?;
            Ok(key)
        }
        Err(raced) if raced.kind() == std::io::ErrorKind::AlreadyExists => std::fs::read(path),
        Err(other) => Err(other),
    }
}

/// `N` bytes from the operating system's generator.
pub(crate) fn fresh<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the operating system's random generator answers; without it nothing here is safe to run");
    bytes
}

/// An unguessable name of 192 random bits in base64url: session ids.
pub(crate) fn fresh_name() -> String {
    URL_SAFE_NO_PAD.encode(fresh::<24>())
}

/// The reference of one request, as the whole of Portico writes it: ten letters that a person can read out.
pub(crate) fn fresh_reference() -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    fresh::<10>().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_recognises_its_own_signature_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let seals = Seals::open(folder.path()).unwrap();
        let signature = seals.links.sign("a document");
        assert!(seals.links.recognises("a document", &signature));
        assert!(!seals.links.recognises("another document", &signature));
        assert!(!seals.states.recognises("a document", &signature));
        assert!(!seals.links.recognises("a document", "not base64!"));
    }

    #[test]
    fn a_second_start_finds_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let first = Seals::open(folder.path()).unwrap().links.sign("x");
        assert_eq!(Seals::open(folder.path()).unwrap().links.sign("x"), first);
    }

    #[cfg(unix)]
    #[test]
    fn the_key_file_is_for_this_account_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        Seals::open(folder.path()).unwrap();
        let mode = std::fs::metadata(folder.path().join("mcp-server.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_truncated_key_file_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mcp-server.key"), b"short").unwrap();
        assert!(Seals::open(folder.path()).is_err());
    }
}
