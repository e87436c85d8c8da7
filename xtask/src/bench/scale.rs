//! What a large file costs: the start, and a refresh among a million grants.
//!
//! The same load twice, among ten thousand grants and among a million. The grants that are refreshed are real ones;
//! the others are copies born in the same span of time, so that the real ones lie scattered among them.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use crate::closing::say;
use crate::server::House;
use crate::visitor::{App, KNOWN_REDIRECT, Person};
use crate::wire::{Ask, Connection, form};
use crate::{Result, run};

use super::Bench;
use super::figures::{Figures, Grant, Load, drive, signature_ns};
use super::prepare;
use super::table::{Fact, Report, Row};

/// Issue 3: one client for ten grants.
const GRANTS_PER_CLIENT: u64 = 10;
const FEW_GRANTS: u64 = 10_000;
/// Real grants under load: so many that their rows do not all stay in the database's own cache.
const REAL_APPS: usize = 64;
const REAL_GRANTS_PER_APP: usize = 48;
const SEED_LIMIT: Duration = Duration::from_secs(600);
/// Issue 3.
const START_MAX: Duration = Duration::from_millis(80);
const RATIO_MAX: f64 = 1.35;
const STARTS: usize = 3;
const START_LIMIT: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_micros(500);

/// What one size of the file showed.
struct Sized {
    figures: Figures,
    signature_ns: f64,
    start: Duration,
}

pub(super) fn measure(bench: &Bench, grants: u64, report: &mut Report) -> Result<()> {
    let few = at_size(bench, FEW_GRANTS)?;
    let many = at_size(bench, grants)?;
    let ratio = (many.figures.cpu_us() / many.signature_ns) / (few.figures.cpu_us() / few.signature_ns);
    report.facts.push(Fact {
        name: format!("start to first token, {} clients and {grants} grants in the file", grants / GRANTS_PER_CLIENT),
        value: format!("{} ms (best of {STARTS})", many.start.as_millis()),
        promised: format!("≤ {} ms", START_MAX.as_millis()),
        is_kept: many.start <= START_MAX,
    });
    report.facts.push(Fact {
        name: format!("refresh among {grants} grants beside {FEW_GRANTS}"),
        value: format!("{ratio:.2} times ({:.1} and {:.1} µs)", many.figures.cpu_us(), few.figures.cpu_us()),
        promised: format!("≤ {RATIO_MAX} times"),
        is_kept: ratio <= RATIO_MAX,
    });
    for (name, sized) in
        [(format!("refresh, 16 connections, {FEW_GRANTS} grants"), few), (format!("refresh, 16 connections, {grants} grants"), many)]
    {
        report.rows.push(Row { name, target: 5.5, figures: sized.figures, signature_ns: sized.signature_ns, floor_us: f64::NAN });
    }
    Ok(())
}

fn at_size(bench: &Bench, grants: u64) -> Result<Sized> {
    let house = bench.house("bench-scale")?;
    let portico = house.open()?;
    let began = now_ms()?;
    let mut real = real_grants(&house)?;
    let ended = now_ms()?;
    portico.stop()?;
    let mut seed = Command::new("python3");
    seed.args(["-c", include_str!("seed.py")])
        .arg(house.data_folder())
        .args([grants / GRANTS_PER_CLIENT, grants].map(|number| number.to_string()))
        .args([began.to_string(), ended.to_string()]);
    let kept = run::must(&format!("seeding {grants} grants"), &mut seed, SEED_LIMIT)?;
    say(&format!("  clients and grants in the file: {}", kept.trim()));
    let mut start = Duration::MAX;
    for _ in 0..STARTS {
        start = start.min(start_to_token(&house, &mut real)?);
    }
    let portico = house.open()?;
    let load = Load {
        authority: &house.authority,
        pid: portico.pid(),
        connections: 16,
        keep_tokens: 0,
        work: json!({ "refresh": { "grants": real } }),
    };
    let figures = drive(bench, &load)?;
    portico.stop()?;
    say(&format!("  refresh among {grants} grants: {:.1} µs; start to first token {} ms", figures.cpu_us(), start.as_millis()));
    Ok(Sized { figures, signature_ns: signature_ns(bench)?, start })
}

fn real_grants(house: &House) -> Result<Vec<Grant>> {
    let mut connection = Connection::open(&house.authority)?;
    let mut grants = Vec::new();
    for number in 0..REAL_APPS {
        let mut person = Person::new(house.username, &house.password);
        let app = App::register_for(&mut connection, &format!("Bench {number}"), KNOWN_REDIRECT)?;
        for _ in 0..REAL_GRANTS_PER_APP {
            prepare::grant(&mut connection, &mut person, &app, &mut grants)?;
        }
    }
    Ok(grants)
}

/// From the start of the process to the first refreshed token in somebody's hand.
fn start_to_token(house: &House, grants: &mut [Grant]) -> Result<Duration> {
    let grant = grants.first_mut().ok_or("there is no grant to refresh")?;
    let started = Instant::now();
    let portico = house.launch()?;
    while started.elapsed() < START_LIMIT {
        let Ok(mut connection) = Connection::open(&house.authority) else {
            thread::sleep(GLANCE);
            continue;
        };
        let body = form(&[("grant_type", "refresh_token"), ("refresh_token", &grant.refresh_token), ("client_id", &grant.client_id)]);
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = connection.send(Ask { method: "POST", target: "/token", headers: &headers, body: body.as_bytes() })?;
        let elapsed = started.elapsed();
        if answer.status != 200 {
            return Err(format!("the first refresh after the start: {} {}", answer.status, answer.text()).into());
        }
        grant.refresh_token = answer.json()?["refresh_token"].as_str().ok_or("no refresh token")?.to_owned();
        portico.stop()?;
        return Ok(elapsed);
    }
    Err(format!("no token within {} s of the start", START_LIMIT.as_secs()).into())
}

#[expect(clippy::disallowed_methods, reason = "grants are born by the real clock")]
fn now_ms() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis())?)
}
