//! What a request says, read once and strictly: parameters, bearer token, JSON body, source address.
//! Client credentials are merged from header and form in `client::auth`.
//!
//! Everything here has a limit on size, count and time, and a typed reason when it refuses. Meaning is the endpoint's business.

mod body;
mod json;
mod params;
mod source;

pub(crate) use json::read_json;
pub(crate) use params::{FrontParams, Params, StrictForm};
pub(crate) use source::{ClientIp, bearer, is_from_trusted_proxy};
