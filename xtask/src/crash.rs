//! `cargo xtask crash`: the release binary is killed under load, started again, and asked what it remembers.
//!
//! SIGKILL leaves no time to flush: what the server had answered must have been on disk. Each round drives
//! registrations, authorizations, redemptions and refreshes over HTTP, kills the server at a random moment, and
//! holds the next start to every acknowledgement. The data directory stays the same through all rounds.

mod ledger;
mod verdict;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::closing::{Tally, say};
use crate::random::{self, Sequence};
use crate::server::House;
use crate::{Result, setup};
use ledger::Ledger;
use verdict::Verdict;

/// How often the server is killed in a usual run.
pub(crate) const ROUNDS: u32 = 6;
/// Clients at work at once: enough to fill the groups of the store's writer.
const WORKERS: u64 = 8;
/// The load has begun when so many things were acknowledged; the random moment is counted from there.
const WARM_ACKNOWLEDGEMENTS: u64 = 2 * WORKERS;
const WARM_LIMIT: Duration = Duration::from_secs(30);
const KILL_AFTER_MS: (u64, u64) = (100, 1500);

pub(crate) fn run(binary: &Path, seed: Option<u64>, rounds: u32) -> Result<Tally> {
    setup::system()?;
    let seed = match seed {
        Some(seed) => seed,
        None => random::seed()?,
    };
    say(&format!("… crash test, {rounds} rounds, --seed {seed}"));
    let mut sequence = Sequence::from_seed(seed);
    let house = House::build("crash", binary, &[])?;
    let mut tally = Tally::default();
    let mut survivors = Ledger::default();
    for round in 1..=rounds {
        let (ledger, killed_after) = load_and_kill(&house, &mut sequence)?;
        let portico = house.open()?;
        say(&format!(
            "  round {round}: killed after {} ms; acknowledged {}; up again in {} ms",
            killed_after.as_millis(),
            ledger.summary(),
            portico.ready_after.as_millis(),
        ));
        let verdict = Verdict::of_round(&house, ledger, &mut survivors)?;
        tally.add(verdict.report(&format!("crash round {round}")));
        portico.stop()?;
    }
    let portico = house.open()?;
    let verdict = Verdict::of_survivors(&house, &survivors)?;
    tally.add(verdict.report("crash, everything of all rounds"));
    portico.stop()?;
    Ok(tally)
}

/// One round of load, ended by SIGKILL: what was acknowledged, and when the server was killed.
fn load_and_kill(house: &House, sequence: &mut Sequence) -> Result<(Ledger, Duration)> {
    let portico = house.open()?;
    let acknowledged = &AtomicU64::new(0);
    let delay = Duration::from_millis(KILL_AFTER_MS.0 + sequence.below(KILL_AFTER_MS.1 - KILL_AFTER_MS.0));
    let seeds: Vec<u64> = (0..WORKERS).map(|_| sequence.next()).collect();
    thread::scope(|scope| {
        let workers: Vec<_> =
            seeds.iter().map(|&seed| scope.spawn(move || ledger::work(house, Sequence::from_seed(seed), acknowledged))).collect();
        let started = Instant::now();
        while acknowledged.load(Ordering::Relaxed) < WARM_ACKNOWLEDGEMENTS && started.elapsed() < WARM_LIMIT {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(delay);
        let killed_after = started.elapsed();
        portico.kill()?;
        let mut ledger = Ledger::default();
        for worker in workers {
            ledger.absorb(worker.join().map_err(|_| "a worker of the crash test panicked")??);
        }
        if ledger.is_thin() {
            return Err(format!("too little was acknowledged to judge by: {}", ledger.summary()).into());
        }
        Ok((ledger, killed_after))
    })
}
