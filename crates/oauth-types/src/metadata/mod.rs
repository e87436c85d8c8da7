//! The documents that OAuth parties show each other, in their wire form.
//!
//! No member is ever `null`: clients stumble over it, so what does not apply is absent. Unknown members are ignored when reading
//! (RFC 8414 §3.2, RFC 9728 §3.2, RFC 7591 §2).

mod authorization_server;
mod client;
mod protected_resource;

pub use authorization_server::AuthorizationServerMetadata;
pub use client::{ClientInformation, ClientMetadata};
pub use protected_resource::ProtectedResourceMetadata;
