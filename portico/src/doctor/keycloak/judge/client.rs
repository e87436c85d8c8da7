//! How people and Portico come in: the client's switches, its secret, where answers may go.

use serde_json::json;
use url::Url;

use crate::doctor::keycloak::finding::{Cure, Finding, Repair, Wrong};
use crate::doctor::keycloak::realm::Client;
use crate::doctor::keycloak::wanted::{PKCE, POST_LOGOUT_URIS, SEPARATOR, Wanted};

pub(super) fn judge(client: &Client, wanted: &Wanted) -> Vec<Finding> {
    let mut findings = vec![protocol(client)];
    findings.extend(switches(client));
    findings.extend(secret(client, wanted));
    findings.push(pkce(client));
    findings.push(redirect_uris(client, wanted));
    findings.push(post_logout(client, wanted));
    findings.extend(demands(client));
    findings.push(service_account(client));
    findings.push(consent(client));
    findings
}

fn protocol(client: &Client) -> Finding {
    match client.protocol.as_deref() {
        None | Some("openid-connect") => Finding::good("protocol", "the client speaks OpenID Connect"),
        Some(other) => Finding::wrong(
            "protocol",
            "the client speaks another protocol",
            Wrong {
                is: vec![format!("protocol = {other}")],
                should: vec!["protocol = openid-connect".to_owned()],
                why: "Portico speaks OpenID Connect only.",
                cure: Cure::ByHand("Give Portico a client of its own: choose another client id and run the doctor again."),
            },
        ),
    }
}

/// One of the client's switches.
struct Switch {
    check: &'static str,
    setting: &'static str,
    is: bool,
    should: bool,
    good: &'static str,
    wrong: &'static str,
    why: &'static str,
}

impl Switch {
    fn judge(&self) -> Finding {
        if self.is == self.should {
            return Finding::good(self.check, self.good);
        }
        let cure = Cure::Repair(Repair::Client(json!({ self.setting: self.should })));
        let line = |value| vec![format!("{} = {value}", self.setting)];
        Finding::wrong(self.check, self.wrong, Wrong { is: line(self.is), should: line(self.should), why: self.why, cure })
    }
}

fn switches(client: &Client) -> Vec<Finding> {
    let all = [
        Switch {
            check: "enabled",
            setting: "enabled",
            is: client.enabled,
            should: true,
            good: "the client is enabled",
            wrong: "the client is disabled",
            why: "A disabled client signs nobody in.",
        },
        Switch {
            check: "confidential",
            setting: "publicClient",
            is: client.public_client,
            should: false,
            good: "the client must prove itself",
            wrong: "the client need not prove itself",
            why: "Whoever catches a code of a public client needs no secret to redeem it.",
        },
        Switch {
            check: "bearer-only",
            setting: "bearerOnly",
            is: client.bearer_only,
            should: false,
            good: "the client may begin a sign-in",
            wrong: "the client may not begin a sign-in",
            why: "A bearer-only client has no login.",
        },
        Switch {
            check: "code-flow",
            setting: "standardFlowEnabled",
            is: client.standard_flow_enabled,
            should: true,
            good: "the authorization code flow is on",
            wrong: "the authorization code flow is off",
            why: "It is the only way that Portico signs people in.",
        },
        Switch {
            check: "implicit-flow",
            setting: "implicitFlowEnabled",
            is: client.implicit_flow_enabled,
            should: false,
            good: "the implicit flow is off",
            wrong: "the implicit flow is on",
            why: "It puts tokens into addresses, where histories and logs keep them (RFC 9700 section 2.1.2).",
        },
        Switch {
            check: "password-grant",
            setting: "directAccessGrantsEnabled",
            is: client.direct_access_grants_enabled,
            should: false,
            good: "direct access grants are off",
            wrong: "direct access grants are on",
            why: "They let whoever has the secret try passwords past Keycloak's login page and its second factor (RFC 9700 section 2.4).",
        },
    ];
    all.iter().map(Switch::judge).collect()
}

/// A wrong secret is answered `unauthorized_client` by Keycloak, which tells nobody what is wrong.
fn secret(client: &Client, wanted: &Wanted) -> Vec<Finding> {
    let mut findings = Vec::new();
    let method = client.client_authenticator_type.as_str();
    if !method.is_empty() && method != "client-secret" {
        findings.push(Finding::wrong(
            "authentication",
            "the client proves itself in a way that Portico does not speak",
            Wrong {
                is: vec![format!("clientAuthenticatorType = {method}")],
                should: vec!["clientAuthenticatorType = client-secret".to_owned()],
                why: "Portico sends the client secret.",
                cure: Cure::Repair(Repair::Client(json!({ "clientAuthenticatorType": "client-secret" }))),
            },
        ));
    } else {
        findings.push(Finding::good("authentication", "the client proves itself by its secret"));
    }
    match (&wanted.secret, &client.secret) {
        (Some(ours), Some(theirs)) if ours == theirs => {
            findings.push(Finding::good("secret", "Portico and Keycloak have the same secret"));
        }
        (Some(_), Some(_)) => findings.push(Finding::wrong(
            "secret",
            "Portico and Keycloak have different secrets",
            Wrong {
                is: vec!["secret = (not shown)".to_owned()],
                should: vec!["secret = (the one Portico has, not shown)".to_owned()],
                why: "Keycloak answers every code with unauthorized_client, after the person has typed a right password.",
                cure: Cure::Repair(Repair::ClientSecret),
            },
        )),
        // An account that may not see secrets cannot compare them, and nothing was claimed.
        _ => {}
    }
    findings
}

fn pkce(client: &Client) -> Finding {
    let found = client.attribute(PKCE);
    if found == Some("S256") {
        return Finding::good("pkce", "PKCE with S256 is required");
    }
    Finding::wrong(
        "pkce",
        "PKCE with S256 is not required",
        Wrong {
            is: found.map(|method| format!("{PKCE} = {method}")).into_iter().collect(),
            should: vec![format!("{PKCE} = S256")],
            why: "A code that was stolen on its way can be put into somebody else's sign-in (RFC 9700 section 2.1.1).",
            cure: Cure::Repair(Repair::Client(json!({ "attributes": { PKCE: "S256" } }))),
        },
    )
}

fn redirect_uris(client: &Client, wanted: &Wanted) -> Finding {
    let base = client.root_url.as_deref().unwrap_or_default().trim_end_matches('/');
    let resolved = |uri: &str| if uri.starts_with('/') { format!("{base}{uri}") } else { uri.to_owned() };
    let is_fine = |uri: &&String| !is_loose(&resolved(uri));
    let has_ours = client.redirect_uris.iter().any(|uri| resolved(uri) == wanted.redirect_uri);
    let is_loose_anywhere = !client.redirect_uris.iter().all(|uri| is_fine(&uri));
    if has_ours && !is_loose_anywhere {
        let others = client.redirect_uris.len() - 1;
        return match others {
            0 => Finding::good("redirect-uris", "codes go to Portico's callback and nowhere else"),
            _ => Finding::notice(
                "redirect-uris",
                format!("codes may also go to {others} other exact addresses"),
                "Another Portico may be meant. Every one of them must be somebody you trust with a sign-in.",
            ),
        };
    }
    let mut should: Vec<String> = client.redirect_uris.iter().filter(is_fine).cloned().collect();
    if !has_ours {
        should.push(wanted.redirect_uri.clone());
    }
    let title =
        if is_loose_anywhere { "codes may go to addresses that nobody has listed" } else { "codes may not go to Portico's callback" };
    let why = if is_loose_anywhere {
        "A wildcard, or plain http beyond this machine, lets a code go to whoever can answer there (RFC 9700 section 4.1)."
    } else {
        "Keycloak ends every sign-in with a page that says: Invalid parameter: redirect_uri."
    };
    let lines = |uris: &[String]| uris.iter().map(|uri| format!("redirect URI = {uri}")).collect();
    let cure = Cure::Repair(Repair::Client(json!({ "redirectUris": should })));
    Finding::wrong("redirect-uris", title, Wrong { is: lines(&client.redirect_uris), should: lines(&should), why, cure })
}

/// Would Keycloak accept more than this one string, or would it travel in the clear?
fn is_loose(uri: &str) -> bool {
    if uri.contains('*') || uri == "+" {
        return true;
    }
    match Url::parse(uri) {
        Ok(url) => url.scheme() == "http" && !is_loopback(&url),
        // Keycloak compares it as a string: what is no URL matches no request.
        Err(_) => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn post_logout(client: &Client, wanted: &Wanted) -> Finding {
    let found: Vec<&str> = client.attribute(POST_LOGOUT_URIS).map(|list| list.split(SEPARATOR).collect()).unwrap_or_default();
    // `+` means the redirect URIs, which have another path.
    let is_loose_anywhere = found.iter().any(|uri| *uri != "+" && is_loose(uri));
    if found.contains(&wanted.post_logout_uri.as_str()) && !is_loose_anywhere {
        return Finding::good("post-logout-uri", "a logout comes back to Portico");
    }
    let mut kept: Vec<&str> = found.iter().copied().filter(|uri| *uri == "+" || !is_loose(uri)).collect();
    if !kept.contains(&wanted.post_logout_uri.as_str()) {
        kept.push(&wanted.post_logout_uri);
    }
    let lines = |uris: &[&str]| uris.iter().map(|uri| format!("post-logout redirect URI = {uri}")).collect();
    let title = if is_loose_anywhere { "a logout may end anywhere" } else { "a logout does not come back to Portico" };
    Finding::wrong(
        "post-logout-uri",
        title,
        Wrong {
            is: lines(&found),
            should: lines(&kept),
            why: "A person who signs out must end on Portico's page: not on an error of Keycloak, and not where somebody else leads them.",
            cure: Cure::Repair(Repair::Client(json!({ "attributes": { POST_LOGOUT_URIS: kept.join(SEPARATOR) } }))),
        },
    )
}

/// What Keycloak may be told to demand of a client, and Portico does not do.
const DEMANDS: [(&str, &str, &str); 4] = [
    ("require.pushed.authorization.requests", "false", "Portico sends its request through the browser."),
    ("dpop.bound.access.tokens", "false", "Portico sends no DPoP proofs to Keycloak."),
    ("id.token.encrypted.response.alg", "", "Portico has no key to decrypt an ID token."),
    ("user.info.response.signature.alg", "", "Portico reads UserInfo as JSON over the connection it trusts."),
];

fn demands(client: &Client) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (setting, should, why) in DEMANDS {
        let Some(found) = client.attribute(setting).filter(|found| *found != "false" && *found != "none") else { continue };
        findings.push(Finding::wrong(
            "demands",
            "Keycloak demands of the client what Portico does not do",
            Wrong {
                is: vec![format!("{setting} = {found}")],
                should: if should.is_empty() { Vec::new() } else { vec![format!("{setting} = {should}")] },
                why,
                cure: Cure::Repair(Repair::Client(json!({ "attributes": { setting: should } }))),
            },
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::good("demands", "Keycloak demands nothing that Portico does not do"));
    }
    findings
}

fn service_account(client: &Client) -> Finding {
    if !client.service_accounts_enabled {
        return Finding::good("service-account", "the client has no service account");
    }
    Finding::notice(
        "service-account",
        "the client has a service account",
        "Portico never uses it. Whoever finds the client secret can be that account without any person.",
    )
}

fn consent(client: &Client) -> Finding {
    if !client.consent_required {
        return Finding::good("consent", "Keycloak asks nobody for consent to Portico itself");
    }
    Finding::notice(
        "consent",
        "Keycloak asks for consent before Portico does",
        "People see two such pages, and the first does not name the client that they are about to let in.",
    )
}
