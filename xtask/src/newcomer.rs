//! `cargo xtask newcomer`: the clock of a person who has just built Portico.
//!
//! From the end of the build to the first signed-in tool call of an official SDK: an empty data directory, no
//! account, no client registered. Issue 3 allows two minutes; the person of this clock needs no time to read.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::closing::{Tally, say};
use crate::server::{House, stopped};
use crate::{Result, e2e, setup};

/// What issue 3 promises.
const PROMISED: Duration = Duration::from_secs(120);
/// Issue 3: start to first answered request, after the build.
const START_PROMISED: Duration = Duration::from_secs(1);
/// A function of OpenSSL that names itself in every program that carries the library.
const OPENSSL: &[u8] = b"inner_ossl_decoder_fetch";

pub(crate) fn run(binary: &Path) -> Result<Tally> {
    let parts = setup::parts()?;
    let carries_openssl = fs::read(binary)?.windows(OPENSSL.len()).any(|bytes| bytes == OPENSSL);
    say(&format!("  {} the program carries one library of cryptography (decision 133)", if carries_openssl { "not ok" } else { "ok" }));
    let started = Instant::now();
    let house = House::build("newcomer", binary, &[])?;
    let portico = house.open()?;
    let mut client = Command::new("node");
    client.args(["tests/e2e/run.mjs", "typescript-sdk-1"]);
    let mut tally = e2e::script("newcomer's first tool call", &mut client, &house, &parts, PROMISED)?;
    let elapsed = started.elapsed();
    say(&format!(
        "  start to first answer {} ms; build's end to the last of an SDK's tool calls {:.1} s",
        portico.ready_after.as_millis(),
        elapsed.as_secs_f64(),
    ));
    tally.add(Tally::of(!carries_openssl));
    tally.add(Tally::of(elapsed < PROMISED));
    tally.add(Tally::of(portico.ready_after < START_PROMISED));
    tally.add(stopped(portico));
    Ok(tally)
}
