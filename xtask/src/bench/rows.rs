//! The rows of the table: which request, how many connections, what is to be reached, which floor lies beneath.

use std::fs::File;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::closing::say;
use crate::server::{House, Portico, free_port};
use crate::visitor::{KNOWN_REDIRECT, registration_body};
use crate::wire::{Ask, Connection};
use crate::{Result, machine, run};

use super::figures::{Figures, Grant, Load, drive, signature_ns};
use super::prepare::Stage;
use super::profile::Sampling;
use super::table::{Report, Row};
use super::{Bench, INTROSPECTOR, INTROSPECTOR_SECRET, verify};

const START_LIMIT: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(10);
/// Tokens to be seen for the first time: more than the fastest server introspects in one measurement.
pub(super) const FIRST_SIGHTS: usize = 150_000;

/// What a row is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Floor {
    /// The bytes alone: nothing is signed, nothing is kept.
    Echo,
    /// The request on disk in a group.
    Kept,
    /// One signature, and the request on disk in a group.
    Signed,
    /// Two requests: a redirect with a code, then tokens that are signed and kept.
    EchoThenSigned,
}

/// One row before it is measured.
pub(super) struct Plan {
    pub(super) name: &'static str,
    /// ES of whole-server processor time; issue 3, for forward-auth issue 5.
    pub(super) target: f64,
    pub(super) connections: usize,
    pub(super) floor: Floor,
    pub(super) work: Value,
}

/// One run over the rows: who is asked, what lies beneath, and where the figures go.
pub(super) struct Run<'a> {
    pub(super) bench: &'a Bench,
    pub(super) house: &'a House,
    pub(super) portico: Portico,
    pub(super) wanted: &'a dyn Fn(&str) -> bool,
    pub(super) report: &'a mut Report,
}

impl Run<'_> {
    /// Measures every wanted row and puts it into the report.
    pub(super) fn measure(&mut self, stage: &Stage) -> Result<()> {
        let floor = FloorServer::start(self.bench)?;
        let mut grants = stage.grants.clone();
        for (name, connections, target) in [("refresh, 16 connections", 16, 5.5), ("refresh, 128 connections", 128, 4.5)] {
            let work = json!({ "refresh": { "grants": grants } });
            let plan = Plan { name, target, connections, floor: Floor::Signed, work };
            if let Some(figures) = self.row(&floor, plan)? {
                grants = figures.grants;
            }
        }
        for plan in others(self.house, stage) {
            self.row(&floor, plan)?;
        }
        verify::measure(self, &floor)?;
        self.first_sights(&floor, &grants)
    }

    /// Tokens that the server has made and never seen again until it is asked about them; and then the same tokens once more, where they
    /// were not made: another process on the same keys must check each signature.
    fn first_sights(&mut self, floor: &FloorServer, grants: &[Grant]) -> Result<()> {
        let (name, elsewhere) = ("introspection, first sight", "introspection, first sight, signed by another process");
        if !(self.wanted)(name) && !(self.wanted)(elsewhere) {
            self.report.loaded = Some(machine::memory(self.portico.pid())?);
            return Ok(());
        }
        let work = json!({ "refresh": { "grants": grants } });
        let load = Load { authority: &self.house.authority, pid: self.portico.pid(), connections: 32, keep_tokens: FIRST_SIGHTS, work };
        let fresh = drive(self.bench, &load)?.tokens;
        let requests: Vec<String> = fresh.iter().map(|token| introspection(self.house, token)).collect();
        let work = json!({ "each": { "requests": requests, "status": 200 } });
        self.row(floor, Plan { name, target: 4.8, connections: 16, floor: Floor::Echo, work: work.clone() })?;
        self.report.loaded = Some(machine::memory(self.portico.pid())?);
        self.portico.restart(self.house)?;
        self.row(floor, Plan { name: elsewhere, target: 4.8, connections: 16, floor: Floor::Echo, work }).map(|_| ())
    }

    pub(super) fn row(&mut self, floor: &FloorServer, plan: Plan) -> Result<Option<Figures>> {
        let Plan { name, target, connections, floor: beneath, work } = plan;
        if !(self.wanted)(name) {
            return Ok(None);
        }
        let sampling = if self.bench.is_profiling { Some(Sampling::start(self.portico.pid())?) } else { None };
        let load = Load { authority: &self.house.authority, pid: self.portico.pid(), connections, keep_tokens: 0, work };
        let figures = drive(self.bench, &load).map_err(|error| format!("{name}: {error}"))?;
        if let Some(sampling) = sampling {
            self.report.profiles.push((name, sampling.stop()?));
            return Ok(Some(figures));
        }
        let signature_ns = signature_ns(self.bench)?;
        let floor_us = floor.cost_us(self.bench, beneath, connections, &figures)?;
        let row = Row { name: name.to_owned(), target, figures: figures.clone(), signature_ns, floor_us };
        say(&format!("  {name}: {:.1} µs, {:.2} ES, floor {floor_us:.1} µs", figures.cpu_us(), row.signatures()));
        self.report.signature_ns.push(signature_ns);
        self.report.rows.push(row);
        Ok(Some(figures))
    }
}

fn others(house: &House, stage: &Stage) -> Vec<Plan> {
    let plan = |name, target, floor, work| Plan { name, target, connections: 16, floor, work };
    let same = |request: String, status: u16| json!({ "same": { "request": request, "status": status } });
    let get = |target: &str| same(format!("GET {target} HTTP/1.1\r\nhost: {}\r\n\r\n", house.authority), 200);
    let registration = post(house, "/register", "application/json", "", &registration_body("Bench", KNOWN_REDIRECT));
    vec![
        plan("code and PKCE grant (two requests)", 7.5, Floor::EchoThenSigned, json!({ "code": { "journeys": stage.journeys } })),
        plan("registration", 5.5, Floor::Kept, same(registration, 201)),
        plan("introspection, seen before", 1.15, Floor::Echo, same(introspection(house, &stage.access_token), 200)),
        plan("authorization server metadata", 1.1, Floor::Echo, get("/.well-known/oauth-authorization-server")),
        plan("JWKS", 1.1, Floor::Echo, get("/jwks.json")),
        plan("tools/call (2026-07-28)", 3.5, Floor::Echo, same(tool_call(house, stage), 200)),
    ]
}

fn post(house: &House, path: &str, content_type: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: {content_type}\r\n{headers}content-length: {length}\r\n\r\n{body}",
        house.authority
    )
}

fn introspection(house: &House, token: &str) -> String {
    let credentials = STANDARD.encode(format!("{INTROSPECTOR}:{INTROSPECTOR_SECRET}"));
    let headers = format!("authorization: Basic {credentials}\r\naccept: application/json\r\n");
    post(house, "/introspect", "application/x-www-form-urlencoded", &headers, &format!("token={token}"))
}

/// A call on the stateless wire of 2026-07-28: no session, the mirrored headers, the same facts in `_meta`.
fn tool_call(house: &House, stage: &Stage) -> String {
    let body = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": "echo",
            "arguments": { "message": "hello" },
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": { "name": "bench", "version": "1" },
            },
        },
    })
    .to_string();
    let headers = format!(
        "accept: application/json, text/event-stream\r\nauthorization: Bearer {}\r\nmcp-protocol-version: 2026-07-28\r\n\
         mcp-method: tools/call\r\nmcp-name: echo\r\n",
        stage.access_token
    );
    post(house, "/mcp", "application/json", &headers, &body)
}

/// The floor's process; it ends with this value.
pub(super) struct FloorServer {
    child: Child,
    authority: String,
    _folder: tempfile::TempDir,
}

impl FloorServer {
    fn start(bench: &Bench) -> Result<Self> {
        let authority = format!("127.0.0.1:{}", free_port()?);
        let folder = tempfile::tempdir()?;
        let log = File::create(run::log_file("bench-floor")?)?;
        let child = machine::on_core(bench.server_core, &bench.floor)
            .args(["serve", &authority])
            .arg(folder.path().join("kept"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let floor = Self { child, authority, _folder: folder };
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            let answer = Connection::open(&floor.authority).and_then(|mut connection| connection.send(Ask::get("/echo/1")));
            if answer.is_ok() {
                return Ok(floor);
            }
            thread::sleep(GLANCE);
        }
        Err("the floor gave no answer".into())
    }

    /// Processor time of the floor for as many bytes in and out as the row had.
    fn cost_us(&self, bench: &Bench, floor: Floor, connections: usize, row: &Figures) -> Result<f64> {
        let (asked, answered) = (row.request_bytes, row.answer_bytes);
        match floor {
            Floor::Echo => self.one(bench, "echo", connections, asked, answered),
            Floor::Kept => self.one(bench, "kept", connections, asked, answered),
            Floor::Signed => self.one(bench, "signed", connections, asked, answered),
            Floor::EchoThenSigned => {
                let redirect = self.one(bench, "echo", connections, asked / 2, answered / 2)?;
                Ok(redirect + self.one(bench, "signed", connections, asked / 2, answered / 2)?)
            }
        }
    }

    fn one(&self, bench: &Bench, path: &str, connections: usize, request_bytes: u64, answer_bytes: u64) -> Result<f64> {
        // What HTTP itself needs around the body, on both ways.
        const HEAD_BYTES: u64 = 120;
        let body = "x".repeat(usize::try_from(request_bytes.saturating_sub(HEAD_BYTES))?);
        let length = body.len();
        let request = format!(
            "POST /{path}/{} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}",
            answer_bytes.saturating_sub(HEAD_BYTES),
            self.authority,
        );
        let work = json!({ "same": { "request": request, "status": 200 } });
        let load = Load { authority: &self.authority, pid: self.child.id(), connections, keep_tokens: 0, work };
        Ok(drive(bench, &load)?.cpu_us())
    }
}

impl Drop for FloorServer {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
