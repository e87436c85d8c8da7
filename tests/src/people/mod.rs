//! The people of a stage: each knows what it may know, and speaks to the server only over the wire.
//!
//! What does not belong here: any knowledge of the server's inside, and any judgement (that is `expect`).

mod apps;
mod browser;
mod operator;
mod resource;
mod stranger;

pub use apps::{App, ConfidentialApp, PublicApp, Tokens};
pub use browser::Browser;
pub use operator::Operator;
pub use resource::Resource;
pub use stranger::Stranger;
