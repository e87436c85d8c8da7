//! `portico keys`: the signing keys.

use auth_server::keys::Urgency;

use crate::{
    environment::Place,
    screen,
    up::{self, chain},
};

/// What to do with keys.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List the signing keys: id, algorithm, state, when it signs, when it is dropped.
    List(Place),
    /// Publish a new signing key now; it signs after `keys.publish_before`, when every resource has seen it.
    Rotate {
        /// Sign with it at once: tokens may be refused for up to a minute by resources that have not fetched it yet.
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        place: Place,
    },
}

/// Runs it.
pub(crate) async fn run(command: Command) -> Result<(), String> {
    match command {
        Command::List(place) => {
            let app = up::open(place.resolve(Vec::new())?).await?;
            for key in app.key_lines() {
                let state = if key.signs_now { "signs" } else { "published" };
                let retires = key.retire_at.map_or_else(|| "-".to_owned(), |at| at.0.to_string());
                screen::print(&format!("{}\t{}\t{state}\tactive from {}\tdropped {retires}", key.kid, key.algorithm, key.active_from.0));
            }
            app.close().await;
            Ok(())
        }
        Command::Rotate { now, place } => {
            let app = up::open(place.resolve(Vec::new())?).await?;
            let urgency = if now { Urgency::Compromised } else { Urgency::Announced };
            let kid = app.rotate_keys(urgency).await.map_err(|problem| chain(&problem))?;
            screen::say(&format!(
                "Key `{kid}` is published{}.",
                if now { " and signs now" } else { "; it signs when every resource has seen it" }
            ));
            app.close().await;
            Ok(())
        }
    }
}
