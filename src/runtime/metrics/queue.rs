//! Passes that wait for their turn.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::BUCKETS;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    priority: &'static str,
}

/// Depth of the queue, and how long passes stood in it.
#[derive(Clone)]
pub struct Queue {
    depth: Family<Labels, Gauge>,
    wait: Family<Labels, Histogram, fn() -> Histogram>,
}

impl Queue {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let depth = Family::default();
        let wait = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let queue = Self { depth, wait };
        registry.register("queue_depth", "Passes that wait for their turn", queue.depth.clone());
        registry.register("queue_wait_seconds", "Time a pass waited for its turn", queue.wait.clone());
        queue
    }

    /// How many wait now; `priority` is `edit` or `resync`.
    pub fn depth(&self, priority: &'static str, waiting: usize) {
        self.depth.get_or_create(&Labels { priority }).set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// A pass got its turn.
    pub fn waited(&self, priority: &'static str, duration: Duration) {
        self.wait.get_or_create(&Labels { priority }).observe(duration.as_secs_f64());
    }
}
