//! Outcome and duration of each phase of a pass.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::BUCKETS;

/// A step of the line that a pass follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reads the world.
    Snapshot,
    /// Derives the numbers.
    Plan,
    /// Renders the children.
    Desired,
    /// Writes what differs.
    Apply,
    /// Drives the databases.
    Drive,
    /// Writes the status.
    Status,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Plan => "plan",
            Self::Desired => "desired",
            Self::Apply => "apply",
            Self::Drive => "drive",
            Self::Status => "status",
        }
    }
}

/// What a phase came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did its work.
    Applied,
    /// It waits for something.
    Waiting,
    /// Nothing was to do.
    Skipped,
    /// It failed.
    Failed,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Waiting => "waiting",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    phase: &'static str,
    outcome: &'static str,
}

/// A histogram per phase and outcome.
#[derive(Clone)]
pub struct Phases(Family<Labels, Histogram, fn() -> Histogram>);

impl Phases {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let family = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        registry.register("phase_seconds", "Duration of a phase of a pass, by outcome", family.clone());
        Self(family)
    }

    /// Records a phase that ended.
    pub fn ended(&self, phase: Phase, outcome: Outcome, duration: Duration) {
        let labels = Labels { phase: phase.as_str(), outcome: outcome.as_str() };
        self.0.get_or_create(&labels).observe(duration.as_secs_f64());
    }
}
