//! Parameters of a form or a query, under one set of rules.
//!
//! RFC 6749 §3.1 and §3.2: a parameter without a value counts as omitted, unknown ones are ignored, and none may come twice, or two
//! readers of one request would see two requests (attack 17). Only `resource` may repeat (RFC 8707 §2). At the token endpoint a
//! repetition ends the request here ([`StrictForm`]); at `/authorize` it depends on which one is repeated whether the client may be
//! told, so [`Params`] keeps the fact and `authorize/request.rs` decides.

use std::{fmt, ops::Deref};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{Method, header},
};
use futures_util::future::LocalBoxFuture;
use oauth_types::{Error, RequestFault};

use super::body;
use crate::http::{
    reply::{AsJson, AsPage},
    trace::{self, Story},
};

/// A code, verifier, assertion and resource together stay under 10 KiB; the rest is room for parameters that we ignore.
const FORM_BYTES_MAX: usize = 32 * 1024;
/// `state` may have 4 KiB and grows threefold when percent-encoded.
const QUERY_BYTES_MAX: usize = 24 * 1024;
/// OAuth, PKCE, OpenID Connect and the extensions in use define about thirty.
const PARAMETERS_MAX: usize = 64;
/// The longest name in use has 31 characters.
const NAME_BYTES_MAX: usize = 128;
/// A token from outside may have 8 KiB; nothing else is longer.
const VALUE_BYTES_MAX: usize = 8 * 1024;

/// What is logged of an unproved client id.
const LOGGED_BYTES_MAX: usize = 128;

/// The one parameter that may come several times.
const REPEATABLE: &str = "resource";

/// Decoded parameters: one buffer, and where in it each name and value stands.
#[derive(Default)]
pub(crate) struct Params {
    text: String,
    /// Name start, value start, value end.
    pairs: Vec<(u32, u32, u32)>,
}

impl Params {
    /// Reads `application/x-www-form-urlencoded` text.
    ///
    /// # Errors
    /// Too many, too long, a broken escape, or bytes that are not UTF-8.
    pub(crate) fn parse(encoded: &[u8]) -> Result<Self, RequestFault> {
        let mut bytes = Vec::with_capacity(encoded.len());
        let mut pairs = Vec::with_capacity(8);
        for pair in encoded.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == PARAMETERS_MAX {
                return Err(RequestFault::TooManyParameters);
            }
            let middle = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            let name_at = bytes.len();
            decode_into(&mut bytes, &pair[..middle])?;
            let value_at = bytes.len();
            decode_into(&mut bytes, pair.get(middle + 1..).unwrap_or_default())?;
            if value_at - name_at > NAME_BYTES_MAX || bytes.len() - value_at > VALUE_BYTES_MAX {
                return Err(RequestFault::ParameterTooLong);
            }
            // Each part must be UTF-8 by itself: half a character at the end of a name and half at the start of its value is not.
            if std::str::from_utf8(&bytes[name_at..value_at]).is_err() || std::str::from_utf8(&bytes[value_at..]).is_err() {
                return Err(RequestFault::BodyNotAForm);
            }
            let place = |at: usize| u32::try_from(at).map_err(|_| RequestFault::BodyTooLarge);
            pairs.push((place(name_at)?, place(value_at)?, place(bytes.len())?));
        }
        let text = String::from_utf8(bytes).map_err(|_| RequestFault::BodyNotAForm)?;
        Ok(Self { text, pairs })
    }

    /// Reads the query of a request.
    pub(crate) fn from_query(request: &HttpRequest) -> Result<Self, Error> {
        let query = request.query_string().as_bytes();
        if query.len() > QUERY_BYTES_MAX {
            return Err(Error::InvalidRequest(RequestFault::ParameterTooLong));
        }
        Self::parse(query).map_err(Error::InvalidRequest)
    }

    /// Reads the body of a request.
    pub(crate) async fn from_body(request: &HttpRequest, payload: &mut Payload) -> Result<Self, Error> {
        if !is_form(request) {
            return Err(Error::InvalidRequest(RequestFault::BodyNotAForm));
        }
        let body = body::read(request, payload, FORM_BYTES_MAX).await?;
        Self::parse(&body).map_err(Error::InvalidRequest)
    }

    /// Every name and value, in order, empty values included.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|&(name, value, end)| (&self.text[name as usize..value as usize], &self.text[value as usize..end as usize]))
    }

    /// The first value of this name; an empty one counts as omitted.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of this name that are not empty.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter().filter(move |&(found, value)| found == name && !value.is_empty()).map(|(_, value)| value)
    }

    /// The value of this name, which must be there.
    pub(crate) fn require(&self, name: &'static str) -> Result<&str, Error> {
        self.get(name).ok_or(Error::InvalidRequest(RequestFault::MissingParameter(name)))
    }

    /// Does this name come more than once? An empty value is a coming too.
    pub(crate) fn is_repeated(&self, name: &str) -> bool {
        self.iter().filter(|(found, _)| *found == name).nth(1).is_some()
    }

    /// The first name that comes more than once and may not.
    pub(crate) fn repeated(&self) -> Option<&str> {
        let mut names = self.iter().map(|(name, _)| name).enumerate();
        names.find(|(place, name)| *name != REPEATABLE && self.iter().take(*place).any(|(before, _)| before == *name)).map(|(_, name)| name)
    }
}

/// Names only: values are codes, secrets and tokens.
impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// A form in which nothing repeats that may not: for endpoints that programs talk to.
#[derive(Debug, Default)]
pub(crate) struct StrictForm(Params);

impl StrictForm {
    async fn read(request: &HttpRequest, payload: &mut Payload) -> Result<Self, Error> {
        Self::from_params(Params::from_body(request, payload).await?)
    }

    /// A form of these pairs, for tests of what reads forms.
    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Self::from_params(Params::parse(encoded.as_bytes()).expect("a test's form is short")).expect("a test's form repeats nothing")
    }

    /// The same rule for parameters from elsewhere.
    pub(crate) fn from_params(params: Params) -> Result<Self, Error> {
        match params.repeated() {
            Some(_) => Err(Error::InvalidRequest(RequestFault::RepeatedParameter)),
            None => Ok(Self(params)),
        }
    }
}

impl Deref for StrictForm {
    type Target = Params;

    fn deref(&self) -> &Params {
        &self.0
    }
}

impl FromRequest for StrictForm {
    type Error = AsJson;
    type Future = LocalBoxFuture<'static, Result<Self, AsJson>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let form = Self::read(&request, &mut payload).await?;
            trace::tell(&request, Story { client: form.get("client_id").and_then(loggable), ..Story::default() });
            Ok(form)
        })
    }
}

/// An id from outside, if it is fit for a log line.
fn loggable(client_id: &str) -> Option<String> {
    let fit = client_id.len() <= LOGGED_BYTES_MAX && client_id.bytes().all(|byte| byte.is_ascii_graphic());
    fit.then(|| client_id.to_owned())
}

/// What a browser brings: the query of a GET, the form of a POST. Repetitions are kept for the endpoint to judge.
#[derive(Debug, Default)]
pub(crate) struct FrontParams(pub(crate) Params);

impl Deref for FrontParams {
    type Target = Params;

    fn deref(&self) -> &Params {
        &self.0
    }
}

impl FromRequest for FrontParams {
    type Error = AsPage;
    type Future = LocalBoxFuture<'static, Result<Self, AsPage>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let params = if request.method() == Method::POST {
                Params::from_body(&request, &mut payload).await?
            } else {
                Params::from_query(&request)?
            };
            Ok(Self(params))
        })
    }
}

/// RFC 6749 §3.2; `; charset=utf-8` and the like are tolerated (RFC 8259 clients add it out of habit).
fn is_form(request: &HttpRequest) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// Appends the decoded form of `encoded`. A percent sign without two hex digits is refused: readers disagree about what it means.
fn decode_into(bytes: &mut Vec<u8>, encoded: &[u8]) -> Result<(), RequestFault> {
    let mut rest = encoded;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'+' | b'%')) {
        let (plain, tail) = (&rest[..at], &rest[at + 1..]);
        bytes.extend_from_slice(plain);
        if rest[at] == b'+' {
            bytes.push(b' ');
            rest = tail;
            continue;
        }
        let digits = tail.get(..2).ok_or(RequestFault::BodyNotAForm)?;
        let digit = |at: usize| char::from(digits[at]).to_digit(16).ok_or(RequestFault::BodyNotAForm);
        // Two hex digits fit a byte.
        bytes.push((digit(0)? * 16 + digit(1)?) as u8);
        rest = &tail[2..];
    }
    bytes.extend_from_slice(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        Params::parse(text.as_bytes()).unwrap().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn refusal(text: &[u8]) -> RequestFault {
        Params::parse(text).unwrap_err()
    }

    #[test]
    fn a_form_is_decoded_as_browsers_encode_it() {
        let read = pairs("a=1&b=x+y&c=%C3%BC%26%3D&d&&e=");
        let expected = [("a", "1"), ("b", "x y"), ("c", "ü&="), ("d", ""), ("e", "")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    /// RFC 6749 §3.1: parameters sent without a value MUST be treated as if they were omitted.
    #[test]
    fn an_empty_value_counts_as_omitted() {
        let params = Params::parse(b"scope=&state=x").unwrap();
        assert_eq!(params.get("scope"), None);
        assert_eq!(params.get("state"), Some("x"));
        assert_eq!(params.require("scope").unwrap_err().reason(), "parameter_missing");
    }

    /// RFC 6749 §3.2: parameters MUST NOT be included more than once. Attack 17, escapes included.
    #[test]
    fn a_repeated_parameter_is_seen_even_when_escaped_or_empty() {
        for repeated in ["code=a&code=b", "code=a&c%6Fde=b", "code=&code=b", "code=a&x=1&code=a"] {
            let params = Params::parse(repeated.as_bytes()).unwrap();
            assert_eq!(params.repeated(), Some("code"), "{repeated}");
            assert!(params.is_repeated("code"));
            assert_eq!(StrictForm::from_params(params).unwrap_err().reason(), "parameter_repeated");
        }
    }

    /// RFC 8707 §2: `resource` may be used multiple times.
    #[test]
    fn only_resource_may_repeat() {
        let params = Params::parse(b"resource=a&resource=b&code=c").unwrap();
        assert_eq!(params.repeated(), None);
        assert_eq!(params.all("resource").collect::<Vec<_>>(), ["a", "b"]);
        assert!(StrictForm::from_params(params).is_ok());
    }

    #[test]
    fn broken_escapes_and_bytes_are_refused() {
        for broken in [&b"a=%"[..], b"a=%4", b"a=%zz", b"a=%+1", b"a=\xff", b"a=%FF", b"%C3=%BC", b"a%ff=1"] {
            assert_eq!(refusal(broken).reason(), "body_not_a_form", "{}", String::from_utf8_lossy(broken));
        }
    }

    #[test]
    fn the_limits_hold_and_the_last_allowed_passes() {
        let many = |count: usize| (0..count).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        assert!(Params::parse(many(PARAMETERS_MAX).as_bytes()).is_ok());
        assert_eq!(refusal(many(PARAMETERS_MAX + 1).as_bytes()).reason(), "parameters_too_many");
        assert!(Params::parse(format!("a={}", "x".repeat(VALUE_BYTES_MAX)).as_bytes()).is_ok());
        assert_eq!(refusal(format!("a={}", "x".repeat(VALUE_BYTES_MAX + 1)).as_bytes()).reason(), "parameter_too_long");
        assert_eq!(refusal(format!("{}=1", "x".repeat(NAME_BYTES_MAX + 1)).as_bytes()).reason(), "parameter_too_long");
    }

    async fn form(kind: &str, body: Vec<u8>) -> Result<StrictForm, AsJson> {
        let (request, mut payload) = TestRequest::post().insert_header(("content-type", kind)).set_payload(body).to_http_parts();
        StrictForm::from_request(&request, &mut payload).await
    }

    #[actix_web::test]
    async fn a_form_may_name_its_charset_and_nothing_else_is_a_form() {
        for kind in
            ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=UTF-8", "Application/X-WWW-Form-Urlencoded;x"]
        {
            assert_eq!(form(kind, b"a=b".to_vec()).await.unwrap().get("a"), Some("b"), "{kind}");
        }
        for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencodedx"] {
            assert_eq!(form(kind, b"a=b".to_vec()).await.unwrap_err().0.reason(), "body_not_a_form", "{kind}");
        }
    }

    /// Attack 52: a body over the cap is 413 before it is kept.
    #[actix_web::test]
    async fn a_form_over_the_limit_is_refused() {
        let kind = "application/x-www-form-urlencoded";
        let long = |length: usize| vec![b'&'; length];
        assert!(form(kind, long(FORM_BYTES_MAX)).await.is_ok());
        let refusal = form(kind, long(FORM_BYTES_MAX + 1)).await.unwrap_err().0;
        assert_eq!((refusal.status(), refusal.reason()), (413, "body_too_large"));
    }

    #[test]
    fn what_is_logged_of_parameters_is_their_names() {
        let shown = format!("{:?}", Params::parse(b"code=pco_secret&client_id=x").unwrap());
        assert_eq!(shown, r#"["code", "client_id"]"#);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            if let Ok(params) = Params::parse(&bytes) {
                prop_assert!(params.iter().count() <= PARAMETERS_MAX);
            }
        }

        #[test]
        fn what_was_encoded_is_read_back(sent in proptest::collection::vec((".{0,12}", ".{0,24}"), 0..8)) {
            let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&sent).finish();
            let params = Params::parse(encoded.as_bytes()).map_err(|fault| TestCaseError::fail(fault.reason()))?;
            let read: Vec<_> = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            prop_assert_eq!(read, sent);
        }
    }
}
