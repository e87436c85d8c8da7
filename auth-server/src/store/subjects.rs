//! People: our stable name for each, and the accounts of those who sign in here with a password.

use std::sync::Arc;

use oauth_types::{EndedKind, Subject, Timestamp};

use super::{
    AuditEvent, Store, StoreError,
    cache::Noun,
    db::{Row, Value},
};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectRow {
    /// Our name for them, in every token.
    pub subject: Subject,
    /// What to call them on pages.
    pub display_name: String,
    /// When we first met.
    pub created_at: Timestamp,
    /// When they were shut out.
    pub disabled_at: Option<Timestamp>,
    /// Everything of theirs born at or before this ended.
    pub ended_before: Option<Timestamp>,
}

/// A person's way to sign in here.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// What they type.
    pub username: String,
    /// Who they are.
    pub subject: Subject,
    /// What to call them.
    pub display_name: String,
    /// The password's hash, in PHC form.
    pub password_phc: String,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When they were shut out.
    pub disabled_at: Option<Timestamp>,
}

impl std::fmt::Debug for AccountRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountRow").field("subject", &self.subject).field("disabled_at", &self.disabled_at).finish_non_exhaustive()
    }
}

/// An account to be made, with its person.
#[derive(Clone)]
pub struct NewAccount {
    /// Who.
    pub subject: Subject,
    /// What they type.
    pub username: String,
    /// What to call them.
    pub display_name: String,
    /// The password's hash.
    pub password_phc: String,
}

impl std::fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewAccount").field("subject", &self.subject).finish_non_exhaustive()
    }
}

const SUBJECT: &str = "SELECT subject, display_name, created_at, disabled_at, ended_before FROM subjects WHERE subject = $1";
const ACCOUNT: &str = "SELECT a.username, a.subject, s.display_name, a.password_phc, a.created_at, s.disabled_at
  FROM accounts AS a JOIN subjects AS s ON s.subject = a.subject WHERE a.username = $1";
const USERNAME: &str = "SELECT username FROM accounts WHERE subject = $1";
const ACCOUNTS: &str = "SELECT a.username, a.subject, s.display_name, a.password_phc, a.created_at, s.disabled_at
  FROM accounts AS a JOIN subjects AS s ON s.subject = a.subject ORDER BY a.username";
pub(super) const INSERT_SUBJECT: &str =
    "INSERT INTO subjects (subject, display_name, created_at) VALUES ($1, $2, $3) ON CONFLICT (subject) DO NOTHING";
const INSERT_ACCOUNT: &str = "INSERT INTO accounts (username, subject, password_phc, created_at) VALUES ($1, $2, $3, $4)
  ON CONFLICT (username) DO NOTHING";
const SET_PASSWORD: &str = "UPDATE accounts SET password_phc = $2 WHERE username = $1 RETURNING subject";
const DISABLE: &str = "UPDATE subjects SET disabled_at = $2, ended_before = $3
  WHERE disabled_at IS NULL AND subject = (SELECT subject FROM accounts WHERE username = $1) RETURNING subject";
const END_SESSIONS: &str = "UPDATE browser_sessions SET ended_at = $2 WHERE subject = $1 AND ended_at IS NULL";

impl Store {
    /// This person.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn subject(&self, subject: &Subject) -> Result<Option<SubjectRow>, StoreError> {
        let row = self.0.readers.row(SUBJECT, &[Value::Text(subject.as_str())]).await?;
        row.map(|row| read_subject(&row)).transpose()
    }

    /// The account of this name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn account(&self, username: &str) -> Result<Option<Arc<AccountRow>>, StoreError> {
        self.0.readers.row(ACCOUNT, &[Value::Text(username)]).await?.map(|row| read(&row).map(Arc::new)).transpose()
    }

    /// The user name of this person's account, if they have one here.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn username_of(&self, subject: &Subject) -> Result<Option<String>, StoreError> {
        let row = self.0.readers.row(USERNAME, &[Value::Text(subject.as_str())]).await?;
        row.map(|row| row.text("username").map(str::to_owned)).transpose()
    }

    /// Every account, by name.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        self.0.readers.rows(ACCOUNTS, &[]).await?.iter().map(read).collect()
    }

    /// Makes an account and its person. `false`: the name is taken.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn create_account(&self, new: NewAccount) -> Result<bool, StoreError> {
        let now = self.0.clock.now();
        self.write(move |tx| {
            Box::pin(async move {
                let subject = new.subject.as_str();
                tx.run(INSERT_SUBJECT, &[Value::Text(subject), Value::Text(&new.display_name), Value::Int(now.0)]).await?;
                let values = [Value::Text(&new.username), Value::Text(subject), Value::Text(&new.password_phc), Value::Int(now.0)];
                if tx.run(INSERT_ACCOUNT, &values).await? == 0 {
                    tx.undo();
                    return Ok(false);
                }
                tx.audit(&AuditEvent { at: now, event: "account.created", subject: Some(new.subject.clone()), ..AuditEvent::default() })
                    .await?;
                Ok(true)
            })
        })
        .await
    }

    /// Changes a password, and signs the person out of every browser: whoever stole a session must not keep it. `false`: there is no
    /// such account.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn set_password(&self, username: &str, password_phc: &str) -> Result<bool, StoreError> {
        let (username, password_phc, now) = (username.to_owned(), password_phc.to_owned(), self.0.clock.now());
        self.write(move |tx| {
            Box::pin(async move {
                let rows = tx.rows(SET_PASSWORD, &[Value::Text(&username), Value::Text(&password_phc)]).await?;
                let Some(row) = rows.first() else { return Ok(false) };
                let subject = Subject::from_trusted(row.text("subject")?);
                tx.run(END_SESSIONS, &[Value::Text(subject.as_str()), Value::Int(now.0)]).await?;
                tx.stale(Noun::BrowserSessionsOf, subject.as_str()).await?;
                tx.audit(&AuditEvent { at: now, event: "account.password_changed", subject: Some(subject), ..AuditEvent::default() })
                    .await?;
                Ok(true)
            })
        })
        .await
    }

    /// Shuts a person out: their sessions and everything they allowed ends. `false`: no such account, or shut out before.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn disable_account(&self, username: &str) -> Result<bool, StoreError> {
        let (username, now) = (username.to_owned(), self.0.clock.now());
        self.write(move |tx| {
            Box::pin(async move {
                let before = tx.ended_before(now);
                let rows = tx.rows(DISABLE, &[Value::Text(&username), Value::Int(now.0), Value::Int(before.0)]).await?;
                let Some(row) = rows.first() else { return Ok(false) };
                let subject = Subject::from_trusted(row.text("subject")?);
                tx.run(END_SESSIONS, &[Value::Text(subject.as_str()), Value::Int(now.0)]).await?;
                tx.ended(EndedKind::Subject, subject.as_str(), Some(before)).await?;
                tx.stale(Noun::BrowserSessionsOf, subject.as_str()).await?;
                tx.audit(&AuditEvent { at: now, event: "account.disabled", subject: Some(subject), ..AuditEvent::default() }).await?;
                Ok(true)
            })
        })
        .await
    }
}

pub(super) fn read_subject(row: &Row) -> Result<SubjectRow, StoreError> {
    Ok(SubjectRow {
        subject: Subject::from_trusted(row.text("subject")?),
        display_name: row.text("display_name")?.to_owned(),
        created_at: Timestamp(row.int("created_at")?),
        disabled_at: row.maybe_int("disabled_at")?.map(Timestamp),
        ended_before: row.maybe_int("ended_before")?.map(Timestamp),
    })
}

fn read(row: &Row) -> Result<AccountRow, StoreError> {
    Ok(AccountRow {
        username: row.text("username")?.to_owned(),
        subject: Subject::from_trusted(row.text("subject")?),
        display_name: row.text("display_name")?.to_owned(),
        password_phc: row.text("password_phc")?.to_owned(),
        created_at: Timestamp(row.int("created_at")?),
        disabled_at: row.maybe_int("disabled_at")?.map(Timestamp),
    })
}
