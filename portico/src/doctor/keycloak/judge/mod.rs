//! The judge: a reading and what is wanted in, findings out. It asks nobody and changes nothing.
//!
//! `client.rs` knows how people and Portico come in, `claims.rs` what the realm tells about a person, `sessions.rs` how long that
//! holds and who hears of its end. What stands as *wrong* breaks a sign-in, weakens it or silences a rule; what an operator may have
//! meant so is a *notice*.

mod claims;
mod client;
mod sessions;
#[cfg(test)]
mod tests;

use super::finding::{Cure, Finding, Repair, Wrong};
use super::realm::Reading;
use super::wanted::Wanted;

/// Everything that was looked at, in the order in which a person would look.
pub(super) fn judge(reading: &Reading, wanted: &Wanted) -> Vec<Finding> {
    let mut findings = vec![issuer(reading, wanted), host_header(reading), realm_enabled(reading)];
    match &reading.client {
        None => findings.push(no_client(wanted)),
        Some(found) => {
            findings.extend(client::judge(found, wanted));
            findings.extend(claims::judge(found, reading, wanted));
            findings.extend(sessions::judge(found, &reading.realm, wanted));
        }
    }
    findings.push(account(reading));
    findings
}

/// OpenID Connect Discovery 1.0 §4.3: the issuer of the document must be exactly the one that was asked for.
fn issuer(reading: &Reading, wanted: &Wanted) -> Finding {
    let said = &reading.discovery.issuer;
    if *said == wanted.issuer {
        return Finding::good("issuer", "the realm calls itself what Portico calls it");
    }
    let why = "Portico refuses tokens of an issuer that it was not told to trust, so nobody can sign in.";
    let cure = Cure::ByHand("Set `issuer` in Portico to what the realm says, or start Keycloak with --hostname and that origin.");
    Finding::wrong(
        "issuer",
        "the realm calls itself something else than Portico calls it",
        Wrong { is: vec![format!("issuer = {said}")], should: vec![format!("issuer = {}", wanted.issuer)], why, cure },
    )
}

fn host_header(reading: &Reading) -> Finding {
    match &reading.discovery_elsewhere {
        Some(elsewhere) if *elsewhere != reading.discovery => Finding::notice(
            "issuer-fixed",
            "the realm's name follows the Host header of whoever asks",
            "Whoever can reach Keycloak under another name gets tokens of another issuer. Start Keycloak with --hostname.",
        ),
        _ => Finding::good("issuer-fixed", "the realm keeps its name whatever the Host header says"),
    }
}

fn realm_enabled(reading: &Reading) -> Finding {
    if reading.realm.enabled {
        return Finding::good("realm-enabled", "the realm is enabled");
    }
    let cure = Cure::ByHand("Enable the realm: Realm settings, the switch at the top.");
    let why = "A disabled realm signs nobody in.";
    Finding::wrong(
        "realm-enabled",
        "the realm is disabled",
        Wrong { is: vec!["enabled = false".to_owned()], should: vec!["enabled = true".to_owned()], why, cure },
    )
}

fn no_client(wanted: &Wanted) -> Finding {
    let should = vec![
        format!("client {}: confidential, code flow only", wanted.client_id),
        "PKCE = S256".to_owned(),
        format!("redirect URI = {}", wanted.redirect_uri),
        format!("post-logout redirect URI = {}", wanted.post_logout_uri),
        format!("back-channel logout URL = {}", wanted.backchannel_url),
        "mappers: realm roles, client roles, groups".to_owned(),
    ];
    let why = "Without it Keycloak knows no Portico, and every sign-in ends on an error page of Keycloak.";
    let cure = Cure::Repair(Repair::CreateClient);
    Finding::wrong("client", "the realm has no client for Portico", Wrong { is: Vec::new(), should, why, cure })
}

/// The roles of the realm's administration that the doctor has no use for and that reach people.
const TOO_MUCH: [&str; 4] = ["realm-admin", "manage-users", "impersonation", "manage-identity-providers"];

fn account(reading: &Reading) -> Finding {
    let beyond: Vec<&str> = TOO_MUCH.into_iter().filter(|role| reading.account_roles.iter().any(|held| held == role)).collect();
    if beyond.is_empty() {
        return Finding::good("account", "this account can change clients and reaches no person");
    }
    Finding::notice(
        "account",
        format!("this account may do more than it needs: {}", beyond.join(", ")),
        "A doctor needs view-realm, view-clients and manage-clients. Whoever finds the secret of this account can do all that it can.",
    )
}
