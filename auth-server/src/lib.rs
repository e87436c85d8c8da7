//! The authorization server of Portico: an OAuth 2.1 facade before MCP servers.
//!
//! The modules below are in reading order. Each layer uses only the layers below it; `tests/layers.rs` holds the walls.
//!
//! ```text
//! programs    command · app · routes · background
//! endpoints   discovery register authorize token introspect revoke verify ended userinfo backchannel_logout logout health front_page
//!             (none imports another)
//! steps       client · code · access_token · referee · policy · audit · accounts · browser · upstream_session · openid · pages · http
//! adapters    store · ephemeral · upstream · keys · i18n · clock · secret · telemetry · config
//! vocabulary  the crate oauth-types
//! ```

pub mod app;
mod background;
pub mod command;
mod routes;

mod authorize;
mod backchannel_logout;
mod discovery;
mod ended;
mod front_page;
mod health;
mod introspect;
mod logout;
mod register;
mod revoke;
mod token;
mod userinfo;
mod verify;

mod access_token;
pub mod accounts;
mod audit;
mod browser;
mod client;
mod code;
mod http;
mod openid;
mod pages;
mod policy;
mod referee;
mod upstream_session;

pub mod clock;
pub mod config;
pub mod ephemeral;
mod i18n;
pub mod keys;
mod secret;
pub mod store;
pub mod telemetry;
mod upstream;

pub use app::{App, OpenError};
pub use background::Background;
