//! What an access token says (RFC 9068 §2.2).

use serde::{Deserialize, Deserializer, Serialize};

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

/// RFC 7519 §4.1.3 allows a string or an array. An array of more than one would let a resource pass the token on.
fn exactly_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    match Audience::deserialize(deserializer)? {
        Audience::One(one) => Ok(one),
        Audience::Many(mut many) if many.len() == 1 => Ok(many.remove(0)),
        Audience::Many(_) => Err(serde::de::Error::custom("aud must name exactly one resource")),
    }
}
