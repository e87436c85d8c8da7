//! The MCP server as a program of its own: settings, log, listen, stop gracefully.

use std::process::ExitCode;

use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Parser as _;
use mcp_server::settings::Flags;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Requests in flight get this long after Ctrl-C.
const SHUTDOWN_SECS: u64 = 10;

#[actix_web::main]
async fn main() -> ExitCode {
    log();
    match run(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = std::iter::successors(error.source(), |cause| cause.source()).map(|cause| format!(": {cause}")).collect::<String>();
            tracing::error!("{error}{cause}");
            ExitCode::FAILURE
        }
    }
}

/// Our own story at info; of the libraries only what somebody should look at.
fn log() {
    let quiet = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets([("mcp_server", LevelFilter::INFO), ("bearer_guard", LevelFilter::INFO)]);
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).json().flatten_event(true))
        .with(quiet)
        .init();
}

async fn run(flags: Flags) -> Result<(), Box<dyn std::error::Error>> {
    let (listen, config) = flags.resolve()?;
    let resource = config.resource.clone();
    let server = std::sync::Arc::new(mcp_server::open(config).await?);
    let routes = server.configure();
    let health = web::Data::from(server.clone());
    let http = HttpServer::new(move || {
        App::new()
            .app_data(health.clone())
            .configure(routes.clone())
            .route("/health/live", web::get().to(HttpResponse::NoContent))
            .route("/health/ready", web::get().to(ready))
    })
    // Streamed answers are several small writes; with Nagle each waits 40 ms for the one before.
    .tcp_nodelay(true)
    // Who hangs up is noticed at once, and not when the next sign of life finds nobody: their subscription makes room.
    .h1_allow_half_closed(false)
    .shutdown_timeout(SHUTDOWN_SECS)
    .bind(listen)?
    .run();
    tracing::info!(event = "server.started", %resource, "serving `{resource}` at {listen}");
    let mut http = std::pin::pin!(http);
    // The server waits for every request in flight, and an event stream is one that never ends by itself: streams must go first.
    let ended = tokio::select! {
        ended = &mut http => ended,
        () = asked_to_stop() => {
            server.end_streams();
            http.await
        }
    };
    server.shutdown().await;
    Ok(ended?)
}

/// The signals on which the server itself stops as well. Where they cannot be heard, the server still hears them.
async fn asked_to_stop() {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    let Ok(mut terminate) = terminate else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

async fn ready(server: web::Data<mcp_server::Server>) -> HttpResponse {
    match server.ready() {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(outage) => HttpResponse::ServiceUnavailable().body(outage.to_string()),
    }
}
