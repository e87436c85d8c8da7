//! Where a realm is: its issuer taken apart, and the addresses that follow from it.

use url::Url;

/// One realm of one Keycloak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Where its APIs are reached: origin and path prefix, without a slash at the end.
    base: String,
    realm: String,
}

impl Place {
    /// Takes `https://id.example.com/realms/company` apart. Where Keycloak is reached at another origin than people see, `inside` is it,
    /// and may be plain http by the operator's word.
    pub(super) fn parse(issuer: &str, inside: Option<&str>) -> Result<Self, String> {
        let url = Url::parse(issuer).map_err(|_| format!("`{issuer}` is not a URL"))?;
        let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        let (prefix, realm) = url
            .path()
            .rsplit_once("/realms/")
            .filter(|_| is_plain)
            .ok_or_else(|| format!("`{issuer}` is not the issuer of a realm: it looks like https://id.example.com/realms/company"))?;
        if realm.is_empty() || realm.contains('/') {
            return Err(format!("`{issuer}` does not end with the name of a realm"));
        }
        let origin = match inside {
            Some(inside) => origin_of(inside)?,
            None if may_be_trusted(&url) => url.origin().ascii_serialization(),
            None => {
                return Err(format!(
                    "the account's secret will not be sent over plain http to {issuer}; use https, or name --admin-origin"
                ));
            }
        };
        Ok(Self { base: format!("{origin}{prefix}"), realm: realm.to_owned() })
    }

    pub(super) fn realm(&self) -> &str {
        &self.realm
    }

    pub(super) fn token_endpoint(&self, realm: &str) -> String {
        format!("{}/realms/{realm}/protocol/openid-connect/token", self.base)
    }

    pub(super) fn discovery(&self) -> String {
        format!("{}/realms/{}/.well-known/openid-configuration", self.base, self.realm)
    }

    /// An empty path is the realm itself.
    pub(super) fn admin(&self, path: &str) -> String {
        format!("{}/admin/realms/{}{path}", self.base, self.realm)
    }
}

/// `https://host:port`, and nothing behind it.
pub(super) fn origin_of(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none());
    url.map(|url| url.origin().ascii_serialization()).ok_or_else(|| format!("`{text}` is not an origin: it looks like https://host:8443"))
}

fn may_be_trusted(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn an_issuer_is_taken_apart() {
        let place = Place::parse("https://id.example.com/auth/realms/company", None).unwrap();
        assert_eq!(place.realm(), "company");
        assert_eq!(place.admin("/clients"), "https://id.example.com/auth/admin/realms/company/clients");
        assert_eq!(place.discovery(), "https://id.example.com/auth/realms/company/.well-known/openid-configuration");
        let inside = Place::parse("https://id.example.com/realms/company", Some("http://keycloak:8080")).unwrap();
        assert_eq!(inside.token_endpoint("company"), "http://keycloak:8080/realms/company/protocol/openid-connect/token");
    }

    #[test]
    fn what_is_no_issuer_of_a_realm_is_refused() {
        for issuer in [
            "id.example.com",
            "https://id.example.com/",
            "https://id.example.com/realms/",
            "https://id.example.com/realms/a/b",
            "https://id.example.com/realms/a?b",
        ] {
            assert!(Place::parse(issuer, None).is_err(), "{issuer}");
        }
    }

    #[test]
    fn no_secret_goes_over_plain_http_unless_the_operator_says_where() {
        assert!(Place::parse("http://id.example.com/realms/company", None).is_err());
        assert!(Place::parse("http://127.0.0.1:8180/realms/company", None).is_ok());
        assert!(Place::parse("http://localhost.example.com/realms/company", None).is_err());
        assert!(Place::parse("http://id.example.com/realms/company", Some("http://keycloak:8080")).is_ok());
        assert!(Place::parse("http://id.example.com/realms/company", Some("http://keycloak:8080/x")).is_err());
    }
}
