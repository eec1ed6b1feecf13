//! The operator's own metrics. Label sets are static.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// A pass over a settled cluster takes milliseconds; one that waits for a silent database member
/// takes seconds.
const BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 10.0];

/// Counters and their registry.
pub struct Metrics {
    registry: Registry,
    passes: Family<Outcome, Counter>,
    seconds: Histogram,
    ready: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("eaiser_operator");
        let passes = Family::<Outcome, Counter>::default();
        let seconds = Histogram::new(BUCKETS);
        let ready = Gauge::default();
        registry.register("reconciles", "Passes over an object, by outcome", passes.clone());
        registry.register("reconcile_seconds", "Duration of a pass", seconds.clone());
        registry.register("caches_ready", "1 once every watch delivered its first list", ready.clone());
        Self { registry, passes, seconds, ready }
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

    /// Text format of Prometheus.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
