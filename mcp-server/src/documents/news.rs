//! What changed, told to one listener: gathered, and only what it may see.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::{Change, Reader};

/// A folder that is copied changes in hundreds of places; listeners hear of it once.
const GATHERING: Duration = Duration::from_millis(250);

/// One piece of news.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// The set of documents changed.
    pub(crate) listed: bool,
    /// Which documents changed, came or went.
    pub(crate) ids: BTreeSet<String>,
}

/// News for one reader, from now on.
pub(crate) struct Newsfeed {
    changes: broadcast::Receiver<Change>,
    reader: Reader,
}

impl Newsfeed {
    pub(super) fn new(changes: broadcast::Receiver<Change>, reader: Reader) -> Self {
        Self { changes, reader }
    }

    /// Waits for news; none when the server stops.
    pub(crate) async fn next(&mut self) -> Option<News> {
        loop {
            let mut news = News::default();
            match self.changes.recv().await {
                Ok(change) => self.take(change, &mut news),
                Err(RecvError::Lagged(_)) => news.listed = true,
                Err(RecvError::Closed) => return None,
            }
            tokio::time::sleep(GATHERING).await;
            loop {
                match self.changes.try_recv() {
                    Ok(change) => self.take(change, &mut news),
                    Err(TryRecvError::Lagged(_)) => news.listed = true,
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
            if news != News::default() {
                return Some(news);
            }
        }
    }

    /// Other people's notes are no news.
    fn take(&self, change: Change, news: &mut News) {
        if change.owner.as_deref().is_none_or(|owner| owner == self.reader.owner()) {
            news.listed |= change.listed;
            news.ids.insert(change.id);
        }
    }
}
