//! `cargo xtask`: everything about this repository that is more than `cargo test`.
//!
//! One command, one file. It needs Rust alone to start and installs the rest by package name. Nothing here is part
//! of what people run: the programs are `portico`, `auth-server` and `mcp-server`.
#![expect(clippy::disallowed_methods, reason = "a tool for developers: its clock is the real one and its settings are the environment")]

mod bench;
mod cache;
mod check;
mod closing;
mod conformance;
mod containers;
mod crash;
mod docs;
mod e2e;
mod edge;
mod keycloak;
mod machine;
mod newcomer;
mod pages;
mod postgres;
mod random;
mod run;
mod server;
mod setup;
mod suites;
mod template;
mod test;
mod visitor;
mod wire;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use closing::Tally;

/// What can go wrong in a task ends it: the sentence is all that anybody needs.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Sets up, tests, measures and checks this repository", disable_help_subcommand = true)]
struct Arguments {
    /// A portico to use instead of building the release binary
    #[arg(long, global = true)]
    binary: Option<PathBuf>,
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the suites need, by package name, into the system and the cache folder
    Setup,
    /// Set up, then run every suite: Rust, PostgreSQL, real clients, browser, conformance, crash
    Test,
    /// Real clients (official SDKs, mcp-remote) against the release binary
    E2e {
        /// Journeys to run; none means all
        journeys: Vec<String>,
    },
    /// What can be said of compose.yaml and the Dockerfile without a container engine
    Containers,
    /// A new MCP server from the template: compiles, is tested, stands behind a running Portico
    Template,
    /// The real Traefik over TLS: tricks, streams, load, services behind forward-auth, real clients, a real Keycloak
    Edge {
        /// `keycloak`: the journey with Keycloak alone; nothing means all
        part: Option<String>,
    },
    /// Chromium over the pages: phone and desk, keyboard, languages, no script
    Browser,
    /// A real Keycloak: people on its login page, their roles, its outages, and `portico doctor`
    Keycloak {
        /// `doctor`, or words of the rules to try; none means all
        rules: Vec<String>,
    },
    /// The public MCP conformance suite, through a real token
    Conformance,
    /// Kill the release binary under load and look for lost grants
    Crash {
        /// Seed of the first round; the others follow from it
        #[arg(long)]
        seed: Option<u64>,
        /// How many times the server is killed
        #[arg(long, default_value_t = crash::ROUNDS)]
        rounds: u32,
    },
    /// From the end of the build to the first signed-in tool call of an official SDK
    Newcomer,
    /// What a request costs: the `dist` binary on one core, the load on the other
    Bench(bench::Options),
    /// Offline checks: format, lints, licences, versions in one place, nothing twice, generated files fresh
    Check,
    /// Write the generated documents anew
    Docs,
}

fn main() -> ExitCode {
    let Arguments { binary, task } = Arguments::parse();
    let binary = binary.as_deref();
    let outcome = match task {
        Task::Setup => setup::all().map(|()| Tally::default()),
        Task::Test => test::all(binary),
        Task::E2e { journeys } => suites::alone(binary, |binary| e2e::run(binary, &journeys)),
        Task::Containers => suites::alone(binary, containers::run),
        Task::Template => suites::alone(binary, template::run),
        Task::Edge { part } => suites::alone(binary, |binary| edge::run(binary, part.as_deref())),
        Task::Browser => suites::alone(binary, pages::run),
        Task::Keycloak { rules } => suites::alone(binary, |binary| keycloak::run(binary, &rules)),
        Task::Conformance => suites::alone(binary, conformance::run),
        Task::Crash { seed, rounds } => suites::alone(binary, |binary| crash::run(binary, seed, rounds)),
        Task::Newcomer => suites::alone(binary, newcomer::run),
        Task::Bench(options) => bench::run(binary, &options).map(|()| Tally::default()),
        Task::Check => check::run(),
        Task::Docs => docs::write().map(|()| Tally::default()),
    };
    match outcome {
        Ok(tally) if tally.is_nothing() => ExitCode::SUCCESS,
        Ok(tally) => tally.close(),
        Err(error) => {
            closing::say(&format!("xtask: {error}"));
            Tally::one_failure().close()
        }
    }
}
