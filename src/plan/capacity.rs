//! How many API instances a load needs: every constraint is computed, the largest binds.
//!
//! The performance report contradicts itself (1,000 connections per instance asks for 100 instances
//! at 100,000 users, "50 containers" for 50, 50,000 requests/s for 41), so no single figure is
//! trusted: each constraint keeps its own number and its arithmetic.

pub mod queueing;

use super::Problem;
use crate::crd::{ApiSpec, CapacitySpec, InstanceProfile};

/// Most instances a plan may ask for; beyond it one cluster is the wrong shape.
pub const MOST_REPLICAS: i64 = 10_000;
/// Utilisation of the knee's throughput allowed while one zone is lost.
const ZONE_LOSS_UTILIZATION: f64 = 0.9;
/// Instances needed to survive the loss of one.
const AVAILABILITY_REPLICAS: i64 = 2;

/// One constraint, applied to a number of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// Stable name: `connections`, `throughput`, `statedLoad`, `zoneLoss` or `availability`.
    pub name: &'static str,
    /// Instances it asks for.
    pub replicas: i64,
    /// The calculation in full, readable without this source.
    pub arithmetic: String,
}

/// Instances needed at peak and at the quiet hour.
#[derive(Clone, Debug, PartialEq)]
pub struct CapacityPlan {
    /// Fewest API instances.
    pub min_replicas: i64,
    /// Most API instances, after the cap `api.maxReplicas`.
    pub max_replicas: i64,
    /// Instances the peak asks for, before any cap.
    pub peak_replicas: i64,
    /// The constraint that decides `peak_replicas`.
    pub binding: &'static str,
    /// Every constraint at peak, in fixed order.
    pub constraints: Vec<Constraint>,
    /// Percent by which the throughput of `max_replicas` at the knee exceeds the peak's demand;
    /// below zero when the peak cannot be served.
    pub headroom_percent: i64,
}

/// Plans the API's range of instances: max = need(users), min = max(need(baselineUsers), api.replicas).
pub fn plan(capacity: &CapacitySpec, api: &ApiSpec, problems: &mut Vec<Problem>) -> CapacityPlan {
    let constraints = constraints(capacity, capacity.users, capacity.objectives.requests_per_second);
    let (peak_replicas, binding) = binding(&constraints);
    let baseline_users = capacity.baseline_users.unwrap_or(capacity.users / 10);
    let (baseline_replicas, _) = binding_of(capacity, baseline_users);
    let min_replicas = baseline_replicas.max(i64::from(api.replicas));
    let uncapped = peak_replicas.max(min_replicas);
    let max_replicas = match api.max_replicas.map(i64::from) {
        Some(cap) if cap < min_replicas => {
            problems.push(Problem::new(
                "spec.api.maxReplicas",
                format!("{cap} is below the floor of {min_replicas} (the larger of api.replicas {} and {baseline_replicas} for {baseline_users} baseline users); raise it to at least {min_replicas} or lower the floor", api.replicas),
            ));
            min_replicas
        }
        Some(cap) => uncapped.min(cap),
        None => uncapped,
    };
    if max_replicas > MOST_REPLICAS {
        problems.push(Problem::new(
            "spec.capacity.users",
            format!("{} users need {max_replicas} API instances by {binding}, more than the {MOST_REPLICAS} one cluster supports; lower the users or raise capacity.instance to what an instance really does", capacity.users),
        ));
    }
    let headroom_percent =
        headroom(capacity, if api.autoscaling.enabled { max_replicas } else { i64::from(api.replicas) });
    CapacityPlan { min_replicas, max_replicas, peak_replicas, binding, constraints, headroom_percent }
}

fn binding_of(capacity: &CapacitySpec, users: i64) -> (i64, &'static str) {
    binding(&constraints(capacity, users, None))
}

/// The largest constraint; the first one wins a tie.
fn binding(constraints: &[Constraint]) -> (i64, &'static str) {
    let mut largest = (1, "availability");
    for constraint in constraints {
        if constraint.replicas > largest.0 {
            largest = (constraint.replicas, constraint.name);
        }
    }
    largest
}

/// Every constraint for `users`, largest-first order not implied.
fn constraints(capacity: &CapacitySpec, users: i64, stated: Option<i64>) -> Vec<Constraint> {
    let instance = &capacity.instance;
    let demand = demand(users, instance);
    let usable = usable_throughput(instance);
    let mut constraints = vec![
        Constraint {
            name: "connections",
            replicas: ceiling(as_float(users) / as_float(instance.connections)),
            arithmetic: format!("ceil({users} users / {} connections per instance)", instance.connections),
        },
        Constraint {
            name: "throughput",
            replicas: ceiling(demand / usable),
            arithmetic: format!(
                "ceil({users} users * {} requests/s per user / ({} requests/s * {} utilization))",
                instance.requests_per_user, instance.requests_per_second, instance.max_utilization
            ),
        },
    ];
    if let Some(stated) = stated {
        constraints.push(Constraint {
            name: "statedLoad",
            replicas: ceiling(as_float(stated) / usable),
            arithmetic: format!(
                "ceil({stated} requests/s / ({} requests/s * {} utilization))",
                instance.requests_per_second, instance.max_utilization
            ),
        });
    }
    if capacity.zones > 1 {
        constraints.push(zone_loss(demand, users, capacity));
    }
    constraints.push(Constraint {
        name: "availability",
        replicas: AVAILABILITY_REPLICAS,
        arithmetic: format!("{AVAILABILITY_REPLICAS}, so that one instance may fail"),
    });
    constraints
}

/// Smallest n with demand / ((n − ceil(n / zones)) · throughput) ≤ 0.9.
fn zone_loss(demand: f64, users: i64, capacity: &CapacitySpec) -> Constraint {
    let zones = i64::from(capacity.zones);
    let instance = &capacity.instance;
    let survivors = ceiling(demand / (as_float(instance.requests_per_second) * ZONE_LOSS_UTILIZATION)).max(1);
    // n − ceil(n / zones) ≥ survivors holds first near survivors · zones / (zones − 1).
    let mut replicas = survivors * zones / (zones - 1);
    while replicas - ceiling_division(replicas, zones) < survivors {
        replicas += 1;
    }
    Constraint {
        name: "zoneLoss",
        replicas,
        arithmetic: format!(
            "smallest n with {users} users * {} requests/s per user / ((n - ceil(n / {zones} zones)) * {} requests/s) <= {ZONE_LOSS_UTILIZATION}",
            instance.requests_per_user, instance.requests_per_second
        ),
    }
}

/// Requests per second that `users` cause.
fn demand(users: i64, instance: &InstanceProfile) -> f64 {
    as_float(users) * instance.requests_per_user
}

fn usable_throughput(instance: &InstanceProfile) -> f64 {
    as_float(instance.requests_per_second) * instance.max_utilization
}

fn headroom(capacity: &CapacitySpec, replicas: i64) -> i64 {
    let instance = &capacity.instance;
    let offered = as_float(replicas) * as_float(instance.requests_per_second);
    let stated = capacity.objectives.requests_per_second.map_or(0.0, as_float);
    floor((offered / demand(capacity.users, instance).max(stated) - 1.0) * 100.0)
}

fn ceiling_division(value: i64, divisor: i64) -> i64 {
    (value + divisor - 1) / divisor
}

/// Exact for every value a spec may hold: all are far below 2^53.
#[allow(clippy::cast_precision_loss, reason = "spec values are bounded far below 2^53")]
pub(crate) fn as_float(value: i64) -> f64 {
    value as f64
}

/// Rounds up, forgiving the last bits of a product such as 0.1 * 3.
#[allow(clippy::cast_possible_truncation, reason = "clamped to the range of i64 first")]
fn ceiling(value: f64) -> i64 {
    (value - 1e-9).ceil().clamp(0.0, 1e15) as i64
}

#[allow(clippy::cast_possible_truncation, reason = "clamped to the range of i64 first")]
fn floor(value: f64) -> i64 {
    (value + 1e-9).floor().clamp(-1e15, 1e15) as i64
}
