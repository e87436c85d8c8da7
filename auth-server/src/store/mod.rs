//! Durable facts.
/// Placeholder of room store.
#[derive(Clone, Debug)]
pub struct Store;
