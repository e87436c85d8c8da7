//! Where a browser may be sent back to: parsed strictly, compared as strings.
//!
//! RFC 6749 §3.1.2, RFC 8252 §7 and §8, RFC 9700 §4.1. What may exist at all is decided here; which of these an operator lets in
//! is policy (`redirect_policy.rs` has the known callbacks and schemes).

use crate::{
    RedirectFault,
    text::text_value,
    uri::{self, UriFault},
};

/// Longer than any callback that was ever seen, and what every browser and proxy still takes.
const BYTES_MAX: usize = 2048;

/// Schemes that run, show or open something in place of going somewhere, and those that are no redirect at all. They are refused
/// before any allow-list is asked, so that no list can let them in by mistake.
const FORBIDDEN_SCHEMES: [&str; 29] = [
    "about",
    "blob",
    "cid",
    "chrome",
    "chrome-extension",
    "content",
    "data",
    "file",
    "filesystem",
    "ftp",
    "gopher",
    "imap",
    "intent",
    "jar",
    "javascript",
    "ldap",
    "livescript",
    "mailto",
    "mhtml",
    "mocha",
    "ms-appx",
    "resource",
    "sms",
    "tel",
    "urn",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// A place that a browser may be sent back to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RedirectUri {
    // First, so that the derived comparisons are those of the text: the other fields follow from it.
    text: String,
    kind: RedirectKind,
    scheme_end: usize,
    /// Start and end of the host in the text; `None` for private-use schemes without authority.
    host: Option<(usize, usize)>,
    /// Where path and query begin.
    rest: usize,
}

/// What kind of place it is; the policy table has one row for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RedirectKind {
    /// A host on the web.
    Https,
    /// This machine, on whatever port the application got (RFC 8252 §7.3).
    Loopback,
    /// An application that the operating system opens (RFC 8252 §7.1).
    PrivateUse,
}

impl RedirectUri {
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, RedirectFault> {
        if text.len() > BYTES_MAX {
            return Err(RedirectFault::TooLong);
        }
        if text.contains('*') {
            return Err(RedirectFault::Wildcard);
        }
        let parts = uri::split(text).map_err(fault)?;
        if FORBIDDEN_SCHEMES.contains(&parts.scheme.to_ascii_lowercase().as_str()) {
            return Err(RedirectFault::SchemeForbidden);
        }
        if parts.scheme.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(RedirectFault::NotLowerCase);
        }
        let host = match &parts.authority {
            Some(authority) if authority.userinfo.is_some() => return Err(RedirectFault::Userinfo),
            Some(authority) => Some(authority.host),
            None => None,
        };
        let kind = match parts.scheme {
            "https" => https(host)?,
            "http" => loopback(host)?,
            _ => private_use(&parts)?,
        };
        if uri::has_dot_segments(parts.path) {
            return Err(RedirectFault::DotSegments);
        }
        if uri::has_encoded_separators(parts.path) {
            return Err(RedirectFault::EncodedSeparator);
        }
        let scheme_end = parts.scheme.len();
        let host = host.map(|host| (scheme_end + "://".len(), scheme_end + "://".len() + host.len()));
        Ok(Self { text: text.to_owned(), kind, scheme_end, host, rest: text.len() - parts.rest.len() })
    }

    /// What kind of place it is.
    pub fn kind(&self) -> RedirectKind {
        self.kind
    }

    /// The text, as it came.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `https`, `http`, or a private-use scheme.
    pub fn scheme(&self) -> &str {
        &self.text[..self.scheme_end]
    }

    /// The host without port, with brackets when it is IPv6. Private-use schemes may have none.
    pub fn host(&self) -> Option<&str> {
        self.host.map(|(start, end)| &self.text[start..end]).filter(|host| !host.is_empty())
    }

    /// The path and the query, as they stand.
    pub fn path_and_query(&self) -> &str {
        &self.text[self.rest..]
    }

    /// May a browser be sent to `asked`, when this one is registered? The only comparison there is.
    // RFC 6749 §3.1.2.3: compare as strings. A URL parser makes `https://a.example` and `https://a.example/` equal; we must not.
    // RFC 8252 §7.3: for loopback the port is free, whether or not one was registered. The three hosts are never swapped:
    // another program may listen on the same port of another of them.
    pub fn allows(&self, asked: &RedirectUri) -> bool {
        if self.kind == RedirectKind::Loopback && asked.kind == RedirectKind::Loopback {
            return self.host() == asked.host() && self.path_and_query() == asked.path_and_query();
        }
        self.text == asked.text
    }

    /// The address to go to: this one with parameters added to its query (RFC 6749 §4.1.2; what is there stays).
    pub fn with_params(&self, params: &[(&str, &str)]) -> String {
        let mut text = String::with_capacity(self.text.len() + 64 * params.len());
        text.push_str(&self.text);
        let joint = match self.path_and_query().split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some((_, query)) if query.ends_with('&') => "",
            Some(_) => "&",
        };
        text.push_str(joint);
        let start = text.len();
        let mut query = url::form_urlencoded::Serializer::for_suffix(text, start);
        query.extend_pairs(params);
        query.finish()
    }
}

text_value!(RedirectUri, RedirectFault);

fn https(host: Option<&str>) -> Result<RedirectKind, RedirectFault> {
    let host = host.filter(|host| !host.is_empty()).ok_or(RedirectFault::Malformed)?;
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(RedirectFault::NotLowerCase);
    }
    // An address is nobody's name: no certificate authority vouches for a person behind it, and it may be inside our own network.
    // `https://localhost` is a certificate that everybody holds.
    if uri::is_ip_literal(host) || host == "localhost" || host.ends_with(".localhost") {
        return Err(RedirectFault::HostNotAllowed);
    }
    if uri::is_dns_name(host) { Ok(RedirectKind::Https) } else { Err(RedirectFault::Malformed) }
}

fn loopback(host: Option<&str>) -> Result<RedirectKind, RedirectFault> {
    match host {
        Some(host) if uri::is_loopback(host) => Ok(RedirectKind::Loopback),
        Some(host) if host.is_empty() => Err(RedirectFault::Malformed),
        Some(_) => Err(RedirectFault::HttpOffLoopback),
        None => Err(RedirectFault::Malformed),
    }
}

fn private_use(parts: &uri::Parts<'_>) -> Result<RedirectKind, RedirectFault> {
    // One letter is a drive on Windows, not a scheme.
    if parts.scheme.len() < 2 {
        return Err(RedirectFault::SchemeForbidden);
    }
    // An opaque `scheme:text` is how scripts and queries hide; RFC 8252 §7.1 shows `scheme:/path`.
    let has_place = parts.rest.starts_with('/') || parts.authority.as_ref().is_some_and(|authority| !authority.host.is_empty());
    if has_place { Ok(RedirectKind::PrivateUse) } else { Err(RedirectFault::Malformed) }
}

fn fault(fault: UriFault) -> RedirectFault {
    match fault {
        UriFault::NotAscii => RedirectFault::NotAscii,
        UriFault::Backslash => RedirectFault::Backslash,
        UriFault::Fragment => RedirectFault::Fragment,
        UriFault::NoScheme => RedirectFault::Relative,
        UriFault::BadCharacter => RedirectFault::Malformed,
        UriFault::BadPort => RedirectFault::PortMalformed,
    }
}
