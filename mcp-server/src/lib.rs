//! The protected MCP server: tools over documents, for callers that Portico let in.
//!
//! It is the example of how anybody protects a server made with the official Rust SDK (`rmcp`): the guard decides who
//! comes in, the mount decides what may be asked, the SDK speaks the protocol, the tools do the work.
//!
//! Reading order, the door first:
//! `routes` (every URL) → `mount` (from HTTP to the SDK: limits, Host and Origin, token, scope, revisions, batches) →
//! `handler` (what the SDK asks us) → `tools` (one a file) and `resources`, `prompts` → `documents` (the index) and
//! `sessions` (what outlives a process). `rest` is the same tools over plain HTTP. `fixtures` exists for the public
//! conformance suite only.
//!
//! The layer rule: tools know no HTTP, documents know no MCP, nothing below `mount` sees a token.

mod app;
mod config;
mod conversation;
mod documents;
mod error;
mod fixtures;
mod handler;
mod listening;
mod mount;
mod prompts;
mod request_state;
mod resources;
mod rest;
mod routes;
mod secret;
mod sessions;
pub mod settings;
mod tools;

pub use self::app::{Clock, Server, open, open_at};
pub use self::config::Config;
pub use self::error::OpenError;
