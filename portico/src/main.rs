//! The front door for a person: everything on one origin for a first try, and the operator's commands.
//!
//! Each command is one file. This one parses the command line, installs the TLS provider and sets the exit code.

mod completions;
mod config;
mod dev_ca;
mod doctor;
mod environment;
mod files;
mod health;
mod keycloak;
mod keys;
mod migrate;
mod new;
mod screen;
mod service;
mod up;
mod users;
mod welcome;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An OAuth 2.1 front door for MCP servers.
///
/// Without a command it runs `up`: the authorization server, the MCP server and their pages on one origin, with embedded defaults.
#[derive(Parser)]
#[command(
    name = "portico",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Settings: docs/configuration.md. First steps: README.md."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: up::Arguments,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything on one origin (the default).
    Up(Box<up::Arguments>),
    /// Accounts kept in Portico: who may sign in.
    #[command(subcommand)]
    Users(users::Command),
    /// Signing keys: list, rotate.
    #[command(subcommand)]
    Keys(keys::Command),
    /// The configuration: check it, show what is in force.
    #[command(subcommand)]
    Config(config::Command),
    /// Look at what Portico depends on, say what is wrong there, repair it.
    #[command(subcommand)]
    Doctor(doctor::Command),
    /// Bring the database to the schema of this version.
    Migrate(environment::Place),
    /// Services behind this origin that cannot check tokens themselves: add, list, remove.
    #[command(subcommand)]
    Service(service::Command),
    /// Something to begin with: a protected MCP server of your own.
    #[command(subcommand)]
    New(new::Command),
    /// A certificate authority for this machine alone, and a certificate for the names it may vouch for.
    DevCa(dev_ca::Arguments),
    /// Ask a probe; the exit code is the answer.
    Health(health::Arguments),
    /// Print completions for a shell.
    Completions(completions::Arguments),
}

fn main() -> ExitCode {
    // rustls and everything that speaks through it ask for the process's default provider.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        screen::complain("another TLS provider was installed before ours; this build is broken");
        return ExitCode::FAILURE;
    }
    let line = CommandLine::parse();
    let result = actix_web::rt::System::new().block_on(run(line));
    match result {
        Ok(code) => code,
        Err(problem) => {
            screen::complain(&problem);
            ExitCode::FAILURE
        }
    }
}

/// What went wrong is a failure; how a patient is has exit codes of its own.
async fn run(line: CommandLine) -> Result<ExitCode, String> {
    match line.command {
        None => up::run(line.up).await?,
        Some(Command::Up(arguments)) => up::run(*arguments).await?,
        Some(Command::Users(command)) => users::run(command).await?,
        Some(Command::Keys(command)) => keys::run(command).await?,
        Some(Command::Config(command)) => config::run(command)?,
        Some(Command::Doctor(command)) => return Ok(doctor::run(command).await?.exit_code()),
        Some(Command::Migrate(place)) => migrate::run(place).await?,
        Some(Command::Service(command)) => service::run(command)?,
        Some(Command::New(command)) => new::run(command)?,
        Some(Command::DevCa(arguments)) => dev_ca::run(&arguments)?,
        Some(Command::Health(arguments)) => health::run(&arguments)?,
        Some(Command::Completions(arguments)) => completions::print(&arguments, &mut <CommandLine as clap::CommandFactory>::command()),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <CommandLine as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn no_command_is_up() {
        let line = CommandLine::try_parse_from(["portico", "--listen", "127.0.0.1:9999"]).unwrap();
        assert!(line.command.is_none());
    }
}
