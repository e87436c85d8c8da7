//! What ended early: `GET /ended?after=N`, for the guards of protected resources.
//!
//! architecture.md 11a.3. A guard checks tokens by itself and asks here, every second, which of them must not be believed any more:
//! one JSON object a line, in the order in which things ended, from the number after the last one that it has. `x-ended-head` is the
//! newest number there is, so that a guard knows when it has everything. What is listed are hashes: who may follow learns nothing
//! about people, clients or grants that they have not met.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderName},
    web::Data,
};
use oauth_types::{Bug, ClientFault, Error, RequestFault};

use crate::{
    App,
    client::auth::{self, Credentials},
    http::reply::AsJson,
};

/// The newest number. A guard that starts reads pages until it has it.
const HEAD: HeaderName = HeaderName::from_static("x-ended-head");
/// A line is about 120 bytes: a page stays near 100 KiB.
const PAGE_LINES_MAX: i64 = 1_000;
/// Lines of JSON have no registered type; this is the name in use.
const JSON_LINES: &str = "application/x-ndjson";

/// `GET /ended?after=N`
pub(crate) async fn get(app: Data<App>, request: HttpRequest) -> Result<HttpResponse, AsJson> {
    let credentials = Credentials::read(request.headers().get_all(header::AUTHORIZATION), None, None)?;
    auth::resource_server(&app.config.resource_servers, &credentials)
        .unwrap_or(Err(Error::InvalidClient(ClientFault::NotAResourceServer)))?;
    let after = after(request.query_string())?;
    // The head first: an entry that comes in between is then on the page and above the head, never below it and missing.
    let head = app.store.ended_head().await.map_err(Error::from)?;
    let entries = app.store.ended_after(after, PAGE_LINES_MAX).await.map_err(Error::from)?;
    let mut body = Vec::with_capacity(entries.len() * 128);
    for entry in &entries {
        // An entry is numbers and fixed words; writing it into memory cannot fail.
        serde_json::to_writer(&mut body, entry).map_err(|cause| Error::ServerError(Bug::caused("could not write what ended", cause)))?;
        body.push(b'\n');
    }
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, JSON_LINES))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((HEAD, head))
        .body(body))
}

/// Nothing said means from the beginning.
fn after(query: &str) -> Result<i64, Error> {
    let malformed = Error::InvalidRequest(RequestFault::MalformedParameter("after"));
    match url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after") {
        None => Ok(0),
        Some((_, number)) => number.parse().ok().filter(|number| *number >= 0).ok_or(malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_says_from_where_or_gets_everything() {
        assert_eq!(after("").unwrap(), 0);
        assert_eq!(after("after=17").unwrap(), 17);
        for wrong in ["after=", "after=-1", "after=x", "after=99999999999999999999"] {
            assert!(after(wrong).is_err(), "{wrong}");
        }
    }
}
