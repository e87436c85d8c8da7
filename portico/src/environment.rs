//! What every command needs to know: where the installation is, and its settings.

use std::path::PathBuf;

use auth_server::config::{Config, Layers, Override, resolve};
use toml::Value;

/// Which installation a command speaks of.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Place {
    /// A configuration file; every setting is in docs/configuration.md.
    #[arg(long, value_name = "FILE", env = "PORTICO_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Where the database file, the sealing key and other state live.
    #[arg(long, value_name = "DIR", env = "PORTICO_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// postgres://… instead of a file in the data directory.
    #[arg(long, value_name = "URL", env = "PORTICO_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,
}

impl Place {
    /// These flags as settings.
    pub(crate) fn overrides(&self) -> Vec<Override> {
        let data_dir = self.data_dir.as_ref().map(|path| text("server.data_dir", path.display().to_string(), "--data-dir"));
        let database = self.database.clone().map(|url| text("database.url", url, "--database"));
        data_dir.into_iter().chain(database).collect()
    }

    /// The settings, laid over one another.
    pub(crate) fn layers(&self, more: Vec<Override>) -> Result<Layers, String> {
        let overrides = self.overrides().into_iter().chain(more);
        Layers::gather(self.config.as_deref(), std::env::vars(), overrides).map_err(|problems| problems.to_string())
    }

    /// The settings in force.
    pub(crate) fn resolve(&self, more: Vec<Override>) -> Result<Config, String> {
        resolve(self.layers(more)?).map_err(|problems| problems.to_string())
    }
}

/// A setting that is text.
pub(crate) fn text(key: &'static str, value: String, flag: &'static str) -> Override {
    Override { key, value: Value::String(value), flag }
}

/// The password from the environment.
pub(crate) fn password() -> Option<String> {
    secret("PORTICO_PASSWORD")
}

/// A secret from the environment. It is never an argument: other people of the machine can read those.
#[expect(clippy::disallowed_methods, reason = "the programs layer reads the environment once, at start")]
pub(crate) fn secret(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|secret| !secret.is_empty())
}
