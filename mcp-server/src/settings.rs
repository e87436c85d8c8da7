//! The settings of our own program: a TOML file, the environment and flags, in this order; the last word wins.
//!
//! Ends in a [`Config`]; nothing else of the server reads a file, a flag or the environment. `portico up` does not come
//! through here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bearer_guard::EndedFeed;
use clap::Parser;
use oauth_types::{ClientSecret, IssuerUrl, ResourceUri};
use serde::Deserialize;
use url::Url;

use crate::Config;

/// The protected MCP server of Portico.
///
/// Serves the documents of a folder as MCP tools, resources and prompts, to callers with a token of the issuer whose
/// audience is this server. Settings come from the file, then the environment, then these flags; the last word wins.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  mcp-server --issuer https://auth.example --resource https://mcp.example/mcp --documents handbook/\n\n\
The file has the same names with underscores:\n  issuer = \"https://auth.example\"\n  resource = \"https://mcp.example/mcp\"\n  documents = \"handbook\""
)]
pub struct Flags {
    /// A TOML file with these settings (underscores instead of hyphens)
    #[arg(long, env = "MCP_SERVER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

/// One layer of settings; the same names in the file and as flags.
#[derive(Debug, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Where to listen [default: 127.0.0.1:8081]
    #[arg(long, env = "MCP_SERVER_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Who mints the tokens: the authorization server's issuer URL
    #[arg(long, env = "MCP_SERVER_ISSUER", value_name = "URL")]
    issuer: Option<String>,
    /// What this server is called from outside, path included; the audience of its tokens
    #[arg(long, env = "MCP_SERVER_RESOURCE", value_name = "URL")]
    resource: Option<String>,
    /// Where the issuer's keys are, if not at its /jwks.json: an internal address, for example
    #[arg(long, env = "MCP_SERVER_JWKS_URL", value_name = "URL")]
    jwks_url: Option<String>,
    /// The issuer's feed of tokens that ended early; without it a revoked token lives until it expires
    #[arg(long, env = "MCP_SERVER_ENDED_URL", value_name = "URL")]
    ended_url: Option<String>,
    /// This server's client id at the issuer, for the feed
    #[arg(long, env = "MCP_SERVER_CLIENT_ID", value_name = "ID")]
    client_id: Option<String>,
    /// A file with this server's client secret at the issuer (or the environment variable itself)
    #[arg(long, env = "MCP_SERVER_CLIENT_SECRET_FILE", value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// The folder of documents [default: docs]
    #[arg(long, env = "MCP_SERVER_DOCUMENTS", value_name = "DIR")]
    documents: Option<PathBuf>,
    /// Where people read the same folder; without it results carry signed links to plain pages of this server
    #[arg(long, env = "MCP_SERVER_DOCUMENTS_BASE_URL", value_name = "URL")]
    documents_base_url: Option<Url>,
    /// Where notes are written [default: notes in the state directory]
    #[arg(long, env = "MCP_SERVER_NOTES", value_name = "DIR")]
    notes: Option<PathBuf>,
    /// Where sessions, the index and the key file live [default: mcp-server-data]
    #[arg(long, env = "MCP_SERVER_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// A web origin that may call from a browser, such as an MCP Inspector (may be repeated)
    #[arg(long, env = "MCP_SERVER_ALLOWED_ORIGINS", value_name = "ORIGIN", value_delimiter = ',')]
    allowed_origins: Vec<String>,
    /// Another name this server is called by, such as an internal one behind a proxy (may be repeated)
    #[arg(long, env = "MCP_SERVER_ALLOWED_HOSTS", value_name = "HOST", value_delimiter = ',')]
    allowed_hosts: Vec<String>,
    /// Answer without sessions, in every protocol version
    #[arg(long, env = "MCP_SERVER_NO_SESSIONS")]
    no_sessions: bool,
    /// Offer the fixture tools of the public conformance suite; never in production
    #[arg(long, env = "MCP_SERVER_CONFORMANCE_FIXTURES")]
    conformance_fixtures: bool,
}

/// What is wrong with the settings, said so that it can be put right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A file could not be read.
    #[error("could not read `{}`", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// The file is not TOML, or names a setting that does not exist.
    #[error("could not understand `{}`", .0.display())]
    Malformed(PathBuf, #[source] Box<toml::de::Error>),
    /// A setting without a default was not given.
    #[error("`{0}` must be given, as a flag, in the environment or in the file")]
    Missing(&'static str),
    /// A setting has a value that cannot be used.
    #[error("`{0}` is not usable: {1}")]
    Unusable(&'static str, String),
}

impl Flags {
    /// Where to listen, and the configuration of the server.
    ///
    /// # Errors
    /// The first setting that is missing or cannot be used.
    pub fn resolve(self) -> Result<(SocketAddr, Config), SettingsError> {
        let file = match &self.config {
            Some(path) => read(path)?,
            None => Settings::default(),
        };
        self.settings.over(file).resolve()
    }
}

fn read(path: &Path) -> Result<Settings, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable(path.to_owned(), source))?;
    toml::from_str(&text).map_err(|source| SettingsError::Malformed(path.to_owned(), Box::new(source)))
}

impl Settings {
    fn over(self, below: Self) -> Self {
        let list = |ours: Vec<String>, theirs| if ours.is_empty() { theirs } else { ours };
        Self {
            listen: self.listen.or(below.listen),
            issuer: self.issuer.or(below.issuer),
            resource: self.resource.or(below.resource),
            jwks_url: self.jwks_url.or(below.jwks_url),
            ended_url: self.ended_url.or(below.ended_url),
            client_id: self.client_id.or(below.client_id),
            client_secret_file: self.client_secret_file.or(below.client_secret_file),
            documents: self.documents.or(below.documents),
            documents_base_url: self.documents_base_url.or(below.documents_base_url),
            notes: self.notes.or(below.notes),
            state_dir: self.state_dir.or(below.state_dir),
            allowed_origins: list(self.allowed_origins, below.allowed_origins),
            allowed_hosts: list(self.allowed_hosts, below.allowed_hosts),
            no_sessions: self.no_sessions || below.no_sessions,
            conformance_fixtures: self.conformance_fixtures || below.conformance_fixtures,
        }
    }

    fn resolve(self) -> Result<(SocketAddr, Config), SettingsError> {
        let ended = self.ended()?;
        let listen = self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8081)));
        let issuer = self.issuer.ok_or(SettingsError::Missing("issuer"))?;
        let issuer =
            IssuerUrl::parse(&issuer).map_err(|_| SettingsError::Unusable("issuer", "an https origin without path is needed".into()))?;
        let resource = self.resource.ok_or(SettingsError::Missing("resource"))?;
        let resource = ResourceUri::parse(&resource)
            .map_err(|_| SettingsError::Unusable("resource", "an absolute URL without fragment is needed".into()))?;
        if resource.path() != "/mcp" {
            return Err(SettingsError::Unusable("resource", "this server answers at the path /mcp".into()));
        }
        let state_dir = self.state_dir.unwrap_or_else(|| "mcp-server-data".into());
        let mut config = Config::new(issuer, resource, state_dir, self.documents.unwrap_or_else(|| "docs".into()));
        if let Some(jwks_url) = self.jwks_url {
            config.jwks_url = jwks_url;
        }
        config.ended = ended;
        config.documents_base_url = self.documents_base_url;
        config.notes = self.notes;
        config.allowed_origins = self.allowed_origins;
        config.allowed_hosts = self.allowed_hosts;
        config.sessions = !self.no_sessions;
        config.conformance_fixtures = self.conformance_fixtures;
        Ok((listen, config))
    }

    fn ended(&self) -> Result<Option<EndedFeed>, SettingsError> {
        let Some(url) = self.ended_url.clone() else { return Ok(None) };
        let client_id = self.client_id.clone().ok_or(SettingsError::Missing("client_id"))?;
        let path = self.client_secret_file.as_ref().ok_or(SettingsError::Missing("client_secret_file"))?;
        let secret = std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable(path.clone(), source))?;
        Ok(Some(EndedFeed { url, client_id, client_secret: ClientSecret::new(secret.trim().to_owned()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(arguments: &[&str]) -> Flags {
        Flags::parse_from(std::iter::once("mcp-server").chain(arguments.iter().copied()))
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mcp.toml");
        std::fs::write(&file, "issuer = \"https://file.example\"\nresource = \"https://mcp.example/mcp\"\nno_sessions = true\n").unwrap();
        let (_, config) = flags(&["--config", file.to_str().unwrap(), "--issuer", "https://flag.example"]).resolve().unwrap();
        assert_eq!(config.issuer.as_str(), "https://flag.example");
        assert_eq!(config.resource.as_str(), "https://mcp.example/mcp");
        assert_eq!(config.jwks_url, "https://flag.example/jwks.json");
        assert!(!config.sessions);
    }

    #[test]
    fn what_is_missing_or_misspelt_is_named() {
        assert!(matches!(flags(&["--issuer", "https://a.example"]).resolve(), Err(SettingsError::Missing("resource"))));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mcp.toml");
        std::fs::write(&file, "isuer = \"https://a.example\"\n").unwrap();
        assert!(matches!(flags(&["--config", file.to_str().unwrap()]).resolve(), Err(SettingsError::Malformed(..))));
        let elsewhere = flags(&["--issuer", "https://a.example", "--resource", "https://a.example/other"]).resolve();
        assert!(matches!(elsewhere, Err(SettingsError::Unusable("resource", _))));
    }

    #[test]
    fn the_flags_are_well_formed() {
        use clap::CommandFactory as _;
        Flags::command().debug_assert();
    }
}
