//! `echo`: says back what it heard. The cheapest proof that login, token and transport work.

use rmcp::model::Tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Call, Fault, Kind, reading, tool};

#[derive(Deserialize, Serialize, JsonSchema)]
struct Heard {
    /// Any text.
    message: String,
}

pub(super) fn describe() -> Tool {
    tool::<Heard, Heard>(Kind::Echo, "Echo", "Returns the message unchanged. Use it to test the connection.")
        .with_annotations(reading("Echo"))
}

pub(super) fn run(call: &Call<'_>) -> Result<Answer, Fault> {
    Answer::done(&call.arguments::<Heard>()?)
}
