//! Logs: one line an event, for people or as JSON, written by a thread of its own.
//!
//! Events are named in docs/logging.md. Lines go to standard error in batches, so a request never waits for a disk or a terminal;
//! what a crash can lose is the last few milliseconds (what must not be lost is in the audit, in the transaction it tells of).
//! What looks like a credential never comes out, whoever logged it ([`line`]).

mod line;
mod sink;

use std::{io::IsTerminal as _, panic};

use tracing::error;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use self::{
    line::{Form, Line},
    sink::Sink,
};
use crate::config::LogConfig;

/// The crates that a bare level such as `info` speaks about. Everything else is quiet unless named: dependencies tell at info what
/// their threads do.
const OURS: [&str; 5] = ["auth_server", "mcp_server", "bearer_guard", "oauth_types", "portico"];

/// Keeps the log running; writes what is left when it goes.
#[derive(Debug)]
#[must_use = "the last lines are written when this is dropped"]
pub struct Telemetry {
    sink: Sink,
}

/// Why the log could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The levels do not parse.
    #[error("log.levels `{0}` is not a list of levels; write for example info,auth_server=debug")]
    Levels(String),
    /// Some other log is there already.
    #[error("a log is running already")]
    Running,
    /// No thread could be started.
    #[error("could not start the log's thread")]
    Thread(#[source] std::io::Error),
}

impl Telemetry {
    /// Starts logging for the whole process, as configured.
    ///
    /// # Errors
    /// When the levels do not parse, or a log is running already.
    pub fn start(config: &LogConfig) -> Result<Self, TelemetryError> {
        let levels = levels(&config.levels)?;
        let stderr = std::io::stderr();
        let form = if config.json { Form::Json } else { Form::Human { colours: stderr.is_terminal() } };
        let sink = Sink::start(stderr).map_err(TelemetryError::Thread)?;
        let lines = fmt::layer().event_format(Line::new(form)).with_writer(sink.writer());
        tracing_subscriber::registry().with(levels).with(lines).try_init().map_err(|_| TelemetryError::Running)?;
        panic::set_hook(Box::new(report_panic));
        Ok(Self { sink })
    }

    /// Writes what was logged so far.
    pub fn flush(&self) {
        self.sink.flush();
    }
}

/// `info,sqlx=debug`: a bare level is for [`OURS`], the rest of the world warns.
fn levels(text: &str) -> Result<Targets, TelemetryError> {
    let wrong = || TelemetryError::Levels(text.to_owned());
    let mut targets = Targets::new().with_default(LevelFilter::WARN);
    for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        targets = match directive.split_once('=') {
            Some((_, "")) => return Err(wrong()),
            Some((target, level)) => targets.with_target(target.trim(), level.trim().parse::<LevelFilter>().map_err(|_| wrong())?),
            None => {
                let level = directive.parse::<LevelFilter>().map_err(|_| wrong())?;
                // A bare level may be stricter than warn; then it is meant for all.
                let rest = level.min(LevelFilter::WARN);
                OURS.iter().fold(targets.with_default(rest), |targets, ours| targets.with_target(*ours, level))
            }
        };
    }
    Ok(targets)
}

/// Where, and what if the words are the programmer's own: a formatted message may carry a request's values (attack 53).
fn report_panic(panic: &panic::PanicHookInfo<'_>) {
    let words = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(message withheld)");
    let location = panic.location().map(ToString::to_string);
    error!(event = "process.panicked", location, "panicked: {words}");
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    fn is_on(text: &str, target: &str, level: Level) -> bool {
        levels(text).unwrap().would_enable(target, &level)
    }

    #[test]
    fn a_bare_level_is_about_our_crates() {
        assert!(is_on("info", "auth_server::http::trace", Level::INFO));
        assert!(!is_on("info", "auth_server::http::trace", Level::DEBUG));
        assert!(!is_on("info", "actix_server::worker", Level::INFO));
        assert!(is_on("info", "sqlx", Level::WARN));
        assert!(!is_on("error", "sqlx", Level::WARN));
    }

    #[test]
    fn a_named_target_has_its_own_level() {
        assert!(is_on("info,sqlx=debug", "sqlx::query", Level::DEBUG));
        assert!(is_on("warn, auth_server::token = debug", "auth_server::token", Level::DEBUG));
        assert!(!is_on("info,auth_server=off", "auth_server", Level::ERROR));
    }

    #[test]
    fn nonsense_is_refused_with_what_would_be_right() {
        for nonsense in ["loud", "info,sqlx=", "sqlx=chatty"] {
            assert!(levels(nonsense).unwrap_err().to_string().contains("for example"), "{nonsense}");
        }
    }

    /// The manual knows every event: an operator who searches for one finds what it means.
    #[test]
    fn every_event_stands_in_the_manual() {
        let manual = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/logging.md")).unwrap();
        let mut sources = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        let mut found = 0;
        while let Some(path) = sources.pop() {
            if path.is_dir() {
                sources.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for start in ["event = \"", "event: Some(\"", "refusals(\"", "about_client(\"", "audit::event(\""] {
                for (at, _) in text.match_indices(start) {
                    let name = text[at + start.len()..].split('"').next().unwrap();
                    assert!(manual.contains(&format!("`{name}`")), "docs/logging.md does not know `{name}` of {}", path.display());
                    found += 1;
                }
            }
        }
        assert!(found > 10, "the search finds events");
    }
}
