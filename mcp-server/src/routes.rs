//! Every URL of this server, one line each; nothing else names a path.

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};

use crate::app::Server;
use crate::{mount, rest};

impl Server {
    /// Mounts the server's routes into an actix application. Call it once; the closure is cheap to clone.
    pub fn configure(&self) -> impl Fn(&mut ServiceConfig) + Clone + Send + Sync + 'static + use<> {
        let routes = self.routes();
        move |service| routes(service)
    }

    /// Behind a pointer, so that everything below it is compiled here, once, and not again in each program.
    fn routes(&self) -> Arc<dyn Fn(&mut ServiceConfig) + Send + Sync> {
        let app = web::Data::from(self.app.clone());
        let endpoint = web::Data::new(self.endpoint.clone());
        let gate = web::Data::from(self.gate.clone());
        let openapi = web::Data::from(Arc::new(self.openapi.clone()));
        let metadata = bearer_guard::actix::configure(&self.app.guard);
        Arc::new(move |service| {
            service
                .app_data(app.clone())
                .app_data(endpoint.clone())
                .app_data(gate.clone())
                .app_data(openapi.clone())
                // MCP streamable HTTP. Both spellings answer; a redirect would lose the Authorization header of some clients.
                .service(web::resource("/mcp").to(mount::answer))
                .service(web::resource("/mcp/").to(mount::answer))
                // The same tools for people without an MCP client.
                .service(web::resource("/api/v1/tools").to(rest::tools))
                .service(web::resource("/api/v1/openapi.json").to(rest::openapi))
                // Patterns stand below a plain prefix: the router compares that first, for requests that are none of theirs.
                .service(web::scope("/api/v1/tools").service(web::resource("/{name:.+}").to(rest::call)))
                // Where the links of search results lead.
                .service(
                    web::scope("/documents")
                        .service(web::resource("/{id:.+}").route(web::get().to(rest::document)).route(web::head().to(rest::document)))
                        .default_service(web::to(rest::no_document)),
                );
            // RFC 9728.
            metadata(service);
        })
    }
}
