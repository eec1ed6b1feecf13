//! Wires watches, queue and passes together and runs until a signal. IO.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures::{FutureExt, StreamExt};
use kube::runtime::controller::{self, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::watcher;
use kube::{Api, Client};
use tokio::signal::unix::{SignalKind, signal};

use super::caches::Caches;
use super::http;
use super::metrics::Metrics;
use crate::crd::EaiserCluster;
use crate::names::OPERATOR;
use crate::reconcile::context::{Context, Failures};
use crate::reconcile::{Guarded, error_policy, reconcile};
use crate::settings::Settings;

/// Passes that run at a time; each waits mostly for databases and the API server.
const CONCURRENT_PASSES: u16 = 16;

/// What the operator cannot start or go on without.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No usable configuration of a cluster.
    #[error("no Kubernetes API server is configured: run inside a pod, or set KUBECONFIG")]
    Configuration {
        /// Why.
        source: Box<kube::Error>,
    },
    /// The API server did not answer the first question.
    #[error("the Kubernetes API server does not answer")]
    Server {
        /// Why.
        source: Box<kube::Error>,
    },
    /// The custom resource is not installed.
    #[error(
        "the API server does not serve eaiserclusters.eaiser.io: install the CRD first (`eaiser crd | kubectl apply --server-side -f -`)"
    )]
    MissingResource,
    /// The address of the HTTP server is taken or not ours.
    #[error("cannot serve health and metrics on {address}")]
    Http {
        /// Address asked for.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Signals cannot be waited for.
    #[error("cannot wait for signals")]
    Signals {
        /// Why.
        source: std::io::Error,
    },
}

/// Runs the operator until SIGTERM or SIGINT; passes under way are finished.
///
/// # Errors
/// It could not start.
pub async fn run(settings: Settings, namespace: Option<String>, address: SocketAddr) -> Result<(), Error> {
    let client =
        Client::try_default().await.map_err(|source| Error::Configuration { source: Box::new(source) })?;
    require_custom_resource(&client).await?;
    let server = |source| Error::Server { source: Box::new(source) };
    let (caches, touched) = Caches::start(&client, namespace.as_deref()).await.map_err(server)?;
    let context = Arc::new(Context {
        client: client.clone(),
        caches: caches.clone(),
        settings,
        recorder: Recorder::new(client.clone(), Reporter::from(OPERATOR)),
        metrics: Metrics::default(),
        failures: Failures::default(),
        sessions: Mutex::new(HashMap::new()),
    });
    let clusters: Api<Guarded> = match &namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(|source| Error::Signals { source })?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|source| Error::Signals { source })?;
    let stop = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("asked to stop; finishing the passes under way");
    };
    let (gate, passes_may_start) = tokio::sync::watch::channel(false);
    let filled = mark_ready(caches, Arc::clone(&context), gate);
    let gated = passes_may_start;
    let controller = Controller::new(clusters, watcher::Config::default())
        .with_config(controller::Config::default().concurrency(CONCURRENT_PASSES))
        .reconcile_on(touched)
        .graceful_shutdown_on(stop.boxed().shared())
        .run(
            move |object, context| gated_reconcile(object, context, gated.clone()),
            error_policy,
            Arc::clone(&context),
        )
        .for_each(|result| async move {
            if let Err(error @ (controller::Error::QueueError(_) | controller::Error::RunnerError(_))) =
                result
            {
                tracing::warn!(%error, "watch of EaiserClusters interrupted; it is resumed");
            }
        });
    tokio::select! {
        () = controller => Ok(()),
        () = filled => Ok(()),
        result = http::serve(address, context) => result.map_err(|source| Error::Http { address, source }),
    }
}

/// A pass over half-filled caches would take existing children for missing ones.
async fn gated_reconcile(
    object: Arc<Guarded>,
    context: Arc<Context>,
    mut gate: tokio::sync::watch::Receiver<bool>,
) -> Result<controller::Action, crate::reconcile::Error> {
    if gate.wait_for(|open| *open).await.is_err() {
        return Ok(controller::Action::await_change());
    }
    reconcile(object, context).await
}

/// Opens the gate once the caches are filled; then never ends.
async fn mark_ready(caches: Caches, context: Arc<Context>, gate: tokio::sync::watch::Sender<bool>) {
    caches.wait_until_filled().await;
    context.metrics.caches_ready();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "watching EaiserClusters");
    // The receiver lives as long as the controller.
    let _ = gate.send(true);
    std::future::pending::<()>().await;
}

async fn require_custom_resource(client: &Client) -> Result<(), Error> {
    use kube::Resource;
    match client.list_api_group_resources(&EaiserCluster::api_version(&())).await {
        Ok(list) if list.resources.iter().any(|resource| resource.name == EaiserCluster::plural(&())) => {
            Ok(())
        }
        Ok(_) => Err(Error::MissingResource),
        // An unknown group is answered with plain text, so there is no reason to look at.
        Err(kube::Error::Api(status)) if status.code == 404 => Err(Error::MissingResource),
        Err(source) => Err(Error::Server { source: Box::new(source) }),
    }
}
