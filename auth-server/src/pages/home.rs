//! The front page: what this is, and the address to give to a client.

use askama::Template;

use super::Frame;

/// The front page.
#[derive(Template)]
#[template(path = "pages/home.html")]
pub(crate) struct HomePage<'a> {
    pub(crate) frame: Frame<'a>,
    pub(crate) resources: Vec<ResourceLine>,
    pub(crate) session: Option<HomeSession>,
}

/// A protected resource and its address.
pub(crate) struct ResourceLine {
    pub(crate) name: String,
    pub(crate) uri: String,
}

/// Who is signed in.
pub(crate) struct HomeSession {
    pub(crate) sentence: String,
    pub(crate) logout_href: String,
}

#[cfg(test)]
pub(super) fn samples(frame: Frame<'_>) -> Vec<(&'static str, HomePage<'_>)> {
    let resources = || vec![ResourceLine { name: "Team documents".to_owned(), uri: "https://mcp.example.com/mcp".to_owned() }];
    let session =
        HomeSession { sentence: frame.words.say_with("home-signed-in", &[("account", "alice")]), logout_href: "/logout".to_owned() };
    vec![
        ("home", HomePage { frame, resources: resources(), session: None }),
        ("home_signed_in", HomePage { frame, resources: resources(), session: Some(session) }),
    ]
}
