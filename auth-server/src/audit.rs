//! What happened, to whom, by whom.

use actix_web::HttpRequest;

use crate::{
    http::{extract::ClientIp, request_id::RequestId},
    store::Trail,
};

/// Where a request came from and the reference that its asker saw, for the audit of whatever comes of it.
pub(crate) fn trail(request: &HttpRequest) -> Trail {
    Trail { source_ip: Some(ClientIp::of(request).0.to_string()), reference: Some(RequestId::of(request).as_str().to_owned()) }
}
