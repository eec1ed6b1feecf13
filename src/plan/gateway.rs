//! Derived settings of the Nginx tier.

use std::collections::BTreeMap;

use super::resources::{self, ContainerResources};
use super::{CapacityPlan, Problem, budget};
use crate::crd::{EaiserClusterSpec, ServiceType};
use crate::settings::Settings;

/// Client connections one Nginx pod is planned for: the report's two balancers for 100,000 users.
const CONNECTIONS_PER_GATEWAY: i64 = 50_000;
/// Fewest pods, so that one may fail.
const FEWEST_GATEWAYS: i64 = 2;
/// Nginx' own floor for `worker_connections`, with room for status and resolver sockets.
const FEWEST_WORKER_CONNECTIONS: i64 = 1024;

/// The Nginx tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayPlan {
    /// Pods.
    pub replicas: i64,
    /// Image.
    pub image: String,
    /// CPU and memory of each pod.
    pub resources: ContainerResources,
    /// How the Service is exposed.
    pub service_type: ServiceType,
    /// Annotations of the Service.
    pub service_annotations: BTreeMap<String, String>,
    /// `worker_processes`: whole cores the pod may use.
    pub worker_processes: i64,
    /// `worker_connections` of each worker: all users of one lost pod's share, and the upstream
    /// connections they need.
    pub worker_connections: i64,
    /// `max_conns` of each API instance: `maxInFlight / gateways`, since each pod counts alone.
    pub max_connections_per_instance: i64,
}

/// Plans the gateway.
pub fn plan(
    spec: &EaiserClusterSpec,
    capacity: &CapacityPlan,
    settings: &Settings,
    problems: &mut Vec<Problem>,
) -> GatewayPlan {
    let users = spec.capacity.users;
    let derived = ((users + CONNECTIONS_PER_GATEWAY - 1) / CONNECTIONS_PER_GATEWAY).max(FEWEST_GATEWAYS);
    let replicas = spec.gateway.replicas.map_or(derived, i64::from);
    let max_in_flight = spec.capacity.instance.max_in_flight;
    if max_in_flight < replicas {
        problems.push(Problem::new(
            "spec.capacity.instance.maxInFlight",
            format!("{max_in_flight} requests in flight cannot be shared by {replicas} gateway pods; raise it to at least {replicas} or lower spec.gateway.replicas"),
        ));
    }
    let max_connections_per_instance = (max_in_flight / replicas).max(1);
    let resources =
        resources::plan(&spec.gateway.resources, "500m", "256Mi", "spec.gateway.resources", problems);
    let worker_processes = resources.cpu.cores();
    let survivors = (replicas - 1).max(1);
    let instances = budget::instances_during_rollout(capacity.max_replicas);
    let per_pod = users / survivors + instances * max_connections_per_instance;
    GatewayPlan {
        replicas,
        image: spec.gateway.image.as_ref().unwrap_or(&settings.gateway_image).clone(),
        resources,
        service_type: spec.gateway.service.type_,
        service_annotations: spec.gateway.service.annotations.clone(),
        worker_processes,
        worker_connections: (per_pod / worker_processes + 1).max(FEWEST_WORKER_CONNECTIONS),
        max_connections_per_instance,
    }
}
