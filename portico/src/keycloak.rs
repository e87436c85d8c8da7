//! `--keycloak`: one realm of a Keycloak as the place where people sign in. More than one provider, or more about this one, stands in
//! `[[upstream]]` of a configuration file.

use auth_server::config::Override;
use toml::{Table, Value};

use crate::environment::secret;

/// Our name for it: it stands in the callback's path, so the realm knows it too.
pub(crate) const ID: &str = "keycloak";
/// The secret of our client there.
pub(crate) const SECRET: &str = "PORTICO_KEYCLOAK_SECRET";

/// The realm, and who we are there.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Realm {
    /// A Keycloak realm where people sign in, as its tokens name it: https://id.example.com/realms/company. It stands in place of every
    /// [[upstream]], and what it begins follows the session there: who is signed out in its console is out here within a second.
    #[arg(long = "keycloak", value_name = "ISSUER", env = "PORTICO_KEYCLOAK")]
    issuer: Option<String>,
    /// The client id of Portico in that realm; its secret is in PORTICO_KEYCLOAK_SECRET.
    #[arg(long = "keycloak-client", value_name = "ID", default_value = "portico", env = "PORTICO_KEYCLOAK_CLIENT")]
    client: String,
}

impl Realm {
    /// Is a realm named, and nothing with which to prove who we are there? Every sign-in would end after a right password.
    pub(crate) fn lacks_secret(&self) -> bool {
        self.issuer.is_some() && secret(SECRET).is_none()
    }

    /// These flags as settings, when a realm is named.
    pub(crate) fn overrides(&self) -> Option<Override> {
        let issuer = self.issuer.as_ref()?;
        Some(setting(issuer, &self.client, secret(SECRET).as_deref().unwrap_or_default()))
    }
}

fn setting(issuer: &str, client: &str, secret: &str) -> Override {
    let who =
        [("id", ID), ("kind", "keycloak"), ("name", "Keycloak"), ("issuer", issuer), ("client_id", client), ("client_secret", secret)];
    // With offline tokens Keycloak does not tell us when somebody is signed out (decision 116): who wants them says so in a file.
    let life = [("session", "follow")];
    let row = who.into_iter().chain(life);
    let row: Table = row.map(|(key, value)| (key.to_owned(), Value::String(value.to_owned()))).collect();
    Override { key: "upstream", value: Value::Array(vec![Value::Table(row)]), flag: "--keycloak" }
}

#[cfg(test)]
mod tests {
    use auth_server::config::{Layers, UpstreamKind, UpstreamLife, resolve};

    use super::setting;

    #[test]
    fn a_realm_in_two_flags_is_an_upstream() {
        let layers =
            Layers::gather(None, std::iter::empty(), [setting("https://id.example.com/realms/company", "portico", "hush")]).unwrap();
        let config = resolve(layers).unwrap();
        let [upstream] = &config.upstreams[..] else { panic!("{:?}", config.upstreams) };
        assert_eq!((upstream.id.as_str(), upstream.kind, upstream.client_id.as_str()), ("keycloak", UpstreamKind::Keycloak, "portico"));
        assert_eq!(upstream.issuer, "https://id.example.com/realms/company");
        assert_eq!(upstream.session, UpstreamLife::Follow, "a logout in the console is told (decision 116)");
    }

    #[test]
    fn a_realm_over_plain_http_elsewhere_is_refused() {
        let layers =
            Layers::gather(None, std::iter::empty(), [setting("http://id.example.com/realms/company", "portico", "hush")]).unwrap();
        assert!(resolve(layers).unwrap_err().to_string().contains("issuer"));
    }
}
