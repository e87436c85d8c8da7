//! One endpoint as `routes.rs` writes it: a path, its methods, who may read it, what its refusals are called in the log.
//!
//! ```ignore
//! Endpoint::at("/token").open().refusals("token.refused").post(token::post)
//! ```
//!
//! HEAD answers wherever GET does (RFC 9110 §9.3.2), a wrong method is 405 with `Allow` (§15.5.6), and OPTIONS is a preflight where
//! other origins may read.

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Responder,
    dev::{AppService, HttpServiceFactory},
    guard,
    http::{
        Method,
        header::{self, HeaderValue},
    },
    web,
};
use oauth_types::{Error, RequestFault};

use super::{
    cors::{self, Cors},
    reply::{Channel, Refused},
    trace,
};

/// How an endpoint behaves towards browsers and the log, whatever it answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// The path as it stands in `routes.rs`: logs never show the request's own, which may carry secrets.
    pub(super) pattern: &'static str,
    pub(super) cors: Cors,
    /// A person's browser comes here.
    pub(super) page: bool,
    /// Probes and polls: logged at debug level.
    pub(super) quiet: bool,
    /// The event that a refusal here is (docs/logging.md).
    pub(super) refusals: &'static str,
}

/// One path and what answers there.
pub(crate) struct Endpoint {
    manner: Manner,
    methods: Vec<Method>,
    routes: Vec<actix_web::Route>,
}

impl Endpoint {
    /// Starts a path. Closed to scripts of other origins until [`Endpoint::open`] says otherwise.
    pub(crate) fn at(pattern: &'static str) -> Self {
        let manner = Manner { pattern, cors: Cors::Closed, page: false, quiet: false, refusals: "request.refused" };
        Self { manner, methods: Vec::new(), routes: Vec::new() }
    }

    /// Scripts of every origin may read this, never with cookies.
    pub(crate) fn open(mut self) -> Self {
        self.manner.cors = Cors::Open;
        self
    }

    /// A person's browser comes here: every answer carries the headers that protect it.
    pub(crate) fn page(mut self) -> Self {
        self.manner.page = true;
        self
    }

    /// Asked so often that the log would hold nothing else.
    pub(crate) fn quiet(mut self) -> Self {
        self.manner.quiet = true;
        self
    }

    /// What a refusal here is called in the log.
    pub(crate) fn refusals(mut self, event: &'static str) -> Self {
        self.manner.refusals = event;
        self
    }

    /// Answers GET, and HEAD with the same headers.
    pub(crate) fn get<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.methods.extend([Method::GET, Method::HEAD]);
        self.routes.push(web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler));
        self
    }

    /// Answers POST.
    pub(crate) fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::POST, handler)
    }

    /// Answers this method.
    pub(crate) fn on<F, Args>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.routes.push(web::method(method.clone()).to(handler));
        self.methods.push(method);
        self
    }

    fn allow(&self) -> HeaderValue {
        let mut names: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
        if self.manner.cors == Cors::Open {
            names.push("OPTIONS");
        }
        // Method names are tokens.
        HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("GET"))
    }
}

impl HttpServiceFactory for Endpoint {
    fn register(self, service: &mut AppService) {
        let (allow, cors) = (self.allow(), self.manner.cors);
        let mut resource = web::resource(self.manner.pattern).app_data(self.manner);
        for route in self.routes {
            resource = resource.route(route);
        }
        let other_method = move |request: HttpRequest| {
            let response = if cors == Cors::Open && *request.method() == Method::OPTIONS {
                cors::preflight(&allow)
            } else {
                let mut response = refuse_path(&request, RequestFault::MethodNotAllowed);
                response.headers_mut().insert(header::ALLOW, allow.clone());
                response
            };
            std::future::ready(response)
        };
        resource.default_service(web::route().to(other_method)).register(service);
    }
}

/// Every path that nobody answers: 404 in JSON, never HTML, readable by scripts (a client that probes well-known paths from a
/// browser must see "not here" instead of a network error).
pub(crate) async fn not_found(request: HttpRequest) -> HttpResponse {
    let mut response = if cors::is_preflight(request.method(), request.headers()) {
        cors::preflight(&HeaderValue::from_static("GET, HEAD, OPTIONS"))
    } else {
        refuse_path(&request, RequestFault::NotFound)
    };
    Cors::Open.mark(response.headers_mut());
    response
}

/// The answer of an endpoint that covers many paths, for one that is none of its own.
pub(crate) fn nobody_here(request: &HttpRequest) -> HttpResponse {
    refuse_path(request, RequestFault::NotFound)
}

fn refuse_path(request: &HttpRequest, fault: RequestFault) -> HttpResponse {
    trace::draw(request, Refused::new(&Error::InvalidRequest(fault), Channel::Json))
}
