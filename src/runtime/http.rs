//! `/healthz`, `/readyz` and `/metrics`. IO.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::reconcile::Context;

/// Serves until the process ends.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(address: SocketAddr, context: Arc<Context>) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let ready = Arc::clone(&context);
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(move || async move { readiness(&ready) }))
        .route("/metrics", get(move || async move { context.metrics.render() }));
    axum::serve(listener, router).await
}

fn readiness(context: &Context) -> (StatusCode, &'static str) {
    if context.metrics.is_ready() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "watches have not delivered their first lists yet\n")
    }
}
