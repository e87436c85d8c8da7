//! Whoever runs the server: acts from the inside, as the command line does.

use auth_server::keys::Urgency;

use crate::stage::Stage;

/// The operator of a stage.
#[derive(Clone, Copy)]
pub struct Operator<'a> {
    stage: &'a Stage,
}

impl<'a> Operator<'a> {
    pub(crate) fn new(stage: &'a Stage) -> Self {
        Self { stage }
    }

    /// Opens an account for somebody.
    pub async fn adds_account(self, username: &str, password: &str) {
        self.stage.app().add_account(username, password).await.expect("a new account");
    }

    /// Takes a person's account away from now on.
    pub async fn disables(self, username: &str) {
        self.stage.app().disable_account(username).await.expect("the account exists");
    }

    /// Makes a new signing key, which is published first and takes over later.
    pub async fn rotates_keys(self) {
        self.stage.app().rotate_keys(Urgency::Announced).await.expect("a new key");
    }

    /// Replaces a signing key that is in wrong hands.
    pub async fn replaces_a_stolen_key(self) {
        self.stage.app().rotate_keys(Urgency::Compromised).await.expect("a new key");
    }

    /// Runs one round of what the server otherwise does on a tick: purge, key refresh, followers.
    pub async fn ticks(self) {
        self.stage.app().tick().await;
    }
}
