//! A realm as its admin API tells it: what the judge looks at, and no more.
//!
//! Fields that a release of Keycloak leaves out have the meaning that Keycloak gives to their absence.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// A word that is compared and sent, and never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// For the one place that sends it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Everything that was read of one realm at one moment.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) realm: Realm,
    /// The client of Portico, when there is one.
    pub(super) client: Option<Client>,
    /// The client scopes of the realm.
    pub(super) scopes: Vec<ClientScope>,
    /// The realm roles that the client may tell, where it may not tell all of them.
    pub(super) told_roles: Vec<String>,
    /// What discovery says.
    pub(super) discovery: Discovery,
    /// What discovery says to somebody who came under another name; nothing when it refuses them.
    pub(super) discovery_elsewhere: Option<Discovery>,
    /// The admin roles of the account that looked.
    pub(super) account_roles: Vec<String>,
}

/// The part of discovery that says who speaks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Discovery {
    pub(super) issuer: String,
}

/// The settings of the realm itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Realm {
    pub(super) enabled: bool,
    pub(super) ssl_required: String,
    pub(super) revoke_refresh_token: bool,
    pub(super) sso_session_idle_timeout: u64,
    pub(super) sso_session_max_lifespan: u64,
    pub(super) client_session_idle_timeout: u64,
    pub(super) client_session_max_lifespan: u64,
    pub(super) offline_session_idle_timeout: u64,
}

impl Default for Realm {
    fn default() -> Self {
        Self {
            enabled: true,
            ssl_required: "external".to_owned(),
            revoke_refresh_token: false,
            sso_session_idle_timeout: 1800,
            sso_session_max_lifespan: 36_000,
            client_session_idle_timeout: 0,
            client_session_max_lifespan: 0,
            offline_session_idle_timeout: 2_592_000,
        }
    }
}

/// One client of the realm.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) enabled: bool,
    pub(super) protocol: Option<String>,
    pub(super) public_client: bool,
    pub(super) bearer_only: bool,
    pub(super) client_authenticator_type: String,
    pub(super) secret: Option<Secret>,
    pub(super) standard_flow_enabled: bool,
    pub(super) implicit_flow_enabled: bool,
    pub(super) direct_access_grants_enabled: bool,
    pub(super) service_accounts_enabled: bool,
    pub(super) consent_required: bool,
    pub(super) frontchannel_logout: bool,
    pub(super) full_scope_allowed: bool,
    pub(super) root_url: Option<String>,
    pub(super) redirect_uris: Vec<String>,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) protocol_mappers: Vec<Mapper>,
    pub(super) default_client_scopes: Vec<String>,
    pub(super) optional_client_scopes: Vec<String>,
}

impl Client {
    /// An attribute that says something; Keycloak drops an attribute by emptying it.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// What puts a claim into tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Mapper {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) protocol_mapper: String,
    pub(super) config: BTreeMap<String, String>,
}

impl Mapper {
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.config.get(name).map(String::as_str)
    }
}

/// A bundle of mappers that clients share.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ClientScope {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) protocol_mappers: Vec<Mapper>,
}
