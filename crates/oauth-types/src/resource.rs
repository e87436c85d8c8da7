//! What a token is for: a protected resource by its URL, in one canonical form.
//!
//! RFC 8707 §2; MCP authorization, "canonical server URI". Clients write the same resource with capitals in the host, with the
//! default port, with or without a trailing slash; all of these become one audience, once, here. Nothing else is repaired.

use crate::{TargetFault, text::text_value, uri};

/// Longer than any resource that was seen.
const BYTES_MAX: usize = 1024;

/// A protected resource.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceUri {
    text: String,
    /// Where the path begins.
    path: usize,
}

impl ResourceUri {
    /// # Errors
    /// [`TargetFault::Malformed`] when it is not an absolute http or https URL without fragment and user name.
    pub fn parse(text: &str) -> Result<Self, TargetFault> {
        canonical(text).ok_or(TargetFault::Malformed)
    }

    /// The canonical text, which is the `aud` of its tokens.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.text[..self.path]
    }

    /// What follows the origin, without trailing slash; empty for a resource that is a whole origin.
    pub fn path(&self) -> &str {
        &self.text[self.path..]
    }
}

text_value!(ResourceUri, TargetFault);

fn canonical(text: &str) -> Option<ResourceUri> {
    if text.len() > BYTES_MAX {
        return None;
    }
    let parts = uri::split(text).ok()?;
    let authority = parts.authority?;
    let scheme = parts.scheme.to_ascii_lowercase();
    let host = authority.host.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let is_host = uri::is_dns_name(&host) || uri::is_ip_literal(&host);
    if !is_host || authority.userinfo.is_some() || uri::has_dot_segments(parts.path) || uri::has_encoded_separators(parts.path) {
        return None;
    }
    let mut canonical = format!("{scheme}://{host}");
    if let Some(port) = authority.port.filter(|port| *port != default_port) {
        canonical.push(':');
        canonical.push_str(port);
    }
    let path = canonical.len();
    canonical.push_str(parts.path.strip_suffix('/').unwrap_or(parts.path));
    if let Some(query) = parts.query {
        canonical.push('?');
        canonical.push_str(query);
    }
    Some(ResourceUri { text: canonical, path })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_canonical_form_is_canonical(text in "(?i)https?://[a-z]{1,9}(\\.[a-z]{2,5})?(:[1-9][0-9]{0,3})?(/[a-z0-9]{1,5}){0,3}/?") {
            let resource = ResourceUri::parse(&text).unwrap();
            prop_assert_eq!(&ResourceUri::parse(resource.as_str()).unwrap(), &resource);
            prop_assert_eq!(format!("{}{}", resource.origin(), resource.path()), resource.as_str());
        }

        #[test]
        fn garbage_never_panics(text in ".{0,100}") {
            let _ = ResourceUri::parse(&text);
        }
    }

    #[test]
    fn every_spelling_that_clients_use_is_one_audience() {
        for text in ["https://h.example/mcp", "https://H.Example/mcp", "HTTPS://h.example:443/mcp", "https://h.example/mcp/"] {
            assert_eq!(ResourceUri::parse(text).unwrap().as_str(), "https://h.example/mcp", "{text}");
        }
        assert_eq!(ResourceUri::parse("https://h.example/").unwrap().as_str(), "https://h.example");
        assert_eq!(ResourceUri::parse("http://127.0.0.1:80/a").unwrap().origin(), "http://127.0.0.1");
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
            "https://",
            "https://h.example/mcp#f",
            "https://u@h.example/mcp",
            "ftp://h.example",
            "urn:x",
            "https://h.example/a/../mcp",
            "https://h.example/%2e%2e/mcp",
            "https://h.example\\mcp",
            "https://0x7f.1/mcp",
            "https://h example/mcp",
        ] {
            assert_eq!(ResourceUri::parse(text), Err(TargetFault::Malformed), "{text}");
        }
    }
}
