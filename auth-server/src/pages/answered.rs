//! The page for an answer that was already given: a reload or the Back button after Allow.

use askama::Template;

use super::Frame;

/// The page for an answer that was already given: a reload or the Back button after Allow.
#[derive(Template)]
#[template(path = "pages/answered.html")]
pub(crate) struct AnsweredPage<'a> {
    pub(crate) frame: Frame<'a>,
}
