//! Did this form come from our own page?
//!
//! Attack 4. The token in the form is the proof (the pages seal it); this is the second wall, in words that every browser of today
//! sends by itself and no page of another site can forge: `Sec-Fetch-Site` and `Origin`. Who sends neither is an old browser or no
//! browser, and only the token speaks for them.

use actix_web::{HttpMessage, HttpRequest, http::header};
use oauth_types::{Error, RequestFault};

use super::trace::Facts;

/// Refuses a form that another site's page sent.
pub(crate) fn same_origin(request: &HttpRequest) -> Result<(), Error> {
    let cross_site = || Error::InvalidRequest(RequestFault::CrossSite);
    let headers = request.headers();
    // `none` is the person's own doing (a reload asks before it sends again); `same-site` is another host of the same domain.
    let is_vouched_for = match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
        Some(b"same-origin") => true,
        None | Some(b"none") => false,
        Some(_) => return Err(cross_site()),
    };
    let mut origins = headers.get_all(header::ORIGIN);
    let Some(origin) = origins.next() else { return Ok(()) };
    let extensions = request.extensions();
    let site = extensions.get::<Facts>().map(|facts| &facts.site).ok_or_else(cross_site)?;
    // Fetch §3.2: our own pages forbid a referrer, so browsers hide their origin too. What a sandbox sends looks alike; only the browser
    // itself tells them apart, in the other header.
    let is_ours = |origin: &str| site.is_our_origin(origin) || (origin == "null" && is_vouched_for);
    if origin.to_str().is_ok_and(is_ours) && origins.next().is_none() { Ok(()) } else { Err(cross_site()) }
}
