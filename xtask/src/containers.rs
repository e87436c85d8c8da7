//! `cargo xtask containers`: what can be said of compose.yaml and the Dockerfile without a container engine.
//!
//! The compose files are read by the library that `docker compose` reads them with, filled in by `portico init`; then every container is
//! held to the same rules. The Dockerfile is read by hadolint, and held to what this project demands besides. Nothing is built or started
//! here.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::closing::{Tally, say};
use crate::setup::{self, TRAEFIK_VERSION};
use crate::{Result, run, workspace};

/// Containers whose image must begin as root or write to itself; everybody else is read-only and nobody.
const EXCUSED: [&str; 2] = ["keycloak", "postgres"];
/// The only one with doors to the outside.
const DOOR: &str = "traefik";

/// Reads both ways to start, and the Dockerfile.
pub(crate) fn run(binary: &Path) -> Result<Tally> {
    let reader = setup::compose_reader()?;
    let folder = tempfile::Builder::new().prefix("portico-compose-").tempdir()?;
    for name in ["compose.yaml", "compose.dev.yaml"] {
        fs::copy(workspace::root().join(name), folder.path().join(name))?;
    }
    let mut tally = Tally::default();
    let unprepared = run::read(Command::new(&reader).arg("compose.yaml").current_dir(folder.path()));
    tally.add(told(
        "compose.yaml starts nothing before portico init",
        unprepared.is_err_and(|why| why.to_string().contains("portico init")),
    ));
    let mut init = Command::new(binary);
    run::read(init.args(["init", "--host", "localhost", "--own-certificate", "--in"]).arg(folder.path()))?;
    for files in [&["compose.yaml"][..], &["compose.yaml", "compose.dev.yaml"]] {
        let project: Value = serde_json::from_str(&run::read(Command::new(&reader).args(files).current_dir(folder.path()))?)?;
        let faults = faults_of(&project);
        faults.iter().for_each(|fault| say(&format!("  {fault}")));
        tally.add(told(&format!("{} keeps its rules", files.join(" with ")), faults.is_empty()));
    }
    let linted = run::read(Command::new(setup::hadolint()?).arg("Dockerfile").current_dir(workspace::root()));
    if let Err(why) = &linted {
        say(&format!("  {why}"));
    }
    tally.add(told("hadolint finds nothing in the Dockerfile", linted.is_ok()));
    let faults = dockerfile_faults(&fs::read_to_string(workspace::root().join("Dockerfile"))?);
    faults.iter().for_each(|fault| say(&format!("  {fault}")));
    tally.add(told("the Dockerfile keeps its rules", faults.is_empty()));
    Ok(tally)
}

/// Every rule that a container of this project breaks.
fn faults_of(project: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(services) = project["services"].as_object() else { return vec!["there are no services".to_owned()] };
    for (name, service) in services {
        let mut fault = |what: &str| faults.push(format!("{name}: {what}"));
        let has = |list: &str, word: &str| service[list].as_array().is_some_and(|words| words.iter().any(|own| own == word));
        if !has("cap_drop", "ALL") || !has("security_opt", "no-new-privileges:true") || service["privileged"] == true {
            fault("must drop every capability and gain none");
        }
        let user = service["user"].as_str().unwrap_or_default();
        if !EXCUSED.contains(&name.as_str()) && (service["read_only"] != true || user.is_empty() || user.starts_with("0:")) {
            fault("must be read-only and nobody");
        }
        if !service["healthcheck"]["test"].is_array() {
            fault("must say how it is probed");
        }
        if service["ports"].is_array() != (name == DOOR) {
            fault("only the proxy has doors to the outside");
        }
        let image = service["image"].as_str().unwrap_or_default();
        let is_pinned = image.rsplit_once(':').is_some_and(|(_, tag)| tag != "latest" && tag.contains('.'));
        if service["build"].is_null() && !is_pinned {
            fault("its image must name a version");
        }
        if name == DOOR && !image.ends_with(&format!(":{TRAEFIK_VERSION}")) {
            fault("must be the version that the suite at the edge tries");
        }
        for (variable, value) in service["environment"].as_object().into_iter().flatten() {
            let is_secret =
                ["PASSWORD", "SECRET", "TOKEN", "KEY"].iter().any(|word| variable.contains(word)) && !variable.ends_with("_FILE");
            if is_secret && !value.is_null() {
                fault(&format!("{variable} is a secret in the environment"));
            }
        }
        for (other, condition) in service["depends_on"].as_object().into_iter().flatten() {
            if condition["condition"] != "service_healthy" {
                fault(&format!("must wait until {other} is healthy"));
            }
        }
    }
    if project["networks"]["data"]["internal"] != true {
        faults.push("the network of the database must be internal".to_owned());
    }
    faults
}

/// What no linter knows: which images there are, that each runs as nobody, and that none holds a secret.
fn dockerfile_faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let instructions = text.replace("\\\n", " ");
    let mut stages: Vec<&str> = Vec::new();
    let mut is_nobody = false;
    for line in instructions.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "FROM" => {
                let mut words = rest.split_whitespace();
                let image = words.next().unwrap_or_default();
                // A stage inherits who it is.
                is_nobody &= stages.contains(&image) && image != "build";
                stages.push(words.nth(1).unwrap_or_default());
            }
            "USER" => is_nobody = rest != "root" && !rest.starts_with('0'),
            "VOLUME" | "SHELL" => faults.push(format!("{word} is not for us")),
            "ENTRYPOINT" if !is_nobody => faults.push("an image must run as nobody".to_owned()),
            "ENV" | "ARG" if ["PASSWORD", "SECRET", "TOKEN"].iter().any(|secret| rest.to_ascii_uppercase().contains(secret)) => {
                faults.push(format!("{word}: a secret stays in the image"));
            }
            _ => {}
        }
    }
    for image in ["auth-server", "mcp-server", "portico"] {
        if !stages.contains(&image) {
            faults.push(format!("there is no stage {image}"));
        }
    }
    faults
}

fn told(sentence: &str, good: bool) -> Tally {
    say(&format!("  {} {sentence}", if good { "ok" } else { "not ok" }));
    Tally::of(good)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{dockerfile_faults, faults_of};

    const GOOD: &str = "FROM rust:1.95-bookworm AS build\nRUN x \\\n  && y\nFROM gcr.io/distroless/cc-debian12:nonroot AS base\nUSER 65532:65532\n\
        FROM base AS auth-server\nENTRYPOINT [\"/a\"]\nFROM base AS mcp-server\nENTRYPOINT [\"/m\"]\nFROM base AS portico\nENTRYPOINT [\"/p\"]\n";

    #[test]
    fn a_careless_dockerfile_is_told_why() {
        assert!(dockerfile_faults(GOOD).is_empty(), "{:?}", dockerfile_faults(GOOD));
        for (careless, why) in [
            (GOOD.replace("USER 65532:65532", ""), "nobody"),
            (GOOD.replace("USER 65532:65532", "USER root"), "nobody"),
            (format!("{GOOD}ENV DB_PASSWORD=x\n"), "secret"),
            (format!("{GOOD}VOLUME /data\n"), "VOLUME"),
            (GOOD.replace("AS portico", "AS other"), "portico"),
        ] {
            let faults = dockerfile_faults(&careless);
            assert!(faults.iter().any(|fault| fault.contains(why)), "{why}: {faults:?}");
        }
    }

    #[test]
    fn a_careless_container_is_told_why() {
        let good = json!({
            "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"], "read_only": true, "user": "1000:1000",
            "healthcheck": { "test": ["CMD", "/x"] }, "image": "x/y:1.2.3",
        });
        let project = |service: &serde_json::Value| json!({ "services": { "one": service }, "networks": { "data": { "internal": true } } });
        assert!(faults_of(&project(&good)).is_empty());
        for (member, value) in [
            ("cap_drop", json!([])),
            ("security_opt", json!([])),
            ("read_only", json!(false)),
            ("user", json!("0:0")),
            ("healthcheck", json!({})),
            ("image", json!("x/y:latest")),
            ("image", json!("x/y")),
            ("ports", json!([{ "target": 80 }])),
            ("environment", json!({ "DB_PASSWORD": "x" })),
            ("depends_on", json!({ "two": { "condition": "service_started" } })),
        ] {
            let mut careless = good.clone();
            careless[member] = value;
            assert_eq!(faults_of(&project(&careless)).len(), 1, "{careless}");
        }
    }
}
