//! One test per rule: a healthy or fresh cluster, one thing changed, one verdict.
//!
//! Topologies come out of the [model](crate::redis_cluster::model), so that views are complete and
//! consistent before the test disturbs them.

use super::*;
use crate::redis_cluster::model::Model;
use crate::redis_cluster::topology::{NodeEntry, NodeView, View};

mod formation;
mod membership;
mod running;

fn wanted() -> Wanted {
    Model::fresh(3, 2).wanted()
}

fn fresh() -> Topology {
    Model::fresh(3, 2).topology()
}

/// All members know each other, nobody owns a slot.
fn met() -> Topology {
    let mut model = Model::fresh(3, 2);
    for _ in 0..2 {
        model.operate(usize::MAX);
        model.gossip_all();
    }
    model.gossip_all();
    model.topology()
}

fn settled() -> Topology {
    Model::settled(3, 2).topology()
}

fn view<'a>(topology: &'a mut Topology, pod: &str) -> &'a mut NodeView {
    let node = topology.nodes.iter_mut().find(|node| node.target.pod == pod).unwrap();
    match &mut node.view {
        View::Node(view) => view,
        other => panic!("{pod} has no view: {other:?}"),
    }
}

fn id(topology: &Topology, pod: &str) -> NodeId {
    topology.pod(pod).unwrap().view.node().unwrap().id.clone()
}

/// What `viewer` believes about `about`; both may be one pod.
fn entry<'a>(topology: &'a mut Topology, viewer: &str, about: &str) -> &'a mut NodeEntry {
    let id = id(topology, about);
    let mut entries = view(topology, viewer).entries.iter_mut();
    entries.find(|entry| entry.id == id).unwrap()
}

/// Changes what every node, itself included, says about a pod.
fn everywhere(topology: &mut Topology, about: &str, change: impl Fn(&mut NodeEntry)) {
    for viewer in pods(topology) {
        if topology.pod(&viewer).unwrap().view.node().is_some() {
            change(entry(topology, &viewer, about));
        }
    }
}

fn silence(topology: &mut Topology, pod: &str, view: View) {
    topology.nodes.iter_mut().find(|node| node.target.pod == pod).unwrap().view = view;
}

fn unreachable() -> View {
    View::Unreachable { reason: "connection refused".to_owned() }
}

fn pods(topology: &Topology) -> Vec<String> {
    topology.nodes.iter().map(|node| node.target.pod.clone()).collect()
}

fn step(topology: &Topology) -> Step {
    match next(&wanted(), topology) {
        Next::Do(step) => step,
        other => panic!("expected a step, got {other:?}"),
    }
}

/// The verdict must be to wait, for this reason, in words that hold all of these.
fn assert_waits(topology: &Topology, reason: WaitReason, words: &[&str]) {
    match next(&wanted(), topology) {
        Next::Wait(waiting) => {
            assert_eq!(waiting.reason, reason, "{}", waiting.message);
            for word in words {
                assert!(waiting.message.contains(word), "\"{word}\" is not in: {}", waiting.message);
            }
        }
        other => panic!("expected to wait, got {other:?}"),
    }
}

fn someone(digit: char) -> NodeId {
    NodeId::parse(&digit.to_string().repeat(40)).unwrap()
}

#[test]
fn a_healthy_cluster_is_settled() {
    assert_eq!(next(&wanted(), &settled()), Next::Settled);
}

#[test]
fn the_order_of_answers_does_not_matter() {
    for mut topology in [fresh(), met(), settled()] {
        let forward = next(&wanted(), &topology);
        topology.nodes.reverse();
        assert_eq!(next(&wanted(), &topology), forward);
    }
}

#[test]
fn every_step_says_what_it_does_and_to_whom() {
    let step = step(&met());
    assert_eq!(step.reason(), "AssignRedisSlots");
    assert_eq!(
        step.describe(),
        "assign slots: 0-5460 to shard-0-0, 5461-10921 to shard-1-0, 10922-16383 to shard-2-0"
    );
    let commands: Vec<_> = step.orders().iter().map(|order| order.command.words().join(" ")).collect();
    assert_eq!(commands[0], "CLUSTER ADDSLOTSRANGE 0 5460");
}

#[test]
fn a_long_step_is_described_by_its_first_commands_and_a_count() {
    let mut topology = fresh();
    for (index, pod) in pods(&topology).iter().enumerate() {
        entry(&mut topology, pod, pod).config_epoch = index as u64 + 1;
    }
    let words = step(&topology).describe();
    assert!(
        words.starts_with("introduce shard-0-1 to shard-0-0, ") && words.ends_with("and 9 more"),
        "{words}"
    );
}
