//! What can be said to the client while its request is open: log, progress, and questions back.
//!
//! In a 2025 session a question is a request on the stream of the call (sampling, elicitation). Without a session there
//! is nobody to answer, and in 2026-07-28 questions travel in results: `tools::Call::ask` decides.

// SEP-2577 deprecates sampling, roots and logging; the revisions we serve still have them.
#![expect(deprecated, reason = "sampling and logging exist in every revision that this server speaks")]

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    ClientCapabilities, InputRequest, LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam, ProtocolVersion,
};
use rmcp::service::RequestContext;
use serde_json::Value;

use crate::mount::Dialogue;
use crate::sessions::Settings;

/// Why the client gave no answer.
#[derive(Debug)]
pub(crate) enum Unable {
    /// It never said that it can.
    Capability(&'static str),
    /// Without a session no answer finds its way back.
    NoSession,
    Late,
    Refused,
}

impl Unable {
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Capability(_) => "client_capability_missing",
            Self::NoSession => "no_session_to_ask",
            Self::Late => "client_answered_late",
            Self::Refused => "client_refused",
        }
    }

    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Capability(name) => format!("this tool needs a client that supports {name}"),
            Self::NoSession => "this tool asks the client back, which needs a session: send initialize first".into(),
            Self::Late => "the client did not answer in time".into(),
            Self::Refused => "the client did not answer the question".into(),
        }
    }
}

/// The open request, from the server's side.
pub(crate) struct Conversation<'a> {
    context: &'a RequestContext<RoleServer>,
}

impl<'a> Conversation<'a> {
    pub(crate) fn of(context: &'a RequestContext<RoleServer>) -> Self {
        Self { context }
    }

    /// 2026-07-28 and later: no session, questions travel in results.
    pub(crate) fn is_stateless_era(&self) -> bool {
        self.context.protocol_version().is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
    }

    fn in_session(&self) -> bool {
        let parts = self.context.extensions.get::<http::request::Parts>();
        parts.and_then(|parts| parts.extensions.get::<Dialogue>()) == Some(&Dialogue::Session)
    }

    pub(crate) async fn progress(&self, done: f64, total: f64, message: &'static str) {
        if let Some(token) = self.context.meta.get_progress_token() {
            let told = ProgressNotificationParam::new(token, done).with_total(total).with_message(message);
            // A client that hung up hears nothing more; the call ends by itself.
            let _ = self.context.peer.notify_progress(told).await;
        }
    }

    /// 2025: what `logging/setLevel` asked for. 2026-07-28: only what this very request asked for.
    pub(crate) async fn log(&self, level: LoggingLevel, logger: &str, message: Value) {
        let wanted = if self.is_stateless_era() {
            self.context.meta.log_level()
        } else if self.in_session() {
            self.context.extensions.get::<Settings>().map(Settings::log_level)
        } else {
            None
        };
        if wanted.is_some_and(|wanted| severity(level) >= severity(wanted)) {
            let told = LoggingMessageNotificationParam::new(level, message).with_logger(logger);
            let _ = self.context.peer.notify_logging_message(told).await;
        }
    }

    /// The capability a question needs and this client did not declare.
    pub(crate) fn missing_capability(&self, question: &InputRequest) -> Option<ClientCapabilities> {
        let declared = self.context.client_capabilities().unwrap_or_default();
        match question {
            InputRequest::CreateMessage(_) if declared.sampling.is_none() => Some(ClientCapabilities::builder().enable_sampling().build()),
            InputRequest::Elicitation(_) if declared.elicitation.is_none() => {
                Some(ClientCapabilities::builder().enable_elicitation().build())
            }
            InputRequest::ListRoots(_) if declared.roots.is_none() => Some(ClientCapabilities::builder().enable_roots().build()),
            _ => None,
        }
    }

    /// Asks inside a 2025 session and waits.
    pub(crate) async fn ask(&self, question: InputRequest, wait: Duration) -> Result<Value, Unable> {
        if !self.in_session() {
            return Err(Unable::NoSession);
        }
        if self.missing_capability(&question).is_some() {
            return Err(Unable::Capability(capability_name(&question)));
        }
        let peer = &self.context.peer;
        let asked = async {
            match question {
                InputRequest::CreateMessage(request) => peer.create_message(request.params).await.map(serde_json::to_value),
                InputRequest::Elicitation(request) => peer.create_elicitation(request.params).await.map(serde_json::to_value),
                _ => peer.list_roots().await.map(serde_json::to_value),
            }
        };
        match tokio::time::timeout(wait, asked).await {
            Err(_) => Err(Unable::Late),
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(_) => Err(Unable::Refused),
        }
    }
}

fn capability_name(question: &InputRequest) -> &'static str {
    match question {
        InputRequest::CreateMessage(_) => "sampling",
        InputRequest::Elicitation(_) => "elicitation",
        _ => "roots",
    }
}

/// RFC 5424, the least severe first.
fn severity(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}
