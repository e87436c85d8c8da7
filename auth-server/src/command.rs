//! What operators do from a command line, as functions: accounts, keys, schema. Programs parse the words and print the answers.

use oauth_types::{ClientSecret, Subject};

use crate::{
    App,
    accounts::{AccountError, Password, Username},
    app::OpenError,
    config::Config,
    keys::{KeyError, KeyFacts, Urgency},
    secret,
    store::{Store, StoreError},
};

/// An account, as a list shows it.
#[derive(Debug, Clone)]
pub struct AccountLine {
    /// The name to sign in with.
    pub username: String,
    /// Our stable name for the person.
    pub subject: Subject,
    /// May not sign in any more.
    pub is_disabled: bool,
}

/// Brings the database to the schema of this version.
///
/// # Errors
/// The database cannot be reached, or is of a newer version.
pub async fn migrate(config: &Config) -> Result<(), OpenError> {
    crate::app::make_private_folder(&config.data_dir).map_err(OpenError::when("make the data directory"))?;
    Store::migrate(&config.database).await.map_err(OpenError::when("bring the database to this version's schema"))
}

/// A password that nobody guesses and a person can type: 100 bits, in groups.
pub fn fresh_password() -> String {
    let letters: Vec<char> =
        secret::fresh_bytes::<20>().iter().map(|byte| char::from(b"abcdefghjkmnpqrstuvwxyz23456789"[usize::from(byte % 31)])).collect();
    letters.chunks(5).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// A credential for a program.
pub fn fresh_secret() -> ClientSecret {
    ClientSecret::new(secret::fresh_text::<32>("prs_"))
}

impl App {
    /// Makes an account.
    ///
    /// # Errors
    /// The name or password breaks a rule, or the name is taken.
    pub async fn add_account(&self, username: &str, password: &str) -> Result<Subject, AccountError> {
        self.accounts.create(&Username::parse(username)?, Password::parse(password)?).await
    }

    /// Gives an account another password; its browser sessions end.
    ///
    /// # Errors
    /// There is no such account, or the password breaks a rule.
    pub async fn set_password(&self, username: &str, password: &str) -> Result<(), AccountError> {
        self.accounts.set_password(&Username::parse(username)?, Password::parse(password)?).await
    }

    /// Disables an account: all that is of this person ends.
    ///
    /// # Errors
    /// There is no such account.
    pub async fn disable_account(&self, username: &str) -> Result<(), AccountError> {
        let username = Username::parse(username)?;
        if self.store.disable_account(username.as_str()).await.map_err(|cause| AccountError::Failed(cause.into()))? {
            Ok(())
        } else {
            Err(AccountError::Unknown)
        }
    }

    /// Every account.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn account_lines(&self) -> Result<Vec<AccountLine>, StoreError> {
        let rows = self.store.accounts().await?;
        Ok(rows
            .into_iter()
            .map(|row| AccountLine { username: row.username.clone(), subject: row.subject.clone(), is_disabled: row.disabled_at.is_some() })
            .collect())
    }

    /// Every signing key.
    pub fn key_lines(&self) -> Vec<KeyFacts> {
        self.keys.list()
    }

    /// Publishes a new signing key; its `kid`.
    ///
    /// # Errors
    /// The key cannot be made or kept.
    pub async fn rotate_keys(&self, urgency: Urgency) -> Result<String, KeyError> {
        self.keys.rotate(urgency).await
    }
}
