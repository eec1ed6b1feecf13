//! The operator's own metrics. Label sets are static but for the gauges of a cluster, which carry
//! its namespace and name and are removed with it. `docs/metrics.md` lists every name.

pub mod clusters;
pub mod databases;
pub mod phases;
pub mod queue;
pub mod requests;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use clusters::Clusters;
use databases::Databases;
use phases::Phases;
use queue::Queue;
use requests::Requests;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// A pass over a settled cluster takes milliseconds; one that waits for a silent database member
/// takes seconds.
pub(crate) const BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 10.0];

/// Counters and their registry.
pub struct Metrics {
    registry: Registry,
    passes: Family<Outcome, Counter>,
    seconds: Histogram,
    ready: Gauge<f64, AtomicU64>,
    leader: Gauge,
    leader_changes: Counter,
    hot_loops: Counter,
    /// Outcome and duration of each phase of a pass.
    pub phases: Phases,
    /// Passes that wait for their turn.
    pub queue: Queue,
    /// Requests to the API server.
    pub requests: Requests,
    /// What each cluster's last pass saw.
    pub clusters: Clusters,
    /// Failovers and steps of the databases.
    pub databases: Databases,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let operator = registry.sub_registry_with_prefix("eaiser_operator");
        let passes = Family::<Outcome, Counter>::default();
        let seconds = Histogram::new(BUCKETS);
        let ready = Gauge::default();
        let leader = Gauge::default();
        let leader_changes = Counter::default();
        let hot_loops = Counter::default();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        operator.register("build", "Version of the operator", build);
        operator.register("reconciles", "Passes over an object, by outcome", passes.clone());
        operator.register("reconcile_seconds", "Duration of a pass", seconds.clone());
        operator.register("caches_ready", "1 once every watch delivered its first list", ready.clone());
        operator.register("leader", "1 while this process may write", leader.clone());
        operator.register(
            "leader_changes",
            "Times this process took the lease or lost it",
            leader_changes.clone(),
        );
        operator.register(
            "hot_loops",
            "Episodes in which one cluster was looked at more than once a second for a minute and nothing new came of it",
            hot_loops.clone(),
        );
        let phases = Phases::register(operator);
        let queue = Queue::register(operator);
        let requests = Requests::register(operator);
        let clusters = Clusters::register(registry.sub_registry_with_prefix("eaiser_cluster"));
        let databases = Databases::register(&mut registry);
        Self {
            registry,
            passes,
            seconds,
            ready,
            leader,
            leader_changes,
            hot_loops,
            phases,
            queue,
            requests,
            clusters,
            databases,
        }
    }
}

impl Metrics {
    /// Counts a finished pass; `outcome` is `ok` or the reason of its error.
    pub fn passed(&self, outcome: &'static str, duration: Duration) {
        self.passes.get_or_create(&Outcome { outcome }).inc();
        self.seconds.observe(duration.as_secs_f64());
    }

    /// Marks the caches as filled.
    pub fn caches_ready(&self) {
        self.ready.set(1.0);
    }

    /// Whether the caches are filled.
    pub fn is_ready(&self) -> bool {
        self.ready.get() > 0.0
    }

    /// Says whether this process holds the lease. A process that does not says nothing about
    /// clusters: what it saw last grows old while another one acts.
    pub fn leads(&self, leads: bool) {
        if self.leader.set(i64::from(leads)) != i64::from(leads) {
            self.leader_changes.inc();
        }
        if !leads {
            self.clusters.clear();
        }
    }

    /// Counts an episode of a hot loop.
    pub fn hot_loop(&self) {
        self.hot_loops.inc();
    }

    /// Text format of Prometheus.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
