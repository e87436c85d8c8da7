//! The table of tools: name, the scope a call needs, how it is described, and what runs.
//!
//! One tool a file. To add one: a file, a variant of [`Kind`], a row in [`Kind::scope`], `describe` and `run`; the
//! compiler asks for each. Tools know who calls ([`Call::caller`]) but never a token, and nothing of HTTP.

mod calculate;
mod call;
mod echo;
mod fetch;
mod note_write;
mod search;
mod summarize;
mod timestamp;
mod whoami;

use std::sync::{Arc, LazyLock};

use oauth_types::Scope;
use rmcp::model::{JsonObject, MetaObject, Tool, ToolAnnotations};
use schemars::JsonSchema;
use serde_json::{Value, json};

pub(crate) use self::call::{Answer, Asked, Call, Fault};

/// Reading: search, fetch and everything without effect.
pub(crate) const READ: &str = "mcp:read";
/// Writing: notes.
pub(crate) const WRITE: &str = "mcp:write";
/// Asking the client's model.
pub(crate) const INFER: &str = "mcp:infer";

/// Every tool we offer, in the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Search,
    Fetch,
    Echo,
    Timestamp,
    Calculate,
    NoteWrite,
    Summarize,
    Whoami,
}

impl Kind {
    pub(crate) const ALL: [Self; 8] =
        [Self::Search, Self::Fetch, Self::Echo, Self::Timestamp, Self::Calculate, Self::NoteWrite, Self::Summarize, Self::Whoami];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Fetch => "fetch",
            Self::Echo => "echo",
            Self::Timestamp => "timestamp",
            Self::Calculate => "calculate",
            Self::NoteWrite => "note_write",
            Self::Summarize => "summarize",
            Self::Whoami => "whoami",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The scope a call needs, on every way in.
    pub(crate) fn scope(self) -> &'static str {
        match self {
            Self::NoteWrite => WRITE,
            Self::Summarize => INFER,
            Self::Search | Self::Fetch | Self::Echo | Self::Timestamp | Self::Calculate | Self::Whoami => READ,
        }
    }

    /// [`Kind::scope`] as a value.
    pub(crate) fn needed(self) -> &'static Scope {
        let scopes = &*SCOPES;
        match self.scope() {
            WRITE => &scopes[1],
            INFER => &scopes[2],
            _ => &scopes[0],
        }
    }

    fn describe(self) -> Tool {
        match self {
            Self::Search => search::describe(),
            Self::Fetch => fetch::describe(),
            Self::Echo => echo::describe(),
            Self::Timestamp => timestamp::describe(),
            Self::Calculate => calculate::describe(),
            Self::NoteWrite => note_write::describe(),
            Self::Summarize => summarize::describe(),
            Self::Whoami => whoami::describe(),
        }
    }

    /// Runs the tool. The scope was checked by whoever let the call in. A tool that waits stands behind a pointer: the future of a call
    /// is moved whole, several times, and one that waits for nothing should not be as large as one that asks a model.
    pub(crate) async fn run(self, call: &Call<'_>) -> Result<Answer, Fault> {
        match self {
            Self::Search => Box::pin(search::run(call)).await,
            Self::Fetch => Box::pin(fetch::run(call)).await,
            Self::Echo => echo::run(call),
            Self::Timestamp => timestamp::run(call),
            Self::Calculate => calculate::run(call),
            Self::NoteWrite => Box::pin(note_write::run(call)).await,
            Self::Summarize => Box::pin(summarize::run(call)).await,
            Self::Whoami => whoami::run(call),
        }
    }

    /// As listed; made once.
    pub(crate) fn tool(self) -> &'static Tool {
        let at = Self::ALL.iter().position(|kind| *kind == self).expect("every kind is in ALL, which a test counts");
        &TOOLS[at]
    }
}

static SCOPES: LazyLock<[Scope; 3]> =
    LazyLock::new(|| [READ, WRITE, INFER].map(|scope| Scope::parse(scope).expect("our own scopes are well-formed")));

static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| Kind::ALL.into_iter().map(described).collect());

/// All scopes of all tools, for the protected resource metadata.
pub(crate) fn scopes_supported() -> Scope {
    Scope::parse(&[READ, WRITE, INFER].join(" ")).expect("our own scopes are well-formed")
}

/// The member that ChatGPT reads to know which login a tool needs; `mount` copies it beside `_meta` on the way out,
/// because the SDK's type has no room for it there.
pub(crate) const SECURITY_SCHEMES: &str = "securitySchemes";

fn described(kind: Kind) -> Tool {
    let mut meta = MetaObject::new();
    meta.insert(SECURITY_SCHEMES.into(), json!([{ "type": "oauth2", "scopes": [kind.scope()] }]));
    kind.describe().with_meta(meta)
}

/// A tool with schemas made from the types that it really reads and returns.
fn tool<Arguments: JsonSchema + 'static, Output: JsonSchema + 'static>(kind: Kind, title: &'static str, description: &'static str) -> Tool {
    let mut tool = Tool::new(kind.name(), description, schema::<Arguments>()).with_title(title);
    tool.output_schema = Some(schema::<Output>());
    tool
}

fn reading(title: &'static str) -> ToolAnnotations {
    ToolAnnotations::with_title(title).read_only(true).idempotent(true).open_world(false)
}

fn schema<T: JsonSchema>() -> Arc<JsonObject> {
    let Value::Object(mut schema) = Value::from(schemars::schema_for!(T)) else {
        unreachable!("the schema of a struct is an object");
    };
    // The name of a Rust type says nothing to a model.
    schema.remove("title");
    schema.entry("properties").or_insert_with(|| json!({}));
    Arc::new(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_its_own_row() {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(Kind::ALL.iter().position(|other| *other == kind), Some(at));
            assert_eq!(Kind::named(kind.name()), Some(kind));
            assert_eq!(kind.tool().name, kind.name());
            assert_eq!(kind.needed().as_str(), kind.scope());
        }
        assert_eq!(Kind::named("rm"), None);
    }

    /// A tool without `readOnlyHint: true` is a write to ChatGPT and asks the person first.
    #[test]
    fn only_tools_that_change_nothing_say_so() {
        for kind in Kind::ALL {
            let reads = kind.tool().annotations.as_ref().and_then(|hints| hints.read_only_hint) == Some(true);
            assert_eq!(reads, kind != Kind::NoteWrite, "{}", kind.name());
        }
    }

    #[test]
    fn schemas_are_objects_and_descriptions_exist() {
        for kind in Kind::ALL {
            let tool = kind.tool();
            assert_eq!(tool.input_schema["type"], "object");
            assert_eq!(tool.output_schema.as_ref().unwrap()["type"], "object");
            assert!(tool.description.as_ref().unwrap().len() > 20);
        }
    }
}
