//! Derived settings of the FastAPI tier.

use super::resources::{self, ContainerResources};
use super::{CapacityPlan, MongoDbPlan, Problem, RedisPlan, budget};
use crate::crd::{AutoscalingSpec, EaiserClusterSpec, EnvironmentSource, EnvironmentVariable, ProbePaths};

/// Who decides the number of API pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// A HorizontalPodAutoscaler, between two bounds.
    Autoscaled {
        /// Fewest pods.
        min: i64,
        /// Most pods.
        max: i64,
    },
    /// The spec, exactly.
    Fixed(i64),
}

impl Replicas {
    /// Most pods that may be wanted.
    pub fn most(self) -> i64 {
        match self {
            Self::Autoscaled { max, .. } => max,
            Self::Fixed(replicas) => replicas,
        }
    }

    /// Fewest pods that may be wanted.
    pub fn fewest(self) -> i64 {
        match self {
            Self::Autoscaled { min, .. } => min,
            Self::Fixed(replicas) => replicas,
        }
    }
}

/// The FastAPI tier.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiPlan {
    /// Image.
    pub image: String,
    /// Port the backend listens on.
    pub port: i32,
    /// Worker processes per pod.
    pub workers: i32,
    /// Number of pods.
    pub replicas: Replicas,
    /// CPU and memory of each pod.
    pub resources: ContainerResources,
    /// The user's variables.
    pub env: Vec<EnvironmentVariable>,
    /// The user's ConfigMaps and Secrets.
    pub env_from: Vec<EnvironmentSource>,
    /// Health check paths.
    pub probes: ProbePaths,
    /// Scale-down policy.
    pub autoscaling: AutoscalingSpec,
    /// Average CPU utilisation, percent of the request, the autoscaler aims at.
    pub cpu_target_percent: i64,
    /// `MAX_IN_FLIGHT` of the backend.
    pub max_in_flight: i64,
    /// `MONGODB_MAX_POOL_SIZE` of each worker.
    pub mongodb_pool: i64,
    /// `REDIS_MAX_CONNECTIONS` of each worker, per node.
    pub redis_pool: i64,
    /// Zones to spread over.
    pub zones: i32,
}

/// Plans the API tier.
pub fn plan(
    spec: &EaiserClusterSpec,
    capacity: &CapacityPlan,
    mongodb: &MongoDbPlan,
    redis: &RedisPlan,
    problems: &mut Vec<Problem>,
) -> ApiPlan {
    let api = &spec.api;
    let replicas = if api.autoscaling.enabled {
        Replicas::Autoscaled { min: capacity.min_replicas, max: capacity.max_replicas }
    } else {
        Replicas::Fixed(i64::from(api.replicas))
    };
    let workers = i64::from(api.workers);
    let resources = resources::plan(&api.resources, "2", "4Gi", "spec.api.resources", problems);
    ApiPlan {
        image: api.image.clone(),
        port: api.port,
        workers: api.workers,
        replicas,
        resources,
        env: api.env.clone(),
        env_from: api.env_from.clone(),
        probes: api.probes.clone(),
        autoscaling: api.autoscaling.clone(),
        cpu_target_percent: percent(spec.capacity.instance.max_utilization),
        max_in_flight: spec.capacity.instance.max_in_flight,
        mongodb_pool: budget::pool_size(mongodb.budget(), replicas.most(), workers, problems),
        redis_pool: budget::pool_size(redis.budget(), replicas.most(), workers, problems),
        zones: spec.capacity.zones,
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a share between 0.1 and 0.95")]
fn percent(share: f64) -> i64 {
    (share * 100.0).round() as i64
}
