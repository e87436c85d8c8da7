//! `portico doctor keycloak`: reads a realm through its admin REST API, says what is good and what is wrong, and with `--fix` repairs it.
//!
//! The way is always the same: read (`admin.rs`), judge (`judge/`, pure), show (`report.rs`). With `--fix` the diff is shown first, then
//! each change is a partial write of what the diff named, and the realm is read and judged again: what is said to be repaired was seen
//! to be so. Secrets come from the environment or from files, never from arguments, which other people of the machine can read.

mod admin;
mod finding;
mod judge;
mod place;
mod realm;
mod report;
mod wanted;

use std::path::{Path, PathBuf};

use admin::{Account, Admin, Outcome};
use auth_server::config::{Config, UpstreamConfig, UpstreamKind, UpstreamLife};
use finding::{Finding, Repair};
use place::Place;
use realm::Secret;
use serde_json::{Value, json};
use wanted::Wanted;

use super::Health;
use crate::{environment, keycloak, screen};

/// The options of `portico doctor keycloak`. Without --keycloak it looks at the realm of `[[upstream]]`.
#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Arguments {
    #[command(flatten)]
    keycloak: keycloak::Realm,
    /// Which [[upstream]], when the configuration has several of kind keycloak.
    #[arg(long, value_name = "ID")]
    upstream: Option<String>,
    /// The origin where Keycloak itself reaches Portico, when that is not the public one: notices of ended sessions go there.
    #[arg(long, value_name = "ORIGIN")]
    notices_to: Option<String>,
    /// The origin where the admin API is reached from here, when that is not the issuer's. It may be plain http.
    #[arg(long, value_name = "ORIGIN")]
    admin_origin: Option<String>,
    /// The client id whose service account looks. Its secret is PORTICO_DOCTOR_SECRET, or stands in --account-secret-file.
    #[arg(long, value_name = "ID", default_value = "portico-doctor", env = "PORTICO_DOCTOR_ACCOUNT")]
    account: String,
    /// The realm of that account, when it is another one, as in master.
    #[arg(long, value_name = "REALM")]
    account_realm: Option<String>,
    /// A file with the secret of that account.
    #[arg(long, value_name = "FILE")]
    account_secret_file: Option<PathBuf>,
    /// Show what is wrong, repair it, and look again.
    #[arg(long)]
    fix: bool,
    /// Print one JSON object instead of lines for people.
    #[arg(long)]
    json: bool,
    /// The origin that clients and people see, as in https://mcp.example.com.
    #[arg(long, value_name = "URL", env = "PORTICO_PUBLIC_URL")]
    public_url: Option<String>,
    #[command(flatten)]
    place: environment::Place,
}

/// Looks, and repairs when told to.
pub(super) async fn run(arguments: Arguments) -> Result<Health, String> {
    let config = configured(&arguments)?;
    let upstream = chosen(&config, arguments.upstream.as_deref())?;
    let place = Place::parse(&upstream.issuer, arguments.admin_origin.as_deref().or(upstream.backchannel_origin.as_deref()))?;
    let wanted = wanted(&config, upstream, arguments.notices_to.as_deref())?;
    let secret = account_secret(arguments.account_secret_file.as_deref())?.ok_or_else(|| {
        format!("the secret of `{}` is missing: give it in PORTICO_DOCTOR_SECRET or with --account-secret-file", arguments.account)
    })?;
    let realm = arguments.account_realm.clone().unwrap_or_else(|| place.realm().to_owned());
    let admin = Admin::sign_in(place, &Account { realm, client_id: arguments.account.clone(), secret }).await?;
    let visit = Visit { admin, wanted, is_json: arguments.json };
    visit.head();
    let (client, findings) = visit.look().await?;
    visit.show(&findings);
    let repairs: Vec<(&'static str, Repair)> =
        findings.iter().filter_map(|finding| Some((finding.check, finding.repair()?.clone()))).collect();
    if !arguments.fix || repairs.is_empty() {
        return Ok(visit.leave(&findings, &[], !repairs.is_empty()));
    }
    let denied = visit.repair(client.as_ref(), &repairs).await?;
    let (_, findings) = visit.look().await?;
    let repaired: Vec<&'static str> = repairs
        .iter()
        .map(|(check, _)| *check)
        .filter(|check| !findings.iter().any(|finding| finding.check == *check && finding.is_wrong()))
        .collect();
    visit.show_repaired(&repaired, &denied, &findings);
    Ok(visit.leave(&findings, &repaired, false))
}

/// One visit at one realm.
struct Visit {
    admin: Admin,
    wanted: Wanted,
    is_json: bool,
}

impl Visit {
    async fn look(&self) -> Result<(Option<realm::Client>, Vec<Finding>), String> {
        let reading = self.admin.read(&self.wanted).await?;
        let findings = judge::judge(&reading, &self.wanted);
        Ok((reading.client, findings))
    }

    /// Makes every change; the settings of the client in one write. Returns the checks whose change the account may not make.
    async fn repair(&self, client: Option<&realm::Client>, repairs: &[(&'static str, Repair)]) -> Result<Vec<&'static str>, String> {
        let mut denied = Vec::new();
        let mut of_client = json!({});
        let mut at_once = Vec::new();
        for (check, repair) in repairs {
            match repair {
                Repair::Client(change) => {
                    merge(&mut of_client, change);
                    at_once.push(*check);
                }
                other => {
                    if self.admin.repair(other, client, &self.wanted).await? == Outcome::Denied {
                        denied.push(*check);
                    }
                }
            }
        }
        if !at_once.is_empty() && self.admin.repair(&Repair::Client(of_client), client, &self.wanted).await? == Outcome::Denied {
            denied.extend(at_once);
        }
        Ok(denied)
    }

    fn head(&self) {
        if !self.is_json {
            screen::print(&format!("Realm {}, client {}\n", self.wanted.issuer, self.wanted.client_id));
        }
    }

    fn show(&self, findings: &[Finding]) {
        if !self.is_json {
            screen::print(&report::text(findings));
        }
    }

    fn show_repaired(&self, repaired: &[&str], denied: &[&str], findings: &[Finding]) {
        if self.is_json {
            return;
        }
        for check in repaired {
            screen::print(&format!("  repaired {check}: changed, read again and right"));
        }
        for check in denied {
            screen::print(&format!(
                "  not repaired {check}: this account may not change it; do it by hand, or give the account manage-realm"
            ));
        }
        let wrong: Vec<Finding> = findings.iter().filter(|finding| finding.is_wrong()).cloned().collect();
        if !wrong.is_empty() {
            screen::print(&format!("\nStill wrong:\n\n{}", report::text(&wrong)));
        }
        screen::print("");
    }

    fn leave(&self, findings: &[Finding], repaired: &[&str], may_fix: bool) -> Health {
        let health = if findings.iter().any(Finding::is_wrong) { Health::Ailing } else { Health::Sound };
        if self.is_json {
            screen::print(&self.as_json(findings, repaired, health).to_string());
            return health;
        }
        let advice = if may_fix { ". Run again with --fix to make the changes marked + and -" } else { "" };
        screen::print(&format!("{}{advice}.", report::sum(findings)));
        health
    }

    fn as_json(&self, findings: &[Finding], repaired: &[&str], health: Health) -> Value {
        json!({
            "issuer": self.wanted.issuer,
            "client": self.wanted.client_id,
            "sound": health == Health::Sound,
            "repaired": repaired,
            "findings": report::json(findings),
        })
    }
}

/// The settings that `portico up` would have with the same flags.
fn configured(arguments: &Arguments) -> Result<Config, String> {
    let url = arguments.public_url.clone().map(|value| environment::text("server.public_url", value, "--public-url"));
    arguments.place.resolve(url.into_iter().chain(arguments.keycloak.overrides()).collect())
}

/// The realm to look at: the only one, or the one that was named.
fn chosen<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a UpstreamConfig, String> {
    let realms = config.upstreams.iter().filter(|upstream| upstream.kind == UpstreamKind::Keycloak);
    let fitting: Vec<&UpstreamConfig> = realms.filter(|upstream| name.is_none_or(|name| upstream.id.as_str() == name)).collect();
    match (fitting[..].as_ref(), name) {
        ([upstream], _) => Ok(upstream),
        ([], Some(name)) => Err(format!("the configuration has no [[upstream]] `{name}` of kind keycloak")),
        ([], None) => Err("no realm: name it with --keycloak ISSUER, or give --config with an [[upstream]] of kind keycloak".to_owned()),
        _ => Err("the configuration has several realms: choose one with --upstream ID".to_owned()),
    }
}

/// The measure: what Portico will ask of this realm, and where it will want its answers.
fn wanted(config: &Config, upstream: &UpstreamConfig, notices_to: Option<&str>) -> Result<Wanted, String> {
    let origin = config.issuer.as_str();
    let inside = notices_to.map(place::origin_of).transpose()?;
    let id = upstream.id.as_str();
    let mut scopes: Vec<String> = upstream.scopes.iter().map(str::to_owned).collect();
    if upstream.session == UpstreamLife::Outlive && !scopes.iter().any(|scope| scope == wanted::OFFLINE) {
        scopes.push(wanted::OFFLINE.to_owned());
    }
    Ok(Wanted {
        client_id: upstream.client_id.clone(),
        issuer: upstream.issuer.clone(),
        redirect_uri: format!("{origin}/callback/{id}"),
        post_logout_uri: format!("{origin}/logout"),
        backchannel_url: format!("{}/backchannel-logout/{id}", inside.as_deref().unwrap_or(origin)),
        scopes,
        recheck_secs: upstream.recheck.0.unsigned_abs(),
        secret: upstream.client_secret.as_ref().map(|secret| Secret::new(secret.expose().to_owned())),
    })
}

/// A secret is a line; nobody types one that is longer.
const SECRET_BYTES_MAX: u64 = 4096;

/// From the file when one is named, else from the environment.
fn account_secret(file: Option<&Path>) -> Result<Option<Secret>, String> {
    let Some(file) = file else { return Ok(environment::secret("PORTICO_DOCTOR_SECRET").map(Secret::new)) };
    let unreadable = |cause| format!("cannot read {}: {cause}", file.display());
    if std::fs::metadata(file).map_err(unreadable)?.len() > SECRET_BYTES_MAX {
        return Err(format!("{} is too long to be a secret", file.display()));
    }
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    let text = text.trim();
    if text.is_empty() { Err(format!("{} is empty", file.display())) } else { Ok(Some(Secret::new(text.to_owned()))) }
}

/// Lays `change` over `whole`: objects are entered, everything else is replaced.
fn merge(whole: &mut Value, change: &Value) {
    match (whole, change) {
        (Value::Object(whole), Value::Object(change)) => {
            for (name, value) in change {
                merge(whole.entry(name).or_insert(Value::Null), value);
            }
        }
        (whole, change) => *whole = change.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_one_client_become_one_write() {
        let mut whole = json!({});
        merge(&mut whole, &json!({ "attributes": { "a": "1" } }));
        merge(&mut whole, &json!({ "attributes": { "b": "2" }, "enabled": true }));
        assert_eq!(whole, json!({ "attributes": { "a": "1", "b": "2" }, "enabled": true }));
    }

    #[test]
    fn a_secret_is_a_line_of_a_file_and_never_shown() {
        let folder = std::env::temp_dir().join(format!("portico-doctor-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("secret");
        std::fs::write(&file, "hush\n").unwrap();
        let read = account_secret(Some(&file)).unwrap().unwrap();
        assert_eq!(read.reveal(), "hush");
        assert!(!format!("{read:?}").contains("hush"));
        std::fs::write(&file, " \n").unwrap();
        assert!(account_secret(Some(&file)).is_err());
        std::fs::write(&file, "x".repeat(5000)).unwrap();
        assert!(account_secret(Some(&file)).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
