//! Languages.
/// Placeholder of room front.
#[derive(Debug)]
pub struct I18n;
