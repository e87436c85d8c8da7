//! What Portico needs of its client: the measure of the judge, and the client that `--fix` makes where there is none.

use serde_json::{Value, json};

use super::realm::Secret;

/// Everything a right client depends on that only this Portico knows.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) client_id: String,
    /// The realm's name for itself.
    pub(super) issuer: String,
    /// The one address where codes may go.
    pub(super) redirect_uri: String,
    /// Where browsers may come back to after a logout.
    pub(super) post_logout_uri: String,
    /// Where Keycloak says that a session has ended.
    pub(super) backchannel_url: String,
    /// What Portico will ask for.
    pub(super) scopes: Vec<String>,
    /// How often Portico asks again.
    pub(super) recheck_secs: u64,
    /// Known when it was given; without it nothing about the secret is said.
    pub(super) secret: Option<Secret>,
}

/// The scope that makes a session outlive its idle time.
pub(super) const OFFLINE: &str = "offline_access";
/// The attributes of a client, by Keycloak's names.
pub(super) const PKCE: &str = "pkce.code.challenge.method";
pub(super) const BACKCHANNEL_URL: &str = "backchannel.logout.url";
pub(super) const BACKCHANNEL_SESSION: &str = "backchannel.logout.session.required";
pub(super) const POST_LOGOUT_URIS: &str = "post.logout.redirect.uris";
/// Between several values of one attribute.
pub(super) const SEPARATOR: &str = "##";

/// A claim that the rules ask about, and the mapper that brings it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    pub(super) check: &'static str,
    pub(super) what: &'static str,
    pub(super) mapper: &'static str,
    pub(super) name: &'static str,
    pub(super) claim_name: &'static str,
}

/// Roles of the realm, roles of the client, groups.
pub(super) const CLAIMS: [Claim; 3] = [
    Claim {
        check: "realm-roles",
        what: "realm roles",
        mapper: "oidc-usermodel-realm-role-mapper",
        name: "portico: realm roles",
        claim_name: "realm_access.roles",
    },
    Claim {
        check: "client-roles",
        what: "client roles",
        mapper: "oidc-usermodel-client-role-mapper",
        name: "portico: client roles",
        claim_name: "resource_access.${client_id}.roles",
    },
    Claim { check: "groups", what: "groups", mapper: "oidc-group-membership-mapper", name: "portico: groups", claim_name: "groups" },
];

/// What every one of these mappers must say: several values, told at sign-in and at each renewal, and by UserInfo.
pub(super) const TOLD: [(&str, &str); 3] = [("multivalued", "true"), ("id.token.claim", "true"), ("userinfo.token.claim", "true")];

impl Claim {
    /// A new mapper of this claim.
    pub(super) fn mapper(&self, client_id: &str) -> Value {
        let mut config = json!({
            "claim.name": self.claim_name,
            "jsonType.label": "String",
            "access.token.claim": "true",
            "introspection.token.claim": "true",
        });
        for (setting, value) in TOLD {
            config[setting] = value.into();
        }
        match self.check {
            "groups" => config["full.path"] = "true".into(),
            // Only this client's roles: those of others are nobody's business here.
            "client-roles" => config["usermodel.clientRoleMapping.clientId"] = client_id.into(),
            _ => {}
        }
        json!({ "name": self.name, "protocol": "openid-connect", "protocolMapper": self.mapper, "config": config })
    }
}

impl Wanted {
    /// The client as it should be, but for its secret, which whoever sends it adds.
    pub(super) fn client(&self) -> Value {
        let mappers: Vec<Value> = CLAIMS.iter().map(|claim| claim.mapper(&self.client_id)).collect();
        json!({
            "clientId": self.client_id,
            "name": "Portico",
            "enabled": true,
            "protocol": "openid-connect",
            "publicClient": false,
            "bearerOnly": false,
            "clientAuthenticatorType": "client-secret",
            "standardFlowEnabled": true,
            "implicitFlowEnabled": false,
            "directAccessGrantsEnabled": false,
            "serviceAccountsEnabled": false,
            "consentRequired": false,
            "frontchannelLogout": false,
            // Rules may ask about any role. Who wants Portico to hear of a few only switches it off and maps those.
            "fullScopeAllowed": true,
            "redirectUris": [self.redirect_uri],
            "webOrigins": [],
            "attributes": {
                PKCE: "S256",
                BACKCHANNEL_URL: self.backchannel_url,
                BACKCHANNEL_SESSION: "true",
                POST_LOGOUT_URIS: self.post_logout_uri,
            },
            "protocolMappers": mappers,
        })
    }
}
