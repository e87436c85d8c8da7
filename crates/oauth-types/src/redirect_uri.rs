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
        if url.scheme() == "http" && !is_loopback(url) {
            return Err(RedirectFault::HttpOffLoopback);
        }
        check_path(&text[as_read.len()..])
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
        // RFC 8252 §7.1 writes `scheme:/path`. A text that follows the colon at once is how commands and queries are handed over, and a
        // scheme of one letter is a drive on Windows.
        if scheme.len() < 2 || !rest.starts_with('/') || rest.trim_matches('/').is_empty() {
            return Err(RedirectFault::Malformed);
        }
        check_path(rest)
    }

    /// From our own hand: a row of the store, which holds only what was parsed. Never for what came from outside.
    pub fn from_trusted(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
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
            push_encoded(&mut out, value);
            separator = "&";
        }
        out
    }
}

/// What a code is made of, and most states: it goes into a query as it is. A code has hundreds of characters, so each is looked up.
const PLAIN: [bool; 256] = crate::alphanumeric_and(b"-_.*");

fn push_encoded(out: &mut String, value: &str) {
    if value.bytes().all(|byte| PLAIN[usize::from(byte)]) {
        out.push_str(value);
    } else {
        out.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
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

/// No segment that leads elsewhere than it shows, no percent-encoding that another parser may take for a separator.
fn check_path(path_and_query: &str) -> Result<(), RedirectFault> {
    let path = path_and_query.split('?').next().unwrap_or_default().to_ascii_lowercase();
    if path.replace("%2e", ".").split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(RedirectFault::DotSegments);
    }
    let is_plain = |after: &str| match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
        Some(code) => !matches!(code, b'/' | b'\\' | 0..=0x1f | 0x7f),
        None => false,
    };
    if path.split('%').skip(1).all(is_plain) { Ok(()) } else { Err(RedirectFault::Malformed) }
}

impl Parsed for RedirectUri {
    type Fault = RedirectFault;
}
textual!(RedirectUri);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    fn allows(registered: &str, asked: &str) -> bool {
        RedirectUri::parse(asked).is_ok_and(|asked| uri(registered).allows(&asked))
    }

    proptest! {
        #[test]
        fn a_redirect_uri_reads_as_it_shows(text in "(https://[a-z]{2,9}\\.[a-z]{2,5}(:8[0-9]{3})?|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[1-9][0-9]{3})?|cursor://[a-z.]{2,9}x)(/[A-Za-z0-9_-]{1,5}){0,3}/?(\\?[a-z]=[a-z0-9])?") {
            let uri = uri(&text);
            prop_assert_eq!(uri.as_str(), &text);
            prop_assert!(uri.allows(&uri));
            prop_assert_eq!(&serde_json::from_str::<RedirectUri>(&serde_json::to_string(&uri).unwrap()).unwrap(), &uri);
        }

        #[test]
        fn garbage_never_panics(text in "(https?:|cursor:)?/{0,3}.{0,60}") {
            if let Ok(uri) = RedirectUri::parse(&text) {
                prop_assert_eq!(uri.as_str(), &text);
                let _ = (uri.host(), uri.scheme(), uri.kind(), uri.with_params(&[("a", "b")]));
            }
        }

        /// RFC 6749 §3.1.2.3: nothing but the very same string, away from loopback.
        #[test]
        fn one_changed_character_is_another_redirect_uri(place in 0_usize..36, letter in "[ -~]") {
            let registered = "https://claude.ai/api/mcp/auth_callback";
            let mut asked = registered.to_owned();
            asked.replace_range(place..=place, &letter);
            prop_assert_eq!(allows(registered, &asked), asked == registered);
        }

        #[test]
        fn what_is_appended_can_be_read_back(state in ".{0,40}") {
            let uri = uri("https://h.example/cb?keep=1");
            let url = Url::parse(&uri.with_params(&[("code", "c"), ("state", &state)])).unwrap();
            let pairs: Vec<_> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
            let expected = [("keep", "1"), ("code", "c"), ("state", state.as_str())].map(|(name, value)| (name.to_owned(), value.to_owned()));
            prop_assert_eq!(pairs, expected.to_vec());
        }
    }

    /// The callbacks of the clients of today (spec-and-clients 2.1), each of its kind.
    #[test]
    fn the_callbacks_of_known_clients_are_redirect_uris() {
        for (text, kind, host) in [
            ("https://claude.ai/api/mcp/auth_callback", RedirectKind::Https, Some("claude.ai")),
            ("https://chatgpt.com/connector/oauth/aB3-_x", RedirectKind::Https, Some("chatgpt.com")),
            ("https://h.example:8443/cb?tenant=1", RedirectKind::Https, Some("h.example")),
            ("http://localhost/callback", RedirectKind::Loopback, Some("localhost")),
            ("http://localhost:3118/callback", RedirectKind::Loopback, Some("localhost")),
            ("http://127.0.0.1/", RedirectKind::Loopback, Some("127.0.0.1")),
            ("http://127.0.0.1:33418", RedirectKind::Loopback, Some("127.0.0.1")),
            ("http://[::1]:8080/cb", RedirectKind::Loopback, Some("[::1]")),
            ("cursor://anysphere.cursor-mcp/oauth/callback", RedirectKind::PrivateUse, Some("anysphere.cursor-mcp")),
            ("com.example.app:/oauth/callback", RedirectKind::PrivateUse, None),
        ] {
            let uri = uri(text);
            assert_eq!((uri.kind(), uri.host()), (kind, host), "{text}");
            assert!(text.starts_with(uri.scheme()));
        }
    }

    /// Attack 10, with what each is refused for.
    #[test]
    fn what_shows_one_place_and_names_another_is_refused() {
        use RedirectFault::{Backslash, DotSegments, Fragment, HttpOffLoopback, Malformed, Relative, Userinfo, Wildcard};
        for (text, fault) in [
            ("/cb", Relative),
            ("//h.example/cb", Relative),
            ("h.example/cb", Relative),
            ("", Relative),
            ("https://claude.ai@evil.example/cb", Userinfo),
            ("https://claude.ai:443@evil.example/cb", Userinfo),
            ("https://u:p@h.example/cb", Userinfo),
            ("https://@h.example/cb", Userinfo),
            ("cursor://u@anysphere.cursor-mcp/cb", Userinfo),
            ("http://127.0.0.1@evil.example/cb", Userinfo),
            ("http://localhost@evil.example", Userinfo),
            ("https://evil.example\\@claude.ai/cb", Backslash),
            ("https:\\\\h.example\\cb", Backslash),
            ("https://h.example/c b", Backslash),
            ("https://h.example/cb\r\nset-cookie:a=b", Backslash),
            ("https://h.example/\u{0}", Backslash),
            ("https://h.example/<script>", Backslash),
            ("https://h\u{f6}st.example/cb", Backslash),
            ("https://cl\u{430}ude.ai/api/mcp/auth_callback", Backslash),
            ("https://h.example/cb\u{202e}", Backslash),
            ("https://h.example/a%2fb", Malformed),
            ("https://h.example/a%2Fb", Malformed),
            ("https://h.example/a%5cb", Malformed),
            ("https://h.example/a%00", Malformed),
            ("https://h.example/a%0d%0ab", Malformed),
            ("https://h.example/../cb", DotSegments),
            ("https://h.example/cb/..", DotSegments),
            ("https://h.example/./cb", DotSegments),
            ("https://h.example/%2e%2e/cb", DotSegments),
            ("https://h.example/.%2E/cb", DotSegments),
            ("cursor://a.b/../cb", DotSegments),
            ("cursor://a.b/%2e%2e/cb", DotSegments),
            ("https://h.example/cb#", Fragment),
            ("https://h.example/cb#f", Fragment),
            ("http://localhost/cb#f", Fragment),
            ("cursor://a.b/cb#f", Fragment),
            ("https://*.example/cb", Wildcard),
            ("https://h.example/*", Wildcard),
            ("http://localhost:*/cb", Wildcard),
            ("http://localhost.evil.example/cb", HttpOffLoopback),
            ("http://127.0.0.1.evil.example/cb", HttpOffLoopback),
            ("http://evil.example/cb", HttpOffLoopback),
            ("http://127.0.0.2/cb", HttpOffLoopback),
            ("http://0.0.0.0/cb", HttpOffLoopback),
            ("http://10.0.0.1/cb", HttpOffLoopback),
            ("http://[::2]/cb", HttpOffLoopback),
            ("http://[::ffff:7f00:1]/cb", HttpOffLoopback),
            ("http://2130706433/cb", Malformed),
            ("http://0x7f000001/cb", Malformed),
            ("http://0x7f.1/cb", Malformed),
            ("http://0177.0.0.1/cb", Malformed),
            ("http://127.1/cb", Malformed),
            ("http://[0:0:0:0:0:0:0:1]/cb", Malformed),
            ("http://LOCALHOST/cb", Malformed),
            ("https://Claude.ai/cb", Malformed),
            ("HTTPS://claude.ai/cb", Malformed),
            ("https://claude.ai./cb", Malformed),
            ("https://claude%2eai/cb", Malformed),
            ("https:claude.ai/cb", Malformed),
            ("https:/claude.ai/cb", Malformed),
            ("https:///claude.ai/cb", Malformed),
            ("https://", Malformed),
            ("https://:8443/cb", Malformed),
            ("https://h.example:/cb", Malformed),
            ("https://h.example:0443/cb", Malformed),
            ("https://h.example:443/cb", Malformed),
            ("https://h.example:99999/cb", Malformed),
            ("https://h.example/%zz", Malformed),
            ("cursor:", Malformed),
            ("cursor:callback", Malformed),
            ("c:/windows", Malformed),
            ("cursor://a.b/%2fcb", Malformed),
            ("cursor://", Malformed),
            ("Cursor://a.b/cb", Malformed),
        ] {
            assert_eq!(RedirectUri::parse(text), Err(fault), "{text:?}");
        }
        assert_eq!(RedirectUri::parse(&format!("https://h.example/{}", "a".repeat(2_048))), Err(RedirectFault::TooLong));
    }

    /// Attack 11, in any case and however it goes on.
    #[test]
    fn schemes_that_run_or_read_something_are_forbidden() {
        for scheme in ["javascript", "data", "file", "vbscript", "blob", "about", "ws", "wss", "intent", "filesystem", "view-source", "ftp"]
        {
            for text in [format!("{scheme}:alert(1)"), format!("{scheme}://h.example/cb"), format!("{}:/cb", scheme.to_uppercase())] {
                assert_eq!(RedirectUri::parse(&text), Err(RedirectFault::SchemeForbidden), "{text}");
            }
        }
        assert!(RedirectUri::parse("java\tscript:alert(1)").is_err());
        assert!(RedirectUri::parse(" javascript:alert(1)").is_err());
    }

    /// Attack 10 at /authorize: what only looks like the registered one. RFC 6749 §3.1.2.3, RFC 9700 §4.1.3.
    #[test]
    fn a_registered_uri_allows_itself_and_nothing_near_it() {
        let registered = "https://claude.ai/api/mcp/auth_callback";
        assert!(allows(registered, registered));
        for near in [
            "https://claude.ai/api/mcp/auth_callback/",
            "https://claude.ai/api/mcp/auth_callback2",
            "https://claude.ai/api/mcp/auth_callbac",
            "https://claude.ai/api/mcp/auth_callback?",
            "https://claude.ai/api/mcp/auth_callback?x=1",
            "https://claude.ai/api/mcp/Auth_callback",
            "https://claude.ai/api/mcp/auth%5fcallback",
            "https://claude.ai//api/mcp/auth_callback",
            "https://claude.ai/api/mcp/x/../auth_callback",
            "https://claude.ai:8443/api/mcp/auth_callback",
            "https://claude.ai.evil.example/api/mcp/auth_callback",
            "https://evilclaude.ai/api/mcp/auth_callback",
            "https://claude.ai@evil.example/api/mcp/auth_callback",
            "https://claude.com/api/mcp/auth_callback",
            "http://localhost/api/mcp/auth_callback",
            "cursor://claude.ai/api/mcp/auth_callback",
        ] {
            assert!(!allows(registered, near), "{near}");
        }
        // A port of an https URI is part of it, whichever way.
        assert!(
            !allows("https://h.example:8443/cb", "https://h.example/cb")
                && !allows("https://h.example:8443/cb", "https://h.example:8444/cb")
        );
        assert!(
            !allows("https://h.example/cb?a=1", "https://h.example/cb?a=2") && !allows("https://h.example/cb?a=1", "https://h.example/cb")
        );
        assert!(!allows("cursor://a.b/cb", "cursor://a.b/cb/") && !allows("cursor://a.b/cb", "cursor://a.b:1/cb"));
    }

    /// RFC 8252 §7.3: the port is free, whether or not one was registered; nothing else is, and the hosts are never swapped.
    #[test]
    fn on_loopback_the_port_alone_is_free() {
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            let at = |rest: &str| format!("http://{host}{rest}");
            assert!(allows(&at("/callback"), &at(":52731/callback")), "Claude Code and Zed register no port");
            assert!(allows(&at(":8787/callback"), &at("/callback")));
            assert!(allows(&at(":33418/"), &at(":40000/")));
            assert!(allows(&at("/cb?a=1"), &at(":4/cb?a=1")));
            for near in ["/callback/", "/callback2", "/Callback", "/", "", "/callback?x=1", ":1/callback/x"] {
                assert!(!allows(&at("/callback"), &at(near)), "{host}{near}");
            }
            for other in ["localhost", "127.0.0.1", "[::1]"].into_iter().filter(|other| *other != host) {
                assert!(!allows(&at("/callback"), &format!("http://{other}/callback")), "{host} {other}");
                assert!(!allows(&at(":1/callback"), &format!("http://{other}:1/callback")), "{host} {other}");
            }
            assert!(!allows(&at("/callback"), &format!("https://{host}/callback")));
        }
    }

    /// RFC 6749 §3.1.2: the query is retained; parameters are added.
    #[test]
    fn parameters_are_added_to_what_is_there() {
        let with = |text: &str| uri(text).with_params(&[("code", "a b&c"), ("iss", "https://as.example")]);
        let added = "code=a+b%26c&iss=https%3A%2F%2Fas.example";
        assert_eq!(with("https://h.example/cb"), format!("https://h.example/cb?{added}"));
        assert_eq!(with("https://h.example/cb?"), format!("https://h.example/cb?{added}"));
        assert_eq!(with("https://h.example/cb?a=1"), format!("https://h.example/cb?a=1&{added}"));
        assert_eq!(with("http://127.0.0.1"), format!("http://127.0.0.1?{added}"));
        assert_eq!(with("cursor://a.b/cb"), format!("cursor://a.b/cb?{added}"));
    }
}
