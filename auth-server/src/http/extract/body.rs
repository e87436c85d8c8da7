//! Reads a body with a limit on its size and on how long it may take.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use actix_web::{HttpRequest, dev::Payload, http::header};
use bytes::BytesMut;
use futures_util::StreamExt;
use oauth_types::{Error, RequestFault};

/// A body arrives within this time or not at all (attack 52: a slow body would hold a connection and a worker's memory). The bodies
/// are a few kilobytes; hosted clients give up on us after ten seconds themselves.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// The whole body, at most `bytes_max` long.
pub(super) async fn read(request: &HttpRequest, payload: &mut Payload, bytes_max: usize) -> Result<BytesMut, Error> {
    read_within(BODY_TIME_MAX, request, payload, bytes_max).await
}

async fn read_within(time: Duration, request: &HttpRequest, payload: &mut Payload, bytes_max: usize) -> Result<BytesMut, Error> {
    let too_large = || Error::InvalidRequest(RequestFault::BodyTooLarge);
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > bytes_max) {
        return Err(too_large());
    }
    let collect = async {
        let mut body = BytesMut::with_capacity(announced.unwrap_or(0));
        while let Some(chunk) = payload.next().await {
            // The connection broke: nobody will read this answer, but the log says why nothing happened.
            let chunk = chunk.map_err(|_| Error::InvalidRequest(RequestFault::SlowBody))?;
            if body.len() + chunk.len() > bytes_max {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    };
    // Nearly every body is there already; only one that is not pays for a timer.
    let mut collect = pin!(collect);
    match poll_fn(|context| Poll::Ready(collect.as_mut().poll(context))).await {
        Poll::Ready(body) => body,
        Poll::Pending => {
            let late = |_| Error::InvalidRequest(RequestFault::SlowBody);
            actix_web::rt::time::timeout(time, collect).await.map_err(late)?
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{error::PayloadError, test::TestRequest};
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    fn streamed(chunks: impl futures_util::Stream<Item = Result<Bytes, PayloadError>> + 'static) -> Payload {
        Payload::Stream { payload: Box::pin(chunks) }
    }

    fn chunk(size: usize) -> Result<Bytes, PayloadError> {
        Ok(Bytes::from(vec![b'x'; size]))
    }

    async fn refusal(time: Duration, mut payload: Payload) -> (u16, &'static str) {
        let error = read_within(time, &TestRequest::post().to_http_request(), &mut payload, 100).await.unwrap_err();
        (error.status(), error.code())
    }

    /// Attack 52: a slow body is 408.
    #[actix_web::test]
    async fn a_body_that_never_ends_is_given_up() {
        let dripping = streamed(stream::iter([chunk(10)]).chain(stream::pending()));
        assert_eq!(refusal(Duration::from_millis(20), dripping).await, (408, "invalid_request"));
    }

    #[actix_web::test]
    async fn a_body_that_comes_in_pieces_is_put_together() {
        let mut pieces = streamed(stream::iter([chunk(40), chunk(60)]));
        let body = read_within(BODY_TIME_MAX, &TestRequest::post().to_http_request(), &mut pieces, 100).await.unwrap();
        assert_eq!(body.len(), 100);
    }

    /// Attack 52: what does not announce its length is counted while it comes.
    #[actix_web::test]
    async fn a_body_without_a_length_is_counted() {
        let endless = streamed(stream::repeat_with(|| chunk(40)));
        assert_eq!(refusal(BODY_TIME_MAX, endless).await, (413, "invalid_request"));
    }

    #[actix_web::test]
    async fn a_broken_connection_is_not_half_a_body() {
        let broken = streamed(stream::iter([chunk(10), Err(PayloadError::Incomplete(None))]));
        assert_eq!(refusal(BODY_TIME_MAX, broken).await.1, "invalid_request");
    }
}
