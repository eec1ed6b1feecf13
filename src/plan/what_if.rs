//! What a plan means at its peak: load and response times per instance, sums over all tiers. Pure.

use serde::Serialize;

use super::budget::{StoreBudget, instances_during_rollout};
use super::capacity::queueing::{Prediction, Station};
use super::{ContainerResources, Plan};
use crate::crd::CapacitySpec;
use crate::plan::quantity::{Bytes, Millicores};

/// A plan at its peak.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peak {
    /// Concurrent users.
    pub users: i64,
    /// API instances.
    pub instances: i64,
    /// The constraint that asks for the most of them.
    pub binding: &'static str,
    /// Every constraint with the instances it asks for, in the order of the plan.
    pub constraints: Vec<Asked>,
    /// With every instance there.
    pub whole: Load,
    /// With one zone gone, or with one instance gone where there is one zone.
    pub reduced: Load,
    /// What is lost in `reduced`: `zone` or `instance`.
    pub lost: &'static str,
    /// CPU that all containers request, in thousandths of a core.
    pub cpu_millicores: i64,
    /// Memory that all containers may use, in MiB.
    pub memory_mebibytes: i64,
    /// Connections on the busiest node of each store while the API rolls.
    pub connections: Vec<Connections>,
}

/// What one constraint asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Name of the constraint.
    pub name: &'static str,
    /// Instances.
    pub replicas: i64,
}

/// What each instance carries.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// Instances that answer.
    pub instances: i64,
    /// Users on the fullest.
    pub users_per_instance: i64,
    /// Share of the time in which it is busy, 0 to 1.
    pub utilization: f64,
    /// Mean response time, in milliseconds.
    pub mean_milliseconds: f64,
    /// 95th percentile of the response time, in milliseconds.
    pub p95_milliseconds: f64,
}

/// One store's connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    /// `MongoDB` or `Redis`.
    pub store: &'static str,
    /// Most that the API opens.
    pub used: i64,
    /// What one node may hold for it.
    pub budget: i64,
}

/// Looks at `plan`, made from `capacity`, at its peak.
pub fn peak(plan: &Plan, capacity: &CapacitySpec) -> Peak {
    let instances = plan.api.replicas.most();
    let zones = i64::from(capacity.zones);
    let (lost, gone) = if zones > 1 { ("zone", (instances + zones - 1) / zones) } else { ("instance", 1) };
    let station = Station::new(&capacity.instance);
    let load = |instances| load(&station, capacity.users, instances);
    let (cpu, memory) = sums(plan, instances);
    Peak {
        users: capacity.users,
        instances,
        binding: plan.capacity.binding,
        constraints: plan
            .capacity
            .constraints
            .iter()
            .map(|one| Asked { name: one.name, replicas: one.replicas })
            .collect(),
        whole: load(instances),
        reduced: load(instances - gone),
        lost,
        cpu_millicores: cpu.0,
        memory_mebibytes: memory.mebibytes(),
        connections: vec![
            connections(plan, plan.mongodb.budget(), plan.api.mongodb_pool),
            connections(plan, plan.redis.budget(), plan.api.redis_pool),
        ],
    }
}

/// Users are spread evenly; the fullest instance is looked at. None left: nothing is answered.
fn load(station: &Station, users: i64, instances: i64) -> Load {
    /// Beyond this many users on one instance the model only says that nothing works any more.
    const MOST_PREDICTED: i64 = 100_000;
    let each = if instances > 0 { (users + instances - 1) / instances } else { users };
    let predicted = station.predict(u32::try_from(each.clamp(0, MOST_PREDICTED)).unwrap_or(0));
    let Prediction { utilization, mean_seconds, p95_seconds, .. } = predicted;
    Load {
        instances: instances.max(0),
        users_per_instance: each,
        utilization,
        mean_milliseconds: mean_seconds * 1000.0,
        p95_milliseconds: p95_seconds * 1000.0,
    }
}

fn connections(plan: &Plan, budget: StoreBudget, pool: i64) -> Connections {
    let instances = instances_during_rollout(plan.api.replicas.most());
    let used = instances * i64::from(plan.api.workers) * (pool + budget.overhead);
    Connections { store: budget.store, used, budget: budget.connections }
}

/// Requested CPU and memory limits of every container but the operator's.
fn sums(plan: &Plan, instances: i64) -> (Millicores, Bytes) {
    let redis_pods = i64::from(plan.redis.shards) * i64::from(plan.redis.pods_per_shard());
    let tiers: [(&ContainerResources, i64); 4] = [
        (&plan.api.resources, instances),
        (&plan.gateway.resources, plan.gateway.replicas),
        (&plan.mongodb.resources, i64::from(plan.mongodb.members)),
        (&plan.redis.resources, redis_pods),
    ];
    let requested = |resources: &ContainerResources| {
        Millicores::parse(&resources.cpu_request).map_or(0, |requested| requested.0)
    };
    let cpu = tiers.iter().map(|(resources, pods)| requested(resources) * pods).sum();
    let memory = tiers.iter().map(|(resources, pods)| resources.memory.0 * pods).sum();
    (Millicores(cpu), Bytes(memory))
}
