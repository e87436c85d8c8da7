//! Where this server stands: which `Host` names are ours, whose forwarded addresses we believe, who draws the error page.
//!
//! Public URLs come from configuration, never from the request (attack 18): a foreign `Host` is answered 421 before anything looks at
//! the request (RFC 9110 §7.4, §15.5.20), which also ends DNS rebinding against a loopback listener (attack 46).

use std::net::IpAddr;

use actix_web::{
    HttpRequest,
    http::{
        Uri,
        header::{self, HeaderMap},
    },
};
use oauth_types::{Error, IssuerUrl, RequestFault};

/// Draws the page that a person sees instead of an error: request (for the language), what went wrong, reference.
pub(crate) type ErrorPage = fn(&HttpRequest, &Error, &str) -> Option<String>;

/// More than any client sends (browsers about 25, proxies add ten), less than actix's own limit of 96.
const HEADERS_MAX: usize = 80;
/// All header names and values together; nginx and Traefik stop at similar sizes.
const HEADER_BYTES_MAX: usize = 32 * 1024;

/// Names of this machine for itself (RFC 8252 §7.3 and RFC 6761 §6.3).
const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// What HTTP must know about its place; built once from Config.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// `host` or `host:port` forms that are ours, lower case.
    authorities: Vec<String>,
    scheme: &'static str,
    hsts: bool,
    trusted_proxies: Vec<IpAddr>,
    /// Paths that answer under any name: probes and machines reach them by address or by an internal name.
    any_host: &'static [&'static str],
    error_page: Option<ErrorPage>,
}

impl Site {
    /// The site of this issuer.
    pub(crate) fn new(issuer: &IssuerUrl, trusted_proxies: &[IpAddr]) -> Self {
        let (scheme, default_port) = if issuer.is_https() { ("https", "443") } else { ("http", "80") };
        let authority = issuer.authority().to_ascii_lowercase();
        // IPv6 literals keep their brackets, so a colon after the last bracket starts a port.
        let port_at = authority.rfind(':').filter(|&at| !authority[at..].contains(']'));
        let (host, port) = port_at.map_or((authority.as_str(), default_port), |at| (&authority[..at], &authority[at + 1..]));
        let hosts: Vec<&str> = if issuer.is_loopback() { LOOPBACK_HOSTS.into_iter().chain([host]).collect() } else { vec![host] };
        let mut authorities: Vec<String> = hosts.iter().map(|host| format!("{host}:{port}")).collect();
        if port == default_port {
            authorities.extend(hosts.iter().map(|host| (*host).to_owned()));
        }
        // The name that nearly every request carries is compared first.
        authorities.sort_by_key(|known| *known != authority);
        Self {
            authorities,
            scheme,
            hsts: issuer.is_https() && !issuer.is_loopback(),
            trusted_proxies: trusted_proxies.to_vec(),
            any_host: &[],
            error_page: None,
        }
    }

    /// These paths, and those below one that ends with a slash, answer whatever the `Host` says. Only for what is public or opened by a credential of its own.
    pub(crate) fn any_host(mut self, paths: &'static [&'static str]) -> Self {
        self.any_host = paths;
        self
    }

    /// Who draws error pages.
    pub(crate) fn error_page(mut self, page: ErrorPage) -> Self {
        self.error_page = Some(page);
        self
    }

    pub(super) fn hsts(&self) -> bool {
        self.hsts
    }

    pub(super) fn draw_error(&self, request: &HttpRequest, error: &Error, reference: &str) -> Option<String> {
        self.error_page.and_then(|page| page(request, error, reference))
    }

    pub(super) fn trusts(&self, peer: &IpAddr) -> bool {
        self.trusted_proxies.contains(&peer.to_canonical())
    }

    /// May a request with this target and these headers come in at all?
    pub(super) fn admit(&self, target: &Uri, headers: &HeaderMap) -> Result<(), Error> {
        if headers.len() > HEADERS_MAX
            || headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > HEADER_BYTES_MAX
        {
            return Err(Error::InvalidRequest(RequestFault::HeadersTooMany));
        }
        if self.is_ours(target, headers) || self.answers_any_host(target.path()) {
            return Ok(());
        }
        Err(Error::InvalidRequest(RequestFault::HostNotOurs))
    }

    fn answers_any_host(&self, path: &str) -> bool {
        self.any_host.iter().any(|known| path == *known || (known.ends_with('/') && path.starts_with(known)))
    }

    /// RFC 9112 §3.2.2: the authority of an absolute target stands before `Host`; here both must be ours, and `Host` be there once.
    fn is_ours(&self, target: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST);
        let named = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().is_ok_and(|host| self.knows(host)),
            // HTTP/2 says it in the target (RFC 9113 §8.3.1).
            (None, None) => target.authority().is_some(),
            _ => false,
        };
        named && target.authority().is_none_or(|authority| self.knows(authority.as_str()))
    }

    /// RFC 9110 §4.2.3: hosts compare without case; everything else (a trailing dot, userinfo, another port) makes another name.
    fn knows(&self, authority: &str) -> bool {
        self.authorities.iter().any(|known| known.eq_ignore_ascii_case(authority))
    }

    /// Is this value of `Origin` one of our own origins?
    pub(super) fn is_our_origin(&self, origin: &str) -> bool {
        origin.split_once("://").is_some_and(|(scheme, authority)| scheme == self.scheme && self.knows(authority))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn site(issuer: &str) -> Site {
        Site::new(&IssuerUrl::parse(issuer).unwrap(), &[]).any_host(&["/health/live"])
    }

    fn admitted(site: &Site, target: &str, hosts: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        match site.admit(&target.parse().unwrap(), &headers) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!((error.status(), error.reason()), (421, "host_not_ours"));
                false
            }
        }
    }

    /// RFC 9110 §15.5.20, attack 18: only the configured name is answered.
    #[test]
    fn a_foreign_host_is_misdirected() {
        let site = site("https://mcp.example.com");
        for ours in ["mcp.example.com", "MCP.Example.com", "mcp.example.com:443"] {
            assert!(admitted(&site, "/token", &[ours]), "{ours}");
        }
        for foreign in [
            "evil.example",
            "mcp.example.com.",
            "mcp.example.com:8443",
            "mcp.example.com:80",
            "evil@mcp.example.com",
            "mcp.example.com@evil",
            "mcp.example.com.evil",
            "localhost",
            "127.0.0.1",
            "",
            " mcp.example.com",
            "mcp.example.com,evil",
            "mcp.example.com:",
        ] {
            assert!(!admitted(&site, "/token", &[foreign]), "{foreign}");
        }
    }

    /// Attack 46: a name that was rebound to 127.0.0.1 is not one of our loopback names.
    #[test]
    fn a_loopback_issuer_answers_to_every_loopback_name_with_its_port() {
        let site = site("http://127.0.0.1:8080");
        for ours in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"] {
            assert!(admitted(&site, "/", &[ours]), "{ours}");
        }
        for foreign in
            ["127.0.0.1", "localhost", "localhost:8081", "localhost.:8080", "rebound.example:8080", "127.0.0.2:8080", "localhost.evil:8080"]
        {
            assert!(!admitted(&site, "/", &[foreign]), "{foreign}");
        }
    }

    #[test]
    fn a_loopback_issuer_on_the_default_port_needs_no_port() {
        let site = site("http://localhost");
        assert!(admitted(&site, "/", &["localhost"]) && admitted(&site, "/", &["127.0.0.1:80"]) && admitted(&site, "/", &["[::1]"]));
    }

    /// RFC 9112 §3.2: a request without Host, or with two, is bad; an absolute target must agree.
    #[test]
    fn host_stands_once_and_agrees_with_an_absolute_target() {
        let site = site("https://mcp.example.com");
        assert!(!admitted(&site, "/token", &[]));
        assert!(!admitted(&site, "/token", &["mcp.example.com", "mcp.example.com"]));
        assert!(!admitted(&site, "http://evil.example/token", &["mcp.example.com"]));
        assert!(admitted(&site, "https://mcp.example.com/token", &["mcp.example.com"]));
        assert!(admitted(&site, "https://mcp.example.com/token", &[]), "HTTP/2 has the authority in the target");
    }

    #[test]
    fn probes_are_answered_under_any_name() {
        let site = site("https://mcp.example.com");
        assert!(admitted(&site, "/health/live", &["10.0.0.7:8080"]));
        assert!(!admitted(&site, "/health/live/x", &["10.0.0.7:8080"]));
    }

    #[test]
    fn too_many_headers_are_refused_and_many_are_not() {
        let site = site("https://mcp.example.com");
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("mcp.example.com"));
        for _ in 0..HEADERS_MAX - 1 {
            headers.append(header::COOKIE, HeaderValue::from_static("a=b"));
        }
        assert!(site.admit(&"/".parse().unwrap(), &headers).is_ok());
        headers.append(header::COOKIE, HeaderValue::from_static("a=b"));
        let refusal = site.admit(&"/".parse().unwrap(), &headers).unwrap_err();
        assert_eq!((refusal.status(), refusal.reason()), (431, "headers_too_many"));
    }

    #[test]
    fn an_origin_is_ours_only_with_scheme_host_and_port() {
        let site = site("http://127.0.0.1:8080");
        assert!(site.is_our_origin("http://127.0.0.1:8080") && site.is_our_origin("http://localhost:8080"));
        for foreign in ["null", "https://127.0.0.1:8080", "http://127.0.0.1", "http://evil.example", "http://127.0.0.1:8080/", ""] {
            assert!(!site.is_our_origin(foreign), "{foreign}");
        }
    }
}
