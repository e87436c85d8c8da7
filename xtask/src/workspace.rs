//! Where the clone is, and how Cargo is called in it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, cache};

/// The root of the clone: this package's parent folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Cargo in the clone, building into the target folder that outlives it.
pub(crate) fn cargo(words: &[&str]) -> Result<Command> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(words).current_dir(root()).env("CARGO_TARGET_DIR", target_folder()?);
    // `cargo run` tells the program it starts which package it is: build scripts of the inner Cargo must not hear it.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// `CARGO_TARGET_DIR` where somebody chose one, else a folder in the cache.
pub(crate) fn target_folder() -> Result<PathBuf> {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(chosen) => Ok(root().join(chosen)),
        None => cache::subfolder("target"),
    }
}
