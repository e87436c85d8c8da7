//! What an access token says (RFC 9068 §2.2).

use serde::{Deserialize, Deserializer, Serialize};

use crate::TokenFault;

/// The claims of an access token, read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who made it.
    pub iss: String,
    /// Whose behalf.
    pub sub: String,
    /// For which resource: exactly one.
    #[serde(deserialize_with = "exactly_one")]
    pub aud: String,
    /// Which client holds it.
    pub client_id: String,
    /// When it stops being good.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// Its own name.
    pub jti: String,
    /// What it allows.
    #[serde(default)]
    pub scope: String,
    /// Which grant stands behind it.
    pub grant_id: String,
    /// Which upstream session stands behind that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// When the person signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// Before when it is not good; we never write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
}

/// The same, borrowed, for minting.
#[derive(Debug, Clone, Copy, Serialize)]
#[expect(missing_docs, reason = "as in AccessClaims")]
pub struct AccessClaimsRef<'a> {
    pub iss: &'a str,
    pub sub: &'a str,
    pub aud: &'a str,
    pub client_id: &'a str,
    pub exp: i64,
    pub iat: i64,
    pub jti: &'a str,
    pub scope: &'a str,
    pub grant_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
}

impl AccessClaims {
    /// Reads a payload, and says which claim is missing. Nothing in it is believed yet: signature, issuer, audience and time are judged
    /// by who has a key and a clock.
    ///
    /// # Errors
    /// [`TokenFault::Malformed`] when it is no JSON object, a claim has the wrong type or stands twice; [`TokenFault::ClaimMissing`] with
    /// the first that RFC 9068 §2.2 requires; [`TokenFault::AudienceMismatch`] when it is for several resources.
    pub fn read(payload: &[u8]) -> Result<Self, TokenFault> {
        fn need<T>(claim: Option<T>, name: &'static str) -> Result<T, TokenFault> {
            claim.ok_or(TokenFault::ClaimMissing(name))
        }
        let said: UnverifiedClaims = serde_json::from_slice(payload).map_err(|_| TokenFault::Malformed)?;
        Ok(Self {
            iss: need(said.iss, "iss")?,
            aud: need(said.aud, "aud")?.only().ok_or(TokenFault::AudienceMismatch)?,
            exp: need(said.exp, "exp")?,
            iat: need(said.iat, "iat")?,
            sub: need(said.sub, "sub")?,
            client_id: need(said.client_id, "client_id")?,
            jti: need(said.jti, "jti")?,
            grant_id: need(said.grant_id, "grant_id")?,
            // §2.2.3: only when the request had one; absent allows nothing.
            scope: said.scope.unwrap_or_default(),
            sid: said.sid,
            auth_time: said.auth_time,
            nbf: said.nbf,
        })
    }
}

/// What a payload says. Members that we do not know are ignored (RFC 7519 §4).
#[derive(Deserialize)]
struct UnverifiedClaims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    client_id: Option<String>,
    exp: Option<i64>,
    iat: Option<i64>,
    nbf: Option<i64>,
    jti: Option<String>,
    scope: Option<String>,
    grant_id: Option<String>,
    sid: Option<String>,
    auth_time: Option<i64>,
}

/// RFC 7519 §4.1.3 allows a string or an array.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    /// An array of more than one would let a resource pass the token on.
    fn only(self) -> Option<String> {
        match self {
            Self::One(one) => Some(one),
            Self::Many(mut many) if many.len() == 1 => many.pop(),
            Self::Many(_) => None,
        }
    }
}

fn exactly_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Audience::deserialize(deserializer)?.only().ok_or_else(|| serde::de::Error::custom("aud must name exactly one resource"))
}
