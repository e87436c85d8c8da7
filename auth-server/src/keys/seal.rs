//! The sealing keys: what protects secrets at rest, and what proves that a name was given by us.
//!
//! Owns the master keys, the file they live in, and everything derived from them. Does not know what is sealed: signing keys are
//! `mod.rs`, names of tokens `name.rs`. One master key gives one key a [`Purpose`] (HKDF, RFC 5869 §3.2), so that nothing made for one
//! purpose can be presented for another. Several masters may stand in the file: the first seals, all of them open. That is how a
//! sealing key is changed without losing what the old one sealed.

use std::{fmt, io::Write as _, path::Path, sync::Arc};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf, hmac,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::KeyError;
use crate::{config::KeysConfig, secret};

/// A master key has the strength of the ciphers it feeds (AES-256, HMAC-SHA256).
const MASTER_BYTES: usize = 32;
/// A key in use and the few before it; a longer file is not ours.
const KEYS_MAX: usize = 16;
/// Sixteen lines and their comments fit in far less.
const FILE_BYTES_MAX: u64 = 16 * 1024;
/// 128 bits: nobody finds a valid tag by trying, and a token stays short.
pub(crate) const MAC_BYTES: usize = 16;
/// Domain separation from any other program that is given the same key by mistake.
const SALT: &[u8] = b"portico sealing keys v1";

/// The head of the file, for whoever opens it.
const FILE_COMMENT: &str = "\
# Sealing keys of Portico, one a line: a number, a colon, 32 random bytes in base64url.
# The first line is in use; the lines below it only open what they sealed before.
# To change the key put a new line with a new number on top and restart. 32 fresh bytes:
#   openssl rand -base64 32 | tr '+/' '-_' | tr -d '='
# With several replicas put it at the bottom of every file first, restart them all, and only then move it to the top.
# An old line may go when no refresh token of its time is alive any more (lifetimes.refresh_token).
";

/// What a derived key is for. A new purpose is a new variant; none is ever used for two things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Purpose {
    /// Private signing keys at rest.
    SigningKey,
    /// The key that an authorization code is sealed under, together with its grant's id.
    Code,
    /// The name inside a refresh token.
    RefreshToken,
    /// The key that the newest refresh token is sealed under, together with the rotated one.
    Successor,
    /// Tokens in forms.
    Csrf,
    /// What binds a flow to a browser.
    Flow,
    /// What is kept of a sign-in at an identity provider: its tokens, and what a departure must remember.
    Upstream,
    /// The salt of pairwise names.
    PairwiseSalt,
}

impl Purpose {
    const ALL: [Self; 8] =
        [Self::SigningKey, Self::Code, Self::RefreshToken, Self::Successor, Self::Csrf, Self::Flow, Self::Upstream, Self::PairwiseSalt];

    fn info(self) -> &'static [u8] {
        match self {
            Self::SigningKey => b"signing key",
            Self::Code => b"authorization code",
            Self::RefreshToken => b"refresh token",
            Self::Successor => b"successor of a refresh token",
            Self::Csrf => b"csrf token",
            Self::Flow => b"flow binding",
            Self::Upstream => b"upstream sign-in",
            Self::PairwiseSalt => b"salt of pairwise names",
        }
    }
}

/// The master keys, the one in use first.
#[derive(Clone)]
pub struct SealingKeys(Arc<[SealingKey]>);

struct SealingKey {
    id: u8,
    /// One a purpose, in the order of [`Purpose::ALL`].
    derived: [Derived; Purpose::ALL.len()],
}

struct Derived {
    cipher: RandomizedNonceKey,
    mac: hmac::Key,
}

impl SealingKeys {
    /// From where the configuration says they are.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::parse`].
    pub fn of(config: &KeysConfig) -> Result<Self, KeyError> {
        match &config.sealing_keys {
            Some(given) => Self::parse(given.expose()),
            None => Self::open(&config.sealing_key_file),
        }
    }

    /// Reads the file; on the first start makes it, readable by its owner only.
    ///
    /// # Errors
    /// The file can neither be read nor made, or is not a file of sealing keys.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        match read(path) {
            Ok(text) => Self::parse(&text),
            Err(KeyError::SealingFile { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                make(path)?;
                Self::parse(&read(path)?)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads lines of `id:key`, the key in use first; empty lines and lines that begin with `#` say nothing.
    ///
    /// # Errors
    /// A line is not of this form, an id stands twice, or there is no key at all.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys: Vec<SealingKey> = Vec::new();
        for (index, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let wrong = |problem| KeyError::SealingFormat { line: index + 1, problem };
            let (id, master) = line.split_once(':').ok_or(wrong("must be id:key"))?;
            let id: u8 = id.trim().parse().map_err(|_| wrong("the id must be a number from 0 to 255"))?;
            let bytes = URL_SAFE_NO_PAD.decode(master.trim()).map_err(|_| wrong("the key must be base64url"))?;
            let master: [u8; MASTER_BYTES] = bytes.try_into().map_err(|_| wrong("the key must be 32 bytes"))?;
            if keys.iter().any(|key| key.id == id) {
                return Err(wrong("this id stands twice"));
            }
            if keys.len() == KEYS_MAX {
                return Err(wrong("too many keys"));
            }
            keys.push(SealingKey::new(id, &master)?);
        }
        if keys.is_empty() {
            return Err(KeyError::SealingFormat { line: 0, problem: "there is no key" });
        }
        Ok(Self(keys.into()))
    }

    /// Keys that nobody else has and nobody keeps: for tests and for trying out.
    pub fn fresh() -> Self {
        Self::parse(&fresh_line(1)).expect("a line that we wrote ourselves reads back: a test holds that")
    }

    /// The id of the key in use.
    pub(crate) fn current_id(&self) -> u8 {
        self.0[0].id
    }

    fn key(&self, id: u8) -> Option<&SealingKey> {
        self.0.iter().find(|key| key.id == id)
    }

    /// Encrypts under the key in use. `about` is bound to it: the seal opens only for the same `about` and purpose.
    pub(crate) fn seal(&self, purpose: Purpose, about: &[u8], plain: &[u8]) -> Result<String, KeyError> {
        let key = &self.0[0];
        seal_with(&key.derived[purpose as usize].cipher, key.id, purpose, about, plain)
    }

    /// Opens what [`Self::seal`] closed, under whichever of our keys.
    pub(crate) fn open_sealed(&self, purpose: Purpose, about: &[u8], sealed: &str) -> Result<Vec<u8>, KeyError> {
        let (id, bytes) = decode(sealed)?;
        let key = self.key(id).ok_or(KeyError::SealingKeyMissing(id))?;
        open_with(&key.derived[purpose as usize].cipher, id, purpose, about, bytes)
    }

    /// Which key sealed this?
    pub(crate) fn sealed_by(sealed: &str) -> Option<u8> {
        decode(sealed).ok().map(|(id, _)| id)
    }

    /// Encrypts under a key that needs both our key in use and `other`. With a token that we do not keep, the database alone opens
    /// nothing and the token alone opens nothing; with a name that comes once, no key seals more than one thing.
    pub(crate) fn seal_under(&self, purpose: Purpose, other: &[u8], about: &[u8], plain: &[u8]) -> Result<String, KeyError> {
        let key = &self.0[0];
        seal_with(&key.under(purpose, other)?, key.id, purpose, about, plain)
    }

    /// Opens what [`Self::seal_under`] closed, with the same other half in the hand.
    pub(crate) fn open_under(&self, purpose: Purpose, other: &[u8], about: &[u8], sealed: &str) -> Result<Vec<u8>, KeyError> {
        let (id, bytes) = decode(sealed)?;
        let key = self.key(id).ok_or(KeyError::SealingKeyMissing(id))?;
        open_with(&key.under(purpose, other)?, id, purpose, about, bytes)
    }

    /// HMAC-SHA256 of the parts one after the other, its first 128 bits, under the key in use. Parts whose lengths are not fixed need
    /// a separator of their own.
    pub(crate) fn mac(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; MAC_BYTES] {
        self.0[0].mac(purpose, parts)
    }

    /// Did the key of this id make this tag? Takes the same time for any tag.
    pub(crate) fn proves(&self, id: u8, purpose: Purpose, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.key(id).is_some_and(|key| secret::same(&key.mac(purpose, parts), tag))
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| key.id)).finish()
    }
}

impl SealingKey {
    fn new(id: u8, master: &[u8; MASTER_BYTES]) -> Result<Self, KeyError> {
        let master = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(master);
        let derive = |purpose: Purpose, kind: &'static [u8]| -> Result<[u8; MASTER_BYTES], KeyError> {
            let mut out = [0; MASTER_BYTES];
            let info = [purpose.info(), b"/", kind];
            let material = master.expand(&info, hkdf::HKDF_SHA256).map_err(|_| KeyError::Crypto("could not derive a key"))?;
            material.fill(&mut out).map_err(|_| KeyError::Crypto("could not derive a key"))?;
            Ok(out)
        };
        let one = |purpose| -> Result<Derived, KeyError> {
            Ok(Derived { cipher: cipher(&derive(purpose, b"cipher")?)?, mac: hmac::Key::new(hmac::HMAC_SHA256, &derive(purpose, b"mac")?) })
        };
        let [a, b, c, d, e, f, g, h] = Purpose::ALL.map(one);
        Ok(Self { id, derived: [a?, b?, c?, d?, e?, f?, g?, h?] })
    }

    fn mac(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; MAC_BYTES] {
        let mut context = hmac::Context::with_key(&self.derived[purpose as usize].mac);
        for part in parts {
            context.update(part);
        }
        let tag = context.sign();
        let mut first = [0; MAC_BYTES];
        first.copy_from_slice(&tag.as_ref()[..MAC_BYTES]);
        first
    }

    /// The whole HMAC over the other half is the cipher's key: a pseudo-random function of both.
    fn under(&self, purpose: Purpose, other: &[u8]) -> Result<RandomizedNonceKey, KeyError> {
        cipher(hmac::sign(&self.derived[purpose as usize].mac, other).as_ref())
    }
}

fn cipher(key: &[u8]) -> Result<RandomizedNonceKey, KeyError> {
    RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| KeyError::Crypto("could not make a cipher"))
}

/// The associated data: purpose and key id, then what the caller binds. The lengths before it are fixed by the purpose.
fn bound(id: u8, purpose: Purpose, about: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(2 + purpose.info().len() + about.len());
    data.push(id);
    data.extend_from_slice(purpose.info());
    data.push(0);
    data.extend_from_slice(about);
    data
}

/// Text of a seal: base64url of key id, nonce, ciphertext, tag.
fn seal_with(key: &RandomizedNonceKey, id: u8, purpose: Purpose, about: &[u8], plain: &[u8]) -> Result<String, KeyError> {
    let mut body = plain.to_vec();
    let nonce =
        key.seal_in_place_append_tag(Aad::from(bound(id, purpose, about)), &mut body).map_err(|_| KeyError::Crypto("could not seal"))?;
    let mut whole = Vec::with_capacity(1 + NONCE_LEN + body.len());
    whole.push(id);
    whole.extend_from_slice(nonce.as_ref());
    whole.extend_from_slice(&body);
    Ok(URL_SAFE_NO_PAD.encode(whole))
}

fn decode(sealed: &str) -> Result<(u8, Vec<u8>), KeyError> {
    let mut bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| KeyError::SealBroken)?;
    if bytes.len() <= NONCE_LEN + 1 {
        return Err(KeyError::SealBroken);
    }
    let id = bytes.remove(0);
    Ok((id, bytes))
}

fn open_with(key: &RandomizedNonceKey, id: u8, purpose: Purpose, about: &[u8], mut bytes: Vec<u8>) -> Result<Vec<u8>, KeyError> {
    let mut body = bytes.split_off(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| KeyError::SealBroken)?;
    let length = key.open_in_place(nonce, Aad::from(bound(id, purpose, about)), &mut body).map_err(|_| KeyError::SealBroken)?.len();
    body.truncate(length);
    Ok(body)
}

fn fresh_line(id: u8) -> String {
    format!("{id}:{}\n", URL_SAFE_NO_PAD.encode(secret::fresh_bytes::<MASTER_BYTES>()))
}

fn read(path: &Path) -> Result<String, KeyError> {
    let wrong = |source| KeyError::SealingFile { path: path.to_owned(), source };
    let facts = std::fs::metadata(path).map_err(wrong)?;
    if facts.len() > FILE_BYTES_MAX {
        return Err(KeyError::SealingFormat { line: 0, problem: "the file is too long to be one of sealing keys" });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A warning, not a refusal: secrets that an orchestrator mounts are often readable by a group, on purpose.
        if facts.permissions().mode() & 0o007 != 0 {
            tracing::warn!(event = "sealing_key.exposed", path = %path.display(), "everybody on this machine can read `{}`", path.display());
        }
    }
    std::fs::read_to_string(path).map_err(wrong)
}

/// Makes the file whole or not at all: two programs that start together end with one key, not with half of two.
fn make(path: &Path) -> Result<(), KeyError> {
    let wrong = |source| KeyError::SealingFile { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private_folder(folder).map_err(wrong)?;
    let draft = folder.join(secret::fresh_text::<9>(".sealing-key-"));
    let written = write_private(&draft, &format!("{FILE_COMMENT}{}", fresh_line(1)));
    // A link does not replace: whoever comes second keeps the key of the first.
    let linked = written.and_then(|()| std::fs::hard_link(&draft, path));
    // The draft is gone in any case; if it cannot be removed, the next line's error is the one to tell.
    let removed = std::fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(wrong(error)),
        _ => removed.and_then(|()| std::fs::File::open(folder)?.sync_all()).map_err(wrong),
    }
}

fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A line of a sealing key file.
    pub(crate) fn line(id: u8) -> String {
        fresh_line(id)
    }

    fn two() -> (SealingKeys, SealingKeys) {
        let (old, new) = (fresh_line(1), fresh_line(2));
        (SealingKeys::parse(&old).unwrap(), SealingKeys::parse(&format!("{new}{old}")).unwrap())
    }

    #[test]
    fn what_was_sealed_opens_and_is_not_readable_before() {
        let keys = SealingKeys::fresh();
        let sealed = keys.seal(Purpose::SigningKey, b"k-1", b"private").unwrap();
        assert_eq!(keys.open_sealed(Purpose::SigningKey, b"k-1", &sealed).unwrap(), b"private");
        assert!(!URL_SAFE_NO_PAD.decode(&sealed).unwrap().windows(7).any(|window| window == b"private"));
    }

    #[test]
    fn a_seal_opens_only_for_what_it_was_made() {
        let keys = SealingKeys::fresh();
        let sealed = keys.seal(Purpose::SigningKey, b"k-1", b"private").unwrap();
        assert!(matches!(keys.open_sealed(Purpose::SigningKey, b"k-2", &sealed), Err(KeyError::SealBroken)));
        assert!(matches!(keys.open_sealed(Purpose::Csrf, b"k-1", &sealed), Err(KeyError::SealBroken)));
        assert!(matches!(SealingKeys::fresh().open_sealed(Purpose::SigningKey, b"k-1", &sealed), Err(KeyError::SealBroken)));
    }

    #[test]
    fn no_changed_byte_goes_unnoticed() {
        let keys = SealingKeys::fresh();
        let sealed = URL_SAFE_NO_PAD.decode(keys.seal(Purpose::SigningKey, b"", b"private").unwrap()).unwrap();
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert!(keys.open_sealed(Purpose::SigningKey, b"", &URL_SAFE_NO_PAD.encode(broken)).is_err(), "byte {at}");
        }
        assert!(keys.open_sealed(Purpose::SigningKey, b"", &URL_SAFE_NO_PAD.encode(&sealed[..13])).is_err());
        assert!(keys.open_sealed(Purpose::SigningKey, b"", "").is_err());
    }

    #[test]
    fn after_a_change_of_keys_the_old_one_opens_and_the_new_one_seals() {
        let (old, both) = two();
        let sealed = old.seal(Purpose::SigningKey, b"", b"x").unwrap();
        assert_eq!(both.open_sealed(Purpose::SigningKey, b"", &sealed).unwrap(), b"x");
        assert_eq!(SealingKeys::sealed_by(&both.seal(Purpose::SigningKey, b"", b"x").unwrap()), Some(2));
        let newer = both.seal(Purpose::SigningKey, b"", b"x").unwrap();
        assert!(matches!(old.open_sealed(Purpose::SigningKey, b"", &newer), Err(KeyError::SealingKeyMissing(2))));
    }

    #[test]
    fn a_successor_opens_only_with_the_rotated_token_in_the_hand() {
        let keys = SealingKeys::fresh();
        let open = |keys: &SealingKeys, purpose, other: &[u8], about: &[u8], sealed: &str| keys.open_under(purpose, other, about, sealed);
        let sealed = keys.seal_under(Purpose::Successor, b"rotated", b"grant", b"successor").unwrap();
        assert_eq!(open(&keys, Purpose::Successor, b"rotated", b"grant", &sealed).unwrap(), b"successor");
        assert!(open(&keys, Purpose::Successor, b"another", b"grant", &sealed).is_err());
        assert!(open(&keys, Purpose::Successor, b"rotated", b"other grant", &sealed).is_err());
        assert!(open(&keys, Purpose::Code, b"rotated", b"grant", &sealed).is_err());
        assert!(open(&SealingKeys::fresh(), Purpose::Successor, b"rotated", b"grant", &sealed).is_err());
    }

    #[test]
    fn a_tag_proves_its_purpose_its_key_and_its_bytes() {
        let (old, both) = two();
        let tag = old.mac(Purpose::Code, &[b"na", b"me"]);
        assert!(both.proves(1, Purpose::Code, &[b"na", b"me"], &tag));
        assert!(!both.proves(2, Purpose::Code, &[b"na", b"me"], &tag));
        assert!(!both.proves(1, Purpose::RefreshToken, &[b"na", b"me"], &tag));
        assert!(!both.proves(1, Purpose::Code, &[b"Name"], &tag));
        assert!(!both.proves(1, Purpose::Code, &[b"na", b"me"], &tag[..15]));
        assert!(!both.proves(7, Purpose::Code, &[b"na", b"me"], &tag));
    }

    #[test]
    fn the_file_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("sealing.key");
        let first = SealingKeys::open(&path).unwrap();
        let again = SealingKeys::open(&path).unwrap();
        assert_eq!(first.mac(Purpose::Csrf, &[b"x"]), again.mac(Purpose::Csrf, &[b"x"]));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        }
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "the draft is gone");
    }

    #[test]
    fn two_programs_that_start_together_end_with_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        let tags: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| SealingKeys::open(&path).unwrap().mac(Purpose::Csrf, &[b"x"]))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(tags.iter().all(|tag| *tag == tags[0]));
    }

    #[test]
    fn a_wrong_file_is_refused_with_the_line_that_is_wrong() {
        let good = fresh_line(1);
        let cases: [(&str, usize); 5] = [("", 0), ("# nothing\n", 0), ("1=abc", 1), ("1:abc", 1), ("300:AAAA", 1)];
        for (text, wanted) in cases {
            assert!(matches!(SealingKeys::parse(text), Err(KeyError::SealingFormat { line, .. }) if line == wanted), "{text}");
        }
        assert!(matches!(SealingKeys::parse(&format!("{good}{good}")), Err(KeyError::SealingFormat { line: 2, .. })));
    }

    #[test]
    fn debug_shows_ids_only() {
        let keys = SealingKeys::fresh();
        assert_eq!(format!("{keys:?}"), "[1]");
    }
}
