//! What the realm tells Portico about a person: scopes, roles, groups, and the signature under it.

use serde_json::json;

use crate::doctor::keycloak::finding::{Cure, Finding, Repair, ScopeKind, Wrong};
use crate::doctor::keycloak::realm::{Client, Mapper, Reading};
use crate::doctor::keycloak::wanted::{CLAIMS, Claim, TOLD, Wanted};

pub(super) fn judge(client: &Client, reading: &Reading, wanted: &Wanted) -> Vec<Finding> {
    let mut findings = scopes(client, reading, wanted);
    findings.extend(CLAIMS.iter().map(|claim| told(claim, client, reading, wanted)));
    findings.push(role_scope(client, reading));
    findings.push(signature(client));
    findings
}

/// Since Keycloak 25 `sub` and `auth_time` come from the client scope `basic`.
const BASIC: &str = "basic";

fn scopes(client: &Client, reading: &Reading, wanted: &Wanted) -> Vec<Finding> {
    let mut findings = Vec::new();
    let needed = wanted.scopes.iter().map(|scope| (scope.as_str(), ScopeKind::Optional)).chain([(BASIC, ScopeKind::Default)]);
    for (name, kind) in needed.filter(|(name, _)| *name != "openid") {
        let has = client.default_client_scopes.iter().any(|held| held == name)
            || (kind == ScopeKind::Optional && client.optional_client_scopes.iter().any(|held| held == name));
        // A realm from before Keycloak 25 has no `basic`, and needs none.
        let scope = reading.scopes.iter().find(|scope| scope.name == name);
        if has || (name == BASIC && scope.is_none()) {
            continue;
        }
        let cure = match scope {
            Some(scope) => Cure::Repair(Repair::Scope { id: scope.id.clone(), kind }),
            None => Cure::ByHand("The realm has no client scope of this name: add it under Client scopes, or leave it out of `scopes`."),
        };
        let why = match kind {
            ScopeKind::Optional => "Keycloak answers a request for a scope that the client does not have with invalid_scope.",
            ScopeKind::Default => "It brings `sub` and `auth_time`; without them nobody knows who came, and when.",
        };
        let wrong = Wrong { is: Vec::new(), should: vec![format!("client scope = {name}")], why, cure };
        findings.push(Finding::wrong("scopes", format!("the client does not have the client scope {name}"), wrong));
    }
    if findings.is_empty() {
        findings.push(Finding::good("scopes", "the client has every client scope that Portico asks for"));
    }
    findings
}

/// Keycloak's own mappers tell roles in the access token only, which Portico does not read: it is not for us.
fn told(claim: &Claim, client: &Client, reading: &Reading, wanted: &Wanted) -> Finding {
    let shared = reading.scopes.iter().filter(|scope| client.default_client_scopes.contains(&scope.name));
    let mut everywhere = client.protocol_mappers.iter().chain(shared.flat_map(|scope| &scope.protocol_mappers));
    if everywhere.any(|mapper| tells(claim, mapper, wanted)) {
        return Finding::good(claim.check, format!("the realm tells the {} of a person", claim.what));
    }
    let ours = client.protocol_mappers.iter().find(|mapper| mapper.protocol_mapper == claim.mapper && is_for_us(mapper, wanted));
    let title = format!("the realm does not tell the {} of a person", claim.what);
    let why = "Rules that ask about them never match: people are let in with less than they should have, or not at all.";
    let Some(mapper) = ours else {
        let should = vec![format!("mapper {} = {}", claim.claim_name, claim.mapper)];
        let cure = Cure::Repair(Repair::AddMapper(claim.mapper(&wanted.client_id)));
        return Finding::wrong(claim.check, title, Wrong { is: Vec::new(), should, why, cure });
    };
    let mut config: Vec<(&'static str, String)> = TOLD.iter().map(|&(setting, value)| (setting, value.to_owned())).collect();
    config.push(("claim.name", claim.claim_name.to_owned()));
    config.retain(|(setting, value)| mapper.setting(setting) != Some(value));
    let is = config.iter().filter_map(|(setting, _)| Some(format!("{}: {setting} = {}", mapper.name, mapper.setting(setting)?)));
    let should = config.iter().map(|(setting, value)| format!("{}: {setting} = {value}", mapper.name));
    let (is, should) = (is.collect(), should.collect());
    let cure = Cure::Repair(Repair::Mapper { id: mapper.id.clone(), config });
    Finding::wrong(claim.check, title, Wrong { is, should, why, cure })
}

fn tells(claim: &Claim, mapper: &Mapper, wanted: &Wanted) -> bool {
    mapper.protocol_mapper == claim.mapper
        && is_for_us(mapper, wanted)
        && names(claim, mapper, wanted)
        && TOLD.iter().all(|(setting, value)| mapper.setting(setting) == Some(value))
}

/// Keycloak fills in `${client_id}` itself; an operator may have typed it out.
fn names(claim: &Claim, mapper: &Mapper, wanted: &Wanted) -> bool {
    let typed_out = claim.claim_name.replace("${client_id}", &wanted.client_id);
    mapper.setting("claim.name").is_some_and(|name| name == claim.claim_name || name == typed_out)
}

/// A mapper of client roles may be for one other client.
fn is_for_us(mapper: &Mapper, wanted: &Wanted) -> bool {
    mapper.setting("usermodel.clientRoleMapping.clientId").is_none_or(|client| client.is_empty() || client == wanted.client_id)
}

fn role_scope(client: &Client, reading: &Reading) -> Finding {
    if client.full_scope_allowed {
        return Finding::notice(
            "role-scope",
            "the client is told every role that a person has",
            "Whoever reads a token of this client reads them too. To tell a few only: Client scopes, the client's own scope, Scope.",
        );
    }
    if reading.told_roles.is_empty() {
        return Finding::notice(
            "role-scope",
            "the client is told no realm role at all",
            "Full scope is off and no realm role is mapped to the client: a rule that asks about one never matches.",
        );
    }
    Finding::good("role-scope", format!("the client is told these realm roles only: {}", reading.told_roles.join(", ")))
}

const ALGORITHM: &str = "id.token.signed.response.alg";

/// OpenID Connect Core 1.0 §3.1.3.7: a signature by the client secret is a signature by everybody who has it.
fn signature(client: &Client) -> Finding {
    match client.attribute(ALGORITHM) {
        Some(algorithm) if algorithm.starts_with("HS") || algorithm == "none" => Finding::wrong(
            "signature",
            "ID tokens are not signed with a key of the realm",
            Wrong {
                is: vec![format!("{ALGORITHM} = {algorithm}")],
                should: vec![format!("{ALGORITHM} = RS256")],
                why: "Portico refuses an ID token that is not signed with a published key of the realm.",
                cure: Cure::Repair(Repair::Client(json!({ "attributes": { ALGORITHM: "RS256" } }))),
            },
        ),
        _ => Finding::good("signature", "ID tokens are signed with a key of the realm"),
    }
}
