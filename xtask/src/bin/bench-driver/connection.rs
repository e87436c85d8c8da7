//! One kept connection: bytes out, one whole answer in.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Larger than any answer of the measured routes.
const BUFFER_BYTES: usize = 64 << 10;

/// A connection with the bytes of its last answer.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// The last answer, as far as anybody looks at it.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(authority: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES], filled: 0 })
    }

    /// Sends `request` and reads until its answer is whole. Nothing is pipelined, so nothing is left over.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.filled += read;
            if let Some(head_end) = whole(&self.buffer[..self.filled]) {
                let (head, body) = self.buffer[..self.filled].split_at(head_end);
                let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0);
                return Ok(Answer { status, head, body });
            }
            if self.filled == self.buffer.len() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer larger than the buffer"));
            }
        }
    }
}

/// The length of the head, when the answer has arrived in full.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head_end = find(bytes, b"\r\n\r\n")? + 4;
    let head = &bytes[..head_end];
    if let Some(length) = header(head, b"content-length: ") {
        let length: usize = std::str::from_utf8(length).ok()?.trim().parse().ok()?;
        return (bytes.len() >= head_end + length).then_some(head_end);
    }
    if header(head, b"transfer-encoding: ").is_some() {
        return bytes.ends_with(b"\r\n0\r\n\r\n").then_some(head_end);
    }
    Some(head_end)
}

/// The value of a header; `name` is lower-case and ends with `: `.
pub(crate) fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|&byte| byte == b'\n').find_map(|line| {
        let start = line.get(..name.len())?;
        start.eq_ignore_ascii_case(name).then(|| line[name.len()..].strip_suffix(b"\r").unwrap_or(&line[name.len()..]))
    })
}

/// Where `needle` begins.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// The value of a JSON string member whose value needs no escapes, as tokens do not.
pub(crate) fn member<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let at = find(body, format!("\"{name}\":\"").as_bytes())? + name.len() + 4;
    let rest = &body[at..];
    std::str::from_utf8(&rest[..find(rest, b"\"")?]).ok()
}

#[cfg(test)]
mod tests {
    use super::{header, member, whole};

    #[test]
    fn an_answer_is_whole_when_its_last_byte_is_there() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(whole(answer), Some(38));
        assert_eq!(whole(&answer[..answer.len() - 1]), None);
        assert_eq!(whole(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), Some(47));
    }

    #[test]
    fn tokens_and_headers_are_found() {
        assert_eq!(member(br#"{"token_type":"Bearer","refresh_token":"prt_x"}"#, "refresh_token"), Some("prt_x"));
        assert_eq!(header(b"HTTP/1.1 302 Found\r\nLocation: http://a/b\r\n\r\n", b"location: "), Some(&b"http://a/b"[..]));
    }
}
