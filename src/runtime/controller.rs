//! Wires client, election, watches, queue and passes together and runs until a signal. IO.

mod pass;
mod shutdown;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Instant;

use futures::stream::SelectAll;
use futures::{FutureExt, Stream, StreamExt};
use kube::runtime::controller::{self, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Config, Resource};

use super::caches::backoff::Growing;
use super::caches::{Caches, Touched};
use super::client;
use super::gate::Gate;
use super::health::Health;
use super::http;
use super::leader::Election;
use super::metrics::Metrics;
use crate::fence::Fence;
use crate::names::OPERATOR;
use crate::reconcile::context::{Context, Failures, Paces};
use crate::reconcile::{Guarded, error_policy};
use crate::settings::Settings;
use pass::{Turns, noticed};
use shutdown::Stop;

/// Passes that run at a time; each waits mostly for databases and the API server.
const CONCURRENT_PASSES: usize = 16;

/// What the operator cannot start or go on without.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No usable configuration of a cluster.
    #[error("no Kubernetes API server is configured: run inside a pod, or set KUBECONFIG")]
    Configuration {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The API server did not answer the first question.
    #[error("the Kubernetes API server does not answer")]
    Server {
        /// Why.
        source: Box<kube::Error>,
    },
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
    /// Nothing reaches the passes any more.
    #[error("the controller has ended by itself")]
    Ended,
}

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// What holds for every cluster.
    pub settings: Settings,
    /// Watch this namespace only.
    pub namespace: Option<String>,
    /// Where health and metrics are served.
    pub address: SocketAddr,
    /// Name of this process, in the lease and as user agent.
    pub identity: String,
    /// The lease to lead by; none without leader election.
    pub lease: Option<Lease>,
}

/// Where the lease is.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Its name.
    pub name: String,
    /// Its namespace; the watched one, or that of the process, when absent.
    pub namespace: Option<String>,
}

/// Runs the operator until SIGTERM or SIGINT; passes under way are finished and the lease is
/// released.
///
/// # Errors
/// It could not start, or a part of it died.
pub async fn run(options: Options) -> Result<(), Error> {
    let stop = Stop::on_signal().map_err(|source| Error::Signals { source })?;
    let fence = if options.lease.is_some() { Fence::closed() } else { Fence::open() };
    let metrics = Metrics::default();
    let config = Config::infer().await.map_err(|source| Error::Configuration { source: Box::new(source) })?;
    let client = client::connect(config, &options.identity, &fence, &metrics.requests)
        .map_err(|source| Error::Configuration { source: Box::new(source) })?;
    let namespace = options.namespace.as_deref();
    let caches = Caches::start(&client, namespace).await;
    let (caches, touched) = caches.map_err(|source| Error::Server { source: Box::new(source) })?;
    let context = Arc::new(Context {
        client: client.clone(),
        caches,
        settings: options.settings.clone(),
        recorder: Recorder::new(client.clone(), Reporter::from(OPERATOR)),
        metrics,
        fence: fence.clone(),
        health: Health::default(),
        paces: Paces::default(),
        failures: Failures::default(),
        sessions: Mutex::new(HashMap::new()),
    });
    let election = elect(&client, &options, &context, stop.finished());
    let work = reconcile_all(&client, namespace, &context, touched, stop.clone());
    let address = options.address;
    let served = http::serve(address, Arc::clone(&context));
    tokio::select! {
        // Ends after the passes did and the lease is released.
        _ = futures::future::join(work.inspect(|()| stop.finish()), election) => {
            if stop.requested() { Ok(()) } else { Err(Error::Ended) }
        }
        result = served => result.map_err(|source| Error::Http { address, source }),
        () = show_leadership(&context) => Ok(()),
    }
}

/// Takes part in the election until `stop`.
async fn elect(client: &Client, options: &Options, context: &Arc<Context>, stop: impl Future<Output = ()>) {
    let Some(lease) = &options.lease else {
        return;
    };
    let own = client.default_namespace();
    let namespace = lease.namespace.as_deref().or(options.namespace.as_deref()).unwrap_or(own);
    tracing::info!(lease = lease.name, namespace, identity = options.identity, "standing by for the lease");
    let election =
        Election::new(client.clone(), namespace, &lease.name, &options.identity, context.fence.clone());
    election.run(stop, || context.health.election_turned(Instant::now())).await;
}

/// Tells metrics and log who leads. What is remembered of the clusters ends with the lease.
async fn show_leadership(context: &Context) {
    loop {
        context.fence.opened().await;
        context.metrics.leads(true);
        context.fence.ended().await;
        context.metrics.leads(false);
        context.forget_all();
        tracing::warn!("not leading any more; nothing is written");
    }
}

/// Looks after the clusters until `stop`.
async fn reconcile_all(
    client: &Client,
    namespace: Option<&str>,
    context: &Arc<Context>,
    touched: SelectAll<Touched>,
    stop: Stop,
) {
    let gate = Gate::new(CONCURRENT_PASSES, context.metrics.queue.clone());
    let (clusters, store) = watch_clusters(client, namespace, context, &gate);
    let children = supervised(touched, Arc::clone(context));
    let turns = Turns { gate, store: store.clone(), stop: stop.clone() };
    tokio::spawn(mark_ready(Arc::clone(context)));
    let passes = Controller::for_stream(clusters, store)
        // The gate bounds how many run.
        .with_config(controller::Config::default())
        .reconcile_on(children)
        .graceful_shutdown_on(stop.requested_later().boxed().shared())
        .run(
            move |object, context| pass::take_turn(object, context, turns.clone()),
            error_policy,
            Arc::clone(context),
        )
        .for_each(|result| {
            if let Err(controller::Error::ObjectNotFound(cluster)) = result {
                pass::gone(&cluster, context);
            }
            std::future::ready(())
        });
    tokio::select! {
        () = passes => {}
        () = stop.out_of_patience() => tracing::warn!("passes under way were cut off; the next operator repeats them"),
    }
}

/// Watches never end; one that does would leave the passes blind for its kind.
fn supervised(
    mut touched: SelectAll<Touched>,
    context: Arc<Context>,
) -> impl Stream<Item = ObjectRef<Guarded>> + Send + 'static {
    let watches = touched.len();
    futures::stream::poll_fn(move |task| {
        let next = touched.poll_next_unpin(task);
        if touched.len() < watches {
            context.health.watch_ended();
        }
        if let Poll::Ready(Some(cluster)) = &next {
            context.paces.touched(cluster);
        }
        next
    })
}

/// The watch of the clusters themselves: never an error, since one would hold up all other watches.
fn watch_clusters(
    client: &Client,
    namespace: Option<&str>,
    context: &Arc<Context>,
    gate: &Gate<ObjectRef<Guarded>>,
) -> (impl Stream<Item = Result<Guarded, watcher::Error>> + Send + use<>, Store<Guarded>) {
    let api: Api<Guarded> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let (store, writer) = reflector::store();
    let (context, gate, live) = (Arc::clone(context), gate.clone(), store.clone());
    let clusters = watcher(api, watcher::Config::default())
        .backoff(Growing::default())
        // Nobody reads them, and of a parsed cluster they are the largest part.
        .modify(|cluster: &mut Guarded| cluster.meta_mut().managed_fields = None)
        .reflect(writer)
        .inspect({
            let context = Arc::clone(&context);
            move |event| {
                if matches!(event, Ok(watcher::Event::InitDone)) {
                    context.health.clusters_are_listed();
                }
            }
        })
        .touched_objects()
        .filter_map(move |event| std::future::ready(noticed(event, &context, &gate, &live).map(Ok)));
    (clusters, store)
}

/// Says when the caches are filled.
async fn mark_ready(context: Arc<Context>) {
    context.health.clusters_listed().await;
    context.caches.wait_until_filled().await;
    context.metrics.caches_ready();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "watching EaiserClusters");
}
