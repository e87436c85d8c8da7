//! Where the time of a hot request goes: samples of the whole server while a load runs, summed by what the code is for.
//!
//! Needs `perf` (Debian: linux-perf) and a binary with its symbols, which only this builds: `cargo xtask bench --profile`.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::run::{find_program, must, read};
use crate::{Result, workspace};

use super::BUILD_LIMIT;

/// Samples a second: a thousand would beat with the kernel's own tick.
const SAMPLES_PER_SECOND: &str = "997";
/// What is smaller than this does not get a row.
const SHARE_MIN: f64 = 0.5;

/// First match wins: a piece of a symbol's or an object's name, and what it is for.
const PURPOSES: [(&str, &str); 34] = [
    ("[kernel", "kernel: sockets, files, scheduling"),
    ("[k]", "kernel: sockets, files, scheduling"),
    ("ecp_nistz256", "signature: P-256"),
    ("p256", "signature: P-256"),
    ("ec_", "signature: P-256"),
    ("ecdsa", "signature: P-256"),
    ("bn_", "signature: P-256"),
    ("beeu", "signature: P-256"),
    ("aws_lc", "other cryptography: hashes, MACs, sealing"),
    ("sha256", "other cryptography: hashes, MACs, sealing"),
    ("aes", "other cryptography: hashes, MACs, sealing"),
    ("gcm", "other cryptography: hashes, MACs, sealing"),
    ("sqlite3", "SQLite"),
    ("pcache", "SQLite"),
    ("btree", "SQLite"),
    ("vdbe", "SQLite"),
    ("sqlx", "sqlx"),
    ("oxide_auth", "oxide-auth"),
    ("auth_server", "Portico"),
    ("mcp_server", "Portico"),
    ("bearer_guard", "Portico"),
    ("oauth_types", "Portico"),
    ("portico", "Portico"),
    ("rmcp", "rmcp"),
    ("serde", "JSON"),
    ("ryu", "JSON"),
    ("actix", "HTTP: actix-web"),
    ("httparse", "HTTP: actix-web"),
    ("http::", "HTTP: actix-web"),
    ("tokio", "tokio: tasks, channels, wake-ups"),
    ("mio", "tokio: tasks, channels, wake-ups"),
    ("tracing", "logs"),
    ("malloc", "memory: allocation and copies"),
    ("mem", "memory: allocation and copies"),
];
const REST: &str = "everything else";

/// The `dist` binary with its symbols.
pub(super) fn binary_with_symbols() -> Result<PathBuf> {
    if find_program("perf").is_none() {
        return Err("perf is missing (Debian: apt-get install linux-perf)".into());
    }
    let words = ["rustc", "--profile", "dist", "--package", "portico", "--bin", "portico", "--", "-C", "strip=none"];
    must("cargo build --profile dist, with symbols", &mut workspace::cargo(&words)?, BUILD_LIMIT)?;
    Ok(workspace::target_folder()?.join("dist/portico"))
}

/// Samples of one process, until told to stop.
pub(super) struct Sampling {
    perf: Child,
    folder: tempfile::TempDir,
}

impl Sampling {
    pub(super) fn start(pid: u32) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let perf = Command::new("perf")
            .args(["record", "--event", "cpu-clock", "--freq", SAMPLES_PER_SECOND, "--pid", &pid.to_string(), "--output"])
            .arg(folder.path().join("samples"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { perf, folder })
    }

    /// Shares of the samples by purpose, largest first, in percent.
    pub(super) fn stop(mut self) -> Result<Vec<(&'static str, f64)>> {
        // perf writes its file when it is asked to end, and only then.
        read(Command::new("kill").args(["-INT", &self.perf.id().to_string()]))?;
        self.perf.wait()?;
        let mut report = Command::new("perf");
        report.args(["report", "--stdio", "--no-children", "--sort", "dso,sym", "--percent-limit", "0.02", "--input"]);
        Ok(by_purpose(&read(report.arg(self.folder.path().join("samples")))?))
    }
}

fn by_purpose(report: &str) -> Vec<(&'static str, f64)> {
    let mut sums: Vec<(&'static str, f64)> = Vec::new();
    for line in report.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let Some((share, name)) = line.split_once('%') else { continue };
        let Ok(share) = share.trim().parse::<f64>() else { continue };
        let purpose = PURPOSES.iter().find(|(piece, _)| name.contains(piece)).map_or(REST, |(_, purpose)| purpose);
        match sums.iter_mut().find(|(known, _)| *known == purpose) {
            Some((_, sum)) => *sum += share,
            None => sums.push((purpose, share)),
        }
    }
    sums.retain(|(_, share)| *share >= SHARE_MIN);
    sums.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    sums
}

#[cfg(test)]
mod tests {
    use super::by_purpose;

    #[test]
    fn samples_are_summed_by_what_the_code_is_for() {
        let report = "# Overhead  Object\n\n    40.00%  portico  [.] ecp_nistz256_mul_mont\n    30.00%  [kernel.kallsyms]  [k] do_fsync\n\
                      \x20   20.00%  portico  [.] sqlite3VdbeExec\n     9.60%  [kernel.kallsyms]  [k] tcp_sendmsg\n     0.10%  portico  [.] x\n";
        let sums = by_purpose(report);
        assert_eq!(
            sums.iter().map(|(purpose, _)| *purpose).collect::<Vec<_>>(),
            ["signature: P-256", "kernel: sockets, files, scheduling", "SQLite",]
        );
        assert!((sums[1].1 - 39.6).abs() < 1e-9);
    }
}
