//! Is this token good here? Everything that RFC 9068 §4 and RFC 8725 ask, in one place and in one order.
//!
//! The header is believed in nothing but which key to try: the algorithm is the key's own, keys come from the issuer's document only
//! (`jku`, `x5u`, `jwk` and `x5c` are not even read), and what is critical to somebody else is refused. Claims are looked at after the
//! signature.

use std::{borrow::Cow, sync::atomic::AtomicU64};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_types::{AccessClaims, ClientId, Scope, Subject, Timestamp, TokenFault};

use crate::{
    GuardConfig,
    caller::{Caller, Facts},
    keys::{Algorithm, Key},
};

/// Header bytes: type, algorithm and the name of a key take 70.
const HEADER_BYTES_MAX: usize = 1024;
/// Room to decode it; the decoder reckons with padding.
const HEADER_ROOM: usize = HEADER_BYTES_MAX + 3;
/// An RSA signature of 8192 bits.
const SIGNATURE_BYTES_MAX: usize = 1024;
const SIGNATURE_ROOM: usize = SIGNATURE_BYTES_MAX + 3;

/// A JWT in compact form (RFC 7515 §3.1), still in base64url.
pub(crate) struct Parts<'a> {
    /// What is signed: header, dot, payload.
    message: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    pub(crate) fn split(token: &'a str) -> Result<Self, TokenFault> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenFault::Malformed)?;
        // Four dots are an encrypted token, which is none of ours.
        if payload.contains('.') { Err(TokenFault::Malformed) } else { Ok(Self { message, header, payload, signature }) }
    }

    pub(crate) fn header(&self) -> Result<Header, TokenFault> {
        let mut room = [0; HEADER_ROOM];
        Header::read(decode(self.header, &mut room)?)
    }

    /// The claims, after the signature.
    pub(crate) fn claims(&self, header: &Header, key: &Key) -> Result<AccessClaims, TokenFault> {
        if header.algorithm != key.algorithm {
            return Err(TokenFault::AlgorithmMismatch);
        }
        let mut room = [0; SIGNATURE_ROOM];
        let signature = decode(self.signature, &mut room)?;
        if !key.verifies(self.message.as_bytes(), signature) {
            return Err(TokenFault::SignatureMismatch);
        }
        let payload = URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| TokenFault::Malformed)?;
        AccessClaims::read(&payload)
    }
}

fn decode<'r>(text: &str, room: &'r mut [u8]) -> Result<&'r [u8], TokenFault> {
    let length = URL_SAFE_NO_PAD.decode_slice(text, room).map_err(|_| TokenFault::Malformed)?;
    Ok(&room[..length])
}

/// What of a header is read.
pub(crate) struct Header {
    algorithm: Algorithm,
    kid: String,
}

impl Header {
    fn read(json: &[u8]) -> Result<Self, TokenFault> {
        #[derive(serde::Deserialize)]
        struct Wire<'a> {
            #[serde(borrow)]
            typ: Option<Cow<'a, str>>,
            #[serde(borrow)]
            alg: Option<Cow<'a, str>>,
            #[serde(borrow)]
            kid: Option<Cow<'a, str>>,
            crit: Option<serde::de::IgnoredAny>,
        }
        let wire: Wire<'_> = serde_json::from_slice(json).map_err(|_| TokenFault::Malformed)?;
        // RFC 7515 §4.1.11: we understand no extension, so whatever is critical is refused.
        if wire.crit.is_some() {
            return Err(TokenFault::CriticalHeader);
        }
        // RFC 9068 §4: an ID token, a logout token or an assertion must not pass for an access token.
        let is_access_token = |typ: &str| typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt");
        if !wire.typ.as_deref().is_some_and(is_access_token) {
            return Err(TokenFault::TypeNotAccessToken);
        }
        let algorithm = wire.alg.as_deref().and_then(Algorithm::parse).ok_or(TokenFault::AlgorithmMismatch)?;
        let kid = wire.kid.ok_or(TokenFault::KeyUnknown)?.into_owned();
        Ok(Self { algorithm, kid })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }
}

/// May these claims come in here and now (RFC 9068 §4, RFC 7519 §4.1)?
pub(crate) fn judge(claims: AccessClaims, config: &GuardConfig, now: Timestamp) -> Result<Caller, TokenFault> {
    if claims.iss != config.issuer.as_str() {
        return Err(TokenFault::IssuerMismatch);
    }
    if claims.aud != config.resource.as_str() {
        return Err(TokenFault::AudienceMismatch);
    }
    let (issued_at, expires_at) = (Timestamp(claims.iat), Timestamp(claims.exp));
    if now >= expires_at + config.leeway {
        return Err(TokenFault::Expired);
    }
    if claims.nbf.is_some_and(|nbf| Timestamp(nbf) > now + config.leeway) {
        return Err(TokenFault::NotYetValid);
    }
    if issued_at > now + config.leeway {
        return Err(TokenFault::IssuedInFuture);
    }
    // A token that outlives what the issuer makes outlives what is remembered of endings, too.
    if expires_at - issued_at > config.lifetime_max {
        return Err(TokenFault::LivesTooLong);
    }
    Ok(Caller::new(Facts {
        subject: Subject::parse(&claims.sub).map_err(|_| TokenFault::ClaimMalformed("sub"))?,
        client_id: ClientId::parse(&claims.client_id).map_err(|_| TokenFault::ClaimMalformed("client_id"))?,
        scope: Scope::parse(&claims.scope).map_err(|_| TokenFault::ClaimMalformed("scope"))?,
        grant_id: claims.grant_id,
        token_jti: claims.jti,
        sid: claims.sid,
        auth_time: claims.auth_time.map(Timestamp),
        issued_at,
        expires_at,
        unended_at: AtomicU64::new(0),
    }))
}
