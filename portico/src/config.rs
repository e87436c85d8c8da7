//! `portico config check` and `portico config show`.

use auth_server::config::{resolve, show};

use crate::{environment::Place, screen};

/// What to do with the configuration.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Say every problem, or print what is in force with secrets masked.
    Check(Place),
    /// Write the manual of every setting (Markdown) or its JSON schema.
    Manual {
        /// The JSON schema instead.
        #[arg(long)]
        schema: bool,
    },
}

/// Runs it.
pub(crate) fn run(command: Command) -> Result<(), String> {
    match command {
        Command::Check(place) => {
            let shown = show(&place.layers(Vec::new())?);
            resolve(place.layers(Vec::new())?).map_err(|problems| problems.to_string())?;
            screen::print(shown.trim_end());
            screen::say("The configuration is sound.");
            Ok(())
        }
        Command::Manual { schema } => {
            let text = if schema { auth_server::config::schema() } else { auth_server::config::manual() };
            screen::print(text.trim_end());
            Ok(())
        }
    }
}
