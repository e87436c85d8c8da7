//! Who a client says it is: an id that we gave it, or the https URL of the document that describes it.
//!
//! RFC 6749 §2.2; draft-ietf-oauth-client-id-metadata-document §3 for URLs. Which of the two it is decides what happens next
//! (a row, or a fetch), so code must ask for the [`ClientIdKind`]. Both are compared as strings.

use crate::{ClientFault, text::text_value, uri};

/// Longer than any id that we make, shorter than a line in a log.
const REGISTERED_BYTES_MAX: usize = 128;
/// Longer than any document's address that was seen.
const DOCUMENT_BYTES_MAX: usize = 1024;

/// Who a client says it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    text: String,
    kind: ClientIdKind,
}

/// Where to learn more about a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientIdKind {
    /// An id that was registered here.
    Registered,
    /// The URL of a client metadata document.
    Document,
}

impl ClientId {
    /// # Errors
    /// [`ClientFault::Malformed`] when it is neither.
    pub fn parse(text: &str) -> Result<Self, ClientFault> {
        let kind = if is_registered(text) {
            ClientIdKind::Registered
        } else if is_document(text) {
            ClientIdKind::Document
        } else {
            return Err(ClientFault::Malformed);
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// Where to learn more about it.
    pub fn kind(&self) -> ClientIdKind {
        self.kind
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

text_value!(ClientId, ClientFault);

fn is_registered(text: &str) -> bool {
    (1..=REGISTERED_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-'))
}

fn is_document(text: &str) -> bool {
    if text.len() > DOCUMENT_BYTES_MAX {
        return false;
    }
    let Ok(parts) = uri::split(text) else { return false };
    let Some(authority) = parts.authority else { return false };
    parts.scheme == "https"
        && authority.userinfo.is_none()
        && !authority.host.bytes().any(|b| b.is_ascii_uppercase())
        && (uri::is_dns_name(authority.host) || uri::is_ip_literal(authority.host))
        && parts.path.len() > 1
        && !uri::has_dot_segments(parts.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_registered_id_reads_as_it_shows(text in "[A-Za-z0-9._~-]{1,128}") {
            let id = ClientId::parse(&text).unwrap();
            prop_assert_eq!(id.kind(), ClientIdKind::Registered);
            prop_assert_eq!(id.to_string(), text);
        }

        #[test]
        fn garbage_never_panics(text in ".{0,200}") {
            if let Ok(id) = ClientId::parse(&text) {
                prop_assert_eq!(id.as_str(), text);
            }
        }
    }

    /// CIMD §3: https, a path that is not the root, no dot segments, no fragment, no user name.
    #[test]
    fn a_document_is_an_https_url_with_a_path() {
        for good in ["https://claude.ai/oauth/mcp-oauth-client-metadata", "https://h.example:8443/c.json", "https://h.example/c?v=1"] {
            assert_eq!(ClientId::parse(good).unwrap().kind(), ClientIdKind::Document, "{good}");
        }
        for bad in [
            "",
            " ",
            "https://h.example",
            "https://h.example/",
            "http://h.example/c.json",
            "https://h.example/a/../c.json",
            "https://h.example/%2e%2e/c",
            "https://h.example/c#x",
            "https://u@h.example/c",
            "https://H.example/c",
            "a b",
            "a/b",
            "https:///c.json",
            "https://h.example\\@evil/c",
            "ä",
            "a\n",
        ] {
            assert_eq!(ClientId::parse(bad), Err(ClientFault::Malformed), "{bad}");
        }
        assert!(ClientId::parse(&"a".repeat(128)).is_ok());
        assert!(ClientId::parse(&"a".repeat(129)).is_err());
    }
}
