//! What the driver is asked to do, and what it found.

use serde::{Deserialize, Serialize};

/// One load.
#[derive(Debug, Deserialize)]
pub(crate) struct Job {
    /// `127.0.0.1:port`.
    pub(crate) authority: String,
    /// The server's process: its processor time is what is measured.
    pub(crate) pid: u32,
    pub(crate) connections: usize,
    pub(crate) warm_up_ms: u64,
    pub(crate) measured_ms: u64,
    /// Access tokens from the answers to keep for a later job, at most so many.
    #[serde(default)]
    pub(crate) keep_tokens: usize,
    pub(crate) work: Work,
}

/// What every connection does, again and again.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// The same bytes; the answer must have this status.
    Same { request: String, status: u16 },
    /// Each request once; a connection ends when none are left.
    Each { requests: Vec<String>, status: u16 },
    /// Rotates refresh tokens: the next request carries the token of the last answer.
    Refresh { grants: Vec<Grant> },
    /// A code by `GET /authorize` with the cookie of a signed-in browser, then tokens for it.
    Code { journeys: Vec<Journey> },
}

/// A grant with its living refresh token.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    pub(crate) refresh_token: String,
}

/// The two requests of a code grant; `{code}` in the second stands for what the first answered.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Journey {
    pub(crate) authorize: String,
    pub(crate) token_body: String,
}

/// What was seen in the measured phase.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) operations: u64,
    pub(crate) failures: u64,
    pub(crate) first_failure: Option<String>,
    pub(crate) server_cpu_ns: u64,
    pub(crate) driver_cpu_ns: u64,
    pub(crate) wall_ns: u64,
    pub(crate) p50_us: u32,
    pub(crate) p99_us: u32,
    pub(crate) request_bytes: u64,
    pub(crate) answer_bytes: u64,
    pub(crate) tokens: Vec<String>,
    /// Refresh tokens as they stand after the load.
    pub(crate) grants: Vec<Grant>,
}
