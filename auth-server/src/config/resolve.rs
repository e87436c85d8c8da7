//! Layers → [`Config`]: parse everything, cross-check, report all problems at once.

use std::{net::SocketAddr, path::PathBuf};

use oauth_types::{IssuerUrl, ResourceUri, Scope, TokenHash, Ttl};
use toml::{Table, Value};

use super::{
    AccountsConfig, Config, Database, GivenSealingKeys, KeysConfig, Layers, Lifetimes, LogConfig, OpenIdConfig, PagesConfig, Problem,
    Problems, RefreshConfig, RegistrationConfig, Resource, ResourceServer, SigningAlgorithm, SubjectType, UpstreamConfig, duration,
    layers::REPEATED, upstream::upstream,
};

/// A secret file holds one line; more than this is the wrong file.
const SECRET_BYTES_MAX: usize = 4096;
/// A resource's secret shorter than this can be guessed.
const SECRET_CHARACTERS_MIN: usize = 32;

/// More identity providers than fit on a page where somebody must choose.
const UPSTREAMS_MAX: usize = 16;

/// Makes values of what people wrote.
///
/// # Errors
/// Everything that is wrong, each with its key and where it was written.
pub fn resolve(layers: Layers) -> Result<Config, Problems> {
    let mut reader = Reader(layers);
    let listen: SocketAddr = reader.parsed("server.listen", "an address and port, as in 127.0.0.1:8080", ([127, 0, 0, 1], 8080).into());
    let issuer = reader.issuer(listen);
    let data_dir = PathBuf::from(reader.text("server.data_dir"));
    let mut resources = reader.resources(issuer.as_ref());
    let services = reader.services(&data_dir, issuer.as_ref(), &mut resources);
    let resource_servers = reader.resource_servers(&resources);
    let upstreams = reader.upstreams();
    let people = reader.people(&upstreams, &resources);
    let config = Config {
        listen,
        workers: usize::try_from(reader.number("server.workers", 0, 1024)).ok().filter(|count| *count > 0),
        trusted_proxies: reader.list("server.trusted_proxies", "an IP address", |text| text.parse().ok()),
        connections_max: usize::try_from(reader.number("server.connections_max", 1, 1_000_000)).unwrap_or(1),
        database: reader.database(&data_dir),
        keys: reader.keys(&data_dir),
        lifetimes: reader.lifetimes(),
        refresh: RefreshConfig {
            overlap: reader.duration("refresh.overlap", Ttl(0), Ttl::hours(1)),
            overlap_answers: reader.number("refresh.overlap_answers", 1, 10_000),
        },
        registration: reader.registration(),
        accounts: reader.accounts(upstreams.is_empty()),
        people,
        openid: reader.openid(),
        pages: PagesConfig { default_language: reader.text("pages.default_language"), product_name: reader.text("pages.product_name") },
        log: LogConfig { json: reader.one_of("log.format", &["human", "json"]) == 1, levels: reader.text("log.levels") },
        resources,
        services,
        resource_servers,
        upstreams,
        data_dir,
        // A placeholder only where a problem was noted: such a Config never leaves this function.
        issuer: issuer.unwrap_or_else(|| IssuerUrl::parse("http://127.0.0.1").expect("a loopback origin is an issuer")),
    };
    reader.cross_check(&config);
    if reader.0.problems.is_empty() { Ok(config) } else { Err(Problems(reader.0.problems)) }
}

/// Reads values and notes what is wrong with them.
pub(super) struct Reader(Layers);

impl Reader {
    pub(super) fn wrong(&mut self, key: &str, problem: impl Into<String>) {
        let source_name = self.0.sources.get(key).cloned().unwrap_or_default();
        self.0.problems.push(Problem { key: key.to_owned(), source_name, problem: problem.into() });
    }

    pub(super) fn text(&mut self, key: &str) -> String {
        match self.0.values.get(key) {
            Some(Value::String(text)) => text.clone(),
            _ => {
                self.wrong(key, "must be text");
                String::new()
            }
        }
    }

    fn parsed<T: std::str::FromStr>(&mut self, key: &str, form: &str, otherwise: T) -> T {
        let text = self.text(key);
        text.parse().unwrap_or_else(|_| {
            self.wrong(key, format!("must be {form}"));
            otherwise
        })
    }

    fn number(&mut self, key: &str, least: i64, most: i64) -> i64 {
        match self.0.values.get(key) {
            Some(Value::Integer(number)) if (least..=most).contains(number) => *number,
            _ => {
                self.wrong(key, format!("must be a number from {least} to {most}"));
                least
            }
        }
    }

    fn duration(&mut self, key: &str, least: Ttl, most: Ttl) -> Ttl {
        let text = self.text(key);
        match duration::parse(&text) {
            Ok(ttl) if ttl >= least && ttl <= most => ttl,
            Ok(_) => {
                self.wrong(key, format!("must be from {} to {}", duration::show(least), duration::show(most)));
                least
            }
            Err(problem) => {
                self.wrong(key, problem);
                least
            }
        }
    }

    fn list<T>(&mut self, key: &str, form: &str, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let Some(Value::Array(items)) = self.0.values.get(key).cloned() else {
            self.wrong(key, "must be a list");
            return Vec::new();
        };
        let mut parsed = Vec::with_capacity(items.len());
        for item in items {
            match item.as_str().and_then(&parse) {
                Some(value) => parsed.push(value),
                None => self.wrong(key, format!("each item must be {form}")),
            }
        }
        parsed
    }

    pub(super) fn one_of(&mut self, key: &str, words: &[&str]) -> usize {
        let text = self.text(key);
        words.iter().position(|word| *word == text).unwrap_or_else(|| {
            self.wrong(key, format!("must be one of: {}", words.join(", ")));
            0
        })
    }

    /// The public URL, or what follows from the address that we listen on.
    fn issuer(&mut self, listen: SocketAddr) -> Option<IssuerUrl> {
        const KEY: &str = "server.public_url";
        let written = self.text(KEY);
        if written.is_empty() && !listen.ip().is_loopback() {
            self.wrong(
                KEY,
                format!("must be set, for `{listen}` is not a loopback address and tells nobody under which name clients see it"),
            );
            return None;
        }
        let text = if written.is_empty() { format!("http://{listen}") } else { written };
        match IssuerUrl::parse(&text) {
            Ok(issuer) => Some(issuer),
            Err(fault) => {
                self.wrong(
                    KEY,
                    format!("must be an origin, https (or http on loopback), with no path and no trailing slash: {}", fault.explanation()),
                );
                None
            }
        }
    }

    fn database(&mut self, data_dir: &std::path::Path) -> Database {
        let text = self.text("database.url");
        if text.is_empty() {
            return Database::Sqlite(data_dir.join("portico.db"));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Database::Postgres(text);
        }
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Database::Sqlite(PathBuf::from(path.trim_start_matches("//")));
        }
        self.wrong("database.url", "must be postgres://… or sqlite:PATH, or empty for a file in the data directory");
        Database::Sqlite(PathBuf::new())
    }

    fn keys(&mut self, data_dir: &std::path::Path) -> KeysConfig {
        let (file, given) = (self.text("keys.sealing_key_file"), self.text("keys.sealing_keys"));
        if !file.is_empty() && !given.is_empty() {
            self.wrong("keys.sealing_keys", "must not be set beside keys.sealing_key_file");
        }
        let algorithms = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256];
        KeysConfig {
            algorithm: algorithms[self.one_of("keys.algorithm", &algorithms.map(SigningAlgorithm::as_str))],
            sealing_key_file: if file.is_empty() { data_dir.join("sealing.key") } else { PathBuf::from(file) },
            // An environment variable is one line for most who set it.
            sealing_keys: (!given.is_empty()).then(|| GivenSealingKeys(given.replace(',', "\n"))),
            rotate_after: self.duration("keys.rotate_after", Ttl::hours(1), Ttl::days(3650)),
            publish_before: self.duration("keys.publish_before", Ttl(0), Ttl::days(30)),
        }
    }

    fn lifetimes(&mut self) -> Lifetimes {
        Lifetimes {
            code: self.duration("lifetimes.code", Ttl(5), Ttl::minutes(10)),
            access_token: self.duration("lifetimes.access_token", Ttl::minutes(1), Ttl::hours(24)),
            refresh_token: self.duration("lifetimes.refresh_token", Ttl::minutes(5), Ttl::days(3650)),
            grant: self.duration("lifetimes.grant", Ttl::minutes(5), Ttl::days(3650)),
            browser_session: self.duration("lifetimes.browser_session", Ttl::minutes(1), Ttl::days(365)),
            consent: self.duration("lifetimes.consent", Ttl(0), Ttl::days(3650)),
            flow: self.duration("lifetimes.flow", Ttl::minutes(5), Ttl::minutes(10)),
            registration_unused: self.duration("lifetimes.registration_unused", Ttl::hours(1), Ttl::days(3650)),
        }
    }

    fn flag(&mut self, key: &str) -> bool {
        match self.0.values.get(key) {
            Some(Value::Boolean(flag)) => *flag,
            _ => {
                self.wrong(key, "must be true or false");
                false
            }
        }
    }

    fn openid(&mut self) -> OpenIdConfig {
        let kinds = [SubjectType::Public, SubjectType::Pairwise];
        let subject = kinds[self.one_of("openid.subject", &kinds.map(SubjectType::as_str))];
        OpenIdConfig { enabled: self.flag("openid.enabled"), subject }
    }

    fn registration(&mut self) -> RegistrationConfig {
        RegistrationConfig {
            open: self.one_of("registration.mode", &["closed", "open"]) == 1,
            other_https_allowed: self.one_of("registration.other_https", &["deny", "unverified"]) == 1,
            private_use_schemes: self.list("registration.private_use_schemes", "a URI scheme", |text| {
                let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c));
                plain.then(|| text.to_owned())
            }),
            per_source_hourly: u32::try_from(self.number("registration.per_source_hourly", 1, 1_000_000)).unwrap_or(1),
            pending_max: u64::try_from(self.number("registration.pending_max", 1, 100_000_000)).unwrap_or(1),
        }
    }

    fn accounts(&mut self, is_the_only_way: bool) -> AccountsConfig {
        let offered = match self.one_of("accounts.sign_in", &["auto", "on", "off"]) {
            0 => is_the_only_way,
            word => word == 1,
        };
        if !offered && is_the_only_way {
            self.wrong("accounts.sign_in", "is off and there is no [[upstream]], so nobody could sign in");
        }
        AccountsConfig {
            memory_kib: u32::try_from(self.number("accounts.memory_kib", 8, 1 << 20)).unwrap_or(19_456),
            passes: u32::try_from(self.number("accounts.passes", 1, 16)).unwrap_or(2),
            attempts: u32::try_from(self.number("accounts.attempts", 1, 1_000)).unwrap_or(10),
            attempts_window: self.duration("accounts.attempts_window", Ttl(1), Ttl::hours(24)),
            offered,
        }
    }

    /// The rows of a repeated table, with unknown keys noted.
    pub(super) fn rows(&mut self, name: &'static str) -> Vec<Table> {
        let template = self.0.templates.get(name).cloned().unwrap_or_default();
        let known: Vec<String> = match REPEATED.iter().find(|(repeated, _)| *repeated == name) {
            Some((_, keys)) => keys.iter().map(|key| (*key).to_owned()).collect(),
            None => template.keys().cloned().collect(),
        };
        let Some(Value::Array(rows)) = self.0.values.get(name).cloned() else { return Vec::new() };
        let mut tables = Vec::with_capacity(rows.len());
        for row in rows {
            let Value::Table(table) = row else {
                self.wrong(name, "must be a table");
                continue;
            };
            for key in table.keys().filter(|key| !known.contains(key)) {
                self.wrong(name, format!("there is no setting `{key}` here; known are {}", known.join(", ")));
            }
            // A row says what it says; beneath it lies its template.
            let mut whole = template.clone();
            whole.extend(table);
            tables.push(whole);
        }
        tables
    }

    fn resources(&mut self, issuer: Option<&IssuerUrl>) -> Vec<Resource> {
        let mut resources: Vec<Resource> = Vec::new();
        for row in self.rows("resource") {
            match resource(&row, issuer) {
                Ok(resource) if resources.iter().any(|other| other.path == resource.path) => {
                    self.wrong("resource", format!("the path `{}` stands twice", resource.path));
                }
                Ok(resource) => resources.push(resource),
                Err(Some(problem)) => self.wrong("resource", problem),
                Err(None) => {}
            }
        }
        if resources.is_empty() && issuer.is_some() {
            self.wrong("resource", "there must be at least one protected resource");
        }
        resources
    }

    fn resource_servers(&mut self, resources: &[Resource]) -> Vec<ResourceServer> {
        let mut servers = Vec::new();
        for row in self.rows("resource_server") {
            match resource_server(&row, resources) {
                Ok(server) => servers.push(server),
                Err(problem) => self.wrong("resource_server", problem),
            }
        }
        servers
    }

    fn upstreams(&mut self) -> Vec<UpstreamConfig> {
        let mut upstreams: Vec<UpstreamConfig> = Vec::new();
        for row in self.rows("upstream") {
            match upstream(&row) {
                Ok(upstream) if upstreams.iter().any(|other| other.id == upstream.id) => {
                    self.wrong("upstream", format!("the id `{}` stands twice", upstream.id));
                }
                // A person is their issuer and its name for them: two rows of one issuer would be two roads to one person, with two sets
                // of rules.
                Ok(upstream) if upstreams.iter().any(|other| other.issuer == upstream.issuer) => {
                    self.wrong("upstream", format!("the issuer of `{}` stands twice", upstream.id));
                }
                Ok(upstream) => upstreams.push(upstream),
                Err(problems) => problems.into_iter().for_each(|problem| self.wrong("upstream", problem)),
            }
        }
        if upstreams.len() > UPSTREAMS_MAX {
            self.wrong("upstream", format!("there must be at most {UPSTREAMS_MAX}"));
        }
        upstreams
    }

    fn cross_check(&mut self, config: &Config) {
        if config.lifetimes.grant < config.lifetimes.refresh_token {
            self.wrong("lifetimes.grant", "must not be shorter than lifetimes.refresh_token");
        }
        if config.keys.publish_before >= config.keys.rotate_after {
            self.wrong("keys.publish_before", "must be shorter than keys.rotate_after");
        }
        if config.lifetimes.access_token > config.lifetimes.refresh_token {
            self.wrong("lifetimes.access_token", "must not be longer than lifetimes.refresh_token");
        }
        if config.log.levels.parse::<tracing_subscriber::filter::Targets>().is_err() {
            self.wrong("log.levels", "must be levels by target, as in info,auth_server=debug");
        }
    }
}

pub(super) fn field<'a>(row: &'a Table, key: &str) -> &'a str {
    row.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// `Err(None)`: the issuer is wrong already, so nothing can be said about its resources.
pub(super) fn resource(row: &Table, issuer: Option<&IssuerUrl>) -> Result<Resource, Option<String>> {
    let path = field(row, "path");
    if !path.starts_with('/') || path.len() < 2 || path.ends_with('/') || path.contains(['?', '#', '%', '"', '\\', ' ']) {
        return Err(Some(format!("the path `{path}` must begin with a slash, go on, and not end with one, as in /mcp")));
    }
    let words = row.get("scopes").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    let scopes = Scope::parse(&text).map_err(|fault| Some(format!("scopes of `{path}`: {}", fault.explanation())))?;
    let default_scope =
        Scope::parse(field(row, "default_scope")).map_err(|fault| Some(format!("default_scope of `{path}`: {}", fault.explanation())))?;
    if scopes.is_empty() || default_scope.is_empty() || !scopes.covers(&default_scope) {
        return Err(Some(format!("`{path}` needs scopes, and a default_scope that is a part of them")));
    }
    let uri = ResourceUri::parse(&issuer.ok_or(None)?.at(path)).map_err(|fault| Some(fault.explanation().to_owned()))?;
    let name = field(row, "name");
    Ok(Resource { uri, path: path.to_owned(), name: if name.is_empty() { path } else { name }.to_owned(), scopes, default_scope })
}

fn resource_server(row: &Table, resources: &[Resource]) -> Result<ResourceServer, String> {
    let (id, path) = (field(row, "id"), field(row, "path"));
    if id.is_empty() || id.len() > 128 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b)) {
        return Err(format!("the id `{id}` must be 1 to 128 letters, digits, or ._~-"));
    }
    let resource = resources.iter().find(|resource| resource.path == path).ok_or(format!("`{id}` names no [[resource]]: path `{path}`"))?;
    let secret = match (field(row, "secret"), field(row, "secret_file")) {
        ("", "") => return Err(format!("`{id}` needs secret_file")),
        (secret, "") => secret.to_owned(),
        ("", file) => read_secret(file).map_err(|problem| format!("secret_file of `{id}`: {problem}"))?,
        _ => return Err(format!("`{id}` has both secret and secret_file")),
    };
    if secret.len() < SECRET_CHARACTERS_MIN {
        return Err(format!("the secret of `{id}` is shorter than {SECRET_CHARACTERS_MIN} characters"));
    }
    Ok(ResourceServer { id: id.to_owned(), resource: resource.uri.clone(), secret_hash: TokenHash::of(secret.as_bytes()) })
}

pub(super) fn read_secret(path: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|cause| format!("cannot be read: {cause}"))?;
    if text.len() > SECRET_BYTES_MAX {
        return Err("is too long for a secret".to_owned());
    }
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Override;

    fn with(overrides: &[(&'static str, &str)]) -> Result<Config, Problems> {
        let overrides = overrides
            .iter()
            .map(|(key, value)| Override { key, value: Value::String((*value).to_owned()), flag: "--test" })
            .collect::<Vec<_>>();
        resolve(Layers::gather(None, std::iter::empty(), overrides)?)
    }

    #[test]
    fn the_defaults_are_a_working_configuration() {
        let config = with(&[]).unwrap();
        assert_eq!(config.issuer.as_str(), "http://127.0.0.1:8080");
        assert_eq!(config.default_resource().uri.as_str(), "http://127.0.0.1:8080/mcp");
        assert_eq!(config.lifetimes.code, Ttl(60));
        assert_eq!(config.refresh.overlap, Ttl(120));
    }

    #[test]
    fn sealing_keys_come_from_a_file_or_from_the_environment() {
        assert_eq!(with(&[]).unwrap().keys.sealing_keys, None);
        let given = with(&[("keys.sealing_keys", "2:AAAA,1:BBBB")]).unwrap().keys.sealing_keys.unwrap();
        assert_eq!(given.expose(), "2:AAAA\n1:BBBB");
        assert!(!format!("{given:?}").contains("AAAA"));
        assert!(with(&[("keys.sealing_keys", "1:AAAA"), ("keys.sealing_key_file", "keys")]).is_err());
    }

    #[test]
    fn all_problems_are_reported_together() {
        let Err(Problems(problems)) =
            with(&[("lifetimes.code", "soon"), ("keys.algorithm", "HS256"), ("server.public_url", "https://a.example/x")])
        else {
            panic!("three mistakes were accepted");
        };
        let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert!(["lifetimes.code", "keys.algorithm", "server.public_url"].iter().all(|key| keys.contains(key)), "{keys:?}");
    }

    #[test]
    fn an_address_that_strangers_reach_needs_a_public_url() {
        assert!(with(&[("server.listen", "0.0.0.0:8080")]).is_err());
        assert!(with(&[("server.listen", "0.0.0.0:8080"), ("server.public_url", "https://mcp.example.com")]).is_ok());
    }

    /// RFC 8414 §2: the issuer uses the https scheme. http is for loopback only.
    #[test]
    fn http_off_loopback_is_refused() {
        assert!(with(&[("server.public_url", "http://mcp.example.com")]).is_err());
    }

    #[test]
    fn a_grant_lives_at_least_as_long_as_its_refresh_token() {
        assert!(with(&[("lifetimes.grant", "1d"), ("lifetimes.refresh_token", "2d")]).is_err());
        assert!(with(&[("lifetimes.grant", "2d"), ("lifetimes.refresh_token", "2d")]).is_ok());
    }
}
