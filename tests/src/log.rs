//! What the server logged, kept in memory by request id.
//!
//! One capture for the whole test process: actix answers on threads of its own, so a subscriber of one test would
//! not see its own server. Request ids are random, so tests that run side by side never read each other's lines.

use std::sync::{Mutex, OnceLock};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Targets whose every line is kept; of the others only `debug` and above.
const OURS: [&str; 5] = ["auth_server", "oauth_types", "bearer_guard", "mcp_server", "portico"];
/// The client side of a test, not the server: its lines prove nothing.
const NOT_THE_SERVER: [&str; 4] = ["reqwest", "hyper", "rustls", "portico_tests"];

static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());
static STARTED: OnceLock<()> = OnceLock::new();

/// One logged event.
#[derive(Debug, Clone)]
pub struct Line {
    /// How loud.
    pub level: Level,
    /// Which module spoke.
    pub target: String,
    /// Every field as text, the message under `message`.
    pub fields: Vec<(String, String)>,
}

impl Line {
    /// A field as text.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The whole line as one text, to search in.
    pub fn text(&self) -> String {
        let fields: Vec<_> = self.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {} {}", self.level, self.target, fields.join(" "))
    }
}

/// Starts the capture; further calls do nothing.
pub fn capture() {
    STARTED.get_or_init(|| tracing_subscriber::registry().with(Capture).init());
}

/// Every line so far, of all stages of this process.
pub fn lines() -> Vec<Line> {
    LINES.lock().expect("no holder panics").clone()
}

/// The lines of one request.
pub fn lines_of(request_id: &str) -> Vec<Line> {
    let all = LINES.lock().expect("no holder panics");
    all.iter().filter(|line| line.field("request.id") == Some(request_id)).cloned().collect()
}

/// The reasons with which one request was refused. More than one is a fault of the server: a refusal is logged once.
/// Lines without `code` tell why something ended, which is another story of the same request.
pub fn reasons_of(request_id: &str) -> Vec<String> {
    let refusals = lines_of(request_id).into_iter().filter(|line| line.field("code").is_some());
    refusals.filter_map(|line| line.field("reason").map(str::to_owned)).collect()
}

struct Capture;

impl<S: Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        // What comes through `log` carries its real target in a field.
        let target = fields.0.iter().find(|(name, _)| name == "log.target").map(|(_, value)| value.clone());
        let target = target.unwrap_or_else(|| event.metadata().target().to_owned());
        let is_ours = OURS.iter().any(|ours| target.starts_with(ours));
        let is_ignored = NOT_THE_SERVER.iter().any(|name| target.starts_with(name));
        if is_ours || (!is_ignored && *event.metadata().level() <= Level::DEBUG) {
            let line = Line { level: *event.metadata().level(), target, fields: fields.0 };
            LINES.lock().expect("no holder panics").push(line);
        }
    }
}

#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name().to_owned(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push((field.name().to_owned(), format!("{value:?}")));
    }
}
