//! Facts that we can afford to lose.
/// Placeholder of room store.
pub trait Ephemeral: Send + Sync {}
