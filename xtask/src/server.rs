//! The server under test: `portico up` as a person would start it, in a folder of its own.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::closing::{Tally, say};
use crate::wire::{Ask, Connection};
use crate::{Result, machine, random, run, workspace};

/// Issue 3: start to first answered request under 1 s; ten times that tells a hang from a busy machine.
const START_LIMIT: Duration = Duration::from_secs(10);
/// Requests in flight are finished on Ctrl-C; after this long something is stuck.
const STOP_LIMIT: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(5);
/// Bits enough that nobody guesses the password of a test server while it lives.
const PASSWORD_BYTES: usize = 12;
/// What is asked until it answers: part of the discovery that every client begins with.
const FIRST_DOCUMENT: &str = "/.well-known/oauth-authorization-server";
const READY: &str = "/health/ready";

/// Where one Portico keeps its things and who may sign in; it survives the process.
pub(crate) struct House {
    folder: TempDir,
    binary: PathBuf,
    log: PathBuf,
    pub(crate) authority: String,
    pub(crate) username: &'static str,
    pub(crate) password: String,
    extra: Vec<String>,
    /// The origin that clients see, where a proxy stands in front.
    pub(crate) seen_as: Option<String>,
    /// The browser for it, where it is not the usual one.
    pub(crate) browser: Option<PathBuf>,
    secrets: Vec<(&'static str, String)>,
    core: Option<usize>,
}

impl House {
    /// A new house; `name` names its log, `extra` are further words after `up`.
    pub(crate) fn build(name: &str, binary: &Path, extra: &[&str]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("portico-").tempdir()?;
        let documents = folder.path().join("documents");
        fs::create_dir(&documents)?;
        for entry in fs::read_dir(workspace::root().join("tests/e2e/documents"))? {
            let entry = entry?;
            fs::copy(entry.path(), documents.join(entry.file_name()))?;
        }
        let log = run::log_file(&format!("portico-{name}"))?;
        File::create(&log)?;
        Ok(Self {
            folder,
            binary: binary.to_path_buf(),
            log,
            authority: format!("127.0.0.1:{}", free_port()?),
            username: "alice",
            password: random::secret(PASSWORD_BYTES)?,
            extra: extra.iter().map(|&word| word.to_owned()).collect(),
            seen_as: None,
            browser: None,
            secrets: Vec::new(),
            core: None,
        })
    }

    /// Settings in a file of their own, as an operator gives them.
    pub(crate) fn configure(&mut self, settings: &str) -> Result<()> {
        let file = self.settings();
        fs::write(&file, settings)?;
        self.extra.extend(["--config".to_owned(), file.display().to_string()]);
        Ok(())
    }

    /// Where [`Self::configure`] writes.
    pub(crate) fn settings(&self) -> PathBuf {
        self.folder.path().join("portico.toml")
    }

    /// A secret in the server's environment.
    pub(crate) fn entrust(&mut self, name: &'static str, secret: &str) {
        self.secrets.push((name, secret.to_owned()));
    }

    /// The server will run on this core alone.
    pub(crate) fn pin_to(&mut self, core: usize) {
        self.core = Some(core);
    }

    pub(crate) fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The words with which a command of the operator speaks of this house.
    pub(crate) fn place(&self) -> Vec<String> {
        let mut words = vec!["--data-dir".to_owned(), self.data_folder().display().to_string()];
        words.extend(self.extra.windows(2).filter(|pair| pair[0] == "--config").flatten().cloned());
        words
    }

    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.authority)
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// The command a person types, with everything else of our environment out of its way.
    fn command(&self) -> Result<Command> {
        let log = File::options().append(true).create(true).open(&self.log)?;
        let mut command = match self.core {
            Some(core) => machine::on_core(core, &self.binary),
            None => Command::new(&self.binary),
        };
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PORTICO_")) {
                command.env_remove(name);
            }
        }
        command
            .arg("up")
            .args(["--listen", &self.authority, "--user", self.username])
            .arg("--data-dir")
            .arg(self.data_folder())
            .arg("--documents")
            .arg(self.folder.path().join("documents"))
            .args(&self.extra)
            .env("PORTICO_PASSWORD", &self.password)
            .envs(self.secrets.iter().map(|(name, secret)| (name, secret)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    /// Starts the server and waits for nothing.
    pub(crate) fn launch(&self) -> Result<Portico> {
        let mut command = self.command()?;
        let child = command.spawn().map_err(|error| format!("could not start {}: {error}", self.binary.display()))?;
        Ok(Portico { child, ready_after: Duration::ZERO })
    }

    /// Starts the server and waits for its first answer.
    pub(crate) fn open(&self) -> Result<Portico> {
        let started = Instant::now();
        let mut portico = self.launch()?;
        while started.elapsed() < START_LIMIT {
            if let Some(status) = portico.child.try_wait()? {
                return Err(format!("portico ended with {status} at its start:\n{}", self.log_tail()).into());
            }
            if self.answers() {
                portico.ready_after = started.elapsed();
                return Ok(portico);
            }
            thread::sleep(GLANCE);
        }
        Err(format!("portico gave no answer within {} s:\n{}", START_LIMIT.as_secs(), self.log_tail()).into())
    }

    /// Behind a proxy the server knows another name than this address; its probe knows any.
    fn answers(&self) -> bool {
        let first = if self.seen_as.is_some() { READY } else { FIRST_DOCUMENT };
        let answer = Connection::open(&self.authority).and_then(|mut connection| connection.send(Ask::get(first)));
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// The last lines of the server's log.
    pub(crate) fn log_tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

/// A running server. It ends with this value at the latest.
pub(crate) struct Portico {
    child: Child,
    /// From the start of the process to its first answer.
    pub(crate) ready_after: Duration,
}

impl Portico {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no goodbye, no flush; what was not on disk is gone.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and requests in flight are finished; a server that does not end is a failure.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.end()
    }

    /// Stops it and starts it again: another process on the same data.
    pub(crate) fn restart(&mut self, house: &House) -> Result<()> {
        self.end()?;
        *self = house.open()?;
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        run::read(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        let asked = Instant::now();
        while asked.elapsed() < STOP_LIMIT {
            if let Some(status) = self.child.try_wait()? {
                return if status.success() { Ok(()) } else { Err(format!("portico stopped with {status}").into()) };
            }
            thread::sleep(GLANCE);
        }
        Err(format!("portico did not stop within {} s of SIGTERM", STOP_LIMIT.as_secs()).into())
    }
}

/// Stops a server that has done its work; that it ends when asked is a test of its own.
pub(crate) fn stopped(portico: Portico) -> Tally {
    let outcome = portico.stop();
    match &outcome {
        Ok(()) => say("  ok the server stops when asked"),
        Err(error) => say(&format!("  not ok the server stops when asked: {error}")),
    }
    Tally::of(outcome.is_ok())
}

impl Drop for Portico {
    fn drop(&mut self) {
        // Already ended after `kill` and `stop`: then both calls fail, and nothing is left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
