//! OpenID Connect, as far as several endpoints share it: which scopes are about a person, and what a client is told they are called.
//!
//! OpenID Connect Core §5.4, §8. A step: ID tokens (`token/`) and UserInfo must name a person alike (§5.3.2), and no endpoint imports
//! another.

use oauth_types::RedirectKind;

use crate::{keys::KeyStore, store::GrantRow};

/// The scope that asks who somebody is (§3.1.2.1).
pub(crate) const OPENID: &str = "openid";
/// What they are called (§5.4).
pub(crate) const PROFILE: &str = "profile";
/// Their mail address, if somebody vouches for it (§5.4).
pub(crate) const EMAIL: &str = "email";
/// Every scope that is about a person. None of them opens anything at a resource.
pub(crate) const ABOUT_PERSON: [&str; 3] = [OPENID, PROFILE, EMAIL];

/// What the client of this grant is told its person is called: our own name for them, or one that only its sector knows.
pub(crate) fn name_for_client(keys: &KeyStore, grant: &GrantRow) -> String {
    match keys.pairwise() {
        Some(pairwise) => pairwise.name(&sector(grant), &grant.subject),
        None => grant.subject.as_str().to_owned(),
    }
}

/// §8.1: the host of the redirect URI. Every native app has the same loopback host and nobody owns a private-use scheme, so those are
/// their client's own: a sector that strangers share would tell them what pairwise names hide.
fn sector(grant: &GrantRow) -> String {
    match (grant.redirect_uri.kind(), grant.redirect_uri.host()) {
        (RedirectKind::Https, Some(host)) => host.to_ascii_lowercase(),
        _ => grant.client_id.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use oauth_types::{ClientId, RedirectUri};

    use super::*;
    use crate::token::fixtures;

    fn sector_of(redirect_uri: &str, client: &str) -> String {
        sector(&GrantRow {
            redirect_uri: RedirectUri::parse(redirect_uri).unwrap(),
            client_id: ClientId::parse(client).unwrap(),
            ..fixtures::grant()
        })
    }

    /// OpenID Connect Core §8.1: "the host component of the registered redirect_uri".
    #[test]
    fn clients_of_one_site_share_a_sector_and_apps_on_a_computer_do_not() {
        assert_eq!(sector_of("https://app.example/cb", "one"), "app.example");
        assert_eq!(sector_of("https://app.example:8443/other", "two"), "app.example");
        assert_eq!(sector_of("https://other.example/cb", "one"), "other.example");
        assert_eq!(sector_of("http://127.0.0.1:4711/cb", "one"), "one");
        assert_eq!(sector_of("http://localhost/cb", "two"), "two");
        assert_eq!(sector_of("cursor://anysphere.cursor-mcp/oauth/callback", "three"), "three");
    }
}
