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
    let mut origins = headers.get_all(header::ORIGIN);
    if let Some(origin) = origins.next() {
        let extensions = request.extensions();
        let site = extensions.get::<Facts>().map(|facts| &facts.site).ok_or_else(cross_site)?;
        let ours = origin.to_str().is_ok_and(|origin| site.is_our_origin(origin)) && origins.next().is_none();
        if !ours {
            return Err(cross_site());
        }
    }
    // `none` is the person's own doing (a reload asks before it sends again); `same-site` is another host of the same domain.
    match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(cross_site()),
    }
}
