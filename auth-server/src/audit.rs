//! What happened, to whom, by whom: the beginnings of audit events.
//!
//! An event goes into the transaction of what it tells about, so it is made here and handed to the store with the change. Names are
//! those of docs/logging.md; no value in one is a secret. The log line of a request is `http::trace`'s; both carry the same reference.

use actix_web::HttpRequest;
use oauth_types::{ClientId, Timestamp};

use crate::{
    http::{extract::ClientIp, request_id::RequestId},
    store::{AuditEvent, Trail},
};

/// Who stands behind a request: the reference that the client and the person see, and the address as far as we believe it.
pub(crate) fn trail(request: &HttpRequest) -> Trail {
    Trail { source_ip: Some(ClientIp::of(request).0.to_string()), reference: Some(RequestId::of(request).to_string()) }
}

/// An event of this name, now, from this request.
pub(crate) fn event(name: &'static str, at: Timestamp, trail: Trail) -> AuditEvent {
    AuditEvent { at, event: name, reference: trail.reference, source_ip: trail.source_ip, ..AuditEvent::default() }
}

/// An event about a client: its registration, change or end.
pub(crate) fn about_client(name: &'static str, client_id: &ClientId, at: Timestamp, trail: Trail) -> AuditEvent {
    AuditEvent { client_id: Some(client_id.clone()), ..event(name, at, trail) }
}
