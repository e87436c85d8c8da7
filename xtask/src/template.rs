//! `cargo xtask template`: the clock of somebody who writes a protected MCP server of their own.
//!
//! `portico new mcp-server`, then Cargo without a network in the new folder, then the server beside a running Portico: a stranger is sent
//! away, a signed-in client calls a tool, and what it was not granted is refused. Issue 5 allows thirty minutes.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::closing::{Tally, say};
use crate::run::{must, read};
use crate::server::{House, free_port, stopped};
use crate::visitor::{App, LOOPBACK_REDIRECT, Person};
use crate::wire::{Answer, Ask, Connection};
use crate::{Result, random, workspace};

const NAME: &str = "greeter";
/// What issue 5 promises a person; the machine reads nothing and types nothing.
const PROMISED: Duration = Duration::from_secs(1800);
/// Everything that bearer-guard stands on, from nothing.
const BUILD_LIMIT: Duration = Duration::from_secs(2400);
const START_LIMIT: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);
const SECRET_BYTES: usize = 32;

pub(crate) fn run(binary: &Path) -> Result<Tally> {
    let started = Instant::now();
    let folder = tempfile::Builder::new().prefix("portico-new-").tempdir()?;
    let mut new = Command::new(binary);
    read(new.args(["new", "mcp-server", NAME, "--in"]).arg(folder.path()).arg("--checkout").arg(workspace::root()))?;
    let server = folder.path().join(NAME);
    let target = workspace::target_folder()?.join("template");
    let cargo = |words: &[&str]| -> Result<Command> {
        let mut command = workspace::cargo(words)?;
        command.current_dir(&server).env("CARGO_TARGET_DIR", &target);
        Ok(command)
    };
    let tested = must("cargo test of a new server", &mut cargo(&["test", "--offline"])?, BUILD_LIMIT)?;
    let mut tally = told("a new server compiles without a network, and its tests pass", Tally::of_cargo_test(&tested).passed >= 4);
    must("cargo build of a new server", &mut cargo(&["build", "--offline"])?, BUILD_LIMIT)?;

    let mut house = House::build("template", binary, &[])?;
    let secret = server.join("greeter.secret");
    fs::write(&secret, random::secret(SECRET_BYTES)?)?;
    let own = fs::read_to_string(server.join("portico.toml"))?.replace("greeter.secret", &secret.display().to_string());
    let first = "[[resource]]\npath = \"/mcp\"\nname = \"MCP server\"\nscopes = [\"mcp:read\"]\ndefault_scope = \"mcp:read\"\n";
    house.configure(&format!("{first}{own}"))?;
    let portico = house.open()?;
    let listen = format!("127.0.0.1:{}", free_port()?);
    let resource = format!("{}/{NAME}/mcp", house.origin());
    let child = Command::new(target.join("debug").join(NAME))
        .env("ISSUER", house.origin())
        .env("RESOURCE", &resource)
        .env("LISTEN", &listen)
        .env("CLIENT_SECRET_FILE", &secret)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let _running = Running(child);
    tally.add(conversation(&house, &listen, &resource)?);
    let elapsed = started.elapsed();
    say(&format!("  from `portico new` to a refused tool call: {:.0} s", elapsed.as_secs_f64()));
    tally.add(told("a new server stands within thirty minutes", elapsed < PROMISED));
    tally.add(stopped(portico));
    Ok(tally)
}

/// A stranger, a signed-in client, and a tool that the token does not allow.
fn conversation(house: &House, listen: &str, resource: &str) -> Result<Tally> {
    let mut server = opened(listen)?;
    let stranger = call(&mut server, None, "greet", json!({ "name": "Ada" }))?;
    let challenge = stranger.header("www-authenticate").unwrap_or_default();
    let mut tally = told(
        "a stranger is told where to sign in",
        stranger.status == 401 && challenge.contains(&format!("/.well-known/oauth-protected-resource/{NAME}/mcp")),
    );
    let mut portico = Connection::open(&house.authority)?;
    let app = App::register_for(&mut portico, "Template", LOOPBACK_REDIRECT)?.for_resource(resource);
    let receipt = Person::new(house.username, &house.password).allow(&mut portico, &app)?;
    let tokens = app.redeem(&mut portico, &receipt)?.ok_or("a fresh code was refused")?;
    let greeted = call(&mut server, Some(&tokens.access), "greet", json!({ "name": "Ada" }))?;
    tally.add(told("a signed-in client calls a tool", greeted.status == 200 && greeted.text().contains("Hello Ada, from greeter.")));
    let refused = call(&mut server, Some(&tokens.access), "shout", json!({ "text": "x" }))?;
    let step_up = refused.header("www-authenticate").unwrap_or_default();
    let asks_for = step_up.contains("insufficient_scope") && step_up.contains("greeter:write");
    tally.add(told("a tool beyond the token says which scope it needs", refused.status == 403 && asks_for));
    Ok(tally)
}

fn call(server: &mut Connection, token: Option<&str>, tool: &str, arguments: serde_json::Value) -> Result<Answer> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": arguments } }).to_string();
    let bearer = format!("Bearer {}", token.unwrap_or_default());
    let mut headers = vec![("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    if token.is_some() {
        headers.push(("authorization", &bearer));
    }
    Ok(server.send(Ask { method: "POST", target: &format!("/{NAME}/mcp"), headers: &headers, body: body.as_bytes() })?)
}

fn opened(listen: &str) -> Result<Connection> {
    let started = Instant::now();
    while started.elapsed() < START_LIMIT {
        if let Ok(connection) = Connection::open(listen) {
            return Ok(connection);
        }
        thread::sleep(GLANCE);
    }
    Err("the new server does not listen".into())
}

/// A process that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn told(sentence: &str, good: bool) -> Tally {
    say(&format!("  {} {sentence}", if good { "ok" } else { "not ok" }));
    Tally::of(good)
}
