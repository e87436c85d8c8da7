//! Do we keep the RFCs? One file per document; each test is one rule and stands under its clause.
//!
//! Every test raises a server of its own (`portico_tests::Stage`) and speaks to it over HTTP. `cargo xtask docs` collects
//! the clause lines into `docs/conformance.md`.

mod backchannel_logout;
mod ended_feed;
mod forward_auth;
mod front_channel;
mod leakage;
mod limits;
mod mcp_authorization;
mod oauth21_differences;
mod oidc_id_token;
mod oidc_userinfo;
mod oracles;
mod people_callback;
mod people_rules;
mod people_sign_in;
mod races;
mod refresh_overlap;
mod replicas;
mod restart;
mod rfc6749_authorization_code;
mod rfc6749_client_authentication;
mod rfc6749_refresh;
mod rfc6750_bearer;
mod rfc7009_revocation;
mod rfc7591_registration;
mod rfc7592_management;
mod rfc7636_pkce;
mod rfc7662_introspection;
mod rfc8252_native_apps;
mod rfc8414_metadata;
mod rfc8707_resource;
mod rfc9068_access_token;
mod rfc9207_issuer;
mod table;
mod upstream_lies;
mod upstream_recheck;
