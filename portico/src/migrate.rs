//! `portico migrate`: the database, brought to the schema of this version.

use auth_server::command;

use crate::{environment::Place, screen, up::chain};

/// Runs it.
pub(crate) async fn run(place: Place) -> Result<(), String> {
    let config = place.resolve(Vec::new())?;
    command::migrate(&config).await.map_err(|problem| chain(&problem))?;
    screen::say("The schema is that of this version.");
    Ok(())
}
