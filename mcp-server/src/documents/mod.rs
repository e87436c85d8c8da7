//! The documents that `search`, `fetch`, the resources and the pages read: a folder on disk and a full-text index over it.
//!
//! Owns the index file `documents.db` (it may be deleted at any time: it is rebuilt from the folder), the walk over the
//! folder, and the notes people write. Knows nothing of HTTP, MCP or tokens: who may see what comes in as a [`Reader`].

mod extract;
mod html;
mod index;
mod link;
mod news;
mod note;
pub(crate) mod page;
mod query;
mod scan;

use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::{Mutex, broadcast};

pub(crate) use self::index::{Document, Found, Listed};
pub(crate) use self::link::{Links, SignedLink};
pub(crate) use self::note::{Note, NoteFault, Written};

use self::index::Index;
use self::news::Newsfeed;
use self::scan::Root;
use crate::error::OpenError;

/// How often the folder is compared with the index.
pub(crate) const SCAN_INTERVAL: std::time::Duration = std::time::Duration::from_secs(2);

/// How many changes a slow listener may fall behind before it is told to look at everything.
const CHANGES_BEHIND_MAX: usize = 256;

/// Whose eyes read: documents of the folder are for every caller, notes only for the person who wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reader {
    owner: String,
}

impl Reader {
    /// The person behind a token. The subject is hashed so that it can be a folder name and never needs escaping.
    pub(crate) fn person(subject: &str) -> Self {
        Self { owner: short_hash("person", subject) }
    }

    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }
}

/// What changed on disk, for subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    id: String,
    /// The set of documents changed, not only the text of one.
    listed: bool,
    /// Whose note it is; none for documents of the folder.
    owner: Option<String>,
}

/// The documents of this server.
#[derive(Clone)]
pub(crate) struct Documents {
    index: Index,
    roots: Arc<Roots>,
    /// One scan at a time: `note_write` asks for one at once, the tick every two seconds.
    scanning: Arc<Mutex<scan::Known>>,
    changes: broadcast::Sender<Change>,
}

struct Roots {
    shared: Root,
    notes: PathBuf,
}

impl Documents {
    /// Opens the index and brings it up to date with the folders.
    pub(crate) async fn open(folder: PathBuf, notes: PathBuf, database: PathBuf) -> Result<Self, OpenError> {
        std::fs::create_dir_all(&notes).map_err(|source| OpenError::state(&notes, source))?;
        let shared = Root::open(&folder).map_err(|source| OpenError::documents(&folder, source))?;
        let index = Index::open(&database).await.map_err(|source| OpenError::database(&database, source))?;
        let known = index.known().await.map_err(|source| OpenError::database(&database, source))?;
        let (changes, _) = broadcast::channel(CHANGES_BEHIND_MAX);
        let documents = Self { index, roots: Arc::new(Roots { shared, notes }), scanning: Arc::new(Mutex::new(known)), changes };
        documents.refresh().await;
        Ok(documents)
    }

    /// Compares the folders with the index until it is dropped; the caller aborts the task at shutdown.
    pub(crate) async fn follow(self) {
        let mut tick = tokio::time::interval(SCAN_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            // A large folder is read in rounds; the next one begins at once.
            while self.refresh().await == Round::Partial {}
        }
    }

    /// What changes from now on, as far as this reader may see it.
    pub(crate) fn news(&self, reader: Reader) -> Newsfeed {
        Newsfeed::new(self.changes.subscribe(), reader)
    }

    /// The best documents for what a person typed, best first.
    pub(crate) async fn search(&self, words: &str, limit: usize, reader: &Reader) -> sqlx::Result<Vec<Found>> {
        let Some(query) = query::Query::of(words) else {
            return Ok(Vec::new());
        };
        self.index.search(&query, limit, reader).await
    }

    /// One document, if this reader may see it.
    pub(crate) async fn document(&self, id: &str, reader: &Reader) -> sqlx::Result<Option<Document>> {
        self.index.document(id, Some(reader)).await
    }

    /// One document whoever asks: for holders of a link that we signed.
    pub(crate) async fn document_by_link(&self, id: &str) -> sqlx::Result<Option<Document>> {
        self.index.document(id, None).await
    }

    /// A page of the list, after the id `after`.
    pub(crate) async fn list(&self, after: Option<&str>, limit: usize, reader: &Reader) -> sqlx::Result<Vec<Listed>> {
        self.index.list(after, limit, reader).await
    }

    /// Documents whose id or title begins with `prefix`, for completion.
    pub(crate) async fn beginning_with(&self, prefix: &str, limit: usize, reader: &Reader) -> sqlx::Result<Vec<Listed>> {
        self.index.beginning_with(prefix, limit, reader).await
    }

    /// Writes a note and indexes it before it answers.
    pub(crate) async fn write_note(&self, note: Note, reader: &Reader) -> Result<Written, NoteFault> {
        let folder = self.roots.notes.join(reader.owner());
        let (path, replaced) = tokio::task::spawn_blocking(move || note.write(&folder))
            .await
            .map_err(|_| NoteFault::Storage(std::io::Error::other("the writing task ended early")))??;
        self.refresh().await;
        Ok(Written { id: id_of(Some(reader.owner()), &path), path, replaced })
    }

    /// Whether this person already has a note of that title.
    pub(crate) async fn has_note(&self, note: &Note, reader: &Reader) -> bool {
        let path = self.roots.notes.join(reader.owner()).join(note.file_name());
        tokio::task::spawn_blocking(move || path.exists()).await.unwrap_or(false)
    }

    async fn refresh(&self) -> Round {
        let mut known = self.scanning.lock().await;
        let roots = self.roots.clone();
        let seen = std::mem::take(&mut *known);
        let (seen, delta) = match tokio::task::spawn_blocking(move || {
            let delta = scan::compare(&roots.shared, &roots.notes, &seen);
            (seen, delta)
        })
        .await
        {
            Ok(compared) => compared,
            Err(panicked) => {
                tracing::error!(event = "documents.unreadable", reason = "scan_panicked", error = %panicked, "the scan of the documents ended early");
                return Round::Complete;
            }
        };
        *known = seen;
        if delta.is_empty() {
            delta.settle(&mut known);
            return Round::Complete;
        }
        match self.index.apply(&delta).await {
            Ok(()) => {
                tracing::info!(
                    event = "documents.indexed",
                    changed = delta.changed.len(),
                    removed = delta.removed.len(),
                    "brought the index up to date"
                );
                for change in delta.changes(&known) {
                    // Nobody listening is fine.
                    let _ = self.changes.send(change);
                }
                let round = if delta.is_partial() { Round::Partial } else { Round::Complete };
                delta.settle(&mut known);
                round
            }
            // The next tick compares again, because `known` did not move.
            Err(error) => {
                tracing::error!(event = "documents.unreadable", reason = "index_failed", error = %error, "could not write the index of documents");
                Round::Complete
            }
        }
    }
}

/// Whether a comparison saw everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Partial,
    Complete,
}

/// The stable name of a document: it depends on where it lies and whose it is, never on what it says.
fn id_of(owner: Option<&str>, path: &str) -> String {
    match owner {
        None => short_hash("document", path),
        Some(owner) => short_hash("note", &format!("{owner}/{path}")),
    }
}

/// 96 bits are enough to tell documents and people apart, and short enough for a URL.
fn short_hash(kind: &str, text: &str) -> String {
    let full = digest(&SHA256, format!("{kind}:{text}").as_bytes());
    URL_SAFE_NO_PAD.encode(&full.as_ref()[..12])
}

#[cfg(test)]
mod tests;
