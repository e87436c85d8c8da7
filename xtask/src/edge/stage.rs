//! The stage at the edge: names, certificates, folders, and the two programs.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::closing::{Tally, say};
use crate::keycloak::Front;
use crate::server::{House, free_port};
use crate::wire::{Ask, Connection};
use crate::{Result, run, workspace};

/// The name that clients see; nobody resolves it, so every client of the suite is told where it is.
const HOST: &str = "mcp.portico.test";
/// The name at which an identity provider would stand.
const ID_HOST: &str = "id.portico.test";
/// Traefik answers its ping after a quarter of a second; a busy machine may take long.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The shipped configuration lets requests in flight finish within 20 s; none is in flight then.
const STOP_LIMIT: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(20);
/// What of the shipped static configuration belongs to a container, and is replaced here. Each must be found.
const ADDRESSES: [&str; 4] = ["address: \":80\"", "address: \":443\"", "address: \"127.0.0.1:8082\"", "/etc/traefik/dynamic"];

/// Where everything is.
pub(super) struct Stage {
    pub(super) house: House,
    folder: TempDir,
    binary: PathBuf,
    traefik: PathBuf,
    chromium: PathBuf,
    ports: Ports,
    host: &'static str,
    /// What the logs of both programs are called.
    logs: String,
}

/// Free ports, chosen before anything listens on them.
#[derive(Clone, Copy)]
struct Ports {
    clear: u16,
    secure: u16,
    ping: u16,
    recorder: u16,
    everything: u16,
    keycloak: u16,
    open: u16,
}

impl Ports {
    fn choose() -> Result<Self> {
        Ok(Self {
            clear: free_port()?,
            secure: free_port()?,
            ping: free_port()?,
            recorder: free_port()?,
            everything: free_port()?,
            keycloak: free_port()?,
            open: free_port()?,
        })
    }
}

impl Stage {
    /// Certificates, configuration and a house that believes to be at the edge's name.
    pub(super) fn set(name: &str, binary: &Path, traefik: &Path, chromium: &Path) -> Result<Self> {
        Self::set_at(HOST, name, binary, traefik, chromium)
    }

    fn set_at(host: &'static str, name: &str, binary: &Path, traefik: &Path, chromium: &Path) -> Result<Self> {
        let logs = format!("{name}-{host}");
        let folder = tempfile::Builder::new().prefix("portico-edge-").tempdir()?;
        let ports = Ports::choose()?;
        let mut house = House::build(&logs, binary, &[])?;
        let origin = format!("https://{host}:{}", ports.secure);
        house.configure(&format!("[server]\npublic_url = \"{origin}\"\ntrusted_proxies = [\"127.0.0.1\"]\n"))?;
        house.seen_as = Some(origin);
        let routes = folder.path().join("dynamic");
        fs::create_dir(&routes)?;
        for entry in fs::read_dir(workspace::root().join("traefik/dynamic"))? {
            let entry = entry?;
            fs::copy(entry.path(), routes.join(entry.file_name()))?;
        }
        let stage = Self {
            house,
            folder,
            binary: binary.to_path_buf(),
            traefik: traefik.to_path_buf(),
            chromium: chromium.to_path_buf(),
            ports,
            host,
            logs,
        };
        run::read(stage.portico(&["dev-ca", host, ID_HOST]).arg("--out").arg(stage.path("tls")))?;
        stage.write_static()?;
        stage.write_browser()?;
        Ok(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn origin(&self) -> String {
        format!("https://{}:{}", self.host, self.ports.secure)
    }

    /// The stage as Keycloak sees it: at a host of its own, behind the same proxy.
    pub(super) fn front(&self) -> Result<Front> {
        let hosts = self.path("hosts");
        let ours = fs::read_to_string("/etc/hosts").unwrap_or_default();
        fs::write(&hosts, format!("{ours}\n127.0.0.1 localhost {} {ID_HOST}\n", self.host))?;
        let origin = format!("https://{ID_HOST}:{}", self.ports.secure);
        Ok(Front { origin, port: self.ports.keycloak, ca: self.path("tls/ca.pem"), hosts })
    }

    /// More settings for the house, behind those that it has.
    pub(super) fn settle(&self, more: &str) -> Result<()> {
        let file = self.house.settings();
        let had = fs::read_to_string(&file)?;
        fs::write(&file, format!("{had}\n{more}"))?;
        Ok(())
    }

    /// The operator's command, about this house.
    fn portico(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words).current_dir(self.folder.path());
        command
    }

    /// `portico service`, about this house.
    fn service(&self, words: &[&str]) -> Command {
        let mut command = self.portico(&["service"]);
        command.args(words).args(self.house.place()).arg("--routes").arg(self.path("dynamic"));
        command
    }

    /// The services of the suite, put there as an operator does.
    pub(super) fn commands(&mut self) -> Result<Tally> {
        let (recorder, everything) =
            (format!("http://127.0.0.1:{}", self.ports.recorder), format!("http://127.0.0.1:{}", self.ports.everything));
        let said = run::read(&mut self.service(&["add", "recorder", &recorder, "--scope", "recorder:use", "--scope", "recorder:more"]))?;
        let mut tally = told("service add prints the URL for clients", said.trim() == format!("{}/recorder/mcp", self.origin()));
        run::read(&mut self.service(&["add", "everything", &everything, "--scope", "everything:use"]))?;
        let listed = run::read(&mut self.service(&["list"]))?;
        tally.add(told("service list shows both, routed", listed.lines().filter(|line| line.ends_with("\trouted")).count() == 2));
        let taken = !run::succeeds(&mut self.service(&["add", "mcp", &recorder, "--scope", "x"]));
        tally.add(told("service add refuses a path of Portico", taken));
        Ok(tally)
    }

    /// The shipped file with this machine's addresses, and Traefik's own account of what is in force.
    fn write_static(&self) -> Result<()> {
        let mut text = fs::read_to_string(workspace::root().join("traefik/traefik.yaml"))?;
        let here = [
            format!("address: \"127.0.0.1:{}\"", self.ports.clear),
            format!("address: \"127.0.0.1:{}\"", self.ports.secure),
            format!("address: \"127.0.0.1:{}\"", self.ports.ping),
            self.path("dynamic").display().to_string(),
        ];
        for (shipped, here) in ADDRESSES.iter().zip(&here) {
            if text.matches(shipped).count() != 1 {
                return Err(format!("traefik/traefik.yaml does not have {shipped} once: tell xtask/src/edge/stage.rs").into());
            }
            text = text.replace(shipped, here);
        }
        let storage = "/var/lib/traefik/acme.json";
        text = text.replace(storage, &self.path("acme.json").display().to_string());
        // A door without our hardening, to see what /verify does by itself; its routers are written by the suite.
        let open =
            format!("entryPoints:\n  open:\n    address: \"127.0.0.1:{}\"\n    forwardedHeaders: {{ insecure: true }}\n", self.ports.open);
        text = text.replace("entryPoints:\n", &open);
        // `api.insecure` answers at the entry point named traefik, which is loopback alone.
        text += "\napi:\n  insecure: true\n  dashboard: false\n";
        fs::write(self.path("traefik.yaml"), text)?;
        Ok(())
    }

    /// Chromium has its own resolver and its own roots: it is told the name, and believes the key of this one certificate.
    fn write_browser(&self) -> Result<()> {
        let digest = spki_digest(&self.path("tls/leaf.pem"))?;
        let chromium = self.chromium.display();
        let text = format!(
            "#!/bin/sh\nexec '{chromium}' --host-resolver-rules='MAP *.portico.test 127.0.0.1' \
             --ignore-certificate-errors-spki-list={digest} \"$@\"\n"
        );
        let file = self.path("chromium");
        fs::write(&file, text)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// Starts Traefik and waits until it answers.
    pub(super) fn open_proxy(&self) -> Result<Proxy> {
        let log = run::log_file(&format!("traefik-{}", self.logs))?;
        let file = File::create(&log)?;
        let inside = self.house.origin();
        let child = Command::new(&self.traefik)
            .arg(format!("--configFile={}", self.path("traefik.yaml").display()))
            .env_clear()
            .env("PORTICO_HOST", self.host)
            .env("PORTICO_TLS", "files")
            .env("PORTICO_TLS_DIR", self.path("tls"))
            .env("PORTICO_INSIDE", &inside)
            .env("PORTICO_MCP_INSIDE", &inside)
            .env("PORTICO_ID_HOST", ID_HOST)
            .env("PORTICO_ID_INSIDE", format!("http://127.0.0.1:{}", self.ports.keycloak))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        let mut proxy = Proxy { child, log };
        let ping = format!("127.0.0.1:{}", self.ports.ping);
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if let Some(status) = proxy.child.try_wait()? {
                return Err(format!("Traefik ended with {status} at its start:\n{}", proxy.log_text()).into());
            }
            let answer = Connection::open(&ping).and_then(|mut connection| connection.send(Ask::get("/ping")));
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(proxy);
            }
            thread::sleep(GLANCE);
        }
        Err(format!("Traefik gave no answer within {} s:\n{}", START_LIMIT.as_secs(), proxy.log_text()).into())
    }

    /// What a script of another language must know to be on this stage.
    pub(super) fn dress(&mut self, command: &mut Command, proxy: &Proxy) {
        let names = workspace::root().join("tests/edge/names");
        let ca = self.path("tls/ca.pem");
        self.house.browser = Some(self.path("chromium"));
        command
            .env("NODE_OPTIONS", format!("--import={}", names.join("resolve.mjs").display()))
            .env("NODE_EXTRA_CA_CERTS", &ca)
            .env("SSL_CERT_FILE", &ca)
            .env("PYTHONPATH", &names)
            .env("EDGE_HOST", self.host)
            .env("EDGE_ID_HOST", ID_HOST)
            .env("EDGE_PORT", self.ports.secure.to_string())
            .env("EDGE_OPEN_PORT", self.ports.open.to_string())
            .env("EDGE_CLEAR_PORT", self.ports.clear.to_string())
            .env("EDGE_TRAEFIK_API", format!("http://127.0.0.1:{}", self.ports.ping))
            .env("EDGE_TRAEFIK_LOG", &proxy.log)
            .env("EDGE_INSIDE", self.house.origin())
            .env("EDGE_ROUTES", self.path("dynamic"))
            .env("EDGE_CA", &ca)
            .env("EDGE_PORTICO", &self.binary)
            .env("EDGE_PLACE", self.house.place().join("\u{1f}"))
            .env("EDGE_RECORDER_PORT", self.ports.recorder.to_string())
            .env("EDGE_EVERYTHING_PORT", self.ports.everything.to_string())
            .env("EDGE_KEYCLOAK_PORT", self.ports.keycloak.to_string());
    }

    /// Traefik alone: with nobody to ask, nobody comes in.
    pub(super) fn without_portico(&mut self, proxy: &Proxy) -> Tally {
        let mut closed = Command::new("node");
        self.dress(&mut closed, proxy);
        let said = run::read(closed.arg("tests/edge/closed.mjs").current_dir(workspace::root()));
        if let Err(error) = &said {
            say(&format!("  {error}"));
        }
        told("without the authorization server services are closed", said.is_ok_and(|said| said.trim() == "closed"))
    }

    /// The same edge under the name `localhost`: what is right on the internet would harm there.
    pub(super) fn on_localhost(&self) -> Result<Tally> {
        let stage = Self::set_at("localhost", "edge", &self.binary, &self.traefik, &self.chromium)?;
        let portico = stage.house.open()?;
        let proxy = stage.open_proxy()?;
        let answer = run::read(
            Command::new("node")
                .arg("tests/edge/localhost.mjs")
                .current_dir(workspace::root())
                .env("EDGE_PORT", stage.ports.secure.to_string())
                .env("NODE_EXTRA_CA_CERTS", stage.path("tls/ca.pem")),
        );
        let mut tally = told("on localhost nobody is bound to https", answer.as_ref().is_ok_and(|said| said.trim() == "no hsts"));
        if let Err(error) = answer {
            say(&format!("  {error}"));
        }
        tally.add(proxy.stopped());
        tally.add(crate::server::stopped(portico));
        Ok(tally)
    }
}

/// The SHA-256 of a certificate's public key, as Chromium wants it.
fn spki_digest(certificate: &Path) -> Result<String> {
    let script = "const { X509Certificate, createHash } = require('crypto');\
        const key = new X509Certificate(require('fs').readFileSync(process.argv[1])).publicKey;\
        console.log(createHash('sha256').update(key.export({ type: 'spki', format: 'der' })).digest('base64'))";
    Ok(run::read(Command::new("node").args(["-e", script]).arg(certificate))?.trim().to_owned())
}

fn told(sentence: &str, good: bool) -> Tally {
    say(&format!("  {} {sentence}", if good { "ok" } else { "not ok" }));
    Tally::of(good)
}

/// A running Traefik. It ends with this value at the latest.
pub(super) struct Proxy {
    child: Child,
    log: PathBuf,
}

impl Proxy {
    fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGTERM; that it ends, and never spoke of a broken configuration, is a test.
    pub(super) fn stopped(mut self) -> Tally {
        let asked = Instant::now();
        let mut ended = run::succeeds(Command::new("kill").args(["-TERM", &self.child.id().to_string()]));
        while ended && asked.elapsed() < STOP_LIMIT {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(GLANCE),
                outcome => {
                    ended = outcome.is_ok();
                    break;
                }
            }
        }
        told("Traefik stops when asked", ended && asked.elapsed() < STOP_LIMIT)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Already ended after `stopped`: then both calls fail, and nothing is left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
