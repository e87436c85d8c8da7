//! `WWW-Authenticate`: what to do next, told to a client that was refused; written here, and read again by tests and clients.
//!
//! RFC 6750 §3, RFC 9728 §5.1, RFC 7235 §2.1. Always one header with one challenge and quoted values: clients look for the first
//! word and read the rest with simple patterns.

use std::fmt::Write;

use crate::{Error, Scope, TokenFault};

/// A `WWW-Authenticate` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    params: Vec<(String, String)>,
}

impl Challenge {
    /// A challenge of a protected resource: where its metadata is (RFC 9728 §5.1).
    pub fn bearer(resource_metadata: &str) -> Self {
        Self::plain_bearer().with("resource_metadata", resource_metadata)
    }

    /// A challenge of an endpoint that has no metadata of its own (RFC 7592 §2).
    pub fn plain_bearer() -> Self {
        Self { scheme: "Bearer".to_owned(), params: Vec::new() }
    }

    /// A challenge to a client that authenticated by header (RFC 6749 §5.2).
    pub fn basic(realm: &str) -> Self {
        Self { scheme: "Basic".to_owned(), params: Vec::new() }.with("realm", realm)
    }

    /// What to ask for. Empty says nothing.
    #[must_use]
    pub fn scope(self, scope: &Scope) -> Self {
        if scope.is_empty() { self } else { self.with("scope", scope.as_str()) }
    }

    /// Why it was refused. A request without a token gets no `error` (RFC 6750 §3.1), and a lack of scope names the scopes that the
    /// operation needs, all at once.
    #[must_use]
    pub fn error(self, error: &Error) -> Self {
        let challenge = match error {
            Error::InvalidToken(TokenFault::Missing) => return self,
            Error::InsufficientScope { needed } => self.scope(needed),
            _ => self,
        };
        challenge.with("error", error.code()).with("error_description", error.description())
    }

    /// The header's value.
    pub fn to_header_value(&self) -> String {
        let mut text = self.scheme.clone();
        for (place, (name, value)) in self.params.iter().enumerate() {
            let comma = if place == 0 { " " } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}{name}=\"");
            for character in value.chars() {
                match character {
                    '"' | '\\' => text.extend(['\\', character]),
                    ' '..='~' => text.push(character),
                    // A line break would begin another header; nothing else outside ASCII has a meaning here.
                    _ => text.push('?'),
                }
            }
            text.push('"');
        }
        text
    }

    /// Reads a header with one challenge; `None` when it is none.
    pub fn parse(header: &str) -> Option<Self> {
        let (scheme, mut rest) = match header.split_once(' ') {
            Some((scheme, rest)) => (scheme, rest.trim_start_matches(' ')),
            None => (header, ""),
        };
        let mut params = Vec::new();
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = value(after)?;
            params.push((name.trim().to_ascii_lowercase(), value));
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) => next.trim_start(),
                None if after.is_empty() => after,
                None => return None,
            };
        }
        let is_token = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        (is_token(scheme) && params.iter().all(|(name, _)| is_token(name))).then(|| Self { scheme: scheme.to_owned(), params })
    }

    /// The scheme: `Bearer` or `Basic`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// One parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Sets a parameter, in its first place.
    fn with(mut self, name: &str, value: &str) -> Self {
        match self.params.iter_mut().find(|(own, _)| own == name) {
            Some(param) => value.clone_into(&mut param.1),
            None => self.params.push((name.to_owned(), value.to_owned())),
        }
        self
    }
}

/// A quoted string or a token, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[place + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const METADATA: &str = "https://rs.example/.well-known/oauth-protected-resource/mcp";

    proptest! {
        #[test]
        fn what_is_written_is_read(metadata in "[ -~]{0,60}", scope in "([a-z:]{1,5} ?){0,4}") {
            let challenge = Challenge::bearer(&metadata).scope(&Scope::parse(&scope).unwrap()).error(&Error::from(TokenFault::Expired));
            let header = challenge.to_header_value();
            prop_assert_eq!(Challenge::parse(&header), Some(challenge));
        }

        #[test]
        fn garbage_never_panics(text in ".{0,80}") {
            let _ = Challenge::parse(&text);
        }

        #[test]
        fn no_value_can_begin_another_header(text in ".{0,40}") {
            let header = Challenge::bearer(&format!("{text}\r\nSet-Cookie: a=b")).to_header_value();
            prop_assert!(header.bytes().all(|b| (0x20..=0x7e).contains(&b)));
        }
    }

    /// RFC 6750 §3.1: without authentication information the challenge SHOULD NOT have an error code.
    #[test]
    fn a_request_without_a_token_is_told_where_to_go_and_not_what_is_wrong() {
        let scope = Scope::parse("mcp:read").unwrap();
        let header = Challenge::bearer(METADATA).scope(&scope).error(&TokenFault::Missing.into()).to_header_value();
        assert_eq!(header, format!("Bearer resource_metadata=\"{METADATA}\", scope=\"mcp:read\""));
    }

    /// MCP authorization, step-up: error, scope, resource_metadata and error_description in one challenge.
    #[test]
    fn a_lack_of_scope_names_what_the_operation_needs() {
        let (offered, needed) = (Scope::parse("mcp:read").unwrap(), Scope::parse("mcp:write mcp:read").unwrap());
        let header = Challenge::bearer(METADATA).scope(&offered).error(&Error::InsufficientScope { needed }).to_header_value();
        let challenge = Challenge::parse(&header).unwrap();
        assert_eq!(challenge.scheme(), "Bearer");
        assert_eq!(challenge.get("scope"), Some("mcp:read mcp:write"));
        assert_eq!(challenge.get("error"), Some("insufficient_scope"));
        assert_eq!(challenge.get("resource_metadata"), Some(METADATA));
        assert!(challenge.get("error_description").is_some());
        assert_eq!(header.matches("scope=").count(), 1);
    }

    #[test]
    fn quotes_are_escaped() {
        assert_eq!(Challenge::basic("a \"b\" \\").to_header_value(), "Basic realm=\"a \\\"b\\\" \\\\\"");
    }
}
