//! What a group comes to: each judge is asked, and what they let through becomes an element (elements.rs).
//!
//! Pure: rows and changes in, answers and elements out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use oauth_types::{Bug, EndedKind, Error, GrantFault, GrantId, Timestamp, ended_hash};

use super::{
    EndReason, GrantRow, NewClient,
    audit::bounded,
    change::{Answer, Change, Ended, Ending, Redeem, Redemption, Rotate, Rotated, Rotation, Trail},
    clients,
    elements::Elements,
    group::Looked,
    statements::Kind,
};
use crate::secret;

/// What a member is answered once the group is on disk.
pub(super) enum Outcome {
    Done,
    Redeemed(Box<GrantRow>),
    Rotated(Box<Rotated>),
    Ended(bool),
    Refused(Error),
}

/// What became of a member, and the receipt of what it wrote.
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) receipt: Option<String>,
}

impl Verdict {
    fn refused(error: Error) -> Self {
        Self { outcome: Outcome::Refused(error), receipt: None }
    }
}

impl Change {
    /// Answers. The outcome is of the kind that the plan made for this change.
    pub(super) fn settle(self, outcome: Outcome) {
        let _asker_left = match (self, outcome) {
            (change, Outcome::Refused(error)) => return change.fail(error),
            (Self::Register(_, reply), Outcome::Done) => reply.send(Ok(())).is_err(),
            (Self::Redeem(_, reply), Outcome::Redeemed(row)) => reply.send(Ok(*row)).is_err(),
            (Self::Rotate(_, reply), Outcome::Rotated(rotated)) => reply.send(Ok(*rotated)).is_err(),
            (Self::End(_, reply), Outcome::Ended(changed)) => reply.send(Ok(changed)).is_err(),
            (change, _) => return change.fail(Error::ServerError(Bug::new("the writer answered another question"))),
        };
    }
}

/// What a group comes to: an answer for each member, and the elements that make them true.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) verdicts: Vec<Verdict>,
    pub(super) elements: Elements,
    /// How many rows each kind must change. `Touch` changes as many as it likes.
    expected: [u64; Kind::ALL.len()],
    /// The first eight random bytes of every receipt of this group; the last two count.
    receipt_root: [u8; 8],
    now_ms: i64,
    ended_until: Timestamp,
}

/// What one audit event says, in its places.
struct Told<'a> {
    event: &'static str,
    client_id: &'a str,
    subject: &'a str,
    grant_id: &'a str,
    reason: Option<&'static str>,
    trail: &'a Trail,
}

impl Plan {
    /// Asks each judge in turn. Pure but for the clock that was read before.
    pub(super) fn judge(&mut self, members: &[Change], looked: Looked, now: Timestamp, now_ms: i64, ended_until: Timestamp) {
        let (mut rows, elements) = (looked.rows, Elements::with_room_for(members.len()));
        *self = Self { receipt_root: secret::fresh_bytes(), now_ms, ended_until, elements, ..Self::default() };
        self.verdicts.reserve(members.len());
        if looked.unmarked {
            self.count(Kind::Touch);
        }
        for member in members {
            let verdict = match member {
                Change::Register(new, _) => self.register(new),
                Change::Redeem(redemption, _) => match rows.remove(&redemption.approval.grant_id) {
                    Some(row) => self.redeem(redemption, row, now),
                    // There was a row, and the purge took it between two looks: whatever was approved then is long past.
                    None => Verdict::refused(Error::InvalidGrant(GrantFault::CodeExpired)),
                },
                Change::Rotate(rotation, _) => match rows.remove(&rotation.grant_id) {
                    Some(row) => self.rotate(rotation, row, now),
                    None => Verdict::refused(Error::InvalidGrant(GrantFault::RefreshUnknown)),
                },
                Change::End(ending, _) => match &ending.what {
                    Ended::Grant(id) => self.end_asked(ending, rows.remove(id)),
                    Ended::Token { .. } => self.end_token(ending),
                },
            };
            self.verdicts.push(verdict);
        }
    }

    fn count(&mut self, kind: Kind) -> u64 {
        let count = &mut self.expected[kind as usize];
        *count += 1;
        *count
    }

    /// Begins an element; its receipt is its audit id.
    fn begin(&mut self, letter: char, told: &Told<'_>) -> String {
        let number = self.count(Kind::Audit) as u16;
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.receipt_root);
        random[8..].copy_from_slice(&number.to_be_bytes());
        let receipt = GrantId::born(self.now_ms, random).to_string();
        let element = &mut self.elements;
        element.begin(letter);
        for text in [Some(&*receipt), Some(told.event), some(told.client_id), some(told.subject), some(told.grant_id), told.reason] {
            element.text(text);
        }
        element.text(told.trail.reference.as_deref());
        element.text(told.trail.source_ip.as_deref());
        receipt
    }

    fn register(&mut self, new: &NewClient) -> Verdict {
        let (row, audit) = (&new.row, &new.audit);
        let trail = Trail { source_ip: audit.source_ip.clone(), reference: audit.reference.clone() };
        let told =
            Told { event: audit.event, client_id: row.client_id.as_str(), subject: "", grant_id: "", reason: audit.reason, trail: &trail };
        let receipt = self.begin('c', &told);
        self.count(Kind::Register);
        let element = &mut self.elements;
        element.text(bounded(&audit.detail));
        element.text(Some(row.kind.as_str()));
        element.text(Some(&row.name));
        element.text(Some(&clients::list(row.redirect_uris.iter().map(|uri| uri.as_str()))));
        element.text(Some(row.auth_method.as_str()));
        element.text(row.secret_hash.map(|hash| hash.text()).as_deref());
        element.number(row.secret_expires_at.map(|at| at.0));
        element.text(Some(&clients::list(row.grant_types.iter().map(String::as_str))));
        element.text(row.scope.as_ref().map(|scope| scope.as_str()));
        element.text(row.registration_token_hash.map(|hash| hash.text()).as_deref());
        element.text(Some(&row.metadata.to_string()));
        element.text(Some(&row.metadata_digest));
        element.number(Some(row.created_at.0));
        Verdict { outcome: Outcome::Done, receipt: Some(receipt) }
    }

    fn redeem(&mut self, redemption: &Redemption, mut row: GrantRow, now: Timestamp) -> Verdict {
        match judged(|| (redemption.judge)(&row, redemption, now)) {
            Err(error) => Verdict::refused(error),
            Ok(Redeem::Replay) => {
                self.end_replayed(&row, EndReason::CodeReplayed, "code.replayed", &redemption.trail, GrantFault::CodeReplayed)
            }
            // The statement would refuse it too; a judge that says otherwise is a bug that must not be answered with tokens.
            Ok(Redeem::Good) if row.redeemed_at.is_some() || row.is_ended() => overruled(),
            Ok(Redeem::Good) => {
                let receipt = self.begin('d', &told_of(&row, &row.grant_id.text(), "token.issued", None, &redemption.trail));
                self.count(Kind::Redeem);
                row.redeemed_at = Some(now);
                row.last_used_at = Some(now);
                if let Some(refresh) = &redemption.refresh {
                    row.generation = 1;
                    row.refresh_hash = Some(refresh.hash);
                    row.refresh_expires_at = Some(refresh.expires_at.min(row.expires_at));
                }
                let element = &mut self.elements;
                element.text(approved_by(&redemption.approval.trail).as_deref());
                element.text(Some(row.resource.as_str()));
                element.text(Some(row.scope.as_str()));
                element.text(Some(row.redirect_uri.as_str()));
                element.text(row.upstream_session.as_ref().map(|session| session.as_str()));
                for at in [row.auth_time, row.created_at, row.expires_at] {
                    element.number(Some(at.0));
                }
                element.number(Some(i64::from(row.generation)));
                element.text(row.refresh_hash.map(|hash| hash.text()).as_deref());
                element.number(row.refresh_expires_at.map(|at| at.0));
                Verdict { outcome: Outcome::Redeemed(Box::new(row)), receipt: Some(receipt) }
            }
        }
    }

    fn rotate(&mut self, rotation: &Rotation, mut row: GrantRow, now: Timestamp) -> Verdict {
        let presented = Some(rotation.presented_hash);
        match judged(|| (rotation.judge)(&row, rotation, now)) {
            Err(error) => Verdict::refused(error),
            Ok(Rotate::Replay) => {
                self.end_replayed(&row, EndReason::RefreshReused, "refresh.reused", &rotation.trail, GrantFault::RefreshReused)
            }
            Ok(Rotate::Next) if row.refresh_hash == presented && !row.is_ended() => {
                let receipt = self.begin('r', &told_of(&row, &row.grant_id.text(), "token.refreshed", None, &rotation.trail));
                self.count(Kind::Rotate);
                let expires_at = rotation.successor.expires_at.min(row.expires_at);
                let element = &mut self.elements;
                element.text(None);
                element.text(Some(&rotation.presented_hash.text()));
                element.text(Some(&rotation.successor.hash.text()));
                element.text(Some(&rotation.successor.sealed));
                element.number(Some(expires_at.0));
                row.previous_hash = presented;
                row.successor_sealed = Some(rotation.successor.sealed.clone());
                row.refresh_hash = Some(rotation.successor.hash);
                row.refresh_expires_at = Some(expires_at);
                row.generation += 1;
                row.rotated_at = Some(now);
                row.answered_again = 0;
                row.last_used_at = Some(now);
                Verdict { outcome: Outcome::Rotated(Box::new(Rotated { row, answer: Answer::New })), receipt: Some(receipt) }
            }
            Ok(Rotate::Again) if row.previous_hash == presented && !row.is_ended() => self.answer_again(rotation, row, now),
            Ok(Rotate::Next | Rotate::Again) => overruled(),
        }
    }

    fn answer_again(&mut self, rotation: &Rotation, mut row: GrantRow, now: Timestamp) -> Verdict {
        let (Some(successor_sealed), Some(successor_hash)) = (row.successor_sealed.clone(), row.refresh_hash) else { return overruled() };
        let grant_id = row.grant_id.text();
        let receipt = self.begin('o', &told_of(&row, &grant_id, "token.refreshed", Some("answered_again"), &rotation.trail));
        self.count(Kind::Again);
        self.elements.text(None);
        self.elements.text(Some(&rotation.presented_hash.text()));
        row.answered_again += 1;
        row.last_used_at = Some(now);
        let answer = Answer::Again { successor_sealed, successor_hash };
        Verdict { outcome: Outcome::Rotated(Box::new(Rotated { row, answer })), receipt: Some(receipt) }
    }

    /// A replay ends its grant. The presenter is refused either way; a second replay finds it ended.
    fn end_replayed(&mut self, row: &GrantRow, reason: EndReason, event: &'static str, trail: &Trail, fault: GrantFault) -> Verdict {
        let receipt = row.ended_at.is_none().then(|| self.end_grant(row, reason, event, trail));
        Verdict { outcome: Outcome::Refused(Error::InvalidGrant(fault)), receipt }
    }

    fn end_asked(&mut self, ending: &Ending, row: Option<GrantRow>) -> Verdict {
        let receipt = row.filter(|row| row.ended_at.is_none()).map(|row| self.end_grant(&row, ending.reason, "grant.ended", &ending.trail));
        Verdict { outcome: Outcome::Ended(receipt.is_some()), receipt }
    }

    fn end_grant(&mut self, row: &GrantRow, reason: EndReason, event: &'static str, trail: &Trail) -> String {
        let grant_id = row.grant_id.text();
        let receipt = self.begin('e', &told_of(row, &grant_id, event, Some(reason.as_str()), trail));
        self.count(Kind::End);
        self.end_entry(EndedKind::Grant, &grant_id);
        receipt
    }

    fn end_token(&mut self, ending: &Ending) -> Verdict {
        let Ended::Token { jti, grant_id, client_id, subject, .. } = &ending.what else { return overruled() };
        let reason = Some(ending.reason.as_str());
        let receipt = self.begin('x', &Told { event: "token.revoked", client_id, subject, grant_id, reason, trail: &ending.trail });
        self.end_entry(EndedKind::Token, jti);
        Verdict { outcome: Outcome::Ended(true), receipt: Some(receipt) }
    }

    /// The rest of an element that tells every process about an ending.
    fn end_entry(&mut self, kind: EndedKind, id: &str) {
        let back = self.count(Kind::Ended) - 1;
        let until = self.ended_until.0;
        let element = &mut self.elements;
        element.text(None);
        element.number(i64::try_from(back).ok());
        element.text(Some(kind.as_str()));
        element.text(Some(&ended_hash(kind, id).text()));
        element.number(Some(until));
    }

    /// The kinds of statement that this plan needs.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> {
        let expected = self.expected;
        Kind::ALL.into_iter().filter(move |kind| expected[*kind as usize] > 0)
    }

    /// How many endings every process must hear of.
    pub(super) fn endings(&self) -> Option<i64> {
        i64::try_from(self.expected[Kind::Ended as usize]).ok().filter(|endings| *endings > 0)
    }

    /// Did every statement change what it should?
    pub(super) fn fits(&self, kind: Kind, changed: u64) -> bool {
        kind == Kind::Touch || self.expected[kind as usize] == changed
    }
}

/// A judge that panics refuses; it takes neither its neighbours nor the writer with it.
fn judged<T>(judge: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or_else(|_| Err(Error::ServerError(Bug::new("a judge panicked"))))
}

fn overruled() -> Verdict {
    Verdict::refused(Error::ServerError(Bug::new("a judge let through what the row forbids")))
}

fn told_of<'a>(row: &'a GrantRow, grant_id: &'a str, event: &'static str, reason: Option<&'static str>, trail: &'a Trail) -> Told<'a> {
    Told { event, client_id: row.client_id.as_str(), subject: row.subject.as_str(), grant_id, reason, trail }
}

/// A code given out leaves no event of its own, so the event of its redemption tells from where it was asked for.
fn approved_by(browser: &Trail) -> Option<String> {
    let told: serde_json::Map<_, _> = [("approved_from", &browser.source_ip), ("approval_reference", &browser.reference)]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())))
        .collect();
    (!told.is_empty()).then(|| serde_json::Value::Object(told).to_string())
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
