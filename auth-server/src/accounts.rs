//! Accounts kept here, and their passwords.
//!
//! Owns the rules for names and passwords, the hash (argon2id, RFC 9106 §4) and the limit on wrong attempts. Rows live in the
//! store. A name that does not exist costs the same work as a wrong password, so that nobody can list accounts with a clock
//! (attack 55). A hash takes 19 MiB and tens of milliseconds: it runs on blocking threads, at most one a core at a time.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use argon2::{Algorithm, Argon2, Block, Params, Version, password_hash::phc::PasswordHash};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use oauth_types::{Bug, Error, Outage, Subject, Ttl};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    clock::Clock,
    config::AccountsConfig,
    http::limits::Counter,
    secret,
    store::{AccountRow, NewAccount, Store},
};

/// Long enough for an e-mail address, short enough for one line of a page.
pub const USERNAME_CHARS_MAX: usize = 64;
/// NIST SP 800-63B §3.1.1.2: at least eight characters where guesses are limited, which they are here.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Argon2 reads any length; this bounds what a stranger can make us normalise and hash.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// What a hash asks of the allocator at least: 33 MiB, of which it touches only what it uses. glibc keeps freed memory of up to 32 MiB
/// for the thread that freed it, so every thread that ever hashed would hold its 19 MiB for good; more than that goes back at once.
const BLOCKS_MIN: usize = 33 * 1024;
/// RFC 9106 §3.1: a tag of 256 bits.
const TAG_BYTES: usize = 32;
/// People who wait for a hash at once. At two cores and 50 ms this is three seconds of waiting; more is a flood.
const WAITING_MAX: usize = 128;

/// A user name that keeps the rules: ASCII letters (kept small), digits and `. _ - @ +`, beginning with a letter or digit.
///
/// ASCII only, because two accounts that look alike on an audit page are a way to blame somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Username(String);

/// A password that keeps the rules, in the form that is hashed (NFC, RFC 8265 §4.2).
#[derive(Clone)]
pub struct Password(String);

/// Why a name or a password cannot be used for an account. Said to operators only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountFault {
    /// Empty or too long.
    #[error("a user name has 1 to {USERNAME_CHARS_MAX} characters")]
    UsernameLength,
    /// Something else than the allowed characters.
    #[error("a user name has letters a-z, digits and . _ - @ +, and begins with a letter or digit")]
    UsernameCharacters,
    /// Too short to resist guessing.
    #[error("a password has at least {PASSWORD_CHARS_MIN} characters")]
    PasswordTooShort,
    /// Too long to hash for a stranger.
    #[error("a password has at most {PASSWORD_BYTES_MAX} bytes")]
    PasswordTooLong,
    /// A line end or another control character, which no keyboard types into a password field.
    #[error("a password has no control characters")]
    PasswordControlCharacter,
}

/// Why a person was not let in. The page tells the first two in the same words.
#[derive(Debug)]
pub enum LoginFault {
    /// No such account, wrong password, or an account that was disabled.
    Wrong,
    /// Too many wrong attempts for this name from this source; how long to wait.
    Slow(Ttl),
    /// We could not look.
    Unable(Error),
}

/// Why an account could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name or the password breaks a rule.
    #[error(transparent)]
    Fault(#[from] AccountFault),
    /// The name is taken.
    #[error("there is already an account of this name")]
    Taken,
    /// There is no such account.
    #[error("there is no account of this name")]
    Unknown,
    /// The store or the hash failed.
    #[error("could not keep the account")]
    Failed(#[source] Error),
}

impl Username {
    /// The name as it is kept: trimmed and in small letters, so that a phone's capital letter does not matter.
    ///
    /// # Errors
    /// When it breaks the rules above.
    pub fn parse(text: &str) -> Result<Self, AccountFault> {
        let name = text.trim().to_ascii_lowercase();
        if name.is_empty() || name.len() > USERNAME_CHARS_MAX {
            return Err(AccountFault::UsernameLength);
        }
        let allowed = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-@+".contains(&byte));
        if !allowed || !name.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            return Err(AccountFault::UsernameCharacters);
        }
        Ok(Self(name))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Password {
    /// A password somebody chooses.
    ///
    /// # Errors
    /// When it is too short, too long or holds a control character.
    pub fn parse(text: &str) -> Result<Self, AccountFault> {
        let password = Self::presented(text)?;
        if password.0.chars().count() < PASSWORD_CHARS_MIN {
            return Err(AccountFault::PasswordTooShort);
        }
        Ok(password)
    }

    /// A password somebody signs in with. Its length says nothing yet: only the hash judges.
    fn presented(text: &str) -> Result<Self, AccountFault> {
        if text.len() > PASSWORD_BYTES_MAX {
            return Err(AccountFault::PasswordTooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(AccountFault::PasswordControlCharacter);
        }
        Ok(Self(text.nfc().collect()))
    }

    fn none() -> Self {
        Self(String::new())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Who may sign in here with a password.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    hasher: Argon2<'static>,
    /// A hash of nothing, with today's cost: what a name that does not exist is compared with.
    nobody: String,
    cores: Semaphore,
    waiting: AtomicUsize,
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accounts")
    }
}

impl Accounts {
    /// Over this store, at this cost.
    ///
    /// # Errors
    /// When argon2 does not take the configured cost.
    pub fn new(store: Store, config: &AccountsConfig, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let params = Params::new(config.memory_kib, config.passes, 1, None)
            .map_err(|_| Error::ServerError(Bug::new("accounts.memory_kib and accounts.passes are a cost that argon2 takes")))?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self(Arc::new(Inner {
            store,
            clock,
            nobody: hash_of_nothing(config),
            hasher: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            cores: Semaphore::new(cores),
            waiting: AtomicUsize::new(0),
        })))
    }

    /// Lets a person in, or says in one word why not. `source` is where the request came from; `wrong` counts wrong attempts.
    ///
    /// # Errors
    /// [`LoginFault`], told apart only by what the person can do.
    pub(crate) async fn verify(
        &self,
        username: &str,
        password: &str,
        source: IpAddr,
        wrong: &Counter,
    ) -> Result<Arc<AccountRow>, LoginFault> {
        let inner = &self.0;
        // A name or a password that breaks the rules still costs a hash below: a quick no would tell that no such account can be.
        let name = Username::parse(username).ok();
        let password = Password::presented(password).ok();
        let attempt = (username.trim().to_ascii_lowercase(), source);
        let may_try = || wrong.check(&attempt, inner.clock.now()).map_err(LoginFault::of);
        may_try()?;
        let row = match &name {
            Some(name) => inner.store.account(name.as_str()).await.map_err(|outage| LoginFault::Unable(outage.into()))?,
            None => None,
        };
        let row = row.filter(|row| row.disabled_at.is_none());
        let phc = row.as_ref().map_or_else(|| inner.nobody.clone(), |row| row.password_phc.clone());
        let right = {
            let _place = inner.queue()?;
            let _core = inner.cores.acquire().await.map_err(|_| unable("the semaphore of the password hash is never closed"))?;
            // Asked again: of a thousand guesses that came at once, those behind the limit must not get their hash.
            may_try()?;
            inner.compare(password.unwrap_or_else(Password::none), phc).await?
        };
        match row {
            Some(row) if right => {
                wrong.forgive(&attempt);
                Ok(row)
            }
            _ => {
                // The one that fills the window is still answered as wrong; the next one waits.
                let _counted = wrong.spend(&attempt, inner.clock.now());
                Err(LoginFault::Wrong)
            }
        }
    }

    /// Makes an account.
    ///
    /// # Errors
    /// When the name is taken or the store does not answer.
    pub async fn create(&self, username: &Username, password: Password) -> Result<Subject, AccountError> {
        let subject = Subject::from_trusted(secret::fresh_text::<16>(""));
        let password_phc = self.hash(password).await.map_err(AccountError::Failed)?;
        let account = NewAccount {
            subject: subject.clone(),
            username: username.as_str().to_owned(),
            display_name: username.as_str().to_owned(),
            password_phc,
        };
        match self.0.store.create_account(account).await {
            Ok(true) => Ok(subject),
            Ok(false) => Err(AccountError::Taken),
            Err(outage) => Err(AccountError::Failed(outage.into())),
        }
    }

    /// Changes a password.
    ///
    /// # Errors
    /// When there is no such account or the store does not answer.
    pub async fn set_password(&self, username: &Username, password: Password) -> Result<(), AccountError> {
        let phc = self.hash(password).await.map_err(AccountError::Failed)?;
        match self.0.store.set_password(username.as_str(), &phc).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(AccountError::Unknown),
            Err(outage) => Err(AccountError::Failed(outage.into())),
        }
    }

    /// Ends everything of a person and lets them in no more.
    ///
    /// # Errors
    /// When there is no such account, or it is disabled already, or the store does not answer.
    pub async fn disable(&self, username: &Username) -> Result<(), AccountError> {
        match self.0.store.disable_account(username.as_str()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(AccountError::Unknown),
            Err(outage) => Err(AccountError::Failed(outage.into())),
        }
    }

    /// The hash of a password, as a PHC string.
    ///
    /// # Errors
    /// Only when argon2 itself fails, which is our mistake.
    pub async fn hash(&self, password: Password) -> Result<String, Error> {
        let failed = |what| Error::ServerError(Bug::new(what));
        let _core = self.0.cores.acquire().await.map_err(|_| failed("the semaphore of the password hash is never closed"))?;
        let hasher = self.0.hasher.clone();
        let hashed = tokio::task::spawn_blocking(move || {
            let (salt, mut tag) = (secret::fresh_bytes::<16>(), [0; TAG_BYTES]);
            derive(&hasher, &password, &salt, &mut tag)?;
            Ok::<_, argon2::Error>(phc(hasher.params().m_cost(), hasher.params().t_cost(), &salt, &tag))
        });
        let hashed = hashed.await.map_err(|_| failed("the password hash does not panic"))?;
        hashed.map_err(|_| failed("argon2 takes every password that keeps the rules"))
    }
}

impl Inner {
    async fn compare(&self, password: Password, phc: String) -> Result<bool, LoginFault> {
        let compared = tokio::task::spawn_blocking(move || fits(&password, &phc));
        match compared.await {
            Ok(Some(right)) => Ok(right),
            Ok(None) => Err(unable("a stored password hash is a PHC string")),
            Err(_) => Err(unable("the password hash does not panic")),
        }
    }

    fn queue(&self) -> Result<Place<'_>, LoginFault> {
        let place = Place(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            return Err(LoginFault::Unable(Error::TemporarilyUnavailable(Outage::new("too many sign-ins wait for a password hash"))));
        }
        Ok(place)
    }
}

fn unable(what: &'static str) -> LoginFault {
    LoginFault::Unable(Error::ServerError(Bug::new(what)))
}

impl LoginFault {
    fn of(error: Error) -> Self {
        match error {
            Error::TooManyRequests { retry_after } => Self::Slow(retry_after),
            other => Self::Unable(other),
        }
    }
}

/// One place in the queue for a core; given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A PHC string with the configured cost that no password fits: its output is random, not computed.
fn hash_of_nothing(config: &AccountsConfig) -> String {
    phc(config.memory_kib, config.passes, &secret::fresh_bytes::<16>(), &secret::fresh_bytes::<TAG_BYTES>())
}

/// The text form of a hash.
fn phc(memory_kib: u32, passes: u32, salt: &[u8], tag: &[u8]) -> String {
    format!("$argon2id$v=19$m={memory_kib},t={passes},p=1${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(tag))
}

/// Is this the password of this hash? `None`: the text is no hash of ours. The cost is read from the hash, so old hashes outlive a
/// change of the setting.
fn fits(password: &Password, phc: &str) -> Option<bool> {
    let hash = PasswordHash::new(phc).ok()?;
    let (salt, expected) = (hash.salt.as_ref()?, hash.hash.as_ref()?);
    if hash.algorithm.as_str() != Algorithm::Argon2id.as_str() || expected.len() != TAG_BYTES {
        return None;
    }
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::try_from(&hash).ok()?);
    let mut tag = [0; TAG_BYTES];
    derive(&hasher, password, salt.as_ref(), &mut tag).ok()?;
    Some(secret::same(&tag, expected.as_bytes()))
}

fn derive(hasher: &Argon2<'_>, password: &Password, salt: &[u8], tag: &mut [u8; TAG_BYTES]) -> argon2::Result<()> {
    let count = hasher.params().block_count();
    let mut memory = Vec::with_capacity(count.max(BLOCKS_MIN));
    memory.resize(count, Block::new());
    hasher.hash_password_into_with_memory(password.0.as_bytes(), salt, tag, &mut memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_small_ascii() {
        assert_eq!(Username::parse(" Alice ").map(|name| name.0), Ok("alice".to_owned()));
        assert!(Username::parse("a.b-c_d+e@example.com").is_ok());
        assert_eq!(Username::parse(""), Err(AccountFault::UsernameLength));
        assert_eq!(Username::parse(&"a".repeat(65)), Err(AccountFault::UsernameLength));
        assert!(Username::parse(&"a".repeat(64)).is_ok());
        for wrong in ["al ice", "аlice", "-alice", "al/ice", "al\nice", "álice"] {
            assert_eq!(Username::parse(wrong), Err(AccountFault::UsernameCharacters), "{wrong}");
        }
    }

    #[test]
    fn a_password_has_eight_characters_and_no_line_end() {
        assert!(Password::parse("12345678").is_ok());
        assert_eq!(Password::parse("1234567").err(), Some(AccountFault::PasswordTooShort));
        assert!(Password::parse("äöüäöüäö").is_ok(), "characters are counted, not bytes");
        assert_eq!(Password::parse("12345678\n").err(), Some(AccountFault::PasswordControlCharacter));
        assert_eq!(Password::parse(&"x".repeat(1025)).err(), Some(AccountFault::PasswordTooLong));
    }

    /// RFC 8265 §4.2.2: the same letters typed on another keyboard are the same password.
    #[test]
    fn a_password_is_compared_in_one_normal_form() {
        let (composed, combining) = (Password::parse("caf\u{e9}-caf\u{e9}"), Password::parse("cafe\u{301}-cafe\u{301}"));
        assert_eq!(composed.expect("fine").0, combining.expect("fine").0);
    }

    #[test]
    fn a_password_does_not_show_itself() {
        assert_eq!(format!("{:?}", Password::parse("correct horse").expect("fine")), "Password(…)");
    }

    #[test]
    fn the_hash_of_nothing_is_read_with_the_configured_cost_and_fits_no_password() {
        let config = AccountsConfig { memory_kib: 64, passes: 1, attempts: 10, attempts_window: Ttl(300), offered: true };
        let phc = hash_of_nothing(&config);
        let hash = PasswordHash::new(&phc).expect("a PHC string");
        assert_eq!(Params::try_from(&hash).map(|params| (params.m_cost(), params.t_cost())).ok(), Some((64, 1)));
        assert_eq!(fits(&Password::none(), &phc), Some(false));
        assert_eq!(fits(&Password::parse("password").expect("fine"), &phc), Some(false));
    }

    #[test]
    fn a_password_fits_its_own_hash_and_no_other() {
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).expect("a cost"));
        let (right, wrong) = (Password::parse("correct horse").expect("fine"), Password::parse("correct mouse").expect("fine"));
        let (salt, mut tag) = ([7; 16], [0; TAG_BYTES]);
        derive(&hasher, &right, &salt, &mut tag).expect("a cost that works");
        let hash = phc(64, 1, &salt, &tag);
        assert_eq!((fits(&right, &hash), fits(&wrong, &hash)), (Some(true), Some(false)));
        assert_eq!(fits(&right, "not a hash"), None);
    }

    /// What an earlier library call made is still read: the form is the PHC string format's, not ours.
    #[test]
    fn a_hash_of_the_librarys_own_making_fits() {
        use argon2::password_hash::PasswordHasher as _;
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).expect("a cost"));
        let made = hasher.hash_password_with_salt(b"correct horse", &[7; 16]).expect("a cost that works").to_string();
        assert_eq!(fits(&Password::parse("correct horse").expect("fine"), &made), Some(true));
    }
}
