//! Step 2 of a pass: the spec becomes derived numbers, or every problem at once. Pure.
//!
//! A [`Plan`] is complete and consistent: no reason remains for Kubernetes, MongoDB, Redis or Nginx
//! to reject what [`crate::desired`] renders from it.

pub mod api;
pub mod budget;
pub mod capacity;
pub mod gateway;
pub mod mongodb;
pub mod monitoring;
pub mod operation;
pub mod problem;
pub mod quantity;
pub mod redis;
pub mod resources;
pub mod what_if;

#[cfg(test)]
mod tests;

pub use api::{ApiPlan, Replicas};
pub use capacity::{CapacityPlan, Constraint};
pub use gateway::GatewayPlan;
pub use mongodb::MongoDbPlan;
pub use monitoring::MonitoringPlan;
pub use operation::Mode;
pub use problem::{Problem, Problems};
pub use redis::RedisPlan;
pub use resources::ContainerResources;

use crate::crd::{EaiserClusterSpec, PodSettings};
use crate::names::{Identity, Tier};
use crate::settings::{NetworkSettings, Settings};

/// Everything the operator decided about one cluster, without looking at the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Which cluster.
    pub identity: Identity,
    /// DNS domain of the Kubernetes cluster.
    pub cluster_domain: String,
    /// Instances needed, by constraint.
    pub capacity: CapacityPlan,
    /// The FastAPI tier.
    pub api: ApiPlan,
    /// The Nginx tier.
    pub gateway: GatewayPlan,
    /// The replica set.
    pub mongodb: MongoDbPlan,
    /// The Redis Cluster.
    pub redis: RedisPlan,
    /// Rules and monitors.
    pub monitoring: MonitoringPlan,
    /// Who may reach the pods besides each other.
    pub network: NetworkSettings,
    /// What the pods of each tier get besides.
    pub pods: PodsPlan,
    /// Whether it runs, stands still or is left alone.
    pub mode: Mode,
}

/// What the pods of each tier get besides what the operator gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodsPlan {
    api: PodSettings,
    gateway: PodSettings,
    mongodb: PodSettings,
    redis: PodSettings,
}

impl PodsPlan {
    fn new(spec: &EaiserClusterSpec) -> Self {
        Self {
            api: spec.api.pods.clone(),
            gateway: spec.gateway.pods.clone(),
            mongodb: spec.mongodb.pods.clone(),
            redis: spec.redis.pods.clone(),
        }
    }

    /// Those of one tier; none for what has no pods.
    pub fn of(&self, tier: Tier) -> Option<&PodSettings> {
        match tier {
            Tier::Api => Some(&self.api),
            Tier::Gateway => Some(&self.gateway),
            Tier::MongoDb => Some(&self.mongodb),
            Tier::Redis => Some(&self.redis),
            Tier::Monitoring => None,
        }
    }
}

/// Plans a cluster.
///
/// # Errors
/// Every problem of the spec that admission could not refuse, each with its field and a way out.
pub fn plan(identity: Identity, spec: &EaiserClusterSpec, settings: &Settings) -> Result<Plan, Problems> {
    let mut problems = Vec::new();
    let capacity = capacity::plan(&spec.capacity, &spec.api, &mut problems);
    let mongodb = mongodb::plan(&spec.mongodb, settings, &mut problems);
    let redis = redis::plan(&spec.redis, settings, &mut problems);
    let gateway = gateway::plan(spec, &capacity, settings, &mut problems);
    let api = api::plan(spec, &capacity, &mongodb, &redis, &mut problems);
    let monitoring = monitoring::plan(spec, &mut problems);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let cluster_domain = settings.cluster_domain.clone();
    let (network, mode) = (settings.network.clone(), operation::plan(&spec.operation));
    let pods = PodsPlan::new(spec);
    Ok(Plan {
        identity,
        cluster_domain,
        capacity,
        api,
        gateway,
        mongodb,
        redis,
        monitoring,
        network,
        pods,
        mode,
    })
}
