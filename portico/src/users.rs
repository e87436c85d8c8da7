//! `portico users`: the accounts kept in Portico.

use auth_server::command;

use crate::{
    environment::{Place, password},
    screen,
    up::{self, chain},
};

/// What to do with accounts.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Add an account; the password comes from PORTICO_PASSWORD, or is generated and shown once.
    Add {
        /// The name to sign in with.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// List the accounts.
    List(Place),
    /// Set a new password, from PORTICO_PASSWORD or generated and shown once; browsers signed in before must sign in again.
    Password {
        /// The name to sign in with.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Disable an account: its sessions and grants end at once.
    Disable {
        /// The name to sign in with.
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Runs it.
pub(crate) async fn run(command: Command) -> Result<(), String> {
    match command {
        Command::Add { name, place } => {
            let (password, generated) = password_or_fresh();
            let app = up::open(place.resolve(Vec::new())?).await?;
            app.add_account(&name, &password).await.map_err(|problem| chain(&problem))?;
            screen::say(&format!("Added `{name}`."));
            shown_once(generated, &password);
            app.close().await;
            Ok(())
        }
        Command::List(place) => {
            let app = up::open(place.resolve(Vec::new())?).await?;
            for account in app.account_lines().await.map_err(|problem| chain(&problem))? {
                let state = if account.is_disabled { "disabled" } else { "active" };
                screen::print(&format!("{}\t{state}\t{}", account.username, account.subject));
            }
            app.close().await;
            Ok(())
        }
        Command::Password { name, place } => {
            let (password, generated) = password_or_fresh();
            let app = up::open(place.resolve(Vec::new())?).await?;
            app.set_password(&name, &password).await.map_err(|problem| chain(&problem))?;
            screen::say(&format!("`{name}` has a new password."));
            shown_once(generated, &password);
            app.close().await;
            Ok(())
        }
        Command::Disable { name, place } => {
            let app = up::open(place.resolve(Vec::new())?).await?;
            app.disable_account(&name).await.map_err(|problem| chain(&problem))?;
            screen::say(&format!("`{name}` is disabled; sessions and grants of this person have ended."));
            app.close().await;
            Ok(())
        }
    }
}

/// The password from the environment, or a fresh one; and whether it is fresh.
pub(crate) fn password_or_fresh() -> (String, bool) {
    password().map_or_else(|| (command::fresh_password(), true), |password| (password, false))
}

fn shown_once(generated: bool, password: &str) {
    if generated {
        screen::print(&format!("password: {password}"));
        screen::say("It is shown this once; set another with `portico users password`.");
    }
}
