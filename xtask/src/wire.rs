//! HTTP/1.1 as a client speaks it, over one kept connection: enough for tests that must see every byte of an answer.
//!
//! Owns framing, nothing else: no redirects, no cookies, no retries. A server that dies shows as an `io::Error`,
//! which is exactly what the crash test needs to know.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A server that has not answered for so long hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Far above any page or document of ours: more than this is a defect of the server.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Far above the headers any route of ours sends.
const HEADERS_MAX: usize = 100;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

impl<'a> Ask<'a> {
    pub(crate) fn get(target: &'a str) -> Self {
        Self { method: "GET", target, headers: &[], body: &[] }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn headers_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
    }
}

/// One kept connection to one address.
#[derive(Debug)]
pub(crate) struct Connection {
    authority: String,
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(authority: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Self { authority: authority.to_owned(), stream: BufReader::new(stream) })
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Sends one request in one write and reads its whole answer.
    pub(crate) fn send(&mut self, ask: Ask<'_>) -> io::Result<Answer> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nhost: {}\r\n", ask.method, ask.target, self.authority).into_bytes();
        for (name, value) in ask.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if ask.method != "GET" {
            bytes.extend_from_slice(format!("content-length: {}\r\n", ask.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(ask.body);
        self.stream.get_mut().write_all(&bytes)?;
        self.answer(ask.method)
    }

    fn answer(&mut self, method: &str) -> io::Result<Answer> {
        let status_line = self.line()?;
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or_else(|| malformed("no status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            if headers.len() == HEADERS_MAX {
                return Err(malformed("too many headers"));
            }
            let (name, value) = line.split_once(':').ok_or_else(|| malformed("a header without a colon"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        answer.body = self.body(method, &answer)?;
        Ok(answer)
    }

    fn body(&mut self, method: &str, answer: &Answer) -> io::Result<Vec<u8>> {
        if method == "HEAD" || answer.status == 204 || answer.status == 304 {
            return Ok(Vec::new());
        }
        if answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return self.chunked();
        }
        let length = answer.header("content-length").map_or(Ok(0), str::parse).map_err(|_| malformed("no length"))?;
        self.exactly(length)
    }

    fn chunked(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size =
                usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16).map_err(|_| malformed("no chunk size"))?;
            let chunk = self.exactly(size)?;
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(malformed("an endless body"));
            }
            body.extend_from_slice(&chunk);
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > BODY_BYTES_MAX {
            return Err(malformed("an endless body"));
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        Ok(line)
    }
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// `application/x-www-form-urlencoded`, also the query of an address.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    let encoded = pairs.iter().map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value)));
    encoded.collect::<Vec<_>>().join("&")
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// One parameter of the query of `address`, decoded.
pub(crate) fn query_parameter(address: &str, name: &str) -> Option<String> {
    let query = address.split_once('?')?.1.split('#').next()?;
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| percent_decoded(value))
    })
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (first, hex.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::{Ask, Connection, form, query_parameter};

    fn served(answer: &'static str) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        Connection::open(&authority).unwrap()
    }

    #[test]
    fn a_body_in_chunks_is_put_together() {
        let mut connection = served("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n");
        assert_eq!(connection.send(Ask::get("/")).unwrap().text(), "abcde");
    }

    #[test]
    fn a_server_that_dies_in_the_middle_is_an_error() {
        let mut connection = served("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
        assert!(connection.send(Ask::get("/")).is_err());
    }

    #[test]
    fn what_a_form_encodes_a_query_gives_back() {
        let query = form(&[("state", "a b&c=ü/+"), ("code", "x")]);
        let address = format!("http://127.0.0.1:1/callback?{query}");
        assert_eq!(query_parameter(&address, "state").as_deref(), Some("a b&c=ü/+"));
        assert_eq!(query_parameter(&address, "code").as_deref(), Some("x"));
        assert_eq!(query_parameter(&address, "iss"), None);
    }
}
