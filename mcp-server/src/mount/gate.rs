//! Host, Origin and CORS: before any dispatch (attack 46), on every answer (attack 47).
//!
//! A name that is not ours is refused with 421, an Origin that may not call us with 403, the `null` origin always.
//! Tokens travel in a header that browsers never add by themselves, so CORS is without credentials.

use std::net::IpAddr;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::reply::Refused;
use crate::config::Config;

/// What browser clients send (spec-and-clients 2.6). Names of `Mcp-Param-*` are added from the preflight itself.
const REQUEST_HEADERS: &str =
    "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID";
/// What they must be able to read.
const EXPOSED_HEADERS: &str = "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, X-Request-Id, Retry-After, Allow";
const METHODS: &str = "GET, POST, DELETE, HEAD, OPTIONS";
/// Browsers keep a preflight this long; some cap it at two hours.
const PREFLIGHT_SECS: &str = "7200";
/// A preflight that names more of our parameter headers is no honest one.
const PARAM_HEADERS_MAX: usize = 16;

/// Who may call, by name and by origin.
pub(crate) struct Gate {
    hosts: Vec<String>,
    origins: Vec<String>,
    /// We are on loopback ourselves: every loopback name and origin is as good as ours.
    is_loopback: bool,
}

impl Gate {
    pub(crate) fn new(config: &Config) -> Self {
        let origin = config.resource.origin();
        let authority = origin.split_once("://").map_or("", |(_, authority)| authority).to_ascii_lowercase();
        let is_loopback = is_loopback(host_of(&authority));
        let mut hosts: Vec<String> = config.allowed_hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        // The port a scheme implies may be written out.
        let default_port = if origin.starts_with("https:") { ":443" } else { ":80" };
        if host_of(&authority).len() == authority.len() {
            hosts.push(format!("{authority}{default_port}"));
        }
        hosts.push(authority);
        let mut origins: Vec<String> =
            config.allowed_origins.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect();
        origins.push(origin.to_ascii_lowercase());
        Self { hosts, origins, is_loopback }
    }

    /// Whether this request may come in at all.
    pub(crate) fn admit(&self, request: &HttpRequest) -> Result<(), Refused> {
        let mut hosts = request.headers().get_all(header::HOST);
        let host = match (hosts.next(), hosts.next(), request.uri().authority()) {
            (Some(host), None, _) => host.to_str().unwrap_or_default().to_ascii_lowercase(),
            (None, None, Some(authority)) => authority.as_str().to_ascii_lowercase(),
            _ => String::new(),
        };
        if !self.is_our_name(&host) {
            return Err(Refused::host());
        }
        let origins: Vec<_> = request.headers().get_all(header::ORIGIN).collect();
        match origins.as_slice() {
            [] => Ok(()),
            [origin] if self.may_call(origin) => Ok(()),
            _ => Err(Refused::origin()),
        }
    }

    fn is_our_name(&self, host: &str) -> bool {
        self.hosts.iter().any(|ours| ours == host) || (self.is_loopback && is_loopback(host_of(host)))
    }

    fn may_call(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        let origin = origin.to_ascii_lowercase();
        if self.origins.contains(&origin) {
            return true;
        }
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        self.is_loopback && authority.is_some_and(|authority| is_loopback(host_of(authority)))
    }

    /// OPTIONS: answered without a token, because a browser cannot send one here.
    pub(crate) fn preflight(&self, request: &HttpRequest) -> HttpResponse {
        let mut allowed = REQUEST_HEADERS.to_owned();
        let asked = request.headers().get("access-control-request-headers").and_then(|asked| asked.to_str().ok()).unwrap_or_default();
        let params = asked.split(',').map(str::trim).filter(|name| is_param_header(name));
        for name in params.take(PARAM_HEADERS_MAX) {
            allowed.push_str(", ");
            allowed.push_str(name);
        }
        HttpResponse::NoContent()
            .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
            .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, allowed))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECS))
            .finish()
    }

    /// CORS on every answer, refusals too: a browser client must be able to read why. Never with credentials.
    pub(crate) fn dress(&self, request: &HttpRequest, response: &mut HttpResponse) {
        let origin = request.headers().get(header::ORIGIN).filter(|origin| self.may_call(origin)).cloned();
        // 421 is for a name that is not ours; nothing of it is for that page.
        let origin = origin.filter(|_| response.status() != StatusCode::MISDIRECTED_REQUEST);
        let headers = response.headers_mut();
        add_vary(headers);
        headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
        }
    }
}

fn add_vary(headers: &mut HeaderMap) {
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
}

fn is_param_header(name: &str) -> bool {
    name.len() <= 64
        && name.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("mcp-param-"))
        && HeaderName::from_bytes(name.as_bytes()).is_ok()
}

/// `host:port` without the port; brackets of IPv6 stay.
fn host_of(authority: &str) -> &str {
    match authority.rfind(']') {
        Some(end) => &authority[..=end],
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    }
}

/// Names that lead nowhere but here, whatever a resolver says: literals and `localhost`.
fn is_loopback(host: &str) -> bool {
    if host == "localhost" {
        return true;
    }
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use oauth_types::{IssuerUrl, ResourceUri};

    use super::*;

    fn gate(origin: &str, allowed: &[&str]) -> Gate {
        let issuer = IssuerUrl::parse(origin).unwrap();
        let resource = ResourceUri::parse(&format!("{origin}/mcp")).unwrap();
        let mut config = Config::new(issuer, resource, "state".into(), "docs".into());
        config.allowed_origins = allowed.iter().map(|origin| (*origin).to_owned()).collect();
        Gate::new(&config)
    }

    fn refusal(gate: &Gate, host: &str, origin: Option<&str>) -> Option<u16> {
        let mut request = TestRequest::post().uri("/mcp").insert_header(("host", host));
        if let Some(origin) = origin {
            request = request.insert_header(("origin", origin));
        }
        gate.admit(&request.to_http_request()).err().map(|refused| refused.status().as_u16())
    }

    /// Attack 46: DNS rebinding shows in the Host header.
    #[test]
    fn a_name_that_is_not_ours_is_misdirected() {
        let public = gate("https://mcp.example", &[]);
        assert_eq!(refusal(&public, "mcp.example", None), None);
        assert_eq!(refusal(&public, "MCP.example:443", None), None);
        for foreign in ["evil.example", "mcp.example:8443", "mcp.example.evil.example", "127.0.0.1", ""] {
            assert_eq!(refusal(&public, foreign, None), Some(421), "{foreign}");
        }
    }

    #[test]
    fn on_loopback_every_loopback_name_is_ours_and_no_other() {
        let local = gate("http://127.0.0.1:8080", &[]);
        for ours in ["127.0.0.1:8080", "localhost:9000", "[::1]:8080"] {
            assert_eq!(refusal(&local, ours, Some("http://localhost:6274")), None, "{ours}");
        }
        assert_eq!(refusal(&local, "localhost.evil.example", None), Some(421));
        assert_eq!(refusal(&local, "localhost:8080", Some("http://localhost.evil.example")), Some(403));
    }

    /// Attack 46: a page of somebody else, or of nobody, may not call us.
    #[test]
    fn an_origin_must_be_listed_and_null_never_is() {
        let public = gate("https://mcp.example", &["http://localhost:6274/"]);
        assert_eq!(refusal(&public, "mcp.example", Some("https://mcp.example")), None);
        assert_eq!(refusal(&public, "mcp.example", Some("http://localhost:6274")), None);
        for foreign in ["null", "https://evil.example", "http://mcp.example", "https://mcp.example:444", "http://localhost:6275", ""] {
            assert_eq!(refusal(&public, "mcp.example", Some(foreign)), Some(403), "{foreign}");
        }
    }
}
