//! Headers that protect a person's browser.
//!
//! Pages load nothing but our own style sheet and cannot be framed (attack 7), say nothing in `Referer` (attack 56)
//! and are never stored. JSON answers need only `nosniff`. HSTS is sent over https alone, and never for loopback names, where it would break
//! every other program of the machine.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use oauth_types::{RedirectKind, RedirectUri};

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const DENY: HeaderValue = HeaderValue::from_static("DENY");
/// Nothing leaves at all. Under it browsers send `Origin: null` with our own forms (Fetch §3.2); `csrf.rs` knows.
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const PERMISSIONS: HeaderValue = HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()");
/// A year; the operator's whole domain is not ours to bind, so no `includeSubDomains`.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Nothing but our own style sheet, images and forms; no script at all.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// What every answer carries.
pub(super) fn on_every_answer(headers: &mut HeaderMap, hsts: bool) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
}

/// What every answer of a page's endpoint carries, redirects included. A page that set its own policy keeps it.
pub(super) fn on_pages(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    }
    headers.insert(header::X_FRAME_OPTIONS, DENY);
    headers.insert(header::REFERRER_POLICY, NO_REFERRER);
    headers.insert(PERMISSIONS_POLICY, PERMISSIONS);
    // No Cross-Origin-Opener-Policy: web clients open us in a window of their own and wait for its word. The policy would cut them off
    // for good, also after the redirect back to them.
    headers.insert(CORP, SAME_ORIGIN);
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, NO_STORE);
    }
}

/// The policy of a page whose form ends at the client: browsers hold `form-action` against every redirect that follows a form, so
/// the client's address must be in it or the last step of the journey is blocked.
pub(crate) fn policy_leading_to(redirect_uri: &RedirectUri) -> HeaderValue {
    let text = format!("{PAGE_POLICY} {}", form_source(redirect_uri));
    // A RedirectUri is visible ASCII without spaces; should a source ever not fit a header, the strict policy stands.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(PAGE_POLICY))
}

/// A CSP source expression (CSP §2.3.1) that covers this redirect and as little else as the grammar can say.
fn form_source(redirect_uri: &RedirectUri) -> String {
    let host = redirect_uri.host().unwrap_or_default();
    match redirect_uri.kind() {
        RedirectKind::PrivateUse => format!("{}:", redirect_uri.scheme()),
        // The grammar has no IPv6 literal.
        RedirectKind::Loopback if host.starts_with('[') => "http:".to_owned(),
        RedirectKind::Loopback | RedirectKind::Https => {
            let (scheme, rest) = redirect_uri.as_str().split_once("://").unwrap_or_default();
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            format!("{scheme}://{authority}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uri: &str) -> String {
        form_source(&RedirectUri::parse(uri).unwrap())
    }

    #[test]
    fn a_form_may_end_at_the_clients_address_and_nowhere_else() {
        assert_eq!(source("https://claude.ai/api/mcp/auth_callback"), "https://claude.ai");
        assert_eq!(source("https://app.example:8443/cb?x=1"), "https://app.example:8443");
        assert_eq!(source("http://localhost:33418/callback"), "http://localhost:33418");
        assert_eq!(source("http://127.0.0.1/"), "http://127.0.0.1");
        assert_eq!(source("http://[::1]:9/"), "http:");
        assert_eq!(source("cursor://anysphere.cursor-mcp/oauth/callback"), "cursor:");
    }

    #[test]
    fn a_page_keeps_the_policy_it_chose() {
        let mut headers = HeaderMap::new();
        let own = policy_leading_to(&RedirectUri::parse("https://claude.ai/cb").unwrap());
        headers.insert(header::CONTENT_SECURITY_POLICY, own.clone());
        on_pages(&mut headers);
        assert_eq!(headers.get(header::CONTENT_SECURITY_POLICY), Some(&own));
        assert!(own.to_str().unwrap().contains("frame-ancestors 'none'; form-action 'self' https://claude.ai"));
        assert!(!own.to_str().unwrap().contains("unsafe"));
    }

    #[test]
    fn hsts_is_said_only_where_asked() {
        let mut headers = HeaderMap::new();
        on_every_answer(&mut headers, false);
        assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
        on_every_answer(&mut headers, true);
        assert!(headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
}
