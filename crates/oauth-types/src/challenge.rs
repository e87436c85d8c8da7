//! `WWW-Authenticate`: written for clients, read for tests (RFC 6750 §3, RFC 9728 §5.1, RFC 7617).

use crate::{Error, Scope};

/// One challenge, which is one header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: &'static str,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// `Bearer`, with the URL of the resource's metadata.
    pub fn bearer(resource_metadata: &str) -> Self {
        Self { scheme: "Bearer", parameters: Vec::with_capacity(4) }.with("resource_metadata", resource_metadata)
    }

    /// `Basic`, for a client that used the header.
    pub fn basic(realm: &str) -> Self {
        Self { scheme: "Basic", parameters: Vec::with_capacity(1) }.with("realm", realm)
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The scope that the operation needs.
    #[must_use]
    pub fn scope(self, needed: &Scope) -> Self {
        if needed.is_empty() { self } else { self.with("scope", needed.as_str()) }
    }

    /// What was wrong. A request without any token gets none of this (RFC 6750 §3).
    #[must_use]
    pub fn error(self, error: &Error) -> Self {
        self.with("error", error.code()).with("error_description", error.description())
    }

    /// The header's value: the scheme first, every value quoted.
    pub fn to_header_value(&self) -> String {
        let mut out = String::from(self.scheme);
        for (place, (name, value)) in self.parameters.iter().enumerate() {
            out.push_str(if place == 0 { " " } else { ", " });
            out.push_str(name);
            out.push_str("=\"");
            for character in value.chars() {
                match character {
                    '"' | '\\' => out.extend(['\\', character]),
                    ' '..='~' => out.push(character),
                    _ => out.push('?'),
                }
            }
            out.push('"');
        }
        out
    }

    /// A parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Reads one challenge with quoted values, as we write it.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, mut rest) = text.split_once(' ').unwrap_or((text, ""));
        let scheme = ["Bearer", "Basic"].into_iter().find(|known| word.eq_ignore_ascii_case(known))?;
        let mut parameters = Vec::new();
        while !rest.trim_start().is_empty() {
            let (name, after) = rest.split_once("=\"")?;
            let name = name.trim_start_matches([',', ' ']).trim().to_owned();
            let mut value = String::new();
            let mut characters = after.char_indices();
            let end = loop {
                match characters.next()? {
                    (_, '\\') => value.push(characters.next()?.1),
                    (at, '"') => break at,
                    (_, character) => value.push(character),
                }
            };
            parameters.push((name, value));
            rest = &after[end + 1..];
        }
        Some(Self { scheme, parameters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenFault;
    use proptest::prelude::*;

    const METADATA: &str = "https://rs.example/.well-known/oauth-protected-resource/mcp";

    proptest! {
        #[test]
        fn what_is_written_is_read(metadata in "[ -~]{0,60}", scope in "([a-z:]{1,5} ?){0,4}") {
            let challenge = Challenge::bearer(&metadata).scope(&Scope::parse(&scope).unwrap()).error(&Error::from(TokenFault::Expired));
            prop_assert_eq!(Challenge::parse(&challenge.to_header_value()), Some(challenge));
        }

        #[test]
        fn garbage_never_panics(text in "(Bearer )?.{0,80}") {
            let _ = Challenge::parse(&text);
        }

        #[test]
        fn no_value_can_begin_another_header(text in ".{0,40}") {
            let header = Challenge::bearer(&format!("{text}\r\nSet-Cookie: a=b")).to_header_value();
            prop_assert!(header.bytes().all(|b| (0x20..=0x7e).contains(&b)));
        }
    }

    /// RFC 6750 §3; RFC 9728 §5.1: one header, the scheme first, every value quoted.
    #[test]
    fn a_challenge_is_one_header_that_begins_with_its_scheme() {
        let scope = Scope::parse("mcp:read").unwrap();
        assert_eq!(
            Challenge::bearer(METADATA).scope(&scope).to_header_value(),
            format!("Bearer resource_metadata=\"{METADATA}\", scope=\"mcp:read\"")
        );
        assert_eq!(Challenge::bearer(METADATA).scope(&Scope::default()).parameter("scope"), None);
        assert_eq!(Challenge::basic("a \"b\" \\").to_header_value(), "Basic realm=\"a \\\"b\\\" \\\\\"");
    }

    #[test]
    fn the_error_is_told_by_code_and_description() {
        let challenge = Challenge::bearer(METADATA).error(&Error::from(TokenFault::Ended));
        assert_eq!(challenge.parameter("error"), Some("invalid_token"));
        assert_eq!(challenge.parameter("error_description"), Some(Error::from(TokenFault::Expired).description()));
    }
}
