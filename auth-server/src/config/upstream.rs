//! `[[upstream]]`: the identity providers where people sign in.
//!
//! Owns what the operator may say about one, and what of it cannot be meant. Whether a provider keeps its promises is found out when it
//! is asked, in `upstream/`.

use oauth_types::{IdpId, Scope, Ttl};
use toml::{Table, Value};
use url::{Host, Url};

use super::{duration, resolve::read_secret};

/// Names of algorithms that a provider may sign with (RFC 7518 §3.1, RFC 8037 §3.1): asymmetric ones only. With a shared secret
/// whoever can read our configuration could write ID tokens; with `none` anybody could.
const ALGORITHMS: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
/// Where people of github.com sign in.
const GITHUB: &str = "https://github.com";
/// What GitHub must be asked for to tell verified addresses, organisations and teams.
const GITHUB_SCOPES: &str = "read:user user:email read:org";
/// Longest issuer; known ones stay under 100.
const ISSUER_CHARACTERS_MAX: usize = 512;
/// Longest client id and secret; a Keycloak secret has 32.
const CREDENTIAL_CHARACTERS_MAX: usize = 1024;
/// The name stands on a button.
const NAME_CHARACTERS_MAX: usize = 64;
/// More origins or audiences than any provider has.
const LIST_ITEMS_MAX: usize = 16;

/// One identity provider, as the operator described it.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// Our name for it, in paths and rules.
    pub id: IdpId,
    /// Which protocol it speaks.
    pub kind: UpstreamKind,
    /// What people call it.
    pub name: String,
    /// Its issuer, byte for byte; for GitHub its site.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// How we prove it; `None` for a public client.
    pub client_secret: Option<UpstreamSecret>,
    /// What we ask for at every sign-in.
    pub scopes: Scope,
    /// Where we reach it, when browsers reach it elsewhere.
    pub backchannel_origin: Option<String>,
    /// Origins beside the issuer's where it keeps endpoints that we call.
    pub endpoint_origins: Vec<String>,
    /// Who else its ID tokens may be for.
    pub trusted_audiences: Vec<String>,
    /// What it may sign with.
    pub algorithms: Vec<String>,
    /// How long what it began lives.
    pub session: UpstreamLife,
    /// How often it is asked again, at most.
    pub recheck: Ttl,
    /// How long we go on while it gives no answer.
    pub grace: Ttl,
    /// How long a sign-in stands where it cannot be asked again.
    pub max_age: Ttl,
}

/// Which protocol a provider speaks, and what it says beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpstreamKind {
    /// OpenID Connect with Keycloak's roles and groups.
    Keycloak,
    /// OpenID Connect.
    Oidc,
    /// OAuth 2.0 and the API of GitHub.
    Github,
}

/// Does what a person allowed outlive their session at the provider?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpstreamLife {
    /// Until they are disabled, sign out or are signed out.
    Outlive,
    /// No longer than the session there.
    Follow,
}

/// Our secret at a provider. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamSecret(String);

impl UpstreamSecret {
    /// The secret, for the provider's eyes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for UpstreamSecret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl std::fmt::Debug for UpstreamSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpstreamSecret(…)")
    }
}

impl UpstreamConfig {
    /// The origin where browsers find it.
    pub fn origin(&self) -> String {
        // The issuer was read as a URL with a host, so its origin has a text.
        Url::parse(&self.issuer).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }
}

/// Reads one row, defaults already beneath it. All that is wrong with it, together.
pub(super) fn upstream(row: &Table) -> Result<UpstreamConfig, Vec<String>> {
    let mut row = Row { table: row, problems: Vec::new(), id: String::new() };
    row.id = row.text("id");
    let id = IdpId::parse(&row.id).ok().filter(|id| !id.is_local());
    if id.is_none() {
        row.wrong("id", "must be 1 to 32 of a-z, 0-9 and -, and not `local`");
    }
    let kind = [UpstreamKind::Keycloak, UpstreamKind::Oidc, UpstreamKind::Github][row.one_of("kind", &["keycloak", "oidc", "github"])];
    let session = [UpstreamLife::Outlive, UpstreamLife::Follow][row.one_of("session", &["outlive", "follow"])];
    // Everything is read before anything is judged, so that all problems are told.
    let (issuer, name, client_id, client_secret) = (row.issuer(kind), row.name(), row.client_id(), row.secret());
    let (scopes, backchannel_origin, algorithms) = (row.scopes(kind), row.backchannel_origin(), row.algorithms());
    let endpoint_origins = row.list("endpoint_origins", "an https origin without a path", |text| is_origin(text, false));
    let is_name = |text: &str| (1..=CREDENTIAL_CHARACTERS_MAX).contains(&text.len());
    let trusted_audiences = row.list("trusted_audiences", "a client id", is_name);
    let recheck = row.duration("recheck", Ttl(10), Ttl::hours(24));
    let grace = row.duration("grace", Ttl(0), Ttl::days(7));
    let max_age = row.duration("max_age", Ttl::minutes(5), Ttl::days(90));
    match (id, issuer) {
        (Some(id), Some(issuer)) if row.problems.is_empty() => Ok(UpstreamConfig {
            name: if name.is_empty() { id.as_str().to_owned() } else { name },
            id,
            kind,
            issuer,
            client_id,
            client_secret,
            scopes,
            backchannel_origin,
            endpoint_origins,
            trusted_audiences,
            algorithms,
            session,
            recheck,
            grace,
            max_age,
        }),
        _ => Err(row.problems),
    }
}

/// One row in the reading; notes what is wrong with it.
struct Row<'a> {
    table: &'a Table,
    problems: Vec<String>,
    /// Names the row in every problem.
    id: String,
}

impl Row<'_> {
    fn wrong(&mut self, key: &str, problem: &str) {
        self.problems.push(format!("{key} of `{}` {problem}", self.id));
    }

    fn text(&mut self, key: &str) -> String {
        match self.table.get(key) {
            Some(Value::String(text)) => text.trim().to_owned(),
            _ => {
                self.wrong(key, "must be text");
                String::new()
            }
        }
    }

    fn one_of(&mut self, key: &str, words: &[&str]) -> usize {
        let text = self.text(key);
        words.iter().position(|word| *word == text).unwrap_or_else(|| {
            self.wrong(key, &format!("must be one of: {}", words.join(", ")));
            0
        })
    }

    fn duration(&mut self, key: &str, least: Ttl, most: Ttl) -> Ttl {
        let text = self.text(key);
        match duration::parse(&text) {
            Ok(ttl) if ttl >= least && ttl <= most => return ttl,
            Ok(_) => self.wrong(key, &format!("must be from {} to {}", duration::show(least), duration::show(most))),
            Err(problem) => self.wrong(key, &format!("must be a duration: {problem}")),
        }
        least
    }

    fn list(&mut self, key: &str, form: &str, is_good: impl Fn(&str) -> bool) -> Vec<String> {
        let items = match self.table.get(key) {
            Some(Value::Array(items)) if items.len() <= LIST_ITEMS_MAX => items.clone(),
            _ => {
                self.wrong(key, &format!("must be a list of at most {LIST_ITEMS_MAX}"));
                Vec::new()
            }
        };
        let good: Vec<String> = items.iter().filter_map(Value::as_str).filter(|text| is_good(text)).map(str::to_owned).collect();
        if good.len() != items.len() {
            self.wrong(key, &format!("must have items that are each {form}"));
        }
        good
    }

    fn name(&mut self) -> String {
        let name = self.text("name");
        if name.chars().count() > NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
            self.wrong("name", &format!("must be at most {NAME_CHARACTERS_MAX} printable characters"));
        }
        name
    }

    /// OpenID Connect Discovery §2: the issuer is an https URL without query and fragment. http is for loopback only: ID tokens of an
    /// issuer whose keys anybody on the way can replace prove nothing.
    fn issuer(&mut self, kind: UpstreamKind) -> Option<String> {
        let text = self.text("issuer");
        let text = if text.is_empty() && kind == UpstreamKind::Github { GITHUB.to_owned() } else { text };
        let is_good = Url::parse(&text).is_ok_and(|url| {
            let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
            // What is compared byte for byte must not have a second spelling that a parser would take for the same.
            let is_canonical = url.as_str() == text || url.as_str().strip_suffix('/') == Some(&text);
            let is_site = kind != UpstreamKind::Github || url.path() == "/";
            is_plain && is_canonical && is_site && text.len() <= ISSUER_CHARACTERS_MAX && is_secure(&url)
        });
        if !is_good {
            self.wrong("issuer", "must be an https URL (http on loopback only) without query or fragment, spelt as the provider spells it");
        }
        is_good.then_some(text)
    }

    /// The operator's word: this origin is ours alone to reach, so it may be http.
    fn backchannel_origin(&mut self) -> Option<String> {
        let text = self.text("backchannel_origin");
        if !text.is_empty() && !is_origin(&text, true) {
            self.wrong("backchannel_origin", "must be an origin without path and trailing slash, as in http://keycloak:8080");
        }
        (!text.is_empty()).then_some(text)
    }

    fn scopes(&mut self, kind: UpstreamKind) -> Scope {
        let text = self.text("scopes");
        let text = match (kind, text.as_str()) {
            (UpstreamKind::Github, "") => GITHUB_SCOPES,
            (_, "") => "openid profile email",
            (_, text) => text,
        };
        let scopes = Scope::parse(text).unwrap_or_default();
        if scopes.is_empty() || (kind != UpstreamKind::Github && !scopes.contains("openid")) {
            self.wrong("scopes", "must be scope words with spaces between, openid among them");
        }
        scopes
    }

    fn client_id(&mut self) -> String {
        let text = self.text("client_id");
        if text.is_empty() || text.len() > CREDENTIAL_CHARACTERS_MAX || !text.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
            self.wrong("client_id", "must be set, in printable ASCII");
        }
        text
    }

    fn secret(&mut self) -> Option<UpstreamSecret> {
        let (given, file) = (self.text("client_secret"), self.text("client_secret_file"));
        let secret = match (given.as_str(), file.as_str()) {
            (_, "") => given,
            ("", path) => match read_secret(path) {
                Ok(secret) if secret.is_empty() => {
                    self.wrong("client_secret_file", "must not be empty");
                    secret
                }
                Ok(secret) => secret,
                Err(problem) => {
                    self.wrong("client_secret_file", &problem);
                    String::new()
                }
            },
            _ => {
                self.wrong("client_secret", "must not be set beside client_secret_file");
                String::new()
            }
        };
        if secret.len() > CREDENTIAL_CHARACTERS_MAX {
            self.wrong("client_secret", "is too long for a secret");
        }
        (!secret.is_empty()).then_some(UpstreamSecret(secret))
    }

    fn algorithms(&mut self) -> Vec<String> {
        let form = format!("one of {}", ALGORITHMS.join(", "));
        let algorithms = self.list("algorithms", &form, |text| ALGORITHMS.contains(&text));
        if algorithms.is_empty() {
            self.wrong("algorithms", "must name at least one");
        }
        algorithms
    }
}

/// Exactly an origin, as a browser writes it.
fn is_origin(text: &str, may_be_http: bool) -> bool {
    Url::parse(text)
        .is_ok_and(|url| url.origin().ascii_serialization() == text && ((may_be_http && url.scheme() == "http") || is_secure(&url)))
}

fn is_secure(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}
