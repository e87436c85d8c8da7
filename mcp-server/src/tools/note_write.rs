//! `note_write`: keeps a note for the person; `search` finds it at once. The only tool that changes anything.
//!
//! A note of the same title is replaced only after a yes: said in the call, or asked of the person (elicitation).

use rmcp::model::{ElicitRequest, ElicitRequestParams, ElicitationSchema, InputRequest, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Answer, Asked, Call, Fault, Kind, tool};
use crate::documents::{Note, NoteFault};

const REPLACE: &str = "replace";

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// A short title; a note of the same title is the same note.
    title: String,
    /// The note itself, in Markdown.
    text: String,
    /// Replace a note of the same title without asking.
    #[serde(default)]
    replace: bool,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// Pass it to fetch.
    id: String,
    title: String,
    /// Where the person can read it.
    url: String,
    /// Whether an older note of this title was replaced.
    replaced: bool,
}

pub(super) fn describe() -> Tool {
    let hints = ToolAnnotations::with_title("Write a note").read_only(false).destructive(true).idempotent(true).open_world(false);
    tool::<Arguments, Output>(
        Kind::NoteWrite,
        "Write a note",
        "Keeps a Markdown note for this person. Search and fetch find it at once, for this person only. A note of the same title is replaced after confirmation.",
    )
    .with_annotations(hints)
}

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, Fault> {
    let arguments: Arguments = call.arguments()?;
    let note = Note::parse(&arguments.title, &arguments.text).map_err(|fault| refused(&fault))?;
    let reader = call.reader();
    if !arguments.replace && call.app.documents.has_note(&note, &reader).await {
        match may_replace(call, &note).await? {
            Replace::Yes => {}
            Replace::No => {
                return Err(Fault::failed("replace_declined", "there is a note of this title already, and it was not to be replaced"));
            }
            Replace::Later(answer) => return Ok(answer),
        }
    }
    let title = note.title().to_owned();
    let written = call.app.documents.write_note(note, &reader).await.map_err(|fault| refused(&fault))?;
    call.log(json!({ "written": written.id, "replaced": written.replaced })).await;
    let url = call.app.links.of(&written.id, &written.path, true, call.now());
    Answer::done(&Output { id: written.id, title, url, replaced: written.replaced })
}

enum Replace {
    Yes,
    No,
    Later(Answer),
}

async fn may_replace(call: &Call<'_>, note: &Note) -> Result<Replace, Fault> {
    let schema = json!({
        "type": "object",
        "properties": { "replace": { "type": "boolean", "title": "Replace it", "default": false } },
        "required": ["replace"],
    });
    let requested_schema: ElicitationSchema =
        serde_json::from_value(schema).map_err(|_| Fault::failed("question_malformed", "the question could not be asked"))?;
    let message = format!("There is a note called {:?} already. Replace it?", note.title());
    let question =
        InputRequest::Elicitation(ElicitRequest::new(ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema }));
    match call.ask(REPLACE, question).await {
        Ok(Asked::Later(round)) => Ok(Replace::Later(Answer::NeedsInput(round))),
        Ok(Asked::Answered(answer)) => Ok(if said_yes(&answer) { Replace::Yes } else { Replace::No }),
        Err(fault @ Fault::Protocol { reason: "client_capability_missing", .. }) => {
            tracing::debug!(reason = fault.reason(), "the client cannot be asked");
            Ok(Replace::No)
        }
        Err(Fault::Failed { .. }) => Ok(Replace::No),
        Err(other) => Err(other),
    }
}

fn said_yes(answer: &Value) -> bool {
    answer["action"] == "accept" && answer["content"]["replace"] == true
}

fn refused(fault: &NoteFault) -> Fault {
    if let NoteFault::Storage(error) = fault {
        tracing::error!(event = "note.refused", reason = fault.reason(), error = %error, "could not store a note");
    }
    Fault::failed(fault.reason(), fault.sentence())
}
