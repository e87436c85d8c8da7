//! What a trusted proxy says about the request in its hands: method, scheme, host and path, each once and unmistakable.
//!
//! The path is judged as text. A service may decode what we do not, so a path that two readers could read in two ways is refused here,
//! whatever the proxy lets through: encoded separators, encoded percent signs, dot segments, empty segments (edge study: paths).

use actix_web::http::header::{HeaderMap, HeaderName};
use oauth_types::{Error, IssuerUrl, RequestFault};

const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// What may be done to a service. TRACE would echo who calls; CONNECT is a tunnel.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Encoded characters that a second decoder reads as structure: `/ \ NUL % ; ? #`. A dot is unreserved and has no business in disguise.
const ENCODED_FORBIDDEN: [&[u8; 2]; 8] = [b"2F", b"5C", b"00", b"25", b"3B", b"3F", b"23", b"2E"];
/// Longer than any path or query of a known client, and within the header limits of proxies.
const URI_BYTES_MAX: usize = 8 * 1024;

/// A request as the proxy describes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Forwarded<'a> {
    proto: &'a str,
    host: &'a str,
    path: &'a str,
}

/// Reads the description.
///
/// # Errors
/// A header that is missing or there twice; a method that no service is asked with; a path with two readings.
pub(crate) fn read(headers: &HeaderMap) -> Result<Forwarded<'_>, Error> {
    let method = only(headers, &METHOD)?;
    let (proto, host, uri) = (only(headers, &PROTO)?, only(headers, &HOST)?, only(headers, &URI)?);
    if !METHODS.contains(&method) {
        return Err(Error::InvalidRequest(RequestFault::MethodNotAllowed));
    }
    let path = uri.split('?').next().unwrap_or_default();
    if uri.len() > URI_BYTES_MAX || !is_unmistakable(path.as_bytes()) {
        return Err(Error::InvalidRequest(RequestFault::PathAmbiguous));
    }
    Ok(Forwarded { proto, host, path })
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Error> {
    let malformed = || Error::InvalidRequest(RequestFault::ForwardedMalformed);
    let mut values = headers.get_all(name);
    let value = values.next().ok_or_else(malformed)?;
    if values.next().is_some() {
        return Err(malformed());
    }
    value.to_str().map_err(|_| malformed())
}

/// One reading: it begins with a slash, every byte is visible, every escape is well-formed and hides nothing, no segment is empty
/// (but the last), `.` or `..`.
fn is_unmistakable(path: &[u8]) -> bool {
    if path.first() != Some(&b'/') {
        return false;
    }
    let mut rest = &path[1..];
    let mut segment = 0;
    let mut dots_only = true;
    loop {
        match *rest {
            [] => return !is_dots(segment, dots_only),
            [b'/', ref after @ ..] => {
                if segment == 0 || is_dots(segment, dots_only) {
                    return false;
                }
                (segment, dots_only, rest) = (0, true, after);
            }
            [b'%', high, low, ref after @ ..] => {
                let code = [high.to_ascii_uppercase(), low.to_ascii_uppercase()];
                if !high.is_ascii_hexdigit() || !low.is_ascii_hexdigit() || ENCODED_FORBIDDEN.contains(&&code) {
                    return false;
                }
                (segment, dots_only, rest) = (segment + 1, false, after);
            }
            [byte, ref after @ ..] => {
                if !byte.is_ascii_graphic() || matches!(byte, b'%' | b'\\' | b'#' | b';') {
                    return false;
                }
                (segment, dots_only, rest) = (segment + 1, dots_only && byte == b'.', after);
            }
        }
    }
}

fn is_dots(length: usize, dots_only: bool) -> bool {
    dots_only && (length == 1 || length == 2)
}

impl<'a> Forwarded<'a> {
    /// The first segment of the path, which names a service. Compared as it is written: another case, or an escape, is another name.
    pub(crate) fn first_segment(&self) -> Result<&'a str, Error> {
        let first = self.path.trim_start_matches('/').split('/').next();
        first.filter(|name| !name.is_empty()).ok_or(Error::InvalidRequest(RequestFault::ServiceUnknown))
    }
}

/// Our own origin, as a described request must name it.
#[derive(Debug)]
pub(crate) struct Origin {
    is_https: bool,
    host: Box<str>,
    port: Box<str>,
}

impl Origin {
    /// The origin of this issuer.
    pub(crate) fn of(issuer: &IssuerUrl) -> Self {
        let (host, port) = split(issuer.authority());
        Self {
            is_https: issuer.is_https(),
            host: host.to_ascii_lowercase().into(),
            port: port.unwrap_or(default_port(issuer.is_https())).into(),
        }
    }

    /// Is the described request for us? The proxy repeats the host as the client wrote it: case, our own port and the root's dot make no
    /// other host. Over plain http a token was shown to everybody on the way.
    ///
    /// # Errors
    /// 421 for another host, port or scheme.
    pub(crate) fn admit(&self, asked: &Forwarded<'_>) -> Result<(), Error> {
        let secure = match asked.proto {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return Err(Error::InvalidRequest(RequestFault::ForwardedMalformed)),
        };
        if secure != self.is_https {
            return Err(Error::InvalidRequest(RequestFault::SchemeNotOurs));
        }
        let (host, port) = split(asked.host);
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_ours = host.eq_ignore_ascii_case(&self.host) && port.unwrap_or(default_port(secure)) == &*self.port;
        if is_ours { Ok(()) } else { Err(Error::InvalidRequest(RequestFault::HostNotOurs)) }
    }
}

fn default_port(secure: bool) -> &'static str {
    if secure { "443" } else { "80" }
}

/// Host and port of an authority; an IPv6 literal keeps its brackets.
fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rfind(':').filter(|&at| !authority[at..].contains(']')) {
        Some(at) => (&authority[..at], Some(&authority[at + 1..])),
        None => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    const GOOD: [(HeaderName, &str); 4] =
        [(METHOD, "POST"), (PROTO, "https"), (HOST, "mcp.example.com"), (URI, "/notes/mcp?session=a%2Fb")];

    fn headers(replaced: Option<(&HeaderName, &str)>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in &GOOD {
            let value = replaced.filter(|(other, _)| *other == name).map_or(*value, |(_, value)| value);
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn refused(headers: &HeaderMap) -> &'static str {
        read(headers).map(|_| "read").unwrap_or_else(|error| error.reason())
    }

    #[test]
    fn a_request_is_described_by_four_headers() {
        let good = headers(None);
        let asked = read(&good).unwrap();
        assert_eq!((asked.proto, asked.host, asked.path), ("https", "mcp.example.com", "/notes/mcp"));
        assert_eq!(asked.first_segment().unwrap(), "notes");
    }

    #[test]
    fn each_of_them_stands_once() {
        for (name, value) in &GOOD {
            let mut without = headers(None);
            without.remove(name);
            assert_eq!(refused(&without), "forwarded_malformed", "{name}");
            let mut twice = headers(None);
            twice.append(name.clone(), HeaderValue::from_str(value).unwrap());
            assert_eq!(refused(&twice), "forwarded_malformed", "{name}");
        }
    }

    #[test]
    fn methods_are_those_of_services() {
        for good in METHODS {
            assert_eq!(refused(&headers(Some((&METHOD, good)))), "read", "{good}");
        }
        for bad in ["TRACE", "CONNECT", "TRACK", "get", "PROPFIND", "", "GET "] {
            assert_eq!(refused(&headers(Some((&METHOD, bad)))), "method_not_allowed", "{bad}");
        }
    }

    #[test]
    fn a_path_has_one_reading() {
        for good in [
            "/",
            "/notes",
            "/notes/",
            "/notes/mcp",
            "/notes/a.b/..c/...",
            "/notes/%C3%A4%20x",
            "/notes/a:b@c!$&'()*+,=~",
            "/n?a=%2F..%00;#",
        ] {
            assert_eq!(refused(&headers(Some((&URI, good)))), "read", "{good}");
        }
        for bad in [
            "",
            "notes",
            "//notes",
            "/notes//mcp",
            "/notes/../token",
            "/notes/..",
            "/notes/.",
            "/./notes",
            "/notes/%2e%2e/token",
            "/notes/.%2E/x",
            "/notes/..%2ftoken",
            "/notes%2Fmcp",
            "/notes/%5c..",
            "/notes/\\..",
            "/notes/%00",
            "/notes/%252e",
            "/notes/%25",
            "/notes/%zz",
            "/notes/%",
            "/notes/%2",
            "/notes;a=b",
            "/notes/%3Bx",
            "/notes/%3f",
            "/notes/%23",
            "/notes#x",
            "http://mcp.example.com/notes",
            "*",
        ] {
            assert_eq!(refused(&headers(Some((&URI, bad)))), "path_ambiguous", "{bad}");
        }
        let long = format!("/{}", "a".repeat(URI_BYTES_MAX));
        assert_eq!(refused(&headers(Some((&URI, &long)))), "path_ambiguous");
        assert_eq!(refused(&headers(Some((&URI, &long[..URI_BYTES_MAX])))), "read");
    }

    proptest! {
        /// Whatever is let through has no dot segment, no separator and no percent sign after any number of decodings.
        #[test]
        fn decoding_again_changes_no_segment(path in "(/([a-z.]|%[0-9A-F][0-9A-F]){1,5}){1,4}") {
            prop_assume!(is_unmistakable(path.as_bytes()));
            let decoded = percent_decode(&path);
            prop_assert!(!decoded.contains(['%', '\\', '\0', ';', '?', '#']));
            prop_assert_eq!(decoded.matches('/').count(), path.matches('/').count());
            prop_assert!(decoded.split('/').all(|segment| segment != "." && segment != ".."));
        }

        #[test]
        fn garbage_never_panics(path in "\\PC{0,60}") {
            let _ = is_unmistakable(path.as_bytes());
        }
    }

    fn percent_decode(path: &str) -> String {
        let mut parts = path.split('%');
        let mut out: Vec<u8> = parts.next().unwrap_or_default().bytes().collect();
        for part in parts {
            out.push(u8::from_str_radix(&part[..2], 16).unwrap());
            out.extend(part[2..].bytes());
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    fn admitted(issuer: &str, proto: &str, host: &str) -> &'static str {
        let asked = Forwarded { proto, host, path: "/" };
        Origin::of(&IssuerUrl::parse(issuer).unwrap()).admit(&asked).map_or_else(|error| error.reason(), |()| "ours")
    }

    #[test]
    fn case_own_port_and_the_roots_dot_make_no_other_host() {
        for ours in ["mcp.example.com", "MCP.Example.COM", "mcp.example.com.", "mcp.example.com:443", "mcp.example.com.:443"] {
            assert_eq!(admitted("https://mcp.example.com", "https", ours), "ours", "{ours}");
        }
        for other in [
            "evil.example",
            "mcp.example.com:8443",
            "mcp.example.com..",
            "xmcp.example.com",
            "mcp.example.com.evil",
            "",
            "u@mcp.example.com",
            "mcp.example.com:",
        ] {
            assert_eq!(admitted("https://mcp.example.com", "https", other), "host_not_ours", "{other}");
        }
        assert_eq!(admitted("https://mcp.example.com:8443", "wss", "mcp.example.com:8443"), "ours");
        assert_eq!(admitted("https://mcp.example.com:8443", "https", "mcp.example.com"), "host_not_ours");
        assert_eq!(admitted("http://[::1]:8080", "http", "[::1]:8080"), "ours");
    }

    #[test]
    fn a_token_that_came_in_the_clear_is_not_believed() {
        assert_eq!(admitted("https://mcp.example.com", "http", "mcp.example.com"), "scheme_not_ours");
        assert_eq!(admitted("https://mcp.example.com", "HTTPS", "mcp.example.com"), "forwarded_malformed");
    }
}
