//! How long a sign-in holds at Keycloak, and who hears of its end.

use serde_json::{Value, json};

use crate::doctor::keycloak::finding::{Cure, Finding, Repair, Wrong};
use crate::doctor::keycloak::realm::{Client, Realm};
use crate::doctor::keycloak::wanted::{BACKCHANNEL_SESSION, BACKCHANNEL_URL, OFFLINE, Wanted};

pub(super) fn judge(client: &Client, realm: &Realm, wanted: &Wanted) -> Vec<Finding> {
    let mut findings = vec![backchannel_url(client, wanted), backchannel_session(client), front_channel(client), refresh_tokens(client)];
    findings.extend(lifetimes(client, realm, wanted));
    findings.push(rotation(realm));
    findings.push(transport(realm, wanted));
    findings
}

fn backchannel_url(client: &Client, wanted: &Wanted) -> Finding {
    let found = client.attribute(BACKCHANNEL_URL);
    if found == Some(wanted.backchannel_url.as_str()) {
        return Finding::good("backchannel-url", "Keycloak tells Portico when a session ends");
    }
    let why = "A logout in Keycloak ends nothing in Portico until it asks again. Keycloak tells once and never repeats it.";
    attribute(
        "backchannel-url",
        "Keycloak does not tell Portico when a session ends",
        (BACKCHANNEL_URL, found, &wanted.backchannel_url),
        why,
    )
}

fn backchannel_session(client: &Client) -> Finding {
    let found = client.attribute(BACKCHANNEL_SESSION);
    if found == Some("true") {
        return Finding::good("backchannel-session", "Keycloak says which session has ended");
    }
    let why = "Without `sid` in the notice Portico cannot tell one browser from another and ends them all.";
    attribute("backchannel-session", "Keycloak does not say which session has ended", (BACKCHANNEL_SESSION, found, "true"), why)
}

/// A client with front-channel logout gets no notice when a person signs out in a browser.
fn front_channel(client: &Client) -> Finding {
    if !client.frontchannel_logout {
        return Finding::good("frontchannel-logout", "front-channel logout is off");
    }
    Finding::wrong(
        "frontchannel-logout",
        "front-channel logout is on",
        Wrong {
            is: vec!["frontchannelLogout = true".to_owned()],
            should: vec!["frontchannelLogout = false".to_owned()],
            why: "Keycloak then asks the browser to tell Portico, and browsers do not: the notice between servers is not sent.",
            cure: Cure::Repair(Repair::Client(json!({ "frontchannelLogout": false }))),
        },
    )
}

const REFRESH: &str = "use.refresh.tokens";

fn refresh_tokens(client: &Client) -> Finding {
    match client.attribute(REFRESH) {
        Some("false") => attribute(
            "refresh-tokens",
            "Keycloak gives Portico no refresh token",
            (REFRESH, Some("false"), "true"),
            "Portico cannot ask again whether a person may still enter; it can only send them to sign in anew.",
        ),
        _ => Finding::good("refresh-tokens", "Portico can ask again whether a person may still enter"),
    }
}

/// A right value of one of the client's attributes.
fn attribute(check: &'static str, title: &str, (name, found, should): (&str, Option<&str>, &str), why: &'static str) -> Finding {
    let wrong = Wrong {
        is: found.map(|value| format!("{name} = {value}")).into_iter().collect(),
        should: vec![format!("{name} = {should}")],
        why,
        cure: Cure::Repair(Repair::Client(json!({ "attributes": { name: should } }))),
    };
    Finding::wrong(check, title, wrong)
}

/// Keycloak's own default, which every browser at work survives.
const IDLE_SECS_DEFAULT: u64 = 1800;
/// Two rounds: one may be late.
const ROUNDS: u64 = 2;

/// One lifetime that must outlast the time between two questions of Portico.
struct Lifetime {
    title: &'static str,
    setting: &'static str,
    secs: u64,
    repair: fn(&'static str, u64) -> Repair,
}

fn of_realm(setting: &'static str, secs: u64) -> Repair {
    Repair::Realm(json!({ setting: secs }))
}

fn of_client(setting: &'static str, secs: u64) -> Repair {
    Repair::Client(json!({ "attributes": { setting: Value::String(secs.to_string()) } }))
}

/// Zero is Keycloak's word for "as the session above it", and is never too short.
fn lifetimes(client: &Client, realm: &Realm, wanted: &Wanted) -> Vec<Finding> {
    let needed = wanted.recheck_secs.saturating_mul(ROUNDS);
    let own = |name| client.attribute(name).and_then(|value| value.parse().ok()).unwrap_or(0);
    let (idle, longest) = ("a session idles out sooner than Portico asks again", "a session ends sooner than Portico asks again");
    let is_offline = wanted.scopes.iter().any(|scope| scope == OFFLINE);
    let mut all = vec![
        Lifetime { title: idle, setting: "ssoSessionIdleTimeout", secs: realm.sso_session_idle_timeout, repair: of_realm },
        Lifetime { title: longest, setting: "ssoSessionMaxLifespan", secs: realm.sso_session_max_lifespan, repair: of_realm },
        Lifetime { title: idle, setting: "clientSessionIdleTimeout", secs: realm.client_session_idle_timeout, repair: of_realm },
        Lifetime { title: longest, setting: "clientSessionMaxLifespan", secs: realm.client_session_max_lifespan, repair: of_realm },
        Lifetime { title: idle, setting: "client.session.idle.timeout", secs: own("client.session.idle.timeout"), repair: of_client },
        Lifetime { title: longest, setting: "client.session.max.lifespan", secs: own("client.session.max.lifespan"), repair: of_client },
    ];
    if is_offline {
        let secs = realm.offline_session_idle_timeout;
        all.push(Lifetime { title: idle, setting: "offlineSessionIdleTimeout", secs, repair: of_realm });
    }
    let mut findings: Vec<Finding> =
        all.iter().filter(|life| life.secs > 0 && life.secs < needed).map(|life| too_short(life, needed)).collect();
    if findings.is_empty() {
        let idle = realm.sso_session_idle_timeout;
        findings.push(Finding::good("lifetimes", format!("a session lives long enough to be asked about (idle for {idle} s)")));
    }
    findings
}

fn too_short(life: &Lifetime, needed: u64) -> Finding {
    let should = needed.max(IDLE_SECS_DEFAULT);
    Finding::wrong(
        "lifetimes",
        life.title,
        Wrong {
            is: vec![format!("{} = {} s", life.setting, life.secs)],
            should: vec![format!("{} = {should} s", life.setting)],
            why: "When Portico asks whether a person may still enter, Keycloak has forgotten them: clients in daily use must sign in anew.",
            cure: Cure::Repair((life.repair)(life.setting, should)),
        },
    )
}

fn rotation(realm: &Realm) -> Finding {
    if !realm.revoke_refresh_token {
        return Finding::good("rotation", "an answer lost on its way costs nobody a session");
    }
    Finding::notice(
        "rotation",
        "refresh tokens of the realm are good once",
        "Portico keeps each new one at once; when an answer is lost on its way, that person signs in anew.",
    )
}

fn transport(realm: &Realm, wanted: &Wanted) -> Finding {
    if realm.ssl_required != "none" || wanted.issuer.starts_with("https://") {
        return Finding::good("transport", "passwords travel encrypted beyond this machine");
    }
    Finding::notice(
        "transport",
        "the realm accepts passwords over plain http from anywhere",
        "Realm settings, General, Require SSL: `External requests` is Keycloak's default, for a reason.",
    )
}
