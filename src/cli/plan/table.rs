//! The plan as people read it.

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use crate::desired::Desired;
use crate::plan::{Plan, Replicas};

/// One derived number.
pub(super) struct Fact {
    /// Stable name, as in the JSON output.
    pub(super) name: &'static str,
    /// Its value.
    pub(super) value: String,
    /// Where it comes from.
    pub(super) because: String,
}

/// Renders capacity, derived settings and the list of objects.
pub(super) fn render(plan: &Plan, desired: &Desired) -> String {
    let mut text = String::new();
    let capacity = &plan.capacity;
    // Writing to a String cannot fail.
    let _ = writeln!(text, "EaiserCluster {}/{}\n", plan.identity.namespace, plan.identity.name);
    let _ = writeln!(text, "API instances at peak, by constraint");
    let mut table = plain(["constraint", "instances", "", "arithmetic"]);
    for constraint in &capacity.constraints {
        let binds = if constraint.name == capacity.binding { "binds" } else { "" };
        table.add_row([constraint.name, &constraint.replicas.to_string(), binds, &constraint.arithmetic]);
    }
    let _ = writeln!(text, "{}\n\nDerived settings", indent(&table));
    let mut table = plain(["setting", "value", "because"]);
    for fact in facts(plan) {
        table.add_row([fact.name, &fact.value, &fact.because]);
    }
    let _ = writeln!(text, "{}\n", indent(&table));
    let objects = desired.objects();
    let _ = writeln!(text, "{} objects, in order of application", objects.len());
    for object in &objects {
        let part =
            |pointer: &str| object.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default();
        let _ = writeln!(text, "  {}/{}", part("/kind"), part("/metadata/name"));
    }
    text
}

fn plain<const N: usize>(header: [&str; N]) -> Table {
    let mut table = plain_of(&header);
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A table without lines.
pub(super) fn plain_of(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(header.to_vec());
    table
}

/// Its lines, moved in by one.
pub(in crate::cli) fn indent(table: &Table) -> String {
    table.lines().map(|line| format!(" {}", line.trim_end())).collect::<Vec<_>>().join("\n")
}

/// Every derived number with its reason.
pub(super) fn facts(plan: &Plan) -> Vec<Fact> {
    let mut facts = api_facts(plan);
    facts.extend(store_facts(plan));
    facts
}

fn fact(name: &'static str, value: &dyn ToString, because: impl Into<String>) -> Fact {
    Fact { name, value: value.to_string(), because: because.into() }
}

fn api_facts(plan: &Plan) -> Vec<Fact> {
    let gateways = plan.gateway.replicas;
    let replicas = match plan.api.replicas {
        Replicas::Autoscaled { min, max } => format!("{min} to {max}"),
        Replicas::Fixed(count) => count.to_string(),
    };
    let decided = match plan.api.replicas {
        Replicas::Autoscaled { .. } => "the autoscaler decides in between",
        Replicas::Fixed(_) => "autoscaling is switched off",
    };
    let headroom = plan.capacity.headroom_percent;
    vec![
        fact("api.replicas", &replicas, decided),
        fact(
            "headroomPercent",
            &headroom,
            "throughput of the most instances at the knee, beyond the peak's demand",
        ),
        fact("api.maxInFlight", &plan.api.max_in_flight, "requests at a time one instance is given at most"),
        fact("gateway.replicas", &gateways, "one for each 50,000 users, at least 2"),
        fact(
            "gateway.maxConnectionsPerInstance",
            &plan.gateway.max_connections_per_instance,
            format!("{} in flight / {gateways} gateway pods, each counts alone", plan.api.max_in_flight),
        ),
        fact(
            "gateway.workerConnections",
            &plan.gateway.worker_connections,
            "one pod lost, its clients on the others",
        ),
    ]
}

fn store_facts(plan: &Plan) -> Vec<Fact> {
    let (mongodb, redis) = (&plan.mongodb, &plan.redis);
    vec![
        fact(
            "mongodb.apiConnections",
            &mongodb.api_connections,
            format!("a quarter of {} at 1 MiB each, per member", mongodb.resources.memory_limit),
        ),
        fact(
            "mongodb.maxPoolSize",
            &plan.api.mongodb_pool,
            format!(
                "per worker: {} connections shared by {} instances during a rollout, 2 of them for monitoring, at most 100",
                mongodb.api_connections,
                crate::plan::budget::instances_during_rollout(plan.api.replicas.most())
            ),
        ),
        fact(
            "mongodb.maxIncomingConnections",
            &mongodb.max_incoming_connections,
            "the API may use 80 % of it",
        ),
        fact(
            "mongodb.cacheMebibytes",
            &mongodb.cache.mebibytes(),
            "half of the memory beyond 1 GiB, at least 256 MiB",
        ),
        fact(
            "redis.maxmemoryMebibytes",
            &redis.maxmemory.mebibytes(),
            format!("70 % of {}, per node", redis.resources.memory_limit),
        ),
        fact("redis.maxclients", &redis.maxclients, "a quarter of the memory at 64 KiB each"),
        fact("redis.maxConnections", &plan.api.redis_pool, "per worker and node, at most 50"),
    ]
}
