//! `redirect_uri`: where an answer may go.
//!
//! RFC 6749 §3.1.2.3 and OAuth 2.1 §4.1.3: compare as strings. A URL parser makes `https://a.example` and `https://a.example/` equal, and
//! decodes, folds and drops; here that would be an open redirector. The one exception is the port of a loopback URI (RFC 8252 §7.3).
//! Which hosts and schemes an operator allows is policy, not this file's.

use url::{Host, Url};

use crate::{
    RedirectFault,
    text::{Parsed, textual},
};

/// Longest redirect URI; known ones stay under 200.
const CHARACTERS_MAX: usize = 2048;
/// Schemes that run code, read local content or speak other protocols.
const FORBIDDEN: [&str; 16] = [
    "javascript",
    "data",
    "file",
    "blob",
    "about",
    "ws",
    "wss",
    "vbscript",
    "intent",
    "ftp",
    "view-source",
    "filesystem",
    "mailto",
    "tel",
    "jar",
    "content",
];

/// What kind of place the answer goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedirectKind {
    /// A site.
    Https,
    /// A process on the person's own computer (RFC 8252 §7.3).
    Loopback,
    /// An app that claimed a scheme (RFC 8252 §7.1).
    PrivateUse,
}

/// An absolute URI that may be compared with a registered one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RedirectUri(Box<str>);

impl RedirectUri {
    /// Reads one.
    ///
    /// # Errors
    /// What makes it dangerous or ambiguous.
    pub fn parse(text: &str) -> Result<Self, RedirectFault> {
        if text.len() > CHARACTERS_MAX {
            return Err(RedirectFault::TooLong);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && !b"\\<>\"`{}|^".contains(&b)) {
            return Err(RedirectFault::Backslash);
        }
        let (scheme, rest) = text.split_once(':').ok_or(RedirectFault::Relative)?;
        if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
            return Err(RedirectFault::Relative);
        }
        if FORBIDDEN.contains(&scheme.to_ascii_lowercase().as_str()) {
            return Err(RedirectFault::SchemeForbidden);
        }
        if text.contains('#') {
            return Err(RedirectFault::Fragment);
        }
        if text.contains('*') {
            return Err(RedirectFault::Wildcard);
        }
        let url = Url::parse(text).map_err(|_| RedirectFault::Malformed)?;
        match url.scheme() {
            "https" | "http" => Self::web(text, rest, &url)?,
            _ => Self::private_use(scheme, rest, &url)?,
        }
        Ok(Self(text.into()))
    }

    fn web(text: &str, rest: &str, url: &Url) -> Result<(), RedirectFault> {
        let authority = rest.strip_prefix("//").ok_or(RedirectFault::Malformed)?;
        let authority = authority.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(RedirectFault::Userinfo);
        }
        // The parser folds case, drops default ports and turns `0x7f.1` into `127.0.0.1`: what it changes, others may read otherwise.
        let as_read = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{}://{host}:{port}", url.scheme()),
            (Some(host), None) => format!("{}://{host}", url.scheme()),
            (None, _) => return Err(RedirectFault::Malformed),
        };
        if !text.starts_with(&as_read) || as_read.len() != url.scheme().len() + 3 + authority.len() {
            return Err(RedirectFault::Malformed);
        }
        if authority.ends_with('.') || authority.contains(".:") {
            return Err(RedirectFault::Malformed);
        }
        let path = text[as_read.len()..].split('?').next().unwrap_or_default();
        let dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        if path.split('/').any(dots) {
            return Err(RedirectFault::DotSegments);
        }
        let escaped = path.to_ascii_lowercase();
        if ["%2f", "%5c", "%00", "%0a", "%0d"].iter().any(|slash| escaped.contains(slash)) {
            return Err(RedirectFault::Malformed);
        }
        if url.scheme() == "http" && !is_loopback(url) {
            return Err(RedirectFault::HttpOffLoopback);
        }
        Ok(())
    }

    fn private_use(scheme: &str, rest: &str, url: &Url) -> Result<(), RedirectFault> {
        if scheme != url.scheme() {
            return Err(RedirectFault::Malformed);
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || rest.split(['/', '?']).nth(2).is_some_and(|authority| authority.contains('@'))
        {
            return Err(RedirectFault::Userinfo);
        }
        if rest.split(['/', '?']).any(|segment| segment == "..") {
            return Err(RedirectFault::DotSegments);
        }
        if rest.trim_matches('/').is_empty() {
            return Err(RedirectFault::Malformed);
        }
        Ok(())
    }

    /// The text, byte for byte.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scheme, in lower case.
    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }

    /// What kind of place this is.
    pub fn kind(&self) -> RedirectKind {
        match self.scheme() {
            "https" => RedirectKind::Https,
            "http" => RedirectKind::Loopback,
            _ => RedirectKind::PrivateUse,
        }
    }

    /// The host, with brackets if it is IPv6 and without the port; none for a private-use scheme without authority.
    pub fn host(&self) -> Option<&str> {
        let authority = self.authority()?;
        let end = port_at(authority).unwrap_or(authority.len());
        Some(&authority[..end])
    }

    fn authority(&self) -> Option<&str> {
        let rest = self.0.split_once("://")?.1;
        rest.split(['/', '?']).next().filter(|authority| !authority.is_empty())
    }

    /// May an answer that was asked to go to `asked` go there, when this one is registered?
    pub fn allows(&self, asked: &Self) -> bool {
        if self.0 == asked.0 {
            return true;
        }
        self.kind() == RedirectKind::Loopback && asked.kind() == RedirectKind::Loopback && self.without_port() == asked.without_port()
    }

    /// Two halves around the port.
    fn without_port(&self) -> (&str, &str) {
        let start = self.0.find("://").map_or(0, |at| at + 3);
        let end = self.0[start..].find(['/', '?']).map_or(self.0.len(), |at| start + at);
        let host_end = port_at(&self.0[start..end]).map_or(end, |at| start + at);
        (&self.0[..host_end], &self.0[end..])
    }

    /// This URI with parameters appended to its query, which is kept as it is (RFC 6749 §3.1.2).
    pub fn with_params(&self, params: &[(&str, &str)]) -> String {
        let mut out = String::with_capacity(self.0.len() + params.iter().map(|(name, value)| name.len() + value.len() + 8).sum::<usize>());
        out.push_str(&self.0);
        let mut separator = match self.0.find('?') {
            None => "?",
            Some(at) if at + 1 == self.0.len() => "",
            Some(_) => "&",
        };
        for (name, value) in params {
            out.push_str(separator);
            out.extend(url::form_urlencoded::byte_serialize(name.as_bytes()));
            out.push('=');
            out.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
            separator = "&";
        }
        out
    }
}

/// Where the port's colon is; a colon inside brackets is IPv6.
fn port_at(authority: &str) -> Option<usize> {
    authority.rfind(':').filter(|at| !authority[*at..].contains(']'))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    }
}

impl Parsed for RedirectUri {
    type Fault = RedirectFault;
}
textual!(RedirectUri);
