//! Keycloak's admin REST API as its administrator: what a test changes behind Portico's back.

use serde_json::Value;

use super::server::{ADMINISTRATOR, Keycloak};
use crate::Result;
use crate::wire::{Answer, Ask, Connection};

/// Somebody who may change something there: the administrator of the whole server, or a service account.
pub(super) struct Admin {
    authority: String,
    realm: String,
    /// Where and with which form a token is asked for.
    sign_in: (String, String),
}

impl Admin {
    /// The administrator of the whole server, for one realm.
    pub(super) fn of(keycloak: &Keycloak, realm: &str) -> Self {
        let (name, password) = ADMINISTRATOR;
        let form = format!("grant_type=password&client_id=admin-cli&username={name}&password={password}");
        Self { authority: keycloak.authority(), realm: realm.to_owned(), sign_in: ("master".to_owned(), form) }
    }

    /// The service account of a client, in its own realm.
    pub(super) fn service_account(keycloak: &Keycloak, realm: &str, client_id: &str, secret: &str) -> Self {
        let form = format!("grant_type=client_credentials&client_id={client_id}&client_secret={secret}");
        Self { authority: keycloak.authority(), realm: realm.to_owned(), sign_in: (realm.to_owned(), form) }
    }

    /// What stands at `path` of the realm; an empty path is the realm itself.
    pub(super) fn read(&self, path: &str) -> Result<Value> {
        let answer = self.ask("GET", path, None)?;
        Ok(answer.json()?)
    }

    pub(super) fn write(&self, method: &str, path: &str, body: &Value) -> Result<()> {
        self.ask(method, path, Some(body)).map(|_| ())
    }

    pub(super) fn delete(&self, path: &str) -> Result<()> {
        self.ask("DELETE", path, None).map(|_| ())
    }

    /// The client of this `client_id` as Keycloak shows it.
    pub(super) fn client(&self, client_id: &str) -> Result<Value> {
        let found = self.read(&format!("/clients?clientId={client_id}"))?;
        found.get(0).cloned().ok_or_else(|| format!("the realm has no client {client_id}").into())
    }

    /// Changes what `change` names of a client and leaves the rest.
    pub(super) fn change_client(&self, client_id: &str, change: &Value) -> Result<()> {
        let id = text(&self.client(client_id)?, "id")?;
        self.write("PUT", &format!("/clients/{id}"), change)
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let answer = self.send(method, path, body)?;
        match answer.status {
            200..=299 => Ok(answer),
            status => Err(format!("Keycloak answered {status} to {method} {path}: {}", answer.text()).into()),
        }
    }

    /// How it is answered, whatever the answer.
    pub(super) fn status(&self, method: &str, path: &str, body: Option<&Value>) -> Result<u16> {
        Ok(self.send(method, path, body)?.status)
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let bearer = format!("Bearer {}", self.token()?);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("connection", "close")];
        let body = body.map(Value::to_string).unwrap_or_default();
        let target = format!("/admin/realms/{}{path}", self.realm);
        Ok(Connection::open(&self.authority)?.send(Ask { method, target: &target, headers: &headers, body: body.as_bytes() })?)
    }

    /// A fresh one each time: it lives for a minute, and so may a test.
    fn token(&self) -> Result<String> {
        let (realm, form) = &self.sign_in;
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("connection", "close")];
        let target = format!("/realms/{realm}/protocol/openid-connect/token");
        let answer =
            Connection::open(&self.authority)?.send(Ask { method: "POST", target: &target, headers: &headers, body: form.as_bytes() })?;
        text(&answer.json()?, "access_token")
    }
}

/// The text at `key`, which must be there.
pub(super) fn text(value: &Value, key: &str) -> Result<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| format!("Keycloak's answer has no {key}").into())
}
