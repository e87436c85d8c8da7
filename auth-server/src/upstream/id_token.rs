//! The ID token: OpenID Connect Core §3.1.3.7, every step of it, and §12.2 for one that came with a refresh.
//!
//! openidconnect checks issuer, audience, signature, expiry and nonce. What it leaves to its caller stands here: `azp`, `iat`,
//! `auth_time`, `at_hash`, the size, and an issuer that is compared as bytes.

use std::time::{Duration, UNIX_EPOCH};

use oauth_types::{Timestamp, Ttl, UpstreamFault};
use openidconnect::{
    AccessToken, AccessTokenHash, Audience, ClaimsVerificationError, ClientId, IssuerUrl, Nonce, SignatureVerificationError,
    core::{CoreIdToken, CoreIdTokenClaims, CoreIdTokenVerifier},
};
use serde_json::{Map, Value};

use super::{facts, jws::Unverified, keys::Keys};
use crate::{config::UpstreamConfig, secret};

/// How far two machines that keep the time may be apart.
pub(super) const LEEWAY: Ttl = Ttl(30);
/// An ID token is made for the answer that carries it; the longest way is a slow provider's.
const AGE_MAX: Ttl = Ttl::minutes(10);

/// What must be found in it.
pub(super) struct Expected<'a> {
    /// Ours, at a sign-in. At a refresh there is none to expect (§12.2).
    pub(super) nonce: Option<&'a str>,
    /// How long ago the person may have signed in, if that was asked.
    pub(super) max_age: Option<Ttl>,
    /// What came along with it.
    pub(super) access_token: Option<&'a str>,
    /// The time.
    pub(super) now: Timestamp,
}

/// An ID token that was believed.
pub(super) struct Believed {
    /// The provider's name for the person.
    pub(super) subject: String,
    /// When they signed in.
    pub(super) auth_time: Option<Timestamp>,
    /// All that it says.
    pub(super) claims: Map<String, Value>,
}

/// Believes an ID token, or says why not.
pub(super) fn believe(token: &str, keys: &Keys, settings: &UpstreamConfig, expected: &Expected<'_>) -> Result<Believed, UpstreamFault> {
    let unverified = Unverified::read(token, &settings.algorithms)?;
    let read: CoreIdToken = token.parse().map_err(|_| UpstreamFault::IdTokenMalformed)?;
    let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|_| UpstreamFault::IssuerMismatch)?;
    let now = UNIX_EPOCH + Duration::from_secs(u64::try_from((expected.now - LEEWAY).0).unwrap_or_default());
    let trusted = |audience: &Audience| settings.trusted_audiences.iter().any(|name| name.as_str() == audience.as_str());
    let verifier = CoreIdTokenVerifier::new_public_client(ClientId::new(settings.client_id.clone()), issuer, keys.set())
        .set_allowed_algs([unverified.algorithm.clone()])
        .set_other_audience_verifier_fn(trusted)
        .set_time_fn(move || now.into())
        // Judged below, with a reason of their own.
        .set_issue_time_verifier_fn(|_| Ok(()));
    let nonce = |found: Option<&Nonce>| match (expected.nonce, found) {
        (None, _) => Ok(()),
        (Some(ours), Some(theirs)) if secret::same(ours.as_bytes(), theirs.secret().as_bytes()) => Ok(()),
        _ => Err(String::new()),
    };
    let claims = read.claims(&verifier, nonce).map_err(fault_of)?;
    // Core §3.1.3.7 (2): exactly. The library compares text; this line holds it to that.
    if claims.issuer().as_str() != settings.issuer {
        return Err(UpstreamFault::IssuerMismatch);
    }
    authorized_party(claims, &settings.client_id)?;
    times(claims, expected)?;
    if let (Some(hash), Some(token)) = (claims.access_token_hash(), expected.access_token) {
        let key = read.signing_key(&verifier).map_err(|_| UpstreamFault::KeyUnknown)?;
        // Core §3.1.3.8.
        match AccessTokenHash::from_token(&AccessToken::new(token.to_owned()), &unverified.algorithm, key) {
            Ok(made) if made == *hash => {}
            _ => return Err(UpstreamFault::AccessTokenMismatch),
        }
    }
    Ok(Believed {
        subject: facts::subject(claims.subject().as_str())?,
        auth_time: claims.auth_time().map(|time| Timestamp(time.timestamp())),
        claims: unverified.claims()?,
    })
}

/// Core §3.1.3.7 (4) and (5).
fn authorized_party(claims: &CoreIdTokenClaims, client_id: &str) -> Result<(), UpstreamFault> {
    match claims.authorized_party() {
        Some(party) if party.as_str() == client_id => Ok(()),
        None if claims.audiences().len() == 1 => Ok(()),
        _ => Err(UpstreamFault::AzpMismatch),
    }
}

/// Core §3.1.3.7 (10) and (13).
fn times(claims: &CoreIdTokenClaims, expected: &Expected<'_>) -> Result<(), UpstreamFault> {
    let now = expected.now;
    let issued_at = Timestamp(claims.issue_time().timestamp());
    if issued_at > now + LEEWAY {
        return Err(UpstreamFault::IssuedInFuture);
    }
    if issued_at + AGE_MAX + LEEWAY < now {
        return Err(UpstreamFault::IssuedLongAgo);
    }
    match (expected.max_age, claims.auth_time().map(|time| Timestamp(time.timestamp()))) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(UpstreamFault::AuthTimeMissing),
        (Some(max_age), Some(at)) if at <= now + LEEWAY && at + max_age + LEEWAY >= now => Ok(()),
        _ => Err(UpstreamFault::AuthTimeTooOld),
    }
}

fn fault_of(error: ClaimsVerificationError) -> UpstreamFault {
    use ClaimsVerificationError as Claims;
    use SignatureVerificationError as Signature;
    match error {
        Claims::InvalidIssuer(_) => UpstreamFault::IssuerMismatch,
        Claims::InvalidAudience(_) => UpstreamFault::AudienceMismatch,
        Claims::InvalidNonce(_) => UpstreamFault::NonceMismatch,
        Claims::Expired(_) => UpstreamFault::Expired,
        Claims::Unsupported(_) => UpstreamFault::HeaderForbidden,
        Claims::SignatureVerification(Signature::NoMatchingKey | Signature::AmbiguousKeyId(_)) => UpstreamFault::KeyUnknown,
        Claims::SignatureVerification(Signature::NoSignature) => UpstreamFault::IdTokenUnsigned,
        Claims::SignatureVerification(Signature::DisallowedAlg(_) | Signature::UnsupportedAlg(_)) => UpstreamFault::AlgorithmForbidden,
        Claims::SignatureVerification(_) => UpstreamFault::SignatureMismatch,
        _ => UpstreamFault::IdTokenMalformed,
    }
}
