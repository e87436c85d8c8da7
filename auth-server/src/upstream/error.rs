//! Why a provider gave nothing that we can use.

use oauth_types::{Error, Outage, Refusal, UpstreamFault};

/// Three ways to fail, three different things to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// It gave no answer, or said that it cannot: try again later. Never the person's fault, so never an ending (attack 58).
    #[error("the identity provider gave no answer")]
    Unavailable(#[source] Outage),
    /// It answered, and the answer is not believed.
    #[error("the identity provider is not believed: {0}")]
    Distrusted(#[from] UpstreamFault),
    /// The person said no there, or it said no to the person.
    #[error("the identity provider refused the sign-in")]
    Refused,
}

impl UpstreamError {
    /// No answer, and why.
    pub(crate) fn unavailable(what: &'static str) -> Self {
        Self::Unavailable(Outage::new(what))
    }

    /// The reason, as the log tells it.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Distrusted(fault) => fault.reason(),
            Self::Refused => Refusal::ByUpstream.reason(),
        }
    }
}

impl From<UpstreamError> for Error {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::Unavailable(outage) => outage.into(),
            UpstreamError::Distrusted(fault) => fault.into(),
            UpstreamError::Refused => Refusal::ByUpstream.into(),
        }
    }
}
