//! `portico doctor`: looks at what Portico depends on, says what is wrong there, and repairs what it may.
//!
//! One patient, one file. The exit code tells a script how it ended, see [`Health`].

mod keycloak;

use std::process::ExitCode;

/// Whom to look at.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// A Keycloak realm: is the client of Portico there, does it lock what it should, does it tell what the rules need?
    ///
    /// Exit code 0: nothing is wrong, or everything was repaired and read again. 1: the realm could not be read or
    /// written. 2: the command line is wrong. 3: something is wrong and stays so.
    Keycloak(Box<keycloak::Arguments>),
}

/// How the patient is when the doctor leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// Nothing is wrong.
    Sound,
    /// Something is wrong and stays so.
    Ailing,
}

impl Health {
    /// 0 and 3: 1 is a doctor who could not look, 2 is what clap says of a wrong command line.
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Sound => ExitCode::SUCCESS,
            Self::Ailing => ExitCode::from(3),
        }
    }
}

/// Runs it.
pub(crate) async fn run(command: Command) -> Result<Health, String> {
    match command {
        Command::Keycloak(arguments) => keycloak::run(*arguments).await,
    }
}
