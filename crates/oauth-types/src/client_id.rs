//! `client_id`: a registered name, or the https URL of a document that describes the client.

use url::Url;

use crate::{
    ClientFault,
    text::{Parsed, textual},
};

/// Longest `client_id`: document URLs are the longest kind, and known ones stay under 100.
const CHARACTERS_MAX: usize = 512;
/// Longest registered one: ours have 26.
const REGISTERED_MAX: usize = 128;

/// Who asks, as the client names itself. Compared as a string (Client ID Metadata Document §3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Box<str>);

/// How the client is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientIdKind {
    /// In the store.
    Registered,
    /// By a document at its own URL.
    Document,
}

impl ClientId {
    /// Reads one.
    ///
    /// # Errors
    /// [`ClientFault::Unknown`]: what cannot be a `client_id` names no client.
    pub fn parse(text: &str) -> Result<Self, ClientFault> {
        let registered =
            (1..=REGISTERED_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b));
        if registered || is_document(text) { Ok(Self(text.into())) } else { Err(ClientFault::Unknown) }
    }

    /// From our own hand: a row of the store, which holds only what was parsed. Never for what came from outside.
    pub fn from_trusted(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text, byte for byte.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How this client is known.
    pub fn kind(&self) -> ClientIdKind {
        if self.0.starts_with("https://") { ClientIdKind::Document } else { ClientIdKind::Registered }
    }
}

/// Client ID Metadata Document §3: https, a path that is more than the root, no dot segments, no fragment, no user information. Two
/// spellings of one place would be two clients, so what a parser would change is refused.
fn is_document(text: &str) -> bool {
    if text.len() > CHARACTERS_MAX || !text.starts_with("https://") || text.contains(['\\', '#', '@']) {
        return false;
    }
    Url::parse(text)
        .is_ok_and(|url| url.as_str() == text && url.path().len() > 1 && url.host_str().is_some_and(|host| !host.ends_with('.')))
}

impl Parsed for ClientId {
    type Fault = ClientFault;
}
textual!(ClientId);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_registered_id_reads_as_it_shows(text in "[A-Za-z0-9._~-]{1,128}") {
            let id = ClientId::parse(&text).unwrap();
            prop_assert_eq!((id.kind(), id.to_string()), (ClientIdKind::Registered, text));
        }

        #[test]
        fn garbage_never_panics(text in "(https://)?.{0,60}") {
            if let Ok(id) = ClientId::parse(&text) {
                prop_assert_eq!(id.as_str(), text);
            }
        }
    }

    /// Client ID Metadata Document §3.
    #[test]
    fn a_document_is_an_https_url_with_a_path() {
        for good in [
            "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "https://vscode.dev/oauth/client-metadata.json",
            "https://h.example:8443/c.json",
            "https://h.example/c?v=1",
        ] {
            assert_eq!(ClientId::parse(good).map(|id| id.kind()), Ok(ClientIdKind::Document), "{good}");
        }
        for bad in [
            "",
            " ",
            "a b",
            "a/b",
            "ä",
            "a\n",
            "https://h.example",
            "https://h.example/",
            "http://h.example/c.json",
            "https://h.example/a/../c.json",
            "https://h.example/./c.json",
            "https://h.example/%2e%2e/c",
            "https://h.example/c#x",
            "https://u@h.example/c",
            "https://u:p@h.example/c",
            "https://H.example/c",
            "https://h.example:443/c",
            "https://h.example./c",
            "https://0x7f.1/c",
            "https:///c.json",
            "https://h.example\\@evil.example/c",
            "HTTPS://h.example/c",
        ] {
            assert_eq!(ClientId::parse(bad), Err(ClientFault::Unknown), "{bad}");
        }
        assert!(ClientId::parse(&"a".repeat(128)).is_ok());
        assert!(ClientId::parse(&"a".repeat(129)).is_err());
        assert!(ClientId::parse(&format!("https://h.example/{}", "a".repeat(495))).is_err());
    }
}
