//! The walk over the folders: what is there, what changed, what is gone.
//!
//! Nothing is followed out of the folder: a symbolic link counts only when it leads to a file inside it, and a folder
//! behind a link is never entered (no cycles). Hidden files are not documents. Everything that is left out is logged once.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::extract::{Extract, Kind, extract};
use super::{Change, id_of};

/// Largest file that is read; a text beyond it is a data set, not a document.
pub(crate) const DOCUMENT_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Most documents in all; keeps the two-second comparison cheap.
pub(crate) const DOCUMENTS_MAX: usize = 20_000;
/// Most bytes of text in all.
pub(crate) const CORPUS_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Deepest folder below the root.
const DEPTH_MAX: usize = 16;
/// Files read in one round: bounds memory while a large folder is indexed for the first time.
const CHANGED_MAX: usize = 512;

/// What the index knows of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    pub(crate) modified_ns: i64,
    pub(crate) owner: Option<String>,
}

/// What the index knows: id to stamp, and what was complained about already.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) stamps: HashMap<String, Stamp>,
    pub(crate) complained: HashSet<PathBuf>,
}

/// A changed document, read.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) stamp: Stamp,
    pub(crate) extract: Extract,
}

/// The difference between the folders and the index.
#[derive(Debug, Default)]
pub(crate) struct Delta {
    pub(crate) changed: Vec<Changed>,
    pub(crate) removed: Vec<String>,
    complaints: Vec<PathBuf>,
}

impl Delta {
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }

    /// More may have changed than one round reads.
    pub(crate) fn is_partial(&self) -> bool {
        self.changed.len() >= CHANGED_MAX
    }

    pub(crate) fn changes(&self, known: &Known) -> Vec<Change> {
        let changed = self.changed.iter().map(|changed| Change {
            id: changed.id.clone(),
            listed: !known.stamps.contains_key(&changed.id),
            owner: changed.stamp.owner.clone(),
        });
        let removed = self.removed.iter().map(|id| Change {
            id: id.clone(),
            listed: true,
            owner: known.stamps.get(id).and_then(|stamp| stamp.owner.clone()),
        });
        changed.chain(removed).collect()
    }

    /// The index now knows what we saw.
    pub(crate) fn settle(self, known: &mut Known) {
        for id in self.removed {
            known.stamps.remove(&id);
        }
        for changed in self.changed {
            known.stamps.insert(changed.id, changed.stamp);
        }
        known.complained.extend(self.complaints);
    }
}

/// The operator's folder, by its real name.
pub(crate) struct Root(PathBuf);

impl Root {
    pub(crate) fn open(folder: &Path) -> std::io::Result<Self> {
        let real = std::fs::canonicalize(folder)?;
        if !real.is_dir() {
            return Err(std::io::Error::new(std::io::ErrorKind::NotADirectory, "not a folder"));
        }
        Ok(Self(real))
    }
}

/// Walks both folders and reads what is new.
pub(crate) fn compare(shared: &Root, notes: &Path, known: &Known) -> Delta {
    let mut walk = Walk { known, delta: Delta::default(), seen: HashSet::new(), bytes: 0 };
    walk.folder(&shared.0, &shared.0, None, 0);
    for person in sorted_entries(notes) {
        if let (Ok(true), Some(owner)) = (person.file_type().map(|kind| kind.is_dir()), person.file_name().to_str()) {
            let root = person.path();
            walk.folder(&root, &root, Some(owner), 0);
        }
    }
    let Walk { mut delta, seen, .. } = walk;
    delta.removed = known.stamps.keys().filter(|id| !seen.contains(*id)).cloned().collect();
    delta
}

struct Walk<'k> {
    known: &'k Known,
    delta: Delta,
    seen: HashSet<String>,
    bytes: u64,
}

impl Walk<'_> {
    fn folder(&mut self, root: &Path, folder: &Path, owner: Option<&str>, depth: usize) {
        if depth > DEPTH_MAX {
            self.complain(folder, "folder_too_deep");
            return;
        }
        for entry in sorted_entries(folder) {
            let path = entry.path();
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                self.complain(&path, "name_not_utf8");
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                self.folder(root, &path, owner, depth + 1);
            } else if let Some(document) = Kind::of(&name) {
                self.file(root, &path, owner, document);
            }
        }
    }

    fn file(&mut self, root: &Path, path: &Path, owner: Option<&str>, kind: Kind) {
        // The real name decides: a link out of the folder (or a name swapped meanwhile) is refused here.
        let Ok(real) = std::fs::canonicalize(path) else {
            self.complain(path, "link_leads_nowhere");
            return;
        };
        if !real.starts_with(root) {
            self.complain(path, "link_leaves_the_folder");
            return;
        }
        let Ok(about) = std::fs::metadata(&real) else { return };
        if !about.is_file() {
            return;
        }
        if about.len() > DOCUMENT_BYTES_MAX {
            self.complain(path, "document_too_large");
            return;
        }
        if self.seen.len() >= DOCUMENTS_MAX || self.bytes + about.len() > CORPUS_BYTES_MAX {
            self.complain(root, "too_many_documents");
            return;
        }
        let Some(relative) = path.strip_prefix(root).ok().and_then(Path::to_str) else { return };
        let relative = relative.replace('\\', "/");
        let id = id_of(owner, &relative);
        self.bytes += about.len();
        let stamp = Stamp { size: about.len(), modified_ns: modified_ns(&about), owner: owner.map(str::to_owned) };
        if self.known.stamps.get(&id) == Some(&stamp) {
            self.seen.insert(id);
            return;
        }
        if self.delta.changed.len() < CHANGED_MAX
            && let Some(bytes) = read(&real)
        {
            let extract = extract(kind, &relative, &bytes);
            self.delta.changed.push(Changed { id: id.clone(), path: relative, kind, stamp, extract });
        }
        self.seen.insert(id);
    }

    fn complain(&mut self, path: &Path, reason: &'static str) {
        if !self.known.complained.contains(path) && !self.delta.complaints.iter().any(|seen| seen == path) {
            tracing::warn!(event = "document.refused", reason, path = %path.display(), "left `{}` out of the index", path.display());
            self.delta.complaints.push(path.to_owned());
        }
    }
}

fn sorted_entries(folder: &Path) -> Vec<std::fs::DirEntry> {
    let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    entries
}

/// Reads at most the limit, whatever the size was a moment ago.
fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(DOCUMENT_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn modified_ns(about: &std::fs::Metadata) -> i64 {
    about
        .modified()
        .ok()
        .and_then(|when| when.duration_since(std::time::UNIX_EPOCH).ok())
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or_default()
}
