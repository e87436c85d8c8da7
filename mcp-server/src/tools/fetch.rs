//! `fetch`: the second half of the contract: one argument `id` (from `search`), and `{"id","title","text","url","metadata"}`.

use rmcp::model::Tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Answer, Call, Fault, Kind, reading, tool};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// An id that search returned.
    id: String,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    id: String,
    title: String,
    /// The whole document.
    text: String,
    /// Where a person can read it.
    url: String,
    /// Path, media type and last change.
    metadata: BTreeMap<&'static str, String>,
}

pub(super) fn describe() -> Tool {
    tool::<Arguments, Output>(Kind::Fetch, "Fetch document", "Returns the whole text of one document, by an id that search returned.")
        .with_annotations(reading("Fetch document"))
}

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, Fault> {
    let Arguments { id } = call.arguments()?;
    let document = call.app.documents.document(&id, &call.reader()).await.map_err(|error| Fault::index(&error))?;
    let Some(document) = document else {
        return Err(Fault::failed("document_unknown", "there is no document with this id; search again"));
    };
    let mut metadata = BTreeMap::from([("path", document.path.clone()), ("media_type", document.media_type.clone())]);
    let modified = OffsetDateTime::from_unix_timestamp_nanos(document.modified_ns.into()).ok().and_then(|when| when.format(&Rfc3339).ok());
    if let Some(modified) = modified {
        metadata.insert("modified", modified);
    }
    let url = call.app.links.of(&document.id, &document.path, document.owner.is_some(), call.now());
    Answer::done(&Output { id: document.id, title: document.title, text: document.text, url, metadata })
}
