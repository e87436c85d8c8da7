//! The page after signing out.

use askama::Template;

use super::Frame;

/// The page after signing out.
#[derive(Template)]
#[template(path = "pages/signed_out.html")]
pub(crate) struct SignedOutPage<'a> {
    pub(crate) frame: Frame<'a>,
}
