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
            actix_web::rt::time::timeout(BODY_TIME_MAX, collect).await.map_err(late)?
        }
    }
}
