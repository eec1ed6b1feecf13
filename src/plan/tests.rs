//! One behaviour of the plan each; fixtures are specs as users write them.

use proptest::prelude::*;

use super::*;
use crate::crd::EaiserClusterSpec;

const MINIMAL: &str = "{capacity: {users: 100000}, api: {image: registry.example.com/backend:1.0.0}}";

fn spec(yaml: &str) -> EaiserClusterSpec {
    serde_saphyr::from_str(yaml).unwrap()
}

fn identity() -> Identity {
    Identity { namespace: "shop".to_owned(), name: "eaiser".to_owned(), uid: "1".to_owned() }
}

fn planned(yaml: &str) -> Plan {
    plan(identity(), &spec(yaml), &Settings::default()).unwrap()
}

fn problems(yaml: &str) -> Vec<Problem> {
    plan(identity(), &spec(yaml), &Settings::default()).unwrap_err().0
}

fn replicas_of(plan: &Plan, constraint: &str) -> Option<i64> {
    plan.capacity
        .constraints
        .iter()
        .find(|candidate| candidate.name == constraint)
        .map(|found| found.replicas)
}

#[test]
fn the_reports_hundred_thousand_users_need_a_hundred_instances_by_connections() {
    let plan = planned(MINIMAL);
    assert_eq!((plan.capacity.max_replicas, plan.capacity.binding), (100, "connections"));
    assert_eq!(plan.capacity.min_replicas, 10, "a tenth of the users is the default baseline");
}

#[test]
fn the_same_users_need_seventy_five_instances_by_throughput() {
    assert_eq!(replicas_of(&planned(MINIMAL), "throughput"), Some(75));
}

#[test]
fn the_reports_fifty_thousand_requests_need_forty_one_instances() {
    let plan = planned(
        "{capacity: {users: 1, objectives: {requestsPerSecond: 50000}}, api: {image: a}, mongodb: {resources: {limits: {memory: 32Gi}}}}",
    );
    assert_eq!((plan.capacity.max_replicas, plan.capacity.binding), (41, "statedLoad"));
}

#[test]
fn losing_one_of_three_zones_keeps_utilization_at_most_ninety_percent() {
    let plan = planned("{capacity: {users: 100000, zones: 3}, api: {image: a}}");
    assert_eq!(replicas_of(&plan, "zoneLoss"), Some(89));
    let survivors = 89.0 - (89.0_f64 / 3.0).ceil();
    assert!(91_800.0 / (survivors * 1750.0) <= 0.9);
}

#[test]
fn one_zone_adds_no_zone_constraint() {
    assert_eq!(replicas_of(&planned(MINIMAL), "zoneLoss"), None);
}

#[test]
fn even_one_user_gets_two_instances() {
    let plan = planned("{capacity: {users: 1}, api: {image: a, replicas: 1}}");
    assert_eq!(
        (plan.capacity.min_replicas, plan.capacity.max_replicas, plan.capacity.binding),
        (2, 2, "availability")
    );
}

#[test]
fn headroom_is_what_the_knee_offers_beyond_the_peak() {
    assert_eq!(planned(MINIMAL).capacity.headroom_percent, 90);
}

#[test]
fn a_cap_below_the_plan_shows_as_lost_headroom() {
    let plan = planned("{capacity: {users: 100000}, api: {image: a, maxReplicas: 50}}");
    assert_eq!(
        (plan.capacity.max_replicas, plan.capacity.peak_replicas, plan.capacity.headroom_percent),
        (50, 100, -5)
    );
}

#[test]
fn a_cap_below_the_floor_is_a_problem_that_names_the_floor() {
    let problems = problems("{capacity: {users: 100000}, api: {image: a, maxReplicas: 5}}");
    assert_eq!(problems[0].field, "spec.api.maxReplicas");
    assert!(problems[0].message.contains("at least 10"), "{}", problems[0]);
}

#[test]
fn without_autoscaling_the_count_is_exact() {
    let plan =
        planned("{capacity: {users: 100000}, api: {image: a, replicas: 7, autoscaling: {enabled: false}}}");
    assert_eq!(plan.api.replicas, Replicas::Fixed(7));
}

#[test]
fn the_pool_shrinks_until_every_instance_fits_the_budget() {
    let plan = planned(MINIMAL);
    assert_eq!(plan.mongodb.api_connections, 2048, "a quarter of 8Gi at 1 MiB");
    assert_eq!(plan.api.mongodb_pool, 14, "2048 / (125 instances * 1 worker) - 2");
}

#[test]
fn the_pool_never_exceeds_the_reports_hundred() {
    assert_eq!(planned("{capacity: {users: 10}, api: {image: a}}").api.mongodb_pool, 100);
}

#[test]
fn a_budget_that_leaves_no_pool_names_three_ways_out() {
    let problems = problems(
        "{capacity: {users: 100000}, api: {image: a}, mongodb: {resources: {limits: {memory: 1Gi}}}}",
    );
    let message = &problems[0].message;
    assert_eq!(problems[0].field, "spec.mongodb.resources.limits.memory");
    for way in [
        "raise spec.mongodb.resources.limits.memory by 2476Mi",
        "lower spec.api.maxReplicas to 29",
        "lower spec.api.workers",
    ] {
        assert!(message.contains(way), "`{way}` is missing in: {message}");
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    let fields: Vec<String> = problems(
        "{capacity: {users: 100000, objectives: {latencyP95: soon}}, api: {image: a, maxReplicas: 3}, mongodb: {members: 2, resources: {limits: {memory: many}}}, redis: {shards: 2}}",
    )
    .into_iter()
    .map(|problem| problem.field)
    .collect();
    for field in [
        "spec.api.maxReplicas",
        "spec.mongodb.members",
        "spec.mongodb.resources.limits.memory",
        "spec.redis.shards",
        "spec.capacity.objectives.latencyP95",
    ] {
        assert!(fields.iter().any(|found| found == field), "{field} is missing in {fields:?}");
    }
}

#[test]
fn an_instances_limit_is_shared_by_the_gateways() {
    let plan = planned(MINIMAL);
    assert_eq!((plan.gateway.replicas, plan.gateway.max_connections_per_instance), (2, 119));
}

#[test]
fn an_absent_memory_limit_equals_the_request() {
    let plan = planned("{capacity: {users: 10}, api: {image: a, resources: {requests: {memory: 1Gi}}}}");
    assert_eq!(
        (plan.api.resources.memory_limit.as_str(), plan.api.resources.memory_request.as_str()),
        ("1Gi", "1Gi")
    );
    assert_eq!(plan.api.resources.cpu_request, "2", "the default");
}

#[test]
fn redis_keeps_thirty_percent_of_its_memory_for_buffers() {
    let plan =
        planned("{capacity: {users: 10}, api: {image: a}, redis: {resources: {limits: {memory: 1000Mi}}}}");
    assert_eq!(plan.redis.maxmemory.mebibytes(), 700);
}

proptest! {
    #[test]
    fn the_plan_survives_the_loss_of_any_one_zone(users in 1_i64..2_000_000, zones in 2_i32..6) {
        let plan = planned(&format!("{{capacity: {{users: {users}, zones: {zones}}}, api: {{image: a}}, mongodb: {{resources: {{limits: {{memory: 900Gi}}}}}}, redis: {{resources: {{limits: {{memory: 900Gi}}}}}}}}"));
        let n = plan.capacity.max_replicas;
        let zones = i64::from(zones);
        let survivors = n - (n + zones - 1) / zones;
        #[allow(clippy::cast_precision_loss)]
        let utilization = users as f64 * 0.918 / (survivors as f64 * 1750.0);
        prop_assert!(utilization <= 0.9 + 1e-9, "{} instances leave {} at {}", n, survivors, utilization);
    }

    #[test]
    fn more_users_never_need_fewer_instances(users in 1_i64..1_000_000, more in 1_i64..1000) {
        let ample = |users: i64| planned(&format!("{{capacity: {{users: {users}}}, api: {{image: a}}, mongodb: {{resources: {{limits: {{memory: 900Gi}}}}}}, redis: {{resources: {{limits: {{memory: 900Gi}}}}}}}}"));
        prop_assert!(ample(users).capacity.max_replicas <= ample(users + more).capacity.max_replicas);
    }

    #[test]
    fn all_pools_together_fit_the_budget(users in 1_i64..200_000, workers in 1_i32..4) {
        let spec = spec(&format!("{{capacity: {{users: {users}}}, api: {{image: a, workers: {workers}}}}}"));
        if let Ok(plan) = plan(identity(), &spec, &Settings::default()) {
            let instances = budget::instances_during_rollout(plan.capacity.max_replicas);
            let connections = instances * i64::from(workers) * (plan.api.mongodb_pool + 2);
            prop_assert!(connections <= plan.mongodb.api_connections);
        }
    }
}
