//! A JSON body with limits: how long, how deep, how slow.
//!
//! The depth is counted before serde sees a byte: a parser that recurses is not the place to find out (attack 52).

use actix_web::{HttpRequest, dev::Payload, http::header};
use oauth_types::{Error, RequestFault};
use serde::de::DeserializeOwned;

use super::body;

/// Client metadata is an object of strings and lists; `jwks` adds three levels.
const DEPTH_MAX: usize = 8;

/// Reads a body of at most `bytes_max` as `T`.
///
/// # Errors
/// `invalid_request`: too large, too slow, too deep, or not JSON of that shape.
pub(crate) async fn read_json<T: DeserializeOwned>(request: &HttpRequest, payload: &mut Payload, bytes_max: usize) -> Result<T, Error> {
    if !is_json(request) {
        return Err(Error::InvalidRequest(RequestFault::BodyNotJson));
    }
    let body = body::read(request, payload, bytes_max).await?;
    parse(&body).map_err(Error::InvalidRequest)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, RequestFault> {
    if depth(body) > DEPTH_MAX {
        return Err(RequestFault::JsonTooDeep);
    }
    serde_json::from_slice(body).map_err(|_| RequestFault::BodyNotJson)
}

/// `application/json`, or a media type that is built on it; some clients say nothing at all.
fn is_json(request: &HttpRequest) -> bool {
    let Some(kind) = request.headers().get(header::CONTENT_TYPE) else { return true };
    let essence = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// How deep objects and arrays nest. Brackets inside strings do not count; text that is not JSON gets some number.
fn depth(body: &[u8]) -> usize {
    let (mut deepest, mut now, mut in_string, mut escaped) = (0usize, 0usize, false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde_json::Value;

    use super::*;

    #[test]
    fn depth_counts_what_nests_and_not_what_is_quoted() {
        assert_eq!(depth(b"1"), 0);
        assert_eq!(depth(br#"{"a":[1,{"b":2}],"c":[]}"#), 3);
        assert_eq!(depth(br#"{"a":"[[[[\"[[["}"#), 1);
        assert_eq!(depth(br#"{"a\\":[1]}"#), 2);
    }

    #[test]
    fn deep_json_is_refused_before_it_is_parsed() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse::<Value>(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(parse::<Value>(nested(DEPTH_MAX + 1).as_bytes()).unwrap_err().reason(), "json_too_deep");
        assert_eq!(parse::<Value>(&vec![b'['; 1 << 20]).unwrap_err().reason(), "json_too_deep");
    }

    async fn read(kind: Option<&str>, body: Vec<u8>) -> Result<Value, &'static str> {
        let request = kind.map_or_else(TestRequest::post, |kind| TestRequest::post().insert_header(("content-type", kind)));
        let (request, mut payload) = request.set_payload(body).to_http_parts();
        read_json(&request, &mut payload, 64).await.map_err(|error| error.reason())
    }

    #[actix_web::test]
    async fn a_body_is_json_by_name_and_by_content() {
        for kind in [Some("application/json"), Some("application/json; charset=utf-8"), Some("application/scim+json"), None] {
            assert!(read(kind, b"{}".to_vec()).await.is_ok(), "{kind:?}");
        }
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
            assert_eq!(read(Some(kind), b"{}".to_vec()).await, Err("body_not_json"), "{kind}");
        }
        for body in ["", "{", "{}x", "\u{feff}{}"] {
            assert_eq!(read(None, body.into()).await, Err("body_not_json"), "{body}");
        }
    }

    /// Attack 52: 413 over the cap, the last allowed byte passes.
    #[actix_web::test]
    async fn a_body_over_the_limit_is_refused() {
        let spaces = |length: usize| [b"{}".to_vec(), vec![b' '; length - 2]].concat();
        assert!(read(None, spaces(64)).await.is_ok());
        assert_eq!(read(None, spaces(65)).await, Err("body_too_large"));
    }
}
