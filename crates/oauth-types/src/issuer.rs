//! The issuer: one origin, one string, the same in metadata, tokens and `iss` (RFC 8414 §2, RFC 9207 §2).

use url::{Host, Url};

use crate::{
    TargetFault,
    text::{Parsed, textual},
};

/// An origin without path and without trailing slash: that removes every spelling but one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerUrl(Box<str>);

impl IssuerUrl {
    /// Reads one: https, or http on loopback for development.
    ///
    /// # Errors
    /// [`TargetFault::Malformed`] for everything else.
    pub fn parse(text: &str) -> Result<Self, TargetFault> {
        let url = Url::parse(text).map_err(|_| TargetFault::Malformed)?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        let may_be_http = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        // The parser writes an origin as `https://h/`; what was typed must be exactly that without the slash.
        if is_plain && may_be_http && url.path() == "/" && url.as_str().strip_suffix('/') == Some(text) {
            Ok(Self(text.into()))
        } else {
            Err(TargetFault::Malformed)
        }
    }

    /// The string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of a path (which begins with a slash) on this origin.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Reached over TLS?
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// On this machine only?
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| is_loopback(&url))
    }

    /// Host, and port unless it is the scheme's: what a right `Host` header says.
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or(&self.0, |(_, authority)| authority)
    }

    /// The host alone; IPv6 in brackets.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        match authority.rfind(':') {
            Some(at) if !authority[at..].contains(']') => &authority[..at],
            _ => authority,
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl Parsed for IssuerUrl {
    type Fault = TargetFault;
}
textual!(IssuerUrl);

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
        for text in [
            "https://h.example/",
            "https://h.example/tenant",
            "https://h.example?x",
            "https://h.example#x",
            "https://h.example#",
            "http://h.example",
            "http://0.0.0.0",
            "ftp://h.example",
            "https://u@h.example",
            "https://@h.example",
            "https://H.example",
            "HTTPS://h.example",
            "https://h.example:443",
            "http://localhost:80",
            "http://127.1",
            "https://h.example/../",
            "https:h.example",
            "h.example",
            "https://",
            "",
        ] {
            assert_eq!(IssuerUrl::parse(text), Err(TargetFault::Malformed), "{text}");
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
