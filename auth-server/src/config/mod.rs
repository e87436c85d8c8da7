//! What the operator decided, parsed once.
//!
//! `default.toml` is every setting with its default and its sentence: the manual and the JSON schema are generated from it.
//! `layers.rs` knows the order of the sources, `resolve.rs` makes [`Config`] of them and reports every problem together.
//! After start nothing reads the environment.

mod duration;
mod layers;
mod manual;
mod people;
mod resolve;
mod services;
mod show;
mod upstream;

use std::{net::IpAddr, net::SocketAddr, path::PathBuf};

pub use layers::{Layers, Override};
pub use manual::{manual, schema};
use oauth_types::{IdpId, IssuerUrl, ResourceUri, Scope, TokenHash, Ttl};
pub use people::{PeopleConfig, Rule};
pub use resolve::resolve;
pub use services::{Service, ServiceName, ServiceUrl, read_service_file, service_files, services_folder};
pub use show::show;
pub use upstream::{UpstreamConfig, UpstreamKind, UpstreamLife, UpstreamSecret};

/// Everything the authorization server was told, as values that hold their promises.
#[derive(Debug, Clone)]
pub struct Config {
    /// The one string that stands in metadata, tokens and `iss` (spec: RFC 8414 §2).
    pub issuer: IssuerUrl,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where state lives.
    pub data_dir: PathBuf,
    /// Threads that answer; `None` is one a core.
    pub workers: Option<usize>,
    /// Proxies whose forwarded addresses are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Open connections per worker.
    pub connections_max: usize,
    /// Which database.
    pub database: Database,
    /// Signing keys.
    pub keys: KeysConfig,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// Refresh rotation.
    pub refresh: RefreshConfig,
    /// Who may register, with what.
    pub registration: RegistrationConfig,
    /// Accounts kept here.
    pub accounts: AccountsConfig,
    /// Who may enter, and with what.
    pub people: PeopleConfig,
    /// ID tokens and UserInfo.
    pub openid: OpenIdConfig,
    /// What people see.
    pub pages: PagesConfig,
    /// How to log.
    pub log: LogConfig,
    /// The protected resources; never empty, the first is the default.
    pub resources: Vec<Resource>,
    /// The resources that `/verify` guards; each stands among `resources` too.
    pub services: Vec<Service>,
    /// Who may introspect and follow endings.
    pub resource_servers: Vec<ResourceServer>,
    /// Where people sign in, in the operator's order; none is accounts kept here alone.
    pub upstreams: Vec<UpstreamConfig>,
}

/// Where durable facts are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file of our own.
    Sqlite(PathBuf),
    /// A server, by URL; it may carry a password, so it is never shown.
    Postgres(String),
}

/// Signing and sealing keys.
#[derive(Debug, Clone)]
pub struct KeysConfig {
    /// With which algorithm new keys sign.
    pub algorithm: SigningAlgorithm,
    /// The file of the sealing keys.
    pub sealing_key_file: PathBuf,
    /// The sealing keys themselves, in place of a file.
    pub sealing_keys: Option<GivenSealingKeys>,
    /// How long a key signs.
    pub rotate_after: Ttl,
    /// How long it is published before.
    pub publish_before: Ttl,
}

/// Sealing keys that stand in the configuration itself, which means in the environment: lines of a sealing key file.
#[derive(Clone, PartialEq, Eq)]
pub struct GivenSealingKeys(String);

impl GivenSealingKeys {
    /// The lines.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for GivenSealingKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GivenSealingKeys(…)")
    }
}

/// RFC 7518 §3.1, the asymmetric ones that we sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSA PKCS#1 v1.5, 2048 bits.
    Rs256,
}

impl SigningAlgorithm {
    /// Its name in a header or a key.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }
}

/// How long things live, in seconds.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are the settings; default.toml explains each")]
pub struct Lifetimes {
    pub code: Ttl,
    pub access_token: Ttl,
    pub refresh_token: Ttl,
    pub grant: Ttl,
    pub browser_session: Ttl,
    pub consent: Ttl,
    pub flow: Ttl,
    pub registration_unused: Ttl,
}

/// Rotation that survives a lost answer.
#[derive(Debug, Clone, Copy)]
pub struct RefreshConfig {
    /// How long a rotated token keeps working while its successor is unused; zero is strict.
    pub overlap: Ttl,
    /// How many such answers a rotation may have.
    pub overlap_answers: i64,
}

/// Dynamic registration.
#[derive(Debug, Clone)]
pub struct RegistrationConfig {
    /// May strangers register?
    pub open: bool,
    /// Are https callbacks of unknown clients allowed (as unverified)?
    pub other_https_allowed: bool,
    /// Which private-use schemes are.
    pub private_use_schemes: Vec<String>,
    /// Registrations from one source an hour.
    pub per_source_hourly: u32,
    /// Never-used clients in all.
    pub pending_max: u64,
}

/// Passwords.
#[derive(Debug, Clone, Copy)]
pub struct AccountsConfig {
    /// argon2id memory.
    pub memory_kib: u32,
    /// argon2id passes.
    pub passes: u32,
    /// Wrong passwords for one account and source before a wait.
    pub attempts: u32,
    /// The wait.
    pub attempts_window: Ttl,
    /// May people sign in with them?
    pub offered: bool,
}

/// OpenID Connect, for clients that ask who somebody is.
#[derive(Debug, Clone, Copy)]
pub struct OpenIdConfig {
    /// Are ID tokens issued and UserInfo answered?
    pub enabled: bool,
    /// What `sub` is.
    pub subject: SubjectType,
}

/// OpenID Connect Core §8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectType {
    /// The same name for every client.
    Public,
    /// Another name for every sector.
    Pairwise,
}

impl SubjectType {
    /// Its name in metadata.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Pairwise => "pairwise",
        }
    }
}

/// What people see.
#[derive(Debug, Clone)]
pub struct PagesConfig {
    /// Language tag used when the browser names none that we speak.
    pub default_language: String,
    /// The name on the pages.
    pub product_name: String,
}

/// How to log.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// JSON lines, or lines for people.
    pub json: bool,
    /// Levels by target.
    pub levels: String,
}

/// A protected resource that tokens are made for.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its identifier (RFC 8707), which is the `aud` of its tokens.
    pub uri: ResourceUri,
    /// Its path on our origin.
    pub path: String,
    /// What people call it.
    pub name: String,
    /// What may be asked for it.
    pub scopes: Scope,
    /// What is granted to who asks for nothing in particular.
    pub default_scope: Scope,
}

/// A resource's own credential: for introspection (RFC 7662 §2.1) and to follow endings.
#[derive(Debug, Clone)]
pub struct ResourceServer {
    /// Its client id.
    pub id: String,
    /// Whose tokens it may ask about.
    pub resource: ResourceUri,
    /// The hash of its secret.
    pub secret_hash: TokenHash,
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} ({source_name}): {problem}")]
pub struct Problem {
    /// Which setting, dotted.
    pub key: String,
    /// Where it was written.
    pub source_name: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// All that is wrong, together.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} problem(s):{}", .0.len(), list(.0))]
pub struct Problems(pub Vec<Problem>);

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}

impl Config {
    /// The resource that a client means when it names none.
    pub fn default_resource(&self) -> &Resource {
        // resolve.rs refuses an empty list.
        &self.resources[0]
    }

    /// The identity provider of this name.
    pub fn upstream(&self, id: &IdpId) -> Option<&UpstreamConfig> {
        self.upstreams.iter().find(|upstream| upstream.id == *id)
    }

    /// The resource of this identifier.
    pub fn resource(&self, uri: &ResourceUri) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.uri == *uri)
    }

    /// Every scope that some resource knows.
    pub fn every_scope(&self) -> Scope {
        self.resources.iter().skip(1).fold(self.resources[0].scopes.clone(), |all, resource| all.union(&resource.scopes))
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "Sqlite({})", path.display()),
            Self::Postgres(_) => f.write_str("Postgres(…)"),
        }
    }
}
