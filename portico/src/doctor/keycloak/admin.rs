//! Keycloak's admin REST API, as far as the doctor needs it: one account, one realm.
//!
//! Owns the connection and its bounds: nothing is followed, nothing is read without end, and what is sent or answered stands in no
//! message. Judges nothing.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::{Client as Http, Method, RequestBuilder, StatusCode, header, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::finding::{Repair, ScopeKind};
use super::place::Place;
use super::realm::{Client, Discovery, Reading, Secret};
use super::wanted::Wanted;

/// Keycloak is near or away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A cold Keycloak took half a second for its slowest answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer, every client scope of a realm with its mappers, has 60 KB in a fresh one.
const BODY_BYTES_MAX: usize = 4 << 20;
/// A name that no server has: RFC 6761 §6.4.
const SOMEBODY_ELSE: &str = "portico-doctor.invalid";

/// The account that looks.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) realm: String,
    pub(super) client_id: String,
    pub(super) secret: Secret,
}

/// One realm, opened with one account.
pub(super) struct Admin {
    http: Http,
    place: Place,
    token: Secret,
    account_roles: Vec<String>,
}

/// Whether a change was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// The account may not do this; it is told, and the rest goes on.
    Denied,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

impl Admin {
    /// Signs the account in (RFC 6749 §4.4).
    pub(super) async fn sign_in(place: Place, account: &Account) -> Result<Self, String> {
        let http = Http::builder()
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .build()
            .map_err(|_| "cannot speak TLS on this machine".to_owned())?;
        let url = place.token_endpoint(&account.realm);
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            encoded(&account.client_id),
            encoded(account.secret.reveal())
        );
        let request = http.post(&url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        let (status, body) = send(request, &url).await?;
        match status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(format!("there is no realm at {url}")),
            // Keycloak says unauthorized_client for a wrong secret and for a missing service account alike.
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => {
                return Err(format!(
                    "Keycloak does not accept the account `{}`: check its secret, and that its service account is on",
                    account.client_id
                ));
            }
            other => return Err(format!("Keycloak answered {} to the account `{}`", other.as_u16(), account.client_id)),
        }
        let token: Token = parsed(&body, &url)?;
        let account_roles = roles_in(&token.access_token, place.realm());
        Ok(Self { http, place, token: Secret::new(token.access_token), account_roles })
    }

    /// Everything that the judge looks at.
    pub(super) async fn read(&self, wanted: &Wanted) -> Result<Reading, String> {
        let found: Vec<Client> = self.get(&format!("/clients?clientId={}", encoded(&wanted.client_id))).await?;
        let client = found.into_iter().next();
        let told_roles = match &client {
            Some(client) if !client.full_scope_allowed => self.told_roles(client).await?,
            _ => Vec::new(),
        };
        Ok(Reading {
            realm: self.get("").await?,
            scopes: self.get("/client-scopes").await?,
            client,
            told_roles,
            discovery: self.discovery(None).await?.ok_or("the realm has no discovery document")?,
            discovery_elsewhere: self.discovery(Some(SOMEBODY_ELSE)).await.unwrap_or_default(),
            account_roles: self.account_roles.clone(),
        })
    }

    async fn told_roles(&self, client: &Client) -> Result<Vec<String>, String> {
        #[derive(Deserialize)]
        struct Role {
            name: String,
        }
        let roles: Vec<Role> = self.get(&format!("/clients/{}/scope-mappings/realm", encoded(&client.id))).await?;
        let mut names: Vec<String> = roles.into_iter().map(|role| role.name).collect();
        names.sort();
        Ok(names)
    }

    /// What the realm calls itself; `host` comes under another name.
    async fn discovery(&self, host: Option<&str>) -> Result<Option<Discovery>, String> {
        let url = self.place.discovery();
        let mut request = self.http.get(&url);
        if let Some(host) = host {
            request = request.header(header::HOST, host);
        }
        let (status, body) = send(request, &url).await?;
        Ok(if status == StatusCode::OK { Some(parsed(&body, &url)?) } else { None })
    }

    /// Makes one change.
    pub(super) async fn repair(&self, repair: &Repair, client: Option<&Client>, wanted: &Wanted) -> Result<Outcome, String> {
        let of_client = |tail: &str| client.map(|client| format!("/clients/{}{tail}", encoded(&client.id))).ok_or("the client is gone");
        match repair {
            Repair::CreateClient => {
                let mut body = wanted.client();
                body["secret"] = secret_of(wanted)?;
                self.change(Method::POST, "/clients", &body).await
            }
            Repair::Client(change) => self.change(Method::PUT, &of_client("")?, change).await,
            Repair::ClientSecret => self.change(Method::PUT, &of_client("")?, &json!({ "secret": secret_of(wanted)? })).await,
            Repair::AddMapper(mapper) => self.change(Method::POST, &of_client("/protocol-mappers/models")?, mapper).await,
            Repair::Mapper { id, config } => {
                let mapper =
                    client.and_then(|client| client.protocol_mappers.iter().find(|mapper| mapper.id == *id)).ok_or("the mapper is gone")?;
                let mut whole = mapper.config.clone();
                whole.extend(config.iter().map(|(setting, value)| ((*setting).to_owned(), value.clone())));
                let body = json!({
                    "id": id,
                    "name": mapper.name,
                    "protocol": "openid-connect",
                    "protocolMapper": mapper.protocol_mapper,
                    "config": whole,
                });
                self.change(Method::PUT, &of_client(&format!("/protocol-mappers/models/{}", encoded(id)))?, &body).await
            }
            Repair::Scope { id, kind } => {
                let kind = match kind {
                    ScopeKind::Default => "default-client-scopes",
                    ScopeKind::Optional => "optional-client-scopes",
                };
                self.change(Method::PUT, &of_client(&format!("/{kind}/{}", encoded(id)))?, &json!({})).await
            }
            Repair::Realm(change) => self.change(Method::PUT, "", change).await,
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let url = self.place.admin(path);
        let (status, body) = send(self.http.get(&url).bearer_auth(self.token.reveal()), &url).await?;
        match status {
            StatusCode::OK => parsed(&body, &url),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Err(format!(
                "the account may not read {url}: it needs the roles view-realm, view-clients and manage-clients of the client realm-management"
            )),
            other => Err(format!("Keycloak answered {} to GET {url}", other.as_u16())),
        }
    }

    async fn change(&self, method: Method, path: &str, body: &Value) -> Result<Outcome, String> {
        let url = self.place.admin(path);
        let request = self.http.request(method.clone(), &url).bearer_auth(self.token.reveal()).json(body);
        let (status, _) = send(request, &url).await?;
        match status {
            status if status.is_success() => Ok(Outcome::Done),
            StatusCode::FORBIDDEN => Ok(Outcome::Denied),
            other => Err(format!("Keycloak answered {} to {method} {url}; run the doctor again to see what was changed", other.as_u16())),
        }
    }
}

fn secret_of(wanted: &Wanted) -> Result<Value, String> {
    let secret = wanted
        .secret
        .as_ref()
        .ok_or("the client needs a secret: give it in PORTICO_KEYCLOAK_SECRET, or in client_secret_file of [[upstream]]")?;
    Ok(secret.reveal().into())
}

/// The status and the body, read no further than its limit: a length header is a promise, not a limit.
async fn send(request: RequestBuilder, url: &str) -> Result<(StatusCode, Vec<u8>), String> {
    let unanswered = |_| format!("Keycloak does not answer at {url}");
    let mut response = request.send().await.map_err(unanswered)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(format!("the answer at {url} is longer than {BODY_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, body))
}

fn parsed<T: DeserializeOwned>(body: &[u8], url: &str) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|_| format!("the answer at {url} is not what Keycloak says there"))
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The admin roles that the account's own token names. It came from the realm over this connection, so its signature says nothing more.
fn roles_in(token: &str, realm: &str) -> Vec<String> {
    let claims = token.split('.').nth(1).and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Value = claims.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
    // In the realm itself its administration is a client; seen from the realm `master` it has another name.
    let of = |client: &str| claims["resource_access"][client]["roles"].as_array().cloned().unwrap_or_default();
    let held = of("realm-management").into_iter().chain(of(&format!("{realm}-realm")));
    held.filter_map(|role| Some(role.as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roles_of_an_account_are_read_from_its_token() {
        let claims =
            json!({ "resource_access": { "realm-management": { "roles": ["view-realm", "manage-users"] }, "other": { "roles": ["x"] } } });
        let token = format!("head.{}.signature", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()));
        assert_eq!(roles_in(&token, "company"), ["view-realm", "manage-users"]);
        assert!(roles_in("opaque", "company").is_empty());
        assert!(roles_in("a.!.c", "company").is_empty());
    }

    #[test]
    fn what_goes_into_a_path_cannot_leave_its_segment() {
        assert_eq!(encoded("a/../b c?d"), "a%2F..%2Fb%20c%3Fd");
    }
}
