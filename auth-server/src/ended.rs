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
    client::auth::{self, Asker, Credentials},
    http::{extract::Params, reply::AsJson},
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
    if let Asker::Client(_) = auth::prove_asker(&app.config.resource_servers, &app.store, app.clock.now(), credentials).await? {
        return Err(Error::UnauthorizedClient(ClientFault::NotAResourceServer).into());
    }
    let after = after(&Params::from_query(&request)?)?;
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

/// After which number. A follower always knows one: it begins with 0.
fn after(query: &Params) -> Result<i64, Error> {
    if query.is_repeated("after") {
        return Err(Error::InvalidRequest(RequestFault::RepeatedParameter));
    }
    let number = query.require("after")?.parse().ok().filter(|number| *number >= 0);
    number.ok_or(Error::InvalidRequest(RequestFault::MalformedParameter("after")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_says_after_which_number() {
        let read = |query: &str| after(&Params::parse(query.as_bytes()).unwrap()).map_err(|error| error.reason());
        assert_eq!(read("after=17"), Ok(17));
        assert_eq!(read("after=0&more=x"), Ok(0));
        for wrong in ["after=-1", "after=x", "after=99999999999999999999"] {
            assert_eq!(read(wrong), Err("parameter_malformed"), "{wrong}");
        }
        assert_eq!(read(""), Err("parameter_missing"));
        assert_eq!(read("after=1&after=2"), Err("parameter_repeated"));
    }
}
