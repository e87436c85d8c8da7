//! The smallest HTTP/1.1 client: it sends exactly what a test wrote and hides nothing of what came back.
//!
//! Tests of a security protocol must be able to repeat a header, misspell a body or name a foreign host, which
//! grown-up clients politely refuse to do. It follows no redirect, keeps no cookie and adds only `Host`,
//! `Content-Length` and `Connection: close`, each of which a test may replace.

use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::secrets::Secrets;

/// A test that waits longer than this for one answer has found a hang.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Where a stage listens, and the name it believes to have.
#[derive(Debug, Clone)]
pub struct Wire {
    to: SocketAddr,
    host: String,
    secrets: Secrets,
}

impl Wire {
    /// A wire to the server at `to`, which calls itself `host`.
    pub fn new(to: SocketAddr, host: impl Into<String>, secrets: Secrets) -> Self {
        Self { to, host: host.into(), secrets }
    }

    /// The same public name behind another socket.
    pub(crate) fn to(&self, address: SocketAddr) -> Self {
        Self { to: address, ..self.clone() }
    }

    /// The socket behind the public name.
    pub fn address(&self) -> SocketAddr {
        self.to
    }

    /// A request that says nothing but its method and target.
    pub fn request(&self, method: &str, target: &str) -> Request {
        Request { wire: self.clone(), method: method.into(), target: target.into(), headers: Vec::new(), body: Vec::new() }
    }
}

/// A request in the making; awaiting it sends it.
#[derive(Debug, Clone)]
#[must_use = "a request is sent by awaiting it"]
pub struct Request {
    wire: Wire,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Adds a header; the same name twice is sent twice.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// `Authorization: Basic` with id and secret as they are: the TypeScript SDK does not form-encode them first.
    pub fn basic(self, id: &str, secret: &str) -> Self {
        self.header("authorization", format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
    }

    /// `Authorization: Bearer`.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// A form body; names may repeat, the order is kept.
    pub fn form<N: AsRef<str>, V: AsRef<str>>(self, pairs: &[(N, V)]) -> Self {
        self.content("application/x-www-form-urlencoded", form_text(pairs))
    }

    /// A JSON body.
    pub fn json(self, value: &Value) -> Self {
        self.content("application/json", value.to_string())
    }

    /// Any body under any media type.
    pub fn content(self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = self.header("content-type", media_type);
        request.body = body.into();
        request
    }

    /// The bytes that go out.
    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let said = |name: &str| self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        if !said("host") {
            text += &format!("host: {}\r\n", self.wire.host);
        }
        if !said("content-length") && !said("transfer-encoding") && (!self.body.is_empty() || self.method != "GET") {
            text += &format!("content-length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += "connection: close\r\n\r\n";
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    async fn send(self) -> Answer {
        let bytes = self.bytes();
        let raw = tokio::time::timeout(ANSWER_WITHIN, exchange(self.wire.to, bytes)).await.expect("the server hangs");
        let answer = Answer::parse(&raw, self.method == "HEAD");
        self.wire.secrets.learn_from(&answer);
        answer
    }
}

impl IntoFuture for Request {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Writes and reads at once: a server may refuse a body long before its end, and then resets what is still coming.
async fn exchange(to: SocketAddr, bytes: Vec<u8>) -> Vec<u8> {
    let stream = TcpStream::connect(to).await.expect("the stage listens");
    let (mut reader, mut writer) = stream.into_split();
    let writing = tokio::spawn(async move {
        // A refusal that comes before the end of a body closes the door while we still talk; the answer counts.
        drop(writer.write_all(&bytes).await);
        drop(writer.flush().await);
        writer
    });
    let mut raw = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    // A reset after the answer arrived loses nothing a test looks at.
    while let Ok(count @ 1..) = reader.read(&mut chunk).await {
        raw.extend_from_slice(&chunk[..count]);
    }
    writing.abort();
    raw
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code; 0 when the server closed the connection without a word.
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, with chunks joined.
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(raw: &[u8], head_only: bool) -> Self {
        let Some(end) = find(raw, b"\r\n\r\n") else {
            return Self { status: 0, headers: Vec::new(), body: Vec::new() };
        };
        let head = String::from_utf8_lossy(&raw[..end]);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).unwrap_or(0);
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        if status == 100 {
            return Self::parse(&raw[end + 4..], head_only);
        }
        let rest = &raw[end + 4..];
        let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value.contains("chunked"));
        let body = if head_only {
            Vec::new()
        } else if is_chunked {
            joined_chunks(rest)
        } else {
            rest.to_vec()
        };
        Self { status, headers, body }
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).into_iter().next()
    }

    /// The first header of this name, or an empty text.
    pub fn header_or_empty(&self, name: &str) -> &str {
        self.header(name).unwrap_or_default()
    }

    /// Every header of this name.
    pub fn headers_named(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {} {}", self.status, self.text()))
    }

    /// One text member of the JSON body.
    #[track_caller]
    pub fn member(&self, name: &str) -> String {
        let body = self.json();
        body[name].as_str().unwrap_or_else(|| panic!("no text member {name} in {body}")).to_owned()
    }

    /// Where a redirect points.
    #[track_caller]
    pub fn location(&self) -> String {
        let location = self.header("location").unwrap_or_else(|| panic!("no redirect: {} {}", self.status, self.text()));
        location.to_owned()
    }

    /// The query parameters of the redirect, decoded, in order.
    #[track_caller]
    pub fn location_query(&self) -> Vec<(String, String)> {
        query_of(&self.location())
    }

    /// The reference that client and person see.
    #[track_caller]
    pub fn reference(&self) -> &str {
        self.header("x-request-id").expect("every answer names its request id")
    }
}

/// The decoded query of a URL.
pub fn query_of(url: &str) -> Vec<(String, String)> {
    let query = url.split_once('#').map_or(url, |(front, _)| front).split_once('?').map_or("", |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// Pairs as `application/x-www-form-urlencoded`.
pub fn form_text<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        text.append_pair(name.as_ref(), value.as_ref());
    }
    text.finish()
}

fn joined_chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = find(rest, b"\r\n") {
        let size = usize::from_str_radix(String::from_utf8_lossy(&rest[..end]).trim(), 16).unwrap_or(0);
        let start = end + 2;
        if size == 0 || rest.len() < start + size {
            break;
        }
        body.extend_from_slice(&rest[start..start + size]);
        rest = &rest[(start + size + 2).min(rest.len())..];
    }
    body
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
