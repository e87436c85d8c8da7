//! `GET /documents/{id}?until=…&signature=…`: a document as a plain page for a person.
//!
//! Everything the document says is escaped text in one `pre`; no script, no image, no form, no third party can come in
//! through it, and the policy below says so to the browser as well.

use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Document;

const STYLE: &str = "body{margin:0 auto;max-width:46rem;padding:1.5rem;font:1rem/1.6 system-ui,sans-serif;color:#1c2430;background:#fbfbf9}\
h1{font-size:1.4rem;line-height:1.3}p{color:#5a6472;font-size:.875rem}pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}\
@media(prefers-color-scheme:dark){body{color:#e4e7ec;background:#14181f}p{color:#9aa4b2}}";

/// Only our own style, known by its hash; nothing else may load, run, frame or be submitted.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()).as_ref());
    HeaderValue::from_str(&format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ))
    .expect("base64 and fixed text are a valid header value")
});

/// The page of a document.
pub(crate) fn shown(document: &Document) -> HttpResponse {
    let title = escaped(&document.title);
    let path = escaped(&document.path);
    let text = escaped(&document.text);
    answer(&mut HttpResponse::Ok(), &format!("<h1>{title}</h1>\n<p>{path}</p>\n<pre>{text}</pre>"), &title)
}

/// One page for every link that does not open: unknown, forged and expired look alike.
pub(crate) fn refused() -> HttpResponse {
    let words = "<h1>This link does not open a document</h1>\n<p>It may have expired, or the document is gone. Ask for it again to get a fresh link.</p>";
    answer(&mut HttpResponse::NotFound(), words, "Not found")
}

fn answer(response: &mut HttpResponseBuilder, main: &str, title: &str) -> HttpResponse {
    response
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY.clone()))
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((HeaderName::from_static("x-robots-tag"), "noindex"))
        .body(format!(
            "<!doctype html>\n<html lang=\"\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{main}\n</main>\n</body>\n</html>\n"
        ))
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + text.len() / 16);
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use actix_web::body::MessageBody as _;

    use super::*;

    #[test]
    fn a_document_can_not_bring_markup_into_its_page() {
        let evil = "<script>alert(1)</script>\"'&".to_owned();
        let document = Document {
            id: "x".into(),
            path: evil.clone(),
            owner: None,
            title: evil.clone(),
            text: evil,
            media_type: "text/plain".into(),
            modified_ns: 0,
        };
        let response = shown(&document);
        assert!(response.headers().get("content-security-policy").unwrap().to_str().unwrap().starts_with("default-src 'none'"));
        let Ok(body) = response.into_body().try_into_bytes() else { panic!("a page is one piece") };
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(!body.contains("<script"));
        assert_eq!(body.matches("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;").count(), 4);
    }
}
