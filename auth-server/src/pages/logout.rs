//! The page that asks before it signs out: a GET changes nothing.

use askama::Template;

use super::Frame;

/// The question; where somebody signed in at a provider, with the choice to sign out there too.
#[derive(Template)]
#[template(path = "pages/logout.html")]
pub(crate) struct LogoutPage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) account: String,
    pub(crate) action: String,
    pub(crate) csrf_token: String,
    pub(crate) home_href: String,
    /// Where they could sign out too.
    pub(crate) provider: Option<String>,
}

#[cfg(test)]
pub(super) fn samples(frame: Frame<'_>) -> Vec<(&'static str, LogoutPage<'_>)> {
    let page = |provider: Option<&str>| LogoutPage {
        frame,
        account: "alice".to_owned(),
        action: "/logout".to_owned(),
        csrf_token: "token".to_owned(),
        home_href: "/".to_owned(),
        provider: provider.map(str::to_owned),
    };
    vec![("logout", page(None)), ("logout_elsewhere", page(Some("Company sign-in")))]
}
