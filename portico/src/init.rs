//! `portico init`: what `compose.yaml` needs and nobody may guess: names, passwords, secrets, folders.
//!
//! Every secret is fresh, in a file of its own with mode 0600; there is no default password anywhere, and nothing that is there is ever
//! overwritten: running it again fills only what is missing. The containers run as whoever owns these files.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
};

use auth_server::command;
use oauth_types::IssuerUrl;
use serde_json::{Value, json};

use crate::{files, screen};

/// The realm of the Keycloak suite, which gives roles, groups and the client; its people and its helpers stay where they are.
const REALM: &str = include_str!("../../keycloak/portico-realm.json");
/// What containers run as when root prepares them: the "nonroot" of the images.
const NONROOT: u32 = 65532;
/// Folders that containers write to.
const STATE: [&str; 3] = ["state/traefik", "state/auth-server", "state/mcp-server"];
/// The address of Traefik on the inner network, as in compose.yaml: the only one whose word about a request counts.
const TRAEFIK: &str = "172.31.253.2";
/// The person that the realm begins with.
const FIRST_PERSON: &str = "first";

/// For which names.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The name that clients see, as in mcp.example.com; localhost to try it on this machine
    #[arg(long, value_name = "NAME")]
    host: String,
    /// The name at which people sign in, as in id.example.com [default: id.HOST]
    #[arg(long, value_name = "NAME")]
    id_host: Option<String>,
    /// Your own certificate, or one of `portico dev-ca`: tls/leaf.pem and tls/leaf.key. Without it one is asked for by ACME.
    #[arg(long)]
    own_certificate: bool,
    /// Where compose.yaml is.
    #[arg(long, value_name = "DIR", default_value = ".")]
    r#in: PathBuf,
}

/// Writes what is missing.
pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let house = House::of(arguments)?;
    let mut made = Vec::new();
    for folder in STATE.into_iter().chain(["secrets"]) {
        let folder = house.folder.join(folder);
        files::make_private_folder(&folder)?;
        house.hand_over(&folder)?;
    }
    let database = house.secret("postgres.password", &mut made, fresh)?;
    let keycloak_client = house.secret("keycloak-client.secret", &mut made, fresh)?;
    let first_person = house.secret("first-person.password", &mut made, command::fresh_password)?;
    for name in ["keycloak-database.password", "keycloak-admin.password", "mcp-server.secret"] {
        house.secret(name, &mut made, fresh)?;
    }
    house.secret("pgpass", &mut made, || format!("postgres:5432:portico:portico:{database}"))?;
    let realm = house.realm(&keycloak_client, &first_person)?;
    house.secret("realm.json", &mut made, || realm)?;
    house.file("portico.toml", &house.settings(), &mut made)?;
    house.file(".env", &house.environment(), &mut made)?;
    screen::say(&house.told(&made));
    Ok(())
}

fn fresh() -> String {
    command::fresh_secret().expose().to_owned()
}

/// One installation to be.
struct House<'a> {
    folder: &'a Path,
    host: String,
    id_host: String,
    tls: &'static str,
    uid: u32,
    gid: u32,
    /// Root made the files, for somebody else.
    is_given_away: bool,
}

impl<'a> House<'a> {
    fn of(arguments: &'a Arguments) -> Result<Self, String> {
        let host = name(&arguments.host)?;
        let id_host = arguments.id_host.as_deref().map_or_else(|| Ok(format!("id.{host}")), name)?;
        if host == id_host {
            return Err("the two names must differ: cookies of one host reach everything on it".to_owned());
        }
        let owner = fs::metadata(&arguments.r#in).map_err(|cause| format!("{}: {cause}", arguments.r#in.display()))?;
        let is_given_away = owner.uid() == 0;
        let (uid, gid) = if is_given_away { (NONROOT, NONROOT) } else { (owner.uid(), owner.gid()) };
        let tls = if arguments.own_certificate { "files" } else { "acme" };
        Ok(Self { folder: &arguments.r#in, host, id_host, tls, uid, gid, is_given_away })
    }

    /// A secret: the one that is there, or a fresh one.
    fn secret(&self, name: &str, made: &mut Vec<String>, make: impl FnOnce() -> String) -> Result<String, String> {
        self.file(&format!("secrets/{name}"), &make(), made)?;
        let path = self.folder.join("secrets").join(name);
        fs::read_to_string(&path).map_err(|cause| format!("could not read {}: {cause}", path.display()))
    }

    fn file(&self, name: &str, text: &str, made: &mut Vec<String>) -> Result<(), String> {
        let path = self.folder.join(name);
        if files::write_secret_once(&path, text)? {
            self.hand_over(&path)?;
            made.push(name.to_owned());
        }
        Ok(())
    }

    fn hand_over(&self, path: &Path) -> Result<(), String> {
        if !self.is_given_away {
            return Ok(());
        }
        chown(path, Some(self.uid), Some(self.gid)).map_err(|cause| format!("could not give {} to {}: {cause}", path.display(), self.uid))
    }

    fn environment(&self) -> String {
        let Self { host, id_host, tls, uid, gid, .. } = self;
        format!(
            "# Written by `portico init`. Names, no secrets: those are files in secrets/.\n\
             PORTICO_HOST={host}\nPORTICO_ID_HOST={id_host}\nPORTICO_TLS={tls}\nPORTICO_UID={uid}\nPORTICO_GID={gid}\n"
        )
    }

    fn settings(&self) -> String {
        let Self { host, id_host, .. } = self;
        format!(
            "# Written by `portico init`; yours to change. Every setting: docs/configuration.md.\n\
             [server]\npublic_url = \"https://{host}\"\nlisten = \"0.0.0.0:8080\"\ndata_dir = \"/var/lib/portico\"\n\
             trusted_proxies = [\"{TRAEFIK}\"]\n\n\
             [database]\n# The password stands in the file that PGPASSFILE names.\nurl = \"postgres://portico@postgres/portico\"\n\n\
             [log]\nformat = \"json\"\n\n\
             [[resource]]\npath = \"/mcp\"\nname = \"MCP server\"\nscopes = [\"mcp:read\", \"mcp:write\", \"mcp:infer\"]\n\
             default_scope = \"mcp:read\"\n\n\
             [[resource_server]]\nid = \"mcp-server\"\npath = \"/mcp\"\nsecret_file = \"/run/secrets/mcp-server.secret\"\n\n\
             [[upstream]]\nid = \"keycloak\"\nkind = \"keycloak\"\nname = \"Company sign-in\"\n\
             issuer = \"https://{id_host}/realms/portico\"\nbackchannel_origin = \"http://keycloak:8080\"\nclient_id = \"portico\"\n\
             client_secret_file = \"/run/secrets/keycloak-client.secret\"\n"
        )
    }

    /// The realm as Keycloak imports it at its first start: one client, one person.
    fn realm(&self, client_secret: &str, password: &str) -> Result<String, String> {
        let origin = format!("https://{}", self.host);
        let mut realm: Value = serde_json::from_str(REALM).map_err(|cause| format!("the realm of this build is broken: {cause}"))?;
        realm["displayName"] = "Portico".into();
        // The suite types wrong passwords faster than people do; outside of it that is somebody guessing.
        for relaxed in ["quickLoginCheckMilliSeconds", "minimumQuickLoginWaitSeconds"] {
            realm.as_object_mut().map(|realm| realm.remove(relaxed));
        }
        realm["users"] = json!([{
            "username": FIRST_PERSON, "enabled": true, "email": format!("{FIRST_PERSON}@{}", self.host), "emailVerified": true,
            "firstName": "First", "lastName": "Person", "groups": ["/mcp/admins"], "realmRoles": ["default-roles-portico"],
            "credentials": [{ "type": "password", "value": password, "temporary": false }],
        }]);
        let clients = realm["clients"].as_array_mut().ok_or("the realm of this build has no clients")?;
        clients.retain(|client| client["clientId"] == "portico");
        for client in clients {
            client["secret"] = client_secret.into();
            client["redirectUris"] = json!([format!("{origin}/callback/keycloak")]);
            client["attributes"]["backchannel.logout.url"] = format!("{origin}/backchannel-logout/keycloak").into();
            client["attributes"]["post.logout.redirect.uris"] = format!("{origin}/logout").into();
        }
        serde_json::to_string_pretty(&realm).map_err(|cause| format!("could not write the realm: {cause}"))
    }

    fn told(&self, made: &[String]) -> String {
        if made.is_empty() {
            return "Everything is there already; nothing was changed.".to_owned();
        }
        let certificate = if self.tls == "files" {
            format!("\n  A certificate    tls/leaf.pem and tls/leaf.key, yours or by: portico dev-ca {} {}", self.host, self.id_host)
        } else {
            String::new()
        };
        format!(
            "Made {}.{certificate}\n  Start it         docker compose up --detach --wait\n  Give to a client https://{}/mcp\n  \
             Sign in as       {FIRST_PERSON}, with the password in secrets/first-person.password",
            made.join(", "),
            self.host
        )
    }
}

/// A host name, as the issuer is made of it.
fn name(text: &str) -> Result<String, String> {
    let issuer = IssuerUrl::parse(&format!("https://{text}")).map_err(|_| format!("`{text}` is no host name"))?;
    if issuer.authority() != issuer.host() || text.starts_with('[') {
        return Err(format!("`{text}` must be a name without a port"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _};

    use auth_server::config::{Layers, Override, resolve};

    use super::*;

    fn init(folder: &Path, host: &str) -> Result<(), String> {
        run(&Arguments { host: host.to_owned(), id_host: None, own_certificate: false, r#in: folder.to_owned() })
    }

    fn files_of(folder: &Path) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
                    folders.push(path);
                } else {
                    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
                    found.insert(path.clone(), fs::read_to_string(path).unwrap());
                }
            }
        }
        found
    }

    #[test]
    fn nothing_that_is_there_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), "mcp.example.com").unwrap();
        let first = files_of(folder.path());
        init(folder.path(), "other.example.com").unwrap();
        assert_eq!(files_of(folder.path()), first);
        fs::remove_file(folder.path().join("secrets/mcp-server.secret")).unwrap();
        init(folder.path(), "mcp.example.com").unwrap();
        let again = files_of(folder.path());
        assert_eq!(again.len(), first.len(), "only what is missing is made");
        assert_eq!(again.iter().filter(|(path, text)| first[*path] != **text).count(), 1);
    }

    #[test]
    fn every_secret_is_fresh_and_none_is_a_default() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        init(one.path(), "mcp.example.com").unwrap();
        init(two.path(), "mcp.example.com").unwrap();
        for (path, text) in files_of(one.path()) {
            assert!(!text.contains("dev-password") && !text.contains("dev-secret") && !text.contains("${PORTICO"), "{}", path.display());
            let other = two.path().join(path.strip_prefix(one.path()).unwrap());
            if path.starts_with(one.path().join("secrets")) {
                assert_ne!(fs::read_to_string(other).unwrap(), text, "{}", path.display());
            }
        }
        let environment = fs::read_to_string(one.path().join(".env")).unwrap();
        assert!(!environment.contains("prs_"), "names, no secrets");
    }

    #[test]
    fn the_realm_has_one_client_and_one_person() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), "mcp.example.com").unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join("secrets").join(name)).unwrap();
        let realm: Value = serde_json::from_str(&read("realm.json")).unwrap();
        assert_eq!((realm["clients"].as_array().unwrap().len(), realm["users"].as_array().unwrap().len()), (1, 1));
        assert_eq!(realm["clients"][0]["secret"], read("keycloak-client.secret").as_str());
        assert_eq!(realm["clients"][0]["redirectUris"], json!(["https://mcp.example.com/callback/keycloak"]));
        assert_eq!(realm["users"][0]["credentials"][0]["value"], read("first-person.password").as_str());
    }

    #[test]
    fn the_settings_are_sound() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), "mcp.example.com").unwrap();
        let inside = folder.path().join("secrets").display().to_string();
        let text = fs::read_to_string(folder.path().join("portico.toml")).unwrap().replace("/run/secrets", &inside);
        let file = folder.path().join("resolved.toml");
        fs::write(&file, text).unwrap();
        let data_dir = Override { key: "server.data_dir", value: folder.path().display().to_string().into(), flag: "--test" };
        let config = resolve(Layers::gather(Some(&file), std::iter::empty(), [data_dir]).unwrap()).unwrap();
        assert_eq!(config.issuer.as_str(), "https://mcp.example.com");
        assert_eq!((config.upstreams.len(), config.resource_servers.len()), (1, 1));
    }

    #[test]
    fn what_is_no_name_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["", "https://a", "a:8443", "a/b", "a b", "[::1]", "A.example"] {
            assert!(init(folder.path(), bad).is_err(), "{bad}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
