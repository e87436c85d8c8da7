//! `search`: the first half of the contract that ChatGPT's deep research and company knowledge ask for, literally:
//! one argument `query`, and `{"results":[{"id","title","url"}]}` as structured content and as the one text item. The contract
//! has no room for the place of the match, so snippets stand beside it, in `_meta`, in the order of the results.

use rmcp::model::Tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Answer, Call, Fault, Kind, reading, tool};

/// Where the snippets are, in a result's `_meta`.
const SNIPPETS: &str = "portico/snippets";
/// Enough to choose from, few enough to read.
const RESULTS_MAX: usize = 10;

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// What to look for, in plain words.
    query: String,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// The best documents, best first; empty when nothing was found.
    results: Vec<Hit>,
}

#[derive(Serialize, JsonSchema)]
struct Hit {
    /// Pass it to fetch.
    id: String,
    title: String,
    /// Where a person can read it.
    url: String,
}

pub(super) fn describe() -> Tool {
    tool::<Arguments, Output>(
        Kind::Search,
        "Search documents",
        "Searches the documents (and your own notes) for plain words and returns the best matches with id, title and url. Use fetch with an id to read one.",
    )
    .with_annotations(reading("Search documents"))
}

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, Fault> {
    let Arguments { query } = call.arguments()?;
    let found = call.app.documents.search(&query, RESULTS_MAX, &call.reader()).await.map_err(|error| Fault::index(&error))?;
    let now = call.now();
    call.log(json!({ "found": found.len() })).await;
    let snippets: Vec<_> = found.iter().map(|found| found.snippet.clone()).collect();
    let results = found.into_iter().map(|found| Hit { url: call.app.links.of_found(&found, now), id: found.id, title: found.title });
    Ok(Answer::done(&Output { results: results.collect() })?.beside(SNIPPETS, json!(snippets)))
}
