//! `portico migrate`: the database, brought to the schema of this version.

use auth_server::command;

use crate::{environment::Place, screen, up::chain};

/// Runs it.
pub(crate) async fn run(place: Place) -> Result<(), String> {
    let config = place.resolve(Vec::new())?;
    let applied = command::migrate(&config).await.map_err(|problem| chain(&problem))?;
    screen::say(&match applied {
        0 => "The schema is that of this version already.".to_owned(),
        count => format!("Applied {count} migration(s)."),
    });
    Ok(())
}
