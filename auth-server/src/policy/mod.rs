//! May they?
/// Placeholder of room register.
#[derive(Clone, Debug)]
pub struct Policy;
