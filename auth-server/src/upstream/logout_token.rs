//! A logout token (OpenID Connect Back-Channel Logout 1.0 §2.4), checked by §2.6.
//!
//! It comes from anybody who finds the address, so everything hangs on the signature and on what makes it no other kind of token: the
//! event, and the absence of a nonce. Whether its `jti` came before is the caller's to see, who has a store.

use oauth_types::{Timestamp, Ttl, UpstreamFault};
use openidconnect::JsonWebKey as _;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{LogoutNotice, facts, id_token::LEEWAY, jws::Unverified, keys::Keys};
use crate::config::UpstreamConfig;

/// The member of `events` that makes it one (§2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Keycloak sends it once, at the moment; five minutes are for a provider that tries again.
const AGE_MAX: Ttl = Ttl::minutes(5);
/// §2.4 recommends two minutes from `iat` to `exp`. One that lives for days would have to be remembered for days.
const LIFE_MAX: Ttl = Ttl::hours(1);
/// Keycloak's are UUIDs; it is kept until the token is past.
const JTI_CHARACTERS_MAX: usize = 255;

/// §2.4: what it must say, and what it must not.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    iat: i64,
    exp: i64,
    jti: Option<String>,
    sub: Option<String>,
    sid: Option<String>,
    events: Option<Map<String, Value>>,
    nonce: Option<Value>,
    azp: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    /// As for ID tokens (§2.6 (4)): ours, and nobody's whom the operator does not trust.
    fn is_ours(&self, settings: &UpstreamConfig) -> bool {
        let named = match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        };
        let is_known = |name: &String| *name == settings.client_id || settings.trusted_audiences.contains(name);
        named.contains(&settings.client_id) && named.iter().all(is_known)
    }
}

/// Believes a logout token, or says why not.
pub(super) fn believe(token: &str, keys: &Keys, settings: &UpstreamConfig, now: Timestamp) -> Result<LogoutNotice, UpstreamFault> {
    let unverified = Unverified::read(token, &settings.algorithms)?;
    // §2.4 recommends `logout+jwt` and lets providers go on with `JWT` or nothing.
    let is_typed = unverified.typ.as_deref().is_none_or(|typ| {
        let typ = typ.to_ascii_lowercase();
        matches!(typ.strip_prefix("application/").unwrap_or(&typ), "logout+jwt" | "jwt")
    });
    if !is_typed {
        return Err(UpstreamFault::HeaderForbidden);
    }
    verify(&unverified, keys)?;
    let claims: Claims = unverified.claims()?;
    if claims.iss != settings.issuer {
        return Err(UpstreamFault::IssuerMismatch);
    }
    if !claims.aud.is_ours(settings) {
        return Err(UpstreamFault::AudienceMismatch);
    }
    if claims.azp.as_ref().is_some_and(|party| *party != settings.client_id) {
        return Err(UpstreamFault::AzpMismatch);
    }
    times(&claims, now)?;
    if !claims.events.as_ref().and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
        return Err(UpstreamFault::LogoutEventMissing);
    }
    if claims.nonce.is_some() {
        return Err(UpstreamFault::LogoutWithNonce);
    }
    whom(claims)
}

/// §2.6 (2): one key of the provider, of the kind that the algorithm needs.
fn verify(unverified: &Unverified<'_>, keys: &Keys) -> Result<(), UpstreamFault> {
    let kinds = |key: &&openidconnect::core::CoreJsonWebKey| {
        use openidconnect::JwsSigningAlgorithm as _;
        unverified.algorithm.key_type().as_ref() == Some(key.key_type())
    };
    let mut candidates = keys.named(unverified.kid.as_deref()).filter(kinds);
    let (Some(key), None) = (candidates.next(), candidates.next()) else { return Err(UpstreamFault::KeyUnknown) };
    key.verify_signature(&unverified.algorithm, unverified.signed.as_bytes(), &unverified.signature)
        .map_err(|_| UpstreamFault::SignatureMismatch)
}

fn times(claims: &Claims, now: Timestamp) -> Result<(), UpstreamFault> {
    let (issued_at, expires_at) = (Timestamp(claims.iat), Timestamp(claims.exp));
    if expires_at + LEEWAY <= now {
        return Err(UpstreamFault::Expired);
    }
    if issued_at > now + LEEWAY {
        return Err(UpstreamFault::IssuedInFuture);
    }
    if issued_at + AGE_MAX + LEEWAY < now || expires_at - issued_at > LIFE_MAX {
        return Err(UpstreamFault::IssuedLongAgo);
    }
    Ok(())
}

/// §2.4: sub, sid or both, and a name of its own.
fn whom(claims: Claims) -> Result<LogoutNotice, UpstreamFault> {
    let fits = |text: &String| (1..=facts::SID_CHARACTERS_MAX).contains(&text.len());
    let jti = claims.jti.filter(|jti| (1..=JTI_CHARACTERS_MAX).contains(&jti.len())).ok_or(UpstreamFault::LogoutUnnamed)?;
    let subject = claims.sub.map(|subject| facts::subject(&subject)).transpose()?;
    if claims.sid.as_ref().is_some_and(|sid| !fits(sid)) || (claims.sid.is_none() && subject.is_none()) {
        return Err(UpstreamFault::LogoutOfNobody);
    }
    Ok(LogoutNotice { sid: claims.sid, subject, jti, issued_at: Timestamp(claims.iat), expires_at: Timestamp(claims.exp) + LEEWAY })
}
