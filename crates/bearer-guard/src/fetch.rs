//! Reading from the issuer: bounded in time and size, never redirected.
//!
//! A redirect would let whoever answers at the issuer's address name the keys that we trust, so there is none. A proxy from the
//! environment is not used either: the issuer is our own, and nothing reads the environment after start.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, header::HeaderMap, redirect::Policy};

/// The issuer is near; who needs longer is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Below the staleness that closes the door, so that one slow answer does not.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a reading failed, for operators.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("the issuer did not answer")]
    Unanswered(#[from] reqwest::Error),
    #[error("the issuer answered with status {0}")]
    Status(u16),
    #[error("the issuer's answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("the issuer's answer is not what it should be: {0}")]
    Malformed(&'static str),
}

pub(crate) fn client() -> Result<Client, reqwest::Error> {
    Client::builder().redirect(Policy::none()).no_proxy().connect_timeout(CONNECT_TIMEOUT).timeout(REQUEST_TIMEOUT).build()
}

/// The headers and the whole body of a 200, read no further than `bytes_max`: a length header is a promise, not a limit.
pub(crate) async fn read(request: RequestBuilder, bytes_max: usize) -> Result<(HeaderMap, Vec<u8>), FetchError> {
    let mut response = request.send().await?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > bytes_max {
            return Err(FetchError::TooLong(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((std::mem::take(response.headers_mut()), body))
}
