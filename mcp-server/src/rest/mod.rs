//! The tools over plain HTTP, for people without an MCP client: the same table, tokens, scopes and limits.
//!
//! `GET /api/v1/tools`, `POST /api/v1/tools/{name}`, `GET /api/v1/openapi.json`; and the page of a document. Errors are
//! RFC 9457 problems. What asks the client back (sampling, elicitation) cannot be answered here and says so.

mod openapi;

use std::time::Instant;

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use bearer_guard::{Caller, actix as guard};
use oauth_types::{Error, Scope};
use rmcp::model::JsonObject;
use serde_json::{Value, json};

pub(crate) use self::openapi::OpenApi;

use crate::app::App;
use crate::documents::{SignedLink, page};
use crate::handler::{show_security_schemes, told};
use crate::mount::{BodyFault, Gate, JSON, read_body};
use crate::secret;
use crate::tools::{Answer, Call, Fault, Kind};

/// RFC 9457: a refusal as JSON. The `detail` is for whoever wrote the request; the log has the reason.
struct Problem {
    status: StatusCode,
    reason: &'static str,
    detail: String,
}

enum Refusal {
    Guard(Error),
    Problem(Problem),
}

impl From<Error> for Refusal {
    fn from(refusal: Error) -> Self {
        Self::Guard(refusal)
    }
}

fn problem(status: StatusCode, reason: &'static str, detail: impl Into<String>) -> Refusal {
    Refusal::Problem(Problem { status, reason, detail: detail.into() })
}

/// `GET /api/v1/tools`
pub(crate) async fn tools(request: HttpRequest, app: web::Data<App>, gate: web::Data<Gate>) -> HttpResponse {
    behind_the_gate(&request, &app, &gate, Method::GET, async |_| {
        admitted(&request, &app).await?;
        let tools: Vec<_> = Kind::ALL.into_iter().map(Kind::tool).collect();
        let mut listed = json!({ "tools": tools });
        show_security_schemes(&mut listed);
        Ok(HttpResponse::Ok().insert_header(JSON).body(listed.to_string()))
    })
    .await
}

/// `POST /api/v1/tools/{name}` with the tool's arguments as a JSON object; answers with the tool's output.
pub(crate) async fn call(
    request: HttpRequest,
    payload: web::Payload,
    name: web::Path<String>,
    app: web::Data<App>,
    gate: web::Data<Gate>,
) -> HttpResponse {
    behind_the_gate(&request, &app, &gate, Method::POST, async |request_id| {
        let caller = admitted(&request, &app).await?;
        let Some(kind) = Kind::named(&name) else {
            return Err(problem(StatusCode::NOT_FOUND, "tool_unknown", "there is no tool of this name"));
        };
        caller.require(kind.needed())?;
        let arguments = arguments(payload).await?;
        let begun = Instant::now();
        let call =
            Call { app: &app, caller: &caller, tool: kind.name(), arguments: &arguments, responses: None, state: None, context: None };
        let outcome = kind.run(&call).await;
        told(kind, &caller, request_id, &outcome, begun);
        match outcome {
            Ok(Answer::Done { output, .. }) => Ok(HttpResponse::Ok().insert_header(JSON).body(output.to_string())),
            Ok(Answer::NeedsInput(_)) => Err(problem(StatusCode::CONFLICT, "input_required", "this call needs an MCP client")),
            Err(Fault::Arguments(detail)) => Err(problem(StatusCode::UNPROCESSABLE_ENTITY, "arguments_invalid", detail)),
            Err(Fault::Failed { reason, sentence }) => Err(problem(status_of(reason), reason, sentence)),
            Err(Fault::Protocol { reason, error }) => Err(problem(StatusCode::BAD_REQUEST, reason, error.message)),
        }
    })
    .await
}

/// `GET /api/v1/openapi.json`: says nothing that needs a token.
pub(crate) async fn openapi(
    request: HttpRequest,
    app: web::Data<App>,
    gate: web::Data<Gate>,
    document: web::Data<OpenApi>,
) -> HttpResponse {
    behind_the_gate(&request, &app, &gate, Method::GET, async |_| Ok(HttpResponse::Ok().insert_header(JSON).body(document.text()))).await
}

/// `GET /documents/{id}?until=…&signature=…`: for browsers, so refusals are pages too.
pub(crate) async fn document(request: HttpRequest, id: web::Path<String>, app: web::Data<App>, gate: web::Data<Gate>) -> HttpResponse {
    if gate.admit(&request).is_err() {
        return page::refused();
    }
    let Ok(link) = web::Query::<SignedLink>::from_query(request.query_string()) else {
        return page::refused();
    };
    if let Err(fault) = link.open(&app.links, &id, app.now()) {
        tracing::info!(event = "access.refused", reason = fault.reason(), "refused a document link");
        return page::refused();
    }
    match app.documents.document_by_link(&id).await {
        Ok(Some(document)) => page::shown(&document),
        Ok(None) => page::refused(),
        Err(error) => {
            tracing::error!(event = "documents.unreadable", reason = "index_failed", error = %error, "could not read the index of documents");
            page::refused()
        }
    }
}

/// What else is asked below `/documents`: there is nothing.
pub(crate) async fn no_document() -> HttpResponse {
    page::refused()
}

async fn behind_the_gate(
    request: &HttpRequest,
    app: &App,
    gate: &Gate,
    method: Method,
    serve: impl AsyncFnOnce(&str) -> Result<HttpResponse, Refusal>,
) -> HttpResponse {
    let id = secret::fresh_reference();
    let mut response = match gate.admit(request) {
        Err(refused) => refused.reply(app, &id),
        Ok(()) if request.method() == Method::OPTIONS => gate.preflight(request),
        Ok(()) if *request.method() != method && !(method == Method::GET && request.method() == Method::HEAD) => {
            HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, method.as_str())).finish()
        }
        Ok(()) => serve(&id).await.unwrap_or_else(|refusal| refused(app, refusal, &id)),
    };
    gate.dress(request, &mut response);
    crate::mount::dress(&mut response, &id);
    response
}

async fn admitted(request: &HttpRequest, app: &App) -> Result<Caller, Error> {
    app.guard.admit(guard::bearer(request)?, &Scope::default()).await
}

async fn arguments(payload: web::Payload) -> Result<JsonObject, Refusal> {
    let body = read_body(payload).await.map_err(|fault| match fault {
        BodyFault::TooLarge => problem(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is larger than 1 MiB"),
        BodyFault::TooSlow => problem(StatusCode::REQUEST_TIMEOUT, "slow_body", "the body did not arrive in time"),
        BodyFault::BrokenOff | BodyFault::TooDeep => problem(StatusCode::BAD_REQUEST, "body_not_json", "the body must be a JSON object"),
    })?;
    if body.is_empty() {
        return Ok(JsonObject::new());
    }
    match serde_json::from_slice(&body) {
        Ok(Value::Object(arguments)) => Ok(arguments),
        _ => Err(problem(StatusCode::BAD_REQUEST, "body_not_json", "the body must be a JSON object")),
    }
}

fn status_of(reason: &str) -> StatusCode {
    match reason {
        "document_unknown" => StatusCode::NOT_FOUND,
        "replace_declined" | "no_client_to_ask" => StatusCode::CONFLICT,
        "index_failed" | "note_storage" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn refused(app: &App, refusal: Refusal, request_id: &str) -> HttpResponse {
    match refusal {
        Refusal::Guard(refusal) => {
            tracing::info!(
                event = "access.refused",
                request.id = request_id,
                reason = refusal.reason(),
                status = refusal.status(),
                "refused a request: {}",
                refusal.reason()
            );
            let mut response = guard::reply(&app.guard, &refusal);
            let status = response.status();
            let body = problem_text(status, refusal.code(), refusal.description(), request_id);
            response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(PROBLEM));
            response.set_body(actix_web::body::BoxBody::new(body))
        }
        Refusal::Problem(Problem { status, reason, detail }) => {
            tracing::info!(
                event = "access.refused",
                request.id = request_id,
                reason,
                status = status.as_u16(),
                "refused a request: {reason}"
            );
            HttpResponse::build(status)
                .insert_header((header::CONTENT_TYPE, PROBLEM))
                .body(problem_text(status, reason, &detail, request_id))
        }
    }
}

const PROBLEM: &str = "application/problem+json";

fn problem_text(status: StatusCode, reason: &str, detail: &str, request_id: &str) -> String {
    let title = status.canonical_reason().unwrap_or_default();
    json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "code": reason, "detail": detail, "request_id": request_id })
        .to_string()
}
