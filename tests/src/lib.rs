//! The stage: a library for tests that speak of people instead of requests.
//!
//! `stage` raises a whole server; `people` are who talk to it; `journeys` is the road to a code; `expect` is what a client
//! must see, private reason included; `idp` is the identity provider where people sign in; `wire`, `html`, `jwt`, `log` and `secrets` are the senses of all of them.

pub mod company;
pub mod expect;
pub mod html;
pub mod idp;
pub mod journeys;
pub mod jwt;
pub mod log;
pub mod people;
pub mod secrets;
pub mod stage;
pub mod wire;

pub use stage::Stage;
