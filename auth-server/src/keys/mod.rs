//! The keys: who signs, who is believed, and what is sealed.
//!
//! Owns the signing keys from birth to oblivion and the only copy of their private halves in the clear, in memory. What belongs
//! here: RFC 7515, 7517, 7518 and 9068 §2.1 as far as a key is concerned. What does not: which claims a token carries
//! (`token/issue.rs`) and whether a token ended early (`access_token.rs`). This is a wall: the rest of the server asks for a
//! signature or a verdict and never sees a key.
//!
//! ```text
//! born ──(publish_before)──► signs ──(rotate_after)──► published only ──(longest token + cache)──► forgotten
//! ```

mod access;
mod jose;
mod jwt;
mod name;
mod pairwise;
mod remembered;
mod rotation;
mod seal;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use oauth_types::{AccessTokenSecret, Bug, Error, IdClaimsRef, IssuerUrl, Timestamp, Ttl};
use tokio::sync::Notify;

pub(crate) use name::is_refresh_token;
pub use rotation::Urgency;
pub(crate) use seal::Purpose;
pub use seal::SealingKeys;
#[cfg(test)]
pub(crate) use seal::tests::line as sealing_line;

use crate::{
    clock::Clock,
    config::{Config, SigningAlgorithm, SubjectType},
    secret,
    store::{KeyRow, Store, StoreError},
};
use access::KnownTokens;
use jwt::SigningKey;
pub(crate) use pairwise::Pairwise;
use rotation::{Schedule, Span};

/// A token that names a key we never saw brings the next reading of the store forward, but no more often than this.
const REFRESH_PAUSE: Duration = Duration::from_secs(1);
/// Who claimed to make a key must have made it by then; after that another may.
const BIRTH_CLAIM: Ttl = Ttl(60);
/// How long a replica that starts beside another waits for the first key of that one.
const FIRST_KEY_WAITS: u32 = 50;
const FIRST_KEY_WAIT: Duration = Duration::from_millis(100);

/// What went wrong with a key. The text is for operators: operation and object.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is its sentence")]
pub enum KeyError {
    #[error("could not open the sealing key file `{}`", path.display())]
    SealingFile { path: PathBuf, source: std::io::Error },
    #[error("line {line} of the sealing keys: {problem}")]
    SealingFormat { line: usize, problem: &'static str },
    #[error("it was sealed with sealing key {0}, which is not in the sealing key file; put its line back, below the one in use")]
    SealingKeyMissing(u8),
    #[error("the seal does not open: another sealing key file made it, or it was changed")]
    SealBroken,
    #[error("could not open signing key `{kid}`")]
    SigningKey { kid: String, source: Box<KeyError> },
    #[error("signing key `{kid}` is of the unknown algorithm `{algorithm}`; a newer version made it")]
    AlgorithmUnknown { kid: String, algorithm: String },
    #[error("there is no signing key")]
    NoSigningKey,
    #[error("{0}")]
    Crypto(&'static str),
    #[error("could not read or keep signing keys")]
    Store(#[from] StoreError),
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(source) => source.into(),
            other => Self::ServerError(Bug::caused("signing keys", other)),
        }
    }
}

/// What the key store needs of the configuration.
#[derive(Debug, Clone)]
pub struct KeySettings {
    issuer: IssuerUrl,
    algorithm: SigningAlgorithm,
    schedule: Schedule,
    pairwise: bool,
}

impl From<&Config> for KeySettings {
    fn from(config: &Config) -> Self {
        let schedule = Schedule {
            rotate_after: config.keys.rotate_after,
            publish_before: config.keys.publish_before,
            keep_after: Ttl(config.lifetimes.access_token.0 + rotation::KEY_SET_CACHED.0),
        };
        let pairwise = config.openid.enabled && config.openid.subject == SubjectType::Pairwise;
        Self { issuer: config.issuer.clone(), algorithm: config.keys.algorithm, schedule, pairwise }
    }
}

/// What people may know of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it; `keys list` prints them")]
pub struct KeyFacts {
    pub kid: String,
    pub algorithm: &'static str,
    pub active_from: Timestamp,
    pub retire_at: Option<Timestamp>,
    pub signs_now: bool,
}

/// The door to the keys.
#[derive(Clone)]
pub struct KeyStore(Arc<Inner>);

struct Inner {
    store: Store,
    sealing: SealingKeys,
    pairwise: Option<Pairwise>,
    settings: KeySettings,
    clock: Arc<dyn Clock>,
    set: ArcSwap<KeySet>,
    tokens: KnownTokens,
    wanted: Notify,
}

/// The keys of this moment, and the document that tells of them.
#[derive(Default)]
struct KeySet {
    rows: Vec<KeyRow>,
    keys: Vec<SigningKey>,
    document: Bytes,
}

impl KeyStore {
    /// Reads the keys; makes the first one if there is none.
    ///
    /// # Errors
    /// The store does not answer, or a key is sealed with a sealing key that is not at hand.
    pub async fn open(store: Store, sealing: SealingKeys, settings: KeySettings, clock: Arc<dyn Clock>) -> Result<Self, KeyError> {
        let pairwise = if settings.pairwise { Some(Pairwise::open(&store, &sealing).await?) } else { None };
        let keys = Self(Arc::new(Inner {
            store,
            sealing,
            pairwise,
            settings,
            clock,
            set: ArcSwap::default(),
            tokens: KnownTokens::none(),
            wanted: Notify::new(),
        }));
        keys.refresh().await?;
        keys.first_key().await?;
        keys.reseal().await?;
        Ok(keys)
    }

    /// Signs an ID token that goes out beside this access token, with the key of this moment.
    pub(crate) fn sign_id(&self, claims: &IdClaimsRef<'_>, access_token: &AccessTokenSecret) -> Result<String, Error> {
        let set = self.0.set.load();
        let signer = set.signer(self.0.clock.now()).ok_or(KeyError::NoSigningKey)?;
        Ok(signer.sign_id(claims, access_token.expose())?)
    }

    /// The key set document (RFC 7517 §5), ready to send.
    pub fn jwks_bytes(&self) -> Bytes {
        self.0.set.load().document.clone()
    }

    /// Every key that is published, in the order of their beginnings.
    pub fn list(&self) -> Vec<KeyFacts> {
        let set = self.0.set.load();
        let now = self.0.clock.now();
        let signer = set.signer(now).map(|key| key.kid.as_str());
        let facts = |key: &SigningKey| KeyFacts {
            kid: key.kid.clone(),
            algorithm: key.algorithm.as_str(),
            active_from: key.active_from,
            retire_at: key.retire_at,
            signs_now: signer == Some(key.kid.as_str()),
        };
        set.keys.iter().filter(|key| key.is_live(now)).map(facts).collect()
    }

    /// What makes pairwise names, where `openid.subject` says that people have such.
    pub(crate) fn pairwise(&self) -> Option<&Pairwise> {
        self.0.pairwise.as_ref()
    }

    /// The keys that seal, for others who keep or bind something.
    pub(crate) fn sealing(&self) -> &SealingKeys {
        &self.0.sealing
    }

    /// Makes a new key because somebody said so. Gives its id.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn rotate(&self, urgency: Urgency) -> Result<String, KeyError> {
        self.refresh().await?;
        let newest = self.0.set.load().rows.last().map(span);
        let (begins, forgotten) = self.0.settings.schedule.ordered(urgency, newest, self.0.clock.now());
        let kid = self.bear(begins, forgotten).await?;
        tracing::info!(event = "key.rotated", key.id = %kid, "signing key `{kid}` signs from {} on", begins.0);
        Ok(kid)
    }

    /// Reads the store again: keys that other replicas made, keys that are past.
    ///
    /// # Errors
    /// The store does not answer, or a key does not open. What is in memory stays in force.
    pub async fn refresh(&self) -> Result<(), KeyError> {
        let now = self.0.clock.now();
        let mut rows = self.0.store.keys().await?;
        rows.retain(|row| row.retire_at.is_none_or(|at| now < at));
        rows.sort_by(|a, b| (a.active_from, &a.kid).cmp(&(b.active_from, &b.kid)));
        if self.0.set.load().rows != rows {
            self.0.set.store(Arc::new(KeySet::of(rows, &self.0.sealing)?));
        }
        Ok(())
    }

    /// One round of upkeep: refresh, and the next key if its time has come. Only one replica makes it.
    ///
    /// # Errors
    /// As [`Self::refresh`].
    pub async fn tend(&self) -> Result<(), KeyError> {
        self.refresh().await?;
        let now = self.0.clock.now();
        let newest = self.0.set.load().rows.last().map(|row| (row.kid.clone(), span(row)));
        let Some((kid, newest)) = newest else { return Err(KeyError::NoSigningKey) };
        let Some(begins) = self.0.settings.schedule.due(newest, now) else { return Ok(()) };
        if self.0.store.first_seen("key_successor", &kid, now + BIRTH_CLAIM).await? {
            let born = self.bear(begins, self.0.settings.schedule.forgotten(begins)).await?;
            tracing::info!(event = "key.rotated", key.id = %born, "signing key `{born}` follows `{kid}`");
        }
        Ok(())
    }

    /// Waits until a token names a key that we do not know: another replica may have made one. A storm of such tokens costs one
    /// reading of the store a pause.
    pub(crate) async fn unknown_key(&self) {
        tokio::time::sleep(REFRESH_PAUSE).await;
        self.0.wanted.notified().await;
    }

    /// The first key of all. Of several replicas that start together one makes it, the others wait for it.
    async fn first_key(&self) -> Result<(), KeyError> {
        let now = self.0.clock.now();
        for _ in 0..FIRST_KEY_WAITS {
            if !self.0.set.load().keys.is_empty() {
                return Ok(());
            }
            if self.0.store.first_seen("key_successor", "", now + BIRTH_CLAIM).await? {
                break;
            }
            tokio::time::sleep(FIRST_KEY_WAIT).await;
            self.refresh().await?;
        }
        // Nobody has seen a token yet, so nobody must have seen the key before: it signs at once.
        self.bear(now, now).await.map(drop)
    }

    /// Makes a key that signs from `begins` on, and says when its predecessors are forgotten.
    async fn bear(&self, begins: Timestamp, predecessors_forgotten: Timestamp) -> Result<String, KeyError> {
        let algorithm = self.0.settings.algorithm;
        // An RSA pair takes a good part of a second to find.
        let pkcs8 = tokio::task::spawn_blocking(move || jwt::generate(algorithm))
            .await
            .map_err(|_| KeyError::Crypto("could not make a key pair"))??;
        let kid = secret::fresh_text::<9>("k");
        let born = SigningKey::from_pkcs8(kid.clone(), algorithm, &pkcs8, begins, None)?;
        let row = KeyRow {
            public_jwk: jose::public_jwk(&born)?,
            sealed_private: self.0.sealing.seal(Purpose::SigningKey, kid.as_bytes(), &pkcs8)?,
            alg: algorithm.as_str().to_owned(),
            created_at: self.0.clock.now(),
            active_from: begins,
            retire_at: None,
            kid: kid.clone(),
        };
        // The new one first: if we are stopped between the two, there is a key too many, never one too few.
        self.0.store.insert_key(row).await?;
        let predecessors = self.0.set.load_full();
        for row in &predecessors.rows {
            if row.retire_at.is_none_or(|at| at > predecessors_forgotten) {
                self.0.store.update_key(KeyRow { retire_at: Some(predecessors_forgotten), ..row.clone() }).await?;
            }
        }
        self.refresh().await?;
        Ok(kid)
    }

    /// Seals again, with the sealing key in use, what an older one sealed; so that the older one can go.
    async fn reseal(&self) -> Result<(), KeyError> {
        let current = self.0.sealing.current_id();
        let set = self.0.set.load_full();
        for row in set.rows.iter().filter(|row| SealingKeys::sealed_by(&row.sealed_private) != Some(current)) {
            let pkcs8 = self.0.sealing.open_sealed(Purpose::SigningKey, row.kid.as_bytes(), &row.sealed_private)?;
            let sealed_private = self.0.sealing.seal(Purpose::SigningKey, row.kid.as_bytes(), &pkcs8)?;
            self.0.store.update_key(KeyRow { sealed_private, ..row.clone() }).await?;
            tracing::info!(event = "key.resealed", key.id = %row.kid, "signing key `{}` is sealed with sealing key {current} now", row.kid);
        }
        Ok(())
    }
}

impl std::fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyStore").field(&self.list()).finish()
    }
}

impl KeySet {
    fn of(rows: Vec<KeyRow>, sealing: &SealingKeys) -> Result<Self, KeyError> {
        let keys = rows.iter().map(|row| unseal(row, sealing)).collect::<Result<Vec<_>, _>>()?;
        let document = jose::key_set(rows.iter().map(|row| row.public_jwk.as_str()));
        Ok(Self { rows, keys, document })
    }

    fn signer(&self, now: Timestamp) -> Option<&SigningKey> {
        let spans = self.keys.iter().map(|key| Span { active_from: key.active_from, retire_at: key.retire_at });
        rotation::signer(spans, now).map(|place| &self.keys[place])
    }
}

fn span(row: &KeyRow) -> Span {
    Span { active_from: row.active_from, retire_at: row.retire_at }
}

fn unseal(row: &KeyRow, sealing: &SealingKeys) -> Result<SigningKey, KeyError> {
    let known = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256];
    let Some(algorithm) = known.into_iter().find(|known| known.as_str() == row.alg) else {
        return Err(KeyError::AlgorithmUnknown { kid: row.kid.clone(), algorithm: row.alg.clone() });
    };
    let failed = |source| KeyError::SigningKey { kid: row.kid.clone(), source: Box::new(source) };
    let pkcs8 = sealing.open_sealed(Purpose::SigningKey, row.kid.as_bytes(), &row.sealed_private).map_err(failed)?;
    SigningKey::from_pkcs8(row.kid.clone(), algorithm, &pkcs8, row.active_from, row.retire_at).map_err(failed)
}
