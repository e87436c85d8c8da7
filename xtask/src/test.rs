//! `cargo xtask test`: sets up what it needs and runs everything; the last line sums it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::closing::{self, Tally, say};
use crate::postgres::Postgres;
use crate::suites::{binary, counted};
use crate::{Result, check, conformance, containers, crash, e2e, edge, keycloak, newcomer, pages, run, setup, template, workspace};

/// Building and running the whole workspace from nothing.
const CARGO_TEST_LIMIT: Duration = Duration::from_secs(2400);

pub(crate) fn all(chosen: Option<&Path>) -> Result<Tally> {
    let started = Instant::now();
    setup::system()?;
    setup::parts()?;
    setup::keycloak()?;
    let mut sum = Tally::default();
    sum.add(counted("check", check::run));
    sum.add(counted("cargo test", cargo_test));
    match binary(chosen) {
        Ok(binary) => {
            sum.add(counted("real clients", || e2e::run(&binary, &[])));
            sum.add(counted("containers", || containers::run(&binary)));
            sum.add(counted("template", || template::run(&binary)));
            sum.add(counted("edge", || edge::run(&binary, None)));
            sum.add(counted("browser", || pages::run(&binary)));
            sum.add(counted("Keycloak", || keycloak::run(&binary, &[])));
            sum.add(counted("conformance", || conformance::run(&binary)));
            sum.add(counted("crash", || crash::run(&binary, None, crash::ROUNDS)));
            sum.add(counted("newcomer", || newcomer::run(&binary)));
        }
        Err(error) => {
            say(&format!("not ok release build: {error}"));
            sum.add(Tally::one_failure());
        }
    }
    say(&format!("all of it took {} min", started.elapsed().as_secs() / 60));
    Ok(sum)
}

/// Every Rust test of the workspace, with PostgreSQL beside SQLite.
fn cargo_test() -> Result<Tally> {
    let postgres = Postgres::start()?;
    let mut command = workspace::cargo(&["test", "--workspace", "--all-targets", "--no-fail-fast"])?;
    command.env("TEST_POSTGRES_URL", postgres.url()).env("INSTA_UPDATE", "no");
    let targets = run::step("cargo test", &mut command, CARGO_TEST_LIMIT)?;
    let mut command = workspace::cargo(&["test", "--workspace", "--doc", "--no-fail-fast"])?;
    let examples = run::step("cargo test --doc", &mut command, CARGO_TEST_LIMIT)?;
    let mut tally = Tally::of_cargo_test(&targets.output).or_failed_for_nothing("cargo test");
    tally.add(Tally::of_cargo_test(&examples.output));
    for finished in [&targets, &examples] {
        if !finished.is_good() {
            finished.show_tail();
            closing::failed_tests(&finished.output).iter().for_each(|failure| say(failure));
            // A test that does not compile or a process that died has no line to be counted.
            tally.failed = tally.failed.max(1);
        }
    }
    say(&format!("  Rust: {} passed, {} failed", tally.passed, tally.failed));
    Ok(tally)
}
