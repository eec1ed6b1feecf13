//! Whole runs: what the planner, the autoscaler and the queue say together.

use serde_json::json;

use super::shape::{Played, Shape};
use super::*;
use crate::crd::EaiserCluster;
use crate::manifest;
use crate::settings::Settings;

const SURROUNDINGS: Surroundings =
    Surroundings { startup_seconds: 10, metric_delay_seconds: 2, replicas: None };

fn planned(users: u32) -> (Plan, InstanceProfile) {
    let document = json!({
        "apiVersion": "eaiser.io/v1alpha1",
        "kind": "EaiserCluster",
        "metadata": {"name": "eaiser"},
        "spec": {"capacity": {"users": users}, "api": {"image": "backend"}},
    });
    let cluster: EaiserCluster = serde_json::from_value(document.clone()).unwrap();
    (manifest::plan(&document, &Settings::default()).unwrap(), cluster.spec.capacity.instance)
}

fn played(shape: Shape, users: u32, seconds: u32) -> Played {
    Played { shape, users, seconds, noise_percent: 0.0, seed: 0 }
}

fn replay(users: u32, surroundings: Surroundings, trace: &Trace) -> Run {
    let (plan, instance) = planned(users);
    run(&plan, &instance, surroundings, trace)
}

#[test]
fn half_an_hour_of_constant_load_with_eight_percent_noise_changes_nothing() {
    for users in [5_000, 12_345, 20_000, 33_400, 99_000] {
        for seed in 0..5 {
            let trace = Played { noise_percent: 8.0, seed, ..played(Shape::Constant, users, 1800) }.trace();
            let replicas = Some(divide_up(users, 1000));
            let outcome = replay(120_000, Surroundings { replicas, ..SURROUNDINGS }, &trace);
            let totals = summary::totals(&outcome, None);
            assert_eq!((totals.scale_ups, totals.scale_downs), (0, 0), "{users} users, seed {seed}");
        }
    }
}

#[test]
fn a_step_to_a_hundred_thousand_users_is_answered_within_a_minute_and_a_half() {
    let outcome = replay(100_000, SURROUNDINGS, &played(Shape::Step, 100_000, 3600).trace());
    let desired: Vec<i64> = outcome.intervals.iter().map(|one| one.desired).collect();
    // The step comes at 900 s and is two seconds old in the metrics, so the sync at 915 s is the first.
    assert_eq!(desired[60..66], [10, 20, 40, 80, 100, 100]);
    let short: u32 = outcome.intervals.iter().map(|one| one.seconds_beyond_objective).sum();
    assert!((40..=60).contains(&short), "{short}");
    let last = outcome.intervals.last().unwrap();
    assert!(last.refused < 1e-3 && last.desired < 100, "it scaled in without refusing: {last:?}");
}

#[test]
fn the_gateway_refuses_what_is_beyond_its_limit_and_those_let_in_are_served_fast() {
    let (plan, instance) = planned(100_000);
    let ten = Surroundings { replicas: Some(10), startup_seconds: 30, ..SURROUNDINGS };
    let trace = played(Shape::Constant, 50_000, 15).trace();
    let first = run(&plan, &instance, ten, &trace).intervals[0];
    // Ten instances do 17,560 requests/s at their knee; 50,000 users who are refused come back sooner.
    assert!((first.served / 15.0 / 17_560.0 - 1.0).abs() < 0.01, "{first:?}");
    assert!(first.refused / 15.0 > 20_000.0, "{first:?}");
    assert!(first.p95_milliseconds.unwrap() < 140.0 && first.utilization > 0.999, "{first:?}");
}

#[test]
fn a_pace_of_the_trace_replaces_the_pace_of_the_profile() {
    let calm = Trace::parse("0,10000,4590\n60,0\n").unwrap();
    let usual = Trace::parse("0,10000\n60,0\n").unwrap();
    let served = |trace: &Trace| summary::totals(&replay(10_000, SURROUNDINGS, trace), None).served;
    assert!((served(&calm) / 60.0 / 4590.0 - 1.0).abs() < 0.01, "{}", served(&calm) / 60.0);
    assert!((served(&usual) / 60.0 / 9180.0 - 1.0).abs() < 0.01, "{}", served(&usual) / 60.0);
}

#[test]
fn nobody_costs_the_floor_and_refuses_nothing() {
    let outcome = replay(100_000, SURROUNDINGS, &Trace::parse("0,0\n3600,0\n").unwrap());
    let totals = summary::totals(&outcome, Some(0.25));
    assert_eq!((totals.fewest_instances, totals.most_instances), (10, 10));
    assert!((totals.instance_hours - 10.0).abs() < 1e-9 && totals.cost == Some(2.5), "{totals:?}");
    assert!(totals.refused.abs() < 1e-9 && totals.served.abs() < 1e-9);
    assert_eq!(totals.seconds_beyond_objective, 0);
    assert!(summary::worst_moments(&outcome).is_empty());
}

#[test]
fn without_instances_every_request_is_refused_until_the_first_is_ready() {
    let slow = Surroundings { startup_seconds: 30, replicas: Some(0), ..SURROUNDINGS };
    let outcome = replay(10_000, slow, &played(Shape::Constant, 1000, 60).trace());
    // Zero replicas switch an autoscaler off.
    assert!(outcome.intervals.iter().all(|one| one.desired == 0 && one.reason == "ScalingDisabled"));
    assert!(outcome.intervals.iter().all(|one| one.p95_milliseconds.is_none()));
    assert!((summary::totals(&outcome, None).refused / 60.0 - 918.0).abs() < 1.0);
}

#[test]
fn phases_cover_the_run_without_gaps_and_are_few() {
    for seconds in [15, 61, 1800, 3600, 86_400] {
        let outcome = replay(10_000, SURROUNDINGS, &played(Shape::Day, 10_000, seconds).trace());
        let phases = summary::phases(&outcome);
        assert!((1..=13).contains(&phases.len()), "{seconds}");
        assert_eq!((phases[0].from, phases.last().unwrap().to), (0, seconds));
        assert!(phases.windows(2).all(|pair| pair[0].to == pair[1].from), "{seconds}");
    }
}

#[test]
fn the_worst_moment_of_a_flash_crowd_is_its_arrival() {
    let outcome = replay(100_000, SURROUNDINGS, &played(Shape::FlashCrowd, 100_000, 3600).trace());
    let moments = summary::worst_moments(&outcome);
    assert_eq!(moments.len(), 1, "{moments:?}");
    assert!((900..960).contains(&moments[0].from) && moments[0].refused > 1000.0, "{moments:?}");
}
