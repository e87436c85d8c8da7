//! The one middleware: it lets a request in, names it, and tells its story once.
//!
//! On the way in: the `Host` is ours, the headers are not too many, the request has a reference. On the way out: refusals are drawn
//! and logged with their reason (exactly once, here), protective headers are set, `x-request-id` tells the reference. One event a
//! request and no needless allocation: this stands in front of the hot path.

use std::{
    cell::RefCell,
    error::Error as _,
    fmt::Write as _,
    future::{Ready, ready},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpMessage, HttpRequest,
    body::{EitherBody, MessageBody},
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::header::{HeaderName, HeaderValue},
};
use futures_util::future::LocalBoxFuture;
use oauth_types::Error;
use tracing::{debug, error, info, warn};

use super::{
    headers,
    reply::{Channel, Refused},
    request_id::{RequestId, RequestIds},
    route::Manner,
    site::Site,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What an endpoint adds to its request's line in the log (names from docs/logging.md; ids only, never a secret).
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// What happened, as noun.past_participle.
    pub(crate) event: Option<&'static str>,
    /// Which client.
    pub(crate) client: Option<String>,
    /// Which grant.
    pub(crate) grant: Option<String>,
    /// Which person.
    pub(crate) subject: Option<String>,
}

/// What is known about the request in hand, in its extensions.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(super) id: RequestId,
    pub(super) site: Rc<Site>,
    story: RefCell<Story>,
    refusal: RefCell<Option<Refusal>>,
}

/// A refusal reduced to what is logged.
#[derive(Debug)]
struct Refusal {
    code: &'static str,
    reason: &'static str,
    explanation: &'static str,
    severity: Severity,
    cause: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    /// Somebody must act.
    Broken,
    /// Odd, and survived.
    Odd,
    /// The rules did their work.
    Ordinary,
}

impl Refusal {
    fn of(error: &Error) -> Self {
        let severity = match error {
            Error::ServerError(_) => Severity::Broken,
            Error::TemporarilyUnavailable(_) | Error::TooManyRequests { .. } => Severity::Odd,
            _ => Severity::Ordinary,
        };
        Self { code: error.code(), reason: error.reason(), explanation: error.explanation(), severity, cause: causes(error) }
    }
}

/// The chain of sources, for operators.
fn causes(error: &Error) -> Option<String> {
    let mut text = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let separator = if text.is_empty() { "" } else { ": " };
        let _ = write!(text, "{separator}{cause}");
        next = cause.source();
    }
    (!text.is_empty()).then_some(text)
}

/// Tells what this request turned out to be; later words replace earlier ones, silence keeps them.
pub(crate) fn tell(request: &HttpRequest, story: Story) {
    if let Some(facts) = request.extensions().get::<Facts>() {
        let mut told = facts.story.borrow_mut();
        let Story { event, client, grant, subject } = story;
        told.event = event.or(told.event);
        told.client = client.or_else(|| told.client.take());
        told.grant = grant.or_else(|| told.grant.take());
        told.subject = subject.or_else(|| told.subject.take());
    }
}

/// Says that the answer, whatever its shape, is a refusal: for redirects that carry an error to a client.
pub(crate) fn refused(request: &HttpRequest, error: &Error) {
    if let Some(facts) = request.extensions().get::<Facts>() {
        *facts.refusal.borrow_mut() = Some(Refusal::of(error));
    }
}

/// The middleware; wraps the whole application.
#[derive(Debug, Clone)]
pub(crate) struct Trace(Arc<Site>);

impl Trace {
    /// Traces the requests of this site.
    pub(crate) fn new(site: Site) -> Self {
        Self(Arc::new(site))
    }
}

impl<S, B> Transform<S, ServiceRequest> for Trace
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type InitError = ();
    type Transform = TraceService<S>;
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        // One copy a worker: requests then count their references without touching another core's cache.
        ready(Ok(TraceService { service, site: Rc::new(Site::clone(&self.0)), ids: RequestIds::new() }))
    }
}

/// One worker's middleware.
#[derive(Debug)]
pub(crate) struct TraceService<S> {
    service: S,
    site: Rc<Site>,
    ids: RequestIds,
}

impl<S, B> Service<ServiceRequest> for TraceService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let started = Instant::now();
        let admitted = self.site.admit(request.uri(), request.headers());
        let facts = Facts { id: self.ids.next(), site: Rc::clone(&self.site), story: RefCell::default(), refusal: RefCell::default() };
        request.extensions_mut().insert(facts);
        if let Err(refusal) = admitted {
            let request = request.into_parts().0;
            let response = draw(&request, Refused::new(&refusal, Channel::Json));
            return Box::pin(ready(Ok(finish(ServiceResponse::new(request, response).map_into_right_body(), started))));
        }
        let inner = self.service.call(request);
        Box::pin(async move { Ok(finish(drawn(inner.await?), started)) })
    }
}

/// Replaces an answer that carries one of our refusals by its drawing.
fn drawn<B: MessageBody>(answer: ServiceResponse<B>) -> ServiceResponse<EitherBody<B>> {
    let Some(refused) = answer.response().error().and_then(Refused::found_in) else { return answer.map_into_left_body() };
    let response = draw(answer.request(), refused);
    let request = answer.request().clone();
    ServiceResponse::new(request, response).map_into_right_body()
}

pub(super) fn draw(request: &HttpRequest, refused: Refused<'_>) -> actix_web::HttpResponse {
    self::refused(request, refused.error);
    let (id, site) = match request.extensions().get::<Facts>() {
        Some(facts) => (facts.id, Some(Rc::clone(&facts.site))),
        None => (RequestId::of(request), None),
    };
    // The page negotiates a language from the request, so its extensions must not be borrowed here.
    refused.draw(request, || site.and_then(|site| site.draw_error(request, refused.error, id.as_str())), id.as_str())
}

/// Sets the headers that every answer carries, and writes the request's one line.
fn finish<B>(mut answer: ServiceResponse<B>, started: Instant) -> ServiceResponse<B> {
    let manner = answer.request().app_data::<Manner>().copied();
    let (request, response) = (answer.request().clone(), answer.response_mut());
    let extensions = request.extensions();
    let Some(facts) = extensions.get::<Facts>() else { return answer };
    let out = response.headers_mut();
    headers::on_every_answer(out, facts.site.hsts());
    if let Ok(id) = HeaderValue::from_str(facts.id.as_str()) {
        out.insert(REQUEST_ID, id);
    }
    if let Some(manner) = manner {
        manner.cors.mark(out);
        if manner.page {
            headers::on_pages(out);
        }
    }
    Line { request: &request, facts, manner, status: response.status().as_u16(), took: started.elapsed() }.write();
    drop(extensions);
    answer
}

/// The request's line in the log.
struct Line<'a> {
    request: &'a HttpRequest,
    facts: &'a Facts,
    manner: Option<Manner>,
    status: u16,
    took: Duration,
}

impl Line<'_> {
    fn write(&self) {
        match &*self.facts.refusal.borrow() {
            Some(refusal) => self.write_refusal(refusal),
            None => self.write_answer(),
        }
    }

    fn route(&self) -> &str {
        self.manner.map_or("-", |manner| manner.pattern)
    }

    fn duration_ms(&self) -> f64 {
        self.took.as_secs_f64() * 1000.0
    }

    fn write_answer(&self) {
        let story = self.facts.story.borrow();
        let (method, route, status, duration_ms) = (self.request.method().as_str(), self.route(), self.status, self.duration_ms());
        let (id, client, grant, subject) =
            (self.facts.id.as_str(), story.client.as_deref(), story.grant.as_deref(), story.subject.as_deref());
        let event = story.event.unwrap_or("request.answered");
        if self.manner.is_some_and(|manner| manner.quiet) {
            debug!(event, status, duration_ms, request.id = id, client.id = client, "{method} {route}");
        } else {
            info!(
                event,
                status,
                duration_ms,
                request.id = id,
                client.id = client,
                grant.id = grant,
                subject.id = subject,
                "{method} {route}"
            );
        }
    }

    fn write_refusal(&self, refusal: &Refusal) {
        let story = self.facts.story.borrow();
        let Refusal { code, reason, explanation, severity, cause } = refusal;
        let (method, route, status, duration_ms) = (self.request.method().as_str(), self.route(), self.status, self.duration_ms());
        let (id, client, grant) = (self.facts.id.as_str(), story.client.as_deref(), story.grant.as_deref());
        let event = self.manner.map_or("request.refused", |manner| manner.refusals);
        let cause = cause.as_deref();
        match severity {
            Severity::Broken => error!(
                event,
                reason,
                code,
                status,
                duration_ms,
                request.id = id,
                client.id = client,
                grant.id = grant,
                explanation,
                cause,
                "refused {method} {route}"
            ),
            Severity::Odd => warn!(
                event,
                reason,
                code,
                status,
                duration_ms,
                request.id = id,
                client.id = client,
                grant.id = grant,
                explanation,
                cause,
                "refused {method} {route}"
            ),
            Severity::Ordinary => info!(
                event,
                reason,
                code,
                status,
                duration_ms,
                request.id = id,
                client.id = client,
                grant.id = grant,
                explanation,
                cause,
                "refused {method} {route}"
            ),
        }
    }
}
