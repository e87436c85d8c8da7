//! Accounts kept here, and their passwords.
/// Placeholder of room front.
#[derive(Clone, Debug)]
pub struct Accounts;
