//! Alive, and ready: `GET /health/live`, `GET /health/ready`.
//!
//! Alive is: the process answers; a probe that fails restarts it. Ready is: it can keep its promises; a probe that fails takes it out of
//! the rotation. The answer names which promise is broken and nothing else (attack 57); the cause is in the log.

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde::Serialize;
use tracing::warn;

use crate::{App, http::reply};

#[derive(Serialize)]
struct Health {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    broken: Vec<&'static str>,
}

/// `GET /health/live`
pub(crate) async fn live() -> HttpResponse {
    reply::json(StatusCode::OK, &Health { status: "alive", broken: Vec::new() })
}

/// `GET /health/ready`
pub(crate) async fn ready(app: Data<App>) -> HttpResponse {
    let mut broken = Vec::new();
    // The database answers.
    if let Err(error) = app.store.health().await {
        report("store", &error);
        broken.push("store");
    }
    // What ended elsewhere is known here: otherwise introspection answers 503 anyway (architecture 11a.3).
    if let Err(outage) = app.store.ended().ready() {
        report("ended", &outage);
        broken.push("ended");
    }
    // There is a key to sign with.
    if !app.keys.list().iter().any(|key| key.signs_now) {
        broken.push("keys");
    }
    if broken.is_empty() {
        reply::json(StatusCode::OK, &Health { status: "ready", broken })
    } else {
        reply::json(StatusCode::SERVICE_UNAVAILABLE, &Health { status: "not ready", broken })
    }
}

fn report(part: &'static str, error: &dyn std::error::Error) {
    warn!(event = "health.broken", part, cause = %error, "not ready: `{part}` does not keep its promise");
}
