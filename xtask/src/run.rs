//! Long commands: one line of progress, their output in a log file, its end shown only when they fail.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::closing::say;
use crate::{Result, cache};

/// How often a long step says that it is still alive.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// How often a running child is looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// As much of a failed step's log as a person reads.
const TAIL_LINES: usize = 80;

/// How a step ended and what it said.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    log: PathBuf,
}

impl Finished {
    pub(crate) fn is_good(&self) -> bool {
        self.status.success()
    }

    /// The end of the log, for a person who has to find out why.
    pub(crate) fn show_tail(&self) {
        say(&format!("--- the end of {} ---", self.log.display()));
        let lines: Vec<&str> = self.output.lines().collect();
        for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
            say(line);
        }
        say("---");
    }
}

/// Runs `command` to its end, with standard output and error in one log file named after the step.
pub(crate) fn step(name: &str, command: &mut Command, limit: Duration) -> Result<Finished> {
    let log = log_file(name)?;
    let file = File::create(&log)?;
    let started = Instant::now();
    say(&format!("… {name}"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .map_err(|error| format!("could not start {}: {error}", command.get_program().display()))?;
    let mut next_beat = HEARTBEAT;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let elapsed = started.elapsed();
        if elapsed > limit {
            child.kill()?;
            say(&format!("  {name} was ended after {} s: it may take at most {} s", elapsed.as_secs(), limit.as_secs()));
            break child.wait()?;
        }
        if elapsed > next_beat {
            say(&format!("  {name} is still running, {} s", elapsed.as_secs()));
            next_beat += HEARTBEAT;
        }
        thread::sleep(GLANCE);
    };
    let mark = if status.success() { '✓' } else { '✗' };
    say(&format!("{mark} {name}, {:.1} s", started.elapsed().as_secs_f64()));
    let output = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    Ok(Finished { status, output, log })
}

/// Like [`step`], for what must succeed before anything else makes sense.
pub(crate) fn must(name: &str, command: &mut Command, limit: Duration) -> Result<String> {
    let finished = step(name, command, limit)?;
    if finished.is_good() {
        return Ok(finished.output);
    }
    finished.show_tail();
    Err(format!("{name} failed").into())
}

/// What a short command prints; it must succeed.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {}", command.get_program().display(), complaint.trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether a short command succeeds; what it says is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Where the step of this name writes.
pub(crate) fn log_file(name: &str) -> Result<PathBuf> {
    let file = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect::<String>();
    Ok(cache::subfolder("logs")?.join(Path::new(&file).with_extension("log")))
}

/// The first program of this name in the search path.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}
