//! The page between us and a provider: it leads on by itself, and has a link for browsers that do not follow.

use askama::Template;

use super::Frame;

/// On the way elsewhere.
#[derive(Template)]
#[template(path = "pages/leaving.html")]
pub(crate) struct LeavingPage<'a> {
    frame: Frame<'a>,
    title: String,
    text: String,
    link: String,
    href: String,
}

impl<'a> LeavingPage<'a> {
    /// To sign in there.
    pub(crate) fn to_sign_in(frame: Frame<'a>, provider: &str, href: &str) -> Self {
        Self::told(frame, ["leaving-title", "leaving-text", "leaving-link"], provider, href)
    }

    /// To sign out there, after signing out here.
    pub(crate) fn to_sign_out(frame: Frame<'a>, provider: &str, href: &str) -> Self {
        Self::told(frame, ["signing-out-title", "signing-out-text", "signing-out-link"], provider, href)
    }

    fn told(frame: Frame<'a>, keys: [&str; 3], provider: &str, href: &str) -> Self {
        let [title, text, link] = keys.map(|key| frame.words.say_with(key, &[("provider", provider)]));
        Self { frame, title, text, link, href: href.to_owned() }
    }
}

#[cfg(test)]
pub(super) fn samples(frame: Frame<'_>) -> Vec<(&'static str, LeavingPage<'_>)> {
    vec![
        ("leaving", LeavingPage::to_sign_in(frame, "Company sign-in", "/login/flow?idp=keycloak")),
        ("leaving_to_sign_out", LeavingPage::to_sign_out(frame, "Company sign-in", "https://id.example/logout?a=b&c=d")),
    ]
}
