//! The browser's two cookies: who is signed in, and which browser began a flow.
//!
//! `conformance.md`, end: on https `__Host-`, `Secure`; on a plain-HTTP loopback issuer without both (Safari drops `Secure` there),
//! with a piece of the issuer's hash in the name, because cookies do not know ports. Always `HttpOnly`, `SameSite=Lax`, `Path=/`
//! (RFC 6265bis §4.1.2, §5.6). A cookie holds a secret, the store its hash; a sign-in always makes a new one (attack 5).
//!
//! A step, not a part of `authorize/`, because signing out reads the same cookie and no endpoint imports another.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderValue},
};
use oauth_types::{Error, IssuerUrl, Subject, Timestamp, TokenHash, Ttl, UpstreamSessionId};

use crate::{
    secret,
    store::{BrowserSessionRow, NewBrowserSession, Store},
};

/// Longer than any flow: a browser that begins flows in parallel keeps one key, so that none of its pages loses its cookie.
const BROWSER_KEY_TTL: Ttl = Ttl::days(1);

/// 32 random bytes in base64url: what each cookie holds.
const SECRET_CHARS: usize = 43;

/// Which cookie.
#[derive(Clone, Copy)]
enum Cookie {
    Session,
    Flow,
}

impl Cookie {
    fn name(self, issuer: &IssuerUrl) -> String {
        let stem = match self {
            Self::Session => "portico_session",
            Self::Flow => "portico_flow",
        };
        if issuer.is_https() {
            return format!("__Host-{stem}");
        }
        let [a, b, c, d, ..] = *TokenHash::of(issuer.as_str().as_bytes()).as_bytes();
        format!("{stem}_{a:02x}{b:02x}{c:02x}{d:02x}")
    }

    /// RFC 6265 §5.4: of two cookies of one name the browser sends the more specific first; `__Host-` allows one only.
    fn read(self, request: &HttpRequest, issuer: &IssuerUrl) -> Option<String> {
        let name = self.name(issuer);
        let lines = request.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let value = pairs.find(|(key, _)| *key == name).map(|(_, value)| value)?;
        let well_formed =
            value.len() == SECRET_CHARS && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        well_formed.then(|| value.to_owned())
    }

    fn set(self, issuer: &IssuerUrl, value: &str, max_age: Ttl) -> HeaderValue {
        let secure = if issuer.is_https() { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", self.name(issuer), max_age.0);
        // Name and value are letters, digits, `-` and `_`.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

/// What binds flows to a browser: the secret in its flow cookie.
#[derive(Clone)]
pub(crate) struct BrowserKey(String);

impl BrowserKey {
    fn fresh() -> Self {
        Self(secret::fresh_text::<32>(""))
    }

    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of(self.0.as_bytes())
    }

    /// The token for a form: nobody without the cookie can make it, and it is good for one purpose only.
    pub(crate) fn form_token(&self, purpose: &str) -> String {
        form_token(&self.0, purpose)
    }

    pub(crate) fn proves(&self, purpose: &str, token: &str) -> bool {
        secret::same(self.form_token(purpose).as_bytes(), token.as_bytes())
    }
}

/// The secret has 256 bits that only this browser has, so a hash over it is a MAC with that key; nothing needs to be kept.
fn form_token(secret: &str, purpose: &str) -> String {
    TokenHash::of(format!("portico form token\n{secret}\n{purpose}").as_bytes()).text()
}

/// A person who is signed in with us in this browser.
#[derive(Clone)]
pub(crate) struct Signed {
    secret: String,
    pub(crate) row: Arc<BrowserSessionRow>,
}

impl Signed {
    /// The token for a form that ends this session.
    pub(crate) fn form_token(&self, purpose: &str) -> String {
        form_token(&self.secret, purpose)
    }

    pub(crate) fn proves(&self, purpose: &str, token: &str) -> bool {
        secret::same(self.form_token(purpose).as_bytes(), token.as_bytes())
    }

    /// What a consent page is bound to, besides flow and browser: the account that it showed.
    pub(crate) fn mark(&self) -> String {
        TokenHash::of(self.secret.as_bytes()).text()
    }
}

/// The key of this browser; and the cookie that gives it one, if it has none yet.
pub(crate) fn key(request: &HttpRequest, issuer: &IssuerUrl) -> (BrowserKey, Option<HeaderValue>) {
    match Cookie::Flow.read(request, issuer) {
        Some(known) => (BrowserKey(known), None),
        None => {
            let key = BrowserKey::fresh();
            let cookie = Cookie::Flow.set(issuer, &key.0, BROWSER_KEY_TTL);
            (key, Some(cookie))
        }
    }
}

/// Who is signed in, if the session still stands: not ended, not expired, the person not disabled.
pub(crate) async fn signed_in(request: &HttpRequest, issuer: &IssuerUrl, store: &Store, now: Timestamp) -> Result<Option<Signed>, Error> {
    let Some(secret) = Cookie::Session.read(request, issuer) else { return Ok(None) };
    let Some(row) = store.browser_session(&TokenHash::of(secret.as_bytes())).await? else { return Ok(None) };
    let stands = row.ended_at.is_none() && now < row.expires_at;
    Ok(stands.then_some(Signed { secret, row }))
}

/// Who signs in, and how we know.
pub(crate) struct Proven {
    pub(crate) subject: Subject,
    /// The sign-in upstream that it stands on; none for an account kept here.
    pub(crate) upstream_session: Option<UpstreamSessionId>,
    /// When they proved who they are.
    pub(crate) auth_time: Timestamp,
}

/// Signs a person in: a new secret whatever the browser had before, and what it had before ends (attack 5).
pub(crate) async fn sign_in(
    proven: Proven,
    before: Option<&Signed>,
    store: &Store,
    now: Timestamp,
    lifetime: Ttl,
) -> Result<Signed, Error> {
    let secret = secret::fresh_text::<32>("");
    let new = NewBrowserSession {
        id: TokenHash::of(secret.as_bytes()),
        subject: proven.subject,
        upstream_session: proven.upstream_session,
        // A provider whose clock is ahead of ours must not make a session younger than it is.
        auth_time: proven.auth_time.min(now),
        created_at: now,
        expires_at: now + lifetime,
    };
    let row = store.create_browser_session(new).await?;
    if let Some(before) = before {
        store.end_browser_session(&before.row.id, now).await?;
    }
    Ok(Signed { secret, row })
}

impl Signed {
    /// The cookie that keeps somebody signed in.
    pub(crate) fn cookie(&self, issuer: &IssuerUrl, lifetime: Ttl) -> HeaderValue {
        Cookie::Session.set(issuer, &self.secret, lifetime)
    }
}

/// The cookie that takes the session's away.
pub(crate) fn forgotten(issuer: &IssuerUrl) -> HeaderValue {
    Cookie::Session.set(issuer, "", Ttl(0))
}

/// Adds a cookie to an answer.
pub(crate) fn with_cookie(mut response: HttpResponse, cookie: Option<HeaderValue>) -> HttpResponse {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn issuer(text: &str) -> IssuerUrl {
        IssuerUrl::parse(text).unwrap()
    }

    fn said(value: &HeaderValue) -> String {
        value.to_str().unwrap().to_owned()
    }

    /// RFC 6265bis §4.1.3.2: the prefix needs Secure, Path=/ and no Domain.
    #[test]
    fn an_https_cookie_is_host_bound_and_secure() {
        let cookie = said(&Cookie::Session.set(&issuer("https://mcp.example.com"), "x", Ttl(60)));
        assert_eq!(cookie, "__Host-portico_session=x; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
    }

    #[test]
    fn a_loopback_cookie_has_no_prefix_and_a_name_of_its_port() {
        let one = said(&Cookie::Flow.set(&issuer("http://127.0.0.1:8080"), "x", Ttl(60)));
        let two = said(&Cookie::Flow.set(&issuer("http://127.0.0.1:8081"), "x", Ttl(60)));
        assert!(one.starts_with("portico_flow_") && !one.contains("Secure") && !one.contains("__Host-"));
        assert_ne!(one.split('=').next(), two.split('=').next());
        assert!(one.contains("HttpOnly; SameSite=Lax"));
    }

    #[test]
    fn a_key_is_kept_when_it_comes_back_and_made_when_it_does_not() {
        let issuer = issuer("https://mcp.example.com");
        let (fresh, cookie) = key(&TestRequest::get().to_http_request(), &issuer);
        let pair = said(&cookie.expect("a new browser gets a cookie")).split(';').next().unwrap().to_owned();
        let again = TestRequest::get().insert_header(("cookie", format!("other=1; {pair}; more=2"))).to_http_request();
        let (known, cookie) = key(&again, &issuer);
        assert!(cookie.is_none() && known.hash() == fresh.hash());
        let malformed = TestRequest::get().insert_header(("cookie", "__Host-portico_flow=<script>")).to_http_request();
        assert!(key(&malformed, &issuer).1.is_some());
    }

    /// Attack 4: a token of another browser, flow or account proves nothing.
    #[test]
    fn a_form_token_is_good_for_one_browser_and_one_purpose() {
        let (mine, other) = (BrowserKey::fresh(), BrowserKey::fresh());
        let token = mine.form_token("consent\nflow\nalice");
        assert!(mine.proves("consent\nflow\nalice", &token));
        assert!(!mine.proves("consent\nflow\nbob", &token));
        assert!(!other.proves("consent\nflow\nalice", &token));
        assert!(!mine.proves("consent\nflow\nalice", ""));
    }
}
