//! The one string that names the authorization server.
//!
//! RFC 8414 §2 and §3.3, RFC 9207 §2.4: clients compare it byte by byte, so it is kept byte by byte. An origin without path and
//! trailing slash, because three of the four well-known variants and all slash problems go away with them.

use crate::{IssuerFault, text::text_value, uri};

/// Longer than any origin.
const BYTES_MAX: usize = 512;

/// The issuer identifier.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerUrl {
    text: String,
}

impl IssuerUrl {
    /// # Errors
    /// The first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, IssuerFault> {
        if text.len() > BYTES_MAX {
            return Err(IssuerFault::Malformed);
        }
        let parts = uri::split(text).map_err(|fault| match fault {
            uri::UriFault::Fragment => IssuerFault::HasQueryOrFragment,
            _ => IssuerFault::Malformed,
        })?;
        let authority = parts.authority.ok_or(IssuerFault::Malformed)?;
        if authority.userinfo.is_some() {
            return Err(IssuerFault::HasUserinfo);
        }
        let is_host = uri::is_dns_name(authority.host) || uri::is_ip_literal(authority.host);
        if !is_host || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(IssuerFault::Malformed);
        }
        match (parts.scheme, authority.port) {
            ("https", Some("443")) | ("http", Some("80")) => return Err(IssuerFault::HasDefaultPort),
            ("https", _) => {}
            ("http", _) if uri::is_loopback(authority.host) => {}
            _ => return Err(IssuerFault::NotHttps),
        }
        if parts.query.is_some() {
            return Err(IssuerFault::HasQueryOrFragment);
        }
        if !parts.path.is_empty() {
            return Err(IssuerFault::HasPath);
        }
        Ok(Self { text: text.to_owned() })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL of a path on this origin; the path begins with a slash.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Is it served over TLS?
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Is it this machine?
    pub fn is_loopback(&self) -> bool {
        uri::is_loopback(self.host())
    }

    /// Host and port, as a `Host` header has them.
    pub fn authority(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// The host without port, with brackets when it is IPv6.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        let end = match authority.find(']') {
            Some(bracket) => bracket + 1,
            None => authority.find(':').unwrap_or(authority.len()),
        };
        &authority[..end]
    }
}

text_value!(IssuerUrl, IssuerFault);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_issuer_reads_as_it_shows(text in "https://[a-z]{1,9}\\.[a-z]{2,5}(:8[0-9]{1,3})?") {
            let issuer = IssuerUrl::parse(&text).unwrap();
            prop_assert_eq!(issuer.as_str(), &text);
            prop_assert!(issuer.authority().starts_with(issuer.host()));
        }

        #[test]
        fn garbage_never_panics(text in ".{0,100}") {
            let _ = IssuerUrl::parse(&text);
        }
    }

    #[test]
    fn an_issuer_is_an_origin_and_nothing_more() {
        let rows = [
            ("https://h.example/", IssuerFault::HasPath),
            ("https://h.example/tenant", IssuerFault::HasPath),
            ("https://h.example?x", IssuerFault::HasQueryOrFragment),
            ("https://h.example#x", IssuerFault::HasQueryOrFragment),
            ("http://h.example", IssuerFault::NotHttps),
            ("http://127.0.0.2", IssuerFault::NotHttps),
            ("ftp://h.example", IssuerFault::NotHttps),
            ("https://u@h.example", IssuerFault::HasUserinfo),
            ("https://H.example", IssuerFault::Malformed),
            ("https://h.example:443", IssuerFault::HasDefaultPort),
            ("http://localhost:80", IssuerFault::HasDefaultPort),
            ("h.example", IssuerFault::Malformed),
            ("https://", IssuerFault::Malformed),
        ];
        for (text, fault) in rows {
            assert_eq!(IssuerUrl::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn an_issuer_tells_its_host() {
        let issuer = IssuerUrl::parse("http://[::1]:8080").unwrap();
        assert_eq!((issuer.host(), issuer.authority()), ("[::1]", "[::1]:8080"));
        assert!(issuer.is_loopback() && !issuer.is_https());
        let issuer = IssuerUrl::parse("https://h.example").unwrap();
        assert_eq!((issuer.host(), issuer.at("/token").as_str()), ("h.example", "https://h.example/token"));
        assert!(issuer.is_https() && !issuer.is_loopback());
    }
}
