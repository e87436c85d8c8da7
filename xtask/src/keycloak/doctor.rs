//! `portico doctor keycloak` at the bedside of a real Keycloak: each illness is made, named, cured, and gone.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::admin::{Admin, text};
use super::server::{Keycloak, REALM};
use crate::Result;
use crate::closing::{Tally, say};

/// What the development realm gives the doctor.
const ACCOUNT_SECRET: (&str, &str) = ("PORTICO_DOCTOR_SECRET", "portico-doctor-dev-secret");
/// What it gives to Portico.
const CLIENT_SECRET: (&str, &str) = ("PORTICO_KEYCLOAK_SECRET", "portico-dev-secret");
/// The exit codes that `portico doctor --help` promises.
const SOUND: i32 = 0;
const UNABLE: i32 = 1;
const AILING: i32 = 3;

/// A realm, somebody who may do everything there, and the doctor.
struct Bedside<'a> {
    keycloak: &'a Keycloak,
    admin: Admin,
    binary: &'a Path,
    origin: &'a str,
    /// The client as it is when it is well.
    whole: Value,
}

/// One thing that can be wrong with a client, and the check that must name it.
struct Illness {
    name: &'static str,
    check: &'static str,
    change: Value,
}

/// The doctor on `realm`, whose client is right for `origin`; it is right again afterwards.
pub(super) fn run(keycloak: &Keycloak, binary: &Path, origin: &str) -> Result<Tally> {
    let admin = Admin::of(keycloak, REALM);
    let whole = admin.client("portico")?;
    let bedside = Bedside { keycloak, admin, binary, origin, whole };
    let mut tally = Tally::default();
    tally.add(told("the doctor finds the development realm sound", bedside.is_sound()));
    for illness in illnesses(origin) {
        tally.add(told(&format!("the doctor names and repairs: {}", illness.name), bedside.cure(&illness)));
    }
    tally.add(told("the doctor names and repairs: a lost mapper", bedside.lost_mappers()));
    tally.add(told("the doctor names and repairs: a mapper that tells too little", bedside.muted_mapper()));
    tally.add(told("the doctor names and repairs: a lost client scope", bedside.lost_scope()));
    tally.add(told("the doctor names what it may not write: the lifetimes of the realm", bedside.short_sessions()));
    tally.add(told("the doctor makes the client where there is none", bedside.empty_realm()));
    tally.add(told("without --fix the doctor changes nothing", bedside.looks_only()));
    tally.add(told("a doctor with a wrong secret says so, and shows none", bedside.wrong_account()));
    tally.add(told("the doctor's account reaches no person and no realm settings", bedside.least_privilege()));
    Ok(tally)
}

/// A line for the person, and a count.
fn told(sentence: &str, outcome: Result<()>) -> Tally {
    match &outcome {
        Ok(()) => say(&format!("  ok {sentence}")),
        Err(error) => say(&format!("  not ok {sentence}: {error}")),
    }
    Tally::of(outcome.is_ok())
}

fn illnesses(origin: &str) -> Vec<Illness> {
    let attribute = |name: &str, value: &str| json!({ "attributes": { name: value } });
    let callback = format!("{origin}/callback/keycloak");
    let all = [
        ("a disabled client", "enabled", json!({ "enabled": false })),
        ("the authorization code flow off", "code-flow", json!({ "standardFlowEnabled": false })),
        ("the implicit flow on", "implicit-flow", json!({ "implicitFlowEnabled": true })),
        ("direct access grants on", "password-grant", json!({ "directAccessGrantsEnabled": true })),
        ("no redirect URI", "redirect-uris", json!({ "redirectUris": [] })),
        ("a redirect URI of an old address", "redirect-uris", json!({ "redirectUris": ["https://old.portico.test/callback/keycloak"] })),
        ("a wildcard among the redirect URIs", "redirect-uris", json!({ "redirectUris": [callback, "https://*"] })),
        ("PKCE not required", "pkce", attribute("pkce.code.challenge.method", "")),
        ("PKCE with plain", "pkce", attribute("pkce.code.challenge.method", "plain")),
        ("no back-channel logout URL", "backchannel-url", attribute("backchannel.logout.url", "")),
        ("a back-channel logout URL elsewhere", "backchannel-url", attribute("backchannel.logout.url", "http://127.0.0.1:1/other")),
        ("notices without a session", "backchannel-session", attribute("backchannel.logout.session.required", "false")),
        ("front-channel logout on", "frontchannel-logout", json!({ "frontchannelLogout": true })),
        ("no way back from a logout", "post-logout-uri", attribute("post.logout.redirect.uris", "+")),
        ("a logout that may end anywhere", "post-logout-uri", attribute("post.logout.redirect.uris", "*")),
        ("no refresh tokens", "refresh-tokens", attribute("use.refresh.tokens", "false")),
        ("ID tokens signed with the client secret", "signature", attribute("id.token.signed.response.alg", "HS256")),
        ("pushed authorization requests demanded", "demands", attribute("require.pushed.authorization.requests", "true")),
        ("another secret than Portico's", "secret", json!({ "secret": "somebody-elses-secret" })),
        ("a session of the client that idles out at once", "lifetimes", attribute("client.session.idle.timeout", "60")),
    ];
    all.map(|(name, check, change)| Illness { name, check, change }).into()
}

impl Bedside<'_> {
    fn doctor(&self, more: &[&str]) -> Result<Output> {
        self.doctor_with(ACCOUNT_SECRET.1, more)
    }

    fn doctor_with(&self, account_secret: &str, more: &[&str]) -> Result<Output> {
        let mut command = Command::new(self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PORTICO_")) {
                command.env_remove(name);
            }
        }
        command
            .args(["doctor", "keycloak", "--keycloak", &self.keycloak.issuer(REALM), "--public-url", self.origin])
            .args(more)
            .env(ACCOUNT_SECRET.0, account_secret)
            .env(CLIENT_SECRET.0, CLIENT_SECRET.1)
            .stdin(Stdio::null());
        let output = command.output()?;
        for secret in [ACCOUNT_SECRET.1, CLIENT_SECRET.1, "somebody-elses-secret"] {
            if [&output.stdout, &output.stderr].iter().any(|said| String::from_utf8_lossy(said).contains(secret)) {
                return Err(format!("the doctor shows a secret ({more:?})").into());
            }
        }
        Ok(output)
    }

    /// The doctor ends with this code; what it said, as JSON.
    fn says(&self, more: &[&str], code: i32) -> Result<Value> {
        let output = self.doctor(&[&["--json"], more].concat())?;
        let said = String::from_utf8_lossy(&output.stdout);
        if output.status.code() != Some(code) {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(format!("exit code {:?} and not {code} ({more:?}): {said} {complaint}", output.status.code()).into());
        }
        Ok(serde_json::from_str(&said)?)
    }

    fn is_sound(&self) -> Result<()> {
        expect_wrong(&self.says(&[], SOUND)?, &[])
    }

    /// Named by a look; repaired by --fix; gone at the next look, and nothing else has changed.
    fn named_and_cured(&self, check: &str) -> Result<()> {
        expect_wrong(&self.says(&[], AILING)?, &[check])?;
        let said = self.says(&["--fix"], SOUND)?;
        if said["repaired"] != json!([check]) {
            return Err(format!("it says to have repaired {} and not {check}", said["repaired"]).into());
        }
        self.is_sound()
    }

    fn cure(&self, illness: &Illness) -> Result<()> {
        self.admin.change_client("portico", &illness.change)?;
        let outcome = self.named_and_cured(illness.check);
        let well = self.admin.client("portico")?;
        let restored = self.restore();
        outcome?;
        restored?;
        // What the doctor did not name it must not touch.
        for untouched in ["protocolMappers", "defaultClientScopes", "name", "description", "fullScopeAllowed"] {
            if sorted(&well[untouched]) != sorted(&self.whole[untouched]) {
                return Err(format!("the repair changed {untouched}").into());
            }
        }
        Ok(())
    }

    /// Back to how it was before any illness.
    fn restore(&self) -> Result<()> {
        let mut whole = self.whole.clone();
        // An attribute that an illness brought goes when it is emptied.
        for brought in ["client.session.idle.timeout", "require.pushed.authorization.requests"] {
            whole["attributes"][brought] = "".into();
        }
        self.admin.change_client("portico", &whole)
    }

    fn mappers(&self) -> Result<Vec<Value>> {
        Ok(self.admin.client("portico")?["protocolMappers"].as_array().cloned().unwrap_or_default())
    }

    fn path(&self, tail: &str) -> Result<String> {
        Ok(format!("/clients/{}{tail}", text(&self.admin.client("portico")?, "id")?))
    }

    fn lost_mappers(&self) -> Result<()> {
        for (kind, check) in [
            ("oidc-usermodel-realm-role-mapper", "realm-roles"),
            ("oidc-usermodel-client-role-mapper", "client-roles"),
            ("oidc-group-membership-mapper", "groups"),
        ] {
            let mapper = self.mappers()?.into_iter().find(|mapper| mapper["protocolMapper"] == kind).ok_or("no such mapper")?;
            self.admin.delete(&self.path(&format!("/protocol-mappers/models/{}", text(&mapper, "id")?))?)?;
            self.named_and_cured(check)?;
        }
        Ok(())
    }

    fn muted_mapper(&self) -> Result<()> {
        let groups = |mapper: &Value| mapper["protocolMapper"] == "oidc-group-membership-mapper";
        let mut mapper = self.mappers()?.into_iter().find(groups).ok_or("no mapper of groups")?;
        mapper["config"]["id.token.claim"] = "false".into();
        mapper["config"]["claim.name"] = "teams".into();
        let path = self.path(&format!("/protocol-mappers/models/{}", text(&mapper, "id")?))?;
        self.admin.write("PUT", &path, &mapper)?;
        self.named_and_cured("groups")?;
        let many = self.mappers()?.into_iter().filter(groups).count();
        if many == 1 { Ok(()) } else { Err(format!("there are {many} mappers of groups now").into()) }
    }

    fn lost_scope(&self) -> Result<()> {
        let scopes = self.admin.read("/client-scopes")?;
        let email = scopes.as_array().and_then(|scopes| scopes.iter().find(|scope| scope["name"] == "email")).ok_or("no scope email")?;
        self.admin.delete(&self.path(&format!("/default-client-scopes/{}", text(email, "id")?))?)?;
        let outcome = self.named_and_cured("scopes");
        self.admin.delete(&self.path(&format!("/optional-client-scopes/{}", text(email, "id")?))?)?;
        self.admin.write("PUT", &self.path(&format!("/default-client-scopes/{}", text(email, "id")?))?, &json!({}))?;
        outcome
    }

    /// The least-privilege account may read these and not write them: `--fix` says so and does the rest.
    fn short_sessions(&self) -> Result<()> {
        self.admin.write("PUT", "", &json!({ "ssoSessionIdleTimeout": 120 }))?;
        self.admin.change_client("portico", &json!({ "implicitFlowEnabled": true }))?;
        let outcome = (|| {
            expect_wrong(&self.says(&[], AILING)?, &["implicit-flow", "lifetimes"])?;
            let said = self.says(&["--fix"], AILING)?;
            if said["repaired"] != json!(["implicit-flow"]) {
                return Err(format!("it says to have repaired {}", said["repaired"]).into());
            }
            expect_wrong(&said, &["lifetimes"])
        })();
        self.admin.write("PUT", "", &json!({ "ssoSessionIdleTimeout": 1800 }))?;
        self.restore()?;
        outcome.and_then(|()| self.is_sound())
    }

    fn empty_realm(&self) -> Result<()> {
        self.admin.delete(&self.path("")?)?;
        expect_wrong(&self.says(&[], AILING)?, &["client"])?;
        let said = self.says(&["--fix"], SOUND)?;
        if said["repaired"] != json!(["client"]) {
            return Err(format!("it says to have repaired {}", said["repaired"]).into());
        }
        self.is_sound()
    }

    fn looks_only(&self) -> Result<()> {
        self.admin.change_client("portico", &json!({ "implicitFlowEnabled": true }))?;
        let before = self.admin.client("portico")?;
        let shown = self.doctor(&[])?;
        let after = self.admin.client("portico")?;
        self.admin.change_client("portico", &json!({ "implicitFlowEnabled": false }))?;
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        if !(shown.contains("- implicitFlowEnabled = true") && shown.contains("+ implicitFlowEnabled = false")) {
            return Err(format!("the diff is missing: {shown}").into());
        }
        if sorted(&before) == sorted(&after) { Ok(()) } else { Err("the client has changed".into()) }
    }

    /// Keycloak answers `unauthorized_client` to a wrong secret, which nobody understands.
    fn wrong_account(&self) -> Result<()> {
        let output = self.doctor_with("a-wrong-secret", &[])?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        if output.status.code() != Some(UNABLE) || !complaint.contains("check its secret") || complaint.contains("a-wrong-secret") {
            return Err(format!("{:?}: {complaint}", output.status.code()).into());
        }
        Ok(())
    }

    fn least_privilege(&self) -> Result<()> {
        let doctor = Admin::service_account(self.keycloak, REALM, "portico-doctor", ACCOUNT_SECRET.1);
        doctor.client("portico")?;
        for (method, path) in [("GET", "/users"), ("PUT", "")] {
            let answer = doctor.status(method, path, (method == "PUT").then(|| json!({ "ssoSessionIdleTimeout": 1801 })).as_ref())?;
            if answer != 403 {
                return Err(format!("{method} {path} was answered {answer}").into());
            }
        }
        Ok(())
    }
}

/// Exactly these checks are wrong.
fn expect_wrong(said: &Value, checks: &[&str]) -> Result<()> {
    let findings = said["findings"].as_array().ok_or("no findings")?;
    let mut wrong: Vec<&str> =
        findings.iter().filter(|finding| finding["state"] == "wrong").filter_map(|finding| finding["check"].as_str()).collect();
    wrong.sort_unstable();
    if wrong == checks { Ok(()) } else { Err(format!("wrong is {wrong:?}, and {checks:?} was expected").into()) }
}

/// Keycloak's lists have no order of their own.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), sorted(value))).collect(),
        other => other.clone(),
    }
}
