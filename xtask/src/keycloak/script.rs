//! The conversation with `tests/keycloak/run.mjs`: it prints a line for each rule, and asks for what a script cannot do.
//!
//! `do WORD…` on its standard output is a request; the answer is one line on its standard input: `done`, or `failed: why`.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::server::Keycloak;
use crate::closing::{Tally, say};
use crate::run::log_file;
use crate::server::{House, Portico};
use crate::setup::Parts;
use crate::{Result, workspace};

/// Two dozen sign-ins, and waits for what only time ends.
const LIMIT: Duration = Duration::from_secs(1200);

/// Runs the rules of `tests/keycloak` and counts them.
pub(super) fn run(
    keycloak: &mut Keycloak,
    house: &House,
    portico: &mut Option<Portico>,
    parts: &Parts,
    rules: &[&String],
) -> Result<Tally> {
    say("… people, clients and Keycloak");
    let log = log_file("keycloak-suite")?;
    let mut transcript = File::create(&log)?;
    let mut child = command(keycloak, house, parts, &transcript)?.args(rules).spawn()?;
    let mut answers = child.stdin.take().ok_or("the script has no standard input")?;
    let lines = lines_of(&mut child)?;
    let started = Instant::now();
    let mut tally = Tally::default();
    loop {
        let left = LIMIT.saturating_sub(started.elapsed());
        let line = match lines.recv_timeout(left) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                say(&format!("  not ok the rules of tests/keycloak end within {} s", LIMIT.as_secs()));
                tally.add(Tally::one_failure());
                break;
            }
        };
        writeln!(transcript, "{line}")?;
        if let Some(words) = line.strip_prefix("do ") {
            let outcome = errand(words, keycloak, house, portico);
            let answer = outcome.map_or_else(|error| format!("failed: {error}").replace('\n', " "), |()| "done".to_owned());
            // A script that has died in the meantime is seen by its end.
            let _ = writeln!(answers, "{answer}");
        } else if line.starts_with("ok ") || line.starts_with("not ok ") {
            say(&format!("  {line}"));
            tally.add(Tally::of(line.starts_with("ok ")));
        }
    }
    let status = child.wait()?;
    let is_good = status.success() && tally.failed == 0;
    say(&format!("{} people, clients and Keycloak, {:.1} s", if is_good { '✓' } else { '✗' }, started.elapsed().as_secs_f64()));
    if !is_good {
        say(&format!("--- {} says more; the end of the server's log ({}) ---\n{}", log.display(), house.log().display(), house.log_tail()));
        // A script that broke down after its last line must not count as passed.
        tally.failed = tally.failed.max(1);
    }
    Ok(tally.or_failed_for_nothing("tests/keycloak"))
}

fn command(keycloak: &Keycloak, house: &House, parts: &Parts, transcript: &File) -> Result<Command> {
    let mut command = Command::new("node");
    command
        .arg("tests/keycloak/run.mjs")
        .current_dir(workspace::root())
        .env("PORTICO_ORIGIN", house.origin())
        .env("PORTICO_CHROMIUM", &parts.chromium)
        .env("PORTICO_LOG", house.log())
        .env("PORTICO_BINARY", house.binary())
        .env("PORTICO_SETTINGS", house.settings())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(transcript.try_clone()?);
    keycloak.introduce(&mut command);
    Ok(command)
}

/// Its lines, read beside us so that a silent script can be ended.
fn lines_of(child: &mut Child) -> Result<mpsc::Receiver<String>> {
    let output = BufReader::new(child.stdout.take().ok_or("the script has no standard output")?);
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in output.lines().map_while(std::result::Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Ok(lines)
}

fn errand(words: &str, keycloak: &mut Keycloak, house: &House, portico: &mut Option<Portico>) -> Result<()> {
    match words {
        "keycloak stop" => keycloak.stop(),
        "keycloak start" => keycloak.resume(),
        "portico restart" => {
            if let Some(running) = portico.take() {
                running.stop()?;
            }
            *portico = Some(house.open()?);
            Ok(())
        }
        other => Err(format!("nobody knows how to do `{other}`").into()),
    }
}
