//! Skeleton.

use async_trait::async_trait;
use url::Url;

use super::{Arrival, Asking, Callback, Departure, LogoutNotice, Memory, Recheck, UpstreamError, UpstreamIdp, UpstreamToken};
use crate::config::UpstreamConfig;

/// One provider.
pub(super) struct Github {
    settings: UpstreamConfig,
}

impl Github {
    /// Knows it; asks nothing yet.
    pub(super) fn new(settings: UpstreamConfig) -> Self {
        Self { settings }
    }
}

#[async_trait]
impl UpstreamIdp for Github {
    fn settings(&self) -> &UpstreamConfig {
        &self.settings
    }

    async fn depart(&self, _: &Asking<'_>) -> Result<Departure, UpstreamError> {
        Err(UpstreamError::unavailable("not yet"))
    }

    async fn arrive(&self, _: Callback, _: &Memory, _: &str) -> Result<Arrival, UpstreamError> {
        Err(UpstreamError::unavailable("not yet"))
    }

    async fn still_stands(&self, _: &str, _: &UpstreamToken) -> Recheck {
        Recheck { rotated: None, standing: Err(UpstreamError::unavailable("not yet")) }
    }

    async fn read_logout_notice(&self, _: &str) -> Result<LogoutNotice, UpstreamError> {
        Err(UpstreamError::unavailable("not yet"))
    }

    async fn sign_out(&self, _: &UpstreamToken, _: &str, _: &str) -> Option<Url> {
        None
    }

    async fn tend(&self) {}
}
