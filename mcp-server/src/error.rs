//! Why the server could not be opened. Refusals of requests are `oauth_types::Error` (the guard's) or JSON-RPC errors.

use std::path::{Path, PathBuf};

/// A reason that stops the start, told to the operator with the cause in its source chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A file or folder of the state directory could not be made, read or written.
    #[error("could not use `{}` of the state directory", path.display())]
    State {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// One of the two database files could not be opened or brought to its schema.
    #[error("could not open the database `{}`", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The folder of documents is missing or cannot be read.
    #[error("could not read the documents folder `{}`", path.display())]
    Documents {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The guard refused its configuration.
    #[error("could not set up the guard")]
    Guard(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl OpenError {
    pub(crate) fn state(path: &Path, source: std::io::Error) -> Self {
        Self::State { path: path.to_owned(), source }
    }

    pub(crate) fn database(path: &Path, source: sqlx::Error) -> Self {
        Self::Database { path: path.to_owned(), source }
    }

    pub(crate) fn documents(path: &Path, source: std::io::Error) -> Self {
        Self::Documents { path: path.to_owned(), source }
    }
}
