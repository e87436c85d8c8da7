//! The page after signing out.

use askama::Template;

use super::Frame;

/// The page after signing out.
#[derive(Template)]
#[template(path = "pages/signed_out.html")]
pub(crate) struct SignedOutPage<'a> {
    frame: Frame<'a>,
    text: String,
}

impl<'a> SignedOutPage<'a> {
    /// `also_at`: the provider where they signed out too.
    pub(crate) fn new(frame: Frame<'a>, also_at: Option<&str>) -> Self {
        let text = match also_at {
            Some(provider) => frame.words.say_with("signed-out-everywhere-text", &[("provider", provider)]),
            None => frame.words.say("signed-out-text"),
        };
        Self { frame, text }
    }
}

#[cfg(test)]
pub(super) fn samples(frame: Frame<'_>) -> Vec<(&'static str, SignedOutPage<'_>)> {
    vec![("signed_out", SignedOutPage::new(frame, None)), ("signed_out_everywhere", SignedOutPage::new(frame, Some("Company sign-in")))]
}
