//! `cargo xtask keycloak`: a real Keycloak, a real Chromium on its login page, a real SDK, and Portico between them.
//!
//! `server.rs` starts and stops Keycloak, `admin.rs` changes things behind Portico's back, `doctor.rs` breaks the realm and lets
//! `portico doctor` repair it. What people and clients see is in `tests/keycloak`, which asks this program for what a script cannot do
//! (stopping a server) by a line `do WORD`, and reads a line back when it is done.

mod admin;
mod doctor;
mod script;
mod server;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::closing::{Tally, say};
use crate::server::{House, stopped};
use crate::setup::Parts;
use crate::{Result, e2e};
use admin::Admin;
use server::{BRIEF_REALMS, REALM};
pub(crate) use server::{Front, Keycloak};

/// A realm that knows nothing of Portico until `portico doctor` has been there; `tests/keycloak` makes it.
const BARE_REALM: &str = "bare";
/// What the realm files give to Portico, see `keycloak/portico-realm.json`.
const CLIENT_SECRET: &str = "portico-dev-secret";

/// The word that chooses the doctor alone.
const DOCTOR: &str = "doctor";
/// The word that chooses the start by flags alone.
const FLAGS: &str = "flags";
/// One sign-in.
const FLAGS_LIMIT: Duration = Duration::from_secs(120);

/// Everything that needs the real Keycloak, on one that is kept warm; or what `chosen` names of it.
pub(crate) fn run(binary: &Path, chosen: &[String]) -> Result<Tally> {
    let parts = crate::setup::parts()?;
    let mut keycloak = Keycloak::start()?;
    let mut tally = Tally::default();
    let mut house = House::build("keycloak", binary, &[])?;
    for realm in [REALM].iter().chain(&BRIEF_REALMS) {
        point_to(&keycloak, realm, &house.origin())?;
    }
    if chosen.is_empty() || chosen.iter().any(|word| word == DOCTOR) {
        tally.add(doctor::run(&keycloak, binary, &house.origin())?);
    }
    let rules: Vec<&String> = chosen.iter().filter(|word| *word != DOCTOR && *word != FLAGS).collect();
    if chosen.is_empty() || chosen.iter().any(|word| word == FLAGS) {
        tally.add(two_flags(&keycloak, binary, &parts)?);
        point_to(&keycloak, REALM, &house.origin())?;
    }
    if chosen.is_empty() || !rules.is_empty() {
        house.configure(&settings(&keycloak))?;
        let mut portico = Some(house.open()?);
        tally.add(script::run(&mut keycloak, &house, &mut portico, &parts, &rules)?);
        if let Some(portico) = portico {
            tally.add(stopped(portico));
        }
    }
    if tally.failed > 0 {
        say(&format!("  the log of Keycloak: {}", keycloak.log().display()));
    }
    Ok(tally)
}

/// A Keycloak behind a proxy, for a Portico behind the same one at `portico`; and what that one is to be told in its settings.
pub(crate) fn behind(front: Front, portico: &str) -> Result<(Keycloak, String)> {
    let keycloak = Keycloak::start_behind(Some(front))?;
    point_to(&keycloak, REALM, portico)?;
    let inside = format!("backchannel_origin = \"http://{}\"\n\n", keycloak.authority());
    let settings = [upstream(&keycloak, REALM, "follow").trim_end(), "\n", &inside, &rules()].concat();
    Ok((keycloak, settings))
}

/// `portico up --keycloak ISSUER` and a secret in the environment are all it takes.
fn two_flags(keycloak: &Keycloak, binary: &Path, parts: &Parts) -> Result<Tally> {
    let mut house = House::build("keycloak-flags", binary, &["--keycloak", &keycloak.issuer(REALM), "--keycloak-client", "portico"])?;
    house.entrust("PORTICO_KEYCLOAK_SECRET", CLIENT_SECRET);
    point_to(keycloak, REALM, &house.origin())?;
    let portico = house.open()?;
    let mut person = Command::new("node");
    person.arg("tests/keycloak/flags.mjs");
    keycloak.introduce(&mut person);
    let mut tally = e2e::script("Keycloak by two flags", &mut person, &house, parts, FLAGS_LIMIT)?;
    tally.add(stopped(portico));
    Ok(tally)
}

/// The port of Portico is another one in every run; the known state has the one of the realm file.
fn point_to(keycloak: &Keycloak, realm: &str, origin: &str) -> Result<()> {
    let id = upstream_of(realm);
    let change = json!({
        "redirectUris": [format!("{origin}/callback/{id}")],
        "attributes": {
            "backchannel.logout.url": format!("{origin}/backchannel-logout/{id}"),
            "post.logout.redirect.uris": format!("{origin}/logout"),
        },
    });
    Admin::of(keycloak, realm).change_client("portico", &change)
}

/// How Portico calls the realm.
fn upstream_of(realm: &str) -> &str {
    if realm == REALM { "keycloak" } else { realm }
}

/// As an operator would write it: three roles, three doors; asked again as often as the settings allow.
fn settings(keycloak: &Keycloak) -> String {
    [
        upstream(keycloak, REALM, "follow"),
        upstream(keycloak, "brief-follow", "follow"),
        upstream(keycloak, "brief-outlive", "outlive"),
        upstream(keycloak, BARE_REALM, "follow"),
        rules(),
        rule("idp = \"bare\"", &["mcp:read"]),
    ]
    .concat()
}

fn upstream(keycloak: &Keycloak, realm: &str, session: &str) -> String {
    let id = upstream_of(realm);
    format!(
        "[[upstream]]\nid = \"{id}\"\nkind = \"keycloak\"\nname = \"Sign in at {id}\"\nissuer = \"{}\"\nclient_id = \"portico\"\n\
         client_secret = \"{CLIENT_SECRET}\"\nsession = \"{session}\"\nrecheck = \"10s\"\n\n",
        keycloak.issuer(realm)
    )
}

/// Who may come in, by the roles of the realm file.
fn rules() -> String {
    [
        "[people]\ndefault = \"deny\"\n\n".to_owned(),
        rule("role = \"mcp-admin\"", &["mcp:read", "mcp:write", "mcp:infer"]),
        rule("role = \"mcp-writer\"", &["mcp:read", "mcp:write"]),
        rule("role = \"mcp-reader\"", &["mcp:read"]),
    ]
    .concat()
}

fn rule(who: &str, scopes: &[&str]) -> String {
    format!("[[rule]]\n{who}\nenter = true\nscopes = {scopes:?}\n\n")
}
