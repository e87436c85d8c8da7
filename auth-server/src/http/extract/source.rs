//! Where a request comes from, and the bearer token it shows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{self, HeaderName},
};
use oauth_types::{Error, RequestFault, TokenFault};

use crate::http::{site::Site, trace::Facts};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Chains are two or three long; more is somebody's game.
const FORWARDS_MAX: usize = 16;
/// The longest token that is looked at (as `PresentedToken`).
const BEARER_BYTES_MAX: usize = 8 * 1024;

/// The address that a request comes from, as far as we believe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientIp(pub(crate) IpAddr);

impl ClientIp {
    /// The source of this request. `X-Forwarded-For` is believed only from a proxy that the operator named, and read from the right:
    /// each trusted hop vouches for the entry to its left. Everything else in that header is what a stranger typed (attack 18).
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
        let extensions = request.extensions();
        let Some(site) = extensions.get::<Facts>().map(|facts| &facts.site) else { return Self(peer) };
        Self(believed(site, peer, request))
    }

    /// The network that shares one household: the address itself, or the /64 that one IPv6 customer has to spend.
    pub(crate) fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        }
    }
}

fn believed(site: &Site, peer: IpAddr, request: &HttpRequest) -> IpAddr {
    let mut source = peer;
    if !site.trusts(&source) {
        return source;
    }
    let entries: Vec<&str> =
        request.headers().get_all(FORWARDED_FOR).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).collect();
    for entry in entries.iter().rev().take(FORWARDS_MAX) {
        // An entry that is no address ends what can be known; the hop that wrote it is the source.
        let Some(address) = parse_forwarded(entry.trim()) else { return source };
        source = address;
        if !site.trusts(&source) {
            return source;
        }
    }
    source
}

/// Did a proxy that the operator named send this request itself? The connection counts, not what a header says.
pub(crate) fn is_from_trusted_proxy(request: &HttpRequest) -> bool {
    let extensions = request.extensions();
    let site = extensions.get::<Facts>().map(|facts| &facts.site);
    site.zip(request.peer_addr()).is_some_and(|(site, peer)| site.trusts(&peer.ip()))
}

/// Proxies write the address alone, with a port, or bracketed.
fn parse_forwarded(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().or_else(|_| entry.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

impl FromRequest for ClientIp {
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self::of(request)))
    }
}

/// The bearer token in the `Authorization` header (RFC 6750 §2.1). Tokens in the query or a form are not looked at (attack 44).
///
/// # Errors
/// `invalid_token` when there is none (the challenge then carries no error), `invalid_request` when it cannot be one.
pub(crate) fn bearer(request: &HttpRequest) -> Result<&str, Error> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let missing = || Error::InvalidToken(TokenFault::Missing);
    let value = headers.next().ok_or_else(missing)?;
    if headers.next().is_some() {
        return Err(Error::InvalidRequest(RequestFault::TwoBearers));
    }
    let malformed = || Error::InvalidRequest(RequestFault::BearerMalformed);
    let (scheme, token) = value.to_str().map_err(|_| malformed())?.split_once(' ').ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    let token = token.trim_start_matches(' ');
    // RFC 6750 §2.1: b64token.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || token.len() > BEARER_BYTES_MAX || !token.bytes().all(is_token) {
        return Err(malformed());
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use oauth_types::IssuerUrl;

    use super::*;

    fn source(peer: &str, forwarded: &[&str]) -> String {
        let proxies = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let site = Site::new(&IssuerUrl::parse("https://mcp.example.com").unwrap(), &proxies);
        let mut request = TestRequest::get();
        for value in forwarded {
            request = request.append_header(("x-forwarded-for", *value));
        }
        believed(&site, peer.parse::<IpAddr>().unwrap().to_canonical(), &request.to_http_request()).to_string()
    }

    /// Attack 18: forwarded headers of strangers change nothing.
    #[test]
    fn a_stranger_cannot_choose_an_address() {
        assert_eq!(source("203.0.113.9", &["1.2.3.4"]), "203.0.113.9");
        assert_eq!(source("10.0.0.1", &["1.2.3.4, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(source("10.0.0.1", &["1.2.3.4", "203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn trusted_proxies_vouch_from_right_to_left() {
        assert_eq!(source("10.0.0.1", &["203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(source("::ffff:10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(source("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(source("10.0.0.1", &["203.0.113.9:80"]), "203.0.113.9");
    }

    #[test]
    fn what_is_no_address_ends_the_chain() {
        assert_eq!(source("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(source("10.0.0.1", &["203.0.113.9, unknown"]), "10.0.0.1");
        assert_eq!(source("10.0.0.1", &["203.0.113.9, , 10.0.0.2"]), "10.0.0.2");
    }

    #[test]
    fn an_ipv6_household_is_one_source() {
        let network = |text: &str| ClientIp(text.parse().unwrap()).network().to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("2001:db8:1:2::9"), "2001:db8:1:2::");
        assert_eq!(network("203.0.113.9"), "203.0.113.9");
    }

    fn shown(authorization: &[&str]) -> Result<String, &'static str> {
        let mut request = TestRequest::get();
        for value in authorization {
            request = request.append_header(("authorization", *value));
        }
        bearer(&request.to_http_request()).map(str::to_owned).map_err(|refusal| refusal.reason())
    }

    #[test]
    fn a_bearer_token_stands_once_in_the_header() {
        assert_eq!(shown(&["Bearer abc.def-_~+/="]), Ok("abc.def-_~+/=".to_owned()));
        assert_eq!(shown(&["bearer  abc"]), Ok("abc".to_owned()));
        for nobody in [&[][..], &["Basic abc"], &["Bearer"]] {
            assert_eq!(shown(nobody), Err("token_missing"), "{nobody:?}");
        }
        assert_eq!(shown(&["Bearer a", "Bearer b"]), Err("bearer_twice"));
        for broken in ["Bearer a b", "Bearer a,b", "Bearer a\"b"] {
            assert_eq!(shown(&[broken]), Err("bearer_malformed"), "{broken}");
        }
    }
}
