//! Shards of the Redis Cluster.

use super::*;
use crate::redis_cluster::Next;

fn shard(name: &str, primary: usize, replicas: &[usize]) -> ShardSummary {
    ShardSummary {
        name: name.to_owned(),
        primary: Some(format!("{name}-{primary}")),
        replicas: replicas.iter().map(|pod| format!("{name}-{pod}")).collect(),
        ..ShardSummary::default()
    }
}

fn rolled(sets: &[(&str, ShardSummary)]) -> Roll {
    let pods: Vec<_> = sets.iter().map(|(words, shard)| Some(pods(&shard.name, words))).collect();
    let shards: Vec<_> = sets.iter().map(|(_, shard)| shard.clone()).collect();
    redis::roll(&pods, &shards, &Next::Settled)
}

#[test]
fn pods_of_the_newest_template_need_nothing() {
    assert_eq!(rolled(&[("0 new, 1 new", shard("a", 0, &[1]))]), Roll::Done);
}

#[test]
fn a_replica_goes_before_its_primary_whatever_its_ordinal() {
    assert_eq!(deleted(&rolled(&[("0 old, 1 old", shard("a", 0, &[1]))])).pod, "a-1");
    assert_eq!(deleted(&rolled(&[("0 old, 1 old", shard("a", 1, &[0]))])).pod, "a-0");
}

#[test]
fn a_new_replica_takes_over_before_the_primary_restarts() {
    let roll = rolled(&[("0 old, 1 new", shard("a", 0, &[1]))]);
    let expected = Action::FailOver {
        from: "a-0".to_owned(),
        to: "a-1".to_owned(),
        change: "image changes from a to b".to_owned(),
    };
    assert_eq!(roll.action(), Some(&expected));
    assert_eq!(message(&roll), "1 of 2 pods run the new template; next a-0 after a-1 has taken over");
}

#[test]
fn after_the_failover_the_old_primary_restarts_as_a_replica() {
    assert_eq!(deleted(&rolled(&[("0 old, 1 new", shard("a", 1, &[0]))])).pod, "a-0");
}

#[test]
fn one_shard_is_finished_before_the_next_begins() {
    let begun = ("0 old, 1 new", shard("b", 1, &[0]));
    let fresh = ("0 old, 1 old", shard("c", 0, &[1]));
    let roll = rolled(&[("0 new, 1 new", shard("a", 0, &[1])), begun, fresh]);
    assert_eq!(deleted(&roll).pod, "b-0");
    assert_eq!(message(&roll), "3 of 6 pods run the new template; next b-0");
}

#[test]
fn a_shard_without_replicas_restarts_and_the_event_says_what_that_costs() {
    let roll = rolled(&[("0 old", shard("a", 0, &[]))]);
    assert!(deleted(&roll).sentence.contains("its slots are away until it is back"), "{roll:?}");
}

#[test]
fn a_replica_out_of_step_holds_the_failover() {
    let mut behind = shard("a", 0, &[1]);
    behind.problems.push("pod a-1 is still copying its primary".to_owned());
    assert_eq!(waits(&rolled(&[("0 old, 1 new", behind)])), "pod a-1 is still copying its primary");
}

#[test]
fn a_primary_without_a_replica_stays_and_says_so() {
    let roll = rolled(&[("0 old, 1 new", shard("a", 0, &[]))]);
    assert_eq!(waits(&roll), "no replica of a-0 is in step with it");
}

#[test]
fn a_pod_away_in_one_shard_holds_every_shard() {
    let roll = rolled(&[("0 old, 1 old", shard("a", 0, &[1])), ("0 new, 1 new unready", shard("b", 0, &[]))]);
    assert_eq!(waits(&roll), "b-1 is not ready yet");
}

#[test]
fn a_shard_that_does_not_exist_yet_holds_the_others() {
    let roll = redis::roll(&[Some(pods("a", "0 old, 1 old")), None], &[shard("a", 0, &[1])], &Next::Settled);
    assert_eq!(waits(&roll), "a shard is being created");
}

#[test]
fn an_outdated_pod_that_runs_nothing_is_replaced() {
    let roll = rolled(&[("0 old, 1 old stalled", shard("a", 0, &[]))]);
    assert_eq!((deleted(&roll).pod.as_str(), deleted(&roll).ready_pods), ("a-1", None));
}
