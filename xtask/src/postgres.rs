//! A PostgreSQL of our own for the store's conformance suite: a temporary folder, a free port, gone afterwards.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::run::{log_file, must, read, succeeds};
use crate::setup::is_root;
use crate::{Result, server, setup};

const INITDB_LIMIT: Duration = Duration::from_secs(120);
const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(50);
/// The account that Debian's package makes: PostgreSQL refuses to run as root.
const ACCOUNT: &str = "postgres";

/// A running server; it ends with this value.
pub(crate) struct Postgres {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Postgres {
    pub(crate) fn start() -> Result<Self> {
        let programs = setup::postgres_folder().ok_or("PostgreSQL is missing: run `cargo xtask setup`")?;
        let folder = tempfile::Builder::new().prefix("portico-pg-").tempdir()?;
        if is_root() {
            read(Command::new("chown").arg(ACCOUNT).arg(folder.path()))?;
        }
        let data = folder.path().join("data");
        let mut initdb = as_account(&programs.join("initdb"));
        initdb.arg("--pgdata").arg(&data).args([
            "--username",
            ACCOUNT,
            "--auth",
            "trust",
            "--no-sync",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
        ]);
        must("PostgreSQL data folder", initdb.current_dir(folder.path()), INITDB_LIMIT)?;
        let port = server::free_port()?;
        let log = File::create(log_file("postgres")?)?;
        let child = as_account(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            // The suite asks whether both databases mean the same, not whether PostgreSQL survives a power cut.
            .args(["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let postgres = Self { child, port, _folder: folder };
        postgres.wait_until_ready(&programs)?;
        Ok(postgres)
    }

    /// What `TEST_POSTGRES_URL` must say.
    pub(crate) fn url(&self) -> String {
        format!("postgres://{ACCOUNT}@127.0.0.1:{}/postgres", self.port)
    }

    fn wait_until_ready(&self, programs: &Path) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            let mut probe = Command::new(programs.join("pg_isready"));
            if succeeds(probe.args(["--host", "127.0.0.1", "--port", &self.port.to_string()])) {
                return Ok(());
            }
            thread::sleep(GLANCE);
        }
        Err(format!("PostgreSQL was not ready within {} s", START_LIMIT.as_secs()).into())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown; its child processes end with it, which SIGKILL does not promise.
        let _ = read(Command::new("kill").args(["-INT", &self.child.id().to_string()]));
        let asked = Instant::now();
        while asked.elapsed() < STOP_LIMIT {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(GLANCE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `setpriv` replaces itself by the program, so the child's id stays the server's.
fn as_account(program: &PathBuf) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups", "--"]).arg(program);
    command
}
