//! The refresh_token grant: new tokens for an old permission.
//!
//! RFC 6749 §6; RFC 9700 §4.14.2 (rotation). A refresh token seen twice means that two parties hold it; we cannot tell which is the
//! thief, so the whole grant ends. With one exception, or sessions die of lost answers (decision 4): while its successor is unused
//! and the overlap lasts, a rotated token gets the *same* successor again, one line of descent, never two.
//!
//! ```text
//! generation of the token   | of the row
//! the same                  | current        → rotate
//! one below, in the overlap | just rotated   → the same successor again
//! below otherwise           | older          → replay: the grant ends
//! above                     | ahead          → the database lost a rotation (a restored backup): refused, nothing ends
//! ```
//!
//! Where the person signed in at a provider, it is asked first (decision 9, `upstream_session.rs`): the token's name says so, so that
//! nothing is looked up for anybody else. What the rules still allow of the grant is what the answer carries; nothing left ends it.

use actix_web::HttpRequest;
use oauth_types::{Bug, Error, GrantFault, Outage, Scope, ScopeFault, TargetFault, Timestamp, TokenHash};
use oxide_auth::code_grant::refresh::{Input, Output, Refresh};
use tracing::{info, warn};

use super::{issue::Granted, request::RefreshRequest};
use crate::{
    App, audit,
    client::auth::AuthenticatedClient,
    http::request_id::RequestId,
    openid,
    policy::{Decision, OFFLINE_ACCESS, PersonFacts, Question},
    referee,
    store::{Answer, EndReason, Ending, GrantRow, Rotate, Rotation, Successor},
    upstream_session::{Stand, Vouched},
};

/// Where an authentic token stands in its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Current,
    JustRotated,
    Older,
    Ahead,
}

/// Rotates a refresh token: judged, applied and on disk when this returns.
pub(super) async fn rotate(
    app: &App,
    client: &AuthenticatedClient,
    asked: RefreshRequest<'_>,
    request: &HttpRequest,
) -> Result<Granted, Error> {
    let name = app.keys.read_refresh(asked.token).map_err(Error::InvalidGrant)?;
    let now = app.clock.now();
    let successor = app.keys.mint_successor(asked.token, &name)?;
    let scope = asked.scope.clone();
    let mut rotation = Rotation {
        grant_id: name.grant,
        generation: name.generation,
        presented_hash: TokenHash::of(asked.token.as_bytes()),
        client_id: client.id().clone(),
        asked_scope: asked.scope,
        asked_resource: asked.resource,
        vouched_by: None,
        successor: Successor {
            hash: successor.token.hash(),
            sealed: successor.sealed,
            expires_at: now + app.config.lifetimes.refresh_token,
        },
        overlap: app.config.refresh,
        judge,
        trail: audit::trail(request),
    };
    let allowed = if name.upstream { vouched(app, &mut rotation).await? } else { None };
    let outcome = app.store.rotate(rotation).await;
    if let Err(Error::InvalidGrant(GrantFault::RefreshReused)) = &outcome {
        let (client, grant, reference) = (client.id(), name.grant, RequestId::of(request));
        warn!(event = "refresh.reused", client.id = %client, grant.id = %grant, request.id = %reference, "an old refresh token of `{client}` was used again: its grant ended");
    }
    let rotated = outcome?;
    let token = match &rotated.answer {
        Answer::New => successor.token,
        Answer::Again { successor_sealed, successor_hash } => {
            app.keys.open_successor(asked.token, name.grant, successor_sealed, successor_hash)?
        }
    };
    let scope = scope.unwrap_or_else(|| rotated.row.scope.clone());
    let scope = allowed.map_or(scope.clone(), |allowed| scope.intersect(&allowed));
    Ok(Granted { scope, row: rotated.row, refresh: Some(token), nonce: None })
}

/// Asks the provider on whose sign-in the grant hangs, and the rules: so much of the grant still holds. A token that would be refused
/// anyhow makes nobody ask; the writer says why it is.
async fn vouched(app: &App, rotation: &mut Rotation) -> Result<Option<Scope>, Error> {
    let Some(row) = app.store.grant(&rotation.grant_id).await? else { return Ok(None) };
    let Some(session) = row.upstream_session.clone() else {
        return Err(Error::ServerError(Bug::new("a token names a sign-in upstream that its grant has not")));
    };
    rotation.vouched_by = Some(session.clone());
    if !matches!(judge(&row, rotation, app.clock.now()), Ok(Rotate::Next | Rotate::Again)) {
        return Ok(None);
    }
    let person = match app.upstream_sessions.ask(&session).await? {
        Stand::Stands(person) => person,
        Stand::Ended => return Err(Error::InvalidGrant(GrantFault::UpstreamEnded)),
    };
    let allowed = still_allowed(app, &row, &person)?;
    if says_nothing(&allowed) {
        end(app, &row, rotation).await?;
        return Err(Error::InvalidGrant(GrantFault::NothingAllowed));
    }
    if rotation.asked_scope.as_ref().is_some_and(|asked| says_nothing(&asked.intersect(&allowed))) {
        return Err(Error::InvalidScope(ScopeFault::NothingLeft));
    }
    Ok(Some(allowed))
}

/// So much of the grant the rules leave this person now.
fn still_allowed(app: &App, row: &GrantRow, person: &Vouched) -> Result<Scope, Error> {
    let resource = app.config.resource(&row.resource).ok_or(Error::InvalidTarget(TargetFault::Unknown))?;
    let person = PersonFacts::Upstream { idp: &person.idp, subject: &person.subject, facts: &person.facts };
    Ok(match app.policy.decide(Question::Authorize { asked: &row.scope, resource, person }) {
        Decision::Allow => row.scope.clone(),
        Decision::AllowLess(scope) => scope,
        Decision::Refuse(_) => Scope::default(),
    })
}

/// Is there nothing in it that opens anything at the resource?
fn says_nothing(scope: &Scope) -> bool {
    openid::ABOUT_PERSON.into_iter().chain([OFFLINE_ACCESS]).fold(scope.clone(), |rest, token| rest.without(token)).is_empty()
}

async fn end(app: &App, row: &GrantRow, rotation: &Rotation) -> Result<(), Error> {
    let ending = Ending::grant(row.grant_id, EndReason::NothingAllowed, app.clock.now()).by(rotation.trail.clone());
    app.store.end(ending).await?;
    let (client, grant) = (&row.client_id, row.grant_id);
    info!(event = "grant.ended", client.id = %client, grant.id = %grant, reason = GrantFault::NothingAllowed.reason(), "the rules leave nothing of what `{client}` was allowed: its grant ended");
    Ok(())
}

/// May this token be rotated? Pure: no I/O, no clock of its own, nothing is written here.
///
/// Whose token it is comes first: another client's attempt changes nothing, whatever it presents. Then whether it is a replay, before
/// anything that its presenter may choose (scope, resource): a thief does not escape by asking for too much.
fn judge(row: &GrantRow, asked: &Rotation, now: Timestamp) -> Result<Rotate, Error> {
    if row.client_id != asked.client_id {
        return Err(Error::InvalidGrant(GrantFault::ClientMismatch));
    }
    row.stands().map_err(Error::InvalidGrant)?;
    let verdict = match standing(row, asked, now) {
        Standing::Ahead => return Err(Error::InvalidGrant(GrantFault::RotationLost)),
        Standing::Older => return Ok(Rotate::Replay),
        Standing::Current => Rotate::Next,
        Standing::JustRotated => Rotate::Again,
    };
    if row.refresh_expires_at.is_none_or(|at| at <= now) || row.expires_at <= now {
        return Err(Error::InvalidGrant(GrantFault::RefreshExpired));
    }
    if matches!(verdict, Rotate::Again) && row.answered_again >= asked.overlap.overlap_answers {
        return Err(Error::InvalidGrant(GrantFault::OverlapExhausted));
    }
    may_narrow(row, asked)?;
    if row.upstream_session.is_some() && row.upstream_session != asked.vouched_by {
        // The token did not say so: another server's, or a bug. Never rotated unasked.
        return Err(Error::TemporarilyUnavailable(Outage::new("the provider behind a grant was not asked before its refresh")));
    }
    Ok(verdict)
}

fn standing(row: &GrantRow, asked: &Rotation, now: Timestamp) -> Standing {
    let is = |hash: &Option<TokenHash>| hash.as_ref() == Some(&asked.presented_hash);
    if asked.generation > row.generation {
        Standing::Ahead
    } else if asked.generation == row.generation {
        // The same generation and another token: both authentic, so the database forgot one of two rotations.
        if is(&row.refresh_hash) { Standing::Current } else { Standing::Ahead }
    } else if asked.generation + 1 == row.generation && is(&row.previous_hash) && is_answerable(row, asked, now) {
        Standing::JustRotated
    } else {
        Standing::Older
    }
}

/// Strictly before the end: with an overlap of zero seconds, a retry within the same second is a replay too.
fn is_answerable(row: &GrantRow, asked: &Rotation, now: Timestamp) -> bool {
    row.successor_sealed.is_some() && row.rotated_at.is_some_and(|at| now < at + asked.overlap.overlap)
}

/// RFC 6749 §6: a scope "not originally granted" is refused; RFC 8707 §2.2: so is another resource. The machine has the last word.
fn may_narrow(row: &GrantRow, asked: &Rotation) -> Result<(), Error> {
    if asked.asked_resource.as_ref().is_some_and(|resource| *resource != row.resource) {
        return Err(Error::InvalidTarget(TargetFault::NotGranted));
    }
    if asked.asked_scope.as_ref().is_some_and(|scope| !row.scope.covers(scope)) {
        return Err(Error::InvalidScope(ScopeFault::Wider));
    }
    let scope = asked.asked_scope.as_ref().map(|scope| scope.as_str());
    let mut machine = Refresh::new(&referee::RefreshView { client_id: asked.client_id.as_str(), scope });
    let mut answer = Input::None;
    loop {
        answer = match machine.advance(answer) {
            Output::Unauthenticated { .. } => Input::Authenticated { scope: scope.map(Into::into) },
            Output::RecoverRefresh { .. } => {
                let grant = referee::grant_of(row.client_id.as_str(), row.scope.as_str(), None)?;
                Input::Recovered { scope: scope.map(Into::into), grant: Some(grant) }
            }
            Output::Refresh { .. } => return Ok(()),
            Output::Err(refusal) => return Err(referee::refresh_refusal(refusal)),
            Output::Ok(_) => return Err(referee::off_the_path()),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use oauth_types::{ClientId, ResourceUri, Scope, Ttl};
    use proptest::prelude::*;

    use super::*;
    use crate::{config::RefreshConfig, token::fixtures};

    const OVERLAP: i64 = 120;
    const ANSWERS: i64 = 3;
    const LIFE: i64 = 30 * 86_400;
    const START: i64 = fixtures::NOW.0;

    /// The token of a generation: there is only ever one, which is the point of the overlap.
    fn token(generation: u32) -> TokenHash {
        TokenHash::of(format!("token {generation}").as_bytes())
    }

    fn presented(generation: u32) -> Rotation {
        Rotation {
            grant_id: fixtures::grant().grant_id,
            generation,
            presented_hash: token(generation),
            client_id: ClientId::parse("app").unwrap(),
            asked_scope: None,
            asked_resource: None,
            vouched_by: None,
            successor: Successor { hash: token(generation + 1), sealed: "sealed".to_owned(), expires_at: Timestamp(0) },
            overlap: RefreshConfig { overlap: Ttl(OVERLAP), overlap_answers: ANSWERS },
            judge,
            trail: Default::default(),
        }
    }

    /// A grant whose code was just redeemed.
    fn family() -> GrantRow {
        GrantRow { generation: 1, refresh_hash: Some(token(1)), refresh_expires_at: Some(Timestamp(START + LIFE)), ..fixtures::grant() }
    }

    /// What the store does with a verdict, in few lines; `store/writer.rs` does the same in SQL.
    fn apply(row: &mut GrantRow, verdict: &Rotate, asked: &Rotation, now: Timestamp) {
        match verdict {
            Rotate::Next => {
                row.previous_hash = row.refresh_hash.replace(asked.successor.hash);
                row.generation += 1;
                row.rotated_at = Some(now);
                row.answered_again = 0;
                row.successor_sealed = Some(asked.successor.sealed.clone());
                row.refresh_expires_at = Some(Timestamp(now.0 + LIFE));
            }
            Rotate::Again => row.answered_again += 1,
            Rotate::Replay => row.ended_at = Some(now),
        }
    }

    /// Presents the token of a generation and says which generation's token came back.
    fn present(row: &mut GrantRow, generation: u32, at: i64) -> Result<u32, &'static str> {
        let (asked, now) = (presented(generation), Timestamp(at));
        let verdict = judge(row, &asked, now).map_err(|error| error.reason())?;
        apply(row, &verdict, &asked, now);
        match verdict {
            Rotate::Replay => Err("refresh_reused"),
            Rotate::Next | Rotate::Again => Ok(generation + 1),
        }
    }

    /// RFC 6749 §6; OAuth 2.1 §4.3.1.
    #[test]
    fn each_token_gives_the_next_one() {
        let mut row = family();
        for (generation, at) in [(1, 0), (2, 600), (3, 1_200)] {
            assert_eq!(present(&mut row, generation, START + at), Ok(generation + 1));
        }
    }

    /// Decision 4; attack 35: inside the overlap both callers end with a working token, and it is the same.
    #[test]
    fn a_lost_answer_is_given_again_while_the_successor_is_unused() {
        let mut row = family();
        assert_eq!(present(&mut row, 1, START), Ok(2));
        assert_eq!(present(&mut row, 1, START + OVERLAP - 1), Ok(2));
        assert_eq!(present(&mut row, 2, START + OVERLAP), Ok(3));
    }

    /// Attack 35: outside the window the family dies, and with it the newest token.
    #[test]
    fn an_old_token_after_the_overlap_ends_the_grant() {
        let mut row = family();
        present(&mut row, 1, START).unwrap();
        assert_eq!(present(&mut row, 1, START + OVERLAP), Err("refresh_reused"));
        assert_eq!(present(&mut row, 2, START + OVERLAP), Err("grant_ended"));
    }

    /// Decision 4: the overlap ends with the first use of the successor.
    #[test]
    fn an_old_token_after_its_successor_was_used_ends_the_grant() {
        let mut row = family();
        present(&mut row, 1, START).unwrap();
        present(&mut row, 2, START + 1).unwrap();
        assert_eq!(present(&mut row, 1, START + 2), Err("refresh_reused"));
    }

    /// Attack 36: beyond the count nothing ends.
    #[test]
    fn too_many_answers_are_refused_and_end_nothing() {
        let mut row = family();
        present(&mut row, 1, START).unwrap();
        for _ in 0..ANSWERS {
            assert_eq!(present(&mut row, 1, START + 1), Ok(2));
        }
        assert_eq!(present(&mut row, 1, START + 1), Err("overlap_exhausted"));
        assert_eq!(present(&mut row, 2, START + 2), Ok(3));
    }

    /// An overlap of zero is strict rotation, within the same second too.
    #[test]
    fn without_an_overlap_every_second_use_is_a_replay() {
        let mut row = family();
        present(&mut row, 1, START).unwrap();
        let strict = Rotation { overlap: RefreshConfig { overlap: Ttl(0), overlap_answers: ANSWERS }, ..presented(1) };
        assert!(matches!(judge(&row, &strict, Timestamp(START)), Ok(Rotate::Replay)));
    }

    /// Attack 35: another client's attempt is refused and the family is untouched, whatever token it is.
    #[test]
    fn another_client_can_neither_use_nor_burn_a_token() {
        let mut row = family();
        present(&mut row, 1, START).unwrap();
        for generation in [1, 2] {
            let asked = Rotation { client_id: ClientId::parse("thief").unwrap(), ..presented(generation) };
            assert_eq!(judge(&row, &asked, Timestamp(START + 500)).unwrap_err().reason(), "client_mismatch");
        }
        assert_eq!(present(&mut row, 2, START + 500), Ok(3));
    }

    /// architecture.md 11a.2: a restored backup must not sign everybody out.
    #[test]
    fn a_token_from_a_forgotten_rotation_is_refused_and_ends_nothing() {
        let mut row = family();
        assert_eq!(present(&mut row, 5, START), Err("rotation_lost"));
        let other = Rotation { presented_hash: TokenHash::of(b"made before the backup was restored"), ..presented(1) };
        assert_eq!(judge(&row, &other, Timestamp(START)).unwrap_err().reason(), "rotation_lost");
        assert_eq!(present(&mut row, 1, START), Ok(2));
    }

    /// RFC 6749 §6; attack 37: narrower is allowed, wider is not, and the grant keeps what it has.
    #[test]
    fn scope_may_narrow_and_never_widen() {
        let row = family();
        let with =
            |scope: &str| judge(&row, &Rotation { asked_scope: Some(Scope::parse(scope).unwrap()), ..presented(1) }, Timestamp(START));
        assert!(matches!(with("mcp:read"), Ok(Rotate::Next)));
        assert!(matches!(with("mcp:write mcp:read"), Ok(Rotate::Next)));
        let wider = with("mcp:read mcp:infer").unwrap_err();
        assert_eq!((wider.code(), wider.reason()), ("invalid_scope", "scope_wider"));
    }

    /// RFC 8707 §2.2; attack 38.
    #[test]
    fn another_resource_than_the_grants_is_an_invalid_target() {
        let row = family();
        let with =
            |uri: &str| judge(&row, &Rotation { asked_resource: Some(ResourceUri::parse(uri).unwrap()), ..presented(1) }, Timestamp(START));
        assert!(matches!(with("https://mcp.example.com/mcp"), Ok(Rotate::Next)));
        assert_eq!(with("https://other.example.com/mcp").unwrap_err().code(), "invalid_target");
    }

    /// A thief does not escape detection by asking for too much.
    #[test]
    fn a_replay_is_one_whatever_else_it_asks() {
        let mut row = family();
        present(&mut row, 1, START).unwrap();
        let asked = Rotation {
            asked_scope: Some(Scope::parse("everything").unwrap()),
            asked_resource: Some(ResourceUri::parse("https://other.example.com/").unwrap()),
            ..presented(1)
        };
        assert!(matches!(judge(&row, &asked, Timestamp(START + OVERLAP)), Ok(Rotate::Replay)));
    }

    #[test]
    fn nothing_outlives_its_token_its_grant_or_its_owner() {
        let reason = |row: GrantRow, at: i64| judge(&row, &presented(1), Timestamp(at)).unwrap_err().reason();
        assert_eq!(reason(family(), START + LIFE), "refresh_expired");
        assert_eq!(reason(GrantRow { expires_at: Timestamp(START), ..family() }, START), "refresh_expired");
        assert_eq!(reason(GrantRow { ended_at: Some(Timestamp(START)), ..family() }, START), "grant_ended");
        assert_eq!(reason(GrantRow { client_ended: true, ..family() }, START), "client_ended");
        assert_eq!(reason(GrantRow { upstream_ended: true, ..family() }, START), "upstream_ended");
        assert_eq!(reason(GrantRow { subject_ended: true, ..family() }, START), "subject_disabled");
    }

    /// The rules once more, told from the history instead of from the row: what a careful clerk with a full journal would say.
    struct Clerk {
        /// When each generation was rotated away, from the first on.
        rotated: Vec<i64>,
        again: i64,
        ended: bool,
    }

    impl Clerk {
        fn says(&mut self, generation: u32, at: i64) -> Result<u32, &'static str> {
            let newest = u32::try_from(self.rotated.len()).unwrap() + 1;
            if self.ended {
                return Err("grant_ended");
            }
            match generation.cmp(&newest) {
                Ordering::Greater => Err("rotation_lost"),
                Ordering::Equal => {
                    self.rotated.push(at);
                    self.again = 0;
                    Ok(generation + 1)
                }
                Ordering::Less if generation + 1 == newest && at - self.rotated.last().unwrap() < OVERLAP => {
                    self.again += 1;
                    if self.again > ANSWERS { Err("overlap_exhausted") } else { Ok(generation + 1) }
                }
                Ordering::Less => {
                    self.ended = true;
                    Err("refresh_reused")
                }
            }
        }
    }

    proptest! {
        /// Any sequence of tokens at any times: the judge and the clerk agree, so no row forgets what a journal would know.
        #[test]
        fn the_row_remembers_all_that_matters(script in proptest::collection::vec((0u32..4, 0i64..200), 1..60)) {
            let (mut row, mut clerk, mut at) = (family(), Clerk { rotated: Vec::new(), again: 0, ended: false }, START);
            for (back, wait) in script {
                at += wait;
                // From one ahead of the newest down to three behind it.
                let generation = (row.generation + 1).saturating_sub(back).max(1);
                prop_assert_eq!(present(&mut row, generation, at), clerk.says(generation, at));
            }
        }

        /// Two processes of one client share a token. Each refreshes when its access token runs out, a little apart from the other,
        /// loses answers and tries again: as long as that stays within the overlap, nobody's session dies.
        #[test]
        fn no_interleaving_of_two_honest_processes_loses_the_session(
            rounds in proptest::collection::vec(proptest::collection::vec((any::<bool>(), any::<bool>()), 2..6), 1..40)
        ) {
            let (mut row, mut at) = (family(), START);
            let mut held = [1u32, 1];
            for tries in rounds {
                let round_began = at;
                let mut refreshed = [false, false];
                // Then both get through, whatever was lost before: at most ANSWERS tries more than the first.
                let tries = tries.into_iter().take(2).chain([(false, false), (true, false)]);
                for (which, is_lost) in tries {
                    let process = usize::from(which);
                    if refreshed[process] {
                        continue;
                    }
                    at += 20;
                    prop_assert!(at - round_began < OVERLAP);
                    let got = present(&mut row, held[process], at);
                    prop_assert_eq!(got, Ok(held[process] + 1));
                    if !is_lost {
                        held[process] += 1;
                        refreshed[process] = true;
                    }
                }
                prop_assert_eq!(held[0], held[1]);
                at += 600;
            }
        }

        /// A thief copies a token at some moment. Owner and thief go on in any order; as soon as either presents a token that is not
        /// answerable any more, the grant ends, and nothing that either holds works again.
        #[test]
        fn every_stolen_token_is_caught_when_the_two_part(
            before in 0u32..5,
            script in proptest::collection::vec((any::<bool>(), OVERLAP..2_000), 2..40)
        ) {
            let (mut row, mut at) = (family(), START);
            let mut owner = 1u32;
            for _ in 0..before {
                at += 600;
                owner = present(&mut row, owner, at).unwrap();
            }
            let mut held = [owner, owner];
            let mut caught = false;
            for (is_thief, wait) in script {
                at += wait;
                let who = usize::from(is_thief);
                match present(&mut row, held[who], at) {
                    Ok(next) => {
                        prop_assert!(!caught, "something worked after the grant had ended");
                        held[who] = next;
                    }
                    Err(reason) => {
                        prop_assert_eq!(reason, if caught { "grant_ended" } else { "refresh_reused" });
                        caught = true;
                    }
                }
            }
            // Both came at least once, so the second of them came with an old token: each wait is past the overlap.
            let both_came = held[0] != owner && held[1] != owner;
            prop_assert!(!both_came);
        }
    }
}
