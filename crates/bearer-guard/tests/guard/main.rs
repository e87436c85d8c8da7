//! The guard against a real issuer: keys, endings and refusals over HTTP. One binary, so one link.

mod documents;
mod following;
mod issuer;
mod tokens;
mod wire;
