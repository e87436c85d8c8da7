//! Runs the driver and the floor, and reads what they found.

use std::io::Write;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Bench;
use crate::{Result, machine, run};

/// What the driver says of one load.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Figures {
    pub(super) operations: u64,
    pub(super) failures: u64,
    pub(super) first_failure: Option<String>,
    pub(super) server_cpu_ns: u64,
    pub(super) driver_cpu_ns: u64,
    pub(super) wall_ns: u64,
    pub(super) p50_us: u32,
    pub(super) p99_us: u32,
    pub(super) request_bytes: u64,
    pub(super) answer_bytes: u64,
    pub(super) tokens: Vec<String>,
    pub(super) grants: Vec<Grant>,
}

/// A grant as the driver takes it and gives it back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) refresh_token: String,
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
impl Figures {
    pub(super) fn cpu_us(&self) -> f64 {
        self.server_cpu_ns as f64 / 1000.0 / self.operations.max(1) as f64
    }

    pub(super) fn per_second(&self) -> f64 {
        self.operations as f64 * 1e9 / self.wall_ns.max(1) as f64
    }

    /// How busy the driver's core was: near 1 the driver, not the server, set the pace.
    pub(super) fn driver_share(&self) -> f64 {
        self.driver_cpu_ns as f64 / self.wall_ns.max(1) as f64
    }
}

/// Where a load goes and how wide it is.
pub(super) struct Load<'a> {
    pub(super) authority: &'a str,
    pub(super) pid: u32,
    pub(super) connections: usize,
    pub(super) keep_tokens: usize,
    pub(super) work: Value,
}

/// Runs one load on the driver's core; a load with failures is no measurement.
pub(super) fn drive(bench: &Bench, load: &Load<'_>) -> Result<Figures> {
    let measured = u64::try_from(bench.measured.as_millis())?;
    let job = json!({
        "authority": load.authority,
        "pid": load.pid,
        "connections": load.connections,
        "warm_up_ms": measured / 4,
        "measured_ms": measured,
        "keep_tokens": load.keep_tokens,
        "work": load.work,
    });
    let mut child = machine::on_core(bench.driver_core, &bench.driver).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut pipe = child.stdin.take().ok_or("the driver has no input")?;
    pipe.write_all(job.to_string().as_bytes())?;
    drop(pipe);
    let output = child.wait_with_output()?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    if let Some(error) = answer["error"].as_str() {
        return Err(format!("the driver gave up: {error}").into());
    }
    let figures: Figures = serde_json::from_value(answer)?;
    if figures.failures > 0 || figures.operations == 0 {
        let first = figures.first_failure.as_deref().unwrap_or("nothing was answered");
        return Err(format!("{} of {} failed: {first}", figures.failures, figures.failures + figures.operations).into());
    }
    Ok(figures)
}

/// The nanoseconds of one ES256 signature on the server's core, now.
pub(super) fn signature_ns(bench: &Bench) -> Result<f64> {
    let mut command: Command = machine::on_core(bench.server_core, &bench.floor);
    Ok(run::read(command.arg("sign"))?.trim().parse()?)
}
