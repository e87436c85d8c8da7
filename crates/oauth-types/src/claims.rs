//! The access token's claims (RFC 9068 §2.2), written for minting and read without being believed.
//!
//! [`UnverifiedClaims`] is what a payload says; [`AccessClaims`] has everything that the RFC requires and still promises nothing: the
//! signature, the issuer, the audience and the time are judged by who has a key and a clock.

use serde::{Deserialize, Serialize};

use crate::TokenFault;

/// Everything that an access token of ours carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer.
    pub iss: String,
    /// The person.
    pub sub: String,
    /// The one resource that it is for.
    #[serde(deserialize_with = "one_audience")]
    pub aud: String,
    /// The client that it was given to.
    pub client_id: String,
    /// When it runs out.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// Its own name.
    pub jti: String,
    /// What it allows.
    pub scope: String,
    /// The grant that it stands on.
    pub grant_id: String,
    /// The upstream session that the person signed in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// When the person signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
}

/// The same, borrowed, for minting on the hot path.
#[derive(Debug, Clone, Copy, Serialize)]
#[expect(missing_docs, reason = "each field is that of AccessClaims")]
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
    /// The borrowed twin.
    pub fn borrowed(&self) -> AccessClaimsRef<'_> {
        AccessClaimsRef {
            iss: &self.iss,
            sub: &self.sub,
            aud: &self.aud,
            client_id: &self.client_id,
            exp: self.exp,
            iat: self.iat,
            jti: &self.jti,
            scope: &self.scope,
            grant_id: &self.grant_id,
            sid: self.sid.as_deref(),
            auth_time: self.auth_time,
        }
    }
}

/// What a payload says, before anything of it is believed. Members that we do not know are ignored (RFC 7519 §4).
#[derive(Debug, Clone, Deserialize)]
#[expect(missing_docs, reason = "each field is that of AccessClaims, or of RFC 7519 §4.1")]
pub struct UnverifiedClaims {
    pub iss: Option<String>,
    pub sub: Option<String>,
    pub aud: Option<Audience>,
    pub client_id: Option<String>,
    pub exp: Option<i64>,
    pub iat: Option<i64>,
    pub nbf: Option<i64>,
    pub jti: Option<String>,
    pub scope: Option<String>,
    pub grant_id: Option<String>,
    pub sid: Option<String>,
    pub auth_time: Option<i64>,
}

/// RFC 7519 §4.1.3: one string, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    /// The one audience. A token for two is refused: either of them could use it at the other (RFC 9700 §4.10.1 wants one).
    fn only(self) -> Option<String> {
        match self {
            Self::One(audience) => Some(audience),
            Self::Several(mut audiences) if audiences.len() == 1 => audiences.pop(),
            Self::Several(_) => None,
        }
    }
}

impl UnverifiedClaims {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`TokenFault::Malformed`] when it is no JSON object, a member has the wrong type, or comes twice.
    pub fn read(payload: &[u8]) -> Result<Self, TokenFault> {
        serde_json::from_slice(payload).map_err(|_| TokenFault::Malformed)
    }

    /// Everything that RFC 9068 §2.2 requires, and the grant.
    ///
    /// # Errors
    /// [`TokenFault::ClaimMissing`] names the first that is absent; an audience of several is an [`TokenFault::AudienceMismatch`].
    pub fn require(self) -> Result<AccessClaims, TokenFault> {
        fn need<T>(claim: Option<T>, name: &'static str) -> Result<T, TokenFault> {
            claim.ok_or(TokenFault::ClaimMissing(name))
        }
        Ok(AccessClaims {
            iss: need(self.iss, "iss")?,
            aud: need(self.aud, "aud")?.only().ok_or(TokenFault::AudienceMismatch)?,
            exp: need(self.exp, "exp")?,
            iat: need(self.iat, "iat")?,
            sub: need(self.sub, "sub")?,
            client_id: need(self.client_id, "client_id")?,
            jti: need(self.jti, "jti")?,
            grant_id: need(self.grant_id, "grant_id")?,
            // RFC 9068 §2.2.3: required only when the request had one; absent allows nothing.
            scope: self.scope.unwrap_or_default(),
            sid: self.sid,
            auth_time: self.auth_time,
        })
    }
}

fn one_audience<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Audience::deserialize(deserializer)?.only().ok_or_else(|| serde::de::Error::custom("aud must name one resource"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn payload() -> Value {
        json!({"iss": "https://as.example", "sub": "ada", "aud": "https://rs.example/mcp", "client_id": "c1", "exp": 2_000, "iat": 1_000,
            "jti": "t1", "scope": "mcp:read", "grant_id": "g1", "sid": "s1", "auth_time": 900, "favourite": {"colour": "blue"}})
    }

    fn read(value: &Value) -> Result<AccessClaims, TokenFault> {
        UnverifiedClaims::read(value.to_string().as_bytes())?.require()
    }

    #[test]
    fn what_is_minted_is_what_is_read() {
        let claims = read(&payload()).unwrap();
        let minted = serde_json::to_vec(&claims.borrowed()).unwrap();
        assert_eq!(minted, serde_json::to_vec(&claims).unwrap());
        assert_eq!(UnverifiedClaims::read(&minted).unwrap().require().unwrap(), claims);
        assert_eq!(serde_json::from_slice::<AccessClaims>(&minted).unwrap(), claims);
    }

    /// RFC 9068 §2.2: iss, exp, aud, sub, client_id, iat and jti are REQUIRED.
    #[test]
    fn a_missing_claim_is_named() {
        for name in ["iss", "aud", "exp", "iat", "sub", "client_id", "jti", "grant_id"] {
            let mut value = payload();
            value.as_object_mut().unwrap().remove(name);
            assert_eq!(read(&value), Err(TokenFault::ClaimMissing(name)));
        }
        let mut value = payload();
        value.as_object_mut().unwrap().remove("scope");
        assert_eq!(read(&value).unwrap().scope, "");
    }

    #[test]
    fn an_audience_is_one_string_or_a_list_of_one() {
        let with = |aud: Value| {
            let mut value = payload();
            value["aud"] = aud;
            value
        };
        assert_eq!(read(&with(json!(["https://rs.example/mcp"]))).unwrap().aud, "https://rs.example/mcp");
        for several in [json!([]), json!(["https://rs.example/mcp", "https://other.example"])] {
            assert_eq!(read(&with(several.clone())), Err(TokenFault::AudienceMismatch));
            assert!(serde_json::from_value::<AccessClaims>(with(several)).is_err());
        }
        assert_eq!(read(&with(json!(7))), Err(TokenFault::Malformed));
    }

    #[test]
    fn wrong_types_and_repeated_members_are_malformed() {
        for (name, wrong) in
            [("exp", json!("2000")), ("exp", json!(1e300)), ("iat", json!([1])), ("sub", json!(1)), ("scope", json!(["a"]))]
        {
            let mut value = payload();
            value[name] = wrong;
            assert_eq!(read(&value), Err(TokenFault::Malformed), "{name}");
        }
        let twice = payload().to_string().replacen("\"sub\":\"ada\"", "\"sub\":\"ada\",\"sub\":\"root\"", 1);
        assert_eq!(UnverifiedClaims::read(twice.as_bytes()).unwrap_err(), TokenFault::Malformed);
        for garbage in ["", "null", "[]", "7", "{", "\u{0}"] {
            assert_eq!(UnverifiedClaims::read(garbage.as_bytes()).unwrap_err(), TokenFault::Malformed, "{garbage}");
        }
    }
}
