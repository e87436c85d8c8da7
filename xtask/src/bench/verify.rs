//! The rows of forward-auth: what the proxy's question costs, for a token seen before and for one seen the first time.

use serde_json::json;

use crate::Result;
use crate::server::House;
use crate::visitor::{App, KNOWN_REDIRECT, Person};
use crate::wire::Connection;

use super::figures::{Grant, Load, drive};
use super::prepare;
use super::rows::{FIRST_SIGHTS, Floor, FloorServer, Plan, Run};

/// The service that the questions are about, and what the house must be told of it and of who may ask.
const NAME: &str = "bench";
pub(super) const SETTINGS: &str = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n\n\
    [[service]]\nname = \"bench\"\nurl = \"http://127.0.0.1:9\"\nscopes = [\"bench:use\"]\n\n";
/// As many grants as the introspection rows have connections to rotate them.
const GRANTS: usize = 32;
/// Grants of one browser: it may not begin flows without end.
const GRANTS_PER_APP: usize = 8;

/// Measures both rows, where they are wanted.
pub(super) fn measure(run: &mut Run<'_>, floor: &FloorServer) -> Result<()> {
    let (seen, first) = ("verify, seen before", "verify, first sight");
    if !(run.wanted)(seen) && !(run.wanted)(first) {
        return Ok(());
    }
    let mut grants: Vec<Grant> = Vec::new();
    let mut connection = Connection::open(&run.house.authority)?;
    let mut token = String::new();
    for number in 0..GRANTS / GRANTS_PER_APP {
        let mut person = Person::new(run.house.username, &run.house.password);
        let resource = format!("{}/{NAME}/mcp", run.house.origin());
        let app = App::register_for(&mut connection, &format!("Verify {number}"), KNOWN_REDIRECT)?.for_resource(&resource);
        for _ in 0..GRANTS_PER_APP {
            token = prepare::grant(&mut connection, &mut person, &app, &mut grants)?;
        }
    }
    let work = json!({ "same": { "request": question(run.house, &token), "status": 200 } });
    run.row(floor, Plan { name: seen, target: 0.95, connections: 16, floor: Floor::Echo, work })?;
    if !(run.wanted)(first) {
        return Ok(());
    }
    let work = json!({ "refresh": { "grants": grants } });
    let (authority, pid) = (&*run.house.authority, run.portico.pid());
    let fresh = drive(run.bench, &Load { authority, pid, connections: GRANTS, keep_tokens: FIRST_SIGHTS, work })?.tokens;
    let requests: Vec<String> = fresh.iter().map(|token| question(run.house, token)).collect();
    let work = json!({ "each": { "requests": requests, "status": 200 } });
    run.row(floor, Plan { name: first, target: 4.6, connections: 16, floor: Floor::Echo, work }).map(|_| ())
}

/// As Traefik asks, with what the shipped middleware sends.
fn question(house: &House, token: &str) -> String {
    format!(
        "GET /verify HTTP/1.1\r\nhost: {0}\r\nuser-agent: Go-http-client/1.1\r\nauthorization: Bearer {token}\r\nx-forwarded-for: 203.0.113.9\r\n\
         x-forwarded-host: {0}\r\nx-forwarded-method: POST\r\nx-forwarded-proto: http\r\nx-forwarded-uri: /{NAME}/mcp\r\n\
         accept-encoding: gzip\r\n\r\n",
        house.authority
    )
}
