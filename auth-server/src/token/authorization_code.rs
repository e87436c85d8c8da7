//! The authorization_code grant: a code for tokens, once.
//!
//! RFC 6749 §4.1.3, RFC 7636 §4.6, OAuth 2.1 §4.1.3. The first question is always "is this the client, with the verifier, for the
//! redirect?": whoever cannot prove that changes nothing, so a stolen code can neither be redeemed nor burnt. Who can prove it and
//! comes a second time shows that the code is in two hands; we cannot tell whose tokens are the thief's, so the grant ends.

use actix_web::HttpRequest;
use oauth_types::{Error, GrantFault, TargetFault, Timestamp};
use oxide_auth::code_grant::accesstoken::{AccessToken, Input, Output};
use tracing::warn;

use super::{issue::Granted, request::CodeRequest};
use crate::{
    App, audit,
    client::{GrantType, auth::AuthenticatedClient},
    code,
    http::request_id::RequestId,
    referee,
    store::{Approval, GrantRow, NewRefresh, Redeem, Redemption, RedemptionFacts},
};

/// The first refresh token of a grant.
const FIRST_GENERATION: u32 = 1;

/// Redeems a code: judged, applied and on disk when this returns.
pub(super) async fn redeem(
    app: &App,
    client: &AuthenticatedClient,
    asked: CodeRequest<'_>,
    request: &HttpRequest,
) -> Result<Granted, Error> {
    let mut approval = code::open(app.keys.sealing(), asked.code).map_err(Error::InvalidGrant)?;
    let (grant_id, nonce) = (approval.grant_id, approval.nonce.take());
    let hangs_upstream = approval.upstream_session.is_some();
    let refresh = client.may_use(GrantType::RefreshToken).then(|| app.keys.mint_refresh(grant_id, FIRST_GENERATION, hangs_upstream));
    let now = app.clock.now();
    let outcome = app
        .store
        .redeem(Redemption {
            approval,
            client_id: client.id().clone(),
            presented: RedemptionFacts {
                redirect_uri: asked.redirect_uri.map(str::to_owned),
                verifier: asked.verifier,
                resource: asked.resource,
            },
            refresh: refresh.as_ref().map(|token| NewRefresh { hash: token.hash(), expires_at: now + app.config.lifetimes.refresh_token }),
            judge,
            trail: audit::trail(request),
        })
        .await;
    if let Err(Error::InvalidGrant(GrantFault::CodeReplayed)) = &outcome {
        let (client, reference) = (client.id(), RequestId::of(request));
        warn!(event = "code.replayed", client.id = %client, grant.id = %grant_id, request.id = %reference, "a code of `{client}` came a second time: its grant ended");
    }
    let row = outcome?;
    Ok(Granted { scope: row.scope.clone(), nonce, row, refresh })
}

/// May this request redeem this code? Pure: no I/O, no clock of its own, nothing is written here. The order matters: proof first,
/// then the state of the code, so that a refusal tells a stranger nothing and costs its owner nothing.
fn judge(row: &GrantRow, asked: &Redemption, now: Timestamp) -> Result<Redeem, Error> {
    let approval = &asked.approval;
    let view = referee::CodeView { client_id: asked.client_id.as_str(), redirect_uri: approval.redirect_uri.as_str() };
    let mut machine = AccessToken::new(&view);
    let mut answer = Input::None;
    loop {
        answer = match machine.advance(answer) {
            // client::auth did it, before the code was looked at.
            Output::Authenticate { .. } => Input::Authenticated,
            Output::Recover { .. } => {
                same_client_and_redirect(asked).map_err(Error::InvalidGrant)?;
                let redirect = Some(approval.redirect_uri.as_str());
                let grant = referee::grant_of(approval.client_id.as_str(), approval.scope.as_str(), redirect)?;
                Input::Recovered(Some(grant))
            }
            Output::Extend { .. } => {
                prove_possession(asked)?;
                Input::Extended { access_extensions: Default::default() }
            }
            Output::Issue { .. } => return standing(row, approval, now),
            Output::Err(refusal) => return Err(referee::code_refusal(*refusal)),
            Output::Ok(_) => return Err(referee::off_the_path()),
        };
    }
}

/// RFC 6749 §4.1.3: the code was issued to this client, and for this redirect. As text: a URL parser makes different strings equal.
fn same_client_and_redirect(asked: &Redemption) -> Result<(), GrantFault> {
    if asked.approval.client_id != asked.client_id {
        return Err(GrantFault::ClientMismatch);
    }
    // OAuth 2.1 §10.2 dropped the parameter: PKCE binds what it bound. Who sends it must mean the same.
    match &asked.presented.redirect_uri {
        Some(presented) if presented != asked.approval.redirect_uri.as_str() => Err(GrantFault::RedirectMismatch),
        _ => Ok(()),
    }
}

/// RFC 7636 §4.6, and RFC 8707 §2.2: what is asked for is what was allowed.
fn prove_possession(asked: &Redemption) -> Result<(), Error> {
    let verifier = asked.presented.verifier.as_ref().ok_or(Error::InvalidGrant(GrantFault::VerifierMissing))?;
    if !asked.approval.code_challenge.matches(verifier) {
        return Err(Error::InvalidGrant(GrantFault::VerifierMismatch));
    }
    match &asked.presented.resource {
        Some(resource) if *resource != asked.approval.resource => Err(Error::InvalidTarget(TargetFault::NotGranted)),
        _ => Ok(()),
    }
}

/// The proof is complete; is the code still good? Used before expired: a replay is one however late it comes.
fn standing(row: &GrantRow, approval: &Approval, now: Timestamp) -> Result<Redeem, Error> {
    row.stands().map_err(Error::InvalidGrant)?;
    if row.redeemed_at.is_some() {
        return Ok(Redeem::Replay);
    }
    if approval.code_expires_at <= now {
        return Err(Error::InvalidGrant(GrantFault::CodeExpired));
    }
    Ok(Redeem::Good)
}

#[cfg(test)]
mod tests {
    use oauth_types::{ClientId, CodeVerifier, ResourceUri};

    use super::*;
    use crate::token::fixtures::{NOW, REDIRECT, VERIFIER, approval, grant};

    fn asked() -> Redemption {
        Redemption {
            approval: approval(),
            client_id: ClientId::parse("app").unwrap(),
            presented: RedemptionFacts {
                redirect_uri: Some(REDIRECT.to_owned()),
                verifier: Some(CodeVerifier::parse(VERIFIER).unwrap()),
                resource: None,
            },
            refresh: None,
            judge,
            trail: Default::default(),
        }
    }

    fn with(change: impl FnOnce(&mut Redemption)) -> Redemption {
        let mut asked = asked();
        change(&mut asked);
        asked
    }

    fn reason(row: &GrantRow, asked: &Redemption) -> &'static str {
        judge(row, asked, NOW).map_or_else(
            |error| error.reason(),
            |verdict| match verdict {
                Redeem::Good => "good",
                Redeem::Replay => "replay",
            },
        )
    }

    /// RFC 6749 §4.1.3.
    #[test]
    fn the_right_client_with_its_verifier_redeems_its_code() {
        assert_eq!(reason(&grant(), &asked()), "good");
    }

    /// OAuth 2.1 §10.2; spec-and-clients 3.4, items 56 and 57.
    #[test]
    fn redirect_and_resource_may_be_left_out_and_must_be_right_when_sent() {
        assert_eq!(reason(&grant(), &with(|asked| asked.presented.redirect_uri = None)), "good");
        let resource = |uri: &str| ResourceUri::parse(uri).ok();
        assert_eq!(reason(&grant(), &with(|asked| asked.presented.resource = resource("https://mcp.example.com/mcp"))), "good");
        assert_eq!(
            reason(&grant(), &with(|asked| asked.presented.redirect_uri = Some("https://app.example/other".to_owned()))),
            "redirect_mismatch"
        );
        // RFC 6749 §3.1.2.3: as strings. A URL parser would call this one equal.
        assert_eq!(
            reason(&grant(), &with(|asked| asked.presented.redirect_uri = Some("https://APP.example/cb".to_owned()))),
            "redirect_mismatch"
        );
        let other = judge(&grant(), &with(|asked| asked.presented.resource = resource("https://other.example.com/mcp")), NOW);
        assert_eq!(other.unwrap_err().code(), "invalid_target");
    }

    /// RFC 7636 §4.6; attack 15: `invalid_grant`, and nothing is burnt.
    #[test]
    fn without_the_verifier_there_is_no_proof() {
        let wrong = CodeVerifier::parse(&"x".repeat(43)).ok();
        assert_eq!(reason(&grant(), &with(|asked| asked.presented.verifier = wrong.clone())), "verifier_mismatch");
        assert_eq!(reason(&grant(), &with(|asked| asked.presented.verifier = None)), "verifier_missing");
        // Used or expired does not matter to who cannot prove anything: the answer is the same, and it is no replay.
        let used = GrantRow { redeemed_at: Some(NOW), ..grant() };
        assert_eq!(reason(&used, &with(|asked| asked.presented.verifier = wrong)), "verifier_mismatch");
    }

    /// Attack 16.
    #[test]
    fn another_client_can_neither_redeem_nor_burn_a_code() {
        let stranger = with(|asked| asked.client_id = ClientId::parse("thief").unwrap());
        assert_eq!(reason(&grant(), &stranger), "client_mismatch");
        assert_eq!(reason(&GrantRow { redeemed_at: Some(NOW), ..grant() }, &stranger), "client_mismatch");
    }

    /// RFC 6749 §4.1.2: "The client MUST NOT use the authorization code more than once."
    #[test]
    fn a_second_valid_use_is_a_replay_however_late() {
        let used = GrantRow { redeemed_at: Some(NOW), ..grant() };
        assert_eq!(reason(&used, &asked()), "replay");
        assert_eq!(reason(&used, &with(|asked| asked.approval.code_expires_at = Timestamp(0))), "replay");
    }

    #[test]
    fn a_code_is_good_until_its_last_second() {
        let until = |expires: i64| with(|asked| asked.approval.code_expires_at = Timestamp(expires));
        assert_eq!(reason(&grant(), &until(NOW.0 + 1)), "good");
        assert_eq!(reason(&grant(), &until(NOW.0)), "code_expired");
    }

    #[test]
    fn nothing_comes_of_a_grant_that_ended() {
        assert_eq!(reason(&GrantRow { ended_at: Some(NOW), ..grant() }, &asked()), "grant_ended");
        assert_eq!(reason(&GrantRow { client_ended: true, ..grant() }, &asked()), "client_ended");
        assert_eq!(reason(&GrantRow { subject_ended: true, ..grant() }, &asked()), "subject_disabled");
    }
}
