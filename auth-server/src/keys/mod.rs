//! Signing and sealing keys.
/// Placeholder of room token.
#[derive(Clone, Debug)]
pub struct KeyStore;
