//! The public keys: `GET /jwks.json` (RFC 7517 §5).
//!
//! The key store keeps the document written; a new key stands in it long before it signs, so five minutes of caching hide nothing.

use actix_web::{HttpResponse, web::Data};

use super::CACHE;
use crate::{App, http::reply};

/// `GET /jwks.json`
pub(crate) async fn get(app: Data<App>) -> HttpResponse {
    reply::prepared_json(app.keys.jwks_bytes(), CACHE)
}
