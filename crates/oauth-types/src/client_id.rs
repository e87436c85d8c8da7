//! `client_id`: a registered name, or the https URL of a document that describes the client.

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
        let document = text.len() <= CHARACTERS_MAX && text.starts_with("https://") && text.bytes().all(|b| b.is_ascii_graphic());
        if registered || document { Ok(Self(text.into())) } else { Err(ClientFault::Unknown) }
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

impl Parsed for ClientId {
    type Fault = ClientFault;
}
textual!(ClientId);
