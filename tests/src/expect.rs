//! What a client must see, said once: a test names the rule, these functions look at every byte of it.
//!
//! A refusal is judged whole: status, code, reference, caching headers and the private reason in the log. So
//! `expect::refused(&answer, "invalid_grant", "code_replayed")` fails when the right code came for the wrong reason.

use serde_json::Value;

use crate::log;
use crate::wire::Answer;

/// RFC 6749 §5.2, RFC 7591 §3.2.2, RFC 8707 §2: the status that belongs to a code in a JSON answer.
fn status_of(code: &str) -> &'static [u16] {
    match code {
        "invalid_client" | "invalid_token" => &[401],
        "insufficient_scope" | "access_denied" => &[403],
        "temporarily_unavailable" => &[429, 503],
        "server_error" => &[500],
        _ => &[400],
    }
}

/// A refusal in JSON with this code outside and this reason in the log.
#[track_caller]
pub fn refused(answer: &Answer, code: &str, reason: &str) -> Value {
    let body = answer.json();
    assert_eq!(body["error"], code, "{}", told(answer));
    assert!(status_of(code).contains(&answer.status), "status {} for {code}: {}", answer.status, told(answer));
    refusal_shape(answer, &body);
    logged(answer, reason);
    body
}

/// A refusal with this status where the code's own status does not apply (413, 415, 421, 429, 431).
#[track_caller]
pub fn refused_with(answer: &Answer, status: u16, code: &str, reason: &str) -> Value {
    let body = answer.json();
    assert_eq!((answer.status, &body["error"]), (status, &Value::from(code)), "{}", told(answer));
    refusal_shape(answer, &body);
    logged(answer, reason);
    body
}

/// A refusal page: PAGE400 of the attack list. Nowhere to go, nothing to cache, a reference to read out to somebody.
#[track_caller]
pub fn page(answer: &Answer, status: u16, reason: &str) -> String {
    assert_eq!(answer.status, status, "{}", told(answer));
    assert_eq!(answer.header("location"), None, "a refusal page must not redirect: {}", told(answer));
    assert!(answer.header_or_empty("content-type").starts_with("text/html"), "{}", told(answer));
    no_store(answer);
    let text = answer.text();
    assert!(text.contains(answer.reference()), "the page does not show its reference {}: {text}", answer.reference());
    logged(answer, reason);
    text
}

/// A refusal that goes back to the client through the browser: REDIR(code) of the attack list.
#[track_caller]
pub fn redirected(answer: &Answer, redirect_uri: &str, code: &str, reason: &str) -> Vec<(String, String)> {
    let query = redirect_to(answer, redirect_uri);
    assert_eq!(one(&query, "error"), code, "{}", told(answer));
    assert!(!query.iter().any(|(name, _)| name == "code"), "an error redirect carries a code: {}", answer.location());
    logged(answer, reason);
    query
}

/// A redirect to exactly this URI, with the query it was given added to its own.
#[track_caller]
pub fn redirect_to(answer: &Answer, redirect_uri: &str) -> Vec<(String, String)> {
    assert!(matches!(answer.status, 302 | 303), "not a redirect: {}", told(answer));
    let location = answer.location();
    let base = location.split_once('?').map_or(location.as_str(), |(base, _)| base);
    let wanted = redirect_uri.split_once('?').map_or(redirect_uri, |(base, _)| base);
    assert_eq!(base, wanted, "redirected elsewhere: {location}");
    no_store(answer);
    answer.location_query()
}

/// A success in JSON.
#[track_caller]
pub fn ok(answer: &Answer) -> Value {
    success(answer, 200)
}

/// A success in JSON with this status.
#[track_caller]
pub fn success(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", told(answer));
    let media_type = answer.header_or_empty("content-type");
    assert!(media_type.starts_with("application/json"), "{media_type} in {}", told(answer));
    answer.json()
}

/// RFC 6749 §5.1: an answer that holds a secret is kept by nobody on the way.
#[track_caller]
pub fn no_store(answer: &Answer) {
    assert!(answer.header_or_empty("cache-control").contains("no-store"), "cacheable: {}", told(answer));
}

/// The one value of a name; a name that comes twice fails.
#[track_caller]
pub fn one(query: &[(String, String)], name: &str) -> String {
    let values: Vec<_> = query.iter().filter(|(known, _)| known == name).collect();
    assert_eq!(values.len(), 1, "expected {name} once in {query:?}");
    values[0].1.clone()
}

/// The private reason with which this answer refused.
#[track_caller]
pub fn logged(answer: &Answer, reason: &str) {
    // No waiting: a refusal is logged before its answer leaves, or an operator who is told the reference finds nothing.
    let reasons = log::reasons_of(answer.reference());
    assert_eq!(reasons, [reason], "the log gives another reason for {}", told(answer));
}

/// What every refusal in JSON has besides its code.
#[track_caller]
fn refusal_shape(answer: &Answer, body: &Value) {
    let media_type = answer.header_or_empty("content-type");
    assert!(media_type.starts_with("application/json"), "{media_type} in {}", told(answer));
    no_store(answer);
    let description = body["error_description"].as_str().unwrap_or_default();
    let reference = format!("(reference {})", answer.reference());
    assert!(description.ends_with(&reference), "no reference at the end of: {description}");
    // RFC 6749 §5.2: printable ASCII without quote and backslash.
    let is_allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E);
    assert!(description.bytes().all(is_allowed), "characters RFC 6749 §5.2 forbids in: {description}");
    assert_eq!(answer.header("location"), None, "a refusal in JSON redirects");
}

/// An answer in a failure message.
pub fn told(answer: &Answer) -> String {
    let headers: Vec<_> = answer.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{} [{}] {}", answer.status, headers.join("; "), answer.text())
}
