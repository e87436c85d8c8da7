//! Everything the server needs to know, already decided. No file, flag or environment is read past this point:
//! `settings.rs` (our own program) and `portico` (all in one) both end here.

use std::path::PathBuf;

use bearer_guard::EndedFeed;
use oauth_types::{IssuerUrl, ResourceUri};
use url::Url;

/// The configuration of one server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Who mints the tokens we accept.
    pub issuer: IssuerUrl,
    /// What we are: the URL clients enter and the audience of their tokens, such as `https://host/mcp`.
    pub resource: ResourceUri,
    /// Where the issuer's keys are; may be an internal address.
    pub jwks_url: String,
    /// The feed of tokens that ended early; without it a revoked token lives until it expires.
    pub ended: Option<EndedFeed>,
    /// Where sessions, the index, the notes and the key file live.
    pub state_dir: PathBuf,
    /// The folder whose documents are searched.
    pub documents: PathBuf,
    /// Where a person reads the same folder; without it search results carry signed links to plain pages of ours.
    pub documents_base_url: Option<Url>,
    /// Where notes are written; `notes` in the state directory unless the operator says otherwise.
    pub notes: Option<PathBuf>,
    /// Web origins that may call us from a browser, besides our own and (on loopback) every loopback origin.
    pub allowed_origins: Vec<String>,
    /// Host names we are called by, besides that of the resource: an internal name behind a reverse proxy.
    pub allowed_hosts: Vec<String>,
    /// Whether `initialize` of the 2025 revisions opens a session (resumable streams, requests to the client).
    pub sessions: bool,
    /// Offer the fixture tools of the public conformance suite. Never in production.
    pub conformance_fixtures: bool,
}

impl Config {
    /// The defaults of everything that has one.
    #[must_use]
    pub fn new(issuer: IssuerUrl, resource: ResourceUri, state_dir: PathBuf, documents: PathBuf) -> Self {
        Self {
            jwks_url: issuer.at("/jwks.json"),
            issuer,
            resource,
            ended: None,
            state_dir,
            documents,
            documents_base_url: None,
            notes: None,
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            sessions: true,
            conformance_fixtures: false,
        }
    }
}
