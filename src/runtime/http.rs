//! `/healthz`, `/readyz` and `/metrics`. IO.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::reconcile::Context;

/// Format of the metrics. Called plain text, Prometheus refuses the whole page for its `info` metric.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until the process ends.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(address: SocketAddr, context: Arc<Context>) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let (live, ready) = (Arc::clone(&context), Arc::clone(&context));
    let router = Router::new()
        .route("/healthz", get(move || async move { answer(live.health.live(Instant::now())) }))
        .route("/readyz", get(move || async move { answer(readiness(&ready)) }))
        .route(
            "/metrics",
            get(move || async move { ([(CONTENT_TYPE, OPEN_METRICS)], context.metrics.render()) }),
        );
    axum::serve(listener, router).await
}

/// A standby is ready too: it has to be able to take over at once.
fn readiness(context: &Context) -> Result<(), String> {
    context.health.ready(&context.caches.unfilled())?;
    if context.metrics.is_ready() { Ok(()) } else { Err("waiting for the first lists".to_owned()) }
}

fn answer(state: Result<(), String>) -> (StatusCode, String) {
    match state {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason + "\n"),
    }
}
