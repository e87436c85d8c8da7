//! How an event becomes a line, and what never gets into one.
//!
//! Nobody here logs secrets on purpose. This is the net under that rule (attack 53): a field whose name says credential, and a word
//! that has the shape of one of ours or of a JWT, come out as `[redacted]`, also from dependencies.

use std::fmt::{self, Write};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::clock::{Clock as _, SystemClock};

const REDACTED: &str = "[redacted]";

/// Names of fields that hold credentials, wherever they come from.
const SECRET_FIELDS: [&str; 12] = [
    "authorization",
    "cookie",
    "set-cookie",
    "password",
    "client_secret",
    "code_verifier",
    "access_token",
    "refresh_token",
    "registration_access_token",
    "id_token",
    "assertion",
    "secret",
];

/// How our own secrets begin: code, refresh, client secret, registration token, session, access token.
const SECRET_PREFIXES: [&str; 6] = ["pco_", "prt_", "pcs_", "pra_", "pse_", "eyJ"];

/// The form of a line.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Json,
    Human { colours: bool },
}

/// Formats events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    form: Form,
}

impl Line {
    pub(super) fn new(form: Form) -> Self {
        Self { form }
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        match self.form {
            Form::Json => json(&mut out, event),
            Form::Human { colours } => human(&mut out, event, colours),
        }
    }
}

fn json(out: &mut Writer<'_>, event: &Event<'_>) -> fmt::Result {
    let metadata = event.metadata();
    out.write_str("{\"time\":\"")?;
    write_time(out, SystemClock.now_ms())?;
    write!(out, "\",\"level\":\"{}\",\"target\":\"{}\"", level(metadata.level()), metadata.target())?;
    let mut fields = JsonFields { out, result: Ok(()) };
    event.record(&mut fields);
    fields.result?;
    out.write_str("}\n")
}

/// The message first, then the fields, dimmed.
fn human(out: &mut Writer<'_>, event: &Event<'_>, colours: bool) -> fmt::Result {
    let level = level(event.metadata().level());
    let (strong, dim, plain) = match (colours, level) {
        (false, _) => ("", "", ""),
        (true, "error") => ("\u{1b}[31m", "\u{1b}[2m", "\u{1b}[0m"),
        (true, "warn") => ("\u{1b}[33m", "\u{1b}[2m", "\u{1b}[0m"),
        (true, _) => ("\u{1b}[32m", "\u{1b}[2m", "\u{1b}[0m"),
    };
    write_time(out, SystemClock.now_ms())?;
    write!(out, " {strong}{level:5}{plain} ")?;
    let mut fields = HumanFields { message: String::new(), rest: String::new() };
    event.record(&mut fields);
    let HumanFields { message, rest } = fields;
    writeln!(out, "{message}{dim}{rest}{plain}")
}

fn level(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// `2026-11-21T09:30:00.123Z`, without asking anybody about time zones.
fn write_time(out: &mut impl Write, now_ms: i64) -> fmt::Result {
    let (days, ms) = (now_ms.div_euclid(86_400_000), now_ms.rem_euclid(86_400_000));
    // Civil from days (H. Hinnant): eras of 400 years beginning on 1 March, so that leap days come last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second, milli) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
    write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Events of the `log` crate carry their origin in fields; they tell nothing else.
fn is_plumbing(field: &Field) -> bool {
    field.name().starts_with("log.")
}

fn is_secret(field: &Field) -> bool {
    SECRET_FIELDS.contains(&field.name())
}

struct JsonFields<'a, 'w> {
    out: &'a mut Writer<'w>,
    result: fmt::Result,
}

impl JsonFields<'_, '_> {
    fn member(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if is_plumbing(field) || self.result.is_err() {
            return;
        }
        self.result = write!(self.out, ",\"{}\":", field.name()).and_then(|()| {
            if is_secret(field) {
                return write!(self.out, "\"{REDACTED}\"");
            }
            value(self.out)
        });
    }
}

impl Visit for JsonFields<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |out| {
            out.write_char('"')?;
            redact(value, &mut Escaped(out))?;
            out.write_char('"')
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.record_str(field, &text);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_str(field, &chain(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinities.
        self.member(field, |out| if value.is_finite() { write!(out, "{value:.3}") } else { out.write_str("null") });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |out| write!(out, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |out| write!(out, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |out| write!(out, "{value}"));
    }
}

/// JSON string escapes (RFC 8259 §7); line separators too, so that one event stays one line everywhere.
struct Escaped<'a, W: Write>(&'a mut W);

impl<W: Write> Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain_from = 0;
        for (at, character) in text.char_indices() {
            let escape = match character {
                '"' | '\\' | '\0'..='\u{1f}' | '\u{7f}' | '\u{2028}' | '\u{2029}' => character,
                _ => continue,
            };
            self.0.write_str(&text[plain_from..at])?;
            plain_from = at + character.len_utf8();
            match escape {
                '"' => self.0.write_str("\\\"")?,
                '\\' => self.0.write_str("\\\\")?,
                '\n' => self.0.write_str("\\n")?,
                other => write!(self.0, "\\u{:04x}", u32::from(other))?,
            }
        }
        self.0.write_str(&text[plain_from..])
    }
}

struct HumanFields {
    message: String,
    rest: String,
}

impl HumanFields {
    fn begin(&mut self, field: &Field) {
        self.rest.push(' ');
        self.rest.push_str(field.name());
        self.rest.push('=');
    }
}

impl Visit for HumanFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if is_plumbing(field) {
            return;
        }
        // Writing to a String does not fail.
        let _ = if field.name() == "message" {
            redact(value, &mut Printable(&mut self.message))
        } else if is_secret(field) {
            write!(self.rest, " {}={REDACTED}", field.name())
        } else {
            self.begin(field);
            redact(value, &mut Printable(&mut self.rest))
        };
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.record_str(field, &text);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_str(field, &chain(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if is_plumbing(field) || is_secret(field) {
            return self.record_str(field, "");
        }
        self.begin(field);
        // Writing to a String does not fail, and digits are no credential.
        let _ = write!(self.rest, "{value:.3}");
    }
}

/// An error and everything beneath it: the last link is what an operator needs.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A stranger's text must not move the operator's cursor or fake a second line.
struct Printable<'a>(&'a mut String);

impl Write for Printable<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            self.0.push_str(text);
        } else {
            self.0.extend(text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }));
        }
        Ok(())
    }
}

/// Writes text with everything that has the shape of a credential taken out.
fn redact(text: &str, out: &mut impl Write) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = secret_at(rest) {
        out.write_str(&rest[..at])?;
        out.write_str(REDACTED)?;
        let end = rest[at..].find(|character: char| !is_token_character(character)).map_or(rest.len(), |length| at + length);
        rest = &rest[end..];
    }
    out.write_str(rest)
}

/// Where the next credential begins: a prefix of ours at the start of a word, and enough after it to be one.
fn secret_at(text: &str) -> Option<usize> {
    const SHORTEST: usize = 20;
    let bytes = text.as_bytes();
    if bytes.len() < SHORTEST {
        return None;
    }
    (0..=bytes.len() - SHORTEST).find(|&at| {
        matches!(bytes[at], b'p' | b'e')
            && (at == 0 || !is_token_character(char::from(bytes[at - 1])))
            && SECRET_PREFIXES.iter().any(|prefix| bytes[at..].starts_with(prefix.as_bytes()))
            && bytes[at..at + SHORTEST].iter().all(|&byte| is_token_character(char::from(byte)))
    })
}

fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing::{info, subscriber::with_default, warn};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn time(now_ms: i64) -> String {
        let mut text = String::new();
        write_time(&mut text, now_ms).unwrap();
        text
    }

    #[test]
    fn times_are_right_on_hard_days() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(time(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(time(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(time(-1), "1969-12-31T23:59:59.999Z");
    }

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(form: Form, log: impl FnOnce()) -> String {
        let page = Page::default();
        let writer = page.clone();
        let lines = tracing_subscriber::fmt::layer().event_format(Line::new(form)).with_writer(move || writer.clone());
        with_default(tracing_subscriber::registry().with(lines), log);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_is_one_object_with_typed_fields() {
        let line = logged(Form::Json, || {
            info!(
                event = "token.issued",
                client.id = "c\"1\n",
                duration_ms = 1.25,
                status = 200u16,
                fresh = true,
                absent = Option::<&str>::None,
                "issued \u{2028}x"
            )
        });
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["event"], "token.issued");
        assert_eq!(value["client.id"], "c\"1\n");
        assert_eq!(value["duration_ms"], 1.25);
        assert_eq!(value["status"], 200);
        assert_eq!(value["fresh"], true);
        assert_eq!(value["level"], "info");
        assert_eq!(value["message"], "issued \u{2028}x");
        assert!(value.get("absent").is_none());
    }

    /// Attack 53: no credential in a log, by name or by shape, in either form.
    #[test]
    fn credentials_never_come_out() {
        for form in [Form::Json, Form::Human { colours: false }] {
            let line = logged(form, || {
                warn!(
                    password = "hunter2hunter2",
                    detail = "token prt_AAAABBBBCCCCDDDDEEEEFFFF, then",
                    "got eyJhbGciOiJFUzI1NiJ9.e30.c2ln from pco_AAAABBBBCCCCDDDDEEEE"
                )
            });
            for secret in ["hunter2", "prt_", "eyJ", "pco_"] {
                assert!(!line.contains(secret), "{secret} in {line}");
            }
            assert!(line.contains("token [redacted], then") && line.contains("got [redacted] from [redacted]"), "{line}");
        }
    }

    #[test]
    fn an_error_is_logged_with_what_lies_beneath() {
        let outage = oauth_types::Outage::caused("could not read", io::Error::other("disk full"));
        let line = logged(Form::Json, || warn!(error = &outage as &dyn std::error::Error, "odd"));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["error"], "could not read: disk full");
    }

    #[test]
    fn ordinary_words_are_left_alone() {
        let mut text = String::new();
        redact("prt_ short, scrptprt_AAAABBBBCCCCDDDDEEEE and eyJ", &mut text).unwrap();
        assert_eq!(text, "prt_ short, scrptprt_AAAABBBBCCCCDDDDEEEE and eyJ");
    }

    #[test]
    fn a_stranger_cannot_fake_a_second_line_for_people() {
        let line = logged(Form::Human { colours: false }, || info!(client.id = "x\n2026 error fake\u{1b}[2J", "hello"));
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.contains('\u{1b}'));
        assert!(line.contains(" info  hello client.id=x"));
    }
}
