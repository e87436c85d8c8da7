//! The page that says no: what happened, what to do now, and a reference for whoever helps.
//!
//! Never a reason that an attacker could use. The log holds the reason under the same reference.

use askama::Template;
use oauth_types::{Error, RequestFault};

use super::Frame;

/// An error as a page.
#[derive(Template)]
#[template(path = "pages/error.html")]
pub(crate) struct ErrorPage<'a> {
    frame: Frame<'a>,
    title: String,
    text: String,
    reference: Option<&'a str>,
}

/// What a person is told; many reasons share one story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Story {
    StartAgain,
    UnknownClient,
    Redirect,
    Request,
    Forbidden,
    TooMany,
    Unavailable,
    Refused,
    Mistake,
    NotFound,
}

impl Story {
    #[cfg(test)]
    const ALL: [Self; 10] = [
        Self::StartAgain,
        Self::UnknownClient,
        Self::Redirect,
        Self::Request,
        Self::Forbidden,
        Self::TooMany,
        Self::Unavailable,
        Self::Refused,
        Self::Mistake,
        Self::NotFound,
    ];

    /// What a person is told about an error.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::InvalidRequest(fault) => match fault {
                RequestFault::FlowUnknown | RequestFault::FlowForAnotherBrowser => Self::StartAgain,
                RequestFault::CsrfMismatch | RequestFault::CrossSite => Self::Forbidden,
                RequestFault::UnknownClient | RequestFault::DeletedClient => Self::UnknownClient,
                RequestFault::TooManyFlows => Self::TooMany,
                RequestFault::NotFound => Self::NotFound,
                _ => Self::Request,
            },
            Error::InvalidClient(_) => Self::UnknownClient,
            Error::InvalidRedirectUri(_) => Self::Redirect,
            Error::AccessDenied(_) => Self::Refused,
            Error::TooManyRequests { .. } => Self::TooMany,
            Error::TemporarilyUnavailable(_) => Self::Unavailable,
            Error::UpstreamDistrusted(fault) if fault.is_of_the_browser() => Self::StartAgain,
            Error::UpstreamDistrusted(_) => Self::Unavailable,
            Error::ServerError(_) => Self::Mistake,
            _ => Self::Request,
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::StartAgain => "error-start-again",
            Self::UnknownClient => "error-unknown-client",
            Self::Redirect => "error-redirect",
            Self::Request => "error-request",
            Self::Forbidden => "error-forbidden",
            Self::TooMany => "error-too-many",
            Self::Unavailable => "error-unavailable",
            Self::Refused => "error-refused",
            Self::Mistake => "error-mistake",
            Self::NotFound => "error-not-found",
        }
    }
}

impl<'a> ErrorPage<'a> {
    pub(crate) fn of(story: Story, frame: Frame<'a>, reference: Option<&'a str>) -> Self {
        let key = story.key();
        Self { frame, title: frame.words.say(&format!("{key}-title")), text: frame.words.say(&format!("{key}-text")), reference }
    }
}

#[cfg(test)]
pub(super) fn samples(frame: Frame<'_>) -> Vec<(String, ErrorPage<'_>)> {
    Story::ALL.into_iter().map(|story| (story.key().replace('-', "_"), ErrorPage::of(story, frame, Some("7K3M9QXT2B")))).collect()
}

#[cfg(test)]
mod tests {
    use oauth_types::{Outage, RedirectFault};

    use super::*;

    /// Architecture §7: the person gets a page, the operator the reason.
    #[test]
    fn what_an_attacker_could_use_is_told_in_the_same_words() {
        assert_eq!(
            Story::of(&Error::InvalidRequest(RequestFault::FlowUnknown)),
            Story::of(&Error::InvalidRequest(RequestFault::FlowForAnotherBrowser))
        );
        assert_eq!(
            Story::of(&Error::InvalidRequest(RequestFault::CsrfMismatch)),
            Story::of(&Error::InvalidRequest(RequestFault::CrossSite))
        );
        let redirect = |fault| Story::of(&Error::InvalidRedirectUri(fault));
        assert_eq!(redirect(RedirectFault::NotRegistered), redirect(RedirectFault::Malformed));
    }

    #[test]
    fn what_a_person_can_do_something_about_is_told_apart() {
        assert_eq!(Story::of(&Error::InvalidRequest(RequestFault::UnknownClient)), Story::UnknownClient);
        assert_eq!(Story::of(&Error::TemporarilyUnavailable(Outage::new("the store"))), Story::Unavailable);
        assert_eq!(Story::of(&Error::InvalidRequest(RequestFault::RepeatedParameter)), Story::Request);
    }
}
