//! A protected resource that asks the authorization server about tokens and follows endings.

use serde_json::Value;

use crate::stage::Replica;
use crate::wire::{Answer, Request, Wire};

/// A resource server with its credentials.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its client id.
    pub id: String,
    /// Its path on our origin.
    pub path: String,
    /// Its identifier, the audience of its tokens.
    pub uri: String,
    /// Its secret.
    pub secret: String,
    wire: Option<Wire>,
}

impl Resource {
    pub(crate) fn new(id: &str, path: &str, issuer: &str) -> Self {
        let secret = format!("{id}-resource-secret-0123456789abcdef0123456789abcdef");
        Self { id: id.into(), path: path.into(), uri: format!("{issuer}{path}"), secret, wire: None }
    }

    pub(crate) fn on(mut self, wire: &Wire) -> Self {
        self.wire = Some(wire.clone());
        self
    }

    /// The same resource, routed to another replica.
    #[must_use]
    pub fn at(&self, replica: &Replica) -> Self {
        Self { wire: Some(replica.wire().clone()), ..self.clone() }
    }

    fn wire(&self) -> &Wire {
        self.wire.as_ref().expect("a stage put this resource on its wire")
    }

    /// RFC 7662 §2.1.
    pub async fn introspect(&self, token: &str) -> Answer {
        self.wire().request("POST", "/introspect").basic(&self.id, &self.secret).form(&[("token", token)]).await
    }

    /// Is this token good for this resource?
    pub async fn accepts(&self, token: &str) -> bool {
        let answer = self.introspect(token).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["active"] == true
    }

    /// What ended after this number, as the request that asks for it.
    pub fn ended_after(&self, number: i64) -> Request {
        self.wire().request("GET", &format!("/ended?after={number}")).basic(&self.id, &self.secret)
    }

    /// The entries of one answer of the feed.
    pub async fn endings_after(&self, number: i64) -> Vec<Value> {
        let answer = self.ended_after(number).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text().lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }
}
