//! One call of a tool, whichever way it came in: who calls, with what, and what the tool may ask back.

use std::time::Duration;

use bearer_guard::Caller;
use rmcp::RoleServer;
use rmcp::model::{ErrorData, InputRequest, InputRequiredResult, InputResponses, JsonObject, MetaObject};
use rmcp::service::RequestContext;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::App;
use crate::conversation::{Conversation, Unable};
use crate::documents::Reader;
use crate::request_state::Round;

/// How long a tool waits for the person or the model behind the client. Below the 60 s at which hosted clients give up.
const ANSWER_WAIT: Duration = Duration::from_secs(50);

/// What a tool hands back.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The object of the tool's output schema, and what clients may find useful beside it.
    Done { output: Value, aside: Option<MetaObject> },
    /// 2026-07-28: ask the client this, then call again.
    NeedsInput(InputRequiredResult),
}

impl Answer {
    pub(crate) fn done(output: &impl Serialize) -> Result<Self, Fault> {
        serde_json::to_value(output)
            .map(|output| Self::Done { output, aside: None })
            .map_err(|_| Fault::Failed { reason: "output_not_json", sentence: "the answer could not be written".into() })
    }
}

impl Answer {
    /// With something beside the output: a result's `_meta`, which no contract about the output forbids.
    pub(crate) fn beside(mut self, key: &str, value: Value) -> Self {
        if let Self::Done { aside, .. } = &mut self {
            aside.get_or_insert_default().insert(key.to_owned(), value);
        }
        self
    }
}

/// Why a call has no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The arguments do not fit: the model reads the sentence and tries again (SEP-1303: an error *result*).
    Arguments(String),
    /// The tool tried and could not.
    Failed { reason: &'static str, sentence: String },
    /// The request itself is wrong: a JSON-RPC error.
    Protocol { reason: &'static str, error: ErrorData },
}

impl Fault {
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Arguments(_) => "arguments_invalid",
            Self::Failed { reason, .. } | Self::Protocol { reason, .. } => reason,
        }
    }

    pub(crate) fn failed(reason: &'static str, sentence: impl Into<String>) -> Self {
        Self::Failed { reason, sentence: sentence.into() }
    }

    pub(crate) fn index(error: &sqlx::Error) -> Self {
        tracing::error!(event = "documents.unreadable", reason = "index_failed", error = %error, "could not read the index of documents");
        Self::failed("index_failed", "the documents cannot be read at the moment")
    }
}

/// The client's answer to a question.
#[derive(Debug)]
pub(crate) enum Asked {
    Answered(Value),
    /// Hand this to the client; the call comes again.
    Later(InputRequiredResult),
}

/// One call.
pub(crate) struct Call<'a> {
    pub(crate) app: &'a App,
    pub(crate) caller: &'a Caller,
    pub(crate) tool: &'static str,
    pub(crate) arguments: &'a JsonObject,
    /// What a retry of the 2026-07-28 round trip brought back.
    pub(crate) responses: Option<&'a InputResponses>,
    pub(crate) state: Option<&'a str>,
    /// None over plain HTTP, where nobody can be asked.
    pub(crate) context: Option<&'a RequestContext<RoleServer>>,
}

impl Call<'_> {
    /// The arguments as the tool's own type.
    pub(crate) fn arguments<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        T::deserialize(Value::Object(self.arguments.clone())).map_err(|wrong| Fault::Arguments(wrong.to_string()))
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::person(self.caller.subject())
    }

    pub(crate) fn now(&self) -> i64 {
        self.app.now()
    }

    /// Tells the client how far we are, when it asked to know.
    pub(crate) async fn progress(&self, done: f64, total: f64, message: &'static str) {
        if let Some(context) = self.context {
            Conversation::of(context).progress(done, total, message).await;
        }
    }

    /// Tells the client's log, when it asked to hear.
    pub(crate) async fn log(&self, message: Value) {
        if let Some(context) = self.context {
            Conversation::of(context).log(rmcp_level_info(), self.tool, message).await;
        }
    }

    /// Asks the client: at once inside a 2025 session, by an input-required round trip in 2026-07-28.
    pub(crate) async fn ask(&self, key: &'static str, question: InputRequest) -> Result<Asked, Fault> {
        let Some(context) = self.context else {
            return Err(Fault::failed("no_client_to_ask", "this tool asks the client back, which plain HTTP cannot; call it through MCP"));
        };
        let conversation = Conversation::of(context);
        if !conversation.is_stateless_era() {
            return match conversation.ask(question, ANSWER_WAIT).await {
                Ok(answer) => Ok(Asked::Answered(answer)),
                Err(unable) => Err(unanswered(&unable)),
            };
        }
        let round =
            Round { subject: self.caller.subject(), client: self.caller.client_id(), tool: self.tool, arguments: self.arguments, key };
        if let Some(state) = self.state {
            // Attack 50: the state decides first; a forged, foreign or stale one never reaches the tool.
            if let Err(fault) = round.open(&self.app.seals.states, state, self.now()) {
                return Err(Fault::Protocol {
                    reason: fault.reason(),
                    error: ErrorData::invalid_params("requestState is not valid for this call", None),
                });
            }
            if let Some(answer) = self.responses.and_then(|responses| responses.get(key)).filter(|answer| answer.is_object()) {
                return Ok(Asked::Answered(answer.clone()));
            }
        }
        if let Some(missing) = conversation.missing_capability(&question) {
            return Err(Fault::Protocol {
                reason: "client_capability_missing",
                error: ErrorData::missing_required_client_capability(missing),
            });
        }
        let state = round.seal(&self.app.seals.states, self.now());
        let questions = std::iter::once((key.to_owned(), question)).collect();
        Ok(Asked::Later(InputRequiredResult::new(Some(questions), Some(state))))
    }
}

fn unanswered(unable: &Unable) -> Fault {
    Fault::failed(unable.reason(), unable.sentence())
}

#[expect(deprecated, reason = "SEP-2577 deprecates logging; the revisions we serve still have it")]
fn rmcp_level_info() -> rmcp::model::LoggingLevel {
    rmcp::model::LoggingLevel::Info
}
