//! `whoami`: what the verified token says about the caller; never the token.

use rmcp::model::Tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Call, Fault, Kind, reading, tool};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Me<'a> {
    /// Our stable name for the person.
    subject: &'a str,
    /// The application that acts for them.
    client_id: &'a str,
    /// What it may do here.
    scope: String,
    /// When the token ends, in seconds since 1970-01-01T00:00:00Z.
    expires_at: i64,
}

pub(super) fn describe() -> Tool {
    tool::<Nothing, Me<'static>>(
        Kind::Whoami,
        "Who am I",
        "Returns which person and which application this connection acts for, and what it may do.",
    )
    .with_annotations(reading("Who am I"))
}

pub(super) fn run(call: &Call<'_>) -> Result<Answer, Fault> {
    call.arguments::<Nothing>()?;
    let caller = call.caller;
    Answer::done(&Me {
        subject: caller.subject(),
        client_id: caller.client_id(),
        scope: caller.scope().as_str().to_owned(),
        expires_at: caller.expires_at().0,
    })
}
