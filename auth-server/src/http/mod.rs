//! What every conversation over HTTP shares: who is asking ([`extract`]), how we say no ([`reply`]), what is observed ([`trace`]).
//!
//! Nothing here knows an endpoint, a path or the store. `routes.rs` names the paths and builds them with [`route::Endpoint`];
//! an endpoint picks the shape of its refusals by its return type ([`reply::AsJson`], [`reply::AsPage`], [`reply::AsChallenge`]).

pub(crate) mod cors;
pub(crate) mod csrf;
pub(crate) mod extract;
pub(crate) mod forwarded;
pub(crate) mod headers;
pub(crate) mod limits;
pub(crate) mod reply;
pub(crate) mod request_id;
pub(crate) mod route;
pub(crate) mod site;
pub(crate) mod trace;

#[cfg(test)]
mod tests;
