//! The events of one session, so that a client can come back with `Last-Event-ID`.
//!
//! Events are written behind: the id goes out at once, the row follows within [`store::WRITE_BEHIND`]. A crash in
//! between loses only the chance to resume that one stream; the client asks again. What is replayed is always of this
//! session, because the session is not in the id but in this object.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use futures_util::stream;
use rmcp::model::ServerJsonRpcMessage;
use rmcp::transport::streamable_http_server::session::{EventId, EventStore, EventStoreError, EventStream, ServerSseMessage, SessionId};
use tokio::sync::{mpsc, watch};

use super::store::{EventRow, SessionRows};
use crate::secret;

/// An event larger than this is delivered but not kept.
pub(crate) const EVENT_BYTES_MAX: usize = 256 * 1024;
/// What the SDK calls the standalone stream of a session, before the first event of ours.
const BEFORE_EVERYTHING: &str = "0";
/// The number of the standalone stream; the streams of requests count from one.
const STANDALONE: u32 = 0;

/// This process, in event ids: streams of an earlier one never continue here, but can still be replayed.
static EPOCH: LazyLock<String> = LazyLock::new(|| {
    let [a, b, c, d] = secret::fresh::<4>();
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
});

pub(super) struct SessionEvents {
    session: SessionId,
    rows: SessionRows,
    streams: Arc<Mutex<Streams>>,
    /// Counts appended events; followers wait for it to move.
    appended: watch::Sender<u64>,
}

#[derive(Default)]
struct Streams {
    /// The SDK's name of an open stream, its number and its next event.
    open: HashMap<String, (u32, u32)>,
    last: u32,
}

/// `epoch-stream-event`, hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) epoch: String,
    pub(super) stream: u32,
    pub(super) event: u32,
}

impl Position {
    fn parse(text: &str) -> Option<Self> {
        if text == BEFORE_EVERYTHING {
            return Some(Self { epoch: EPOCH.clone(), stream: STANDALONE, event: u32::MAX });
        }
        let mut parts = text.splitn(3, '-');
        let epoch = parts.next().filter(|epoch| epoch.len() == 8 && epoch.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let stream = u32::from_str_radix(parts.next()?, 16).ok()?;
        let event = u32::from_str_radix(parts.next()?, 16).ok()?;
        Some(Self { epoch: epoch.to_owned(), stream, event })
    }

    fn show(&self) -> String {
        format!("{}-{:x}-{:x}", self.epoch, self.stream, self.event)
    }
}

impl SessionEvents {
    pub(super) fn new(session: SessionId, rows: SessionRows) -> Self {
        Self { session, rows, streams: Arc::default(), appended: watch::Sender::new(0) }
    }

    /// The place of the next event of a stream.
    fn next(&self, stream_id: &str, is_last: bool) -> Position {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let is_standalone = stream_id.ends_with(":common");
        if !streams.open.contains_key(stream_id) {
            let number = if is_standalone {
                STANDALONE
            } else {
                streams.last += 1;
                streams.last
            };
            streams.open.insert(stream_id.to_owned(), (number, 0));
        }
        let (stream, event) = streams.open.get_mut(stream_id).map_or((STANDALONE, 0), |place| {
            place.1 += 1;
            *place
        });
        if is_last && !is_standalone {
            streams.open.remove(stream_id);
        }
        Position { epoch: EPOCH.clone(), stream, event }
    }
}

#[async_trait::async_trait]
impl EventStore for SessionEvents {
    async fn store_event(&self, stream_id: &str, event: &ServerSseMessage) -> Result<EventId, EventStoreError> {
        let is_last = event
            .message
            .as_deref()
            .is_some_and(|message| matches!(message, ServerJsonRpcMessage::Response(_) | ServerJsonRpcMessage::Error(_)));
        let position = self.next(stream_id, is_last);
        let id = position.show();
        // Priming events have a place but nothing to replay.
        if let Some(message) = &event.message {
            let message = serde_json::to_string(message.as_ref())?;
            if message.len() <= EVENT_BYTES_MAX {
                self.rows.append(EventRow { session: self.session.to_string(), position, is_last, message }).await;
            }
            self.appended.send_modify(|count| *count += 1);
        }
        Ok(id)
    }

    async fn replay_events_after(&self, last_event_id: &str) -> Result<EventStream, EventStoreError> {
        let Some(from) = Position::parse(last_event_id) else {
            return Ok(Box::pin(stream::empty()));
        };
        let is_open = from.epoch == *EPOCH
            && (from.stream == STANDALONE
                || self.streams.lock().unwrap_or_else(PoisonError::into_inner).open.values().any(|(number, _)| *number == from.stream));
        let follower = Follower { session: self.session.clone(), rows: self.rows.clone(), appended: self.appended.subscribe(), is_open };
        let (sender, receiver) = mpsc::channel(16);
        tokio::spawn(follower.run(from, sender));
        Ok(Box::pin(ReceiverStream(receiver)))
    }
}

/// Replays what was missed, then goes on with what comes, until the stream's last event or the client hangs up.
struct Follower {
    session: SessionId,
    rows: SessionRows,
    appended: watch::Receiver<u64>,
    is_open: bool,
}

impl Follower {
    async fn run(mut self, mut from: Position, sender: mpsc::Sender<ServerSseMessage>) {
        if from.event == u32::MAX {
            from.event = 0;
        }
        loop {
            self.appended.mark_unchanged();
            let missed = match self.rows.events_after(&self.session, &from).await {
                Ok(missed) => missed,
                Err(error) => {
                    tracing::error!(event = "session.unstored", reason = "events_unreadable", error = %error, "could not replay the events of a session");
                    return;
                }
            };
            for row in missed {
                from.event = row.position.event;
                let id = row.position.show();
                let Ok(message) = serde_json::from_str::<ServerJsonRpcMessage>(&row.message) else { continue };
                if sender.send(ServerSseMessage::new(id, message)).await.is_err() || row.is_last {
                    return;
                }
            }
            if !self.is_open {
                return;
            }
            tokio::select! {
                () = sender.closed() => return,
                moved = self.appended.changed() => if moved.is_err() { return },
            }
        }
    }
}

/// `tokio-stream` has this too; two lines do not need a crate.
struct ReceiverStream(mpsc::Receiver<ServerSseMessage>);

impl futures_util::Stream for ReceiverStream {
    type Item = ServerSseMessage;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_what_it_shows() {
        let position = Position { epoch: "00c0ffee".into(), stream: 26, event: 3 };
        assert_eq!(position.show(), "00c0ffee-1a-3");
        assert_eq!(Position::parse("00c0ffee-1a-3"), Some(position));
    }

    #[test]
    fn garbage_is_no_position() {
        for garbage in ["", "1", "0/0", "00c0ffee-1a", "00c0ffee--", "zzzzzzzz-1-1", "00c0ffee-1-1-1", "00c0ffee-fffffffff-1"] {
            assert_eq!(Position::parse(garbage), None, "{garbage}");
        }
    }
}
