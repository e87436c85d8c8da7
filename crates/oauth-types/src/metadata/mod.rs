//! Documents that strangers read: no member is ever `null` (clients break on it), unknown members are ignored.

mod authorization_server;
mod client;
mod protected_resource;

pub use authorization_server::AuthorizationServerMetadata;
pub use client::{ClientInformation, ClientMetadata};
pub use protected_resource::ProtectedResourceMetadata;
