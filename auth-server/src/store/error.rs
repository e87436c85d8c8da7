//! What can go wrong in here. None of it is ever a protocol refusal: a database that does not answer says nothing about a token.

use oauth_types::{BoxError, Error, Outage};

/// Why the store gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no, or nothing.
    #[error("could not {operation}")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// What the database said.
        #[source]
        source: BoxError,
    },
    /// The database said nothing for too long. Whether the write happened is not known.
    #[error("the database did not answer in time")]
    Silent,
    /// More writes wait than we are willing to keep in memory.
    #[error("the queue of writes is full")]
    QueueFull,
    /// The server is stopping.
    #[error("the store is closed")]
    Closed,
    /// A column holds something that this program never writes.
    #[error("column `{column}` holds what nobody wrote")]
    Corrupt {
        /// Which column.
        column: &'static str,
    },
    /// The database is older or newer than this program.
    #[error("{0}")]
    Schema(String),
    /// A compare-and-set did not change what the judge had let through. Nothing of its group was kept.
    #[error("a judged row changed under its lock")]
    Disagreement,
}

impl StoreError {
    /// Names the operation that failed.
    pub(crate) fn when<E: Into<BoxError>>(operation: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Unavailable { operation, source: source.into() }
    }

    /// The same refusal for another member of its group: the cause stays with the first.
    pub(crate) fn echo(&self) -> Self {
        match self {
            Self::Unavailable { operation, source } => Self::Unavailable { operation, source: source.to_string().into() },
            Self::Silent => Self::Silent,
            Self::QueueFull => Self::QueueFull,
            Self::Closed => Self::Closed,
            Self::Corrupt { column } => Self::Corrupt { column },
            Self::Schema(text) => Self::Schema(text.clone()),
            Self::Disagreement => Self::Disagreement,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::TemporarilyUnavailable(Outage::caused("the store gave no answer", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_store_is_never_a_refusal() {
        let every = [
            StoreError::when("read a grant")(sqlx::Error::PoolTimedOut),
            StoreError::Silent,
            StoreError::QueueFull,
            StoreError::Closed,
            StoreError::Corrupt { column: "scope" },
            StoreError::Schema("too new".into()),
            StoreError::Disagreement,
        ];
        for error in every {
            let told = Error::from(error.echo());
            assert_eq!((told.code(), told.status()), ("temporarily_unavailable", 503), "{error}");
        }
    }
}
