//! `portico health`: asks a probe and says so by its exit code, for images that have neither shell nor curl.

use std::{
    io::{Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use crate::screen;

/// A probe that takes longer is not healthy.
const LIMIT: Duration = Duration::from_secs(4);
/// The status line and the word or two that follow.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Which probe.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The probe, on the inner network and in plain http.
    #[arg(default_value = "http://127.0.0.1:8080/health/ready", env = "PORTICO_HEALTH_URL", value_name = "URL")]
    url: String,
}

/// Succeeds when the probe does.
pub(crate) fn run(arguments: &Arguments) -> Result<(), String> {
    let (authority, path) = split(&arguments.url)?;
    let status = ask(&authority, &path).map_err(|cause| format!("{authority} does not answer: {cause}"))?;
    if status.starts_with("HTTP/1.1 2") {
        screen::say("healthy");
        return Ok(());
    }
    Err(format!("{} answers: {status}", arguments.url))
}

fn split(url: &str) -> Result<(String, String), String> {
    let rest = url.strip_prefix("http://").ok_or_else(|| format!("`{url}` must begin with http://"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.is_empty() || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("`{url}` names no host"));
    }
    let authority =
        if authority.rsplit(']').next().unwrap_or_default().contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    Ok((authority, format!("/{path}")))
}

/// The status line, and the body where it is short.
fn ask(authority: &str, path: &str) -> std::io::Result<String> {
    let address = authority.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok(format!("{} {}", head.lines().next().unwrap_or_default(), body.trim()).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn probe(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/health/ready", listener.local_addr().unwrap());
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut asked, mut part) = (Vec::new(), [0; 512]);
            while !asked.ends_with(b"\r\n\r\n") {
                let count = stream.read(&mut part).unwrap();
                assert!(count > 0, "the question ended early: {}", String::from_utf8_lossy(&asked));
                asked.extend_from_slice(&part[..count]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        let outcome = run(&Arguments { url });
        assert!(answering.join().unwrap().starts_with("GET /health/ready HTTP/1.1\r\n"));
        outcome
    }

    #[test]
    fn only_a_yes_is_healthy() {
        assert!(probe("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").is_ok());
        assert!(probe("HTTP/1.1 204 No Content\r\n\r\n").is_ok());
        let broken = probe("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"broken\":[\"store\"]}").unwrap_err();
        assert!(broken.contains("503") && broken.contains("store"), "{broken}");
        assert!(probe("").is_err());
        assert!(probe("HTTP/1.1 301 Moved\r\n\r\n").is_err());
    }

    #[test]
    fn nobody_there_is_not_healthy() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert!(run(&Arguments { url: format!("http://127.0.0.1:{port}/") }).is_err());
        for bad in ["", "https://a/", "127.0.0.1:80", "http:///x", "http://a b/"] {
            assert!(run(&Arguments { url: bad.to_owned() }).is_err(), "{bad}");
        }
    }
}
