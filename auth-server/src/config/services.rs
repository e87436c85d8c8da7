//! Services: protected resources behind this origin that cannot check a token themselves, so that `/verify` does it for them.
//!
//! Each is one `[[service]]` table, in the configuration file or in a file of its own in `server.services_dir`, where
//! `portico service add` writes it. A service is also a resource: tokens are asked for and minted for it like for any other. Its name is
//! the first segment of its paths; the proxy takes that segment off before the service sees the request.

use std::path::{Path, PathBuf};

use oauth_types::{IssuerUrl, Scope};
use toml::{Table, Value};
use url::Url;

use super::{
    Resource,
    resolve::{Reader, field, resource},
};

/// The table of one service.
pub(super) const TABLE: &str = "service";
/// What it may say.
pub(super) const KEYS: [&str; 6] = ["name", "url", "path", "title", "scopes", "default_scope"];
/// One origin with more than this many services wants a gateway.
const SERVICES_MAX: usize = 256;
/// A service file is ten lines.
const FILE_BYTES_MAX: u64 = 16 * 1024;
/// A name stands in URLs, file names and router names.
const NAME_BYTES_MAX: usize = 32;
/// Where an MCP server answers when nobody says otherwise.
const ENDPOINT: &str = "/mcp";

/// First segments of paths that are ours, or that an identity provider beside us has: no service may stand there.
const RESERVED: [&str; 27] = [
    "admin",
    "api",
    "assets",
    "authorize",
    "backchannel-logout",
    "callback",
    "consent",
    "device",
    "documents",
    "ended",
    "health",
    "introspect",
    "jwks",
    "login",
    "logout",
    "mcp",
    "oauth",
    "par",
    "portico",
    "realms",
    "register",
    "resources",
    "revoke",
    "static",
    "token",
    "userinfo",
    "verify",
];

/// The name of a service: 1 to 32 lower-case letters, digits and inner hyphens, and none of our own paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(Box<str>);

impl ServiceName {
    /// Reads one.
    ///
    /// # Errors
    /// A sentence that says what a name may be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_plain = !text.is_empty()
            && text.len() <= NAME_BYTES_MAX
            && text.bytes().all(|byte| is_letter(byte) || byte == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if !is_plain {
            return Err(format!("the name `{text}` must be 1 to {NAME_BYTES_MAX} lower-case letters, digits and inner hyphens"));
        }
        if RESERVED.contains(&text) {
            return Err(format!("the name `{text}` is a path of Portico itself; choose another"));
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a service listens: scheme, host and port. Its own paths stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUrl(Box<str>);

impl ServiceUrl {
    /// Reads one.
    ///
    /// # Errors
    /// A sentence that says what it may be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` must be http:// or https://, a host and maybe a port, and nothing behind it");
        let url = Url::parse(text).map_err(|_| wrong())?;
        let is_plain = matches!(url.scheme(), "http" | "https") && url.has_host() && url.username().is_empty() && url.password().is_none();
        if !is_plain || url.path() != "/" || url.query().is_some() || url.fragment().is_some() || text.contains(['@', '?', '#']) {
            return Err(wrong());
        }
        Ok(Self(url.origin().ascii_serialization().into()))
    }

    /// `http://127.0.0.1:3001`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A protected resource that `/verify` guards.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name, which is the first segment of its paths.
    pub name: ServiceName,
    /// Where it listens.
    pub url: ServiceUrl,
    /// What tokens for it look like; `default_scope` is what a token needs to come in at all.
    pub resource: Resource,
}

impl Service {
    /// Reads one table.
    ///
    /// # Errors
    /// What is wrong with it; `None` when the issuer is wrong already, so that nothing can be said.
    pub fn read(row: &Table, issuer: Option<&IssuerUrl>) -> Result<Self, Option<String>> {
        if let Some(key) = row.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(Some(format!("there is no setting `{key}` here; known are {}", KEYS.join(", "))));
        }
        let name = ServiceName::parse(field(row, "name")).map_err(Some)?;
        let url = ServiceUrl::parse(field(row, "url")).map_err(|problem| Some(format!("url of `{}`: {problem}", name.as_str())))?;
        let own = format!("/{}", name.as_str());
        let path = match field(row, "path") {
            "" => format!("{own}{ENDPOINT}"),
            path => path.to_owned(),
        };
        if path != own && !path.starts_with(&format!("{own}/")) {
            return Err(Some(format!("the path `{path}` must be `{own}` or below it")));
        }
        let title = match field(row, "title") {
            "" => name.as_str(),
            title => title,
        };
        let scopes = row.get("scopes").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
        let default_scope = match field(row, "default_scope") {
            "" => first(&scopes),
            text => text.to_owned(),
        };
        let as_resource = Table::from_iter([
            ("path".to_owned(), Value::String(path)),
            ("name".to_owned(), Value::String(title.to_owned())),
            ("scopes".to_owned(), scopes),
            ("default_scope".to_owned(), Value::String(default_scope)),
        ]);
        Ok(Self { resource: resource(&as_resource, issuer)?, name, url })
    }

    /// The scope without which nobody comes in.
    pub fn needed(&self) -> &Scope {
        &self.resource.default_scope
    }
}

/// The first scope that stands in the list.
fn first(scopes: &Value) -> String {
    let word = scopes.as_array().and_then(|words| words.first()).and_then(Value::as_str);
    word.unwrap_or_default().to_owned()
}

/// Where the files of services lie.
pub fn services_folder(written: &str, data_dir: &Path) -> PathBuf {
    if written.is_empty() { data_dir.join("services") } else { PathBuf::from(written) }
}

/// The service that one file holds.
///
/// # Errors
/// The file cannot be read, is too large, or is not one `[[service]]`.
pub fn read_service_file(path: &Path) -> Result<Table, String> {
    let wrong = |problem: String| format!("{}: {problem}", path.display());
    let size = std::fs::metadata(path).map_err(|cause| wrong(format!("cannot be read: {cause}")))?.len();
    if size > FILE_BYTES_MAX {
        return Err(wrong(format!("is larger than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|cause| wrong(format!("cannot be read: {cause}")))?;
    let mut table: Table = text.parse().map_err(|cause: toml::de::Error| wrong(format!("is not TOML: {}", cause.message())))?;
    match (table.remove(TABLE), table.is_empty()) {
        (Some(Value::Array(mut rows)), true) if rows.len() == 1 => match rows.pop() {
            Some(Value::Table(row)) => Ok(row),
            _ => Err(wrong("must hold one [[service]]".to_owned())),
        },
        _ => Err(wrong("must hold one [[service]] and nothing else".to_owned())),
    }
}

/// The service files of a folder, in order of their names; a folder that is not there has none.
///
/// # Errors
/// The folder cannot be read.
pub fn service_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(format!("{}: cannot be read: {cause}", folder.display())),
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    Ok(files)
}

impl Reader {
    /// Every service, of the configuration and of its folder; each is put among the resources too.
    pub(super) fn services(&mut self, data_dir: &Path, issuer: Option<&IssuerUrl>, resources: &mut Vec<Resource>) -> Vec<Service> {
        const FOLDER: &str = "server.services_dir";
        let mut rows = self.rows(TABLE);
        match service_files(&services_folder(&self.text(FOLDER), data_dir)) {
            Ok(files) => {
                for file in files {
                    match read_service_file(&file) {
                        Ok(row) => rows.push(row),
                        Err(problem) => self.wrong(FOLDER, problem),
                    }
                }
            }
            Err(problem) => self.wrong(FOLDER, problem),
        }
        if rows.len() > SERVICES_MAX {
            self.wrong(TABLE, format!("there are {} services; at most {SERVICES_MAX} stand on one origin", rows.len()));
            return Vec::new();
        }
        let mut services: Vec<Service> = Vec::with_capacity(rows.len());
        for row in rows {
            match Service::read(&row, issuer) {
                Ok(service) if services.iter().any(|other| other.name == service.name) => {
                    self.wrong(TABLE, format!("the service `{}` stands twice", service.name.as_str()));
                }
                Ok(service) => match resources.iter().find(|other| stands_within(&service, &other.path)) {
                    Some(other) => self.wrong(
                        TABLE,
                        format!("the service `{}` would take the path `{}`, which is a [[resource]]", service.name.as_str(), other.path),
                    ),
                    None => services.push(service),
                },
                Err(Some(problem)) => self.wrong(TABLE, problem),
                Err(None) => {}
            }
        }
        resources.extend(services.iter().map(|service| service.resource.clone()));
        services
    }
}

/// Is this path below the service's segment?
fn stands_within(service: &Service, path: &str) -> bool {
    path.trim_start_matches('/').split('/').next() == Some(service.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layers, Override, Problems, resolve};

    fn issuer() -> IssuerUrl {
        IssuerUrl::parse("https://mcp.example.com").unwrap()
    }

    fn read(text: &str) -> Result<Service, Option<String>> {
        Service::read(&text.parse().unwrap(), Some(&issuer()))
    }

    #[test]
    fn a_service_is_a_resource_below_its_name() {
        let service = read("name = \"notes\"\nurl = \"http://notes:3001/\"\nscopes = [\"notes:read\", \"notes:write\"]").unwrap();
        assert_eq!(service.resource.uri.as_str(), "https://mcp.example.com/notes/mcp");
        assert_eq!((service.url.as_str(), service.resource.name.as_str()), ("http://notes:3001", "notes"));
        assert_eq!(service.needed().as_str(), "notes:read");
        let other = read("name = \"api1\"\nurl = \"https://h\"\npath = \"/api1\"\ntitle = \"An API\"\nscopes = [\"a\"]").unwrap();
        assert_eq!((other.resource.path.as_str(), other.resource.name.as_str()), ("/api1", "An API"));
    }

    #[test]
    fn a_name_is_one_plain_segment_and_none_of_ours() {
        for good in ["a", "notes", "notes-2", "0"] {
            assert_eq!(ServiceName::parse(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for bad in ["", "-a", "a-", "A", "a/b", "..", "a.b", "a_b", "ä", "a b", "token", "mcp", "admin", &long] {
            assert!(ServiceName::parse(bad).is_err(), "{bad}");
        }
    }

    /// A service on one of our own paths would be shadowed by us, or shadow us.
    #[test]
    fn no_service_stands_on_a_route_of_ours() {
        let routes = include_str!("../routes.rs").split("#[cfg(test)]").next().unwrap();
        let segments = routes.split('"').skip(1).step_by(2).filter_map(|text| text.strip_prefix('/')?.split('/').next());
        let ours: Vec<&str> = segments.filter(|segment| !segment.is_empty() && !segment.contains(['.', '{'])).collect();
        assert!(ours.len() > 8, "{ours:?}");
        for segment in ours {
            assert!(ServiceName::parse(segment).is_err(), "`{segment}` is a route and not reserved");
        }
    }

    #[test]
    fn a_service_listens_at_an_origin() {
        for good in ["http://127.0.0.1:3001", "http://everything:3001/", "https://a.example", "http://[::1]:80"] {
            assert!(ServiceUrl::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "127.0.0.1:3001", "ftp://a", "http://a/mcp", "http://a?x", "http://a#x", "http://u@a", "http://u:p@a", "http://"] {
            assert!(ServiceUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_service_is_said() {
        let told = |text: &str| read(text).unwrap_err().unwrap();
        let rest = "url = \"http://n\"\nscopes = [\"a\"]";
        assert!(told("name = \"n\"\nurl = \"http://n\"\nscopes = []").contains("needs scopes"));
        assert!(told(&format!("name = \"n\"\n{rest}\ndefault_scope = \"b\"")).contains("part of them"));
        assert!(told(&format!("name = \"n\"\n{rest}\npath = \"/nx/mcp\"")).contains("below it"));
        assert!(told(&format!("name = \"n\"\n{rest}\nsecret = \"x\"")).contains("`secret`"));
    }

    fn with_files(files: &[(&str, &str)]) -> Result<Config, Problems> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let given = Override { key: "server.services_dir", value: folder.path().display().to_string().into(), flag: "--test" };
        resolve(Layers::gather(None, std::iter::empty(), [given])?)
    }

    #[test]
    fn each_file_of_the_folder_is_a_service() {
        let file = |name: &str| format!("[[service]]\nname = \"{name}\"\nurl = \"http://{name}\"\nscopes = [\"{name}:use\"]\n");
        let (one, two) = (file("one"), file("two"));
        let config = with_files(&[("two.toml", &two), ("one.toml", &one), ("readme.txt", "no service")]).unwrap();
        assert_eq!(config.services.iter().map(|service| service.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(config.resources.len(), 3);
        assert_eq!(config.default_resource().path, "/mcp", "a service is never the default");
        assert!(config.every_scope().contains("two:use"));
    }

    #[test]
    fn a_file_that_is_no_service_stops_the_start() {
        let good = "[[service]]\nname = \"one\"\nurl = \"http://one\"\nscopes = [\"a\"]\n";
        assert!(with_files(&[("one.toml", good)]).is_ok());
        for bad in
            ["", "name = \"one\"", &format!("{good}[server]\nlisten = \"x\""), &good.repeat(2), "[[service]", &format!("{good}x = 1")]
        {
            assert!(with_files(&[("one.toml", bad)]).is_err(), "{bad}");
        }
        assert!(with_files(&[("one.toml", good), ("again.toml", good)]).is_err(), "one name, two files");
    }
}
