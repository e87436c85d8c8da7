//! `requestState` of the 2026-07-28 round trip: what we hand to the client and must not believe when it comes back.
//!
//! Attack 50. The state holds no secret, so it is signed and not encrypted: who asked (person and client), which tool
//! with which arguments, which question, until when. Change one byte, bring it as somebody else, change the arguments
//! or come late, and the tool does not run.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rmcp::model::JsonObject;

use crate::secret::{Seal, SealFault};

/// How long a person may think before they answer.
const STATE_LIFE_SECS: i64 = 10 * 60;

/// Everything a state is bound to.
pub(crate) struct Round<'a> {
    pub(crate) subject: &'a str,
    pub(crate) client: &'a str,
    pub(crate) tool: &'a str,
    pub(crate) arguments: &'a JsonObject,
    pub(crate) key: &'a str,
}

impl Round<'_> {
    /// `expiry.signature`: the rest is repeated by the call itself.
    pub(crate) fn seal(&self, seal: &Seal, now: i64) -> String {
        let expiry = now + STATE_LIFE_SECS;
        format!("{expiry}.{}", seal.sign(&self.text(expiry)))
    }

    pub(crate) fn open(&self, seal: &Seal, state: &str, now: i64) -> Result<(), SealFault> {
        let (expiry, signature) = state.split_once('.').ok_or(SealFault::Malformed)?;
        let expiry: i64 = expiry.parse().map_err(|_| SealFault::Malformed)?;
        if !seal.recognises(&self.text(expiry), signature) {
            return Err(SealFault::Forged);
        }
        if now >= expiry {
            return Err(SealFault::Expired);
        }
        Ok(())
    }

    /// JSON, so that no value can end early and become another.
    fn text(&self, expiry: i64) -> String {
        let arguments = serde_json::to_vec(self.arguments).unwrap_or_default();
        let arguments = URL_SAFE_NO_PAD.encode(digest(&SHA256, &arguments).as_ref());
        serde_json::json!([expiry, self.subject, self.client, self.tool, self.key, arguments]).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::secret::Seals;

    fn seal() -> Seal {
        Seals::open(tempfile::tempdir().unwrap().path()).unwrap().states
    }

    fn arguments(id: &str) -> JsonObject {
        json!({ "id": id }).as_object().unwrap().clone()
    }

    #[test]
    fn a_state_opens_for_the_same_call_until_it_expires() {
        let (seal, arguments) = (seal(), arguments("a"));
        let round = Round { subject: "alice", client: "c1", tool: "summarize", arguments: &arguments, key: "summary" };
        let state = round.seal(&seal, 1000);
        assert_eq!(round.open(&seal, &state, 1000), Ok(()));
        assert_eq!(round.open(&seal, &state, 1000 + STATE_LIFE_SECS), Err(SealFault::Expired));
    }

    #[test]
    fn a_state_is_worthless_for_anybody_and_anything_else() {
        let (seal, mine, others) = (seal(), arguments("a"), arguments("b"));
        let round = |subject, client, tool, arguments, key| Round { subject, client, tool, arguments, key };
        let state = round("alice", "c1", "summarize", &mine, "summary").seal(&seal, 1000);
        for other in [
            round("mallory", "c1", "summarize", &mine, "summary"),
            round("alice", "c2", "summarize", &mine, "summary"),
            round("alice", "c1", "note_write", &mine, "summary"),
            round("alice", "c1", "summarize", &others, "summary"),
            round("alice", "c1", "summarize", &mine, "replace"),
        ] {
            assert_eq!(other.open(&seal, &state, 1000), Err(SealFault::Forged));
        }
    }

    #[test]
    fn a_flipped_byte_anywhere_is_seen() {
        let (seal, arguments) = (seal(), arguments("a"));
        let round = Round { subject: "alice", client: "c1", tool: "summarize", arguments: &arguments, key: "summary" };
        let state = round.seal(&seal, 1000);
        for at in 0..state.len() {
            let mut forged = state.clone().into_bytes();
            forged[at] ^= 1;
            let forged = String::from_utf8_lossy(&forged).into_owned();
            assert!(round.open(&seal, &forged, 1000).is_err(), "byte {at}");
        }
    }
}
