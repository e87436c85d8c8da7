//! The page of all ways to sign in, for whoever allowed an app and is not known yet.

use askama::Template;

use super::Frame;

/// Several ways; each is a link, so that a keyboard and a browser without script are enough.
#[derive(Template)]
#[template(path = "pages/choice.html")]
pub(crate) struct ChoicePage<'a> {
    frame: Frame<'a>,
    lead: String,
    ways: Vec<WayLine>,
    problem: Option<String>,
}

/// One way.
pub(crate) struct WayLine {
    /// What it is called, by the operator.
    pub(crate) name: String,
    pub(crate) href: String,
}

impl<'a> ChoicePage<'a> {
    /// `silent`: the provider that gave no answer a moment ago.
    pub(crate) fn new(frame: Frame<'a>, client_name: &str, ways: Vec<WayLine>, silent: Option<&str>) -> Self {
        let words = frame.words;
        let client = if client_name.is_empty() { words.say("client-name-absent") } else { client_name.to_owned() };
        let problem = silent.map(|provider| words.say_with("choose-silent", &[("provider", provider)]));
        Self { frame, lead: words.say_with("choose-lead", &[("client", &client)]), ways, problem }
    }
}

#[cfg(test)]
pub(super) fn samples(frame: Frame<'_>) -> Vec<(&'static str, ChoicePage<'_>)> {
    let ways = || {
        let line = |name: &str, href: &str| WayLine { name: name.to_owned(), href: href.to_owned() };
        let here = frame.words.say_with("choose-here", &[("product", frame.product)]);
        vec![
            line("Company sign-in", "/login/flow?idp=keycloak"),
            line("GitHub <b>", "/login/flow?idp=github"),
            line(&here, "/login/flow?idp=local"),
        ]
    };
    vec![
        ("choice", ChoicePage::new(frame, "Claude", ways(), None)),
        ("choice_silent", ChoicePage::new(frame, "", ways(), Some("Company sign-in"))),
    ]
}
