//! Each check against the development realm with one thing changed.

mod claims;
mod client;
mod readings;
mod realm;
