//! The SDK's bodies: whole, as frames, or as the events of an event stream.

use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, BodyStream};
use serde_json::Value;

pub(super) type SdkResponse = http::Response<BoxBody<Bytes, Infallible>>;

pub(super) fn media_type(response: &SdkResponse) -> Option<&str> {
    let value = response.headers().get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or(value).trim())
}

pub(super) fn is_stream(response: &SdkResponse) -> bool {
    media_type(response) == Some("text/event-stream")
}

pub(super) async fn whole(body: BoxBody<Bytes, Infallible>) -> Bytes {
    match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(never) => match never {},
    }
}

/// The body as it comes, for actix.
pub(super) fn frames(body: BoxBody<Bytes, Infallible>) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    BodyStream::new(body).filter_map(async |frame| match frame {
        Ok(frame) => frame.into_data().ok().map(Ok),
        Err(never) => match never {},
    })
}

/// One event of an event stream, or a comment that keeps the connection open; verbatim, with its empty line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event(Bytes);

impl Event {
    /// The JSON it carries.
    fn message(&self) -> Option<Value> {
        let data: Vec<&[u8]> = self.0.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"data:")).collect();
        serde_json::from_slice(&data.concat()).ok()
    }

    /// The JSON it carries, if it is an answer and not a notification or a question.
    pub(super) fn response(&self) -> Option<Value> {
        self.message().filter(|message| message.get("result").is_some() || message.get("error").is_some())
    }

    /// Changes the JSON it carries; everything else of the event stays.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let Some(mut message) = self.response() else { return };
        change(&mut message);
        let mut changed = BytesMut::with_capacity(self.0.len());
        for line in self.0.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"data:")) {
            changed.extend_from_slice(line);
            changed.extend_from_slice(b"\n");
        }
        changed.extend_from_slice(format!("data: {message}\n\n").as_bytes());
        self.0 = changed.freeze();
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// The body as whole events. What it holds back is at most one event, which the SDK has in memory anyway.
pub(super) fn events(body: BoxBody<Bytes, Infallible>) -> impl Stream<Item = Event> + Unpin {
    let state = (Box::pin(frames(body)), BytesMut::new(), false);
    Box::pin(stream::unfold(state, async |(mut frames, mut held, mut ended)| {
        loop {
            if let Some(end) = held.windows(2).position(|pair| pair == b"\n\n") {
                let event = Event(held.split_to(end + 2).freeze());
                return Some((event, (frames, held, ended)));
            }
            if ended {
                return None;
            }
            match frames.next().await {
                Some(Ok(frame)) => held.extend_from_slice(&frame),
                Some(Err(_)) | None => ended = true,
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use serde_json::json;

    use super::*;

    async fn split(text: &'static str) -> Vec<Event> {
        events(BoxBody::new(Full::new(Bytes::from_static(text.as_bytes())))).collect().await
    }

    #[tokio::test]
    async fn a_stream_is_cut_at_empty_lines_and_comments_pass() {
        let events = split("id: 1\ndata: {\"result\":{}}\n\n:\n\ndata: {\"method\":\"x\"}\n\nleft over").await;
        assert_eq!(events.len(), 3);
        assert_eq!(events[0].response(), Some(json!({ "result": {} })));
        assert_eq!(events[1].response(), None);
        assert_eq!(events[2].response(), None);
    }

    #[tokio::test]
    async fn a_change_keeps_the_id_of_the_event() {
        let mut events = split("id: 7\nretry: 3\ndata: {\"result\":{\"a\":1}}\n\n").await;
        events[0].change(|message| message["result"]["a"] = json!(2));
        assert_eq!(events.remove(0).into_bytes(), "id: 7\nretry: 3\ndata: {\"result\":{\"a\":2}}\n\n");
    }
}
