//! A real Keycloak on loopback: started in a state that is always the same, stopped and started again when a test asks for it.
//!
//! Most of a first start is schema and import, so that is done once and its database kept in the cache folder. Every run works on a
//! copy of it, in a folder of its own, which is what lets two clones run at once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::closing::say;
use crate::run::{log_file, read};
use crate::server::free_port;
use crate::wire::{Ask, Connection};
use crate::{Result, cache, setup, workspace};

/// The name and the password of a server that only this machine reaches and that ends with the run.
pub(super) const ADMINISTRATOR: (&str, &str) = ("admin", "admin-dev-password");
/// The realm of `keycloak/portico-realm.json`.
pub(super) const REALM: &str = "portico";
/// The same realm twice more, with sessions that idle out while somebody watches: one issuer is one provider of Portico, and a provider
/// either follows such a session or outlives it.
pub(super) const BRIEF_REALMS: [&str; 2] = ["brief-follow", "brief-outlive"];
/// Short enough to be waited for; long enough for a sign-in by hand of a script on a busy machine.
pub(super) const BRIEF_IDLE_SECS: u64 = 20;
/// The first start makes the schema and Keycloak's own build: 50 s were seen under load.
const FIRST_START_LIMIT: Duration = Duration::from_secs(300);
/// 8 s were seen, and 14 s under load.
const START_LIMIT: Duration = Duration::from_secs(120);
/// 1.6 s were seen.
const STOP_LIMIT: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(50);
/// What Keycloak calls the file of its embedded database.
const DATABASE: &str = "keycloakdb";

/// One Keycloak with its ports and its database; it survives its process.
pub(crate) struct Keycloak {
    place: Place,
    child: Option<Child>,
    _folder: TempDir,
}

/// Where a Keycloak runs.
struct Place {
    home: PathBuf,
    database: PathBuf,
    log: PathBuf,
    port: u16,
    management_port: u16,
    front: Option<Front>,
}

/// A proxy on this machine, and what Keycloak must know to be behind it.
pub(crate) struct Front {
    /// Where people see Keycloak.
    pub(crate) origin: String,
    /// Where the proxy asks it.
    pub(crate) port: u16,
    /// Whom it believes when it sends a notice through the proxy.
    pub(crate) ca: PathBuf,
    /// Names that nobody else resolves, in the form of a hosts file.
    pub(crate) hosts: PathBuf,
}

impl Keycloak {
    /// A Keycloak with the development realm and its brief twins, answering.
    pub(crate) fn start() -> Result<Self> {
        Self::start_behind(None)
    }

    /// The same, known to people by the name of a proxy.
    pub(super) fn start_behind(front: Option<Front>) -> Result<Self> {
        let home = setup::keycloak()?;
        let known = known_state(&home)?;
        let folder = tempfile::Builder::new().prefix("portico-keycloak-").tempdir()?;
        let file = format!("{DATABASE}.mv.db");
        fs::copy(known.join(&file), folder.path().join(&file))?;
        let mut place = Place::fresh(home, folder.path(), if front.is_some() { "keycloak-behind" } else { "keycloak" })?;
        place.port = front.as_ref().map_or(place.port, |front| front.port);
        place.front = front;
        let mut keycloak = Self { place, child: None, _folder: folder };
        keycloak.resume()?;
        Ok(keycloak)
    }

    /// Starts the process again, where it was, on the database as it was left.
    pub(crate) fn resume(&mut self) -> Result<()> {
        let started = Instant::now();
        let child = self.child.insert(self.place.spawn(&[])?);
        self.place.wait_until_ready(child, START_LIMIT)?;
        say(&format!("✓ Keycloak {} answers after {:.1} s", setup::KEYCLOAK_VERSION, started.elapsed().as_secs_f64()));
        Ok(())
    }

    /// Ends the process; nobody listens on its port afterwards.
    pub(crate) fn stop(&mut self) -> Result<()> {
        match self.child.take() {
            Some(child) => end(child),
            None => Ok(()),
        }
    }

    /// Where it listens, with nothing in front.
    pub(crate) fn authority(&self) -> String {
        self.place.authority()
    }

    /// Where people see it.
    pub(crate) fn origin(&self) -> String {
        self.place.origin()
    }

    /// What a script of another language must know about it.
    pub(crate) fn introduce(&self, command: &mut Command) {
        command
            .env("KEYCLOAK_ORIGIN", self.origin())
            .env("KEYCLOAK_INSIDE", format!("http://{}", self.authority()))
            .env("KEYCLOAK_ADMIN", ADMINISTRATOR.0)
            .env("KEYCLOAK_ADMIN_PASSWORD", ADMINISTRATOR.1)
            .env("KEYCLOAK_REALM", REALM)
            .env("KEYCLOAK_BRIEF_IDLE_SECS", BRIEF_IDLE_SECS.to_string());
    }

    /// How the realm names itself in what it signs.
    pub(crate) fn issuer(&self, realm: &str) -> String {
        format!("{}/realms/{realm}", self.origin())
    }

    pub(crate) fn log(&self) -> &Path {
        &self.place.log
    }
}

impl Drop for Keycloak {
    fn drop(&mut self) {
        // A run that ends by a failure still leaves no Java behind; why it failed was already said.
        let _ = self.stop();
    }
}

impl Place {
    fn fresh(home: PathBuf, folder: &Path, log: &str) -> Result<Self> {
        let log = log_file(log)?;
        File::create(&log)?;
        Ok(Self { home, database: folder.join(DATABASE), log, port: free_port()?, management_port: free_port()?, front: None })
    }

    fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn origin(&self) -> String {
        self.front.as_ref().map_or_else(|| format!("http://{}", self.authority()), |front| front.origin.clone())
    }

    /// C1 and the serial collector: two fifths less CPU for a server that lives for minutes.
    fn spawn(&self, more: &[&str]) -> Result<Child> {
        let log = File::options().append(true).create(true).open(&self.log)?;
        let mut command = Command::new(self.home.join("bin/kc.sh"));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("KC_") || name.starts_with("PORTICO_") || name.starts_with("JAVA_OPTS")) {
                command.env_remove(name);
            }
        }
        let resolver = self.front.as_ref().map_or_else(String::new, |front| format!(" -Djdk.net.hosts.file={}", front.hosts.display()));
        // Without --hostname the issuer follows the Host header of whoever asks.
        command
            .arg("start-dev")
            .args(["--http-host=127.0.0.1", &format!("--http-port={}", self.port), &format!("--hostname={}", self.origin())])
            .args([
                "--health-enabled=true",
                "--http-management-host=127.0.0.1",
                &format!("--http-management-port={}", self.management_port),
            ])
            .args(self.front.iter().flat_map(Front::words))
            .args(more)
            .env("KC_BOOTSTRAP_ADMIN_USERNAME", ADMINISTRATOR.0)
            .env("KC_BOOTSTRAP_ADMIN_PASSWORD", ADMINISTRATOR.1)
            .env("KC_DB_URL", format!("jdbc:h2:file:{};NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=0", self.database.display()))
            .env("JAVA_OPTS_KC_HEAP", "-Xms64m -Xmx384m")
            .env("JAVA_OPTS_APPEND", format!("-XX:+UseSerialGC -XX:-UseG1GC -XX:TieredStopAtLevel=1{resolver}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        command.spawn().map_err(|error| format!("could not start Keycloak: {error}").into())
    }

    fn wait_until_ready(&self, child: &mut Child, limit: Duration) -> Result<()> {
        let authority = format!("127.0.0.1:{}", self.management_port);
        let started = Instant::now();
        while started.elapsed() < limit {
            if let Some(status) = child.try_wait()? {
                return Err(format!("Keycloak ended with {status} at its start; see {}", self.log.display()).into());
            }
            let answer = Connection::open(&authority).and_then(|mut connection| connection.send(Ask::get("/health/ready")));
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            thread::sleep(GLANCE);
        }
        Err(format!("Keycloak was not ready within {} s; see {}", limit.as_secs(), self.log.display()).into())
    }
}

impl Front {
    /// As `compose.yaml` sets it, and whom to believe besides.
    fn words(&self) -> [String; 3] {
        [
            "--proxy-headers=xforwarded".to_owned(),
            "--proxy-trusted-addresses=127.0.0.1".to_owned(),
            format!("--truststore-paths={}", self.ca.display()),
        ]
    }
}

/// `kc.sh` hands SIGTERM to its Java and waits for it: ended by anything harder, it would leave Java behind.
fn end(mut child: Child) -> Result<()> {
    read(Command::new("kill").args(["-TERM", &child.id().to_string()]))?;
    let asked = Instant::now();
    while asked.elapsed() < STOP_LIMIT {
        if child.try_wait()?.is_some() {
            return Ok(());
        }
        thread::sleep(GLANCE);
    }
    Err(format!("Keycloak did not stop within {} s of SIGTERM", STOP_LIMIT.as_secs()).into())
}

/// The folder with the database after the first start, made when Keycloak or the realm has changed.
fn known_state(home: &Path) -> Result<PathBuf> {
    let realm = fs::read_to_string(workspace::root().join("keycloak/portico-realm.json"))?;
    let pins = [setup::KEYCLOAK_VERSION, &realm, &BRIEF_REALMS.join(" "), &BRIEF_IDLE_SECS.to_string()];
    cache::part("keycloak-realm", &pins, |folder| {
        let imported = home.join("data/import");
        if imported.exists() {
            fs::remove_dir_all(&imported)?;
        }
        fs::create_dir_all(&imported)?;
        fs::write(imported.join(format!("{REALM}-realm.json")), &realm)?;
        for name in BRIEF_REALMS {
            fs::write(imported.join(format!("{name}-realm.json")), brief_twin(&realm, name)?)?;
        }
        say("… Keycloak's first start: its schema and our realm");
        let place = Place::fresh(home.to_path_buf(), folder, "keycloak-first-start")?;
        let mut child = place.spawn(&["--import-realm"])?;
        let ready = place.wait_until_ready(&mut child, FIRST_START_LIMIT);
        let ended = end(child);
        ready.and(ended)
    })
}

/// The development realm under another name, in which a session ends when it was not used for a moment.
fn brief_twin(realm: &str, name: &str) -> Result<String> {
    let mut twin: Value = serde_json::from_str(&realm.replace("default-roles-portico", &format!("default-roles-{name}")))?;
    let settings = twin.as_object_mut().ok_or("the realm file is not an object")?;
    settings.insert("realm".to_owned(), name.into());
    settings.insert("ssoSessionIdleTimeout".to_owned(), BRIEF_IDLE_SECS.into());
    Ok(serde_json::to_string_pretty(&twin)?)
}
