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
        // What a parser changes beyond case and default port (`..`, `0x7f.1`, `%2e`) names one place and shows another.
        let shown = text.split_once("://").map_or("", |(_, rest)| rest);
        let (shown_host, shown_path) = shown.split_at(shown.find(['/', '?']).unwrap_or(shown.len()));
        let shown_path = shown_path.split('?').next().unwrap_or_default();
        let is_host = url.host_str().is_some_and(|host| shown_host.to_ascii_lowercase().strip_prefix(host).is_some_and(is_port));
        if !is_host || shown_path.trim_end_matches('/') != url.path().trim_end_matches('/') {
            return Err(TargetFault::Malformed);
        }
        let canonical = url.as_str();
        let canonical = if url.query().is_none() { canonical.strip_suffix('/').unwrap_or(canonical) } else { canonical };
        Ok(Self(canonical.into()))
    }

    /// From our own hand: a row of the store, which holds only canonical text. Never for what came from outside.
    pub fn from_trusted(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
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

/// Nothing, or a colon and digits.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

impl Parsed for ResourceUri {
    type Fault = TargetFault;
}
textual!(ResourceUri);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_canonical_form_is_canonical(text in "[hH]ttps?://[a-zA-Z]{1,9}(\\.[a-z]{2,5})?(:[1-9][0-9]{0,3})?(/[a-zA-Z0-9]{1,5}){0,3}/?") {
            let resource = ResourceUri::parse(&text).unwrap();
            prop_assert_eq!(&ResourceUri::parse(resource.as_str()).unwrap(), &resource);
            prop_assert_eq!(format!("{}{}", resource.origin(), resource.path()), resource.as_str());
        }

        #[test]
        fn garbage_never_panics(text in "(https?://)?.{0,80}") {
            if let Ok(resource) = ResourceUri::parse(&text) {
                prop_assert_eq!(&ResourceUri::parse(resource.as_str()).unwrap(), &resource);
            }
        }
    }

    /// MCP authorization, canonical server URI: clients write it in all of these ways.
    #[test]
    fn every_spelling_that_clients_use_is_one_audience() {
        for text in [
            "https://h.example/mcp",
            "https://H.Example/mcp",
            "HTTPS://h.example/mcp",
            "https://h.example:443/mcp",
            "https://h.example/mcp/",
        ] {
            assert_eq!(ResourceUri::parse(text).unwrap().as_str(), "https://h.example/mcp", "{text}");
        }
        assert_eq!(ResourceUri::parse("https://h.example/").unwrap().as_str(), "https://h.example");
        assert_eq!(ResourceUri::parse("http://127.0.0.1:80/a").unwrap().origin(), "http://127.0.0.1");
        assert_eq!(ResourceUri::parse("http://[::1]:8080/mcp").unwrap().origin(), "http://[::1]:8080");
    }

    #[test]
    fn another_path_host_port_or_scheme_is_another_resource() {
        let ours = ResourceUri::parse("https://h.example/mcp").unwrap();
        for text in [
            "https://h.example/MCP",
            "https://h.example/mcp2",
            "https://h.example/mc",
            "https://h.example/mcp//",
            "http://h.example/mcp",
            "https://h.example:8443/mcp",
            "https://h.example.evil/mcp",
            "https://h.example/mcp?x",
            "https://h.example",
        ] {
            assert_ne!(ResourceUri::parse(text).unwrap(), ours, "{text}");
        }
    }

    /// RFC 8707 §2: an absolute URI, without fragment.
    #[test]
    fn what_is_no_resource_is_refused() {
        for text in [
            "",
            "/mcp",
            "mcp",
            "https:mcp",
            "https://",
            "https:///mcp",
            "https://h.example/mcp#f",
            "https://h.example/mcp#",
            "https://u@h.example/mcp",
            "https://@h.example/mcp",
            "ftp://h.example",
            "urn:x",
            "https://h.example/a/../mcp",
            "https://h.example/./mcp",
            "https://h.example/%2e%2e/mcp",
            "https://h.example\\mcp",
            "https://0x7f.1/mcp",
            "https://2130706433/mcp",
            "https://h%2eexample/mcp",
            "https://h.example:/mcp",
            "https://h example/mcp",
            "https://ä.example/mcp",
            "https://h.example/mcp\n",
        ] {
            assert_eq!(ResourceUri::parse(text), Err(TargetFault::Malformed), "{text}");
        }
        assert!(ResourceUri::parse(&format!("https://h.example/{}", "a".repeat(2_100))).is_err());
    }
}
