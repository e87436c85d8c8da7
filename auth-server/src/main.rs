//! The authorization server as a program of its own, for installations where it does not share a process with a resource.
//!
//! `portico up` is the friendlier door; this one has no first screen and makes no account.

use std::{io::Write as _, net::TcpListener, path::PathBuf, process::ExitCode, sync::Arc};

use auth_server::{
    App,
    clock::SystemClock,
    command,
    config::{Config, Layers, resolve, show},
    keys::Urgency,
    telemetry::Telemetry,
};
use clap::{Parser, Subcommand};

/// The OAuth 2.1 authorization server of Portico.
#[derive(Parser)]
#[command(
    name = "auth-server",
    version,
    after_help = "Settings: docs/configuration.md; each is also AUTH__SECTION__KEY in the environment."
)]
struct CommandLine {
    /// A configuration file.
    #[arg(long, value_name = "FILE", global = true, env = "AUTH_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer requests until asked to stop.
    Serve,
    /// Bring the database to the schema of this version.
    Migrate,
    /// Make and publish a new signing key.
    RotateKeys {
        /// Sign with it at once.
        #[arg(long)]
        now: bool,
    },
    /// Say every problem of the configuration, or print what is in force with secrets masked.
    ConfigCheck,
}

fn main() -> ExitCode {
    // TLS to a database asks for the process's default provider.
    let provided = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let line = CommandLine::parse();
    let done = match provided {
        Ok(()) => actix_web::rt::System::new().block_on(run(line)),
        Err(_) => Err("another TLS provider was installed before ours; this build is broken".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "auth-server: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run(line: CommandLine) -> Result<(), String> {
    let gather = || Layers::gather(line.config.as_deref(), std::env::vars(), []).map_err(|problems| problems.to_string());
    let config = resolve(gather()?).map_err(|problems| problems.to_string())?;
    match line.command {
        Command::Serve => serve(config).await,
        Command::Migrate => {
            command::migrate(&config).await.map_err(|problem| problem.to_string())?;
            say("the schema is that of this version")
        }
        Command::RotateKeys { now } => {
            let app = open(config).await?;
            let kid = app
                .rotate_keys(if now { Urgency::Compromised } else { Urgency::Announced })
                .await
                .map_err(|problem| problem.to_string())?;
            app.close().await;
            say(&kid)
        }
        Command::ConfigCheck => say(show(&gather()?).trim_end()),
    }
}

async fn open(config: Config) -> Result<App, String> {
    App::open(config, Arc::new(SystemClock)).await.map_err(|problem| problem.to_string())
}

async fn serve(config: Config) -> Result<(), String> {
    let _telemetry = Telemetry::start(&config.log).map_err(|problem| problem.to_string())?;
    let listener = TcpListener::bind(config.listen).map_err(|cause| format!("cannot listen on {}: {cause}", config.listen))?;
    let app = open(config).await?;
    let server = app.serve(listener).map_err(|cause| format!("cannot serve: {cause}"))?;
    let background = app.start();
    let ended = server.await.map_err(|cause| format!("the server stopped: {cause}"));
    background.stop().await;
    app.close().await;
    ended
}

fn say(text: &str) -> Result<(), String> {
    writeln!(std::io::stdout(), "{text}").map_err(|cause| format!("cannot write: {cause}"))
}
