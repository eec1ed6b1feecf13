//! The summary of healthy and of damaged clusters.

use super::*;
use crate::redis_cluster::model::Model;
use crate::redis_cluster::topology::NodeView;

fn view(topology: &mut Topology, index: usize) -> &mut NodeView {
    match &mut topology.nodes[index].view {
        View::Node(view) => view,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_healthy_cluster_has_16384_slots_and_no_problems() {
    let model = Model::settled(3, 2);
    let summary = model.topology().summary(&model.wanted());
    assert!(summary.is_healthy(), "{summary:?}");
    assert_eq!(summary.slots_assigned, 16384);
    let shard = &summary.shards[1];
    assert_eq!((shard.name.as_str(), shard.primary.as_deref()), ("shard-1", Some("shard-1-0")));
    assert_eq!(
        (shard.replicas.as_slice(), shard.slots, shard.keys),
        (&["shard-1-1".to_owned()][..], 5461, 1)
    );
}

#[test]
fn fresh_nodes_own_nothing() {
    let model = Model::fresh(3, 2);
    let summary = model.topology().summary(&model.wanted());
    assert_eq!(summary.slots_assigned, 0);
    assert!(!summary.is_healthy());
    assert!(summary.shards[0].problems.contains(&"no pod owns slots".to_owned()));
}

#[test]
fn a_silent_primary_takes_its_slots_out_of_the_count_and_is_named() {
    let model = Model::settled(3, 2);
    let mut topology = model.topology();
    topology.nodes[2].view = View::Unreachable { reason: "connection refused".to_owned() };
    let summary = topology.summary(&model.wanted());
    assert_eq!(summary.slots_assigned, 16384 - 5461);
    assert_eq!(summary.shards[1].problems, ["pod shard-1-0: connection refused", "no pod owns slots"]);
}

#[test]
fn each_disturbance_is_told_in_words() {
    type Change = fn(&mut Topology);
    let cases: [(Change, &str); 5] = [
        (|topology| topology.nodes[1].view = View::Loading, "pod shard-0-1 is loading its data from disk"),
        (|topology| view(topology, 1).cluster.state_ok = false, "pod shard-0-1 reports cluster_state:fail"),
        (
            |topology| view(topology, 1).replication = Replication::Replica { link: LinkStatus::Syncing },
            "pod shard-0-1 is still copying its primary",
        ),
        (
            |topology| view(topology, 1).replication = Replication::Primary,
            "pod shard-0-1 owns no slots and follows no primary",
        ),
        (|topology| drop(topology.nodes.remove(1)), "pod shard-0-1 does not exist"),
    ];
    for (change, words) in cases {
        let model = Model::settled(3, 2);
        let mut topology = model.topology();
        change(&mut topology);
        assert_eq!(topology.summary(&model.wanted()).shards[0].problems, [words]);
    }
}
