//! Where a person can open a document: below the operator's own site, or a signed link to a plain page of ours.
//!
//! A signed link is a capability for one document until the end of a day. It is bound to nothing else, so that the
//! citation of an answer opens in whatever browser the person uses; it tells nobody more than the document itself.

use url::Url;
use url::form_urlencoded::byte_serialize;

use super::Found;
use crate::secret::{Seal, SealFault};

/// How long a link stays good, rounded up to a whole day so that the same search gives the same link all day.
const LINK_DAYS: i64 = 7;
const DAY_SECS: i64 = 24 * 60 * 60;

/// Makes and reads links.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    seal: Seal,
    /// The public origin of this server: from configuration, never from a `Host` header.
    origin: String,
    base: Option<Url>,
}

impl Links {
    pub(crate) fn new(seal: Seal, origin: String, base: Option<Url>) -> Self {
        Self { seal, origin, base }
    }

    pub(crate) fn of_found(&self, found: &Found, now: i64) -> String {
        self.of(&found.id, &found.path, found.owner.is_some(), now)
    }

    /// Notes are never on the operator's site.
    pub(crate) fn of(&self, id: &str, path: &str, is_note: bool, now: i64) -> String {
        match &self.base {
            Some(base) if !is_note => below(base, path),
            _ => self.signed(id, now),
        }
    }

    fn signed(&self, id: &str, now: i64) -> String {
        let until = (now / DAY_SECS + 1 + LINK_DAYS) * DAY_SECS;
        let signature = self.seal.sign(&signed_text(id, until));
        format!("{}/documents/{id}?until={until}&signature={signature}", self.origin)
    }
}

/// What the query of a link says.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct SignedLink {
    until: i64,
    signature: String,
}

impl SignedLink {
    /// Whether we signed this link for this document and its time has not run out.
    pub(crate) fn open(&self, links: &Links, id: &str, now: i64) -> Result<(), SealFault> {
        if !links.seal.recognises(&signed_text(id, self.until), &self.signature) {
            return Err(SealFault::Forged);
        }
        if now >= self.until {
            return Err(SealFault::Expired);
        }
        Ok(())
    }
}

fn signed_text(id: &str, until: i64) -> String {
    format!("document {id} until {until}")
}

/// `base` joined with the path, each segment encoded: a file name can never become a query or another host.
fn below(base: &Url, path: &str) -> String {
    let segments: Vec<String> =
        path.split('/').map(|segment| byte_serialize(segment.as_bytes()).collect::<String>().replace('+', "%20")).collect();
    format!("{}/{}", base.as_str().trim_end_matches('/'), segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Seals;

    const NOON: i64 = 1_800_000_000;

    fn links(base: Option<&str>) -> Links {
        let folder = tempfile::tempdir().unwrap();
        let seals = Seals::open(folder.path()).unwrap();
        Links::new(seals.links, "https://mcp.example".into(), base.map(|base| base.parse().unwrap()))
    }

    fn query(link: &str) -> SignedLink {
        let link: Url = link.parse().unwrap();
        let mut pairs = link.query_pairs();
        let until = pairs.next().unwrap().1.parse().unwrap();
        let signature = pairs.next().unwrap().1.into_owned();
        SignedLink { until, signature }
    }

    #[test]
    fn a_link_opens_its_document_until_its_day_ends() {
        let links = links(None);
        let link = links.of("doc1", "a.md", false, NOON);
        assert!(link.starts_with("https://mcp.example/documents/doc1?until="));
        let signed = query(&link);
        assert_eq!(signed.open(&links, "doc1", NOON), Ok(()));
        assert_eq!(signed.open(&links, "doc2", NOON), Err(SealFault::Forged));
        assert_eq!(signed.open(&links, "doc1", NOON + 9 * DAY_SECS), Err(SealFault::Expired));
        let later = SignedLink { until: signed.until + 1, signature: signed.signature };
        assert_eq!(later.open(&links, "doc1", NOON), Err(SealFault::Forged));
    }

    #[test]
    fn a_site_of_the_operator_is_linked_by_path_and_encoded() {
        let links = links(Some("https://docs.example/handbook/"));
        assert_eq!(links.of("x", "a b/c?d#e.md", false, NOON), "https://docs.example/handbook/a%20b/c%3Fd%23e.md");
        assert!(links.of("x", "mine.md", true, NOON).starts_with("https://mcp.example/documents/x?"));
    }
}
