//! `resource`: which protected resource a token is for (RFC 8707 §2).

use url::Url;

use crate::{
    TargetFault,
    text::{Parsed, textual},
};

/// Longest resource identifier.
const CHARACTERS_MAX: usize = 2048;

/// A resource identifier in its canonical form: lower-case scheme and host, no default port, no trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceUri(Box<str>);

impl ResourceUri {
    /// Reads one; SDKs that write `https://h` as `https://h/` mean the same.
    ///
    /// # Errors
    /// Not an absolute http(s) URI, or with fragment or user information.
    pub fn parse(text: &str) -> Result<Self, TargetFault> {
        if text.len() > CHARACTERS_MAX || !text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
            return Err(TargetFault::Malformed);
        }
        let url = Url::parse(text).map_err(|_| TargetFault::Malformed)?;
        let is_plain = matches!(url.scheme(), "https" | "http") && url.has_host() && url.username().is_empty() && url.password().is_none();
        if !is_plain || url.fragment().is_some() || text.contains('#') {
            return Err(TargetFault::Malformed);
        }
        let canonical = url.as_str();
        let canonical = if url.query().is_none() { canonical.strip_suffix('/').unwrap_or(canonical) } else { canonical };
        Ok(Self(canonical.into()))
    }

    /// The canonical text, which is the `aud` of its tokens.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        self.0.find("://").map_or(&self.0, |at| self.0[at + 3..].find(['/', '?']).map_or(&*self.0, |end| &self.0[..at + 3 + end]))
    }

    /// The path, without the query; empty for a bare origin.
    pub fn path(&self) -> &str {
        let rest = &self.0[self.origin().len()..];
        rest.split('?').next().unwrap_or(rest)
    }
}

impl Parsed for ResourceUri {
    type Fault = TargetFault;
}
textual!(ResourceUri);
