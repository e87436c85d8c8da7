//! The log of the test process, so that a refusal can be asked for its private reason.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{LazyLock, Mutex, Once};

use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

static REASONS: LazyLock<Mutex<HashMap<String, String>>> = LazyLock::new(Mutex::default);
static EVERYTHING: Mutex<String> = Mutex::new(String::new());

struct Capture;

#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl<S: tracing::Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        writeln!(EVERYTHING.lock().unwrap(), "{} {} {:?}", event.metadata().level(), event.metadata().target(), fields.0).unwrap();
        if let (Some(id), Some(reason)) = (fields.0.get("request.id"), fields.0.get("reason")) {
            let before = REASONS.lock().unwrap().insert(id.clone(), reason.clone());
            assert_eq!(before, None, "a refusal is logged once");
        }
    }
}

pub(super) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::registry().with(Capture).init());
}

pub(super) fn reason(request_id: &str) -> String {
    REASONS.lock().unwrap().get(request_id).cloned().unwrap_or_default()
}

pub(super) fn everything() -> String {
    EVERYTHING.lock().unwrap().clone()
}
