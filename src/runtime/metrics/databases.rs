//! How long changes of the databases take. Label sets are static.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::drive::Database;
use crate::mongo::failover::{Failover, Kind};

/// A planned one takes a second or two; a lost primary is missed for an election time-out, or for two
/// when the first election has no winner.
const FAILOVER_BUCKETS: [f64; 10] = [0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 15.0, 30.0, 60.0];
/// A command takes milliseconds; one that waits for a majority or for a secondary takes seconds.
const STEP_BUCKETS: [f64; 8] = [0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStep {
    database: &'static str,
    step: &'static str,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Histograms of failovers and steps.
#[derive(Clone)]
pub struct Databases {
    failovers: Histograms<OfKind>,
    steps: Histograms<OfStep>,
}

impl Databases {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let failovers =
            Family::new_with_constructor((|| Histogram::new(FAILOVER_BUCKETS)) as fn() -> Histogram);
        let steps = Family::new_with_constructor((|| Histogram::new(STEP_BUCKETS)) as fn() -> Histogram);
        registry.sub_registry_with_prefix("eaiser_mongodb").register(
            "failover_duration_seconds",
            "Time without a primary, from the first look that missed it or the command to hand over until a look found the next",
            failovers.clone(),
        );
        registry.sub_registry_with_prefix("eaiser_operator").register(
            "step_duration_seconds",
            "Time a step of a database took from its command to the answer; what it sets going may take longer",
            steps.clone(),
        );
        Self { failovers, steps }
    }

    /// Records a failover that is over.
    pub fn failed_over(&self, failover: Failover) {
        let kind = match failover.kind {
            Kind::Planned => "planned",
            Kind::Unplanned => "unplanned",
        };
        self.failovers.get_or_create(&OfKind { kind }).observe(failover.duration.as_secs_f64());
    }

    /// Records a step that was carried out.
    pub fn stepped(&self, database: Database, step: &'static str, took: Duration) {
        let labels = OfStep { database: database.as_str(), step };
        self.steps.get_or_create(&labels).observe(took.as_secs_f64());
    }
}
