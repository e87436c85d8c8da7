//! Every URL, one line each.


use oauth_types::FlowId;

/// The front page.
pub(crate) const HOME: &str = "/";
/// Ends a browser session.
pub(crate) const LOGOUT: &str = "/logout";

/// Where a flow's question is.
pub(crate) fn consent_of(flow: &FlowId) -> String {
    format!("/consent/{flow}")
}

/// Where a flow's sign-in is.
pub(crate) fn login_of(flow: &FlowId) -> String {
    format!("/login/{flow}")
}
