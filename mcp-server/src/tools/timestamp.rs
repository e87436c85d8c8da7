//! `timestamp`: the server's clock, for models that do not know what day it is.

use rmcp::model::Tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Answer, Call, Fault, Kind, tool};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Now {
    /// RFC 3339, in UTC.
    timestamp: String,
    /// Seconds since 1970-01-01T00:00:00Z.
    unix_seconds: i64,
}

pub(super) fn describe() -> Tool {
    let hints = rmcp::model::ToolAnnotations::with_title("Current time").read_only(true).open_world(false);
    tool::<Nothing, Now>(Kind::Timestamp, "Current time", "Returns the current date and time in UTC.").with_annotations(hints)
}

pub(super) fn run(call: &Call<'_>) -> Result<Answer, Fault> {
    call.arguments::<Nothing>()?;
    let unix_seconds = call.now();
    let timestamp = OffsetDateTime::from_unix_timestamp(unix_seconds)
        .ok()
        .and_then(|now| now.format(&Rfc3339).ok())
        .ok_or_else(|| Fault::failed("clock_unreadable", "the clock of this server cannot be read"))?;
    Answer::done(&Now { timestamp, unix_seconds })
}
