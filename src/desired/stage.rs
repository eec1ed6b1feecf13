//! Which tiers may have pods: the order of stopping, and of starting again. Pure.
//!
//! A stop takes away users before what they use: the API, then the gateway and Redis, then MongoDB,
//! each only when no pod of the one before is left. A start goes the other way, each tier only when
//! the one it needs serves. Where a cluster stands is read from its workloads alone, so an operator
//! that starts anew goes on where its predecessor was: a tier whose workloads all ask for zero pods
//! is stopped. A new cluster has no workloads yet and starts all tiers at once.

#[cfg(test)]
mod tests;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};

use crate::mongo::UserState;
use crate::names::Tier;
use crate::plan::{Mode, Plan};
use crate::snapshot::Snapshot;
use crate::snapshot::children::find;

/// How far a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every tier has its pods.
    Running,
    /// Tiers are being taken to zero.
    Stopping,
    /// No pod is left.
    Stopped,
    /// Tiers wait for those they need.
    Starting,
}

/// The tiers that get their pods now; the others get none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "one answer for each tier that has pods")]
pub struct Stage {
    /// How far it is.
    pub progress: Progress,
    /// The API.
    pub api: bool,
    /// The gateway.
    pub gateway: bool,
    /// The Redis Cluster.
    pub redis: bool,
    /// The replica set.
    pub mongodb: bool,
}

impl Stage {
    /// Every tier has its pods.
    const RUNNING: Self =
        Self { progress: Progress::Running, api: true, gateway: true, redis: true, mongodb: true };

    /// Whether the tier gets its pods. Monitoring has none.
    pub fn runs(&self, tier: Tier) -> bool {
        match tier {
            Tier::Api => self.api,
            Tier::Gateway => self.gateway,
            Tier::MongoDb => self.mongodb,
            Tier::Redis => self.redis,
            Tier::Monitoring => true,
        }
    }

    /// Where the cluster stands.
    pub fn of(plan: &Plan, snapshot: &Snapshot) -> Self {
        match plan.mode {
            Mode::Stopped => stopping(plan, snapshot),
            Mode::Running => starting(plan, snapshot),
            // Nothing is written, so nothing is held back either: the status tells what is missing.
            Mode::Paused => Self::RUNNING,
        }
    }
}

/// A tier goes when its users are gone, and what is at zero stays there.
fn stopping(plan: &Plan, snapshot: &Snapshot) -> Stage {
    let [api, gateway, redis, mongodb] =
        [Tier::Api, Tier::Gateway, Tier::Redis, Tier::MongoDb].map(|tier| Pods::of(tier, plan, snapshot));
    let stage = Stage {
        progress: Progress::Stopping,
        api: false,
        // Behind the API, so that requests under way end and late ones are told 503.
        gateway: gateway.wanted && !api.gone(),
        redis: redis.wanted && !api.gone(),
        mongodb: mongodb.wanted && !(api.gone() && redis.gone()),
    };
    let all_gone = [api, gateway, redis, mongodb].into_iter().all(Pods::gone);
    Stage { progress: if all_gone { Progress::Stopped } else { Progress::Stopping }, ..stage }
}

/// A tier that was stopped comes back when what it needs serves; one that runs is never held back.
fn starting(plan: &Plan, snapshot: &Snapshot) -> Stage {
    let at_zero = |tier| Pods::of(tier, plan, snapshot).at_zero();
    let mongodb = snapshot.mongodb.serves() && snapshot.mongodb.application_user == UserState::Matches;
    let both = mongodb && snapshot.redis.serves();
    let stage = Stage {
        api: both || !at_zero(Tier::Api),
        gateway: both || !at_zero(Tier::Gateway),
        redis: mongodb || !at_zero(Tier::Redis),
        ..Stage::RUNNING
    };
    let held = !(stage.api && stage.gateway && stage.redis) || at_zero(Tier::MongoDb);
    Stage { progress: if held { Progress::Starting } else { Progress::Running }, ..stage }
}

/// The pods of one tier, as its workloads ask for them and as they are.
#[derive(Clone, Copy, Debug)]
struct Pods {
    /// A workload exists.
    exists: bool,
    /// A workload asks for pods.
    wanted: bool,
    /// Pods are there, those on their way out included, or a controller that has not looked at the
    /// newest count may still make some.
    left: bool,
}

impl Pods {
    fn of(tier: Tier, plan: &Plan, snapshot: &Snapshot) -> Self {
        let identity = &plan.identity;
        let children = &snapshot.children;
        let workloads: Vec<Workload> = match tier {
            Tier::Api | Tier::Gateway => find(&children.deployments, &identity.tier(tier))
                .map(Workload::of_deployment)
                .into_iter()
                .collect(),
            Tier::MongoDb => find(&children.stateful_sets, &identity.tier(tier))
                .map(Workload::of_set)
                .into_iter()
                .collect(),
            Tier::Redis => (0..plan.redis.shards)
                .filter_map(|shard| find(&children.stateful_sets, &identity.redis_shard(shard)))
                .map(Workload::of_set)
                .collect(),
            Tier::Monitoring => Vec::new(),
        };
        Self {
            exists: !workloads.is_empty(),
            wanted: workloads.iter().any(|workload| workload.asked > 0),
            left: workloads.iter().any(|workload| !workload.seen || workload.pods > 0)
                || children.pods_of(tier).next().is_some(),
        }
    }

    /// Stopped: its workloads ask for no pods. A tier that is partly at zero has been let go before.
    fn at_zero(self) -> bool {
        self.exists && !self.wanted
    }

    /// Not one pod is left, and none will come.
    fn gone(self) -> bool {
        !self.wanted && !self.left
    }
}

/// Counts of a Deployment or a StatefulSet.
struct Workload {
    asked: i32,
    pods: i32,
    /// Its controller has looked at `asked`.
    seen: bool,
}

impl Workload {
    fn of_deployment(deployment: &Deployment) -> Self {
        let status = deployment.status.as_ref();
        Self {
            asked: deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            pods: status.and_then(|status| status.replicas).unwrap_or(0),
            seen: status.and_then(|status| status.observed_generation) == deployment.metadata.generation,
        }
    }

    fn of_set(set: &StatefulSet) -> Self {
        let status = set.status.as_ref();
        Self {
            asked: set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            pods: status.map_or(0, |status| status.replicas),
            seen: status.and_then(|status| status.observed_generation) == set.metadata.generation,
        }
    }
}
