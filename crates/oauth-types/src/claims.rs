//! What an access token says (RFC 9068 §2.2), and what an ID token says (OpenID Connect Core §2).

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

/// What an ID token says, for minting. There is no `azp`: the one audience is the client itself (OpenID Connect Core §2).
#[derive(Debug, Clone, Copy, Serialize)]
#[expect(missing_docs, reason = "the names are the claims of OpenID Connect Core §2")]
pub struct IdClaimsRef<'a> {
    pub iss: &'a str,
    pub sub: &'a str,
    pub aud: &'a str,
    pub exp: i64,
    pub iat: i64,
    pub auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn payload() -> Value {
        json!({"iss": "https://as.example", "sub": "ada", "aud": "https://rs.example/mcp", "client_id": "c1", "exp": 2_000, "iat": 1_000,
            "jti": "t1", "scope": "mcp:read", "grant_id": "g1", "sid": "s1", "auth_time": 900, "favourite": {"colour": "blue"}})
    }

    fn read(value: &Value) -> Result<AccessClaims, TokenFault> {
        AccessClaims::read(value.to_string().as_bytes())
    }

    #[test]
    fn what_is_minted_is_what_is_read() {
        let claims = read(&payload()).unwrap();
        let AccessClaims { iss, sub, aud, client_id, exp, iat, jti, scope, grant_id, sid, auth_time, nbf: _ } = &claims;
        let (exp, iat, sid, auth_time) = (*exp, *iat, sid.as_deref(), *auth_time);
        let borrowed = AccessClaimsRef { iss, sub, aud, client_id, exp, iat, jti, scope, grant_id, sid, auth_time };
        let minted = serde_json::to_vec(&borrowed).unwrap();
        assert_eq!(minted, serde_json::to_vec(&claims).unwrap());
        assert_eq!(AccessClaims::read(&minted).unwrap(), claims);
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
        assert_eq!(AccessClaims::read(twice.as_bytes()).unwrap_err(), TokenFault::Malformed);
        for garbage in ["", "null", "[]", "7", "{", "\u{0}"] {
            assert_eq!(AccessClaims::read(garbage.as_bytes()).unwrap_err(), TokenFault::Malformed, "{garbage}");
        }
    }
}
