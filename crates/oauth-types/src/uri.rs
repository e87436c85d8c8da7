//! One strict reading of URIs for everything that is compared as a string: redirect URIs, resources, issuers.
//!
//! RFC 3986 §3, on purpose without normalisation: a parser that repairs (`\` to `/`, `%2e%2e`, `0x7f.1`, capitals) makes two texts
//! equal that a browser, a proxy and a person read differently. What would need repair is refused with its own fault.

/// What stands between the delimiters; every part is a slice of the text.
pub(crate) struct Parts<'a> {
    pub(crate) scheme: &'a str,
    /// `Some` when there is `//`.
    pub(crate) authority: Option<Authority<'a>>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    /// Path and query as they stand.
    pub(crate) rest: &'a str,
}

pub(crate) struct Authority<'a> {
    pub(crate) userinfo: Option<&'a str>,
    /// With brackets when it is an IPv6 literal.
    pub(crate) host: &'a str,
    /// The digits after the colon.
    pub(crate) port: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UriFault {
    NotAscii,
    Backslash,
    Fragment,
    NoScheme,
    BadCharacter,
    BadPort,
}

/// The parts of an absolute URI.
pub(crate) fn split(text: &str) -> Result<Parts<'_>, UriFault> {
    if !text.is_ascii() {
        return Err(UriFault::NotAscii);
    }
    if text.contains('\\') {
        return Err(UriFault::Backslash);
    }
    if text.contains('#') {
        return Err(UriFault::Fragment);
    }
    if !text.bytes().all(is_uri_byte) || !percent_signs_are_escapes(text) {
        return Err(UriFault::BadCharacter);
    }
    let (scheme, after) = text.split_once(':').ok_or(UriFault::NoScheme)?;
    if !is_scheme(scheme) {
        return Err(UriFault::NoScheme);
    }
    let (authority, rest) = match after.strip_prefix("//") {
        Some(after) => {
            let end = after.find(['/', '?']).unwrap_or(after.len());
            (Some(authority(&after[..end])?), &after[end..])
        }
        None => (None, after),
    };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    Ok(Parts { scheme, authority, path, query, rest })
}

fn authority(text: &str) -> Result<Authority<'_>, UriFault> {
    let (userinfo, host_and_port) = match text.rsplit_once('@') {
        Some((userinfo, rest)) => (Some(userinfo), rest),
        None => (None, text),
    };
    let host_end = match host_and_port.strip_prefix('[') {
        Some(_) => host_and_port.find(']').ok_or(UriFault::BadCharacter)? + 1,
        None => host_and_port.find(':').unwrap_or(host_and_port.len()),
    };
    let (host, after) = host_and_port.split_at(host_end);
    let port = match after.strip_prefix(':') {
        Some(digits) if is_port(digits) => Some(digits),
        Some(_) => return Err(UriFault::BadPort),
        None if after.is_empty() => None,
        None => return Err(UriFault::BadCharacter),
    };
    Ok(Authority { userinfo, host, port })
}

/// RFC 3986 §2: unreserved, reserved and `%`. Space, quotes, `<>^`{|}` and controls are in no URI.
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn percent_signs_are_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|after| after.len() >= 2 && after.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit))
}

fn is_scheme(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_port(digits: &str) -> bool {
    !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|port| port > 0)
}

/// A DNS name: labels of letters, digits and inner hyphens, none empty, the last one not a number. The last rule refuses every
/// spelling of an IPv4 address (`2130706433`, `0x7f.1`, `127.1`), since browsers read a numeric last label as one.
pub(crate) fn is_dns_name(host: &str) -> bool {
    let last_is_number = |label: &str| {
        label.bytes().all(|b| b.is_ascii_digit()) || label.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    host.len() <= 253 && host.split('.').all(is_label) && host.rsplit('.').next().is_some_and(|last| !last_is_number(last))
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The three spellings of this machine that RFC 8252 §7.3 and §8.3 know; any other is not loopback for us.
pub(crate) fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// A canonical IP literal: dotted quad, or IPv6 in brackets.
pub(crate) fn is_ip_literal(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

/// A path segment `.` or `..`, plain or with percent-encoded dots.
pub(crate) fn has_dot_segments(path: &str) -> bool {
    path.split('/').any(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    })
}

/// `%2F`, `%5C`, or a percent-encoded control character.
pub(crate) fn has_encoded_separators(path: &str) -> bool {
    path.split('%').skip(1).any(|after| {
        let code = u8::from_str_radix(&after[..2], 16).unwrap_or(0);
        matches!(code, b'/' | b'\\' | 0..=0x1f | 0x7f)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn garbage_never_panics(text in ".{0,80}") {
            if let Ok(parts) = split(&text) {
                let _ = has_dot_segments(parts.path) || has_encoded_separators(parts.path);
            }
        }

        #[test]
        fn what_looks_like_a_uri_never_panics(text in "[a-z]{1,5}:/{0,2}[a-z0-9@:.%\\[\\]/?]{0,30}") {
            if let Ok(parts) = split(&text) {
                let _ = has_dot_segments(parts.path) || has_encoded_separators(parts.path);
            }
        }
    }

    #[test]
    fn every_spelling_of_an_ipv4_address_is_no_dns_name() {
        for host in ["127.0.0.1", "2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "1.2.3.4.5", "0x"] {
            assert!(!is_dns_name(host), "{host}");
        }
        for host in ["claude.ai", "xn--bcher-kva.example", "a1.0x7.example", "localhost", "3com.com"] {
            assert!(is_dns_name(host), "{host}");
        }
        for host in ["", ".", "a..b", "a.", ".a", "-a.b", "a-.b", "a b"] {
            assert!(!is_dns_name(host), "{host}");
        }
    }
}
